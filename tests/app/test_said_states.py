"""States that are said as what they are: opening, stopped, numbers on axes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from app.main_window import MainWindow
from app.panels.loss_plot import _decimal
from app.session_file import run_record, saved_run


def test_the_empty_window_says_what_is_being_opened(
    window: MainWindow, qtbot: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    open_really = window.engine.open
    failing = [True]

    def held(*arguments: Any, **more: Any) -> Any:
        assert go_on.wait(60)
        if failing.pop():
            raise ValueError("broken")
        return open_really(*arguments, **more)

    monkeypatch.setattr(window.engine, "open", held)
    empty = window.area.empty
    before = empty.title.text()
    window.files.open(folder)
    assert f"Opening “{folder.name}”" in empty.title.text()
    assert not any(button.isVisible() for button in empty._buttons)
    with qtbot.waitSignal(window.session.failed):
        go_on.set()
    assert empty.title.text() == before
    assert empty._buttons[0].isVisible()
    for dialog in list(window.dialogs.errors):
        dialog.accept()
    failing.append(False)
    go_on.clear()
    window.files.open(folder)
    assert empty.title.text() != before
    with qtbot.waitSignal(window.session.scene_changed):
        go_on.set()
    assert empty.title.text() == before, "for the next window without a folder"


def test_where_a_run_was_stopped_is_not_called_capped(
    opened: MainWindow, qtbot: Any, engine: Any
) -> None:
    session = opened.session
    engine.wait_before("smpl", 3)
    session.run()
    qtbot.waitUntil(lambda: engine.waiting)
    with qtbot.waitSignal(session.ended):
        session.stop()
    pill = opened.sub_stages.rows["smpl"].state
    assert session.rows["smpl"].status == "capped", "as it is written"
    assert pill.text() == "stopped"
    assert "goes on" in pill.toolTip()
    assert opened.sub_stages.rows["root"].state.text() in ("converged", "capped")
    opened.losses.redraw()
    assert "stopped" in opened.losses.plots["smpl"].state.text()
    record = session.runs[-1]
    again = run_record(saved_run(record), record.initial_state)
    assert again.rows["smpl"].text == "stopped"
    assert again.rows["root"].text == session.rows["root"].text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01, "0.01"), (20.0, "20"), (2000.0, "2000"), (10_000.0, "10000"), (1e5, "1e5")],
)
def test_numbers_on_axes(value: float, text: str) -> None:
    assert _decimal(value) == text
