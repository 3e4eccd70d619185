"""Motions at another frame rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.rotations import exp_so3, log_so3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def resampled(R: Array, transl: Array, rate: float, wanted: float) -> tuple[Array, Array]:
    """A motion at ``wanted`` frames a second, by cubic interpolation.

    Straight lines would put corners at the frames, which a motion prior takes for jitter.

    Parameters
    ----------
    R
        (n, J, 3, 3).
    transl
        (n, 3).
    rate, wanted
        Frames per second.

    Returns
    -------
    tuple
        (m, J, 3, 3) and (m, 3), the first frame unchanged.
    """
    n = len(R)
    if n < 2 or abs(rate - wanted) < 1e-6 * wanted:
        return np.array(R), np.array(transl)
    times = np.arange(0.0, (n - 1) / rate + 1e-9, 1.0 / wanted) * rate
    below = np.minimum(times.astype(np.int64), n - 2)
    f = times - below
    # Cubic Hermite with central differences; rotations in the tangent space of the frame below.
    neighbours = np.clip(below[:, None] + np.array([-1, 1, 2]), 0, n - 1)
    local = log_so3(np.swapaxes(R[below], -1, -2)[:, None] @ R[neighbours])
    turn = _cubic(local[:, 0], np.zeros_like(local[:, 0]), local[:, 1], local[:, 2], f)
    place = _cubic(
        transl[neighbours[:, 0]],
        transl[below],
        transl[neighbours[:, 1]],
        transl[neighbours[:, 2]],
        f,
    )
    return R[below] @ exp_so3(turn), place


def _cubic(before: Array, a: Array, b: Array, after: Array, f: Array) -> Array:
    """Catmull-Rom between a and b at fractions f (n,)."""
    f = f.reshape(-1, *(1,) * (a.ndim - 1))
    first, last = 0.5 * (b - before), 0.5 * (after - a)
    return np.asarray(
        (2 * f**3 - 3 * f**2 + 1) * a
        + (f**3 - 2 * f**2 + f) * first
        + (3 * f**2 - 2 * f**3) * b
        + (f**3 - f**2) * last
    )
