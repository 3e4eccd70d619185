"""The caller's hand on a running refinement: pause, step, stop, cancel, reweight."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Literal

from refine_engine.config import checked_weights
from refine_engine.errors import ConfigError
from refine_engine.state import SUBSTAGES, SubStage

Verdict = Literal["go", "stop", "cancel"]


class RunControl:
    """Thread-safe switchboard between a user interface and the engine.

    The engine reads it between iterations and inside long ones (between people); every method
    may be called from any thread at any time.  Weights take effect at the next iteration,
    sub-stage switches for sub-stages that have not begun.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._paused = False
        self._iteration_credit = 0
        self._substage_credit = 0
        self._stepping = False
        self._verdict: Verdict = "go"
        self._weights: dict[str, float] = {}
        self._enabled: dict[SubStage, bool] = {}
        self._version = self._read_version = 0

    def pause(self) -> None:
        """Hold before the next iteration."""
        with self._condition:
            self._paused = True
            self._iteration_credit = self._substage_credit = 0
            self._condition.notify_all()

    def resume(self) -> None:
        """Go on after a pause."""
        with self._condition:
            self._paused = False
            self._condition.notify_all()

    def step_iteration(self) -> None:
        """Do one more iteration, then hold again."""
        with self._condition:
            self._paused = True
            self._iteration_credit += 1
            self._condition.notify_all()

    def step_substage(self) -> None:
        """Run to the end of the present (or next) sub-stage, then hold again."""
        with self._condition:
            self._paused = True
            self._substage_credit = 1
            self._condition.notify_all()

    def stop(self) -> None:
        """End the run and keep what was reached."""
        self._end("stop")

    def cancel(self) -> None:
        """End the run and discard it."""
        self._end("cancel")

    def _end(self, verdict: Verdict) -> None:
        with self._condition:
            self._verdict = verdict
            self._condition.notify_all()

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Change ``lambda_*`` values from the next iteration on.

        Parameters
        ----------
        weights
            Term name (``"data"``, ``"skate"`` ...) to its new lambda.

        Raises
        ------
        ConfigError
            There is no such term, or a lambda is out of range; nothing changes.
        """
        weights = checked_weights(weights)
        with self._condition:
            if any(self._weights.get(name) != value for name, value in weights.items()):
                self._weights.update(weights)
                self._version += 1

    def set_enabled(self, sub_stage: SubStage, enabled: bool) -> None:
        """Switch a sub-stage that has not begun on or off (``init`` always runs).

        Raises
        ------
        ConfigError
            There is no such sub-stage to switch.
        """
        if sub_stage not in SUBSTAGES[1:]:
            names = ", ".join(SUBSTAGES[1:])
            raise ConfigError(sub_stage, "cannot be switched", f"use one of {names}")
        with self._condition:
            self._enabled[sub_stage] = enabled

    @property
    def paused(self) -> bool:
        """Whether the engine is asked to hold."""
        with self._condition:
            return self._paused and not (self._iteration_credit or self._substage_credit)

    @property
    def verdict(self) -> Verdict:
        """How to proceed: "go", "stop" or "cancel"; cheap, for inner loops."""
        return self._verdict

    def weights(self) -> tuple[int, dict[str, float]]:
        """A version number that grows with every change, and the weights that were changed.

        For the engine: what it returns counts as taken over.
        """
        with self._condition:
            self._read_version = self._version
            return self._version, dict(self._weights)

    @property
    def asked_weights(self) -> dict[str, float]:
        """The weights that were changed; they do not count as taken over by being looked at."""
        with self._condition:
            return dict(self._weights)

    @property
    def has_unread_weights(self) -> bool:
        """Whether weights changed since the engine last asked for them."""
        with self._condition:
            return self._version != self._read_version

    def enabled(self, sub_stage: SubStage, default: bool) -> bool:
        """The caller's switch for a sub-stage, or ``default`` where untouched."""
        with self._condition:
            return self._enabled.get(sub_stage, default)

    def wait_for_turn(self) -> Verdict:
        """Block while paused; called by the engine before each iteration."""
        with self._condition:
            self._stepping = False
            while self._verdict == "go" and self._paused:
                if self._substage_credit:
                    break
                if self._iteration_credit:
                    self._iteration_credit -= 1
                    self._stepping = True
                    break
                self._condition.wait()
            return self._verdict

    @property
    def holds_inside(self) -> bool:
        """Whether :meth:`hold` would block now."""
        with self._condition:
            return self._must_hold()

    def hold(self) -> None:
        """Block while paused; called by the engine inside long iterations, between people.

        An iteration that the caller stepped to is finished first.
        """
        with self._condition:
            held = False
            while self._must_hold():
                held = True
                self._condition.wait()
            if held and self._paused and self._iteration_credit:
                # The step that ended the hold finishes the iteration that is under way.
                self._iteration_credit -= 1
                self._stepping = True

    def _must_hold(self) -> bool:
        free = self._stepping or self._iteration_credit or self._substage_credit
        return self._verdict == "go" and self._paused and not free

    def substage_finished(self) -> None:
        """Called by the engine at the end of a sub-stage: uses up a sub-stage step."""
        with self._condition:
            self._substage_credit = 0
