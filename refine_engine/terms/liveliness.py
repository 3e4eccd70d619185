"""How lively a person is from stretch to stretch: the scale that smoothness judges by.

One person stands and gestures, another kicks a ball: their accelerations differ by ten times, and
so does what noise may look like. A precision that is itself unknown and differs by group is the
standard hierarchical model (empirical Bayes; in regression known as automatic relevance
determination): its level is estimated from each stretch's own data, corrected for what noise and
low-pass do to that estimate, and kept within limits.

The data are the measured poses relative to the pelvis, low-passed. The correction is a power law,
fitted to synthetic scenes of level published made of training clips: it explains accelerations of
other clips to 0.35 in their logarithm, where they spread by 0.9. Filled frames are never looked
at, nor is any state, so a run that goes on from a checkpoint finds the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import binary_erosion, gaussian_filter1d

from refine_engine.body import joint_kinematics
from refine_engine.terms.pose_statistics import pose_statistics

if TYPE_CHECKING:
    from refine_engine.scene import Array, BoolArray

LOW_PASS_S = 2.0 / 30.0
"""Standard deviation of the low-pass, seconds: what trembles from frame to frame does not count."""
REACH = 3.0
"""The low-pass ends at so many standard deviations."""
STRETCH_S = 0.4
"""Standard deviation of the window over which squared accelerations are averaged, seconds."""
FACTOR, POWER = 1.75, 1.07
"""Liveliness = factor * (what is measured)^power."""
LIMITS = (0.1, 10.0)
"""Liveliness stays within these."""
FEWEST_FRAMES = 8
"""Tracks with fewer usable frames count as recorded people do on average (1)."""


def liveliness(rest: Array, R: Array, observed: BoolArray, fps: float) -> Array:
    """Expected root mean square acceleration around each frame, 1 = that of recorded motion.

    Parameters
    ----------
    rest
        (24, 3) rest joints, metres.
    R
        (n, 24, 3, 3) measured root in the world and relative joint rotations.
    observed
        (n,) rows that were measured. Others do not count, nor do rows that see them, or the
        clip's ends, through the low-pass.
    fps
        Frames a second.

    Returns
    -------
    Array
        (n,) within :data:`LIMITS`.
    """
    n = len(R)
    radius = max(1, round(REACH * LOW_PASS_S * fps))
    margin = radius + 1
    usable = binary_erosion(np.pad(observed, margin), iterations=margin)[margin : margin + n]
    if usable.sum() < FEWEST_FRAMES:
        return np.ones(n)
    joints = joint_kinematics(rest, R[:, 0], R[:, 1:], np.zeros((n, 3))).positions
    smooth = gaussian_filter1d(joints - joints[:, :1], LOW_PASS_S * fps, axis=0, radius=radius)
    acceleration = (smooth[2:] - 2.0 * smooth[1:-1] + smooth[:-2]) * fps**2
    sigma = pose_statistics().joint_acceleration[1:]
    squared = np.zeros(n)
    squared[1:-1] = ((acceleration[:, 1:] / sigma[:, None]) ** 2).mean((1, 2))
    window = STRETCH_S * fps
    mass = gaussian_filter1d(usable.astype(np.float64), window, mode="constant", truncate=8.0)
    total = gaussian_filter1d(np.where(usable, squared, 0.0), window, mode="constant", truncate=8.0)
    known = mass > 1e-6
    mean = np.where(known, total, squared[usable].mean()) / np.where(known, mass, 1.0)
    return np.asarray(np.clip(FACTOR * np.sqrt(np.maximum(mean, 0.0)) ** POWER, *LIMITS))
