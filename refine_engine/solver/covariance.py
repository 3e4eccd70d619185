"""How sure the answer is: the inverse of the undamped Gauss-Newton matrix.

The inverse of the border's Schur complement is the covariance of shapes and shared variables,
exactly; a damped matrix would report a smaller one. Frames get the exact diagonal blocks of the
inverse band (Takahashi's recursion), plus what the border's uncertainty adds to them. All of it is
as good as the model of the noise: it does not know about errors that the terms do not expect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from refine_engine.solver.arrow import (
    FACTOR_BYTES,
    OWN,
    eliminate_people,
)
from refine_engine.solver.arrow_problem import ArrowProblem
from refine_engine.solver.blocks import inverse_blocks
from refine_engine.solver.border import border_system, free_border
from refine_engine.solver.chains import NotPositive
from refine_engine.solver.solution import FLOOR
from refine_engine.solver.threads import one_by_one, people_runner, single_threaded_blas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from refine_engine.solver.arrow import Eliminated, Part
    from refine_engine.solver.arrow_problem import Free
    from refine_engine.solver.threads import Poll, Run

    Array = NDArray[np.float64]

S = TypeVar("S")
ROUNDING = (0.0, 1e-7, 1e-6)
"""Relative dampings that are tried one after another; single precision resolves 6e-8."""


class UncertainProblem(ArrowProblem[S], Protocol[S]):
    """A problem that can say what frame variables mean for joints."""

    @property
    def ids(self) -> Sequence[int]:
        """Track id of each person."""
        ...

    def alpha_of(self, state: S) -> float:
        """Metres per reconstruction unit."""
        ...

    def joint_sigma(self, p: int, state: S, frames: Array, solved: Array, border: Array) -> Array:
        """(n, 24) standard deviations of joint positions.

        Parameters
        ----------
        p, state
            Person and state.
        frames
            (n, width, width) covariance of each frame's variables for a fixed border.
        solved
            (n, width, 10 + K) minus the derivative of the frames by betas and shared variables.
        border
            (10 + K, 10 + K) their covariance, 0 where fixed.
        """
        ...


@dataclass(frozen=True, eq=False)
class Covariance:
    """Standard deviations at a solution; 0 for what was not free."""

    alpha_sigma: float | None
    """Of alpha, in its own unit; None where it was not free."""
    log_alpha_sigma: float | None
    """Of its natural logarithm: relative to alpha."""
    plane_sigma: Array
    """(3,) two tilts in radians, offset in metres."""
    betas_sigma: Mapping[int, Array]
    """Track id to (10,)."""
    joint_sigma: Mapping[int, Array]
    """Track id to (n, 24): root mean square distance from the true position, metres."""


def covariance(
    problem: UncertainProblem[S],
    state: S,
    weights: Mapping[str, float],
    free: Free,
    poll: Poll | None = None,
    *,
    joints: bool = True,
) -> Covariance:
    """Covariance of the variables that ``free`` names, at a (converged) state.

    Raises
    ------
    NotPositive
        The matrix is singular without damping: nothing observes some variable.
    """
    run = people_runner(problem.threads, poll)
    with single_threaded_blas():
        model = problem.linearise(state, weights, free, run)
        count = len(model.parts)
        eliminated = _undamped(model.parts, run, whole=joints)
        border = border_system(eliminated)
        mask = free_border(free, count, len(border.gradient) - OWN * count)
        spread = np.zeros_like(border.matrix)
        spread[np.ix_(mask, mask)] = _inverse(border.matrix[np.ix_(mask, mask)])
        sigma = np.sqrt(np.maximum(np.diag(spread), 0.0))

        kept = all(rest.factor is not None for rest in eliminated)

        def second(i: int) -> Array:
            part, rest = model.parts[i], eliminated[i]
            if rest.factor is None:
                (rest,) = _undamped([part], run, whole=True)
            assert rest.factor is not None
            (factor,) = rest.factor.chains
            frames = np.empty((part.frames, part.width, part.width))
            inverse_blocks(factor.here, factor.next1, factor.next2, factor.reach, frames)
            columns = slice(1, 1 + OWN + len(rest.remains.shared_gradient))
            solved = rest.solved()[..., columns].astype(np.float64)
            mine = np.r_[OWN * i : OWN * i + OWN, OWN * count : len(spread)]
            return problem.joint_sigma(i, state, frames, solved, spread[np.ix_(mine, mine)])

        found: list[Array] = []
        if joints:
            found = run(second, count) if kept or _fit(eliminated) else one_by_one(second, count)
    tail = OWN * count
    log_alpha = float(sigma[tail]) if free.alpha else None
    return Covariance(
        alpha_sigma=None if log_alpha is None else log_alpha * problem.alpha_of(state),
        log_alpha_sigma=log_alpha,
        plane_sigma=sigma[tail + 1 : tail + 4],
        betas_sigma={i: sigma[OWN * p : OWN * p + OWN] for p, i in enumerate(problem.ids)},
        joint_sigma=dict(zip(problem.ids, found, strict=False)),
    )


def _fit(eliminated: Sequence[Eliminated]) -> bool:
    """Whether there is room for the factors of two people at a time."""
    shapes = [rest.remains.gradient.shape for rest in eliminated]
    return 2 * max(3 * 8 * frames * width**2 for frames, width in shapes) <= FACTOR_BYTES


def _undamped(parts: Sequence[Part], run: Run, *, whole: bool) -> list[Eliminated]:
    """Eliminate without damping, or with the least that makes up for rounding.

    Where nothing observes a direction, the rounding of curvature (single precision) may leave the
    matrix a little indefinite along it.

    Raises
    ------
    NotPositive
        The matrix is not positive with that either.
    """
    for damping in ROUNDING[:-1]:
        try:
            return eliminate_people(parts, damping, FLOOR, np.float64, run, whole=whole)
        except NotPositive:
            continue
    return eliminate_people(parts, ROUNDING[-1], FLOOR, np.float64, run, whole=whole)


def _inverse(matrix: Array) -> Array:
    """Inverse of a positive semi-definite matrix, scaled to a unit diagonal first."""
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-12))
    values, vectors = np.linalg.eigh(matrix * scale[:, None] * scale)
    inverse = (vectors / np.maximum(values, 1e-12)) @ vectors.T
    found: Array = inverse * scale[:, None] * scale
    return found
