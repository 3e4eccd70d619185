"""What is discarded or cannot be written leaves everything as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.main_window import MainWindow
from refine_engine.errors import ExportError


def test_a_cancelled_run_leaves_the_result_before_it_shown(
    opened: MainWindow, qtbot: Any, engine: Any
) -> None:
    session = opened.session
    with qtbot.waitSignal(session.ended):
        session.run(None, "smpl")
    result, scale, output = session.state, session.scale, session.shown_output
    losses = {s: row.final_loss for s, row in session.rows.items()}
    assert output is not None
    engine.wait_before("smpl", 3)
    session.run()
    qtbot.waitUntil(lambda: session.state is not result)
    with qtbot.waitSignal(session.ended):
        session.cancel()
    assert session.runs[-1].status == "cancelled"
    assert session.state is result, "what is shown is what an export writes"
    assert session.shown_output is output
    assert output.state is session.state
    assert session.scale is scale
    assert {s: row.final_loss for s, row in session.rows.items()} == losses
    assert opened.sub_stages.rows["smpl"].state.text() == "converged"


def test_a_failed_run_does_so_too(
    opened: MainWindow, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened.session
    with qtbot.waitSignal(session.ended):
        session.run(None, "smpl")
    result = session.state

    def broken(_request: Any) -> Any:
        raise ExportError("a", "is broken", "mend it")
        yield

    monkeypatch.setattr(opened.engine, "iterate", broken)
    with qtbot.waitSignal(session.ended):
        session.run()
    assert session.runs[-1].status == "failed"
    assert session.state is result
    assert session.rows["smpl"].status == "converged"
    for dialog in list(opened.dialogs.errors):
        dialog.accept()


@pytest.mark.parametrize("ending", [".csv", ".png", ".svg"])
def test_losses_are_written_whole_or_not_at_all(
    opened: MainWindow, qtbot: Any, tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened.session
    with qtbot.waitSignal(session.ended):
        session.run(None, "smpl")
    opened.losses.redraw()
    path = tmp_path / f"losses{ending}"
    opened.losses.export(path)
    written = path.read_bytes()
    first = {".csv": b"sub", ".png": b"\x89PNG", ".svg": b"<?xml"}[ending]
    assert written.startswith(first)
    if ending == ".svg":
        assert written.rstrip().endswith(b"</svg>")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr("os.rename", full)
    with pytest.raises(ExportError, match="No space left"):
        opened.losses.export(path)
    assert path.read_bytes() == written
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("losses")] == [path.name]
