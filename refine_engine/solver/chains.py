"""One person's band, eliminated from both ends towards the middle at the same time.

A band of frames has no first frame by nature: elimination may start at either end. Started at both,
the two chains have nothing to do with each other until they meet at the ``reach`` frames in the
middle, so they run in two threads, at no extra cost. Short clips have one chain only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from refine_engine.solver.blocks import (
    factor_blocks,
    solve_lower,
    solve_upper,
)

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[np.float64]
    Blocks = NDArray[np.floating[Any]]

SHORTEST_SPLIT = 24
"""Clips with fewer frames are one chain."""
SUMMED_FRAMES = 64
"""Products over so many frames are summed in the factor's precision, those of the rest in double
precision: long clips lose no digits."""


class Band(Protocol):
    """What a chain needs of a person's quadratic model."""

    frames: int
    width: int
    """Variables of a frame."""
    reach: int
    """How many frames ahead the band couples: 0, 1 or 2."""
    border: Array
    """(groups, frames * width, 16): gradient, then the couplings with the own (10) and the shared
    (K) border variables, padded with zeros."""

    def assemble(
        self,
        damping: float,
        floor: float,
        here: Blocks,
        next1: Blocks,
        next2: Blocks,
        *,
        backward: bool = False,
    ) -> None:
        """Fill the band of the first ``len(here)`` frames, or of the last, the last one first.

        The diagonal is multiplied by ``1 + damping`` and raised by ``floor``.
        """
        ...


class NotPositive(Exception):
    """The damped matrix of a person is not positive definite (or not finite) at a frame."""

    def __init__(self, frame: int) -> None:
        self.frame = frame
        super().__init__(f"frame {frame}")


@dataclass(frozen=True, eq=False)
class Chain:
    """Frames that are eliminated one after another, then the ``reach`` frames in the middle."""

    here: Blocks
    next1: Blocks
    next2: Blocks
    reach: int
    count: int
    """Frames of its own; the blocks of the middle follow."""
    backward: bool


def lengths(frames: int, reach: int) -> tuple[int, int, int]:
    """Frames of the chain from the front, of the middle, and of the chain from the back."""
    if frames < SHORTEST_SPLIT:
        return frames, 0, 0
    front = (frames - reach) // 2
    return front, reach, frames - reach - front


def factored_chain(
    band: Band,
    damping: float,
    floor: float,
    dtype: DTypeLike,
    *,
    backward: bool = False,
    whole: bool = False,
) -> Chain:
    """Assemble and factor one chain (``whole``: all frames from the front, no middle).

    Raises
    ------
    NotPositive
        Some pivot is not positive.
    """
    n, v, reach = band.frames, band.width, band.reach
    front, middle, back = (n, 0, 0) if whole else lengths(n, reach)
    count = back if backward else front
    length = count + middle
    filled = count if backward else length
    here = np.empty((length, v, v), dtype)
    next1 = np.empty((length if reach >= 1 else 0, v, v), dtype)
    next2 = np.empty((length if reach >= 2 else 0, v, v), dtype)
    for blocks in (here, next1, next2):
        blocks[filled:] = 0.0
    band.assemble(damping, floor, here[:filled], next1[:filled], next2[:filled], backward=backward)
    bad = int(factor_blocks(here, next1, next2, reach, count))
    if bad >= 0:
        raise NotPositive(n - 1 - bad if backward else bad)
    return Chain(here, next1, next2, reach, count, backward)


def right_side(chain: Chain, columns: Array, dtype: DTypeLike) -> Blocks:
    """Rows of ``columns`` (frames, width, C) in the chain's order, solved by its factor.

    The rows of the middle come with the chain from the front, and hold what is left of them; with
    the chain from the back they hold what it takes from them.
    """
    n, length = len(columns), len(chain.here)
    if chain.backward:
        right = np.zeros((length, *columns.shape[1:]), dtype)
        right[: chain.count] = columns[n - chain.count :][::-1]
    else:
        right = columns[:length].astype(dtype)
    solve_lower(chain.here, chain.next1, chain.next2, chain.reach, right, chain.count)
    return right


@dataclass(frozen=True, eq=False)
class TwoChains:
    """A whole band, factored; right sides are one array for each chain, middle last."""

    chains: tuple[Chain, ...]
    middle: Chain | None
    """Factor of the frames where the chains meet."""

    @classmethod
    def joined(cls, chains: tuple[Chain, ...]) -> TwoChains:
        """Let the chains meet: factor the frames in the middle.

        Raises
        ------
        NotPositive
            Some pivot is not positive.
        """
        if len(chains) == 1:
            return cls(chains, None)
        front, back = chains
        size, at = len(front.here) - front.count, front.count
        here, next1 = front.here[at:].copy(), front.next1[at:].copy()
        for i in range(size):
            here[i] += back.here[back.count + size - 1 - i]
        if size == 2:
            next1[0] += back.next1[back.count].T
        reach = max(size - 1, 0)
        bad = int(factor_blocks(here, next1, next1[:0], reach, size))
        if bad >= 0:
            raise NotPositive(front.count + bad)
        return cls(chains, Chain(here, next1, next1[:0], reach, size, backward=False))

    def meet(self, sides: tuple[Blocks, ...]) -> None:
        """Solve the middle rows of right sides that came from :func:`right_side`, in place.

        They are kept with the front; those of the back become 0.
        """
        if self.middle is None:
            return
        front, back = self.chains
        rows = sides[0][front.count :]
        rows += sides[1][back.count :][::-1]
        sides[1][back.count :] = 0.0
        m = self.middle
        solve_lower(m.here, m.next1, m.next2, m.reach, rows, m.count)

    def middle_upper(self, sides: tuple[Blocks, ...]) -> None:
        """Back-substitute in the middle; both sides get the solution there."""
        if self.middle is None:
            return
        front, back = self.chains
        rows, m = sides[0][front.count :], self.middle
        solve_upper(m.here, m.next1, m.next2, m.reach, rows, m.count)
        sides[1][back.count :] = rows[::-1]

    def upper(self, sides: tuple[Blocks, ...], k: int) -> None:
        """Back-substitute in chain ``k``, after :meth:`middle_upper`."""
        chain, rows = self.chains[k], sides[k]
        solve_upper(chain.here, chain.next1, chain.next2, chain.reach, rows, chain.count)

    def in_order(self, sides: tuple[Blocks, ...]) -> Blocks:
        """Rows of all frames in their order."""
        if self.middle is None:
            return sides[0]
        return np.concatenate([sides[0], sides[1][: self.chains[1].count][::-1]])


def product(a: Blocks, b: Blocks) -> Array:
    """``a^T b`` of arrays (frames, width, C), summed in double precision over long clips."""
    total = np.zeros((a.shape[-1], b.shape[-1]))
    for first in range(0, len(a), SUMMED_FRAMES):
        part = slice(first, first + SUMMED_FRAMES)
        total += a[part].reshape(-1, a.shape[-1]).T @ b[part].reshape(-1, b.shape[-1])
    return total
