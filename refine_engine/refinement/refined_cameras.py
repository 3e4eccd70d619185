"""Cameras turned by what the images of all people have in common.

The solver lets the image of each person be off as a whole (``PersonState.image_shift``): that is
how it explains errors of the cameras' rotations. What everybody's shifts share is such an error.
With it taken out of the cameras, refined bodies lie over the people of the video, in the window
and in whatever program the cameras are exported to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.rotations import exp_so3

if TYPE_CHECKING:
    from refine_engine.scene import Array, CameraTrack, IntArray
    from refine_engine.state import OptimizationState

HANDOVER = 15.0
"""Frames over which the cameras pass from one set of people to another: each person's shift has an
error of its own, and a camera must not jump where somebody comes or goes."""
FIRST = 1e6
"""Weight of no shift in frame 0: that camera is what the world hangs on, and stays as it is."""
_NOBODY = 1e-9
"""Weight of no shift at all, for stretches in which nobody is seen."""


def refined_cameras(cameras: CameraTrack, state: OptimizationState) -> CameraTrack:
    """Cameras of a refined state: where they were, turned by :func:`common_shift`.

    Parameters
    ----------
    cameras
        As they were estimated; they come back as they are where the state tells no shifts.
    state
        People with their ``image_shift``.
    """
    shift = common_shift(state, cameras.chunk)
    if not shift.any():
        return cameras
    # To first order x/z grows by a turn about y, and y/z falls by one about x.
    turn = exp_so3(np.stack([-shift[:, 1], shift[:, 0], np.zeros(len(shift))], axis=1))
    return replace(
        cameras,
        R_cam_world=turn @ cameras.R_cam_world,
        t_cam_world=np.einsum("tij,tj->ti", turn, cameras.t_cam_world),
    )


def common_shift(state: OptimizationState, chunk: IntArray) -> Array:
    """(T, 2) what the image shifts of all people share, in units of x/z and y/z.

    It follows the mean over those who are seen, and changes from frame to frame as theirs do:
    ``sum_t n_t |c_t - mean_t|^2 + HANDOVER^2 |c_t - c_(t-1) - mean change_t|^2`` is least, without
    the second part across borders of reconstruction chunks, where cameras may jump. In frame 0 it
    is nothing.

    Parameters
    ----------
    state
        People with their ``image_shift``; those without one tell nothing.
    chunk
        (T,) number of the reconstruction chunk of each frame.
    """
    total = len(chunk)
    count, changed = np.zeros(total), np.zeros(total)
    mean, change = np.zeros((total, 2)), np.zeros((total, 2))
    for person in state.people.values():
        if person.image_shift is None:
            continue
        seen = person.observed & (person.frames < total)
        mean[person.frames[seen]] += person.image_shift[seen]
        count[person.frames[seen]] += 1.0
        both = np.append(False, seen[1:] & seen[:-1])
        step = np.diff(person.image_shift, axis=0, prepend=person.image_shift[:1])
        change[person.frames[both]] += step[both]
        changed[person.frames[both]] += 1.0
    if not mean.any():
        return mean
    # Here: a window that opens a folder has no shifts yet, and SciPy takes a tenth of a second.
    from scipy.linalg import solveh_banded

    change /= np.maximum(changed, 1.0)[:, None]
    count[0] += FIRST
    link = np.where(np.append(False, np.diff(chunk) == 0), HANDOVER**2, 0.0)
    after = np.append(link[1:], 0.0)
    band = np.stack([np.append(0.0, -link[1:]), count + link + after + _NOBODY])
    pulled = link[:, None] * change
    right = mean + pulled
    right[:-1] -= pulled[1:]
    return np.asarray(solveh_banded(band, right))
