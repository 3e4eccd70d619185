"""Cholesky factor of a symmetric block-band matrix, in compiled code that releases the GIL.

The matrix couples each frame with the next ``reach`` (0, 1 or 2) frames: blocks ``here[t]``
(upper triangle used), ``next1[t]`` = rows of frame t and columns of frame t + 1, ``next2[t]``
alike. Everything but two triangular loops is matrix products of contiguous blocks (BLAS through
``np.dot``), float32 or float64. LAPACK's ``pbtrf`` and ``pbtrs`` would need band storage, and solve
right sides one by one instead of 16 at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 16
"""Right sides are solved in groups of this many."""


SMALL = 24
"""Diagonal blocks are factored in pieces of this size: loops within a piece, products between."""


@njit(nogil=True, cache=True)
def _factor_piece(a, inverse):  # type: ignore[no-untyped-def]
    """Cholesky ``a = U^T U`` (upper, in place) and ``inverse = U^-T`` (lower); False if not PD."""
    n = a.shape[0]
    for k in range(n):
        pivot = a[k, k]
        if not pivot > 0.0:
            return False
        root = np.sqrt(pivot)
        scale = a.dtype.type(1.0) / root
        upper = a[k]
        for j in range(k, n):
            upper[j] *= scale
        for i in range(k + 1, n):
            factor = upper[i]
            row = a[i]
            for j in range(i, n):
                row[j] -= factor * upper[j]
    for i in range(n):
        target = inverse[i]
        for j in range(n):
            target[j] = 0.0
        for k in range(i):
            factor = a[k, i]
            source = inverse[k]
            for j in range(k + 1):
                target[j] -= factor * source[j]
        scale = a.dtype.type(1.0) / a[i, i]
        for j in range(i):
            target[j] *= scale
        target[i] = scale
    return True


@njit(nogil=True, cache=True)
def _factor_block(a, inverse, room):  # type: ignore[no-untyped-def]
    """As :func:`_factor_piece`, piece by piece; ``room`` (4, n * n) is overwritten."""
    n = a.shape[0]
    if n <= SMALL:
        return _factor_piece(a, inverse)
    inverse[:, :] = 0.0
    for first in range(0, n, SMALL):
        last = min(first + SMALL, n)
        size, rest = last - first, n - last
        piece = room[0, : size * size].reshape(size, size)
        small = room[1, : size * size].reshape(size, size)
        piece[:, :] = a[first:last, first:last]
        if not _factor_piece(piece, small):
            return False
        inverse[first:last, first:last] = small
        if first > 0:
            # Rows of the inverse: -inverse(U_kk)^T (U_above^T inverse_above).
            above = room[0, : first * size].reshape(first, size)
            above[:, :] = a[:first, first:last]
            known = room[2, : first * first].reshape(first, first)
            known[:, :] = inverse[:first, :first]
            product = room[3, : size * first].reshape(size, first)
            np.dot(above.T, known, product)
            np.dot(small, product, above.reshape(size, first))
            done = above.reshape(size, first)
            for i in range(size):
                for j in range(first):
                    inverse[first + i, j] = -done[i, j]
        if rest > 0:
            panel = room[0, : size * rest].reshape(size, rest)
            panel[:, :] = a[first:last, last:]
            solved = room[2, : size * rest].reshape(size, rest)
            np.dot(small, panel, solved)
            a[first:last, last:] = solved
            product = room[3, : rest * rest].reshape(rest, rest)
            np.dot(solved.T, solved, product)
            for i in range(rest):
                for j in range(i, rest):
                    a[last + i, last + j] -= product[i, j]
    return True


@njit(nogil=True, cache=True)
def factor_blocks(here, next1, next2, reach, count):  # type: ignore[no-untyped-def]
    """Factor the first ``count`` frames in place; those that follow lose what couples with them.

    Afterwards ``here[t]`` holds the inverse of the diagonal factor ``L_tt`` (lower triangular)
    and ``next1[t]``, ``next2[t]`` the transposed factors ``L_{t+1,t}^T``, ``L_{t+2,t}^T``.

    Returns
    -------
    int
        -1 when it succeeded, else the frame whose pivot was not positive.
    """
    n, width, _ = here.shape
    inverse = np.empty((width, width), here.dtype)
    product = np.empty((width, width), here.dtype)
    z1 = np.empty((width, width), here.dtype)
    z2 = np.empty((width, width), here.dtype)
    room = np.empty((4, width * width), here.dtype)
    for t in range(count):
        if not _factor_block(here[t], inverse, room):
            return t
        here[t] = inverse
        if reach >= 1 and t + 1 < n:
            np.dot(inverse, next1[t], z1)
            next1[t] = z1
            np.dot(z1.T, z1, product)
            target = here[t + 1]
            for i in range(width):
                for j in range(i, width):
                    target[i, j] -= product[i, j]
        if reach >= 2 and t + 2 < n:
            np.dot(inverse, next2[t], z2)
            next2[t] = z2
            np.dot(z1.T, z2, product)
            target = next1[t + 1]
            for i in range(width):
                for j in range(width):
                    target[i, j] -= product[i, j]
            np.dot(z2.T, z2, product)
            target = here[t + 2]
            for i in range(width):
                for j in range(i, width):
                    target[i, j] -= product[i, j]
    return -1


@njit(nogil=True, cache=True)
def solve_lower(here, next1, next2, reach, b, count):  # type: ignore[no-untyped-def]
    """Solve ``L y = b`` in place for the first ``count`` frames.

    ``b`` is (n, width, columns), or (n, width) for one right side. Frames that follow lose what
    couples with them. The rest is from :func:`factor_blocks`.
    """
    n = here.shape[0]
    y = np.empty(b.shape[1:], b.dtype)
    product = np.empty(b.shape[1:], b.dtype)
    for t in range(count):
        np.dot(here[t], b[t], y)
        b[t] = y
        if reach >= 1 and t + 1 < n:
            np.dot(next1[t].T, y, product)
            b[t + 1] -= product
        if reach >= 2 and t + 2 < n:
            np.dot(next2[t].T, y, product)
            b[t + 2] -= product


@njit(nogil=True, cache=True)
def solve_upper(here, next1, next2, reach, b, count):  # type: ignore[no-untyped-def]
    """Solve ``L^T x = b`` in place for the first ``count`` frames, given x of those that follow.

    ``b`` as in :func:`solve_lower`.
    """
    n = here.shape[0]
    product = np.empty(b.shape[1:], b.dtype)
    for t in range(count - 1, -1, -1):
        if reach >= 1 and t + 1 < n:
            np.dot(next1[t], b[t + 1], product)
            b[t] -= product
        if reach >= 2 and t + 2 < n:
            np.dot(next2[t], b[t + 2], product)
            b[t] -= product
        np.dot(here[t].T, b[t], product)
        b[t] = product


@njit(nogil=True, cache=True)
def inverse_blocks(here, next1, next2, reach, out):  # type: ignore[no-untyped-def]
    """Diagonal blocks of the inverse, exactly (Takahashi's recursion, backwards in time).

    Parameters
    ----------
    here, next1, next2, reach
        From :func:`factor_blocks`.
    out
        (n, width, width), filled.
    """
    n, width, _ = here.shape
    # Covariances among the (at most) two frames after t: S11, S12, S22.
    s11 = np.zeros((width, width), here.dtype)
    s12 = np.zeros((width, width), here.dtype)
    s22 = np.zeros((width, width), here.dtype)
    for t in range(n - 1, -1, -1):
        base = np.dot(here[t].T, here[t])
        if reach == 0 or t + 1 >= n:
            out[t] = base
            s22[:] = s11
            s11[:] = base
            s12[:] = 0.0
            continue
        # Columns of frame t: S_tN = -L_tt^-T L_Nt^T S_NN.
        p1 = np.dot(here[t].T, next1[t])
        st1 = -np.dot(p1, s11)
        st2 = np.zeros_like(st1)
        own = base.copy()
        if reach >= 2 and t + 2 < n:
            p2 = np.dot(here[t].T, next2[t])
            st1 -= np.dot(p2, np.ascontiguousarray(s12.T))
            st2 = -np.dot(p1, s12) - np.dot(p2, s22)
            own -= np.dot(st2, np.ascontiguousarray(p2.T))
        own -= np.dot(st1, np.ascontiguousarray(p1.T))
        out[t] = own
        s22[:] = s11
        s12[:] = st1
        s11[:] = own
