"""Compiled pull-back: from blocks over points to blocks over variables.

``assemble_blocks`` writes the Gauss-Newton matrix of one person as the block band that
:mod:`refine_engine.solver.blocks` factors. ``pull_border`` computes the gradient and the coupling
with betas and the shared variables.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.terms.skeleton import (
    PARENT_TABLE,
    add_attachment_dirs,
    point_jacobian,
    shape_jacobian,
)

LANES = 16
"""Columns of the border are handled in groups of this many: gradient, 10 betas, log alpha, plane
(3), then chunks."""
FIRST_CHUNK_LANE = 15
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
def _row_jacobian(G, X, joints, weights, offsets, chain, length, n, J, out):  # type: ignore[no-untyped-def]
    """Scalar row of one sample over a frame's variables: out (69,), zero off the chain."""
    point_jacobian(G, X, joints, weights, offsets, chain, length, J)
    out[:] = 0.0
    for c in range(3):
        out[c] = n[c]
    for i in range(length):
        b = 3 + 3 * chain[i]
        for c in range(3):
            out[b + c] = J[i, 0, c] * n[0] + J[i, 1, c] * n[1] + J[i, 2, c] * n[2]


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
    # Chains are cut at the last free joint; they ascend, so a prefix remains.
    cut = np.zeros(count, dtype=np.int64)
    for i in range(count):
        while cut[i] < length[i] and chain[i, cut[i]] < free:
            cut[i] += 1
    s_cut = np.zeros(s_joints.shape[0], dtype=np.int64)
    for i in range(s_joints.shape[0]):
        while s_cut[i] < s_length[i] and s_chain[i, s_cut[i]] < free:
            s_cut[i] += 1
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
            _row_jacobian(
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


@njit(nogil=True, cache=True)
def _pull_shift(  # type: ignore[no-untyped-def]
    G, X, joints, weights, offsets, shape, cross, F, Q, width, pulled, out
):
    """Couplings of the image shift with a frame's variables (pulled) and betas (rows of out)."""
    F[:] = 0.0
    Q[:] = 0.0
    for k in range(2):
        for b in range(10):
            out[width + k, 1 + b] = 0.0
    for i in range(joints.shape[0]):
        present = False
        for r in range(3):
            for k in range(2):
                present = present or cross[i, r, k] != 0.0
        if not present:
            continue
        for r in range(3):
            for k in range(2):
                for b in range(10):
                    out[width + k, 1 + b] += shape[i, r, b] * cross[i, r, k]
        for m in range(joints.shape[1]):
            w = weights[i, m]
            if w == 0.0:
                continue
            j = joints[i, m]
            a = offsets[i, m, 0]
            b = offsets[i, m, 1]
            c = offsets[i, m, 2]
            x0 = X[j, 0] - X[0, 0] + G[j, 0, 0] * a + G[j, 0, 1] * b + G[j, 0, 2] * c
            x1 = X[j, 1] - X[0, 1] + G[j, 1, 0] * a + G[j, 1, 1] * b + G[j, 1, 2] * c
            x2 = X[j, 2] - X[0, 2] + G[j, 2, 0] * a + G[j, 2, 1] * b + G[j, 2, 2] * c
            for k in range(2):
                f0 = w * cross[i, 0, k]
                f1 = w * cross[i, 1, k]
                f2 = w * cross[i, 2, k]
                F[j, 0, k] += f0
                F[j, 1, k] += f1
                F[j, 2, k] += f2
                Q[j, 0, k] += x1 * f2 - x2 * f1
                Q[j, 1, k] += x2 * f0 - x0 * f2
                Q[j, 2, k] += x0 * f1 - x1 * f0
    for j in range(23, 0, -1):
        p = PARENT_TABLE[j]
        for r in range(3):
            for k in range(2):
                F[p, r, k] += F[j, r, k]
                Q[p, r, k] += Q[j, r, k]
    for k in range(2):
        for r in range(3):
            pulled[r, k] = F[0, r, k]
        for a in range((width - 3) // 3):
            x0 = X[a, 0] - X[0, 0]
            x1 = X[a, 1] - X[0, 1]
            x2 = X[a, 2] - X[0, 2]
            q0 = Q[a, 0, k] - (x1 * F[a, 2, k] - x2 * F[a, 1, k])
            q1 = Q[a, 1, k] - (x2 * F[a, 0, k] - x0 * F[a, 2, k])
            q2 = Q[a, 2, k] - (x0 * F[a, 1, k] - x1 * F[a, 0, k])
            for c in range(3):
                pulled[3 + 3 * a + c, k] = G[a, 0, c] * q0 + G[a, 1, c] * q1 + G[a, 2, c] * q2


@njit(nogil=True, cache=True)
def pull_border(  # type: ignore[no-untyped-def]
    pose,
    points,
    joint_dirs,
    offset_dirs,
    gradient,
    size_cross,
    hessian,
    next1,
    next2,
    cross,
    turn_gradient,
    dense_gradient,
    sample_points,
    sample_dirs,
    row_start,
    row_point,
    row_direction,
    row_weight,
    row_residual,
    row_shared,
    row_chunk,
    size_direction,
    size_gradient,
    size_hessian,
    size_shared,
    shift_gradient,
    shift_cross,
    shift_shared,
    shift_size,
    shift_pulled,
    width,
    border,
    betas_gradient,
    betas_hessian,
    betas_shared,
):
    """Gradient and couplings with betas and the shared variables.

    ``border`` (groups, n * rows, 16) is filled, ``shift_pulled`` (n, width, 2) too where it has
    frames (``rows`` is ``width``, and two more then); ``betas_gradient`` (10,), ``betas_hessian``
    (10, 10) and ``betas_shared`` (10, 4 + C) are added to. ``size_direction`` is the derivative
    of log size by betas; ``size_cross`` (n, N, 3), ``size_gradient``, ``size_hessian`` and
    ``size_shared`` (4) are the model's derivatives by log size.
    """
    G, X = pose
    joints, weights, offsets, _, _ = points
    s_joints, s_weights, s_offsets, s_chain, s_length = sample_points
    n = X.shape[0]
    count = joints.shape[0]
    free = (width - 3) // 3
    u = size_direction
    shape = np.zeros((n, count, 3, 10))
    for t in range(n):
        shape_jacobian(G[t], joint_dirs, joints, weights, offset_dirs, shape[t])
    W = np.zeros((3, 16))
    F = np.zeros((24, 3, 16))
    Q = np.zeros((24, 3, 16))
    shifts = shift_pulled.shape[0] > 0
    stride = border.shape[1] // n
    shift_F = np.zeros((24, 3, 2))
    shift_Q = np.zeros((24, 3, 2))
    pulled_size = np.zeros(10)
    s_cut = np.zeros(s_joints.shape[0], dtype=np.int64)
    for i in range(s_joints.shape[0]):
        while s_cut[i] < s_length[i] and s_chain[i, s_cut[i]] < free:
            s_cut[i] += 1
    row_J = np.zeros((max(s_chain.shape[1], 1), 3, 3))
    row = np.zeros(3 + 3 * 22)
    by_shape = np.zeros((3, 10))
    jb = np.zeros(10)
    for t in range(n):
        F[:] = 0.0
        Q[:] = 0.0
        for i in range(count):
            H = hessian[t, i]
            if H[0, 0] + H[1, 1] + H[2, 2] == 0.0:
                continue
            S = shape[t, i]
            for r in range(3):
                sc = size_cross[t, i, r]
                W[r, 0] = gradient[t, i, r]
                for k in range(10):
                    W[r, 1 + k] = (
                        H[r, 0] * S[0, k] + H[r, 1] * S[1, k] + H[r, 2] * S[2, k] + sc * u[k]
                    )
                for k in range(4):
                    W[r, 11 + k] = cross[t, i, r, k]
            if next1[t, i] != 0.0:
                w = next1[t, i]
                for r in range(3):
                    for k in range(10):
                        W[r, 1 + k] += w * shape[t + 1, i, r, k]
            if t >= 1 and next1[t - 1, i] != 0.0:
                w = next1[t - 1, i]
                for r in range(3):
                    for k in range(10):
                        W[r, 1 + k] += w * shape[t - 1, i, r, k]
            if next2[t, i] != 0.0:
                w = next2[t, i]
                for r in range(3):
                    for k in range(10):
                        W[r, 1 + k] += w * shape[t + 2, i, r, k]
            if t >= 2 and next2[t - 2, i] != 0.0:
                w = next2[t - 2, i]
                for r in range(3):
                    for k in range(10):
                        W[r, 1 + k] += w * shape[t - 2, i, r, k]
            for r in range(3):
                for k in range(10):
                    s = S[r, k]
                    betas_gradient[k] += s * W[r, 0]
                    pulled_size[k] += s * size_cross[t, i, r]
                    for m in range(10):
                        betas_hessian[k, m] += s * W[r, 1 + m]
                    for m in range(4):
                        betas_shared[k, m] += s * W[r, 11 + m]
            for m in range(joints.shape[1]):
                w = weights[i, m]
                if w == 0.0:
                    continue
                j = joints[i, m]
                a = offsets[i, m, 0]
                b = offsets[i, m, 1]
                c = offsets[i, m, 2]
                x0 = X[t, j, 0] - X[t, 0, 0]
                x1 = X[t, j, 1] - X[t, 0, 1]
                x2 = X[t, j, 2] - X[t, 0, 2]
                x0 += G[t, j, 0, 0] * a + G[t, j, 0, 1] * b + G[t, j, 0, 2] * c
                x1 += G[t, j, 1, 0] * a + G[t, j, 1, 1] * b + G[t, j, 1, 2] * c
                x2 += G[t, j, 2, 0] * a + G[t, j, 2, 1] * b + G[t, j, 2, 2] * c
                for k in range(16):
                    f0 = w * W[0, k]
                    f1 = w * W[1, k]
                    f2 = w * W[2, k]
                    F[j, 0, k] += f0
                    F[j, 1, k] += f1
                    F[j, 2, k] += f2
                    Q[j, 0, k] += x1 * f2 - x2 * f1
                    Q[j, 1, k] += x2 * f0 - x0 * f2
                    Q[j, 2, k] += x0 * f1 - x1 * f0
        for j in range(23, 0, -1):
            p = PARENT_TABLE[j]
            for r in range(3):
                for k in range(16):
                    F[p, r, k] += F[j, r, k]
                    Q[p, r, k] += Q[j, r, k]
        out = border[0, t * stride : (t + 1) * stride]
        if shifts:
            _pull_shift(
                G[t],
                X[t],
                joints,
                weights,
                offsets,
                shape[t],
                shift_cross[t],
                shift_F,
                shift_Q,
                width,
                shift_pulled[t],
                out,
            )
            for k in range(2):
                out[width + k, 0] = shift_gradient[t, k]
                out[width + k, 11] = shift_shared[t, k]
                for b in range(10):
                    out[width + k, 1 + b] += shift_size[t, k] * u[b]
        for r in range(3):
            for k in range(16):
                out[r, k] = F[0, r, k]
        for a in range(free):
            x0 = X[t, a, 0] - X[t, 0, 0]
            x1 = X[t, a, 1] - X[t, 0, 1]
            x2 = X[t, a, 2] - X[t, 0, 2]
            for k in range(16):
                q0 = Q[a, 0, k] - (x1 * F[a, 2, k] - x2 * F[a, 1, k])
                q1 = Q[a, 1, k] - (x2 * F[a, 0, k] - x0 * F[a, 2, k])
                q2 = Q[a, 2, k] - (x0 * F[a, 1, k] - x1 * F[a, 0, k])
                for c in range(3):
                    out[3 + 3 * a + c, k] = (
                        G[t, a, 0, c] * q0 + G[t, a, 1, c] * q1 + G[t, a, 2, c] * q2
                    )
            for c in range(3):
                out[3 + 3 * a + c, 0] += turn_gradient[t, a, c]
        if dense_gradient.shape[0]:
            for v in range(width):
                out[v, 0] += dense_gradient[t, v]
        for m in range(row_start[t], row_start[t + 1]):
            w = row_weight[m]
            if w == 0.0:
                continue
            s = row_point[m]
            d = row_direction[m]
            _row_jacobian(
                G[t],
                X[t],
                s_joints[s],
                s_weights[s],
                s_offsets[s],
                s_chain[s],
                s_cut[s],
                d,
                row_J,
                row,
            )
            by_shape[:, :] = 0.0
            for k in range(s_joints.shape[1]):
                add_attachment_dirs(
                    G[t], shape[t], s_joints[s, k], s_weights[s, k], sample_dirs[s, k], by_shape
                )
            wr = w * row_residual[m]
            c = row_chunk[m]
            for k in range(10):
                jb[k] = d[0] * by_shape[0, k] + d[1] * by_shape[1, k] + d[2] * by_shape[2, k]
            for k in range(10):
                betas_gradient[k] += wr * jb[k]
                for i in range(10):
                    betas_hessian[k, i] += w * jb[k] * jb[i]
                for i in range(4):
                    betas_shared[k, i] += w * jb[k] * row_shared[m, i]
                if c >= 0:
                    betas_shared[k, 4 + c] -= w * jb[k]
            group = (15 + c) // 16
            lane = (15 + c) % 16
            for i in range(-1, s_cut[s]):
                o = 0 if i < 0 else 3 + 3 * s_chain[s, i]
                for v in range(o, o + 3):
                    wv = w * row[v]
                    out[v, 0] += row_residual[m] * wv
                    for k in range(10):
                        out[v, 1 + k] += wv * jb[k]
                    for k in range(4):
                        out[v, 11 + k] += wv * row_shared[m, k]
                    if c >= 0:
                        border[group, t * stride + v, lane] -= wv
    for k in range(10):
        betas_gradient[k] += size_gradient * u[k]
        for m in range(10):
            betas_hessian[k, m] += size_hessian * u[k] * u[m] + u[k] * pulled_size[m]
        for m in range(4):
            betas_shared[k, m] += u[k] * size_shared[m]
