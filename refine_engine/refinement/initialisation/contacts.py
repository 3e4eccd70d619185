"""First contacts of feet with the ground, from kinematics alone, with hysteresis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.planes import heights

if TYPE_CHECKING:
    from refine_engine.scene import Array, BoolArray

ENTER_SPEED, LEAVE_SPEED = 0.35, 0.60
"""Metres per second: slower than the first begins a contact, faster than the second ends it."""
ENTER_HEIGHT, LEAVE_HEIGHT = 0.06, 0.10
"""Metres over where the person's feet usually stand, likewise. Sole points; the margin covers the
noise of a pose network."""
STANDING_QUANTILE = 0.3
"""Which of the heights of the lowest slow sole point is taken for where a person stands: the
median of walkers and standers lies above it, because slow feet are also just leaving the ground."""
MOST_OFF_GROUND = 0.2
"""Metres by which a person at a wrong distance may stand above or below the plane."""
FEWEST_SLOW = 5
HEAD_SHARE = 0.75
"""Share of the motion prior's contact head in the log odds of a contact."""
HEAD_BIAS = 0.6
"""Added to those log odds: a foot that is not held costs more than one that is held too long."""
LEAST_SURE = 0.5
"""Less likely contacts hold nothing."""
SUREST = 0.018
"""Neither kinematics nor the head are surer than this: log odds of 4."""
SMOOTHING_S = 0.06
"""Standard deviation of the Gaussian over time, seconds: a raw network's feet jitter by more
in one frame than a walking foot moves in one."""


def foot_speeds(feet_world: Array, fps: float) -> Array:
    """Speeds (n, 4) in m/s of smoothed foot points (n, 4, 3), by central differences."""
    if len(feet_world) < 2:
        return np.zeros(feet_world.shape[:2])
    smooth = smoothed(feet_world, fps)
    return np.asarray(np.linalg.norm(np.gradient(smooth, axis=0), axis=-1) * fps)


def smoothed(points: Array, fps: float) -> Array:
    """Points (n, ...) low-passed over time with :data:`SMOOTHING_S`; the ends are held."""
    sigma = SMOOTHING_S * fps
    reach = int(4.0 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    ends = [(reach, reach)] + [(0, 0)] * (points.ndim - 1)
    padded = np.pad(points, ends, mode="edge")
    found = np.zeros_like(points, dtype=np.float64)
    for k, weight in enumerate(weights):
        found += weight * padded[k : k + len(points)]
    return found


def detect_contacts(feet_world: Array, plane: Array, fps: float, observed: BoolArray) -> Array:
    """Probability of ground contact of each foot point.

    Parameters
    ----------
    feet_world
        (n, 4, 3) left heel, left toe, right heel, right toe; metres.
    plane
        (4,) ground plane, normal up.
    fps
        Frames per second of the rows.
    observed
        (n,) filled frames never get a contact: interpolated feet slide by construction.

    Returns
    -------
    Array
        (n, 4) in [0, 1]: 0 outside a contact; inside, the product of two logistic factors of
        speed and height that is near 1 well inside the thresholds.

    Notes
    -----
    Heights count from where this person's slow feet are (:func:`standing_height`), not from the
    plane: a person whose distance is 3 % off stands centimetres above or below the others' floor.
    """
    speed = foot_speeds(feet_world, fps)
    height = heights(smoothed(feet_world, fps), plane)
    height = height - standing_height(speed, height, observed)
    enter = (speed < ENTER_SPEED) & (height < ENTER_HEIGHT)
    stay = (speed < LEAVE_SPEED) & (height < LEAVE_HEIGHT)
    held = _hysteresis(enter & observed[:, None], stay & observed[:, None])
    trust = _falling(speed, ENTER_SPEED, LEAVE_SPEED) * _falling(height, ENTER_HEIGHT, LEAVE_HEIGHT)
    return np.where(held, trust, 0.0)


def sharpened(kinematic: Array, head: Array, observed: BoolArray) -> Array:
    """Contacts (n, 4) from what kinematics say and what the motion prior's head says.

    A mean of their log odds. The head knows noise, and what feet do before and after; kinematics
    keep a small say, which helped in every stage (see docs/motion-prior.md).
    """
    odds = (1 - HEAD_SHARE) * _log_odds(kinematic) + HEAD_SHARE * _log_odds(head) + HEAD_BIAS
    found = 1.0 / (1.0 + np.exp(-odds))
    # A foot that more likely moves must not be held even a little: it would be held all the way.
    return np.where(observed[:, None] & (found >= LEAST_SURE), found, 0.0)


def _log_odds(probability: Array) -> Array:
    p = np.clip(probability, SUREST, 1.0 - SUREST)
    return np.asarray(np.log(p / (1.0 - p)))


def standing_height(speed: Array, height: Array, observed: BoolArray) -> float:
    """Height in metres over the plane at which a person's feet stand, from slow sole points.

    Parameters
    ----------
    speed, height
        (n, 4) m/s and metres.
    observed
        (n,) rows that were measured.

    Returns
    -------
    float
        At most :data:`MOST_OFF_GROUND` either way; 0 where hardly a foot is slow.
    """
    slow = np.where((speed < ENTER_SPEED) & observed[:, None], height, np.inf).min(-1)
    slow = slow[np.isfinite(slow)]
    if len(slow) < FEWEST_SLOW:
        return 0.0
    usual = float(np.quantile(slow, STANDING_QUANTILE))
    return float(np.clip(usual, -MOST_OFF_GROUND, MOST_OFF_GROUND))


def standing_plane(feet_world: Array, plane: Array, fps: float, observed: BoolArray) -> Array:
    """The plane (4,), moved along its normal to where this person's feet usually stand."""
    speed = foot_speeds(feet_world, fps)
    usual = standing_height(speed, heights(smoothed(feet_world, fps), plane), observed)
    return np.append(plane[:3], plane[3] - usual)


def _hysteresis(enter: BoolArray, stay: BoolArray) -> BoolArray:
    """Runs of ``stay`` that hold at least one ``enter``, per column."""
    held = np.zeros_like(stay)
    for column in range(stay.shape[1]):
        edges = np.flatnonzero(np.diff(np.r_[False, stay[:, column], False].astype(np.int8)))
        for first, last in edges.reshape(-1, 2):
            held[first:last, column] = bool(enter[first:last, column].any())
    return held


def _falling(value: Array, low: float, high: float) -> Array:
    """Logistic step: 0.95 at ``low``, 0.05 at ``high``."""
    middle, slope = 0.5 * (low + high), 2.0 * np.log(19.0) / (high - low)
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(slope * (value - middle), -50.0, 50.0))))
