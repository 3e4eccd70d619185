"""A step from factors: those of the model itself, or those kept of an earlier one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.solver.arrow import (
    OWN,
    eliminate_people,
    factor_bytes,
    frame_steps,
    with_gradient,
)
from refine_engine.solver.border import Border, border_system, bounded_step, free_border

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from refine_engine.solver.arrow import Eliminated
    from refine_engine.solver.arrow_problem import Free, QuadraticModel
    from refine_engine.solver.threads import Run

    Array = NDArray[np.float64]

FLOOR = 1e-6
"""Added to every diagonal entry: keeps variables that nothing observes where they are."""
KEPT_BYTES = 200_000_000
"""Factors up to this size are kept for the next iteration."""


@dataclass(frozen=True, eq=False)
class Factors:
    """A factored model; with the next iteration's gradient its factors make a cheap step.

    Near the minimum curvature hardly changes from one iteration to the next, and reweighted least
    squares only converges linearly anyway: such a step gains nearly as much as a full one.
    """

    model: QuadraticModel
    eliminated: list[Eliminated]
    free: Free

    @property
    def small(self) -> bool:
        """Whether there is room for these factors and the next ones."""
        lasting = self.model.lasting and all(rest.factor for rest in self.eliminated)
        return lasting and sum(factor_bytes(p, np.float32) for p in self.model.parts) < KEPT_BYTES

    def fits(self, model: QuadraticModel) -> bool:
        """Whether a model has the same variables."""
        return [(p.frames, p.width) for p in self.model.parts] == [
            (p.frames, p.width) for p in model.parts
        ]


def factored(
    model: QuadraticModel, free: Free, damping: float, dtype: DTypeLike, run: Run
) -> Factors:
    """Eliminate the frames of all people.

    Raises
    ------
    NotPositive
        Some pivot is not positive: too little damping, or too coarse a ``dtype``.
    """
    return Factors(model, eliminate_people(model.parts, damping, FLOOR, dtype, run), free)


@dataclass(frozen=True, eq=False)
class Solution:
    """A step of all variables."""

    frames: list[Array]
    """(n, width) of each person's frames."""
    own: Array
    """(P, 10) of the betas."""
    shared: Array
    """(K,) of log alpha, the plane, the chunks."""
    predicted: float
    """How much the loss falls by the model."""
    at_bound: bool
    """Whether log alpha stops at one of its limits."""


def solve(
    model: QuadraticModel,
    free: Free,
    damping: float,
    limits: tuple[float, float],
    run: Run,
    factors: Factors,
) -> Solution:
    """Step for the gradient of ``model`` and the curvature of ``factors`` (usually the same)."""
    eliminated = factors.eliminated
    border = border_system(eliminated)
    if factors.model is not model:
        eliminated = with_gradient(eliminated, list(model.parts), run)
        border = Border(border.matrix, border_system(eliminated).gradient)
    count = len(eliminated)
    shared_gradient = np.sum([rest.remains.shared_gradient for rest in eliminated], axis=0)
    mask = free_border(free, count, len(shared_gradient))
    moves, at_bound = bounded_step(border, mask, damping, OWN * count, limits)
    own, shared = moves[: OWN * count].reshape(-1, OWN), moves[OWN * count :]
    frames = frame_steps(eliminated, own, shared, run)
    slope = float(shared_gradient @ shared)
    for p, rest in enumerate(eliminated):
        slope += float(rest.remains.own_gradient @ own[p])
        slope += float((rest.remains.gradient * frames[p]).sum())
    return Solution(frames, own, shared, -0.5 * slope, at_bound)
