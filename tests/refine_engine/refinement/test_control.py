from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from refine_engine.errors import ConfigError
from refine_engine.refinement.control import RunControl

PATIENCE_S = 60.0
"""Waiting ends as soon as there is nothing more to wait for."""


def _counting_loop(control: RunControl) -> tuple[threading.Thread, list[int], Callable[[], bool]]:
    """A thread that 'iterates' as the engine does, the count it reached, and a waiter."""
    done: list[int] = []
    moved = threading.Event()

    def work() -> None:
        while control.wait_for_turn() == "go" and len(done) < 10_000:
            done.append(1)
            moved.set()

    thread = threading.Thread(target=work)
    thread.start()
    return thread, done, lambda: moved.wait(PATIENCE_S)


def test_a_fresh_control_lets_everything_pass() -> None:
    control = RunControl()
    assert control.wait_for_turn() == "go"
    assert not control.paused
    assert control.weights() == (0, {})
    assert control.enabled("scale", default=True)


def test_step_iteration_grants_exactly_one_turn_each() -> None:
    control = RunControl()
    control.pause()
    thread, done, _ = _counting_loop(control)
    for expected in (1, 2, 3):
        control.step_iteration()
        end = time.monotonic() + PATIENCE_S
        while not (len(done) == expected and control.paused) and time.monotonic() < end:
            time.sleep(0.005)
        assert len(done) == expected
    control.stop()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert len(done) == 3


def test_step_substage_runs_until_the_substage_ends() -> None:
    control = RunControl()
    control.pause()
    control.step_substage()
    assert [control.wait_for_turn() for _ in range(5)] == ["go"] * 5
    control.substage_finished()
    assert control.paused


@pytest.mark.parametrize("ending", ["stop", "cancel"])
def test_ending_wakes_a_paused_engine(ending: str) -> None:
    control = RunControl()
    control.pause()
    thread, done, _ = _counting_loop(control)
    getattr(control, ending)()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert not done
    assert control.verdict == ending


def test_resume_lets_a_paused_engine_go_on() -> None:
    control = RunControl()
    control.pause()
    thread, done, wait = _counting_loop(control)
    control.resume()
    assert wait()
    control.stop()
    thread.join(PATIENCE_S)
    assert done


def test_weights_are_merged_and_versioned() -> None:
    control = RunControl()
    control.set_weights({"data": 2.0})
    assert control.has_unread_weights
    control.set_weights({"skate": 5.0, "data": 3.0})
    assert control.weights() == (2, {"data": 3.0, "skate": 5.0})
    assert not control.has_unread_weights
    control.set_weights({"data": 3.0})
    assert not control.has_unread_weights, "nothing changed"


def test_init_cannot_be_switched_off() -> None:
    control = RunControl()
    control.set_enabled("scale", False)
    assert not control.enabled("scale", default=True)
    with pytest.raises(ConfigError):
        control.set_enabled("init", False)


def test_a_pause_also_holds_inside_an_iteration_but_not_inside_a_step() -> None:
    control = RunControl()
    control.hold()
    control.step_iteration()
    assert control.wait_for_turn() == "go"
    assert not control.holds_inside, "the iteration that was stepped to is finished"
    control.hold()
    control.resume()
    assert control.wait_for_turn() == "go"
    control.pause()
    assert control.holds_inside
    passed = threading.Event()

    def hold() -> None:
        control.hold()
        passed.set()

    holder = threading.Thread(target=hold)
    holder.start()
    assert not passed.wait(0.05)
    control.step_iteration()
    assert passed.wait(PATIENCE_S)
    holder.join()
    assert control.paused, "the step is used up by the iteration that was under way"
    control.hold()
    control.cancel()
    assert control.wait_for_turn() == "cancel"
