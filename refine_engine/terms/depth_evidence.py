"""What depth maps say about one person: samples of skin, or of the ground under the feet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refine_engine.scene import Array, IntArray
    from refine_engine.terms.points import PointSet


@dataclass(frozen=True, eq=False)
class SkinSamples:
    """Depth at skin points of one person; row order by frame."""

    start: IntArray
    """(n + 1,) samples of frame t are ``start[t]:start[t + 1]``."""
    point: IntArray
    """(m,) index into the candidate points."""
    log_depth: Array
    """(m,) natural log of the map's depth, in the map's unit."""
    weight: Array
    """(m,) a person-frame's weights sum to about one; 0 where held out."""
    held: Array
    """(m,) the weights of the held-out tenth."""
    chunk: IntArray
    """(m,) reconstruction chunk."""


@dataclass(frozen=True, eq=False)
class GroundSamples:
    """Depth of the ground around standing feet, where people were masked out."""

    frame: IntArray
    """(m,) row of the track."""
    ray: Array
    """(m, 3) viewing ray in the camera frame with z = 1."""
    log_depth: Array
    """(m,)."""
    weight: Array
    """(m,)."""
    held: Array
    """(m,)."""
    chunk: IntArray
    """(m,)."""


@dataclass(frozen=True, eq=False)
class DepthEvidence:
    """All depth samples of one person."""

    candidates: PointSet
    skin: SkinSamples
    ground: GroundSamples
