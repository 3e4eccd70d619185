"""The border of the arrow system: shapes and shared variables, once the frames are eliminated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.solver.arrow import OWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from refine_engine.solver.arrow import Eliminated
    from refine_engine.solver.arrow_problem import Free

    Array = NDArray[np.float64]

LONGEST_ALPHA_STEP = 0.1
"""Of log alpha in one iteration."""


@dataclass(frozen=True, eq=False)
class Border:
    """The Schur complement: what the border's variables see after elimination."""

    matrix: Array
    """(10 P + K, 10 P + K)."""
    gradient: Array
    """(10 P + K,)."""

    def solve(self, free: NDArray[np.bool_], damping: float, fixed: Array | None = None) -> Array:
        """Step of the free variables; the others move by ``fixed`` (default: not at all)."""
        step = np.zeros(len(self.gradient)) if fixed is None else np.where(free, 0.0, fixed)
        if not free.any():
            return step
        right = -(self.gradient + self.matrix @ step)[free]
        matrix = self.matrix[np.ix_(free, free)]
        diagonal = np.abs(np.diag(matrix))
        # Scaled to a unit diagonal: betas, log alpha, radians and metres stand side by side.
        scale = 1.0 / np.sqrt(np.maximum(diagonal, 1e-12))
        scaled = matrix * scale[:, None] * scale + np.diag(np.full(len(scale), damping + 1e-12))
        step[free] = scale * np.linalg.solve(scaled, scale * right)
        return step


def border_system(eliminated: Sequence[Eliminated]) -> Border:
    """Schur complement of all people."""
    gradient = np.sum([rest.remains.shared_gradient for rest in eliminated], axis=0)
    hessian = np.sum([rest.remains.shared_hessian for rest in eliminated], axis=0)
    people, shared = len(eliminated), len(gradient)
    size = OWN * people + shared
    matrix, right = np.zeros((size, size)), np.zeros(size)
    tail = slice(OWN * people, size)
    matrix[tail, tail], right[tail] = hessian, gradient
    for p, rest in enumerate(eliminated):
        own, product, part = slice(OWN * p, OWN * p + OWN), rest.product, rest.remains
        first, second = slice(1, 1 + OWN), slice(1 + OWN, None)
        matrix[own, own] = part.own_hessian - product[first, first]
        matrix[own, tail] = part.own_shared - product[first, second]
        matrix[tail, own] = matrix[own, tail].T
        matrix[tail, tail] -= product[second, second]
        right[own] = part.own_gradient - product[first, 0]
        right[tail] -= product[second, 0]
    return Border(0.5 * (matrix + matrix.T), right)


def free_border(free: Free, people: int, shared: int) -> NDArray[np.bool_]:
    """Which of the 10 P + K border variables may move."""
    mask = np.zeros(OWN * people + shared, dtype=bool)
    mask[: OWN * people] = free.betas
    tail = mask[OWN * people :]
    tail[0] = free.alpha
    tail[1:4] = free.plane
    tail[4:] = free.alpha
    return mask


def bounded_step(
    border: Border,
    mask: NDArray[np.bool_],
    damping: float,
    alpha: int,
    limits: tuple[float, float],
) -> tuple[Array, bool]:
    """Border step with log alpha inside its limits (it is held at the bound that it crosses).

    A step of log alpha is also held to :data:`LONGEST_ALPHA_STEP`: while people still stand wrong,
    alpha is hardly seen, and the linear model would throw it far away.
    """
    moves = border.solve(mask, damping)
    low, high = max(limits[0], -LONGEST_ALPHA_STEP), min(limits[1], LONGEST_ALPHA_STEP)
    if not mask[alpha] or low <= moves[alpha] <= high:
        return moves, False
    fixed = np.zeros(len(moves))
    fixed[alpha] = np.clip(moves[alpha], low, high)
    held = mask.copy()
    held[alpha] = False
    return border.solve(held, damping, fixed), bool(fixed[alpha] in limits)
