"""Levenberg-Marquardt on the arrow system: the step, its acceptance, its convergence.

Interface (the refinement loop is written on this)::

    damping = Damping()
    while True:
        result = step(problem, state, weights, free, damping, poll=control_callback)
        state, damping = result.state, result.damping
        if not result.accepted or result.converged(threshold): break

``problem`` is anything with the methods of :class:`ArrowProblem`; this package knows no body and
no term.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
S = TypeVar("S")

JOINT_STEP_M = 5e-4
ALPHA_STEP = 1e-4


@dataclass(frozen=True)
class Free:
    """Which variables a sub-stage may change."""

    root: bool = True
    """Global orientation and translation."""
    pose: bool = False
    betas: bool = False
    plane: bool = False
    alpha: bool = False
    """Scale, together with the depth nuisance of each reconstruction chunk."""


@dataclass(frozen=True)
class Damping:
    """State of the damping between iterations; start a sub-stage with a fresh one."""

    value: float = 1e-4


@dataclass(frozen=True)
class StepResult(Generic[S]):
    """What one iteration did."""

    state: S
    """The new state, or the old one where nothing was accepted."""
    total: float
    terms: Mapping[str, float]
    """Weighted loss of each active term at ``state``; sums to ``total``."""
    damping: Damping
    accepted: bool
    max_joint_step: float = 0.0
    """Largest movement of a joint, metres."""
    alpha_step: float = 0.0
    """Relative change of alpha."""
    relative_decrease: float = 0.0
    alpha_at_bound: bool = False
    message: str = ""
    """Why nothing was accepted, naming term, person and frame of a non-finite value."""
    seconds: Mapping[str, float] = field(default_factory=dict)

    def converged(self, threshold: float = 1e-5) -> bool:
        """All of: joints moved < 0.5 mm, alpha < 1e-4, loss changed by less than ``threshold``.

        A step that was not accepted has converged as far as it can.
        """
        if not self.accepted:
            return True
        return (
            self.max_joint_step < JOINT_STEP_M
            and self.alpha_step < ALPHA_STEP
            and self.relative_decrease < threshold
        )


class ArrowProblem(Protocol[S]):
    """What the solver needs of a problem."""

    def evaluate(self, state: S, weights: Mapping[str, float]) -> tuple[float, dict[str, float]]:
        """Total loss and the weighted loss of each active term."""
        ...


Poll = Callable[[], None]
"""Called at least every 50 ms during an iteration, from the calling thread; it may raise
(for example Cancelled) to abandon the iteration: the state passed in is untouched."""
_ = Any
