"""What Geman-McClure's loss leaves of the curvature along a residual."""

from __future__ import annotations

import numpy as np
from numba import njit

LEAST_SHARE = 0.15
"""Least share of the reweighted curvature along a residual: the model stays convex."""


@njit(nogil=True, cache=True)
def radial_shrink(q, r2, gm2):  # type: ignore[no-untyped-def]
    """How much Jacobians shrink along a residual, for true instead of reweighted curvature.

    The second derivative of Geman-McClure along the residual is ``1 - 4 q r^2 / gm^2`` times the
    reweighted one; from a third of the scale on it is negative, and held at a small positive
    number. Without it, points on their way out of the basin creep for tens of iterations.
    ``q = gm^2 / (gm^2 + r^2)``, ``r2`` the squared residual, ``gm2`` the squared scale. Returns
    ``1 - sqrt(share)``: what is taken from the part of a Jacobian along the residual.
    """
    return 1.0 - np.sqrt(max(1.0 - 4.0 * q * r2 / gm2, LEAST_SHARE))
