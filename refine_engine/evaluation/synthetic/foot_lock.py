"""Feet of a recorded motion put on the floor and kept where they stand.

Recordings slide a few millimetres a frame and their feet lie some millimetres under the floor.
Before such a motion is called ground truth, every stance is pinned: to the heel while only the
heel is down, to the ball while only the toes are, and flat in between; the legs are solved again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from refine_engine.body import BodyModel, joint_kinematics
from refine_engine.evaluation.synthetic.legs import (
    ANKLES,
    TOES,
    FootShape,
    foot_shape,
    lowered_pelvis,
    with_legs,
)
from refine_engine.evaluation.synthetic.motion import BodyMotion, rotation_y, smoothstep
from refine_engine.geometry.rotations import exp_so3, log_so3

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SLOW_M_S = 0.25
"""A heel or toe that stands moves more slowly than this in a recording."""
LOW_M = 0.05
"""... and is at most this much higher than when it stands flat."""
SHORTEST_S = 0.1
"""Shorter stances are passing by, not standing."""
BLEND_S = 0.13
"""Time over which a foot turns from its recorded to its flat direction before it stands."""


def lock_feet(
    model: BodyModel, betas: Array, rotations: Array, pelvis: Array, fps: float
) -> BodyMotion:
    """Retarget a recorded motion to a body and lock its feet.

    Parameters
    ----------
    model, betas
        The body that is to move; the recording is of the mean body, so paths are scaled by the
        length of the legs.
    rotations, pelvis
        (n, 24, 3, 3) and (n, 3) metres, Y up, floor near y = 0.
    fps
        Frames a second.
    """
    shape = foot_shape(model, betas)
    scale = shape.leg_length / foot_shape(model, np.zeros(10)).leg_length
    pelvis = scale * pelvis
    transl = pelvis - shape.joints[0]
    posed = joint_kinematics(shape.joints, rotations[:, 0], rotations[:, 1:], transl)
    floor = _floor_height(shape, posed.rotations, posed.positions, fps)
    pelvis = pelvis - [0.0, floor, 0.0]
    positions = posed.positions - [0.0, floor, 0.0]

    ankles, feet, toes = [], [], []
    contacts = np.zeros((len(pelvis), 4), dtype=np.bool_)
    for side in range(2):
        heel, toe = _contacts(shape, side, posed.rotations, positions, fps)
        foot_turn, toe_turn = _flat_feet(
            posed.rotations[:, ANKLES[side]], posed.rotations[:, TOES[side]], heel, toe, fps
        )
        ankles.append(
            _pinned(shape, side, positions[:, ANKLES[side]], foot_turn, toe_turn, heel, toe)
        )
        feet.append(foot_turn)
        toes.append(toe_turn)
        contacts[:, 2 * side], contacts[:, 2 * side + 1] = heel & toe, toe
    target = np.stack(ankles, 1)
    # The pelvis follows the mean correction of the feet, so that legs neither stretch nor fold.
    shift = (target - positions[:, list(ANKLES)]).mean(1)
    pelvis = pelvis + gaussian_filter1d(shift, 0.15 * fps, axis=0, mode="nearest")
    pelvis = lowered_pelvis(shape, rotations[:, 0], pelvis, target, 0.1 * fps)
    transl = pelvis - shape.joints[0]
    solved = with_legs(shape, rotations, transl, target, np.stack(feet, 1), np.stack(toes, 1))
    return BodyMotion(solved, transl, betas, contacts)


def _points(shape: FootShape, side: int, turns: Array, positions: Array) -> Array:
    """Heel and toe landmarks (n, 2, 3)."""
    heel = positions[:, ANKLES[side]] + turns[:, ANKLES[side]] @ shape.heel[side]
    toe = positions[:, TOES[side]] + turns[:, TOES[side]] @ shape.toe[side]
    return np.stack([heel, toe], 1)


def _rest_heights(shape: FootShape, side: int) -> Array:
    """Heights (2,) of heel and toe landmarks over the floor when the foot stands flat."""
    heel = shape.joints[ANKLES[side], 1] + shape.heel[side, 1]
    toe = shape.joints[TOES[side], 1] + shape.toe[side, 1]
    return np.array([heel, toe]) - shape.sole


def _speeds(points: Array, fps: float) -> Array:
    smooth = gaussian_filter1d(points, 1.0 / 30 * fps, axis=0, mode="nearest")
    return np.asarray(np.linalg.norm(np.gradient(smooth, axis=0), axis=-1) * fps)


def _floor_height(shape: FootShape, turns: Array, positions: Array, fps: float) -> float:
    """Median height of the soles where feet are slow and low."""
    heights, slow = [], []
    for side in range(2):
        points = _points(shape, side, turns, positions)
        heights.append(points[..., 1] - _rest_heights(shape, side))
        slow.append(_speeds(points, fps) < SLOW_M_S)
    height, standing = np.concatenate(heights, 1), np.concatenate(slow, 1)
    lowest = float(np.percentile(height, 5))
    standing &= height < lowest + LOW_M
    return float(np.median(height[standing])) if standing.any() else lowest


def _contacts(
    shape: FootShape, side: int, turns: Array, positions: Array, fps: float
) -> tuple[BoolArray, BoolArray]:
    points = _points(shape, side, turns, positions)
    low = points[..., 1] < _rest_heights(shape, side) + LOW_M
    down = low & (_speeds(points, fps) < SLOW_M_S)
    shortest = max(2, round(SHORTEST_S * fps))
    for k in range(2):
        for start, end in runs(~down[:, k]):
            if end - start <= 0.07 * fps and start > 0 and end < len(down):
                down[start:end, k] = True
        for start, end in runs(down[:, k]):
            if end - start < shortest:
                down[start:end, k] = False
    return down[:, 0], down[:, 1]


def runs(flags: BoolArray) -> list[tuple[int, int]]:
    """Half-open ranges of consecutive true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _flat_feet(
    foot: Array, toe: Array, heel_down: BoolArray, toe_down: BoolArray, fps: float
) -> tuple[Array, Array]:
    """Global rotations of foot and toes, flat and still where they stand, blended outside."""
    blend = max(1, round(BLEND_S * fps))
    heading = np.arctan2(foot[:, 0, 2], foot[:, 2, 2])
    still_feet: list[tuple[int, int, Array]] = []
    still_toes: list[tuple[int, int, Array]] = []
    for start, end in runs(heel_down | toe_down):
        flat_rows = start + np.flatnonzero((heel_down & toe_down)[start:end])
        rows = flat_rows if len(flat_rows) else np.arange(start, end)
        mean = np.arctan2(np.sin(heading[rows]).mean(), np.cos(heading[rows]).mean())
        flat = rotation_y(np.array(mean))
        if len(flat_rows):
            still_feet.append((int(flat_rows[0]), int(flat_rows[-1]) + 1, flat))
        toe_rows = start + np.flatnonzero(toe_down[start:end])
        if len(toe_rows):
            still_toes.append((int(toe_rows[0]), int(toe_rows[-1]) + 1, flat))
    return _held(foot, still_feet, blend), _held(toe, still_toes, blend)


def _held(recorded: Array, still: list[tuple[int, int, Array]], blend: int) -> Array:
    """Rotations that are ``flat`` on each [start, end); corrections fade out on both sides."""
    result = recorded.copy()
    held = np.zeros(len(recorded), dtype=np.bool_)
    for start, end, flat in still:
        result[start:end] = flat
        held[start:end] = True
    for start, end, flat in still:
        for edge, step in ((start, -1), (end - 1, 1)):
            correction = log_so3(recorded[edge].T @ flat)
            for k in range(1, blend):
                row = edge + step * k
                if not 0 <= row < len(result) or held[row]:
                    break
                weight = float(1 - smoothstep(np.array(k / blend)))
                result[row] = result[row] @ exp_so3(weight * correction)
    return result


def _pinned(
    shape: FootShape,
    side: int,
    ankle: Array,
    foot: Array,
    toe: Array,
    heel_down: BoolArray,
    toe_down: BoolArray,
) -> Array:
    """Ankle positions (n, 3) whose heels and balls stay where they are while they are down."""
    count = len(ankle)
    heel = np.array([0.0, -shape.ankle_height, shape.heel[side, 2]])
    ball = shape.ball[side]
    correction = np.zeros((count, 3))
    known = np.zeros(count, dtype=np.bool_)
    for start, end in runs(heel_down | toe_down):
        path = np.empty((end - start, 3))
        place = ankle[start]
        for row in range(start, end):
            pivot = ball if toe_down[row] else heel
            if row > start:
                # The pivot of this frame stays where it was one frame ago.
                place = place + (foot[row - 1] - foot[row]) @ pivot
            height = shape.ankle_height + ball[1] if toe_down[row] else 0.0
            path[row - start] = [place[0], height - (foot[row] @ pivot)[1], place[2]]
        shift = ankle[start:end] - path
        path[:, [0, 2]] += shift[:, [0, 2]].mean(0)
        correction[start:end] = path - ankle[start:end]
        known[start:end] = True
    if known.any():
        correction = _between(correction, known)
    result = ankle + correction
    # What still dips under the floor while it swings is lifted.
    low = np.minimum(
        (result + foot @ heel)[:, 1],
        (result + foot @ ball + toe @ (shape.toe[side]))[:, 1] - _rest_heights(shape, side)[1],
    )
    lift = np.where(known, 0.0, np.maximum(-low, 0.0))
    result[:, 1] += np.where(known, 0.0, np.maximum(gaussian_filter1d(lift, 1.0), lift))
    return result


def _between(correction: Array, known: BoolArray) -> Array:
    """Corrections carried smoothly across the frames where the foot swings."""
    filled = correction.copy()
    for start, end in runs(~known):
        if start == 0:
            filled[:end] = correction[end]
        elif end == len(known):
            filled[start:] = correction[start - 1]
        else:
            share = smoothstep((np.arange(start, end) - start + 1) / (end - start + 1))[:, None]
            filled[start:end] = (1 - share) * correction[start - 1] + share * correction[end]
    return filled
