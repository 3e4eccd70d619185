"""Gaits, and the way that the root takes with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.synthetic.motion import smooth_noise

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


def draw_walk(rng: np.random.Generator, turn: float) -> Gait:
    """Draw a walk; ``turn`` is the standard deviation of its turning rate."""
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


def draw_run(rng: np.random.Generator) -> Gait:
    """Draw a run."""
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


@dataclass(frozen=True)
class RootPath:
    """Root path over a dense grid of times, longer than the scene on both sides."""

    grid: Array
    places: Array
    headings: Array

    def position(self, time: NDArray[np.floating]) -> Array:
        """Places (..., 3) on the floor at some times, metres."""
        flat = [np.interp(time, self.grid, self.places[:, k]) for k in range(2)]
        return np.stack([flat[0], np.zeros_like(flat[0]), flat[1]], -1)

    def heading(self, time: NDArray[np.floating]) -> Array:
        """Direction of travel at some times: the angle from Z towards X, radians."""
        return np.asarray(np.interp(time, self.grid, self.headings))


HOME_RADIUS_M = 3.0
"""Paths bend back when they leave a circle of this radius, so that long scenes stay in one room."""


def draw_path(gait: Gait, length: float, rng: np.random.Generator) -> RootPath:
    """Draw a path for ``length`` seconds, its middle at the origin."""
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
    return RootPath(grid, places - places[inside].mean(0), heading)
