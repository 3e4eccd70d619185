"""The arrow system: one block band per person, bordered by shapes and shared variables.

::

    [ band_1            B_1 ] [ frames of person 1 ]
    [        ...        ... ] [ ...                ]
    [ B_1^T  ...        C   ] [ shapes, shared     ]

Each band is factored on its own (people at a time, one thread each); what remains of the border
is the Schur complement, a small dense matrix, whose inverse is the covariance of the border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from refine_engine.solver.blocks import LANES, factor_blocks, solve_lower, solve_upper

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[np.float64]
    Blocks = NDArray[np.floating[Any]]

OWN = 10
"""Border variables of each person: betas."""


class Part(Protocol):
    """One person's share of the quadratic model."""

    frames: int
    width: int
    """Variables of a frame."""
    reach: int
    """How many frames ahead the band couples: 0, 1 or 2."""
    border: Array
    """(groups, frames * width, 16): gradient, then the couplings with the own (10) and the shared
    (K) border variables, padded with zeros."""
    own_gradient: Array
    own_hessian: Array
    own_shared: Array
    """(10, K)."""

    def assemble(
        self, damping: float, floor: float, here: Blocks, next1: Blocks, next2: Blocks
    ) -> None:
        """Fill the band: diagonal times ``1 + damping``, plus ``floor``."""
        ...


@dataclass(frozen=True, eq=False)
class Factor:
    """A factored band."""

    here: Blocks
    next1: Blocks
    next2: Blocks
    reach: int


@dataclass(frozen=True, eq=False)
class Eliminated:
    """What is left of a person after its frames are eliminated."""

    solved: Blocks
    """(groups, frames, width, 16): the inverse band times the border."""
    product: Array
    """(1 + 10 + K, 1 + 10 + K): border^T inverse band border, gradient first."""
    factor: Factor | None


class NotPositive(Exception):
    """The damped matrix of a person is not positive definite (or not finite) at a frame."""

    def __init__(self, frame: int) -> None:
        self.frame = frame
        super().__init__(f"frame {frame}")


def factored(part: Part, damping: float, floor: float, dtype: DTypeLike) -> Factor:
    """Assemble and factor a band.

    Raises
    ------
    NotPositive
        Some pivot is not positive.
    """
    n, v = part.frames, part.width
    here = np.empty((n, v, v), dtype)
    next1 = np.empty((n if part.reach >= 1 else 0, v, v), dtype)
    next2 = np.empty((n if part.reach >= 2 else 0, v, v), dtype)
    part.assemble(damping, floor, here, next1, next2)
    bad = factor_blocks(here, next1, next2, part.reach)
    if bad >= 0:
        raise NotPositive(int(bad))
    return Factor(here, next1, next2, part.reach)


def eliminate(
    part: Part, damping: float, floor: float, dtype: DTypeLike, *, keep: bool = False
) -> Eliminated:
    """Factor a band and solve for its whole border; ``keep`` also returns the factor.

    Raises
    ------
    NotPositive
        Some pivot is not positive.
    """
    factor = factored(part, damping, floor, dtype)
    groups = len(part.border)
    columns = 1 + OWN + part.own_shared.shape[1]
    solved = part.border.reshape(groups, part.frames, part.width, LANES).astype(dtype)
    for group in solved:
        solve_lower(factor.here, factor.next1, factor.next2, factor.reach, group)
    flat = solved.reshape(groups, -1, LANES)
    product = np.empty((groups * LANES, groups * LANES))
    for a in range(groups):
        for b in range(groups):
            product[a * LANES : (a + 1) * LANES, b * LANES : (b + 1) * LANES] = flat[a].T @ flat[b]
    for group in solved:
        solve_upper(factor.here, factor.next1, factor.next2, factor.reach, group)
    return Eliminated(solved, product[:columns, :columns], factor if keep else None)


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


def border_system(
    parts: list[Part], eliminated: list[Eliminated], gradient: Array, hessian: Array
) -> Border:
    """Schur complement of all people.

    Parameters
    ----------
    parts, eliminated
        People, in the same order.
    gradient, hessian
        (K,), (K, K) of the shared variables.
    """
    people, shared = len(parts), len(gradient)
    size = OWN * people + shared
    matrix, right = np.zeros((size, size)), np.zeros(size)
    tail = slice(OWN * people, size)
    matrix[tail, tail], right[tail] = hessian, gradient
    for p, (part, rest) in enumerate(zip(parts, eliminated, strict=True)):
        own, product = slice(OWN * p, OWN * p + OWN), rest.product
        first, second = slice(1, 1 + OWN), slice(1 + OWN, None)
        matrix[own, own] = part.own_hessian - product[first, first]
        matrix[own, tail] = part.own_shared - product[first, second]
        matrix[tail, own] = matrix[own, tail].T
        matrix[tail, tail] -= product[second, second]
        right[own] = part.own_gradient - product[first, 0]
        right[tail] -= product[second, 0]
    return Border(0.5 * (matrix + matrix.T), right)


def frame_step(rest: Eliminated, own: Array, shared: Array) -> Array:
    """Step (frames, width) of a person's frames for steps of its border variables."""
    coefficients = np.zeros(len(rest.solved) * LANES)
    coefficients[: 1 + OWN + len(shared)] = np.concatenate([[1.0], own, shared])
    step = np.zeros(rest.solved.shape[1:3])
    for g, group in enumerate(rest.solved):
        step -= group.astype(np.float64) @ coefficients[g * LANES : (g + 1) * LANES]
    return step
