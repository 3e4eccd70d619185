"""How the floor lies, from the depth maps around the people.

Feet on one straight path fix no tilt about it, and a plane through feet inherits every person's
wrong distance. The floor itself fills a good part of most pictures. What the maps say about its
tilt does not depend on any unit; its height they know only in their own, so the offset of the
ground stays the feet's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.planes import angle_between, tangent_basis, updated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from refine_engine.scene import Array, BoolArray, DepthMaps, IntArray, Masks, Scene

MOST_FRAMES = 12
"""Maps that are read, evenly over the clip: their errors last for seconds."""
COLUMNS = 48
"""Samples across a picture."""
REACH = 100
"""A sample's slope is taken over a width of two of so many parts of the picture."""
STEEPEST = np.radians(30.0)
"""Surfaces that lean more than this against the first estimate are no floor."""
LARGEST_TILT = np.radians(20.0)
"""An answer that leans more than this against the first estimate is not believed."""
FIRST_SCALE, LAST_SCALE = 0.3, 0.06
"""Geman-McClure scale of the log depth at the begin and the end: the first lets a plane move that
starts a third too high or low, the last leaves out steps, boxes and table tops."""
LEAST_DROP = 0.05
"""Sine of the angle below the horizon from which a ray takes part: nearer to it the least tilt
moves the floor out of the picture."""
FIELD_SIGMA = 0.04
"""Error of low frequency of a depth map (log), taken to stay with the picture all the time."""
CELLS = (5, 8)
"""Parts of the picture whose error is one and the same."""
LEAST_SIGMA = np.radians(0.3)
"""The cameras' rotations are not known better, and few floors are flatter."""
FEWEST = 300
"""Samples on the floor, counted with their robust weights, below which nothing is said."""
FEWEST_CELLS = 5
LARGEST_HEIGHT_RATIO = 1.0
"""Logarithm by which the camera's height over the answer may differ from that over the feet."""


@dataclass(frozen=True, eq=False)
class FloorTilt:
    """The floor's normal as measured, and how well."""

    normal: Array
    """(3,) unit vector, upward, engine's world."""
    information: Array
    """(3, 3) inverse covariance of the normal, 1/rad^2; nothing along the normal itself."""

    @property
    def sigma(self) -> float:
        """Standard deviation of the normal's direction, radians (both directions together)."""
        values = np.linalg.eigvalsh(self.information)[1:]
        return float(np.sqrt((1.0 / values).sum()))


def floor_tilt(scene: Scene, plane: Array, alpha: float, *, shared_depth: bool) -> FloorTilt | None:
    """Fit a plane to what the depth maps show near the ground, robustly, over the whole clip.

    The ray of a pixel meets the plane at a depth that is compared with the map's as a ratio, so
    that near and far floor count alike. The covariance is that of errors which are constant in
    each part of the picture: it does not fall with the number of pixels or frames.

    Parameters
    ----------
    scene
        The input.
    plane
        (4,) first estimate in the engine's world, metres, for example under the feet.
    alpha
        Metres per unit of the cameras.
    shared_depth
        Whether the maps are in the cameras' unit.

    Returns
    -------
    FloorTilt or None
        None where there are no maps, or too little floor in them.
    """
    if scene.depth is None:
        return None
    unit = alpha if shared_depth else 1.0
    first = np.append(plane[:3], plane[3] / unit)
    samples = _samples(scene, scene.depth, plane[:3], alpha / unit)
    if samples is None:
        return None
    ray, centre, log_depth, chunk, cell = samples
    found, w, jacobian = _fitted(first, ray, centre, log_depth, chunk)
    counted = w > 0.5
    heights = [float(np.median(centre @ p[:3] + p[3])) for p in (first, found)]
    if (
        w.sum() < FEWEST
        or len(np.unique(cell[counted])) < FEWEST_CELLS
        or angle_between(found, first) > LARGEST_TILT
        or min(heights) <= 0
        or abs(np.log(heights[1] / heights[0])) > LARGEST_HEIGHT_RATIO
    ):
        return None
    hessian = (jacobian * w[:, None]).T @ jacobian + _weak(jacobian.shape[1])
    by_cell = np.zeros((CELLS[0] * CELLS[1], jacobian.shape[1]))
    np.add.at(by_cell, cell, jacobian * w[:, None])
    spread = np.linalg.solve(hessian, FIELD_SIGMA * by_cell.T)
    covariance = (spread @ spread.T)[:2, :2] + LEAST_SIGMA**2 * np.eye(2)
    basis = tangent_basis(found[:3])
    return FloorTilt(found[:3], basis.T @ np.linalg.inv(covariance) @ basis)


def _weak(count: int) -> Array:
    """Just enough that the matrix of tilts, offset and chunks is never singular."""
    return np.diag(np.r_[1e-6, 1e-6, 1e-6, np.full(count - 3, 1.0 / 0.05**2)])


def _fitted(
    plane: Array, ray: Array, centre: Array, log_depth: Array, chunk: IntArray
) -> tuple[Array, Array, Array]:
    """Plane (4,), robust weights (m,), Jacobian (m, 3 + C - 1) by tilts, offset and chunks."""
    chunks = int(chunk.max()) + 1
    scales = np.zeros(chunks)
    member = np.zeros((len(chunk), chunks))
    member[np.arange(len(chunk)), chunk] = -1.0
    weak = _weak(2 + chunks)
    scale, w, jacobian = FIRST_SCALE, np.zeros(len(ray)), np.zeros((len(ray), 2 + chunks))

    def seen(plane: Array, scales: Array) -> tuple[Array, Array, Array, BoolArray]:
        drop, height = ray @ plane[:3], centre @ plane[:3] + plane[3]
        good = (drop < -LEAST_DROP * length) & (height > 0.0)
        drop, height = np.where(good, drop, -1.0), np.where(good, height, 1.0)
        return drop, height, np.log(height / -drop) - log_depth - scales[chunk], good

    def cost(plane: Array, scales: Array) -> float:
        _, _, r, good = seen(plane, scales)
        robust = np.where(good, r**2 / (1.0 + (r / scale) ** 2), scale**2)
        return float(robust.sum() + scales[1:] @ weak[3:, 3:] @ scales[1:])

    length = np.linalg.norm(ray, axis=-1)
    for _ in range(30):
        drop, height, residual, good = seen(plane, scales)
        w = np.where(good, (1.0 + (residual / scale) ** 2) ** -2.0, 0.0)
        basis = tangent_basis(plane[:3])
        jacobian = np.column_stack(
            [
                (centre @ basis.T) / height[:, None] - (ray @ basis.T) / drop[:, None],
                1.0 / height,
                member[:, 1:],
            ]
        )
        gradient = jacobian.T @ (w * residual) + weak @ np.r_[0.0, 0.0, 0.0, scales[1:]]
        step = -np.linalg.solve((jacobian * w[:, None]).T @ jacobian + weak, gradient)
        before = cost(plane, scales)
        for _ in range(8):
            there = updated(plane, step[:3]), scales + np.r_[0.0, step[3:]]
            if cost(*there) <= before:
                plane, scales = there
                break
            step = 0.4 * step
        if scale <= LAST_SCALE and float(np.abs(step).max()) < 1e-5:
            break
        scale = max(LAST_SCALE, 0.75 * scale)
    return plane, w, jacobian


def _samples(
    scene: Scene, maps: DepthMaps, up: Array, scale: float
) -> tuple[Array, Array, Array, IntArray, IntArray] | None:
    """Level spots without people.

    Returns rays and camera centres (m, 3) in the world, log depth, chunk and cell (m,).
    """
    cameras = scene.cameras
    frames = [f for f in range(scene.num_frames) if maps.has(f)]
    if not frames:
        return None
    even = np.unique(np.linspace(0, len(frames) - 1, MOST_FRAMES).astype(int))
    found: list[tuple[Array, ...]] = []
    for frame in (frames[k] for k in even):
        depth = np.asarray(maps.depth(frame))
        h, w = depth.shape
        reach, step = max(2, round(w / REACH)), max(2, w // COLUMNS)
        down, across = np.arange(reach, h - reach, step), np.arange(reach, w - reach, step)
        v, u = np.repeat(down, len(across)), np.tile(across, len(down))
        K = np.asarray(cameras.intrinsics[frame])
        to_image = np.array([cameras.image_size[1] / w, cameras.image_size[0] / h])
        R = np.asarray(cameras.R_cam_world[frame])
        around = ((0, 0), (0, reach), (0, -reach), (reach, 0), (-reach, 0))
        rows, columns = (np.stack([a + d[k] for d in around]) for k, a in enumerate((v, u)))
        known = ~_people(scene.masks, scene.people, frame, rows, columns, (h, w)).any(0)
        points = []
        for dv, du in around:
            z = depth[v + dv, u + du].astype(np.float64)
            known &= np.isfinite(z) & (z > 0)
            ray = np.ones((len(u), 3))
            ray[:, 0] = ((u + du + 0.5) * to_image[0] - K[0, 2]) / K[0, 0]
            ray[:, 1] = ((v + dv + 0.5) * to_image[1] - K[1, 2]) / K[1, 1]
            points.append((ray, np.where(known, z, 1.0)))
        spots = [ray * z[:, None] for ray, z in points]
        normal = np.cross(spots[1] - spots[2], spots[3] - spots[4])
        length = np.linalg.norm(normal, axis=-1)
        known &= np.abs(normal @ (R @ up)) > np.cos(STEEPEST) * np.maximum(length, 1e-12)
        k = np.flatnonzero(known)
        centre = -scale * R.T @ np.asarray(cameras.t_cam_world[frame])
        found.append(
            (
                points[0][0][k] @ R,
                np.tile(centre, (len(k), 1)),
                np.log(points[0][1][k]),
                np.full(len(k), int(cameras.chunk[frame])),
                (v[k] * CELLS[0] // h) * CELLS[1] + u[k] * CELLS[1] // w,
            )
        )
    ray, centre, *rest = (np.concatenate(part) for part in zip(*found, strict=True))
    log_depth, chunk, cell = rest[0], rest[1].astype(np.int64), rest[2].astype(np.int64)
    return (ray, centre, log_depth, chunk, cell) if len(ray) else None


def _people(
    masks: Masks | None,
    people: Iterable[int],
    frame: int,
    v: IntArray,
    u: IntArray,
    size: tuple[int, int],
) -> BoolArray:
    """Where a mask says that somebody is, at pixels (v, u) of a map of this size."""
    covered = np.zeros(u.shape, dtype=bool)
    if masks is None:
        return covered
    for person in people:
        mask = masks.person(person, frame)
        if mask is not None:
            covered |= _looked_up(mask, v, u, size)
    moving = masks.dynamic(frame)
    return covered if moving is None else covered | _looked_up(moving, v, u, size)


def _looked_up(mask: BoolArray, v: IntArray, u: IntArray, size: tuple[int, int]) -> BoolArray:
    return np.asarray(mask[v * mask.shape[0] // size[0], u * mask.shape[1] // size[1]])
