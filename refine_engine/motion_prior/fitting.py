"""Fitting the transition prior: expectation-maximisation of Student-t linear transitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from refine_engine.motion_prior.features import INPUTS, OUTPUTS, POSE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TURN_FLOOR = 4.0
"""Floor of standard deviations of joint accelerations, rad/s^2: some recordings hold joints still,
and one tenth of a degree of noise at 30 frames a second is 4 rad/s^2."""
ROOT_FLOOR = 1.0
"""Floor for the root's accelerations, m/s^2 and rad/s^2: one millimetre of noise."""
RIDGE = 30.0
"""Frames' worth of evidence for no acceleration, on inputs of unit variance."""
SHRINK = 300.0
"""Frames' worth of evidence for a component to be like the single one."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Weights (K,), maps (K, 69, 136), scale matrices (K, 69, 69), degrees of freedom."""

    weights: Array
    maps: Array
    scales: Array
    freedom: float

    def component_logs(self, inputs: Array, outputs: Array) -> tuple[Array, Array]:
        """Log density and squared Mahalanobis distance (n, K) of each transition."""
        logs, squares = [], []
        for weight, linear, scale in zip(self.weights, self.maps, self.scales, strict=True):
            factor = np.linalg.cholesky(scale)
            white = np.linalg.solve(factor, (outputs - inputs @ linear.T).T)
            q = (white**2).sum(0)
            constant = np.log(weight) - np.log(np.diag(factor)).sum()
            logs.append(constant + student_log(q, self.freedom, OUTPUTS))
            squares.append(q)
        return np.stack(logs, 1), np.stack(squares, 1)

    def nll(self, inputs: Array, outputs: Array) -> Array:
        """Negative log density (n,) of each transition, nats."""
        logs, _ = self.component_logs(inputs, outputs)
        top = logs.max(1)
        return np.asarray(-(top + np.log(np.exp(logs - top[:, None]).sum(1))))


def student_log(q: Array, freedom: float, dimensions: int) -> Array:
    """Log density of a Student-t with unit scale matrix at squared distance q."""
    half = 0.5 * (freedom + dimensions)
    constant = gammaln(half) - gammaln(0.5 * freedom)
    constant -= 0.5 * dimensions * np.log(freedom * np.pi)
    return np.asarray(constant - half * np.log1p(q / freedom))


def floor_matrix() -> Array:
    """(69, 69) the least scale matrix."""
    return np.diag(np.where(np.arange(OUTPUTS) < POSE, TURN_FLOOR, ROOT_FLOOR) ** 2)


def fit_linear(
    inputs: Array, outputs: Array, weights: Array, start: Array, strength: float, spread: Array
) -> Array:
    """Map (69, 136) by ridge regression that is drawn to ``start``."""
    heavy = inputs * weights[:, None]
    system = heavy.T @ inputs + strength * np.diag(spread**2)
    return np.asarray(start + np.linalg.solve(system, heavy.T @ (outputs - inputs @ start.T)).T)


def fit_constant_velocity(inputs: Array, outputs: Array, freedom: float) -> Mixture:
    """No acceleration is expected; only its covariance is learned."""
    return _single(inputs, outputs, freedom, learn=False)


def fit_single(inputs: Array, outputs: Array, freedom: float) -> Mixture:
    """One linear transition."""
    return _single(inputs, outputs, freedom, learn=True)


def _single(inputs: Array, outputs: Array, freedom: float, *, learn: bool) -> Mixture:
    linear = np.zeros((OUTPUTS, INPUTS))
    spread = input_spread(inputs)
    weights = np.ones(len(inputs))
    scale = np.eye(OUTPUTS)
    for _ in range(10):
        if learn:
            linear = fit_linear(inputs, outputs, weights, np.zeros_like(linear), RIDGE, spread)
        r = outputs - inputs @ linear.T
        scale = (r * weights[:, None]).T @ r / len(r) + floor_matrix()
        q = (r * np.linalg.solve(scale, r.T).T).sum(1)
        weights = (freedom + OUTPUTS) / (freedom + q)
    return Mixture(np.ones(1), linear[None], scale[None], freedom)


def input_spread(inputs: Array) -> Array:
    """(136,) root mean square of each input about its mean, at least a little."""
    spread = np.maximum(inputs.std(0), 1e-2)
    spread[-1] = 1.0
    return np.asarray(spread)


def fit_mixture(
    inputs: Array, outputs: Array, components: int, freedom: float, seed: int, rounds: int = 20
) -> Mixture:
    """Student-t mixture of linear transitions by expectation-maximisation.

    Components are drawn to the single linear transition with :data:`SHRINK`; they start from
    clusters of the poses and their speeds.
    """
    single = fit_single(inputs, outputs, freedom)
    if components == 1:
        return single
    spread = input_spread(inputs)
    member = _clusters(inputs / spread, components, np.random.default_rng(seed))
    share = np.eye(components)[member]
    robust = np.ones((len(inputs), components))
    mixture = single
    for _ in range(rounds):
        maps, scales = [], []
        for k in range(components):
            w = share[:, k] * robust[:, k]
            linear = fit_linear(inputs, outputs, w, single.maps[0], SHRINK, spread)
            r = outputs - inputs @ linear.T
            scale = (r * w[:, None]).T @ r + SHRINK * single.scales[0]
            maps.append(linear)
            scales.append(scale / (share[:, k].sum() + SHRINK) + 0.1 * floor_matrix())
        weights = (share.sum(0) + 1.0) / (len(share) + components)
        mixture = Mixture(weights, np.stack(maps), np.stack(scales), freedom)
        logs, squares = mixture.component_logs(inputs, outputs)
        share = np.exp(logs - logs.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
        robust = (freedom + OUTPUTS) / (freedom + squares)
    return mixture


def _clusters(x: Array, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cluster number of each row, by k-means on pose, and on how fast it changes."""
    pose, speed = x[:, :POSE], x[:, POSE : 2 * POSE]
    activity = np.log(1e-3 + (speed**2).mean(1, keepdims=True))
    z = np.concatenate([pose / np.sqrt(POSE), activity / activity.std()], 1)
    centres = z[rng.choice(len(z), count, replace=False)]
    for _ in range(20):
        distance = ((z[:, None] - centres) ** 2).sum(-1)
        member = distance.argmin(1)
        for k in range(count):
            if (member == k).any():
                centres[k] = z[member == k].mean(0)
    return np.asarray(distance.argmin(1))
