from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from refine_engine.progress import Progress, done_share, eta_seconds
from refine_engine.state import SUBSTAGES, OptimizationState, Snapshot

STATE = OptimizationState({}, np.array([0.0, 1, 0, 0]), 1.0)


def snapshot(event: Any, sub_stage: Any, iteration: int, **more: Any) -> Snapshot:
    given: dict[str, Any] = {
        "total_loss": 12.5,
        "terms": {},
        "state": STATE,
        "alpha_sigma": None,
        "seconds": 2.0,
    }
    return Snapshot(event=event, sub_stage=sub_stage, iteration=iteration, **{**given, **more})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_share_grows_through_the_run() -> None:
    shares = []
    for key in SUBSTAGES:
        shares += [done_share(snapshot("begin", key, 0))]
        shares += [done_share(snapshot("iteration", key, i)) for i in range(1, 6)]
        shares += [done_share(snapshot("end", key, 5))]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == pytest.approx(1.0)


def test_time_left_is_told_only_when_it_can_be() -> None:
    assert eta_seconds(snapshot("begin", "init", 0)) is None
    half = snapshot("end", "motion", 3, seconds=4.0)
    share = done_share(half)
    assert eta_seconds(half) == pytest.approx(4.0 * (1 - share) / share)


def test_a_terminal_sees_sub_stage_iteration_loss_and_time() -> None:
    stream = Terminal()
    progress = Progress(stream)
    progress.show(snapshot("iteration", "smpl", 4))
    text = stream.getvalue()
    for word in ("SMPL fitting", "iteration 4", "loss 12.5", "s left"):
        assert word in text
    progress.close()
    assert stream.getvalue().endswith("\n")


def test_a_line_that_is_written_over_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    stream = Terminal()
    progress = Progress(stream)
    progress.show(snapshot("iteration", "environmental", 4))
    progress.show(snapshot("iteration", "environmental", 5))
    assert stream.getvalue().count("\r") == 2
    assert max(map(len, stream.getvalue().split("\r"))) == 49


def test_what_stays_on_a_terminal_is_wrapped_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    stream = Terminal()
    progress = Progress(stream)
    progress.show(snapshot("iteration", "smpl", 4))
    message = "held-out keypoints 8.8 -> 4.8 px, held-out depth 3.4 -> 3.5 %"
    progress.show(snapshot("end", "smpl", 9, status="converged", message=message))
    first, *rest, last = stream.getvalue().split("\r")[-1].split("\n")
    assert last == ""
    assert first.startswith("SMPL fitting: converged after 9 iterations")
    assert all(line.startswith("  ") for line in rest)
    assert max(map(len, (first.rstrip(), *rest))) <= 50
    assert message.split()[-1] in rest[-1]


def test_a_log_gets_one_line_a_sub_stage() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    progress.show(snapshot("begin", "smpl", 0))
    progress.show(snapshot("iteration", "smpl", 1))
    progress.show(snapshot("end", "smpl", 1, status="converged", message="all well"))
    assert stream.getvalue().count("\n") == 1
    assert "converged after 1 iterations" in stream.getvalue()
    assert "all well" in stream.getvalue()
