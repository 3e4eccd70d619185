"""A folder with an earlier result: what is asked for while that is read follows, unrefused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hands import click, tool_button
from PyQt6.QtCore import Qt

from app.main_window import MainWindow
from refine_engine.refinement.checkpoint import write_checkpoint

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def reading(opened: MainWindow, folder: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The folder open again; the engine's thread is held while it reads the earlier result."""
    session = opened.session
    (folder / "1_camera_estimation").mkdir()
    with qtbot.waitSignal(session.ended):
        session.run(None, "root")
    with qtbot.waitSignal(session.job_done):
        opened.exports.export_to(folder / "5_refinement")
    output = session.shown_output
    assert output is not None
    checkpoint = folder / "5_refinement" / "checkpoint.npz"
    write_checkpoint(checkpoint, output.state, output.sub_stages, session.config.weights())
    begun, go_on = threading.Event(), threading.Event()
    summarise = opened.engine.summarise

    def held(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(60)
        return summarise(*arguments)

    monkeypatch.setattr(opened.engine, "summarise", held)
    with qtbot.waitSignal(session.scene_changed):
        opened.files.open(folder)
    qtbot.waitUntil(begun.is_set)
    yield opened, go_on
    go_on.set()


def test_a_run_begins_after_the_earlier_result(reading: Any, qtbot: Any) -> None:
    window, go_on = reading
    session = window.session
    assert not session.busy
    assert tool_button(window, "run.all").isEnabled()
    click(qtbot, window, "run.all")
    assert session.run_active
    assert not session.runs
    with qtbot.waitSignal(session.ended) as ended:
        go_on.set()
    record = ended.args[0]
    assert record.status == "finished"
    assert sorted(r.number for r in session.runs) == [1, 2]
    assert {r.from_file for r in session.runs} == {True, False}
    assert session.shown_run == record.number
    assert not session.busy


def test_it_can_be_cancelled_before_it_has_begun(reading: Any, qtbot: Any) -> None:
    window, go_on = reading
    session = window.session
    click(qtbot, window, "run.all")
    click(qtbot, window, "run.cancel")
    with qtbot.waitSignal(session.ended) as ended:
        go_on.set()
    assert ended.args[0].status == "cancelled"
    assert not session.busy


def test_another_folder_can_be_opened_meanwhile(reading: Any, qtbot: Any, tmp_path: Path) -> None:
    window, go_on = reading
    session = window.session
    other = tmp_path / "other"
    other.mkdir()
    window.files.open(other)
    assert session.activity == "opening"
    with qtbot.waitSignal(session.scene_changed):
        go_on.set()
    assert session.opened is not None
    assert session.opened.folder == other
    assert session.runs == [], "the result belongs to the folder before"
    assert session.activity == "ready"


def test_closing_leaves_it(reading: Any) -> None:
    window, go_on = reading
    go_on.set()
    assert window.close()
