"""Compiled kinematics of joints and skinned points, without a mesh.

A point is a sum of rigid attachments: ``x = sum_i w_i (X_j + G_j off_i)`` with the joint
positions ``X`` and global rotations ``G`` (linear blend skinning of one vertex; a joint is a
point with one attachment of offset zero). Turning joint ``a`` by ``R_a <- R_a exp(delta)``
moves it by ``dx = sum_k delta_k G_a[:, k] x p_a`` with ``p_a = sum w_i (x_i - X_a)`` over the
attachments below ``a``; that is exact also where several bones share a vertex.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.body.joints import ANCESTORS, PARENTS

PARENT_TABLE = np.array(PARENTS, dtype=np.int64)
ABOVE = np.ascontiguousarray(ANCESTORS)
"""(24, 24) whether joint ``column`` is joint ``row`` or above it."""


@njit(nogil=True, cache=True)
def joint_motion(R, transl, rest, G, X):  # type: ignore[no-untyped-def]
    """Forward kinematics: fills G (n, 24, 3, 3) and X (n, 24, 3); rest (24, 3) rest joints."""
    for t in range(R.shape[0]):
        for c in range(3):
            X[t, 0, c] = rest[0, c] + transl[t, c]
            for d in range(3):
                G[t, 0, c, d] = R[t, 0, c, d]
        for j in range(1, 24):
            p = PARENT_TABLE[j]
            o0 = rest[j, 0] - rest[p, 0]
            o1 = rest[j, 1] - rest[p, 1]
            o2 = rest[j, 2] - rest[p, 2]
            for c in range(3):
                g0 = G[t, p, c, 0]
                g1 = G[t, p, c, 1]
                g2 = G[t, p, c, 2]
                X[t, j, c] = X[t, p, c] + g0 * o0 + g1 * o1 + g2 * o2
                for d in range(3):
                    G[t, j, c, d] = g0 * R[t, j, 0, d] + g1 * R[t, j, 1, d] + g2 * R[t, j, 2, d]


@njit(nogil=True, cache=True)
def skinned_point(G, X, joints, weights, offsets):  # type: ignore[no-untyped-def]
    """Position (3 numbers) of a point in one frame; its attachments are (M,), (M,), (M, 3)."""
    s0 = 0.0
    s1 = 0.0
    s2 = 0.0
    for m in range(joints.shape[0]):
        w = weights[m]
        if w == 0.0:
            continue
        j = joints[m]
        a = offsets[m, 0]
        b = offsets[m, 1]
        c = offsets[m, 2]
        s0 += w * (X[j, 0] + G[j, 0, 0] * a + G[j, 0, 1] * b + G[j, 0, 2] * c)
        s1 += w * (X[j, 1] + G[j, 1, 0] * a + G[j, 1, 1] * b + G[j, 1, 2] * c)
        s2 += w * (X[j, 2] + G[j, 2, 0] * a + G[j, 2, 1] * b + G[j, 2, 2] * c)
    return s0, s1, s2


@njit(nogil=True, cache=True)
def skinned_points(G, X, joints, weights, offsets, P):  # type: ignore[no-untyped-def]
    """Positions P (n, N, 3) of points with attachments (N, M), offsets (N, M, 3)."""
    for t in range(X.shape[0]):
        for i in range(joints.shape[0]):
            P[t, i, 0], P[t, i, 1], P[t, i, 2] = skinned_point(
                G[t], X[t], joints[i], weights[i], offsets[i]
            )


@njit(nogil=True, cache=True)
def point_jacobian(G, X, joints, weights, offsets, chain, length, J):  # type: ignore[no-untyped-def]
    """Rotation Jacobian of one point in one frame.

    G (24, 3, 3), X (24, 3); attachments (M,), (M,), (M, 3); ``chain[:length]`` the joints that
    move the point. Fills J (length, 3, 3): derivative of the position by delta of each of them.
    """
    m_count = joints.shape[0]
    for c in range(length):
        a = chain[c]
        p0 = 0.0
        p1 = 0.0
        p2 = 0.0
        for m in range(m_count):
            w = weights[m]
            j = joints[m]
            if w == 0.0 or not ABOVE[j, a]:
                continue
            o0 = offsets[m, 0]
            o1 = offsets[m, 1]
            o2 = offsets[m, 2]
            p0 += w * (X[j, 0] + G[j, 0, 0] * o0 + G[j, 0, 1] * o1 + G[j, 0, 2] * o2 - X[a, 0])
            p1 += w * (X[j, 1] + G[j, 1, 0] * o0 + G[j, 1, 1] * o1 + G[j, 1, 2] * o2 - X[a, 1])
            p2 += w * (X[j, 2] + G[j, 2, 0] * o0 + G[j, 2, 1] * o1 + G[j, 2, 2] * o2 - X[a, 2])
        for k in range(3):
            g0 = G[a, 0, k]
            g1 = G[a, 1, k]
            g2 = G[a, 2, k]
            J[c, 0, k] = g1 * p2 - g2 * p1
            J[c, 1, k] = g2 * p0 - g0 * p2
            J[c, 2, k] = g0 * p1 - g1 * p0


@njit(nogil=True, cache=True)
def row_jacobian(G, X, joints, weights, offsets, chain, length, n, J, out):  # type: ignore[no-untyped-def]
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
def free_lengths(chain, length, free):  # type: ignore[no-untyped-def]
    """How many joints of each chain (N, C) are among the first ``free``: (N,).

    Chains ascend, so what remains of one without the others is a prefix.
    """
    found = np.zeros(chain.shape[0], dtype=np.int64)
    for i in range(chain.shape[0]):
        while found[i] < length[i] and chain[i, found[i]] < free:
            found[i] += 1
    return found


@njit(nogil=True, cache=True)
def shape_jacobian(G, joint_dirs, joints, weights, offset_dirs, out):  # type: ignore[no-untyped-def]
    """Derivative of points by betas in one frame: out (N, 3, 10).

    The first 24 points are the joints. ``joint_dirs`` (24, 3, 10), ``offset_dirs`` (N, M, 3, 10).
    """
    for c in range(3):
        for k in range(10):
            out[0, c, k] = joint_dirs[0, c, k]
    for j in range(1, 24):
        p = PARENT_TABLE[j]
        for c in range(3):
            g0 = G[p, c, 0]
            g1 = G[p, c, 1]
            g2 = G[p, c, 2]
            for k in range(10):
                out[j, c, k] = (
                    out[p, c, k]
                    + g0 * (joint_dirs[j, 0, k] - joint_dirs[p, 0, k])
                    + g1 * (joint_dirs[j, 1, k] - joint_dirs[p, 1, k])
                    + g2 * (joint_dirs[j, 2, k] - joint_dirs[p, 2, k])
                )
    for i in range(24, joints.shape[0]):
        out[i] = 0.0
        for m in range(joints.shape[1]):
            add_attachment_dirs(G, out, joints[i, m], weights[i, m], offset_dirs[i, m], out[i])


@njit(nogil=True, cache=True)
def add_attachment_dirs(G, joint_part, j, w, dirs, out):  # type: ignore[no-untyped-def]
    """Add one attachment's share of a point's derivative by betas to out (3, 10)."""
    if w == 0.0:
        return
    for c in range(3):
        for k in range(10):
            out[c, k] += w * (
                joint_part[j, c, k]
                + G[j, c, 0] * dirs[0, k]
                + G[j, c, 1] * dirs[1, k]
                + G[j, c, 2] * dirs[2, k]
            )
