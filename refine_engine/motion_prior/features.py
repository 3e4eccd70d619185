"""What the transition prior looks at: joint turns and their speeds, tilt, velocity of the root.

Nothing depends on heading or place: pelvis velocity and turning speed are taken in the root's own
frame, and of the root's orientation only the direction of "up" remains. Velocities of the pelvis
are divided by the body size, rotations have no size.

One transition spans three frames ``t - 1, t, t + 1``. Its *input* (136) holds the pose at ``t``
(63: logarithms of joints 1..21 about their mean), the joints' turning speeds from ``t - 1`` to
``t`` (63), up in the root's frame (3), the root's velocity (6: pelvis, turn) and a one; its
*output* (69) how speeds (63) and root velocity (6) change to those from ``t`` to ``t + 1``. An
output of zero is constant velocity. Units are seconds, radians and metres of a body of size 1, so
that the same transition holds at other frame rates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.rotations import log_so3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NUM_JOINTS = 21
"""Joints 1..21."""
POSE = 3 * NUM_JOINTS
ROOT = 6
OUTPUTS = POSE + ROOT
INPUTS = 2 * POSE + 3 + ROOT + 1
UP = np.array([0.0, 1.0, 0.0])


def pose_logarithms(mean: Array, R: NDArray[np.floating]) -> Array:
    """Rotations of joints 1..21 as vectors (n, 63) about the mean.

    Parameters
    ----------
    mean
        (21, 3, 3).
    R
        (n, 22 or more, 3, 3) root, then joints relative to their parents.
    """
    turns = np.asarray(R, dtype=np.float64)[:, 1 : NUM_JOINTS + 1]
    return log_so3(np.swapaxes(mean, -1, -2) @ turns).reshape(len(turns), POSE)


def root_velocities(R_root: Array, transl: Array, size: float, rate: float) -> Array:
    """Velocity of pelvis and root turn (n - 1, 6) in the earlier frame's root, per second."""
    moves = np.diff(np.asarray(transl, dtype=np.float64), axis=0)
    pelvis = np.einsum("tji,tj->ti", R_root[:-1], moves) / size
    turn = log_so3(np.swapaxes(R_root[:-1], -1, -2) @ R_root[1:])
    return np.concatenate([pelvis, turn], 1) * rate


def transition_features(
    mean: Array, R: NDArray[np.floating], transl: NDArray[np.floating], size: float, rate: float
) -> tuple[Array, Array]:
    """Inputs (n - 2, 136) and outputs (n - 2, 69) of all transitions of a motion.

    Parameters
    ----------
    mean
        (21, 3, 3) mean rotation of joints 1..21.
    R
        (n, 22 or more, 3, 3) root in a world that is Y up, then joints relative to their parents.
    transl
        (n, 3) metres; any point that moves with the pelvis.
    size
        Body size, 1 = mean body.
    rate
        Frames per second.
    """
    R = np.asarray(R, dtype=np.float64)
    q = pose_logarithms(mean, R)
    # Between frames, not differences of q: logarithms jump where a joint passes half a turn.
    joints = R[:, 1 : NUM_JOINTS + 1]
    speed = rate * log_so3(np.swapaxes(joints[:-1], -1, -2) @ joints[1:]).reshape(-1, POSE)
    velocity = root_velocities(
        np.asarray(R[:, 0], dtype=np.float64), np.asarray(transl, dtype=np.float64), size, rate
    )
    up = np.einsum("tji,j->ti", R[:, 0], UP)
    inputs = np.concatenate(
        [q[1:-1], speed[:-1], up[1:-1], velocity[:-1], np.ones((max(len(q) - 2, 0), 1))], 1
    )
    outputs = np.concatenate([np.diff(speed, axis=0), np.diff(velocity, axis=0)], 1) * rate
    return inputs, outputs
