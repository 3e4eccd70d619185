"""Metres per unit of camera translation: a standing foot must not move while the camera does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.refinement.initialisation.contacts import smoothed
from refine_engine.refinement.initialisation.depth_cue import PERSON_SIGMA, LogScale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.scene import Array, CameraTrack, Person

LAG_S = 0.2
"""Seconds between the two looks at a foot: long enough for the camera to move, shorter than
a step."""
ACROSS_M = 0.02
"""Noise of a foot's change across the viewing ray in the lag, metres: the network's pixels."""
ALONG = 0.04
"""The same along the ray, as a share of the distance: by far the noisier direction."""
CUT = 3.0
"""Geman-McClure scale in these units: a foot that moves much further was not standing."""
LEAST_PATH_M = 0.25
"""Metres that a camera must travel within the clip to say anything."""


def static_camera(cameras: CameraTrack, alpha: float) -> bool:
    """Whether the camera moves too little, at this unit, to tell scale from motion."""
    centres = -np.einsum("tji,tj->ti", cameras.R_cam_world, cameras.t_cam_world)
    reach = np.linalg.norm(centres - np.median(centres, 0), axis=-1)
    return bool(2.0 * np.quantile(reach, 0.9) * alpha < LEAST_PATH_M)


def standing_feet_alpha(
    people: Sequence[Person],
    feet_cam: Sequence[Array],
    cameras: CameraTrack,
    fps: float,
) -> LogScale | None:
    """Closed-form ``alpha`` from feet that stand while the camera moves.

    A world point is ``q - alpha u`` with ``q = R^T x_cam`` (metres, measured by the pose network)
    and ``u = R^T t`` (reconstruction units). For a standing foot its change over a short lag
    vanishes: ``dq = alpha du``. Which feet stand is not known, so a one-dimensional robust fit
    is made: a Geman-McClure cost over a grid of ``log alpha``, then reweighted least squares.
    Bodies are metric in the camera frame and do not scale, so the fit cannot shrink the scene.

    Parameters
    ----------
    people, feet_cam
        Each person and sole points (n, 4, 3) in the camera frame, metres.
    cameras
        Translation in reconstruction units.
    fps
        Frames per second.

    Returns
    -------
    LogScale or None
        None where the camera does not move enough.
    """
    moved, unit, across = _pairs(people, feet_cam, cameras, fps)
    if len(moved) < 10:
        return None
    # Whitened: along the ray a pair says little, across it much.
    moved, unit = _whitened(moved, across), _whitened(unit, across)
    length2 = (unit**2).sum(-1)
    if length2.max() <= 0:
        return None
    # Each pair's own answer spans the grid; the camera's slowest moments say nothing.
    fast = length2 > 0.05 * np.quantile(length2, 0.95)
    along = (moved * unit).sum(-1)
    own = along[fast] / length2[fast]
    own = own[own > 0]
    if len(own) < 10:
        return None
    grid = np.exp(
        np.linspace(np.log(np.quantile(own, 0.05)) - 0.7, np.log(np.quantile(own, 0.95)) + 0.7, 160)
    )
    moved2 = (moved**2).sum(-1)
    costs = [_cost(moved2, along, length2, a) for a in grid]
    alpha = float(grid[np.argmin(costs)])
    for _ in range(20):
        r2 = ((moved - alpha * unit) ** 2).sum(-1)
        w = (CUT**2 / (CUT**2 + r2)) ** 2
        alpha = float((w * along).sum() / (w * length2).sum())
    r2 = ((moved - alpha * unit) ** 2).sum(-1)
    w = (CUT**2 / (CUT**2 + r2)) ** 2
    information = float((w * length2).sum())
    if alpha <= 0 or alpha * np.sqrt(length2.max()) < 1.0:
        return None
    noise2 = float((w * r2).sum() / (3.0 * w.sum()))
    # Neighbouring frames and the points of one foot repeat each other: 3 lag rows count as one.
    lag = max(2, round(LAG_S * fps))
    sigma = np.sqrt(noise2 * 3 * lag / information) / alpha
    # Distances, and so these changes, are off with the body's size, person by person.
    return LogScale(float(np.log(alpha)), float(np.hypot(sigma, PERSON_SIGMA / len(people) ** 0.5)))


def _pairs(
    people: Sequence[Person], feet_cam: Sequence[Array], cameras: CameraTrack, fps: float
) -> tuple[Array, Array, Array]:
    """Changes ``dq`` and ``du`` (k, 3) over the lag and whitening matrices (k, 3, 3)."""
    lag = max(2, round(LAG_S * fps))
    dq, du, whitening = [], [], []
    for person, feet in zip(people, feet_cam, strict=True):
        R, t = cameras.R_cam_world[person.frames], cameras.t_cam_world[person.frames]
        q = np.einsum("tji,tkj->tki", R, feet)
        u = np.einsum("tji,tj->ti", R, t)
        for run in _runs(person, cameras):
            if len(run) <= lag:
                continue
            # Both sides alike, so that the filter itself biases nothing.
            steady, camera = smoothed(q[run], fps), smoothed(u[run], fps)
            middle = 0.5 * (steady[lag:] + steady[:-lag]).reshape(-1, 3)
            dq.append((steady[lag:] - steady[:-lag]).reshape(-1, 3))
            du.append(np.repeat(camera[lag:] - camera[:-lag], 4, axis=0))
            distance = np.linalg.norm(middle, axis=-1, keepdims=True)
            ray = middle / distance
            weaker = ACROSS_M / (ALONG * distance) - 1.0
            outer = ray[:, :, None] * ray[:, None, :]
            whitening.append((np.eye(3) + weaker[..., None] * outer) / ACROSS_M)
    if not dq:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3, 3))
    return np.concatenate(dq), np.concatenate(du), np.concatenate(whitening)


def _whitened(vectors: Array, matrices: Array) -> Array:
    return np.asarray(np.einsum("kij,kj->ki", matrices, vectors))


def _cost(moved2: Array, along: Array, unit2: Array, alpha: float) -> float:
    """Of ``|moved - alpha unit|^2``, from the products of the two."""
    r2 = moved2 + alpha * (alpha * unit2 - 2.0 * along)
    return float((r2 / (CUT**2 + r2)).sum())


def _runs(person: Person, cameras: CameraTrack) -> list[Array]:
    """Rows of a person in stretches without a gap, a ghost or a border of the reconstruction."""
    rows = np.flatnonzero(person.observed)
    frames = person.frames[rows]
    chunk = cameras.chunk[frames]
    breaks = np.flatnonzero((np.diff(frames) > 1) | (np.diff(chunk) != 0)) + 1
    return [np.asarray(run) for run in np.split(rows, breaks)]
