"""Files: names with their endings, nothing replaced unasked, sessions that can be gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QMessageBox
from recorded import PlainView, RecordedEngine

from app.autosave import Autosave
from app.dialogs.save_name import with_ending
from app.main_window import MainWindow
from app.session_file import read_session

KINDS = "Values (*.csv);;Picture (*.png);;Drawing (*.svg)"


@pytest.mark.parametrize(
    ("typed", "kind", "named"),
    [
        ("a.svg", "Values (*.csv)", "a.svg"),
        ("a", "Picture (*.png)", "a.png"),
        ("a.b", "Drawing (*.svg)", "a.b.svg"),
        ("a", "", "a.csv"),
        ("A.CSV", "", "A.CSV"),
    ],
)
def test_names_get_the_ending_that_was_chosen(typed: str, kind: str, named: str) -> None:
    assert with_ending(Path(typed), kind, KINDS) == Path(named)


def answers(monkeypatch: pytest.MonkeyPatch, name: Path, kind: str, may: bool) -> list[str]:
    """The file dialog's answer, and that of the question about replacing."""
    asked: list[str] = []
    button = QMessageBox.StandardButton.Yes if may else QMessageBox.StandardButton.No

    def question(*arguments: Any, **_: Any) -> QMessageBox.StandardButton:
        asked.append(arguments[2])
        return button

    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(name), kind))
    monkeypatch.setattr(QMessageBox, "question", question)
    return asked


def test_losses_are_exported_by_the_menu_and_replaced_only_when_agreed(
    opened: MainWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    (tmp_path / "curves.csv").write_text("mine")
    asked = answers(monkeypatch, tmp_path / "curves", "Values (*.csv)", may=False)
    opened.registry["file.export_losses"].trigger()
    assert len(asked) == 1
    assert (tmp_path / "curves.csv").read_text() == "mine"
    answers(monkeypatch, tmp_path / "curves", "Values (*.csv)", may=True)
    opened.registry["file.export_losses"].trigger()
    rows = (tmp_path / "curves.csv").read_text().splitlines()
    assert len(rows) == 1 + opened.session.rows["root"].iterations


def test_settings_are_written_and_read_back_by_the_menu(
    opened: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.session.set_weight("depth", 7.0)
    answers(monkeypatch, tmp_path / "mine", "YAML (*.yaml *.yml)", may=True)
    opened.registry["file.save_settings"].trigger()
    opened.session.set_weight("depth", 1.0)
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "mine.yaml"), "")
    )
    opened.registry["file.load_settings"].trigger()
    assert opened.session.config.lambda_depth == 7.0
    opened.registry["edit.undo"].trigger()
    assert opened.session.config.lambda_depth == 1.0


def test_a_loaded_session_exports_what_the_run_would_have(
    opened: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "scale")
    with qtbot.waitSignal(opened.session.job_done):
        opened.exports.export_to(tmp_path / "before")
    opened.files.save_session_to(tmp_path / "a.smplsession")
    heights, numbers = opened.session.heights, opened.session.runs[0].metrics
    opened.session.reset()
    assert not opened.registry["file.export"].isEnabled()
    with qtbot.waitSignal(opened.session.scene_changed):
        opened.files.open(tmp_path / "a.smplsession")
    assert opened.registry["file.export"].isEnabled()
    with qtbot.waitSignal(opened.session.job_done):
        opened.exports.export_to(tmp_path / "after")
    written = [
        json.loads((tmp_path / name / "refinement_results.json").read_text())
        for name in ("before", "after")
    ]
    assert written[0] == written[1]
    assert opened.session.heights == heights
    assert opened.session.runs[0].metrics == numbers
    assert "0.021" in opened.scale.sigma.text()


def test_the_copy_kept_during_a_run_can_be_gone_on_with(
    opened: MainWindow, qtbot: Any, engine: RecordedEngine
) -> None:
    """What a killed program leaves behind: sub-stages that ended, the state, the weights."""
    engine.wait_before("motion", 4)
    opened.session.run()
    qtbot.waitUntil(lambda: engine.waiting)
    opened.session.pause()
    engine.go_on()
    qtbot.waitUntil(lambda: opened.session.activity == "paused")
    held = opened.session.state
    assert held is not None
    with qtbot.waitSignal(opened.autosave.saved):
        opened.autosave.save_if_changed()
    saved = read_session(opened.autosave.path)
    assert [r.sub_stage for r in saved.runs[0].results] == ["init", "root", "smpl"]
    with qtbot.waitSignal(opened.session.ended):
        opened.session.cancel()
    with qtbot.waitSignal(opened.files.restored):
        opened.files.load_session(opened.autosave.path)
    session = opened.session
    assert session.state is not None
    for i, person in held.people.items():
        np.testing.assert_array_equal(session.state.people[i].transl_world, person.transl_world)
    assert session.rows["smpl"].status == "converged"
    assert session.rows["motion"].status == "waiting"
    assert opened.registry["run.from_motion"].isEnabled()
    with qtbot.waitSignal(session.ended):
        opened.registry["run.from_motion"].trigger()
    assert session.rows["smpl"].status == "converged"
    assert session.rows["final"].status == "converged"


def test_runs_that_were_left_come_back(opened: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    reopen = opened.registry["file.reopen_last"]
    assert not reopen.isEnabled()
    first = opened.session.opened
    assert first is not None
    other = tmp_path / "other"
    other.mkdir()
    with qtbot.waitSignal(opened.session.scene_changed):
        opened.files.open(other)
    assert not opened.session.runs
    assert reopen.isEnabled()
    with qtbot.waitSignal(opened.files.restored):
        reopen.trigger()
    assert opened.session.opened is not None
    assert opened.session.opened.folder == first.folder
    assert opened.session.rows["root"].status == "capped"


def test_closing_keeps_the_runs_for_the_next_start(
    opened: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    opened.close()
    left = [p.name for p in (tmp_path / "unfinished").iterdir()]
    assert left == ["last.smplsession"]
    next_start = MainWindow(opened.settings, RecordedEngine(), PlainView, tmp_path / "unfinished")
    next_start.show()
    assert next_start.area.empty.reopen.isVisible()
    with qtbot.waitSignal(next_start.files.restored):
        qtbot.mouseClick(next_start.area.empty.reopen, Qt.MouseButton.LeftButton)
    assert next_start.session.rows["root"].status == "capped"
    next_start.close()
    again = Autosave(lambda: None, tmp_path / "unfinished")
    assert not again.leftovers(), "it is not mistaken for a crash"


def test_a_copy_that_cannot_be_loaded_is_not_lost(
    opened: MainWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "unfinished" / "999999999.smplsession"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"not a session")
    half_written = left.with_name(".session-999999999-abc")
    half_written.mkdir()
    with qtbot.waitSignal(opened.session.failed):
        assert opened.dialogs.offer_recovery()
    for dialog in list(opened.dialogs.errors):
        dialog.accept()
    assert left.exists()
    assert not half_written.exists()
    no = QMessageBox.StandardButton.Discard
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: no)
    assert not opened.dialogs.offer_recovery()
    assert not left.exists()


def test_one_of_several_results_folders_is_chosen(
    window: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / "several" / name).mkdir(parents=True)
    with qtbot.waitSignal(window.session.failed):
        window.files.open(tmp_path / "several")
    (dialog,) = window.dialogs.errors
    assert "several results folders (one, two)" in dialog.message.text()
    dialog.choices.setFocus()
    qtbot.keyClick(dialog.choices, Qt.Key.Key_Down)
    with qtbot.waitSignal(window.session.scene_changed):
        qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    assert window.session.opened is not None
    assert window.session.opened.folder == tmp_path / "several" / "two"
    assert not window.dialogs.errors
