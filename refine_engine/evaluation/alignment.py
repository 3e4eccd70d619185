"""Closed-form rigid and similarity alignment of point sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FLAT = 1e-24
"""Variance (m^2) below which a point set is one point and has no scale."""


@dataclass(frozen=True)
class Similarity:
    """``target = scale R source + t``; leading dimensions are a batch."""

    scale: Array
    """(...,)."""
    R: Array
    """(..., 3, 3) rotation, determinant +1."""
    t: Array
    """(..., 3) metres."""

    def apply(self, points: Array) -> Array:
        """Move points (..., N, 3); the batch dimensions broadcast against the points'."""
        turned = np.asarray(points) @ np.swapaxes(self.R, -1, -2)
        return np.asarray(self.scale[..., None, None] * turned + self.t[..., None, :])


def align(source: Array, target: Array, *, with_scale: bool = True) -> Similarity:
    """Least-squares similarity (or, without scale, rigid motion) that takes source to target.

    A mirror image is never used: where a reflection would fit better, the best rotation is
    returned (the determinant guard of the source).

    Parameters
    ----------
    source, target
        Corresponding points (..., N, 3), metres.
    with_scale
        True: Sim(3), scale included.  False: SE(3), scale fixed at 1.

    Returns
    -------
    Similarity
        Batched over the leading dimensions.  A source without extent gets scale 1.

    Notes
    -----
    S. Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", IEEE TPAMI 13(4), 1991, equations 34-43.
    """
    source = np.asarray(source, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    source_mean = source.mean(-2)
    target_mean = target.mean(-2)
    a = source - source_mean[..., None, :]
    b = target - target_mean[..., None, :]
    covariance = np.swapaxes(b, -1, -2) @ a
    u, d, vt = np.linalg.svd(covariance)
    sign = np.ones(d.shape)
    sign[..., 2] = np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vt
    if with_scale:
        variance = np.sum(a * a, axis=(-2, -1))
        extended = variance > _FLAT
        scale = np.where(
            extended, np.sum(d * sign, axis=-1) / np.where(extended, variance, 1.0), 1.0
        )
    else:
        scale = np.ones(d.shape[:-1])
    moved_mean = scale[..., None] * np.squeeze(rotation @ source_mean[..., None], -1)
    return Similarity(scale, rotation, target_mean - moved_mean)
