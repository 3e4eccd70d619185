"""Which way is up, where the input does not say: from standing bodies and their feet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.scene import Array

Y_UP = np.array([0.0, 1.0, 0.0])


def estimate_up(joints_world: Sequence[Array]) -> tuple[Array, float]:
    """Direction against gravity from people's bodies.

    A standing or walking body is upright on average: the direction from the middle of its feet to
    its neck. People who bend or sit lean every way, so the directions are averaged with
    Cauchy weights about their own median.

    Parameters
    ----------
    joints_world
        Per person (n, 24, 3), one common world.

    Returns
    -------
    up
        (3,) unit vector.
    spread
        Standard deviation of the mean direction, radians, from the scatter over people and
        seconds (frames in a row say the same, 30 of them count as one).
    """
    directions = []
    for joints in joints_world:
        axis = joints[:, 12] - 0.5 * (joints[:, 7] + joints[:, 8])
        directions.append(axis / np.linalg.norm(axis, axis=-1, keepdims=True))
    d = np.concatenate(directions)
    up = np.median(d, axis=0)
    up /= np.linalg.norm(up)
    weight = np.ones(len(d))
    for _ in range(20):
        angle = np.arccos(np.clip(d @ up, -1.0, 1.0))
        weight = 1.0 / (1.0 + (angle / np.radians(10.0)) ** 2)
        mean = (weight[:, None] * d).sum(0)
        up = mean / np.linalg.norm(mean)
    scatter = np.sqrt((weight * np.arccos(np.clip(d @ up, -1.0, 1.0)) ** 2).sum() / weight.sum())
    return up, float(scatter / np.sqrt(max(1.0, len(d) / 30.0)))
