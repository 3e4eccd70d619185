"""Compiled pull-back of curvature: from blocks over points to blocks over a frame's variables.

:func:`assemble_blocks` writes the Gauss-Newton matrix of one person as the block band that
:mod:`refine_engine.solver.blocks` factors.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.terms.skeleton import free_lengths, point_jacobian, row_jacobian

_NONE = np.zeros((0, 0), dtype=np.float32)
_NO_PLACE = np.zeros((0, 3))


@njit(nogil=True, cache=True)
def _add_turns(block, turn, width, transposed):  # type: ignore[no-untyped-def]
    for a in range((width - 3) // 3):
        o = 3 + 3 * a
        for r in range(3):
            for c in range(3):
                block[o + r, o + c] += turn[a, c, r] if transposed else turn[a, r, c]


@njit(nogil=True, cache=True)
def _set_later(block, dense, place, width, transposed):  # type: ignore[no-untyped-def]
    """Begin a block between frames: dense part (may have no rows) and places (the same)."""
    block[:, :] = 0.0
    if dense.shape[0]:
        if transposed:
            for a in range(width):
                for b in range(width):
                    block[a, b] = dense[b, a]
        else:
            for a in range(width):
                for b in range(width):
                    block[a, b] = dense[a, b]
    if place.shape[0]:
        for a in range(3):
            for b in range(3):
                block[a, b] += place[b, a] if transposed else place[a, b]


@njit(nogil=True, cache=True)
def _add_point_here(block, J, chain, length, H):  # type: ignore[no-untyped-def]
    """Upper blocks of J^T H J: rows of the joint nearer the root."""
    for r in range(3):
        for c in range(3):
            block[r, c] += H[r, c]
    for i in range(length):
        b = 3 + 3 * chain[i]
        for c in range(3):
            j0 = J[i, 0, c]
            j1 = J[i, 1, c]
            j2 = J[i, 2, c]
            h0 = H[0, 0] * j0 + H[0, 1] * j1 + H[0, 2] * j2
            h1 = H[1, 0] * j0 + H[1, 1] * j1 + H[1, 2] * j2
            h2 = H[2, 0] * j0 + H[2, 1] * j1 + H[2, 2] * j2
            block[0, b + c] += h0
            block[1, b + c] += h1
            block[2, b + c] += h2
            for m in range(i + 1):
                a = 3 + 3 * chain[m]
                block[a, b + c] += J[m, 0, 0] * h0 + J[m, 1, 0] * h1 + J[m, 2, 0] * h2
                block[a + 1, b + c] += J[m, 0, 1] * h0 + J[m, 1, 1] * h1 + J[m, 2, 1] * h2
                block[a + 2, b + c] += J[m, 0, 2] * h0 + J[m, 1, 2] * h1 + J[m, 2, 2] * h2


@njit(nogil=True, cache=True)
def _add_point_later(block, J, K, chain, length, w):  # type: ignore[no-untyped-def]
    """Block w J(t)^T J(t + k); rows = variables of frame t."""
    for r in range(3):
        block[r, r] += w
    for i in range(length):
        b = 3 + 3 * chain[i]
        for c in range(3):
            h0 = w * K[i, 0, c]
            h1 = w * K[i, 1, c]
            h2 = w * K[i, 2, c]
            block[0, b + c] += h0
            block[1, b + c] += h1
            block[2, b + c] += h2
            for m in range(length):
                a = 3 + 3 * chain[m]
                block[a, b + c] += J[m, 0, 0] * h0 + J[m, 1, 0] * h1 + J[m, 2, 0] * h2
                block[a + 1, b + c] += J[m, 0, 1] * h0 + J[m, 1, 1] * h1 + J[m, 2, 1] * h2
                block[a + 2, b + c] += J[m, 0, 2] * h0 + J[m, 1, 2] * h1 + J[m, 2, 2] * h2
        for c in range(3):
            for r in range(3):
                block[b + r, c] += w * J[i, c, r]


@njit(nogil=True, cache=True)
def assemble_blocks(  # type: ignore[no-untyped-def]
    pose,
    points,
    hessian,
    next1,
    next2,
    turn0,
    turn1,
    turn2,
    use_turns,
    place0,
    place1,
    dense0,
    dense1,
    dense2,
    dense_first,
    sample_points,
    row_start,
    row_point,
    row_direction,
    row_weight,
    shift_pulled,
    shift0,
    shift1,
    width,
    reach,
    damping,
    floor,
    backward,
    start,
    stop,
    here_blocks,
    next1_blocks,
    next2_blocks,
):
    """Fill blocks ``start`` .. ``stop - 1``; ``width`` is 6 or 69, float32 or float64.

    Block s is about frame s, or, ``backward``, about frame n - 1 - s; the next are then the frames
    before it.

    Where ``shift_pulled`` (n, width, 2) has frames, blocks are two wider: the image shift follows.

    Of the diagonal blocks only the upper triangle counts. The diagonal is multiplied by
    ``1 + damping`` and raised by ``floor``. ``dense0``, ``dense1``, ``dense2`` begin with frame
    ``dense_first``; they, and the blocks beyond ``reach``, have zero frames where absent.
    """
    G, X = pose
    joints, weights, offsets, chain, length = points
    s_joints, s_weights, s_offsets, s_chain, s_length = sample_points
    n = X.shape[0]
    count = joints.shape[0]
    free = (width - 3) // 3
    cmax = chain.shape[1]
    cut = free_lengths(chain, length, free)
    s_cut = free_lengths(s_chain, s_length, free)
    ring = np.zeros((3, count, cmax, 3, 3))
    row_J = np.zeros((max(s_chain.shape[1], 1), 3, 3))
    row = np.zeros(3 + 3 * 22)
    for s in range(start, min(start + reach, n)):
        t = n - 1 - s if backward else s
        for i in range(count):
            point_jacobian(
                G[t], X[t], joints[i], weights[i], offsets[i], chain[i], cut[i], ring[s % 3, i]
            )
    for s in range(start, stop):
        t = n - 1 - s if backward else s
        later = s + reach
        if later < n:
            u = n - 1 - later if backward else later
            for i in range(count):
                point_jacobian(
                    G[u],
                    X[u],
                    joints[i],
                    weights[i],
                    offsets[i],
                    chain[i],
                    cut[i],
                    ring[later % 3, i],
                )
        block0 = here_blocks[s]
        block0[:, :] = 0.0
        if dense0.shape[0]:
            for a in range(width):
                for b in range(width):
                    block0[a, b] = dense0[t - dense_first, a, b]
        for a in range(3):
            for b in range(3):
                block0[a, b] += place0[t, a, b]
        here = ring[s % 3]
        for i in range(count):
            H = hessian[t, i]
            if H[0, 0] + H[1, 1] + H[2, 2] != 0.0:
                _add_point_here(block0, here[i], chain[i], cut[i], H)
        _add_turns(block0, turn0[t], width, False)
        for m in range(row_start[t], row_start[t + 1]):
            k = row_point[m]
            w = row_weight[m]
            if w == 0.0:
                continue
            row_jacobian(
                G[t],
                X[t],
                s_joints[k],
                s_weights[k],
                s_offsets[k],
                s_chain[k],
                s_cut[k],
                row_direction[m],
                row_J,
                row,
            )
            for c in range(3):
                for d in range(c, 3):
                    block0[c, d] += w * row[c] * row[d]
            for i in range(s_cut[k]):
                b = 3 + 3 * s_chain[k, i]
                for d in range(b, b + 3):
                    wd = w * row[d]
                    for c in range(3):
                        block0[c, d] += row[c] * wd
                    for j in range(i + 1):
                        a = 3 + 3 * s_chain[k, j]
                        for c in range(a, a + 3):
                            block0[c, d] += row[c] * wd
        # Couplings are stored with the earlier of their two frames.
        if reach >= 1:
            block1 = next1_blocks[s]
            if s + 1 < n:
                e = t - 1 if backward else t
                d1 = dense1[e - dense_first] if dense1.shape[0] else _NONE
                _set_later(block1, d1, place1[e], width, backward)
                for i in range(count):
                    if next1[e, i] != 0.0:
                        _add_point_later(
                            block1, here[i], ring[(s + 1) % 3, i], chain[i], cut[i], next1[e, i]
                        )
                if use_turns:
                    _add_turns(block1, turn1[e], width, backward)
                if shift_pulled.shape[0]:
                    for k in range(2):
                        block1[width + k, width + k] = shift1[e]
            else:
                block1[:, :] = 0.0
        if reach >= 2:
            block2 = next2_blocks[s]
            if s + 2 < n:
                e = t - 2 if backward else t
                d2 = dense2[e - dense_first] if dense2.shape[0] else _NONE
                _set_later(block2, d2, _NO_PLACE, width, backward)
                for i in range(count):
                    if next2[e, i] != 0.0:
                        _add_point_later(
                            block2, here[i], ring[(s + 2) % 3, i], chain[i], cut[i], next2[e, i]
                        )
                if use_turns:
                    _add_turns(block2, turn2[e], width, backward)
            else:
                block2[:, :] = 0.0
        if shift_pulled.shape[0]:
            for k in range(2):
                for a in range(width):
                    block0[a, width + k] = shift_pulled[t, a, k]
                for m in range(2):
                    block0[width + k, width + m] = shift0[t, k, m]
        for a in range(block0.shape[0]):
            block0[a, a] = block0[a, a] * (1.0 + damping) + floor
