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
from refine_engine.solver.threads import one_by_one

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from refine_engine.solver.threads import Run

    Array = NDArray[np.float64]
    Blocks = NDArray[np.floating[Any]]

OWN = 10
"""Border variables of each person: betas."""
FACTOR_BYTES = 600_000_000
"""Factors of more people together than this holds are not kept: people go through the elimination
in groups, and only what the border needs of them is left."""


class Part(Band, Protocol):
    """One person's share of the quadratic model."""

    own_gradient: Array
    own_hessian: Array
    own_shared: Array
    """(10, K)."""
    shared_gradient: Array
    """(K,) this person's share."""
    shared_hessian: Array


@dataclass(frozen=True, eq=False)
class Remains:
    """What is needed of a part once its frames are eliminated."""

    gradient: Array
    """(frames, width)."""
    own_gradient: Array
    own_hessian: Array
    own_shared: Array
    shared_gradient: Array
    shared_hessian: Array

    @classmethod
    def of(cls, part: Part) -> Remains:
        """Copies, so that the part itself can go."""
        return cls(
            part.border[0, :, 0].reshape(part.frames, part.width).copy(),
            part.own_gradient,
            part.own_hessian,
            part.own_shared,
            part.shared_gradient,
            part.shared_hessian,
        )


@dataclass(frozen=True, eq=False)
class Eliminated:
    """What is left of a person after its frames are eliminated."""

    sides: tuple[tuple[Blocks, ...], ...]
    """For each group of 16 columns of the border, for each chain: (length, width, 16), the inverse
    lower factor times the border."""
    product: Array
    """(1 + 10 + K, 1 + 10 + K): border^T inverse band border, gradient first."""
    factor: TwoChains | None
    """None where it was not kept: then ``sides`` hold one array each, (frames, width, 16), the
    inverse band times the border."""
    remains: Remains

    def solved(self) -> Blocks:
        """(frames, width, 16 groups): the inverse band times the border."""
        if self.factor is None:
            return np.concatenate([sides[0] for sides in self.sides], axis=-1)
        groups = []
        for sides in self.sides:
            copies = tuple(side.copy() for side in sides)
            self.factor.middle_upper(copies)
            for k in range(len(copies)):
                self.factor.upper(copies, k)
            groups.append(self.factor.in_order(copies))
        return np.concatenate(groups, axis=-1)


def without_factors(eliminated: Sequence[Eliminated], run: Run) -> list[Eliminated]:
    """Solve for the whole border, and let the factors go."""

    def work(i: int) -> Blocks:
        return eliminated[i].solved()

    found = run(work, len(eliminated))
    return [
        Eliminated(
            tuple((group,) for group in np.split(solved, len(rest.sides), axis=-1)),
            rest.product,
            None,
            rest.remains,
        )
        for rest, solved in zip(eliminated, found, strict=True)
    ]


def factor_bytes(part: Part, dtype: DTypeLike) -> int:
    """Size of a person's factor."""
    return part.frames * part.width**2 * (1 + part.reach) * np.dtype(dtype).itemsize


def eliminate_people(
    parts: Sequence[Part],
    damping: float,
    floor: float,
    dtype: DTypeLike,
    run: Run = one_by_one,
    *,
    whole: bool = False,
) -> list[Eliminated]:
    """Factor the bands and solve for the border; in large problems the factors do not stay.

    Parameters
    ----------
    parts
        People; each is asked for once, when its turn comes.
    damping, floor, dtype
        See :func:`refine_engine.solver.chains.factored_chain`.
    run
        Maps over the chains of several people.
    whole
        Leave each person in one chain.

    Raises
    ------
    NotPositive
        Some pivot is not positive.
    """
    done: list[Eliminated] = []
    size = 1
    while len(done) < len(parts):
        first = len(done)
        members = run(lambda k: parts[first + k], min(size, len(parts) - first))  # noqa: B023
        each = max(factor_bytes(part, dtype) for part in members)
        fitting = max(int(FACTOR_BYTES // max(each, 1)), 1)
        if first == 0 and fitting > 1 and len(parts) > 1:
            # The first one has said how large people are.
            rest = run(lambda k: parts[1 + k], min(fitting, len(parts)) - 1)
            members = [*members, *rest]
        group = _eliminate_group(members, damping, floor, dtype, run, whole=whole)
        size = fitting
        if len(group) < len(parts):
            group = without_factors(group, run)
        done += group
    return done


def _eliminate_group(
    parts: Sequence[Part],
    damping: float,
    floor: float,
    dtype: DTypeLike,
    run: Run,
    *,
    whole: bool,
) -> list[Eliminated]:
    tasks: list[tuple[int, bool]] = []
    for p, part in enumerate(parts):
        two = not whole and lengths(part.frames, part.reach)[2] > 0
        tasks += [(p, False), (p, True)] if two else [(p, False)]

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
        product = _products(sides, sides)[:columns, :columns]
        eliminated.append(Eliminated(sides, product, factor, Remains.of(part)))
    return eliminated


def _products(left: Sequence[tuple[Blocks, ...]], right: Sequence[tuple[Blocks, ...]]) -> Array:
    """Products of all columns with all columns, over all chains."""
    return np.block(
        [[sum(product(x, y) for x, y in zip(a, b, strict=True)) for b in right] for a in left]
    )


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
        changed.append(Eliminated(sides, product, rest.factor, Remains.of(parts[p])))
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
        if factor is not None:
            factor.middle_upper(side)
    tasks = [(p, k) for p, side in enumerate(sides) for k in range(len(side))]

    def work(i: int) -> None:
        p, k = tasks[i]
        factor = factors[p]
        if factor is not None:
            factor.upper(sides[p], k)

    run(work, len(tasks))
    return [
        (side[0] if factor is None else factor.in_order(side)).astype(np.float64)
        for factor, side in zip(factors, sides, strict=True)
    ]


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
