"""Compiled losses of what a pose network measured: rotations, bearing and distance."""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.geometry.cameras import MIN_DEPTH_M
from refine_engine.terms.robust import radial_shrink


@njit(nogil=True, cache=True)
def rotation_loss(R, measured, weights, gm, with_model, turn_gradient, turn0):  # type: ignore[no-untyped-def]
    """Sum of w rho / 2 over rotations with r^2 = |R - R_measured|^2 / 2 = 2 (1 - cos angle)."""
    total = 0.0
    gm2 = gm * gm
    v = np.empty(3)
    for t in range(R.shape[0]):
        for j in range(R.shape[1]):
            w = weights[t, j]
            if w == 0.0:
                continue
            a = measured[t, j]
            b = R[t, j]
            r2 = 3.0
            for c in range(3):
                for d in range(3):
                    r2 -= a[c, d] * b[c, d]
            q = gm2 / (gm2 + r2)
            total += 0.5 * w * q * r2
            if not with_model:
                continue
            wq = w * q * q
            squared = 0.0
            for k in range(3):
                c = (k + 1) % 3
                d = (k + 2) % 3
                # (A^T B)[d, c] - (A^T B)[c, d]
                v[k] = 0.0
                for m in range(3):
                    v[k] += 0.5 * (a[m, d] * b[m, c] - a[m, c] * b[m, d])
                squared += v[k] * v[k]
                turn_gradient[t, j, k] += wq * v[k]
                turn0[t, j, k, k] += wq
            keep = 1.0 - radial_shrink(q, r2, gm2)
            less = wq * (1.0 - keep * keep) / max(squared, 1e-12)
            for k in range(3):
                for c in range(3):
                    turn0[t, j, k, c] -= less * v[k] * v[c]
    return total


@njit(nogil=True, cache=True)
def root_loss(  # type: ignore[no-untyped-def]
    points,
    R_cam,
    t_cam,
    alpha,
    log_size,
    shift,
    measured,
    trust,
    sigma,
    gm,
    weight,
    with_model,
    gradient,
    hessian,
    cross,
    size_cross,
    size_shared,
    shift_gradient,
    shift0,
    shift_cross,
    shift_shared,
    shift_size,
    shared_gradient,
    shared_hessian,
):
    """Measured pelvis: bearing, and log depth over body size (sigma: (3,)); robust per frame.

    A network that takes a person for taller puts them farther away: what it measures is the ratio.
    Returns (loss, gradient and curvature by log size).
    """
    total = 0.0
    size_gradient = 0.0
    size_hessian = 0.0
    gm2 = gm * gm
    r = np.empty(3)
    J = np.empty((3, 3))
    a = np.empty(3)
    s = np.empty(3)
    e = np.empty(3)
    for t in range(points.shape[0]):
        if trust[t] == 0.0:
            continue
        w = weight * trust[t]
        R = R_cam[t]
        x = points[t, 0]
        s0 = alpha * t_cam[t, 0]
        s1 = alpha * t_cam[t, 1]
        s2 = alpha * t_cam[t, 2]
        z = R[2, 0] * x[0] + R[2, 1] * x[1] + R[2, 2] * x[2] + s2
        if z < MIN_DEPTH_M:
            total += 0.5 * w * gm2
            continue
        u = (R[0, 0] * x[0] + R[0, 1] * x[1] + R[0, 2] * x[2] + s0) / z
        v = (R[1, 0] * x[0] + R[1, 1] * x[1] + R[1, 2] * x[2] + s1) / z
        r[0] = (u + shift[t, 0] - measured[t, 0]) / sigma[0]
        r[1] = (v + shift[t, 1] - measured[t, 1]) / sigma[1]
        r[2] = (np.log(z) - log_size - measured[t, 2]) / sigma[2]
        r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
        q = gm2 / (gm2 + r2)
        total += 0.5 * w * q * r2
        if not with_model:
            continue
        wq = w * q * q
        for c in range(3):
            J[0, c] = (R[0, c] - u * R[2, c]) / (z * sigma[0])
            J[1, c] = (R[1, c] - v * R[2, c]) / (z * sigma[1])
            J[2, c] = R[2, c] / (z * sigma[2])
        a[0] = (s0 - u * s2) / (z * sigma[0])
        a[1] = (s1 - v * s2) / (z * sigma[1])
        a[2] = s2 / (z * sigma[2])
        for k in range(3):
            for c in range(3):
                gradient[t, 0, c] += wq * r[k] * J[k, c]
            shared_gradient[0] += wq * r[k] * a[k]
        size_gradient -= wq * r[2] / sigma[2]
        for k in range(2):
            shift_gradient[t, k] += wq * r[k] / sigma[k]
        # Columns of the Jacobian: the point's three, log alpha, log size.
        shrink = radial_shrink(q, r2, gm2) / max(r2, 1e-12)
        for c in range(3):
            along = shrink * (r[0] * J[0, c] + r[1] * J[1, c] + r[2] * J[2, c])
            for k in range(3):
                J[k, c] -= r[k] * along
        along = shrink * (r[0] * a[0] + r[1] * a[1] + r[2] * a[2])
        for k in range(3):
            a[k] -= r[k] * along
            s[k] = shrink * r[k] * r[2] / sigma[2]
        s[2] -= 1.0 / sigma[2]
        for k in range(3):
            for c in range(3):
                cross[t, 0, c, 0] += wq * J[k, c] * a[k]
                size_cross[t, 0, c] += wq * J[k, c] * s[k]
                for d in range(3):
                    hessian[t, 0, c, d] += wq * J[k, c] * J[k, d]
            shared_hessian[0, 0] += wq * a[k] * a[k]
            size_shared[0] += wq * a[k] * s[k]
            size_hessian += wq * s[k] * s[k]
        for m in range(2):
            for k in range(3):
                e[k] = -shrink * r[k] * r[m] / sigma[m]
            e[m] += 1.0 / sigma[m]
            for k in range(3):
                shift_shared[t, m] += wq * e[k] * a[k]
                shift_size[t, m] += wq * e[k] * s[k]
                for c in range(3):
                    shift_cross[t, 0, c, m] += wq * e[k] * J[k, c]
            for n in range(2):
                for k in range(3):
                    f = (1.0 / sigma[n] if k == n else 0.0) - shrink * r[k] * r[n] / sigma[n]
                    shift0[t, m, n] += wq * e[k] * f
    return total, size_gradient, size_hessian
