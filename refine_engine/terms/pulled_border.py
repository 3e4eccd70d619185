"""Compiled pull-back of gradients: from columns over points to columns over a frame's variables.

A column is a force on each point: its sum is what translation sees, its moment about a joint what
a turn of that joint sees. :func:`pull_border` does so for the gradient and for the couplings with
betas and the shared variables.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.solver.blocks import LANES
from refine_engine.terms.skeleton import (
    PARENT_TABLE,
    add_attachment_dirs,
    free_lengths,
    row_jacobian,
    shape_jacobian,
)

FIRST_CHUNK_LANE = 15
"""Columns of the border: gradient, 10 betas, log alpha, plane (3), then chunks."""


@njit(nogil=True, cache=True)
def _add_forces(G, X, joints, weights, offsets, W, F, Q):  # type: ignore[no-untyped-def]
    """Add a point's columns W (3, K) to the forces F and moments Q (24, 3, K) at its joints.

    Moments are about the pelvis.
    """
    for m in range(joints.shape[0]):
        w = weights[m]
        if w == 0.0:
            continue
        j = joints[m]
        a = offsets[m, 0]
        b = offsets[m, 1]
        c = offsets[m, 2]
        x0 = X[j, 0] - X[0, 0]
        x1 = X[j, 1] - X[0, 1]
        x2 = X[j, 2] - X[0, 2]
        x0 += G[j, 0, 0] * a + G[j, 0, 1] * b + G[j, 0, 2] * c
        x1 += G[j, 1, 0] * a + G[j, 1, 1] * b + G[j, 1, 2] * c
        x2 += G[j, 2, 0] * a + G[j, 2, 1] * b + G[j, 2, 2] * c
        for k in range(W.shape[1]):
            f0 = w * W[0, k]
            f1 = w * W[1, k]
            f2 = w * W[2, k]
            F[j, 0, k] += f0
            F[j, 1, k] += f1
            F[j, 2, k] += f2
            Q[j, 0, k] += x1 * f2 - x2 * f1
            Q[j, 1, k] += x2 * f0 - x0 * f2
            Q[j, 2, k] += x0 * f1 - x1 * f0


@njit(nogil=True, cache=True)
def _add_neighbour(W, w, shape):  # type: ignore[no-untyped-def]
    """Add the point's derivative by betas (3, 10) in a frame that it is coupled with by w."""
    for r in range(3):
        for k in range(10):
            W[r, 1 + k] += w * shape[r, k]


@njit(nogil=True, cache=True)
def _carry_up(F, Q):  # type: ignore[no-untyped-def]
    """Sum forces and moments towards the root: each joint carries what lies below it."""
    for j in range(23, 0, -1):
        p = PARENT_TABLE[j]
        for r in range(3):
            for k in range(F.shape[2]):
                F[p, r, k] += F[j, r, k]
                Q[p, r, k] += Q[j, r, k]


@njit(nogil=True, cache=True)
def _pull(G, X, F, Q, free, out):  # type: ignore[no-untyped-def]
    """Columns (3 + 3 free, K) over translation and turns, from what joints carry."""
    for r in range(3):
        for k in range(F.shape[2]):
            out[r, k] = F[0, r, k]
    for a in range(free):
        x0 = X[a, 0] - X[0, 0]
        x1 = X[a, 1] - X[0, 1]
        x2 = X[a, 2] - X[0, 2]
        for k in range(F.shape[2]):
            q0 = Q[a, 0, k] - (x1 * F[a, 2, k] - x2 * F[a, 1, k])
            q1 = Q[a, 1, k] - (x2 * F[a, 0, k] - x0 * F[a, 2, k])
            q2 = Q[a, 2, k] - (x0 * F[a, 1, k] - x1 * F[a, 0, k])
            for c in range(3):
                out[3 + 3 * a + c, k] = G[a, 0, c] * q0 + G[a, 1, c] * q1 + G[a, 2, c] * q2


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
        _add_forces(G, X, joints[i], weights[i], offsets[i], cross[i], F, Q)
    _carry_up(F, Q)
    _pull(G, X, F, Q, (width - 3) // 3, pulled)


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
    W = np.zeros((3, LANES))
    F = np.zeros((24, 3, LANES))
    Q = np.zeros((24, 3, LANES))
    shifts = shift_pulled.shape[0] > 0
    stride = border.shape[1] // n
    shift_F = np.zeros((24, 3, 2))
    shift_Q = np.zeros((24, 3, 2))
    pulled_size = np.zeros(10)
    s_cut = free_lengths(s_chain, s_length, free)
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
                _add_neighbour(W, next1[t, i], shape[t + 1, i])
            if t >= 1 and next1[t - 1, i] != 0.0:
                _add_neighbour(W, next1[t - 1, i], shape[t - 1, i])
            if next2[t, i] != 0.0:
                _add_neighbour(W, next2[t, i], shape[t + 2, i])
            if t >= 2 and next2[t - 2, i] != 0.0:
                _add_neighbour(W, next2[t - 2, i], shape[t - 2, i])
            for r in range(3):
                for k in range(10):
                    s = S[r, k]
                    betas_gradient[k] += s * W[r, 0]
                    pulled_size[k] += s * size_cross[t, i, r]
                    for m in range(10):
                        betas_hessian[k, m] += s * W[r, 1 + m]
                    for m in range(4):
                        betas_shared[k, m] += s * W[r, 11 + m]
            _add_forces(G[t], X[t], joints[i], weights[i], offsets[i], W, F, Q)
        _carry_up(F, Q)
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
        _pull(G[t], X[t], F, Q, free, out)
        for a in range(free):
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
            row_jacobian(
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
            group = (FIRST_CHUNK_LANE + c) // LANES
            lane = (FIRST_CHUNK_LANE + c) % LANES
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
