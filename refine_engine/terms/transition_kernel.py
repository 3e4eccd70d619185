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
"""Length of ``z``."""
SPEEDS, UP, VELOCITY = 63, 126, 129
NEXT_SPEEDS, NEXT_VELOCITY = 136, 199
"""Where the parts of ``z`` begin; the one stands at 135."""
WIDTH = 69
ENTRIES = 2 + JOINTS * 5 + 10
"""Room for the Jacobian's blocks."""
TILE = 16
"""A matrix is transposed in stripes of this width."""
ROOM = 208
"""Side of square matrices: a multiple of the tile."""


@njit(nogil=True, cache=True)
def _next_features(R, transl, size, rate, t, z):  # type: ignore[no-untyped-def]
    """Fill the second half of z: what changes from frame t to frame t + 1, a second."""
    J = np.empty((3, 3))
    for j in range(JOINTS):
        a = NEXT_SPEEDS + 3 * j
        log_and_jacobian(R[t, j + 1], R[t + 1, j + 1], z[a : a + 3], J)
    for c in range(3):
        moved = 0.0
        for d in range(3):
            moved += R[t, 0, d, c] * (transl[t + 1, d] - transl[t, d])
        z[NEXT_VELOCITY + c] = moved / size
    log_and_jacobian(R[t, 0], R[t + 1, 0], z[NEXT_VELOCITY + 3 : NEXT_VELOCITY + 6], J)
    for a in range(NEXT_SPEEDS, COMBINED):
        z[a] *= rate


@njit(nogil=True, cache=True)
def all_features(R, transl, mean, size, rate, out):  # type: ignore[no-untyped-def]
    """Combined features (n - 2, 205) of all transitions."""
    J = np.empty((3, 3))
    n = R.shape[0]
    if n < 3:
        return
    # What changed before frame 1 goes through the second half of the first row.
    _next_features(R, transl, size, rate, 0, out[0])
    for t in range(1, n - 1):
        z = out[t - 1]
        before = out[t - 2] if t > 1 else z
        for a in range(3 * JOINTS):
            z[SPEEDS + a] = before[NEXT_SPEEDS + a]
        for a in range(6):
            z[VELOCITY + a] = before[NEXT_VELOCITY + a]
        for j in range(JOINTS):
            log_and_jacobian(mean[j], R[t, j + 1], z[3 * j : 3 * j + 3], J)
        for c in range(3):
            z[UP + c] = R[t, 0, 1, c]
        z[135] = 1.0
        _next_features(R, transl, size, rate, t, z)


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
def pull_transitions(R, transl, mean, size, rate, features, forces, gradient):  # type: ignore[no-untyped-def]
    """Add J^T forces (n - 2, 205) of all transitions to gradient (n, 69)."""
    entries = np.empty((ENTRIES, 2), dtype=np.int64)
    blocks = np.empty((ENTRIES, 3, 3), dtype=np.float64)
    for t in range(1, R.shape[0] - 1):
        g = forces[t - 1]
        count = _jacobian(R, mean, size, rate, t, features[t - 1], entries, blocks)
        for i in range(count):
            a = entries[i, 0]
            v = entries[i, 1]
            frame = t - 1 + v // WIDTH
            for c in range(3):
                s = 0.0
                for m in range(3):
                    s += blocks[i, m, c] * g[a + m]
                gradient[frame, v % WIDTH + c] += s


@njit(nogil=True, cache=True, fastmath={"contract"})
def _sweep(entries, blocks, count, source, target, halved):  # type: ignore[no-untyped-def]
    """``target[:207] = J^T source``; ``halved``: no columns of earlier frames."""
    target[:, :] = 0.0
    for i in range(count):
        a = entries[i, 0]
        v = entries[i, 1]
        first = v // WIDTH * WIDTH if halved else 0
        s0 = source[a, first:]
        s1 = source[a + 1, first:]
        s2 = source[a + 2, first:]
        r0 = target[v, first:]
        r1 = target[v + 1, first:]
        r2 = target[v + 2, first:]
        b = blocks[i]
        b00, b01, b02 = b[0, 0], b[0, 1], b[0, 2]
        b10, b11, b12 = b[1, 0], b[1, 1], b[1, 2]
        b20, b21, b22 = b[2, 0], b[2, 1], b[2, 2]
        for k in range(r0.shape[0]):
            x, y, z = s0[k], s1[k], s2[k]
            r0[k] += b00 * x + b10 * y + b20 * z
            r1[k] += b01 * x + b11 * y + b21 * z
            r2[k] += b02 * x + b12 * y + b22 * z


@njit(nogil=True, cache=True)
def add_transitions(  # type: ignore[no-untyped-def]
    R, transl, mean, size, rate, features, shares, matrices, first, here, next1, next2
):
    """Add the curvature of transitions to blocks (m, 69, 69) of frames ``first`` and following.

    ``shares`` (n - 2, K): weight of each component's quadratic form ``z^T M_k z / 2``; they,
    ``matrices`` and the blocks are float32: curvature steers steps, the gradient is exact.
    """
    n = R.shape[0]
    last = first + here.shape[0]
    single = np.float32
    entries = np.empty((ENTRIES, 2), dtype=np.int64)
    doubles = np.empty((ENTRIES, 3, 3), dtype=np.float64)
    blocks = np.empty((ENTRIES, 3, 3), dtype=single)
    # Squares with room for whole tiles.
    H = np.zeros((ROOM, ROOM), dtype=single)
    T = np.zeros((ROOM, ROOM), dtype=single)
    S = np.zeros((ROOM, ROOM), dtype=single)
    B = np.zeros((ROOM, ROOM), dtype=single)
    for t in range(max(first - 1, 1), min(last + 1, n - 1)):
        begun = False
        for k in range(matrices.shape[0]):
            w = shares[t - 1, k]
            if w == 0.0:
                continue
            matrix = matrices[k]
            if begun:
                for a in range(COMBINED):
                    row, source = H[a], matrix[a]
                    for b in range(COMBINED):
                        row[b] += w * source[b]
            else:
                for a in range(COMBINED):
                    row, source = H[a], matrix[a]
                    for b in range(COMBINED):
                        row[b] = w * source[b]
                begun = True
        if not begun:
            continue
        count = _jacobian(R, mean, size, rate, t, features[t - 1], entries, doubles)
        for i in range(count):
            for c in range(3):
                for d in range(3):
                    blocks[i, c, d] = single(doubles[i, c, d])
        _sweep(entries, blocks, count, H, T, False)
        for b0 in range(0, ROOM, TILE):
            for a in range(ROOM):
                for b in range(b0, b0 + TILE):
                    S[a, b] = T[b, a]
        _sweep(entries, blocks, count, S, B, True)
        for k in range(3):
            f = t - 1 + k
            if not first <= f < last:
                continue
            at = k * WIDTH
            for a in range(WIDTH):
                row = B[at + a]
                target = here[f - first, a]
                for b in range(a, WIDTH):
                    target[b] += row[at + b]
                if k < 2:
                    target = next1[f - first, a]
                    for b in range(WIDTH):
                        target[b] += row[at + WIDTH + b]
                if k == 0:
                    target = next2[f - first, a]
                    for b in range(WIDTH):
                        target[b] += row[2 * WIDTH + b]
