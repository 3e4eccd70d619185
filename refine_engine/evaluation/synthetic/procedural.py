"""Embedded motion: walking, turning, running, standing and gesturing, sitting down and up.

No recording is needed: a root path, a schedule of footfalls along it, feet that roll from heel to
ball on fixed points of the floor, and legs solved for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from refine_engine.body.model import BodyModel
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


@dataclass(frozen=True)
class Gait:
    """What makes a walk a walk and a run a run."""

    speed: float
    """Metres a second."""
    cycles: float
    """Double steps a second."""
    duty: float
    """Share of a cycle that a foot is on the floor."""
    heel_strike: float
    """Toes up at landing, radians."""
    push_off: float
    """Heel up at lift-off, radians."""
    clearance: float
    """Extra height of a swinging ankle, metres."""
    bob: float
    """Rise and fall of the pelvis, metres."""
    lean: float
    """Forward lean of the trunk, radians."""
    crouch: float
    """Pelvis below straight legs, metres."""
    arm_swing: float
    elbow: float
    turn: float
    """Standard deviation of the turning rate, radians a second."""


def _walk(rng: np.random.Generator, turn: float) -> Gait:
    speed = rng.uniform(0.9, 1.5)
    return Gait(
        speed=speed,
        cycles=0.55 + 0.32 * speed,
        duty=0.62,
        heel_strike=np.deg2rad(rng.uniform(14, 22)),
        push_off=np.deg2rad(rng.uniform(28, 40)),
        clearance=0.06,
        bob=0.012,
        lean=0.03,
        crouch=0.015,
        arm_swing=0.25 + 0.2 * speed,
        elbow=0.35,
        turn=turn,
    )


def _run(rng: np.random.Generator) -> Gait:
    speed = rng.uniform(2.2, 3.0)
    return Gait(
        speed=speed,
        cycles=1.32 + 0.04 * speed,
        duty=0.36,
        heel_strike=np.deg2rad(6),
        push_off=np.deg2rad(42),
        clearance=0.16,
        bob=0.03,
        lean=0.16,
        crouch=0.06,
        arm_swing=0.75,
        elbow=1.4,
        turn=0.15,
    )


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
    return _gait_motion(model, betas, _walk(rng, 0.15), count, fps, rng)


def _turning(
    model: BodyModel, betas: Array, count: int, fps: float, rng: np.random.Generator
) -> BodyMotion:
    return _gait_motion(model, betas, _walk(rng, 0.7), count, fps, rng)


def _running(
    model: BodyModel, betas: Array, count: int, fps: float, rng: np.random.Generator
) -> BodyMotion:
    return _gait_motion(model, betas, _run(rng), count, fps, rng)


def _gait_motion(
    model: BodyModel,
    betas: Array,
    gait: Gait,
    count: int,
    fps: float,
    rng: np.random.Generator,
) -> BodyMotion:
    shape = foot_shape(model, betas)
    path = _root_path(gait, count / fps, rng)
    phase0 = rng.uniform()
    time = np.arange(count) / fps
    phase = gait.cycles * time + phase0
    heading = path.heading(time)

    feet = [_foot_track(shape, gait, path, phase0, side, time) for side in range(2)]
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
    feet = [_standing_foot(shape, side, count, rng) for side in range(2)]
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
    feet = [_standing_foot(shape, side, count, rng) for side in range(2)]
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


@dataclass(frozen=True)
class _Path:
    """Root path over a dense grid of times, longer than the scene on both sides."""

    grid: Array
    places: Array
    headings: Array

    def position(self, time: NDArray[np.floating]) -> Array:
        flat = [np.interp(time, self.grid, self.places[:, k]) for k in range(2)]
        return np.stack([flat[0], np.zeros_like(flat[0]), flat[1]], -1)

    def heading(self, time: NDArray[np.floating]) -> Array:
        return np.asarray(np.interp(time, self.grid, self.headings))


HOME_RADIUS_M = 3.0
"""Paths bend back when they leave a circle of this radius, so that long scenes stay in one room."""


def _root_path(gait: Gait, length: float, rng: np.random.Generator) -> _Path:
    step, margin = 1 / 120, 3.0
    grid = np.arange(-margin, length + margin, step)
    rate = gait.turn * smooth_noise(rng, len(grid), (), 1.0 / step)
    # A runner needs room: the faster, the more the path bends in one direction.
    rate += rng.choice([-1.0, 1.0]) * 0.2 * gait.speed
    pace = gait.speed * (1 + 0.06 * smooth_noise(rng, len(grid), (), 1.0 / step))
    heading = np.zeros(len(grid))
    places = np.zeros((len(grid), 2))
    angle, place = 0.0, np.zeros(2)
    start = int(np.searchsorted(grid, 0.0))
    # Forwards from the start of the scene, then backwards into the margin before it.
    for order, direction in ((range(start, len(grid)), 1.0), (range(start, -1, -1), -1.0)):
        angle, place = 0.0, np.zeros(2)
        for k in order:
            heading[k], places[k] = angle, place
            away = float(np.hypot(place[0], place[1]))
            home = 0.0
            if away > HOME_RADIUS_M and direction > 0:
                bearing = np.arctan2(-place[0], -place[1])
                urge = min((away - HOME_RADIUS_M) / HOME_RADIUS_M, 1.0)
                home = 0.8 * gait.speed * urge * float(np.sin(bearing - angle))
            angle += direction * step * (rate[k] + home)
            place = place + direction * step * pace[k] * np.array([np.sin(angle), np.cos(angle)])
    inside = (grid >= 0) & (grid <= length)
    return _Path(grid, places - places[inside].mean(0), heading)


@dataclass(frozen=True)
class _FootTrack:
    ankle: Array
    foot: Array
    toe: Array
    heel_down: NDArray[np.bool_]
    toe_down: NDArray[np.bool_]


def _standing_foot(shape: FootShape, side: int, count: int, rng: np.random.Generator) -> _FootTrack:
    sign = (1.0, -1.0)[side]
    yaw = rotation_y(np.array(sign * rng.uniform(0.05, 0.3)))
    place = np.array([sign * rng.uniform(0.10, 0.16), shape.ankle_height, rng.uniform(-0.05, 0.05)])
    turn = np.broadcast_to(yaw, (count, 3, 3))
    down = np.ones(count, dtype=np.bool_)
    return _FootTrack(np.broadcast_to(place, (count, 3)), turn, turn, down, down)


HEEL_PHASE, FLAT_PHASE = 0.16, 0.58
"""Shares of the stance at which the foot lies flat, and at which its heel begins to rise."""


def _stance(
    shape: FootShape, gait: Gait, side: int, plant: Array, yaw: Array, u: NDArray[np.floating]
) -> tuple[Array, Array]:
    """Ankle (m, 3) and pitch (m,) of a foot that stands on ``plant``, at shares ``u`` of a stance.

    It rolls over its heel until it is flat, then over the ball; both points stay where they are.
    """
    up = gait.heel_strike * (1 - smoothstep(u / HEEL_PHASE))
    down = (
        gait.push_off
        * smoothstep((u - FLAT_PHASE) / (1.35 - FLAT_PHASE))
        / smoothstep(np.array((1 - FLAT_PHASE) / (1.35 - FLAT_PHASE)))
    )
    pitch = up - down
    turn = yaw @ rotation_x(-pitch)
    heel = np.array([0.0, -shape.ankle_height, shape.heel[side, 2]])
    ball = shape.ball[side]
    pivot = np.where((pitch > 0)[:, None], heel, ball)
    flat = plant + np.array([0.0, shape.ankle_height, 0.0])
    ankle = flat + pivot @ yaw.T - np.einsum("mij,mj->mi", turn, pivot)
    return ankle, pitch


def _foot_track(
    shape: FootShape, gait: Gait, path: _Path, phase0: float, side: int, time: Array
) -> _FootTrack:
    cycle = gait.cycles * time + phase0 - 0.5 * side
    number = np.floor(cycle).astype(int)
    share = cycle - number
    standing = share < gait.duty
    count = len(time)
    ankle, pitch, toe_bend = np.zeros((count, 3)), np.zeros(count), np.zeros(count)
    yaw_angle = np.zeros(count)
    lateral = (1.0, -1.0)[side] * (0.055 if gait.duty < 0.5 else 0.085)

    def plant(k: int) -> tuple[Array, float]:
        middle = np.array((k + 0.5 * side - phase0 + 0.5 * gait.duty) / gait.cycles)
        heading = float(path.heading(middle))
        place = path.position(middle)
        place = place + lateral * np.array([np.cos(heading), 0.0, -np.sin(heading)])
        # Feet point outwards a little.
        return place, heading + (1.0, -1.0)[side] * 0.08

    for k in np.unique(number):
        place, angle = plant(int(k))
        yaw = rotation_y(np.array(angle))
        rows = np.flatnonzero((number == k) & standing)
        if len(rows):
            u = share[rows] / gait.duty
            ankle[rows], pitch[rows] = _stance(shape, gait, side, place, yaw, u)
            toe_bend[rows] = np.minimum(pitch[rows], 0)
            yaw_angle[rows] = angle
        rows = np.flatnonzero((number == k) & ~standing)
        if not len(rows):
            continue
        after, angle_after = plant(int(k) + 1)
        yaw_after = rotation_y(np.array(angle_after))
        w = (share[rows] - gait.duty) / (1 - gait.duty)
        stance_time, swing_time = gait.duty / gait.cycles, (1 - gait.duty) / gait.cycles
        tiny = 1e-3
        edge = np.array([1 - tiny, 1.0])
        a0, p0 = _stance(shape, gait, side, place, yaw, edge)
        a1, p1 = _stance(shape, gait, side, after, yaw_after, np.array([0.0, tiny]))
        slope = swing_time / (tiny * stance_time)
        ankle[rows] = _hermite(w, a0[1], a1[0], (a0[1] - a0[0]) * slope, (a1[1] - a1[0]) * slope)
        ankle[rows, 1] += gait.clearance * np.sin(np.pi * w) ** 2
        pitch[rows] = _hermite(
            w, p0[1:], p1[:1], (p0[1:] - p0[:1]) * slope, (p1[1:] - p1[:1]) * slope
        )[:, 0]
        toe_bend[rows] = min(p0[1], 0.0) * (1 - smoothstep(2.0 * w))
        difference = (angle_after - angle + np.pi) % (2 * np.pi) - np.pi
        yaw_angle[rows] = angle + difference * smoothstep(w)
    turn = rotation_y(yaw_angle) @ rotation_x(-pitch)
    toe = turn @ rotation_x(toe_bend)
    u = share / gait.duty
    return _FootTrack(
        ankle,
        turn,
        toe,
        heel_down=standing & (u >= HEEL_PHASE) & (u <= FLAT_PHASE),
        toe_down=standing & (u >= HEEL_PHASE),
    )


def _hermite(w: Array, p0: Array, p1: Array, m0: Array, m1: Array) -> Array:
    """Cubic with these ends and end slopes at shares ``w`` (m,) of the way."""
    w = w[:, None]
    return np.asarray(
        (1 + 2 * w) * (1 - w) ** 2 * p0
        + w * (1 - w) ** 2 * m0
        + w**2 * (3 - 2 * w) * p1
        + w**2 * (w - 1) * m1
    )


def _planted(
    shape: FootShape, rotations: Array, pelvis: Array, feet: list[_FootTrack], betas: Array
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
