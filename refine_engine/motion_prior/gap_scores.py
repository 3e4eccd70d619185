"""How well gaps are filled: frames of recorded clips are hidden and compared with the filling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import embedded_body, joint_kinematics, rest_joints
from refine_engine.motion_prior.gap_filling import fill_gap, geodesic_gap
from refine_engine.motion_prior.gap_windows import RATE, poses_from, seen_motion, spline, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from refine_engine.motion_prior.clips import Clip
    from refine_engine.motion_prior.gap_model import GapModel

    Array = NDArray[np.float64]
    Disturb = Callable[[Clip], tuple[Array, Array]]

LENGTHS = (5, 10, 20, 40)
MARGIN = 6
"""Frames that are seen at least on both sides."""
STRIDE = 7
"""Frames from one tested gap to the next."""
FORMS = ("geodesic", "cubic", "learned")


@dataclass(frozen=True)
class GapScore:
    """One hidden stretch."""

    clip: str
    length: int
    errors: dict[str, float]
    """Mean distance of the joints, the pelvis' own included, for each of :data:`FORMS`, mm."""
    slide: dict[str, float]
    """Mean speed of the slower foot, m/s; ``truth`` beside the forms."""
    learned: bool


def gap_scores(
    model: GapModel, clips: Sequence[Clip], lengths: Sequence[int], disturb: Disturb | None = None
) -> list[GapScore]:
    """Hide frames of clips and fill them.

    Parameters
    ----------
    disturb
        Gives the rotations and places that are seen, instead of the clip's own.
    """
    rest = rest_joints(embedded_body(), np.zeros(10))
    scores = []
    for clip in clips:
        R, transl = (clip.R, clip.transl) if disturb is None else disturb(clip)
        exact = _joints(rest, clip.R, clip.transl)
        n = len(R)
        whole = seen_motion(model.space.mean, R, transl, 1.0, RATE, np.ones(n - 1, dtype=bool))
        for length in lengths:
            for left in range(MARGIN - 1, n - length - MARGIN, STRIDE):
                right = left + length + 1
                hidden = slice(left + 1, right)
                seen = np.ones(n, dtype=bool)
                seen[hidden] = False
                joined = seen[1:] & seen[:-1]
                straight = geodesic_gap(R, transl, left, right)
                shown, place = R.copy(), transl.copy()
                shown[hidden], place[hidden] = straight
                motion = whole.only(joined)
                around = windows(motion, np.array([float(left)]), np.array([float(right)]))
                fraction = np.arange(1, right - left) / (right - left)
                curved = poses_from(spline(around, fraction), around, model.space.mean)
                found = fill_gap(model, motion, shown, place, 1.0, (left, right))
                forms = (straight, (curved[0][0], curved[1][0]), (found.R, found.transl))
                errors, slide = {}, {"truth": _slide(exact[left : right + 1])}
                for name, (turned, moved) in zip(FORMS, forms, strict=True):
                    joints = _joints(rest, turned, moved)
                    away = np.linalg.norm(joints - exact[hidden], axis=-1)
                    errors[name] = float(1e3 * away.mean())
                    slide[name] = _slide(joints)
                scores.append(GapScore(clip.name, length, errors, slide, found.learned))
    return scores


def _joints(rest: Array, R: Array, transl: Array) -> Array:
    return joint_kinematics(rest, R[:, 0], R[:, 1:], transl).positions


def _slide(joints: Array) -> float:
    """Mean speed of whichever ankle or toe is slower, m/s."""
    if len(joints) < 2:
        return 0.0
    speed = np.linalg.norm(np.diff(joints[:, [7, 8, 10, 11]], axis=0), axis=-1) * RATE
    return float(speed.min(1).mean())
