"""Gaussian mixture over the first canonical state (Rempe et al. 2021, section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

if TYPE_CHECKING:
    from torch import Tensor

    from refine_engine.motion_prior.humor.state import MotionState

Array = NDArray[np.float64]

SMALLEST_SHARE = 1e-6
"""Components with less responsibility than this pull on nothing."""


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

    def quadratic(self, vector: Array) -> tuple[float, Array, Array]:
        """Nats of a vector (138,), their gradient (138,), and curvature (138, 138).

        The curvature is the components' precisions weighted with their responsibilities. It is
        positive definite, and the quadratic form that it belongs to touches the nats from above.
        """
        white, log_density = [], np.empty(len(self._means))
        for k, factor in enumerate(self._factors):
            white.append(solve_triangular(factor, vector - self._means[k], lower=True))
            log_density[k] = -0.5 * white[k] @ white[k] - self._log_norm[k]
        logs = self._log_weights + log_density
        nats = float(-logsumexp(logs))
        gradient, curvature = np.zeros(len(vector)), np.zeros((len(vector), len(vector)))
        for k, share in enumerate(np.exp(logs + nats)):
            if share > SMALLEST_SHARE:
                inverse = solve_triangular(self._factors[k], np.eye(len(vector)), lower=True)
                gradient += share * (inverse.T @ white[k])
                curvature += share * (inverse.T @ inverse)
        return nats, gradient, curvature


def initial_vector(canonical: MotionState) -> Tensor:
    """The (138,) that the mixture is over, of one canonical state."""
    # Torch takes seconds to import; without a checkpoint nobody asks for it.
    import torch

    parts = (
        canonical.joints,
        canonical.joints_vel,
        canonical.trans_vel,
        canonical.root_orient_vel,
    )
    return torch.cat([part.reshape(-1) for part in parts])
