"""Rotations: axis-angle at the file boundary, matrices inside.

All maps are closed forms on whole arrays, in numpy alone: opening a scene converts hundreds of
thousands of rotations before the first picture, and the solver updates ``R <- R exp(delta)`` in
every step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ORTHOGONAL = 1e-12
"""Largest entry of ``R^T R - 1`` of a matrix that is taken as it is."""


def matrix_from_axis_angle(axis_angle: NDArray[np.floating]) -> Array:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3) in radians."""
    return exp_so3(axis_angle)


def axis_angle_from_matrix(rotation: NDArray[np.floating]) -> Array:
    """Axis-angle vectors (..., 3) in radians, angle in [0, pi], of matrices (..., 3, 3).

    Matrices that are not orthogonal are replaced by the nearest rotation.

    Raises
    ------
    ValueError
        A matrix mirrors or flattens space (its determinant is not positive).
    """
    matrices = np.asarray(rotation, dtype=np.float64)
    if (_determinant(matrices) <= 0.0).any():
        raise ValueError("a matrix whose determinant is not positive is no rotation")
    away = np.abs(np.swapaxes(matrices, -1, -2) @ matrices - np.eye(3))
    bent = (away > _ORTHOGONAL).any((-1, -2))
    if bent.any():
        matrices = matrices.copy()
        matrices[bent] = nearest_rotation(matrices[bent])
    return log_so3(matrices)


def _determinant(M: Array) -> Array:
    """Of matrices (..., 3, 3): the library's takes them one by one."""
    a, b, c = (M[..., 0, k] for k in range(3))
    d, e, f = (M[..., 1, k] for k in range(3))
    g, h, i = (M[..., 2, k] for k in range(3))
    return np.asarray(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))


def exp_so3(delta: NDArray[np.floating]) -> Array:
    """Exponential map (Rodrigues' formula) of tangent vectors (..., 3), series near zero."""
    w = np.asarray(delta, dtype=np.float64)
    angle2 = np.einsum("...i,...i->...", w, w)
    small = angle2 < 1e-12
    safe = np.where(small, 1.0, angle2)
    angle = np.sqrt(safe)
    a = np.where(small, 1.0 - angle2 / 6.0, np.sin(angle) / angle)
    b = np.where(small, 0.5 - angle2 / 24.0, (1.0 - np.cos(angle)) / safe)
    x, y, z = w[..., 0], w[..., 1], w[..., 2]
    ax, ay, az = a * x, a * y, a * z
    bx, by = b * x, b * y
    xx, yy, zz, xy, xz, yz = bx * x, by * y, b * z * z, bx * y, bx * z, by * z
    R = np.empty((*w.shape, 3))
    R[..., 0, 0], R[..., 0, 1], R[..., 0, 2] = 1.0 - (yy + zz), xy - az, xz + ay
    R[..., 1, 0], R[..., 1, 1], R[..., 1, 2] = xy + az, 1.0 - (xx + zz), yz - ax
    R[..., 2, 0], R[..., 2, 1], R[..., 2, 2] = xz - ay, yz + ax, 1.0 - (xx + yy)
    return R


def log_so3(rotation: NDArray[np.floating]) -> Array:
    """Logarithm map of rotations (..., 3, 3), through the quaternion; exact near 0 and pi.

    Matrices are not checked or made orthogonal, so it is for those made here, not for files'.
    """
    matrices = np.asarray(rotation, dtype=np.float64)
    real, imaginary = _quaternions(matrices.reshape(-1, 3, 3))
    sine = np.sqrt(np.einsum("ni,ni->n", imaginary, imaginary))
    cosine = np.abs(real)
    # Without a turn the real part is 4: nothing is divided by nothing.
    still = sine < 1e-7 * cosine
    length = np.where(still, 2.0 / np.where(still, cosine, 1.0), 0.0)
    np.divide(2.0 * np.arctan2(sine, cosine), sine, out=length, where=~still)
    # q and -q are one rotation: the one with the positive real part turns by at most pi.
    vectors = imaginary * np.copysign(length, real)[:, None]
    return vectors.reshape(*matrices.shape[:-2], 3)


def _quaternions(R: Array) -> tuple[Array, Array]:
    """Real (n,) and imaginary (n, 3) parts, of any length, of quaternions of matrices (n, 3, 3).

    Shepperd's method: each from the entries that do not cancel.
    """
    real = 1.0 + R[:, 0, 0] + R[:, 1, 1] + R[:, 2, 2]
    imaginary = np.empty((len(R), 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        imaginary[:, i] = R[:, k, j] - R[:, j, k]
    far = np.flatnonzero(real < 1.0)
    if len(far):
        largest = np.argmax(np.einsum("nii->ni", R[far]), axis=1)
        for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            rows = far[largest == i]
            M = R[rows]
            real[rows] = M[:, k, j] - M[:, j, k]
            imaginary[rows, i] = 1.0 + M[:, i, i] - M[:, j, j] - M[:, k, k]
            imaginary[rows, j] = M[:, j, i] + M[:, i, j]
            imaginary[rows, k] = M[:, k, i] + M[:, i, k]
    return real, imaginary


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
