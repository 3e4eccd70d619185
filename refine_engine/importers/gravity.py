"""Which way is up: from how people stand, and from the floor that their feet touch (B19)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.planes import tangent_basis
from refine_engine.importers.stance import BodyTrack, unit_from_feet

if TYPE_CHECKING:
    from refine_engine.scene import Array, BoolArray, IntArray

PELVIS, NECK = 0, 12
HIPS, KNEES, ANKLES, FEET = (1, 2), (4, 5), (7, 8), (10, 11)
_STRAIGHT = np.cos(np.deg2rad(30.0))
_ENOUGH_ROWS = 5
_LEAN_RAD = np.deg2rad(6.0)
"""How far one person's mean posture leans from the vertical (standard deviation)."""
_FLOOR_M = 0.05
"""How far the lower foot of an upright person is from the floor (metres)."""
_PERSON_M = 0.10
"""How far one person's feet are off the common floor, because their distance is (metres)."""


@dataclass(frozen=True)
class Upward:
    """An estimate of the direction against gravity in the reconstruction's world."""

    direction: Array
    """(3,) unit vector."""
    rows: int
    """Upright rows that it rests on; 0 where it is the cameras' own up."""
    people: int
    """How many people they belong to."""
    floor: bool
    """Whether the feet's floor took part."""


def estimate_up(people: Mapping[int, BodyTrack], R: Array, t: Array) -> Upward:
    """Estimate up from bodies, the floor under their feet and, failing these, the cameras.

    Parameters
    ----------
    people
        Joints in the camera frame.
    R, t
        Reconstruction world to camera (T, 3, 3), (T, 3).

    Notes
    -----
    Upright rows (trunk over legs, a straight leg) each give the direction from the ankles to the
    neck; a robust mean over them is the first estimate.  A plane through the lower foot of every
    row then corrects it: rows of one person share an offset, since a person at a wrong distance
    stands wholly above or below the others' floor.  The cameras' unit is taken from standing
    feet; where these say nothing the camera hardly moves and the unit does not matter.
    """
    cameras_up = _mean_direction(-R[:, 1])
    directions, ids, lower = [], [], []
    for number, (_, person) in enumerate(sorted(people.items())):
        upright = _upright(person.joints_cam)
        frames = person.frames[upright]
        joints = person.joints_cam[upright]
        ankles = joints[:, ANKLES].mean(1)
        directions.append(np.einsum("tji,tj->ti", R[frames], joints[:, NECK] - ankles))
        lower.append((frames, joints[:, FEET]))
        ids.append(np.full(len(frames), number))
    rows = sum(map(len, ids))
    if rows < _ENOUGH_ROWS:
        return Upward(cameras_up, 0, 0, floor=False)
    standing = _mean_direction(np.concatenate(directions))
    up = standing
    owner = np.concatenate(ids)
    num_people = len(np.unique(owner))
    alpha = unit_from_feet(people.values(), R, t) or 1.0
    feet = np.concatenate(
        [np.einsum("tji,tkj->tki", R[f], x - alpha * t[f][:, None]) for f, x in lower]
    )
    lean = _LEAN_RAD / np.sqrt(num_people)
    for _ in range(3):
        heights = feet @ up
        lowest = feet[np.arange(rows), heights.argmin(1)]
        up = _tilted_to_floor(standing, lowest, owner, lean)
    return Upward(up, rows, num_people, floor=True)


def rotation_to_y_up(up: Array) -> Array:
    """Rotation (3, 3) that takes ``up`` to +Y and keeps the heading of the world's X axis.

    A first camera that is level gives exactly ``diag(1, -1, -1)``.
    """
    y = up / np.linalg.norm(up)
    # With a camera rolled onto its side X is vertical; Z keeps the heading then.
    axis = np.array([1.0, 0.0, 0.0]) if abs(y[0]) < 0.9 else np.array([0.0, 0.0, -1.0])
    x = axis - y * (axis @ y)
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)])


def _upright(joints: Array) -> BoolArray:
    """Rows (n,) whose trunk is in line with the legs and whose straighter leg is straight."""

    def cosine(a: Array, b: Array) -> Array:
        scale = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
        return np.asarray((a * b).sum(-1) / np.maximum(scale, 1e-9))

    hips = joints[:, HIPS].mean(1)
    trunk = joints[:, NECK] - joints[:, PELVIS]
    thigh = joints[:, HIPS] - joints[:, KNEES]
    shank = joints[:, KNEES] - joints[:, ANKLES]
    legs = hips - joints[:, ANKLES].mean(1)
    straight = cosine(thigh, shank).max(-1) > _STRAIGHT
    return np.asarray(straight & (cosine(trunk, legs) > _STRAIGHT))


def _mean_direction(vectors: Array) -> Array:
    """Robust mean (3,) of directions (n, 3)."""
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    mean: Array = np.median(units, axis=0)
    for _ in range(20):
        mean /= max(float(np.linalg.norm(mean)), 1e-9)
        apart = 1.0 - units @ mean
        # 1 - cos is half the squared angle; rows more than about 8 degrees off lose weight.
        weight = 1.0 / (1.0 + apart / 0.01)
        mean = np.asarray((weight[:, None] * units).sum(0) / weight.sum())
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9))


def _tilted_to_floor(up: Array, points: Array, owner: IntArray, lean: float) -> Array:
    """``up`` tilted so that points (n, 3) lie in planes of equal slope, one offset a person."""
    basis = tangent_basis(up)
    count = int(owner.max()) + 1
    rows = len(points)
    # Neighbouring frames repeat the same evidence: a person counts like ten independent rows.
    per_person = np.bincount(owner, minlength=count)
    repeat = np.minimum(1.0, 10.0 / np.maximum(per_person, 1))[owner]
    A = np.zeros((rows, 3 + count))
    A[:, :2] = (points - points.mean(0)) @ basis.T
    A[:, 2] = 1.0
    A[np.arange(rows), 3 + owner] = 1.0
    heights = points @ up
    prior = np.diag([1 / lean**2, 1 / lean**2, 1e-6, *np.full(count, 1 / _PERSON_M**2)])
    solution: Array = np.zeros(3 + count)
    solution[2] = -np.median(heights)
    for _ in range(15):
        residual = heights + A @ solution
        weight = repeat / (1.0 + (residual / _FLOOR_M) ** 2) / _FLOOR_M**2
        normal = A.T @ (weight[:, None] * A) + prior
        solution = np.asarray(np.linalg.solve(normal, -(A.T @ (weight * heights))))
    tilted = up + basis.T @ solution[:2]
    return np.asarray(tilted / np.linalg.norm(tilted))
