"""Where feet stand and how they get there: heel, flat, ball, swing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.synthetic.gait import Gait, RootPath
from refine_engine.evaluation.synthetic.legs import FootShape
from refine_engine.evaluation.synthetic.motion import rotation_x, rotation_y, smoothstep

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FootTrack:
    """One foot in every frame."""

    ankle: Array
    """(n, 3) metres."""
    foot: Array
    """(n, 3, 3) global rotation of the ankle joint."""
    toe: Array
    """(n, 3, 3) global rotation of the toe joint."""
    heel_down: NDArray[np.bool_]
    """(n,) the heel stands still."""
    toe_down: NDArray[np.bool_]
    """(n,) the toes stand still."""


def standing_foot(shape: FootShape, side: int, count: int, rng: np.random.Generator) -> FootTrack:
    """A foot that stays where it is; side 0 is the left."""
    sign = (1.0, -1.0)[side]
    yaw = rotation_y(np.array(sign * rng.uniform(0.05, 0.3)))
    place = np.array([sign * rng.uniform(0.10, 0.16), shape.ankle_height, rng.uniform(-0.05, 0.05)])
    turn = np.broadcast_to(yaw, (count, 3, 3))
    down = np.ones(count, dtype=np.bool_)
    return FootTrack(np.broadcast_to(place, (count, 3)), turn, turn, down, down)


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


def foot_track(
    shape: FootShape, gait: Gait, path: RootPath, phase0: float, side: int, time: Array
) -> FootTrack:
    """A foot of somebody who walks along ``path``.

    Each stance is planted beside the place where the root is in its middle.

    Parameters
    ----------
    shape, gait, path
        The body, how it walks, where.
    phase0
        Share of a cycle that the left foot has done at time 0.
    side
        0 left, 1 right.
    time
        (n,) seconds.
    """
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
    return FootTrack(
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
