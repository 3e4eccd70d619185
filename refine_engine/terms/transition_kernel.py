"""Compiled Gauss-Newton model of the transition prior.

``z`` of one transition (:mod:`refine_engine.motion_prior.transition`) stands in blocks of three,
each of which depends on the turn of one or two joints, or on the root of two frames. So the
Jacobian is a short list of 3x3 blocks, and ``J^T H J`` costs two sweeps over it instead of a
product of dense matrices.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.terms.pose import _log_and_jacobian as log_and_jacobian

JOINTS = 21
COMBINED = 205
SPEEDS, UP, VELOCITY = 63, 126, 129
NEXT_SPEEDS, NEXT_VELOCITY = 136, 199
"""Where the parts of ``z`` begin; the one stands at 135."""
WIDTH = 69
ENTRIES = 2 + JOINTS * 5 + 10
"""Room for the Jacobian's blocks."""


@njit(nogil=True, cache=True)
def combined_features(R, transl, mean, size, rate, t, z):  # type: ignore[no-untyped-def]
    """Fill z (205,) of the transition whose middle frame is t."""
    J = np.empty((3, 3))
    for j in range(JOINTS):
        a = 3 * j
        log_and_jacobian(mean[j], R[t, j + 1], z[a : a + 3], J)
        log_and_jacobian(R[t - 1, j + 1], R[t, j + 1], z[SPEEDS + a : SPEEDS + a + 3], J)
        log_and_jacobian(R[t, j + 1], R[t + 1, j + 1], z[NEXT_SPEEDS + a : NEXT_SPEEDS + a + 3], J)
    for c in range(3):
        z[UP + c] = R[t, 0, 1, c]
        now = 0.0
        later = 0.0
        for d in range(3):
            now += R[t - 1, 0, d, c] * (transl[t, d] - transl[t - 1, d])
            later += R[t, 0, d, c] * (transl[t + 1, d] - transl[t, d])
        z[VELOCITY + c] = now / size
        z[NEXT_VELOCITY + c] = later / size
    log_and_jacobian(R[t - 1, 0], R[t, 0], z[VELOCITY + 3 : VELOCITY + 6], J)
    log_and_jacobian(R[t, 0], R[t + 1, 0], z[NEXT_VELOCITY + 3 : NEXT_VELOCITY + 6], J)
    for a in range(SPEEDS, UP):
        z[a] *= rate
    for a in range(VELOCITY, VELOCITY + 6):
        z[a] *= rate
    for a in range(NEXT_SPEEDS, COMBINED):
        z[a] *= rate
    z[135] = 1.0


@njit(nogil=True, cache=True)
def all_features(R, transl, mean, size, rate, out):  # type: ignore[no-untyped-def]
    """Combined features (n - 2, 205) of all transitions."""
    for t in range(1, R.shape[0] - 1):
        combined_features(R, transl, mean, size, rate, t, out[t - 1])


@njit(nogil=True, cache=True)
def _entry(entries, blocks, count, at, variable):  # type: ignore[no-untyped-def]
    entries[count, 0] = at
    entries[count, 1] = variable
    blocks[count] = 0.0
    return count + 1


@njit(nogil=True, cache=True)
def _turn_entries(A, B, rate, at, first, second, entries, blocks, count, r, J):  # type: ignore[no-untyped-def]
    """Blocks of rate * log(A^T B) by the turns of A (variable ``first``) and B (``second``)."""
    log_and_jacobian(A, B, r, J)
    count = _entry(entries, blocks, count, at, second)
    for c in range(3):
        for d in range(3):
            blocks[count - 1, c, d] = rate * J[c, d]
    count = _entry(entries, blocks, count, at, first)
    for c in range(3):
        for d in range(3):
            # The inverse left Jacobian is the transposed inverse right one.
            blocks[count - 1, c, d] = -rate * J[d, c]
    return count


@njit(nogil=True, cache=True)
def _cross(a, block):  # type: ignore[no-untyped-def]
    """Block = [a]x."""
    block[0, 1] = -a[2]
    block[0, 2] = a[1]
    block[1, 0] = a[2]
    block[1, 2] = -a[0]
    block[2, 0] = -a[1]
    block[2, 1] = a[0]


@njit(nogil=True, cache=True)
def _jacobian(R, mean, size, rate, t, z, entries, blocks):  # type: ignore[no-untyped-def]
    """List the Jacobian's blocks: rows ``entries[:, 0]`` of z, columns of the 207 variables."""
    r = np.empty(3)
    J = np.empty((3, 3))
    count = 0
    for j in range(JOINTS):
        a = 3 * j
        v = 6 + a
        log_and_jacobian(mean[j], R[t, j + 1], r, J)
        count = _entry(entries, blocks, count, a, WIDTH + v)
        blocks[count - 1] = J
        count = _turn_entries(
            R[t - 1, j + 1],
            R[t, j + 1],
            rate,
            SPEEDS + a,
            v,
            WIDTH + v,
            entries,
            blocks,
            count,
            r,
            J,
        )
        count = _turn_entries(
            R[t, j + 1],
            R[t + 1, j + 1],
            rate,
            NEXT_SPEEDS + a,
            WIDTH + v,
            2 * WIDTH + v,
            entries,
            blocks,
            count,
            r,
            J,
        )
    count = _entry(entries, blocks, count, UP, WIDTH + 3)
    _cross(z[UP : UP + 3], blocks[count - 1])
    for half in range(2):
        at = VELOCITY if half == 0 else NEXT_VELOCITY
        v = half * WIDTH
        s = t - 1 + half
        count = _turn_entries(
            R[s, 0], R[s + 1, 0], rate, at + 3, v + 3, v + WIDTH + 3, entries, blocks, count, r, J
        )
        count = _entry(entries, blocks, count, at, v + 3)
        _cross(z[at : at + 3], blocks[count - 1])
        for side in range(2):
            count = _entry(entries, blocks, count, at, v + side * WIDTH)
            sign = rate / size if side == 1 else -rate / size
            for c in range(3):
                for d in range(3):
                    blocks[count - 1, c, d] = sign * R[s, 0, d, c]
    return count


@njit(nogil=True, cache=True)
def _sweep(entries, blocks, count, source, target, columns):  # type: ignore[no-untyped-def]
    """``target[:207, :columns] = J^T source``."""
    target[:, :columns] = 0.0
    for i in range(count):
        a = entries[i, 0]
        v = entries[i, 1]
        s0 = source[a]
        s1 = source[a + 1]
        s2 = source[a + 2]
        for c in range(3):
            b0 = blocks[i, 0, c]
            b1 = blocks[i, 1, c]
            b2 = blocks[i, 2, c]
            row = target[v + c]
            for k in range(columns):
                row[k] += b0 * s0[k] + b1 * s1[k] + b2 * s2[k]


@njit(nogil=True, cache=True)
def add_transitions(  # type: ignore[no-untyped-def]
    R, transl, mean, size, rate, features, shares, matrices, gradient, here, next1, next2
):
    """Add gradient and curvature of all transitions; returns dE/dlog(size) and its curvature.

    ``shares`` (n - 2, K): weight of each component's quadratic form ``z^T M_k z / 2``.
    """
    n = R.shape[0]
    entries = np.empty((ENTRIES, 2), dtype=np.int64)
    blocks = np.empty((ENTRIES, 3, 3), dtype=np.float64)
    H = np.empty((COMBINED, COMBINED), dtype=np.float64)
    T = np.empty((3 * WIDTH, COMBINED), dtype=np.float64)
    S = np.empty((COMBINED, 3 * WIDTH), dtype=np.float64)
    B = np.empty((3 * WIDTH, 3 * WIDTH), dtype=np.float64)
    g = np.empty(COMBINED)
    by_size = 0.0
    curve_size = 0.0
    for t in range(1, n - 1):
        z = features[t - 1]
        g[:] = 0.0
        first = True
        for k in range(matrices.shape[0]):
            w = shares[t - 1, k]
            if w == 0.0:
                continue
            g += w * np.dot(matrices[k], z)
            if first:
                for a in range(COMBINED):
                    for b in range(COMBINED):
                        H[a, b] = w * matrices[k, a, b]
                first = False
            else:
                for a in range(COMBINED):
                    for b in range(COMBINED):
                        H[a, b] += w * matrices[k, a, b]
        if first:
            continue
        for at in (VELOCITY, NEXT_VELOCITY):
            for c in range(3):
                by_size -= g[at + c] * z[at + c]
                for other in (VELOCITY, NEXT_VELOCITY):
                    for d in range(3):
                        curve_size += z[at + c] * H[at + c, other + d] * z[other + d]
        count = _jacobian(R, mean, size, rate, t, z, entries, blocks)
        for i in range(count):
            a = entries[i, 0]
            v = entries[i, 1]
            frame = t - 1 + v // WIDTH
            for c in range(3):
                s = 0.0
                for m in range(3):
                    s += blocks[i, m, c] * g[a + m]
                gradient[frame, v % WIDTH + c] += s
        _sweep(entries, blocks, count, H, T, COMBINED)
        for a in range(COMBINED):
            for b in range(3 * WIDTH):
                S[a, b] = T[b, a]
        _sweep(entries, blocks, count, S, B, 3 * WIDTH)
        for a in range(WIDTH):
            for b in range(WIDTH):
                here[t - 1, a, b] += B[a, b]
                here[t, a, b] += B[WIDTH + a, WIDTH + b]
                here[t + 1, a, b] += B[2 * WIDTH + a, 2 * WIDTH + b]
                next1[t - 1, a, b] += B[a, WIDTH + b]
                next1[t, a, b] += B[WIDTH + a, 2 * WIDTH + b]
                next2[t - 1, a, b] += B[a, 2 * WIDTH + b]
    return by_size, curve_size
