"""Loss and derivatives of given steps from frame to frame; compiled. Used by :mod:`.humor`."""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.terms.pose import _log_and_jacobian as log_and_jacobian

FREEDOM = 16.0
"""Degrees of freedom of a transition's Student-t."""
TURNS = 22
"""Root and joints 1..21, which HuMoR's state holds."""
DIMENSIONS = 3 * TURNS + 3
"""Numbers of a step: all turns, the move."""


@njit(nogil=True, cache=True)
def step_loss(  # type: ignore[no-untyped-def]
    R, transl, turns, steps, links, sigmas, with_model, gradient, here, beside
):
    """Sum of w (nu + d) / 2 log(1 + q / nu); also the sum of w r^2 of places (for the size).

    ``sigmas`` are those of a turn (radians) and of a move (metres) in one frame.
    """
    total = 0.0
    sized = 0.0
    r = np.empty((TURNS, 3))
    J = np.empty((TURNS, 3, 3))
    M = np.empty((TURNS, 3, 3))
    back = np.empty((3, 3))
    d = np.empty(3)
    turn = 1.0 / (sigmas[0] * sigmas[0])
    place = 1.0 / (sigmas[1] * sigmas[1])
    for t in range(1, R.shape[0]):
        if links[t] == 0.0:
            continue
        q = 0.0
        away = 0.0
        for j in range(TURNS):
            for c in range(3):
                for e in range(3):
                    M[j, c, e] = (
                        R[t - 1, j, 0, c] * R[t, j, 0, e]
                        + R[t - 1, j, 1, c] * R[t, j, 1, e]
                        + R[t - 1, j, 2, c] * R[t, j, 2, e]
                    )
            log_and_jacobian(turns[t, j], M[j], r[j], J[j])
            for c in range(3):
                q += turn * r[j, c] * r[j, c]
        for c in range(3):
            d[c] = transl[t, c] - transl[t - 1, c] - steps[t, c]
            away += place * d[c] * d[c]
        q += away
        total += links[t] * 0.5 * (FREEDOM + DIMENSIONS) * np.log1p(q / FREEDOM)
        if not with_model:
            continue
        w = links[t] * (FREEDOM + DIMENSIONS) / (FREEDOM + q)
        sized += w * away
        for c in range(3):
            gradient[t, c] += w * place * d[c]
            gradient[t - 1, c] -= w * place * d[c]
            here[t, c, c] += w * place
            here[t - 1, c, c] += w * place
            beside[t - 1, c, c] -= w * place
        for j in range(TURNS):
            # A turn exp(b) of the frame before changes M to exp(-b) M = M exp(-M^T b).
            for m in range(3):
                for c in range(3):
                    back[m, c] = -(
                        J[j, m, 0] * M[j, c, 0] + J[j, m, 1] * M[j, c, 1] + J[j, m, 2] * M[j, c, 2]
                    )
            for c in range(3):
                row = 3 + 3 * j + c
                for m in range(3):
                    gradient[t, row] += w * turn * J[j, m, c] * r[j, m]
                    gradient[t - 1, row] += w * turn * back[m, c] * r[j, m]
                    for e in range(3):
                        column = 3 + 3 * j + e
                        here[t, row, column] += w * turn * J[j, m, c] * J[j, m, e]
                        here[t - 1, row, column] += w * turn * back[m, c] * back[m, e]
                        beside[t - 1, row, column] += w * turn * back[m, c] * J[j, m, e]
    return total, sized
