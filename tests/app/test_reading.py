from __future__ import annotations

from pathlib import Path

import pytest
from modal import answer_dialog
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QDialogButtonBox

from app.dialogs.reading import ReadingDialog
from app.main_window import MainWindow
from app.reading import Reading

LEFT = Qt.MouseButton.LeftButton


def open_with(window: MainWindow, fill) -> None:  # type: ignore[no-untyped-def]
    """Answer the dialog of "Open folder with" by ``fill`` and press Open."""

    def answer(dialog: ReadingDialog) -> None:
        fill(dialog)
        button = dialog.buttons.button(QDialogButtonBox.StandardButton.Open)
        assert button is not None
        QTest.mouseClick(button, LEFT)

    answer_dialog(ReadingDialog, answer)
    window.registry["file.open_with"].trigger()


def test_what_was_said_survives_a_file() -> None:
    said = Reading(29.97, "/a/b.mp4", "", "-y")
    assert Reading.of(said.said) == said
    assert Reading().said == {}
    with pytest.raises(ValueError, match="up"):
        Reading.of({"up": "north"})


def test_the_frame_rate_that_is_typed_is_the_scenes(opened: MainWindow, qtbot) -> None:  # type: ignore[no-untyped-def]
    assert opened.session.scene is not None
    assert opened.session.scene.fps == 30.0

    def type_rate(dialog: ReadingDialog) -> None:
        assert dialog.folder.text() == str(opened.session.opened.folder)  # type: ignore[union-attr]
        dialog.fps.selectAll()
        QTest.keyClicks(dialog.fps, "25")

    with qtbot.waitSignal(opened.session.scene_changed):
        open_with(opened, type_rate)
    assert opened.session.scene.fps == 25.0
    assert opened.session.playback.fps == 25.0
    assert "25 fps" in opened.title.text()


def test_a_session_remembers_it(opened: MainWindow, tmp_path: Path, qtbot) -> None:  # type: ignore[no-untyped-def]
    folder = opened.session.opened.folder  # type: ignore[union-attr]
    with qtbot.waitSignal(opened.session.scene_changed):
        opened.files.open(folder, Reading(fps=12.5))
    path = tmp_path / "s.smplsession"
    opened.files.save_session_to(path)
    with qtbot.waitSignal(opened.session.scene_changed):
        opened.files.open(folder)
    assert opened.session.playback.fps == 30.0
    with qtbot.waitSignal(opened.files.restored):
        opened.files.load_session(path)
    assert opened.session.playback.fps == 12.5


def test_nothing_can_be_opened_without_a_folder(window: MainWindow) -> None:
    dialog = ReadingDialog(None, Reading(), window)
    button = dialog.buttons.button(QDialogButtonBox.StandardButton.Open)
    assert button is not None
    assert not button.isEnabled()
    QTest.keyClicks(dialog.folder, "/somewhere")
    assert button.isEnabled()
    assert dialog.reading == Reading()
    dialog.deleteLater()


def test_the_real_engine_reads_it_so(tmp_path: Path) -> None:
    from app.engine import Engine
    from refine_engine.config import RefinementConfig

    engine = Engine()
    folder = engine.sample(tmp_path / "sample", {"people": 1, "frames": 12})
    opened = engine.open(folder, RefinementConfig(), "", Reading(fps=24.0))
    assert opened.scene.fps == 24.0
    assert opened.reading.fps == 24.0
