"""Embedded motion: walking, turning, running, standing and gesturing, sitting down and up.

No recording is needed: a root path, a schedule of footfalls along it, feet that roll from heel to
ball on fixed points of the floor, and legs solved for them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from refine_engine.body.model import BodyModel
from refine_engine.evaluation.synthetic.footfalls import FootTrack, foot_track, standing_foot
from refine_engine.evaluation.synthetic.gait import Gait, draw_path, draw_run, draw_walk
from refine_engine.evaluation.synthetic.legs import (
    FootShape,
    foot_shape,
    lowered_pelvis,
    with_legs,
)
from refine_engine.evaluation.synthetic.motion import (
    BodyMotion,
    rotation_x,
    rotation_y,
    smooth_noise,
    smoothstep,
)
from refine_engine.geometry.rotations import exp_so3

Array = NDArray[np.float64]


def make_procedural(
    model: BodyModel, betas: Array, kind: str, count: int, fps: float, rng: np.random.Generator
) -> BodyMotion:
    """One motion of ``count`` frames that starts near the origin.

    Parameters
    ----------
    model, betas
        The body.
    kind
        One of :data:`KINDS`.
    count, fps
        Frames and frames a second.
    rng
        Every choice is drawn from it.
    """
    return KINDS[kind](model, betas, count, fps, rng)


def _walking(
    model: BodyModel, betas: Array, count: int, fps: float, rng: np.random.Generator
) -> BodyMotion:
    return _gait_motion(model, betas, draw_walk(rng, 0.15), count, fps, rng)


def _turning(
    model: BodyModel, betas: Array, count: int, fps: float, rng: np.random.Generator
) -> BodyMotion:
    return _gait_motion(model, betas, draw_walk(rng, 0.7), count, fps, rng)


def _running(
    model: BodyModel, betas: Array, count: int, fps: float, rng: np.random.Generator
) -> BodyMotion:
    return _gait_motion(model, betas, draw_run(rng), count, fps, rng)


def _gait_motion(
    model: BodyModel,
    betas: Array,
    gait: Gait,
    count: int,
    fps: float,
    rng: np.random.Generator,
) -> BodyMotion:
    shape = foot_shape(model, betas)
    path = draw_path(gait, count / fps, rng)
    phase0 = rng.uniform()
    time = np.arange(count) / fps
    phase = gait.cycles * time + phase0
    heading = path.heading(time)

    feet = [foot_track(shape, gait, path, phase0, side, time) for side in range(2)]
    ankles = np.stack([f.ankle for f in feet], 1)
    swing = 2 * np.pi * phase
    sway = -0.02 * np.sin(swing + 0.3)  # towards the standing foot; positive is the left
    pelvis = path.position(time)
    pelvis += sway[:, None] * np.stack([np.cos(heading), 0 * heading, -np.sin(heading)], -1)
    hip_drop = shape.joints[0, 1] - shape.joints[1, 1]
    pelvis[:, 1] = shape.ankle_height + shape.leg_length - gait.crouch + hip_drop
    pelvis[:, 1] -= gait.bob * np.cos(2 * swing)
    facing = gaussian_filter1d(heading, 0.1 * fps, mode="nearest")
    rotations = np.tile(np.eye(3), (count, 24, 1, 1))
    twist, roll = 0.09 * np.sin(swing), 0.04 * np.sin(swing + 0.6)
    rotations[:, 0] = (
        rotation_y(facing + twist) @ _rotation_z(roll) @ rotation_x(np.full(count, 0.4 * gait.lean))
    )
    for joint in (3, 6, 9):
        rotations[:, joint] = rotation_y(-0.7 * twist) @ _rotation_z(-0.33 * roll)
        rotations[:, joint] = rotations[:, joint] @ rotation_x(np.full(count, 0.25 * gait.lean))
    rotations[:, 15] = rotation_x(np.full(count, -0.5 * gait.lean))
    reach = gait.arm_swing * np.cos(swing)
    bend = gait.elbow
    _hang_arm(rotations, 0, 1.25, reach, bend - 0.3 * gait.arm_swing * np.cos(swing))
    _hang_arm(rotations, 1, 1.25, -reach, bend + 0.3 * gait.arm_swing * np.cos(swing))
    _fidget(rotations, 0.02, fps, rng)

    pelvis = lowered_pelvis(shape, rotations[:, 0], pelvis, ankles, 0.08 * fps)
    return _planted(shape, rotations, pelvis, feet, betas)


def _standing(
    model: BodyModel, betas: Array, count: int, fps: float, rng: np.random.Generator
) -> BodyMotion:
    shape = foot_shape(model, betas)
    feet = [standing_foot(shape, side, count, rng) for side in range(2)]
    shift = smooth_noise(rng, count, (2,), 0.6 * fps)
    pelvis = np.zeros((count, 3))
    pelvis[:, 0], pelvis[:, 2] = 0.03 * shift[:, 0], 0.01 * shift[:, 1] + 0.02
    pelvis[:, 1] = shape.ankle_height + shape.leg_length - 0.02
    pelvis[:, 1] += shape.joints[0, 1] - shape.joints[1, 1]
    rotations = np.tile(np.eye(3), (count, 24, 1, 1))
    body = smooth_noise(rng, count, (3,), 0.5 * fps)
    rotations[:, 0] = exp_so3(np.array([0.03, 0.1, 0.03]) * body)
    for joint in (3, 6, 9):
        turn = smooth_noise(rng, count, (3,), 0.5 * fps)
        rotations[:, joint] = exp_so3(np.array([0.04, 0.1, 0.03]) * turn)
    looking = smooth_noise(rng, count, (3,), 0.4 * fps)
    rotations[:, 15] = exp_so3(np.array([0.1, 0.25, 0.05]) * looking)
    for side in range(2):
        wave = smooth_noise(rng, count, (3,), 0.3 * fps)
        _hang_arm(
            rotations,
            side,
            1.2 - 0.5 * np.clip(wave[:, 0], 0, 1.6),
            -0.35 - 0.35 * wave[:, 1],
            0.9 + 0.55 * np.clip(wave[:, 2], -1.2, 2),
        )
    _fidget(rotations, 0.02, fps, rng)
    ankles = np.stack([f.ankle for f in feet], 1)
    pelvis = lowered_pelvis(shape, rotations[:, 0], pelvis, ankles, 0.15 * fps)
    return _planted(shape, rotations, pelvis, feet, betas)


def _sitting(
    model: BodyModel, betas: Array, count: int, fps: float, rng: np.random.Generator
) -> BodyMotion:
    shape = foot_shape(model, betas)
    feet = [standing_foot(shape, side, count, rng) for side in range(2)]
    time = np.arange(count) / fps
    length = count / fps
    stages = np.array([0.08, 0.42, 0.62, 0.96]) * min(length, 6.0)
    seated = smoothstep((time - stages[0]) / (stages[1] - stages[0]))
    seated = seated - smoothstep((time - stages[2]) / (stages[3] - stages[2]))
    if rng.uniform() < 0.5 and length < 6.0:  # half of the people begin on their chair
        seated = 1.0 - seated
    moving = 4 * seated * (1 - seated)
    hip_drop = shape.joints[0, 1] - shape.joints[1, 1]
    standing = shape.ankle_height + shape.leg_length - 0.02 + hip_drop
    sitting = seat_height(shape) + 0.10
    pelvis = np.zeros((count, 3))
    pelvis[:, 1] = standing + (sitting - standing) * seated
    pelvis[:, 2] = 0.02 - 0.42 * seated
    lean = 0.7 * moving + 0.05 * seated
    rotations = np.tile(np.eye(3), (count, 24, 1, 1))
    rotations[:, 0] = rotation_x(0.75 * lean - 0.15 * seated)
    for joint in (3, 6, 9):
        rotations[:, joint] = rotation_x(0.12 * lean + 0.04 * seated)
    rotations[:, 15] = rotation_x(-0.4 * lean)
    for side in range(2):
        wave = smooth_noise(rng, count, (2,), 0.5 * fps)
        _hang_arm(
            rotations,
            side,
            1.28 - 0.05 * seated,
            -0.1 - 0.55 * seated - 0.4 * moving + 0.08 * wave[:, 0],
            0.25 + 0.75 * seated + 0.1 * wave[:, 1],
        )
    _fidget(rotations, 0.02, fps, rng)
    ankles = np.stack([f.ankle for f in feet], 1)
    pelvis = lowered_pelvis(shape, rotations[:, 0], pelvis, ankles, 0.15 * fps)
    return _planted(shape, rotations, pelvis, feet, betas)


def seat_height(shape: FootShape) -> float:
    """Height of a chair that suits this body: its knees, less the thickness of a thigh."""
    return float(shape.joints[4, 1] - shape.sole) - 0.06


Maker = Callable[[BodyModel, Array, int, float, np.random.Generator], BodyMotion]

KINDS: dict[str, Maker] = {
    "walk": _walking,
    "turn": _turning,
    "run": _running,
    "gesture": _standing,
    "sit": _sitting,
}
"""Every embedded motion by name."""


def _planted(
    shape: FootShape, rotations: Array, pelvis: Array, feet: list[FootTrack], betas: Array
) -> BodyMotion:
    """Solve the legs; knees point where pelvis and foot point together."""
    transl = pelvis - shape.joints[0]
    guess = rotations.copy()
    for side, track in enumerate(feet):
        knee = (4, 5)[side]
        guess[:, knee] = np.eye(3)
        forward = track.foot[:, :, 2] + rotations[:, 0, :, 2]
        facing = rotation_y(np.arctan2(forward[:, 0], forward[:, 2]))
        hip = (1, 2)[side]
        guess[:, hip] = np.swapaxes(rotations[:, 0], -1, -2) @ facing
    solved = with_legs(
        shape,
        guess,
        transl,
        np.stack([f.ankle for f in feet], 1),
        np.stack([f.foot for f in feet], 1),
        np.stack([f.toe for f in feet], 1),
    )
    contacts = np.stack(
        [feet[0].heel_down, feet[0].toe_down, feet[1].heel_down, feet[1].toe_down], -1
    )
    return BodyMotion(solved, transl, betas, contacts)


def _rotation_z(angle: NDArray[np.floating]) -> Array:
    return exp_so3(np.asarray(angle)[..., None] * np.array([0.0, 0.0, 1.0]))


def _hang_arm(
    rotations: Array,
    side: int,
    lowered: float | Array,
    backwards: Array,
    elbow: float | Array,
) -> None:
    """Write one arm: lowered from the T-pose, swung backwards, its elbow bent (radians)."""
    sign = (1.0, -1.0)[side]
    shoulder, joint = (16, 17)[side], (18, 19)[side]
    count = len(rotations)
    down = _rotation_z(np.broadcast_to(-sign * np.asarray(lowered), (count,)))
    rotations[:, shoulder] = rotation_x(np.broadcast_to(backwards, (count,))) @ down
    rotations[:, joint] = rotation_y(np.broadcast_to(-sign * np.asarray(elbow), (count,)))


def _fidget(rotations: Array, size: float, fps: float, rng: np.random.Generator) -> None:
    """Small smooth movements of every joint above the legs."""
    joints = [3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]
    noise = size * smooth_noise(rng, len(rotations), (len(joints), 3), 0.25 * fps)
    rotations[:, joints] = rotations[:, joints] @ exp_so3(noise)
