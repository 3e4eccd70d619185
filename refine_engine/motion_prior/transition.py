"""The embedded motion prior: a Student-t mixture of linear transitions over three frames.

``p(y | x) = sum_k w_k t_nu(y; F_k x, S_k)`` with the input ``x`` (136) and the output ``y`` (69) of
:mod:`.features`. Each component is a regime (still, walking, turning ...); the heavy tails let
motion be that no clip showed. As ``y`` and ``x`` are linear in one vector ``z`` of both, every
component is a quadratic form in ``z`` - which is what makes it a Gauss-Newton term.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from refine_engine.errors import InputError
from refine_engine.geometry.rotations import nearest_rotation
from refine_engine.motion_prior.features import (
    INPUTS,
    NUM_JOINTS,
    OUTPUTS,
    POSE,
    ROOT,
    transition_features,
)
from refine_engine.resources import resource_path
from refine_engine.safe_files import open_npz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PRIOR_RATE = 30.0
"""Frames per second that the scale matrices hold at."""
COMBINED = INPUTS + OUTPUTS
"""Length of ``z``: the input, then joint speeds and root velocity from ``t`` to ``t + 1``."""
FILE = ("prior", "motion_prior.npz")
_SPEEDS = slice(POSE, 2 * POSE)
_VELOCITY = slice(2 * POSE + 3, 2 * POSE + 3 + ROOT)


@dataclass(frozen=True, eq=False)
class QuadraticForms:
    """The mixture at one frame rate: ``-log p = -log sum_k exp(c_k - h log(1 + |L_k z|^2 / nu))``.

    With ``h = (nu + 69) / 2``; ``c_k`` are shifted so that the least energy is 0.
    """

    rows: Array
    """(K, 69, 205) whitened residuals ``L_k``."""
    matrices: Array
    """(K, 205, 205) ``L_k^T L_k``."""
    constants: Array
    """(K,) ``c_k``."""
    freedom: float

    @functools.cached_property
    def single_matrices(self) -> NDArray[np.float32]:
        """``matrices`` in single precision, for curvature."""
        return np.ascontiguousarray(self.matrices, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class TransitionPrior:
    """The fitted mixture; see :func:`load_transition_prior`."""

    mean: Array
    """(21, 3, 3) mean rotations of joints 1..21."""
    weights: Array
    """(K,)."""
    maps: Array
    """(K, 69, 136) F."""
    scales: Array
    """(K, 69, 69) S, per second squared, at 30 frames a second."""
    freedom: float
    """nu."""
    clean_nats: float
    """Median score of recorded motion (see :mod:`.likelihood`), for the calibration."""

    @property
    def least_energy(self) -> float:
        """-log p, nats, of the likeliest transition that there can be."""
        c = self._log_constants()
        return float(-(c.max() + np.log(np.exp(c - c.max()).sum())))

    def _log_constants(self) -> Array:
        half = 0.5 * (self.freedom + OUTPUTS)
        constant = gammaln(half) - gammaln(0.5 * self.freedom)
        constant -= 0.5 * OUTPUTS * np.log(self.freedom * np.pi)
        _, logdet = np.linalg.slogdet(self.scales)
        return np.asarray(np.log(self.weights) - 0.5 * logdet + constant)

    @functools.cache  # noqa: B019  one prior lives as long as the program
    def forms(self, rate: float) -> QuadraticForms:
        """Quadratic forms in ``z`` at a frame rate; ``z`` is in units per second throughout."""
        select = np.zeros((OUTPUTS, COMBINED))
        select[:, INPUTS:] = rate * np.eye(OUTPUTS)
        select[:POSE, _SPEEDS] = -rate * np.eye(POSE)
        select[POSE:, _VELOCITY] = -rate * np.eye(ROOT)
        rows = []
        for linear, scale in zip(self.maps, self.scales, strict=True):
            residual = select.copy()
            residual[:, :INPUTS] -= linear
            rows.append(np.linalg.solve(np.linalg.cholesky(scale), residual))
        L = np.ascontiguousarray(np.stack(rows))
        return QuadraticForms(
            rows=L,
            matrices=np.ascontiguousarray(np.swapaxes(L, -1, -2) @ L),
            constants=self._log_constants() + self.least_energy,
            freedom=self.freedom,
        )

    def energies(
        self, R: NDArray[np.floating], transl: NDArray[np.floating], size: float, rate: float
    ) -> tuple[Array, Array]:
        """What each transition costs, and how firmly the prior holds it.

        Arguments as :func:`refine_engine.motion_prior.features.transition_features`.

        Returns
        -------
        tuple
            (n - 2,) -log p over its least value, nats; (n - 2,) pull that each transition feels,
            1 = that of ordinary motion, 0 = let go. Row t is about frames t, t + 1, t + 2.
        """
        return self.feature_energies(*transition_features(self.mean, R, transl, size, rate))

    def feature_energies(self, inputs: Array, outputs: Array) -> tuple[Array, Array]:
        """As :meth:`energies`, from inputs (m, 136) and outputs (m, 69)."""
        total = self.freedom + OUTPUTS
        constants = self._log_constants() + self.least_energy
        logs, pulls = [], []
        for k, (linear, scale) in enumerate(zip(self.maps, self.scales, strict=True)):
            white = np.linalg.solve(np.linalg.cholesky(scale), (outputs - inputs @ linear.T).T)
            q = (white**2).sum(0)
            logs.append(constants[k] - 0.5 * total * np.log1p(q / self.freedom))
            pulls.append(np.minimum(total / (self.freedom + q), 1.0))
        stacked = np.stack(logs, 1)
        top = stacked.max(1, initial=-np.inf, keepdims=True)
        likelihood = np.exp(stacked - top)
        summed = likelihood.sum(1)
        influence = (likelihood * np.stack(pulls, 1)).sum(1) / summed
        return -(top[:, 0] + np.log(summed)), influence


def load_transition_prior(path: Path | None = None) -> TransitionPrior:
    """Read a prior that :mod:`.train` wrote; None = the embedded one.

    Raises
    ------
    InputError
        The file is missing, damaged, or no such prior.
    """
    return _load(resource_path(*FILE) if path is None else path)


@functools.lru_cache(maxsize=4)
def _load(path: Path) -> TransitionPrior:
    with open_npz(path) as arrays:
        found = arrays.read_all()
    remedy = "make it with python -m refine_engine.motion_prior.train"
    for name in ("mean", "weights", "maps", "scales", "freedom", "clean_nats"):
        if name not in found:
            raise InputError(path, f"lacks '{name}': it is no motion prior", remedy)
    k = len(np.atleast_1d(found["weights"]))
    shapes = {
        "mean": (NUM_JOINTS, 3, 3),
        "weights": (k,),
        "maps": (k, OUTPUTS, INPUTS),
        "scales": (k, OUTPUTS, OUTPUTS),
        "freedom": (),
        "clean_nats": (),
    }
    for name, shape in shapes.items():
        if found[name].shape != shape or not np.isfinite(found[name]).all():
            raise InputError(path, f"has '{name}' of shape {found[name].shape}", remedy)
    return TransitionPrior(
        mean=np.ascontiguousarray(nearest_rotation(found["mean"])),
        weights=found["weights"].astype(np.float64),
        maps=found["maps"].astype(np.float64),
        scales=found["scales"].astype(np.float64),
        freedom=float(found["freedom"]),
        clean_nats=float(found["clean_nats"]),
    )
