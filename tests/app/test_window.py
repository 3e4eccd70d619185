"""The whole window, driven by clicks and keys as a user drives it: the story, files, closing."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hands import click, drag, tool_button
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent
from PyQt6.QtWidgets import QApplication, QFileDialog, QMessageBox
from recorded import PlainView, RecordedEngine

from app.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton


def test_the_whole_story(
    opened: MainWindow,
    qtbot: Any,
    engine: RecordedEngine,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Uncheck a sub-stage, drag a slider, run, pause, step, go on, re-run, export, read back."""
    session = opened.session
    check = opened.sub_stages.rows["motion"].check
    qtbot.mouseClick(check, LEFT, pos=QPoint(10, check.height() // 2))
    assert not session.config.enable_motion_prior

    drag(opened.weights.rows["smooth"].slider, 0.02)
    assert session.config.lambda_smooth == pytest.approx(0.02, rel=0.2)
    assert float(opened.weights.rows["smooth"].field.text()) == pytest.approx(
        session.config.lambda_smooth, rel=1e-3
    )

    engine.wait_before("root", 5)
    click(qtbot, opened, "run.all")
    qtbot.waitUntil(lambda: engine.waiting)
    click(qtbot, opened, "run.pause")
    engine.go_on()
    qtbot.waitUntil(lambda: session.activity == "paused")
    assert tool_button(opened, "run.pause").text() == "Go on"
    assert engine.produced == 4
    click(qtbot, opened, "run.step_iteration")
    assert session.activity == "pausing"
    qtbot.waitUntil(lambda: session.activity == "paused")
    assert engine.produced == 5
    with qtbot.waitSignal(session.ended):
        click(qtbot, opened, "run.pause")
    assert session.rows["motion"].status == "skipped"
    assert opened.sub_stages.rows["smpl"].state.text() == "converged"

    with qtbot.waitSignal(session.ended):
        click(qtbot, opened, "run.all")
    assert opened.runs.table.topLevelItemCount() == 2

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    with qtbot.waitSignal(session.job_done):
        click(qtbot, opened, "file.export")
    written = json.loads((folder / "5_refinement" / "refinement_results.json").read_text())
    assert written["status"] == "success"
    assert written["num_people"] == 3
    assert written["config"]["enable_motion_prior"] is False
    assert written["config"]["lambda_smooth"] == session.config.lambda_smooth
    assert "motion" not in written["metrics"]["total_loss_history"]
    assert set(written["per_person_likelihoods"]) == {"1", "2", "4"}


def test_export_asks_before_it_replaces(
    opened: MainWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    target = tmp_path / "out"
    target.mkdir()
    (target / "refinement_results.json").write_text("mine")
    asked: list[str] = []

    def no(*arguments: Any, **_: Any) -> QMessageBox.StandardButton:
        asked.append(arguments[2])
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", no)
    opened.exports.export_to(target)
    assert len(asked) == 1
    assert (target / "refinement_results.json").read_text() == "mine"


def test_a_folder_can_be_dropped(window: MainWindow, qtbot: Any, folder: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder))])
    with qtbot.waitSignal(window.session.scene_changed):
        window.dropEvent(
            QDropEvent(
                QPointF(50, 50),
                Qt.DropAction.CopyAction,
                data,
                LEFT,
                Qt.KeyboardModifier.NoModifier,
            )
        )
    assert window.settings.recent[0] == folder
    assert window.area.pages.currentIndex() == 1


def test_a_bad_folder_explains_itself(opened: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    scene = opened.session.scene
    with qtbot.waitSignal(opened.session.failed):
        opened.files.open(tmp_path / "bad")
    (dialog,) = opened.dialogs.errors
    assert "holds no people" in dialog.message.text()
    dialog._copy()
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    assert "holds no people" in clipboard.text()
    dialog.accept()
    assert opened.session.scene is scene
    assert not opened.dialogs.errors


def test_session_round_trip(opened: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    opened.session.set_weight("depth", 3.0)
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "smpl")
    opened.session.playback.seek(12)
    path = tmp_path / "a.smplsession"
    opened.files.save_session_to(path)
    opened.session.set_weight("depth", 9.0)
    opened.session.reset()
    with qtbot.waitSignal(opened.session.scene_changed):
        opened.files.open(path)
    assert opened.session.config.lambda_depth == 3.0
    assert opened.session.playback.frame == 12
    assert opened.session.rows["smpl"].status == "converged"
    assert opened.session.runs[0].final_state is not None
    opened.losses.redraw()
    drawn = opened.losses.plots["smpl"].curves["total"].getOriginalDataset()[0]
    assert len(drawn) == opened.session.rows["smpl"].iterations > 5


def test_a_crashed_session_is_offered_and_comes_back(
    opened: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    with qtbot.waitSignal(opened.session.ended):
        opened.session.run(None, "root")
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    left = tmp_path / "unfinished" / f"{ended.pid}.smplsession"
    opened.files.save_session_to(left)
    opened.session.reset()
    opened.session.set_weight("data", 5.0)
    with qtbot.waitSignal(opened.session.scene_changed):
        opened.dialogs.offer_recovery()
    assert opened.session.config.lambda_data == 1.0
    assert opened.session.runs[0].final_state is not None
    assert not left.exists()


def test_closing_during_a_run_asks(
    opened: MainWindow, qtbot: Any, engine: RecordedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.wait_before("root", 3)
    opened.session.run()
    qtbot.waitUntil(lambda: engine.waiting)
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.No)
    opened.close()
    assert opened.isVisible()
    assert opened.session.run_active
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.Yes)
    opened.close()
    assert not opened.isVisible()
    assert ("shutdown", ()) in opened.area.view.calls


@pytest.mark.slow
def test_twenty_windows_open_and_close(
    qtbot: Any, settings: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.Yes)
    for _ in range(20):
        made = MainWindow(settings, RecordedEngine(), PlainView, tmp_path / "unfinished")
        made.show()
        with qtbot.waitSignal(made.session.scene_changed):
            made.files.open(folder)
        made.session.run()
        qtbot.wait(10)
        made.close()
        assert not made.isVisible()
        made.deleteLater()
        QApplication.processEvents()
        gc.collect()


def test_a_recording_shows_how_far_it_is_and_can_be_stopped(
    opened: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    stop = opened.registry["file.stop_recording"]
    assert not stop.isEnabled()
    opened.exports.turntable_to(tmp_path / "turn.mp4", 500)
    assert stop.isEnabled()
    qtbot.waitUntil(lambda: opened.status.left.text() not in ("", "0%"))
    assert opened.status.activity.text() == "Recording"
    assert opened.status.bar.isVisible()
    stop.trigger()
    assert not opened.exports.recording
    assert not stop.isEnabled()
    assert opened.status.activity.text() == "Ready"
    assert not list(tmp_path.glob("*.mp4"))
