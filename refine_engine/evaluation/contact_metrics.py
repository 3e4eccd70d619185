"""Feet and floor: sliding, penetration, floating, contact labels, stance height.

Contacts are (n, 4): left heel, left toe, right heel, right toe.  Sole points are (n, S, 3) with
S = 4, in the order of contacts, or S = 8, in the order of ``refine_engine.body.SOLE_POINTS``
(heel, ball, big toe, small toe of the left foot, then of the right one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.pose_metrics import MM, consecutive
from refine_engine.evaluation.trajectory_metrics import REFERENCE_FPS
from refine_engine.geometry.planes import heights

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

PLANTED_M_PER_FRAME = 0.01
"""True displacement below which a sole point counts as planted, metres a frame at 30 Hz."""
CONTACT_THRESHOLD = 0.5
"""Probability from which a foot counts as in contact."""
PENETRATION_M = 0.02
FLOATING_M = 0.03

CONTACT_OF_SOLE = {4: (0, 1, 2, 3), 8: (0, 1, 1, 1, 2, 3, 3, 3)}
"""Which contact each sole point belongs to, by number of sole points."""
HEELS_AND_TOES = {4: (0, 1, 2, 3), 8: (0, 2, 4, 6)}
"""Sole points that foot sliding is measured on: heel and big toe, as published."""


def heels_and_toes(soles: Array) -> Array:
    """The four points (n, 4, 3), in the order of contacts, that foot sliding is measured on."""
    return np.asarray(soles[:, HEELS_AND_TOES[soles.shape[1]]])


def planted_steps(gt_points: Array, frames: IntArray, fps: float) -> BoolArray:
    """Which heels and toes stand still in truth, from one frame to the next.

    Parameters
    ----------
    gt_points
        (n, 4, 3) from :func:`heels_and_toes`, metres, world.
    frames
        (n,) video frame numbers; steps over a gap are never planted.
    fps
        Frames a second.

    Returns
    -------
    BoolArray
        (n - 1, 4): displacement below 1 cm a frame at 30 Hz (rule of the WHAM and GVHMR
        evaluations).
    """
    moved = np.linalg.norm(np.diff(gt_points, axis=0), axis=-1) * fps / REFERENCE_FPS
    return np.asarray((moved < PLANTED_M_PER_FRAME) & consecutive(frames, 1)[:, None])


def labelled_steps(contacts: Array, frames: IntArray) -> BoolArray:
    """Which heels and toes are labelled in contact at both ends of a step.

    Parameters
    ----------
    contacts
        (n, 4) probabilities.
    frames
        (n,) video frame numbers; steps over a gap are left out.

    Returns
    -------
    BoolArray
        (n - 1, 4).
    """
    down = contacts >= CONTACT_THRESHOLD
    return np.asarray(down[1:] & down[:-1] & consecutive(frames, 1)[:, None])


def foot_sliding(points: Array, planted: BoolArray, fps: float) -> Array:
    """Movement of heels and toes that should stand still.

    Parameters
    ----------
    points
        (n, 4, 3) from :func:`heels_and_toes`, metres, world.
    planted
        (n - 1, 4) from :func:`planted_steps` (with truth) or :func:`labelled_steps` (without).
    fps
        Frames a second.

    Returns
    -------
    Array
        (k,) millimetres a frame at 30 Hz, one value for each planted point and step.

    Notes
    -----
    Foot sliding of the WHAM and GVHMR evaluations, which take SMPL vertices 3216, 3387, 6617 and
    6787; other bodies have their own heel and toe points.
    """
    moved = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    return np.asarray(moved[planted] * MM * fps / REFERENCE_FPS)


def penetration_depth(soles: Array, plane: Array) -> Array:
    """Depth (n,) in millimetres of each frame's deepest sole point below the plane; 0 above it.

    ``soles`` (n, S, 3) metres and ``plane`` (4,) in the same frame of reference.
    """
    return np.asarray(np.maximum(-heights(soles, plane).min(axis=1), 0.0) * MM)


def stance_heights(soles: Array, plane: Array, contacts: Array) -> Array:
    """Heights over the plane of the feet that are in contact.

    Parameters
    ----------
    soles
        (n, S, 3) metres.
    plane
        (4,) in the same frame of reference.
    contacts
        (n, 4) probabilities.

    Returns
    -------
    Array
        (k,) metres, the lowest sole point of each contact, one value for each contact; frame by
        frame, then in the order of contacts.
    """
    height = heights(soles, plane)
    owner = np.array(CONTACT_OF_SOLE[soles.shape[1]])
    lowest = np.stack([height[:, owner == c].min(axis=1) for c in range(4)], axis=1)
    return np.asarray(lowest[contacts >= CONTACT_THRESHOLD])


def floating(stance: Array) -> BoolArray:
    """Which contacts of :func:`stance_heights` are more than 3 cm above the ground."""
    return np.asarray(stance > FLOATING_M)


@dataclass(frozen=True)
class ContactCounts:
    """Agreement of contact labels with the truth, summed over frames and contact points."""

    hits: int
    false_alarms: int
    misses: int

    def __add__(self, other: ContactCounts) -> ContactCounts:
        return ContactCounts(
            self.hits + other.hits,
            self.false_alarms + other.false_alarms,
            self.misses + other.misses,
        )

    @property
    def found(self) -> int:
        """Contacts that were predicted."""
        return self.hits + self.false_alarms

    @property
    def true(self) -> int:
        """Contacts that there are."""
        return self.hits + self.misses

    @property
    def precision(self) -> float:
        """Share of predicted contacts that are true, in [0, 1]; NaN without predictions."""
        return _ratio(self.hits, self.found)

    @property
    def recall(self) -> float:
        """Share of true contacts that were predicted, in [0, 1]; NaN without true contacts."""
        return _ratio(self.hits, self.true)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; NaN where there is nothing to find or found."""
        return _ratio(2 * self.hits, self.found + self.true)


def count_contacts(pred_contacts: Array, gt_contacts: Array) -> ContactCounts:
    """Compare contact probabilities (n, 4) with the truth's (n, 4), both cut at 0.5."""
    pred = pred_contacts >= CONTACT_THRESHOLD
    gt = gt_contacts >= CONTACT_THRESHOLD
    return ContactCounts(int((pred & gt).sum()), int((pred & ~gt).sum()), int((~pred & gt).sum()))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
