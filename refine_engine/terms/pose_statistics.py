"""Statistics of recorded motion that ship with the program (``resources/prior``)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.resources import resource_path
from refine_engine.safe_files import open_npz

if TYPE_CHECKING:
    from refine_engine.scene import Array

PRIOR_JOINTS = 21
"""The pose statistics speak of joints 1..21."""
LEAST_FREEDOM = 60.0
"""Least degrees of freedom. The fit to all clips together says 3, because some clips are quiet and
some wild; used frame by frame that would draw every pose towards the mean, the stronger the nearer
it already is. Sixty keeps the prior nearly Gaussian and still lets rare poses go."""
QUIETEST_TURN = 8.0
"""Floor of turn accelerations, rad/s^2: some recordings hold joints (collars) fixed."""


@dataclass(frozen=True, eq=False)
class PoseStatistics:
    """Poses and accelerations of recorded people."""

    mean: Array
    """(21, 3, 3) mean rotation of joints 1..21."""
    precision: Array
    """(63, 63) inverse scale matrix of the rotations' logarithms about the mean."""
    degrees_of_freedom: float
    """Of the Student-t distribution of those logarithms."""
    joint_acceleration: Array
    """(24,) root mean square of one coordinate of each joint's acceleration, m/s^2."""
    turn_acceleration: Array
    """(24,) of one component of each joint's turn, rad/s^2."""


@functools.cache
def pose_statistics() -> PoseStatistics:
    """Read the shipped statistics, once.

    Raises
    ------
    InputError
        The file is missing or damaged: the program has to be installed again.
    """
    with open_npz(resource_path("prior", "pose_prior.npz")) as arrays:
        found = arrays.read_all()
    freedom = max(float(found["degrees_of_freedom"]), LEAST_FREEDOM)
    scale = found["covariance"].astype(np.float64) * (freedom - 2.0) / freedom
    return PoseStatistics(
        mean=found["mean"].astype(np.float64),
        precision=np.array(np.linalg.inv(scale), dtype=np.float64),
        degrees_of_freedom=freedom,
        joint_acceleration=found["joint_acceleration"].astype(np.float64),
        turn_acceleration=np.maximum(found["turn_acceleration"].astype(np.float64), QUIETEST_TURN),
    )
