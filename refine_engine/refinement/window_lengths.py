"""How long the windows of the sub-stage ``motion`` are; a light module, without the solver."""

from __future__ import annotations

GROWTH = 8
"""Each window is so many times as long as the one before."""


def window_lengths(
    first: int, longest: int | None, frames: int, *, rolled_out: bool = False
) -> tuple[int | None, ...]:
    """Lengths in frames, growing; None = no borders at all.

    Parameters
    ----------
    first
        ``motion_prior_chunk_size``.
    longest
        ``humor_horizon_max``.
    frames
        Length of the clip.
    rolled_out
        Windows grow by ``first`` frames each instead of by a factor: a roll-out is chaotic, and
        may only be a little longer than what has settled.
    """
    last = frames if longest is None else min(longest, frames)
    lengths: list[int | None] = []
    length = first
    while length < last:
        lengths.append(length)
        length = length + first if rolled_out else length * GROWTH
    return (*lengths, None if last >= frames else last)
