"""Metres per unit of a depth map: measured bodies against the depth of their visible skin."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refine_engine.body import (
    BodyPoints,
    joint_kinematics,
    place_points,
    rest_joints,
    vertex_points,
)
from refine_engine.geometry.cameras import project

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, BoolArray, DepthMaps, Masks, Person, Scene

FRAMES_PER_PERSON = 16
"""So many depth maps a person are enough: the person's own distance error is far larger."""
EDGE = 0.05
"""Relative depth difference to a neighbour above which a pixel lies on an edge."""
FACING = 0.4
"""Cosine between the skin's normal and the direction to the camera from which it is used."""
PERSON_SIGMA = 0.05
"""How far one person's distance is off as a whole: 3-8 % along the ray and the body's size."""


class LogScale(NamedTuple):
    """A measured ``log alpha`` with its standard deviation."""

    value: float
    sigma: float


@functools.lru_cache(maxsize=8)
def _skin(body: BodyModel) -> tuple[BodyPoints, Array]:
    """Some 350 vertices and their normals in the T-pose."""
    ids = np.arange(0, len(body.v_template), 19)
    a, b, c = (body.v_template[body.faces[:, k]] for k in range(3))
    face_normals = np.cross(b - a, c - a)
    normals = np.zeros_like(body.v_template)
    for k in range(3):
        np.add.at(normals, body.faces[:, k], face_normals)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    return vertex_points(body, ids), normals[ids]


def person_depth_ratio(scene: Scene, body: BodyModel, person: Person) -> LogScale | None:
    """``log`` of measured depth over the depth map's, median over a person's visible skin.

    Returns None where the depth has nothing to say about this person.
    """
    depth = scene.depth
    if depth is None or depth.people_masked_out:
        return None
    rows = [int(r) for r in np.flatnonzero(person.observed) if depth.has(int(person.frames[r]))]
    if not rows:
        return None
    rows = _spread(rows, FRAMES_PER_PERSON)
    points, normals = _skin(body)
    motion = joint_kinematics(
        rest_joints(body, person.betas),
        person.R_cam_root[rows],
        person.body_pose[rows],
        person.transl_cam[rows],
    )
    skin_cam = place_points(points, motion, person.betas, person.body_pose[rows])
    carriers = motion.rotations[:, points.joints]
    turned = np.einsum("nk,tnkij,nj->tni", points.weights, carriers, normals)
    ray = skin_cam / np.linalg.norm(skin_cam, axis=-1, keepdims=True)
    facing = -(turned * ray).sum(-1) > FACING
    K = scene.cameras.pose_intrinsics(person.frames[rows])
    pixels, in_front = project(skin_cam, K)
    ratios = []
    for k, row in enumerate(rows):
        frame = int(person.frames[row])
        use = facing[k] & in_front[k]
        use &= _inside(scene.masks, person.id, frame, pixels[k], scene.cameras.image_size)
        mapped, ok = sample_depth(depth, frame, pixels[k], scene.cameras.image_size)
        use &= ok
        if use.sum() >= 8:
            ratios.append(float(np.median(np.log(skin_cam[k, use, 2] / mapped[use]))))
    if not ratios:
        return None
    middle = float(np.median(ratios))
    scatter = 1.4826 * float(np.median(np.abs(np.asarray(ratios) - middle)))
    return LogScale(middle, float(np.hypot(PERSON_SIGMA, scatter / np.sqrt(len(ratios)))))


def standing_feet_ratio(
    scene: Scene, person: Person, feet_cam: Array, standing: BoolArray
) -> LogScale | None:
    """The same from the ground beside standing feet, for depth without people.

    Parameters
    ----------
    scene, person
        The input.
    feet_cam
        (n, 4, 3) sole points in the camera frame, metres, rows as the person's.
    standing
        (n, 4) where a foot rests on the ground.
    """
    depth = scene.depth
    if depth is None:
        return None
    rows = [int(r) for r in np.flatnonzero(standing.any(-1)) if depth.has(int(person.frames[r]))]
    if not rows:
        return None
    rows = _spread(rows, 2 * FRAMES_PER_PERSON)
    ratios = []
    for row in rows:
        frame = int(person.frames[row])
        feet = feet_cam[row, standing[row]]
        K = scene.cameras.pose_intrinsics(person.frames[[row]])
        pixels, in_front = project(feet[None], K)
        # A few pixels below the sole the ground is seen, a trifle nearer than the foot.
        height = scene.cameras.image_size[0]
        below = pixels[0] + np.array([0.0, 0.012 * height])
        mapped, ok = sample_depth(depth, frame, below, scene.cameras.image_size, edge=0.2)
        ok &= in_front[0]
        moving = None if scene.masks is None else scene.masks.dynamic(frame)
        if moving is not None:
            x = np.clip(below[:, 0].astype(int), 0, moving.shape[1] - 1)
            y = np.clip(below[:, 1].astype(int), 0, moving.shape[0] - 1)
            ok &= ~moving[y, x]
        if ok.any():
            ratios.append(float(np.median(np.log(feet[ok, 2] / mapped[ok]))))
    if len(ratios) < 3:
        return None
    middle = float(np.median(ratios))
    scatter = 1.4826 * float(np.median(np.abs(np.asarray(ratios) - middle)))
    return LogScale(middle, float(np.hypot(PERSON_SIGMA, scatter / np.sqrt(len(ratios)))))


def _spread(rows: list[int], count: int) -> list[int]:
    """At most ``count`` of the rows, evenly."""
    return [rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]


def sample_depth(
    depth: DepthMaps,
    frame: int,
    pixels: Array,
    image_size: tuple[int, int],
    *,
    edge: float = EDGE,
) -> tuple[Array, BoolArray]:
    """Nearest depth (n,) at image pixels (n, 2), and where it is known and on no edge."""
    map_ = depth.depth(frame)
    h, w = map_.shape
    x = np.floor(pixels[:, 0] * (w / image_size[1])).astype(int)
    y = np.floor(pixels[:, 1] * (h / image_size[0])).astype(int)
    inside = (x >= 1) & (y >= 1) & (x < w - 1) & (y < h - 1)
    x, y = np.clip(x, 1, w - 2), np.clip(y, 1, h - 2)
    patch = np.stack([map_[y + j, x + i] for j in (-1, 0, 1) for i in (-1, 0, 1)], -1)
    patch = patch.astype(np.float64)
    known = inside & (np.isfinite(patch) & (patch > 0)).all(-1)
    centre = np.where(known, patch[:, 4], 1.0)
    flat = np.where(known, np.ptp(np.where(known[:, None], patch, 1.0), -1), 0.0) < edge * centre
    return centre, known & flat


def _inside(
    masks: Masks | None, person: int, frame: int, pixels: Array, image_size: tuple[int, int]
) -> BoolArray:
    found: NDArray[np.bool_] | None = None
    if masks is not None:
        found = masks.person(person, frame)
        if found is None:
            found = masks.dynamic(frame)
    if found is None:
        return np.ones(len(pixels), dtype=bool)
    x = np.floor(pixels[:, 0] * found.shape[1] / image_size[1]).astype(int)
    y = np.floor(pixels[:, 1] * found.shape[0] / image_size[0]).astype(int)
    ok = (x >= 0) & (y >= 0) & (x < found.shape[1]) & (y < found.shape[0])
    x, y = np.clip(x, 0, found.shape[1] - 1), np.clip(y, 0, found.shape[0] - 1)
    return np.asarray(ok & found[y, x])
