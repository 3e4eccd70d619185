"""The ground plane: found by median or RANSAC over slow feet, or fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from refine_engine.geometry.planes import angle_between, heights, normalized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.scene import Array

SLOW = 0.2
"""Metres per second below which a foot may be standing."""
INLIER = 0.04
"""Metres from the plane within which RANSAC counts a foot as on it."""
LARGEST_TILT = np.radians(20.0)
"""A ground that tilts more than this against "up" is not taken for a ground."""
FLAT = 0.05
"""Second over first singular value of the candidates below which they form a line, not a plane."""


def initial_ground(
    feet_world: Sequence[Array],
    speeds: Sequence[Array],
    up: Array,
    method: Literal["median", "ransac", "fixed"],
    *,
    fixed_offset: float = 0.0,
    seed: int = 0,
    tilt: Array | None = None,
) -> tuple[Array, str]:
    """Find the ground under everybody's feet.

    Parameters
    ----------
    feet_world
        Per person (n, 4, 3) sole points, metres, world.
    speeds
        Per person (n, 4) m/s.
    up
        (3,) unit vector against gravity.
    method
        ``median``: normal = up, or ``tilt``; offset = median of the lowest slow feet.
        ``ransac``: the tilt from the feet too.
        ``fixed``: normal = up, the given offset.
    fixed_offset
        ``d`` of a fixed plane, metres.
    seed
        Of RANSAC's draws.
    tilt
        (3,) normal of the floor where something measured it; ``median`` takes it instead of up.

    Returns
    -------
    plane
        (4,).
    note
        What was done, and why it fell back where it did.
    """
    if method == "fixed":
        return np.append(up, fixed_offset), "the ground plane is fixed by the settings"
    flat = _median_plane(feet_world, speeds, up if tilt is None else tilt)
    if method == "median" and tilt is not None:
        return flat, (
            "the ground is as level as the floor in the depth maps, at the median height of the "
            "lowest slow feet"
        )
    if method == "median":
        return flat, "the ground is level, at the median height of the lowest slow feet"
    return _ransac_plane(feet_world, speeds, flat, np.random.default_rng(seed))


def _median_plane(feet: Sequence[Array], speeds: Sequence[Array], up: Array) -> Array:
    lowest = []
    for points, speed in zip(feet, speeds, strict=True):
        h = points @ up
        slow = np.where(speed < SLOW, h, np.inf).min(-1)
        found = slow[np.isfinite(slow)]
        if len(found) < max(3, len(h) // 20):
            # Nobody stands still: the lowest tenth of all frames stands in.
            lows = np.sort(h.min(-1))
            found = lows[: max(1, len(lows) // 10)]
        lowest.append(found)
    # Every person counts the same, however long the person was seen.
    return np.append(up, -np.median([np.median(person) for person in lowest]))


def _ransac_plane(
    feet: Sequence[Array], speeds: Sequence[Array], flat: Array, rng: np.random.Generator
) -> tuple[Array, str]:
    up = flat[:3]
    slow = np.concatenate([p[s < SLOW] for p, s in zip(feet, speeds, strict=True)])
    points = slow[np.abs(heights(slow, flat)) < 0.3] if len(slow) else slow
    if len(points) < 12:
        return flat, "too few slow feet for RANSAC: the ground is level, at their median height"
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
    if spread[1] < FLAT * spread[0] or spread[1] < 0.1 * np.sqrt(len(points)):
        return flat, "the feet stand on one line, which fixes no tilt: the ground is level"
    everything = np.concatenate([p.reshape(-1, 3) for p in feet])
    best, most = flat, -1
    for _ in range(200):
        a, b, c = points[rng.choice(len(points), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        if np.linalg.norm(normal) < 1e-4:
            continue
        plane = normalized(np.append(normal, -normal @ a), up)
        if angle_between(plane, flat) > LARGEST_TILT:
            continue
        inliers = int((np.abs(heights(points, plane)) < INLIER).sum())
        below = float((heights(everything, plane) < -0.05).mean())
        if inliers > most and below <= 0.05:
            best, most = plane, inliers
    if most < 0:
        return flat, "RANSAC found no plane under the feet: the ground is level"
    return _least_squares(points, best, up), "the ground is RANSAC's plane under slow feet"


def _least_squares(points: Array, plane: Array, up: Array) -> Array:
    """Refine by Huber-weighted least squares."""
    for _ in range(8):
        h = np.abs(heights(points, plane))
        w = np.minimum(1.0, 0.5 * INLIER / np.maximum(h, 1e-9))
        centre = (w[:, None] * points).sum(0) / w.sum()
        x = points - centre
        _, vectors = np.linalg.eigh((w[:, None] * x).T @ x)
        normal = vectors[:, 0]
        found = normalized(np.append(normal, -normal @ centre), up)
        if angle_between(found, np.append(up, 0.0)) > LARGEST_TILT:
            break
        plane = found
    return plane
