"""Reconstruction chunks: where they begin, and how they are joined into one world (B5).

The upstream writer reconstructs long videos in runs of 200 frames and appends the results; every
run begins again at its own identity and in its own unit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.cameras import camera_centers
from refine_engine.geometry.rotations import exp_so3, geodesic_angle, log_so3
from refine_engine.importers.stance import BodyTrack, unit_from_feet

if TYPE_CHECKING:
    from refine_engine.scene import Array, IntArray

CHUNK_FRAMES = 200
"""Frames that the upstream writer reconstructs at once."""
_RESTART_RAD = np.deg2rad(1.0)
_RESTART_UNITS = 0.02
_JUMP = 8.0
"""How many times the median step a jump is."""
_LEAST_TURN_RAD = np.deg2rad(0.3)
_LEAST_STEP = 0.01
_DEPTH_JUMP = 0.03
"""Relative change of the static scene's depth between two frames that betrays a new unit."""
_AVERAGED_STEPS = 3
_BODIES_DISAGREE_RAD = np.deg2rad(12.0)
_BODIES_DISAGREE_M = 0.5

DepthRatio = Callable[[int], float | None]
"""Frame b -> median depth of frame b-1 over that of b in the static scene; None where unknown."""


@dataclass(frozen=True)
class Join:
    """How one chunk was put behind the one before."""

    frame: int
    """Its first frame."""
    scale: float
    """Units of the first chunk per unit of this one."""
    scale_from: str
    """"depth", "standing feet" or "" where nothing says and 1 is taken."""
    pose_from: str
    """"camera" (its motion continues) or "bodies" (which disagreed with it)."""


@dataclass(frozen=True)
class JoinedCameras:
    """One camera track through all chunks, in the world and unit of the first."""

    R: Array
    t: Array
    chunk: IntArray
    """(T,) chunk number of each frame."""
    frame_scale: Array
    """(T,) units of the first chunk per unit of the frame's own."""
    joins: tuple[Join, ...]


def find_chunks(R: Array, t: Array, depth_ratio: DepthRatio | None = None) -> list[int]:
    """First frames of the second and later chunks.

    A chunk begins where the pose falls back to the identity with a jump, at a jump at a multiple
    of 200, or, under a static camera, where depth changes its unit at a multiple of 200.
    """
    T = len(R)
    if T < 3:
        return []
    turn = geodesic_angle(R[:-1], R[1:])
    step = np.linalg.norm(np.diff(camera_centers(R, t), axis=0), axis=-1)
    jumps = (turn > np.maximum(_JUMP * np.median(turn), _LEAST_TURN_RAD)) | (
        step > np.maximum(_JUMP * np.median(step), _LEAST_STEP)
    )
    restart = (geodesic_angle(np.eye(3), R) < _RESTART_RAD) & (
        np.linalg.norm(t, axis=-1) < _RESTART_UNITS + 2 * np.linalg.norm(t[0])
    )
    frames = np.arange(1, T)
    at_multiple = frames % CHUNK_FRAMES == 0
    # A camera at rest is near the identity all the time: a glitch of it is no restart.
    begins = jumps & ((restart[1:] & ~restart[:-1]) | at_multiple)
    if depth_ratio is not None:
        for frame in frames[at_multiple & ~begins].tolist():
            across, before = depth_ratio(frame), depth_ratio(frame - 1)
            if across is None or before is None:
                continue
            change = abs(np.log(across))
            begins[frame - 1] = change > _DEPTH_JUMP and change > _JUMP * abs(np.log(before))
    return [int(frame) for frame in frames[begins]]


def join_chunks(
    R: Array,
    t: Array,
    begins: Iterable[int],
    people: Mapping[int, BodyTrack],
    depth_ratio: DepthRatio | None = None,
) -> JoinedCameras:
    """Put all chunks into the world and unit of the first.

    The unit of a chunk follows from the depth of the static scene on both sides of the border,
    else from the feet that stand still in it.  Its pose continues the camera's own motion (mean of
    the steps before and after); people seen on both sides check it and replace it where they
    contradict.
    """
    T = len(R)
    R, t = R.copy(), t.copy()
    chunk = np.zeros(T, dtype=np.int64)
    frame_scale = np.ones(T)
    joins = []
    borders = [*begins, T]
    first_unit: float | None = None
    for number, (begin, end) in enumerate(itertools.pairwise(borders), 1):
        own = slice(begin, end)
        scale, scale_from = 1.0, ""
        ratio = None if depth_ratio is None else depth_ratio(begin)
        if ratio is not None:
            scale, scale_from = ratio * float(frame_scale[begin - 1]), "depth"
        else:
            if first_unit is None:
                first_unit = _unit(people, R, t, 0, begin)
            unit = _unit(people, R, t, begin, end)
            if unit is not None and first_unit is not None:
                scale, scale_from = unit / first_unit, "standing feet"
        t[own] *= scale
        frame_scale[own] = scale
        chunk[own] = number
        turn, shift, pose_from = _border_step(R, t, begin, end, people)
        R_begin = turn @ R[begin - 1]
        t_begin = turn @ t[begin - 1] + shift
        # G_t <- (G_t G_begin^-1) G_new
        step_R = R[own] @ R[begin].T
        step_t = t[own] - step_R @ t[begin]
        R[own], t[own] = step_R @ R_begin, step_R @ t_begin + step_t
        joins.append(Join(begin, scale, scale_from, pose_from))
    return JoinedCameras(R, t, chunk, frame_scale, tuple(joins))


def _unit(
    people: Mapping[int, BodyTrack], R: Array, t: Array, begin: int, end: int
) -> float | None:
    inside = []
    for person in people.values():
        rows = (person.frames >= begin) & (person.frames < end)
        inside.append(BodyTrack(person.frames[rows], person.joints_cam[rows]))
    return unit_from_feet(inside, R, t)


def _border_step(
    R: Array, t: Array, begin: int, end: int, people: Mapping[int, BodyTrack]
) -> tuple[Array, Array, str]:
    """Rotation and shift from the camera before the border to the one behind it."""
    turns, shifts = [], []
    for k in range(1, _AVERAGED_STEPS + 1):
        for later in (begin - k, begin + k):
            same = later - 1 >= 0 and later < end and later != begin
            if same:
                step = R[later] @ R[later - 1].T
                turns.append(log_so3(step))
                shifts.append(t[later] - step @ t[later - 1])
    turn = exp_so3(np.mean(turns, axis=0)) if turns else np.eye(3)
    shift = np.mean(shifts, axis=0) if shifts else np.zeros(3)
    bodies = _bodies_step(begin, people)
    if bodies is not None:
        turn_bodies, shift_bodies, centre = bodies
        apart = np.linalg.norm((turn - turn_bodies) @ centre + shift - shift_bodies)
        angle = float(geodesic_angle(turn, turn_bodies))
        if angle > _BODIES_DISAGREE_RAD or apart > _BODIES_DISAGREE_M:
            return turn_bodies, shift_bodies, "bodies"
    return turn, shift, "camera"


def _bodies_step(begin: int, people: Mapping[int, BodyTrack]) -> tuple[Array, Array, Array] | None:
    """Rigid motion that carries the bodies before the border onto those behind it."""
    before, after = [], []
    for person in people.values():
        row = int(np.searchsorted(person.frames, begin))
        if 0 < row < len(person.frames) and tuple(person.frames[row - 1 : row + 1]) == (
            begin - 1,
            begin,
        ):
            before.append(person.joints_cam[row - 1])
            after.append(person.joints_cam[row])
    if not before:
        return None
    a, b = np.concatenate(before), np.concatenate(after)
    mean_a, mean_b = a.mean(0), b.mean(0)
    u, _, vt = np.linalg.svd((b - mean_b).T @ (a - mean_a))
    turn = u @ np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))]) @ vt
    return turn, mean_b - turn @ mean_a, mean_a
