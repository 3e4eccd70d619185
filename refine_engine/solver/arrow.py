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

from refine_engine.solver.blocks import LANES
from refine_engine.solver.chains import (
    Band,
    Chain,
    TwoChains,
    factored_chain,
    lengths,
    product,
    right_side,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[np.float64]
    Blocks = NDArray[np.floating[Any]]
    Run = Callable[[Callable[[int], Any], int], list[Any]]

OWN = 10
"""Border variables of each person: betas."""


class Part(Band, Protocol):
    """One person's share of the quadratic model."""

    own_gradient: Array
    own_hessian: Array
    own_shared: Array
    """(10, K)."""


@dataclass(frozen=True, eq=False)
class Eliminated:
    """What is left of a person after its frames are eliminated."""

    sides: tuple[tuple[Blocks, ...], ...]
    """For each group of 16 columns of the border, for each chain: (length, width, 16), the inverse
    lower factor times the border."""
    product: Array
    """(1 + 10 + K, 1 + 10 + K): border^T inverse band border, gradient first."""
    factor: TwoChains | None
    """None where it was not kept: then ``sides`` hold the inverse band times the border."""

    def solved(self, factor: TwoChains | None = None) -> Blocks:
        """(frames, width, 16 groups): the inverse band times the border."""
        factor = factor or self.factor
        assert factor is not None
        groups = []
        for sides in self.sides:
            copies = tuple(side.copy() for side in sides)
            factor.middle_upper(copies)
            for k in range(len(copies)):
                factor.upper(copies, k)
            groups.append(factor.in_order(copies))
        return np.concatenate(groups, axis=-1)


def one_by_one(function: Callable[[int], Any], count: int) -> list[Any]:
    """What :func:`refine_engine.solver.levenberg.people_runner` does, without threads."""
    return [function(i) for i in range(count)]


def eliminate_people(
    parts: Sequence[Part],
    damping: float,
    floor: float,
    dtype: DTypeLike,
    run: Run = one_by_one,
    *,
    whole: bool = False,
) -> list[Eliminated]:
    """Factor the bands and solve their lower halves for the whole border.

    ``run`` maps over the chains of all people; ``whole`` leaves each person in one chain.

    Raises
    ------
    NotPositive
        Some pivot is not positive.
    """
    tasks = [
        (p, backward)
        for p, part in enumerate(parts)
        for backward in (
            (False,) if whole or not lengths(part.frames, part.reach)[2] else (False, True)
        )
    ]

    def work(k: int) -> tuple[Chain, list[Blocks]]:
        p, backward = tasks[k]
        part = parts[p]
        chain = factored_chain(part, damping, floor, dtype, backward=backward, whole=whole)
        shape = (part.frames, part.width, LANES)
        return chain, [right_side(chain, group.reshape(shape), dtype) for group in part.border]

    found = run(work, len(tasks))
    eliminated = []
    for p, part in enumerate(parts):
        mine = [result for (q, _), result in zip(tasks, found, strict=True) if q == p]
        factor = TwoChains.joined(tuple(chain for chain, _ in mine))
        sides = tuple(zip(*(right for _, right in mine), strict=True))
        for group in sides:
            factor.meet(group)
        columns = 1 + OWN + part.own_shared.shape[1]
        eliminated.append(Eliminated(sides, _products(sides, sides)[:columns, :columns], factor))
    return eliminated


def _products(left: Sequence[tuple[Blocks, ...]], right: Sequence[tuple[Blocks, ...]]) -> Array:
    """Products of all columns with all columns, over all chains."""
    return np.block(
        [[sum(product(x, y) for x, y in zip(a, b, strict=True)) for b in right] for a in left]
    )


def eliminate(part: Part, damping: float, floor: float, dtype: DTypeLike) -> Eliminated:
    """:func:`eliminate_people` for one person, in this thread."""
    return eliminate_people([part], damping, floor, dtype)[0]


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


def with_gradient(
    eliminated: Sequence[Eliminated], parts: Sequence[Part], run: Run = one_by_one
) -> list[Eliminated]:
    """The same factors with the gradients of ``parts``, which are of a later state.

    Solving for one right side costs a small part of a factorisation.
    """
    tasks = [(p, k) for p, rest in enumerate(eliminated) for k in range(len(rest.sides[0]))]

    def work(i: int) -> Blocks:
        p, k = tasks[i]
        factor, part = eliminated[p].factor, parts[p]
        assert factor is not None
        chain = factor.chains[k]
        gradient = part.border[0, :, 0].reshape(part.frames, part.width)
        return right_side(chain, gradient, chain.here.dtype)

    found = run(work, len(tasks))
    changed = []
    for p, rest in enumerate(eliminated):
        right = tuple(side for (q, _), side in zip(tasks, found, strict=True) if q == p)
        assert rest.factor is not None
        rest.factor.meet(right)
        columns = [side[..., None] for side in right]
        first = tuple(
            np.concatenate([new, old[..., 1:]], -1)
            for new, old in zip(columns, rest.sides[0], strict=True)
        )
        sides = (first, *rest.sides[1:])
        row = _products((tuple(columns),), sides)[0, : len(rest.product)]
        product = rest.product.copy()
        product[0], product[:, 0] = row, row
        changed.append(Eliminated(sides, product, rest.factor))
    return changed


def frame_steps(
    eliminated: Sequence[Eliminated], own: Array, shared: Array, run: Run = one_by_one
) -> list[Array]:
    """Steps (frames, width) of each person's frames for steps of the border variables.

    Parameters
    ----------
    eliminated
        People.
    own, shared
        (P, 10), (K,).
    """
    sides = [
        _combined(rest, np.concatenate([[1.0], o, shared]))
        for rest, o in zip(eliminated, own, strict=True)
    ]
    factors = [rest.factor for rest in eliminated]
    for factor, side in zip(factors, sides, strict=True):
        assert factor is not None
        factor.middle_upper(side)
    tasks = [(p, k) for p, side in enumerate(sides) for k in range(len(side))]

    def work(i: int) -> None:
        p, k = tasks[i]
        factor = factors[p]
        assert factor is not None
        factor.upper(sides[p], k)

    run(work, len(tasks))
    steps = []
    for factor, side in zip(factors, sides, strict=True):
        assert factor is not None
        steps.append(factor.in_order(side).astype(np.float64))
    return steps


def _combined(rest: Eliminated, coefficients: Array) -> tuple[Blocks, ...]:
    """Minus the columns of the border, combined into one right side for each chain."""
    padded = np.zeros(len(rest.sides) * LANES)
    padded[: len(coefficients)] = -coefficients
    chains = []
    for k in range(len(rest.sides[0])):
        total = sum(
            group[k].reshape(-1, LANES) @ padded[g * LANES : (g + 1) * LANES].astype(group[k].dtype)
            for g, group in enumerate(rest.sides)
        )
        chains.append(np.asarray(total).reshape(rest.sides[0][k].shape[:2]))
    return tuple(chains)


def frame_step(rest: Eliminated, own: Array, shared: Array) -> Array:
    """:func:`frame_steps` for one person."""
    return frame_steps([rest], own[None], shared)[0]
