"""What a tracker sees of a person: boxes, lost tracks, ghosts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.synthetic.levels import ErrorLevel

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

LEAST_VISIBLE = 0.2
"""A person is detected while at least this share of the silhouette is seen."""
SHORTEST_TRACK = 16
"""Frames; the pose network needs as many."""


@dataclass(frozen=True)
class Track:
    """Rows of one track."""

    rows: IntArray
    """(m,) rows of the person's true frames that the track has, increasing."""
    source: IntArray
    """(m,) the row whose state is shown: ``rows`` itself, or an older one for a ghost."""
    boxes: Array
    """(m, 4) top-left x, y, width, height in pixels."""

    @property
    def ghost(self) -> BoolArray:
        """(m,) whether the row repeats an older state."""
        return self.rows != self.source


def make_track(visible: Array, boxes: Array, level: ErrorLevel, rng: np.random.Generator) -> Track:
    """Lose the person where they are hidden, and now and then for no reason.

    Somebody seen in fewer than :data:`SHORTEST_TRACK` frames has no rows at all.

    Parameters
    ----------
    visible
        (n,) share of the silhouette that is seen in each frame.
    boxes
        (n, 4) true boxes.
    level, rng
        How often tracks are lost.
    """
    count = len(visible)
    shortest = min(SHORTEST_TRACK, count)
    seen = visible >= LEAST_VISIBLE
    if seen.sum() < shortest:
        nothing = np.zeros(0, dtype=np.int64)
        return Track(nothing, nothing, np.zeros((0, 4)))
    for _ in range(rng.poisson(level.gaps * count / 100)):
        length = int(rng.integers(level.gap_frames[0], level.gap_frames[1] + 1))
        length = min(length, count // 3)
        start = int(rng.integers(1, max(2, count - length)))
        kept = seen.copy()
        kept[start : start + length] = False
        if kept.sum() >= shortest:
            seen = kept
    noise = rng.standard_normal((count, 4)) * 0.008 * np.repeat(boxes[:, 2:], 2, axis=1)
    noisy = boxes + noise
    noisy[:, 2:] = np.maximum(noisy[:, 2:], 2.0)
    source = np.where(seen, np.arange(count), -1)
    last, age, allowed = -1, 0, 0
    for row in range(count):
        if seen[row]:
            last, age = row, 0
            # Drawn for every row, so that one gap more does not change all that follows.
            allowed = int(rng.integers(0, level.ghosts + 1))
            continue
        age += 1
        if last >= 0 and age <= allowed:
            source[row] = last
    rows = np.flatnonzero(source >= 0)
    return Track(rows, source[rows], noisy[source[rows]])
