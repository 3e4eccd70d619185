"""What standing feet say about the cameras' unit: a planted foot does not move in the world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from refine_engine.scene import Array, IntArray

_FEET = (10, 11)
"""SMPL's foot joints (balls of the feet)."""
_SIGMA_M = 0.01
"""Movement of a planted foot between two frames, as pose networks measure it (metres)."""
_TRIALS = np.geomspace(0.02, 50.0, 60)
_TRUSTED = 0.2
"""Relative standard deviation above which the feet say nothing about the unit."""


@dataclass(frozen=True)
class BodyTrack:
    """Joints of one person in the camera frame."""

    frames: IntArray
    """(n,) video frames, increasing."""
    joints_cam: Array
    """(n, 24, 3) metres."""


def unit_from_feet(people: Iterable[BodyTrack], R: Array, t: Array) -> float | None:
    """Metres per camera unit at which feet stand stillest, or None where that is not observable.

    Between two frames a foot moves by ``a - alpha c`` in the world, ``a`` from the body and the
    camera's turn, ``c`` from the camera's translation.  At each pair of frames the stiller foot
    counts, with a robust (Cauchy) cost.

    Parameters
    ----------
    people
        Joints in the camera frame.
    R, t
        World-to-camera rotation (T, 3, 3) and translation (T, 3); frames without a camera are
        ignored.
    """
    moved, carried = [], []
    for person in people:
        known = person.frames < len(R)
        frames, feet = person.frames[known], person.joints_cam[known][:, _FEET]
        pair = np.flatnonzero(np.diff(frames) == 1)
        if len(pair) == 0:
            continue
        world = np.einsum("tji,tkj->tki", R[frames], feet)
        offset = np.einsum("tji,tj->ti", R[frames], t[frames])
        moved.append(world[pair + 1] - world[pair])
        carried.append(offset[pair + 1] - offset[pair])
    if not moved:
        return None
    a, c = np.concatenate(moved), np.concatenate(carried)[:, None]

    # Of |a - alpha c|^2, whatever alpha is.
    aa, ac, cc = (a * a).sum(-1), (a * c).sum(-1), (c * c).sum(-1)

    def squared(alpha: float) -> Array:
        return np.maximum(aa + alpha * (alpha * cc - 2.0 * ac), 0.0) / _SIGMA_M**2

    def cost(alpha: float) -> float:
        left, right = squared(alpha).T
        return float(np.log1p(np.minimum(left, right)).sum())

    alpha = float(min(_TRIALS, key=lambda trial: cost(float(trial))))
    information = 0.0
    for _ in range(20):
        apart = squared(alpha)
        w = (apart == apart.min(-1, keepdims=True)) / (1.0 + apart)
        information = float((w * cc).sum())
        if information <= 0:
            return None
        alpha = float((w * ac).sum() / information)
    if alpha <= 0 or _SIGMA_M / np.sqrt(information) > _TRUSTED * alpha:
        return None
    return alpha
