"""How clean the ground truth is: feet that stand must stand, motion must not tremble."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import LANDMARK_VERTICES, place_points, vertex_points
from refine_engine.evaluation.synthetic.truth import SceneTruth, TruePerson

Array = NDArray[np.float64]

_POINTS = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")


class TruthQuality(NamedTuple):
    """Measures of one person's true motion."""

    path_m: float
    """Length of the pelvis' way."""
    jitter: float
    """Mean third difference of the joints, in units of 10 m/s^3."""
    worst_slide_mm: float
    """Largest movement of a planted heel or toe from one frame to the next; NaN without any."""
    planted: float
    """Share of heels and toes that are planted."""


def foot_points(truth: SceneTruth, person: TruePerson) -> Array:
    """Heel and toe landmarks (n, 4, 3) in the order of the contacts, metres, world."""
    points = vertex_points(truth.model, [LANDMARK_VERTICES[name] for name in _POINTS])
    motion = person.motion
    return place_points(points, motion.joints(truth.model), motion.betas, motion.rotations[:, 1:])


def truth_quality(truth: SceneTruth) -> dict[int, TruthQuality]:
    """Measures of everybody."""
    result = {}
    for pid, person in truth.people.items():
        joints = person.motion.joints(truth.model).positions
        steps = np.linalg.norm(np.diff(foot_points(truth, person), axis=0), axis=-1)
        planted = person.motion.contacts[1:] & person.motion.contacts[:-1]
        third = np.linalg.norm(np.diff(joints, 3, axis=0), axis=-1)
        result[pid] = TruthQuality(
            path_m=float(np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=-1).sum()),
            jitter=float(third.mean() * truth.fps**3 / 10) if len(third) else 0.0,
            worst_slide_mm=float(steps[planted].max() * 1e3) if planted.any() else float("nan"),
            planted=float(planted.mean()) if planted.size else 0.0,
        )
    return result
