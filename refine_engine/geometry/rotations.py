"""Rotations: axis-angle at the file boundary, matrices inside.

Conversions go through :class:`scipy.spatial.transform.Rotation`; the exponential map has
a closed form of its own because the solver updates ``R <- R exp(delta)`` in every step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


def matrix_from_axis_angle(axis_angle: NDArray[np.floating]) -> Array:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3) in radians."""
    vectors = np.asarray(axis_angle, dtype=np.float64)
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return matrices.reshape(*vectors.shape[:-1], 3, 3)


def axis_angle_from_matrix(rotation: NDArray[np.floating]) -> Array:
    """Axis-angle vectors (..., 3) in radians, angle in [0, pi], of matrices (..., 3, 3)."""
    matrices = np.asarray(rotation, dtype=np.float64)
    vectors = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
    return vectors.reshape(*matrices.shape[:-2], 3)


def exp_so3(delta: NDArray[np.floating]) -> Array:
    """Exponential map (Rodrigues' formula) of tangent vectors (..., 3), series near zero."""
    w = np.asarray(delta, dtype=np.float64)
    angle2 = np.einsum("...i,...i->...", w, w)
    small = angle2 < 1e-12
    safe = np.where(small, 1.0, angle2)
    angle = np.sqrt(safe)
    a = np.where(small, 1.0 - angle2 / 6.0, np.sin(angle) / angle)
    b = np.where(small, 0.5 - angle2 / 24.0, (1.0 - np.cos(angle)) / safe)
    k = skew(w)
    return np.eye(3) + a[..., None, None] * k + b[..., None, None] * (k @ k)


def log_so3(rotation: NDArray[np.floating]) -> Array:
    """Logarithm map of rotations (..., 3, 3): :func:`axis_angle_from_matrix` at half the time.

    Matrices are not checked or made orthogonal, so it is for those made here, not for files'.
    """
    matrices = np.asarray(rotation, dtype=np.float64)
    rotations = Rotation.from_matrix(matrices.reshape(-1, 3, 3), assume_valid=True)
    return rotations.as_rotvec().reshape(*matrices.shape[:-2], 3)


def skew(v: NDArray[np.floating]) -> Array:
    """Cross-product matrices (..., 3, 3): ``skew(v) @ x == cross(v, x)``."""
    v = np.asarray(v, dtype=np.float64)
    k = np.zeros((*v.shape[:-1], 3, 3))
    k[..., 0, 1], k[..., 0, 2] = -v[..., 2], v[..., 1]
    k[..., 1, 0], k[..., 1, 2] = v[..., 2], -v[..., 0]
    k[..., 2, 0], k[..., 2, 1] = -v[..., 1], v[..., 0]
    return k


def nearest_rotation(matrix: NDArray[np.floating]) -> Array:
    """Closest rotation (Frobenius norm, determinant +1) to each matrix (..., 3, 3)."""
    u, _, vt = np.linalg.svd(np.asarray(matrix, dtype=np.float64))
    sign = np.sign(np.linalg.det(u @ vt))
    u = u.copy()
    u[..., :, 2] *= sign[..., None]
    return u @ vt


def geodesic_angle(a: NDArray[np.floating], b: NDArray[np.floating]) -> Array:
    """Angle in radians between rotations (..., 3, 3), through atan2 (exact near 0 and pi)."""
    r = np.swapaxes(np.asarray(a, dtype=np.float64), -1, -2) @ np.asarray(b, dtype=np.float64)
    axis = np.stack(
        [r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], -1
    )
    sine2 = np.linalg.norm(axis, axis=-1)
    cosine2 = np.trace(r, axis1=-2, axis2=-1) - 1.0
    return np.arctan2(sine2, cosine2)


def interpolate_rotations(
    a: NDArray[np.floating], b: NDArray[np.floating], fraction: NDArray[np.floating]
) -> Array:
    """Geodesic interpolation ``a exp(fraction log(a^T b))``.

    Parameters
    ----------
    a, b
        Rotations (..., 3, 3).
    fraction
        Positions between them (n,), 0 at ``a`` and 1 at ``b``.

    Returns
    -------
    Array
        Rotations (n, ..., 3, 3).
    """
    a = np.asarray(a, dtype=np.float64)
    step = log_so3(np.swapaxes(a, -1, -2) @ np.asarray(b, dtype=np.float64))
    fraction = np.asarray(fraction, dtype=np.float64)
    scale = fraction.reshape(fraction.shape + (1,) * step.ndim)
    return a @ exp_so3(scale * step)


def rotation_between(a: NDArray[np.floating], b: NDArray[np.floating]) -> Array:
    """Smallest rotation (3, 3) that takes the direction ``a`` (3,) to the direction ``b`` (3,)."""
    a = np.asarray(a, dtype=np.float64) / np.linalg.norm(a)
    b = np.asarray(b, dtype=np.float64) / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine, cosine = float(np.linalg.norm(axis)), float(a @ b)
    if sine < 1e-12:
        if cosine > 0:
            return np.eye(3)
        # Opposite directions: half a turn about any axis perpendicular to a.
        axis = np.cross(a, np.eye(3)[np.argmin(np.abs(a))])
        return exp_so3(axis / np.linalg.norm(axis) * np.pi)
    return exp_so3(axis / sine * np.arctan2(sine, cosine))
