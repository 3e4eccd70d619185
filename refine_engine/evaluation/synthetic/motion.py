"""A clean motion of one body, and the noise shapes that motions and errors are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from refine_engine.body.kinematics import JointMotion, joint_kinematics, rest_joints
from refine_engine.body.model import BodyModel

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

CONTACT_NAMES = ("left heel", "left toe", "right heel", "right toe")
"""Order of the contact columns, here and in ``ground_truth.npz``."""


@dataclass(frozen=True)
class BodyMotion:
    """Motion of one body in a world with Y up and the floor at y = 0."""

    rotations: Array
    """(n, 24, 3, 3): global orientation, then each joint relative to its parent."""
    transl: Array
    """(n, 3) smplx ``transl``, metres."""
    betas: Array
    """(10,)"""
    contacts: BoolArray
    """(n, 4) in the order of :data:`CONTACT_NAMES`: the point stands still on the floor."""

    def __len__(self) -> int:
        return len(self.transl)

    def joints(self, model: BodyModel) -> JointMotion:
        """Global rotations (n, 24, 3, 3) and joints (n, 24, 3) in metres."""
        return joint_kinematics(
            rest_joints(model, self.betas), self.rotations[:, 0], self.rotations[:, 1:], self.transl
        )

    def moved(self, model: BodyModel, R: Array, t: Array) -> BodyMotion:
        """The same motion after every point went to ``R x + t``."""
        pelvis = rest_joints(model, self.betas)[0]
        rotations = self.rotations.copy()
        rotations[:, 0] = R @ rotations[:, 0]
        transl = (pelvis + self.transl) @ R.T + t - pelvis
        return BodyMotion(rotations, transl, self.betas, self.contacts)


def smooth_noise(
    rng: np.random.Generator, count: int, shape: tuple[int, ...], correlation: float
) -> Array:
    """Gaussian noise (count, *shape) of unit variance, smooth over ``correlation`` samples.

    A Gaussian filter of that standard deviation over white noise. Unlike a first-order
    autoregressive process it has finite acceleration and jerk, as the output of a temporal network
    has; the published accelerations cannot be met otherwise.
    """
    pad = int(np.ceil(4 * correlation))
    white = rng.standard_normal((count + 2 * pad, *shape))
    if correlation <= 0:
        return white
    smooth = gaussian_filter1d(white, correlation, axis=0, mode="wrap")
    # Variance of the filtered noise: the sum of the squared weights of the filter itself.
    impulse = np.zeros(2 * pad + 1)
    impulse[pad] = 1.0
    gain = np.sqrt(np.sum(gaussian_filter1d(impulse, correlation, mode="constant") ** 2))
    return np.asarray(smooth[pad : pad + count] / gain)


def rotation_y(angle: NDArray[np.floating]) -> Array:
    """Rotations (..., 3, 3) about the vertical; positive angles turn Z towards X."""
    angle = np.asarray(angle, dtype=np.float64)
    R = np.zeros((*angle.shape, 3, 3))
    c, s = np.cos(angle), np.sin(angle)
    R[..., 0, 0], R[..., 0, 2] = c, s
    R[..., 1, 1] = 1.0
    R[..., 2, 0], R[..., 2, 2] = -s, c
    return R


def rotation_x(angle: NDArray[np.floating]) -> Array:
    """Rotations (..., 3, 3) about X; positive angles turn Y towards Z."""
    angle = np.asarray(angle, dtype=np.float64)
    R = np.zeros((*angle.shape, 3, 3))
    c, s = np.cos(angle), np.sin(angle)
    R[..., 0, 0] = 1.0
    R[..., 1, 1], R[..., 1, 2] = c, -s
    R[..., 2, 1], R[..., 2, 2] = s, c
    return R


def smoothstep(x: NDArray[np.floating]) -> Array:
    """Rise from 0 to 1 on [0, 1] with zero velocity and acceleration at both ends."""
    x = np.clip(np.asarray(x, dtype=np.float64), 0.0, 1.0)
    return np.asarray(x**3 * (10 - 15 * x + 6 * x**2))
