"""Gaussian mixture over the first canonical state (Rempe et al. 2021, section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

if TYPE_CHECKING:
    from refine_engine.motion_prior.humor.state import MotionState

Array = NDArray[np.float64]


class InitialStatePrior:
    """Full-covariance mixture over joints 66, joint velocities 66, root velocities 3 + 3.

    Parameters
    ----------
    weights, means, covariances
        (K,), (K, 138), (K, 138, 138).

    Raises
    ------
    numpy.linalg.LinAlgError
        A covariance is not positive definite.
    """

    def __init__(self, weights: Array, means: Array, covariances: Array) -> None:
        self._log_weights = np.log(weights / weights.sum())
        self._means = means
        # Cholesky factors: exact in float64 where inverting 138x138 covariances is not.
        self._factors = np.linalg.cholesky(covariances)
        diagonal = np.diagonal(self._factors, axis1=1, axis2=2)
        self._log_norm = np.log(diagonal).sum(1) + 0.5 * means.shape[1] * np.log(2 * np.pi)

    def negative_log_likelihood(self, canonical: MotionState) -> float:
        """Nats of one canonical state (leading dimensions of size one or none)."""
        vector = np.concatenate(
            [
                np.asarray(part.detach(), dtype=np.float64).reshape(-1)
                for part in (
                    canonical.joints,
                    canonical.joints_vel,
                    canonical.trans_vel,
                    canonical.root_orient_vel,
                )
            ]
        )
        log_density = np.empty(len(self._means))
        for k, factor in enumerate(self._factors):
            white = solve_triangular(factor, vector - self._means[k], lower=True)
            log_density[k] = -0.5 * white @ white - self._log_norm[k]
        return float(-logsumexp(self._log_weights + log_density))
