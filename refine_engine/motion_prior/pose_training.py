"""Statistics of single poses and of accelerations, from the clips that the transitions learn from.

Poses: mean rotation of each joint, and the covariance of the rotations' logarithms about it, over
joints 1 to 21, left and right mirrored. Accelerations: typical root mean square of each joint's
place and of each joint's turn. Every clip counts alike up to ten seconds, so that long clips do not
outvote the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from refine_engine.body import MIRROR, embedded_body, joint_kinematics, rest_joints
from refine_engine.geometry.rotations import exp_so3, log_so3, nearest_rotation
from refine_engine.motion_prior.clips import RATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from refine_engine.motion_prior.clips import Clip

    Array = NDArray[np.float64]

JOINTS = 21
LONGEST = 300
"""Frames beyond which a clip counts no more."""
EVERY = 5
"""Neighbouring frames show the same pose: one of so many is taken."""
LEAST_SPREAD = 0.1
"""Floor of every direction's standard deviation, radians: the clips are few against all that people
do."""
MEDIAN_OF_CHI2 = 0.4549
"""Median of a squared standard normal number."""
CREDIT = (
    "The data used in this project was obtained from mocap.cs.cmu.edu. "
    "The database was created with funding from NSF EIA-0196217."
)


@dataclass(frozen=True, eq=False)
class PoseFit:
    """What is written to ``pose_prior.npz``."""

    mean: Array
    """(21, 3, 3)."""
    covariance: Array
    """(63, 63) of the logarithms about the mean."""
    freedom: float
    """Degrees of freedom of the Student-t that fits them best."""
    joint_acceleration: Array
    """(24,) m/s^2, of one coordinate."""
    turn_acceleration: Array
    """(24,) rad/s^2, of one component."""

    def nats(self, R: Array) -> Array:
        """Negative log density (n,) of poses (n, 21, 3, 3)."""
        logs = log_so3(np.swapaxes(self.mean, -1, -2) @ R).reshape(len(R), -1)
        distance = np.einsum("ni,ij,nj->n", logs, np.linalg.inv(self.covariance), logs)
        _, logdet = np.linalg.slogdet(self.covariance)
        return 0.5 * logdet + _student_nll(distance, self.freedom, logs.shape[1])


def fit_poses(clips: Sequence[Clip]) -> PoseFit:
    """Fit the statistics to clips (their mirror images are added here)."""
    rest = rest_joints(embedded_body(), np.zeros(10))
    joints, turns, weights, poses = [], [], [], []
    for clip in clips:
        places = joint_kinematics(rest, clip.R[:, 0], clip.R[:, 1:], clip.transl).positions
        a = np.diff(places, 2, axis=0) * RATE**2
        b = np.diff(clip.R, 2, axis=0) * RATE**2
        joints.append(np.median((a**2).sum(-1), 0) / MEDIAN_OF_CHI2 / 3.0)
        turns.append(np.median((b**2).sum((-1, -2)) / 2.0, 0) / MEDIAN_OF_CHI2 / 3.0)
        weights.append(min(len(clip.R), LONGEST))
        poses += [_picked(clip), _picked(clip.mirrored())]
    R = np.concatenate(poses)
    mean = nearest_rotation(R.mean(0))
    for _ in range(10):
        mean = mean @ exp_so3(log_so3(np.swapaxes(mean, -1, -2) @ R).mean(0))
    logs = log_so3(np.swapaxes(mean, -1, -2) @ R).reshape(len(R), -1)
    covariance = logs.T @ logs / len(logs) + LEAST_SPREAD**2 * np.eye(3 * JOINTS)
    distance = np.einsum("ni,ij,nj->n", logs, np.linalg.inv(covariance), logs)
    share = np.array(weights, dtype=np.float64)[:, None] / sum(weights)
    return PoseFit(
        mean=mean,
        covariance=covariance,
        freedom=_best_freedom(distance, 3 * JOINTS),
        joint_acceleration=_both_sides((np.stack(joints) * share).sum(0)),
        turn_acceleration=_both_sides((np.stack(turns) * share).sum(0)),
    )


def poses_of(clips: Sequence[Clip]) -> Array:
    """The poses (n, 21, 3, 3) of clips that a score is taken over."""
    return np.concatenate([_picked(clip) for clip in clips])


def write_poses(path: Path, fit: PoseFit) -> None:
    """Write the arrays that :mod:`refine_engine.terms.pose_statistics` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        mean=fit.mean,
        covariance=fit.covariance.astype(np.float32),
        degrees_of_freedom=np.array(fit.freedom),
        joint_acceleration=fit.joint_acceleration,
        turn_acceleration=fit.turn_acceleration,
        credit=np.array(CREDIT),
    )


def _picked(clip: Clip) -> Array:
    count = max(min(len(clip.R), LONGEST) // EVERY, 2)
    rows = np.linspace(0, len(clip.R) - 1, count).astype(np.int64)
    return np.asarray(clip.R[rows, 1 : JOINTS + 1])


def _both_sides(squares: Array) -> Array:
    """Root of mean squares (24,), left and right alike."""
    return np.asarray(np.sqrt(0.5 * (squares + squares[np.array(MIRROR)])))


def _best_freedom(distance: Array, dimensions: int) -> float:
    """Degrees of freedom of a multivariate Student-t by maximum likelihood."""

    def nll(log_freedom: float) -> float:
        return float(_student_nll(distance, np.exp(log_freedom), dimensions).mean())

    bounds = (np.log(2.5), np.log(500.0))
    return float(np.exp(minimize_scalar(nll, bounds=bounds, method="bounded").x))


def _student_nll(distance: Array, freedom: float, dimensions: int) -> Array:
    """Without the determinant; ``distance`` is in units of the covariance, not of the scale."""
    scale = (freedom - 2.0) / freedom
    constant = gammaln(0.5 * freedom) - gammaln(0.5 * (freedom + dimensions))
    constant += 0.5 * dimensions * np.log(freedom * np.pi * scale)
    half = 0.5 * (freedom + dimensions)
    return np.asarray(constant + half * np.log1p(distance / (freedom * scale)))
