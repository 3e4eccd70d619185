"""Compiled losses in the image: keypoints, and the shift that absorbs errors of the camera."""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.geometry.cameras import MIN_DEPTH_M
from refine_engine.terms.robust import radial_shrink


@njit(nogil=True, cache=True)
def keypoint_loss(  # type: ignore[no-untyped-def]
    points,
    R_cam,
    t_cam,
    intrinsics,
    alpha,
    pixels,
    weights,
    point_of,
    pixel_scale,
    shift,
    gm,
    weight,
    with_model,
    gradient,
    hessian,
    cross,
    shift_gradient,
    shift0,
    shift_cross,
    shift_shared,
    shared_gradient,
    shared_hessian,
):
    """Sum of w c^2 rho(r) / 2 over keypoints, rho = gm^2 r^2 / (gm^2 + r^2), r in scaled pixels.

    A point nearer than 0.1 m to the camera plane counts as lost: the largest loss, no force.
    """
    total = 0.0
    gm2 = gm * gm
    for t in range(points.shape[0]):
        for k in range(point_of.shape[0]):
            if weights[t, k] == 0.0:
                continue
            w = weight * weights[t, k]
            i = point_of[k]
            x = points[t, i]
            R = R_cam[t]
            a0 = alpha * t_cam[t, 0]
            a1 = alpha * t_cam[t, 1]
            a2 = alpha * t_cam[t, 2]
            z = R[2, 0] * x[0] + R[2, 1] * x[1] + R[2, 2] * x[2] + a2
            if z < MIN_DEPTH_M:
                total += 0.5 * w * gm2
                continue
            u = (R[0, 0] * x[0] + R[0, 1] * x[1] + R[0, 2] * x[2] + a0) / z
            v = (R[1, 0] * x[0] + R[1, 1] * x[1] + R[1, 2] * x[2] + a1) / z
            fx = intrinsics[t, 0] * pixel_scale[t]
            fy = intrinsics[t, 1] * pixel_scale[t]
            r0 = fx * (u + shift[t, 0]) + (intrinsics[t, 2] - pixels[t, k, 0]) * pixel_scale[t]
            r1 = fy * (v + shift[t, 1]) + (intrinsics[t, 3] - pixels[t, k, 1]) * pixel_scale[t]
            r2 = r0 * r0 + r1 * r1
            q = gm2 / (gm2 + r2)
            total += 0.5 * w * q * r2
            if not with_model:
                continue
            wq = w * q * q
            ju = np.empty(3)
            jv = np.empty(3)
            for c in range(3):
                ju[c] = fx / z * (R[0, c] - u * R[2, c])
                jv[c] = fy / z * (R[1, c] - v * R[2, c])
            # By log alpha: the camera-frame point moves by alpha t.
            su = fx / z * (a0 - u * a2)
            sv = fy / z * (a1 - v * a2)
            for c in range(3):
                gradient[t, i, c] += wq * (r0 * ju[c] + r1 * jv[c])
            shared_gradient[0] += wq * (r0 * su + r1 * sv)
            shift_gradient[t, 0] += wq * r0 * fx
            shift_gradient[t, 1] += wq * r1 * fy
            shrink = radial_shrink(q, r2, gm2) / max(r2, 1e-12)
            for c in range(3):
                along = shrink * (r0 * ju[c] + r1 * jv[c])
                ju[c] -= r0 * along
                jv[c] -= r1 * along
            along = shrink * (r0 * su + r1 * sv)
            su -= r0 * along
            sv -= r1 * along
            for c in range(3):
                cross[t, i, c, 0] += wq * (ju[c] * su + jv[c] * sv)
                for d in range(3):
                    hessian[t, i, c, d] += wq * (ju[c] * ju[d] + jv[c] * jv[d])
            shared_hessian[0, 0] += wq * (su * su + sv * sv)
            # Columns of the shift: (fx, 0) and (0, fy), shrunk along the residual as well.
            x0 = fx * (1.0 - shrink * r0 * r0)
            x1 = -fx * shrink * r0 * r1
            y0 = -fy * shrink * r0 * r1
            y1 = fy * (1.0 - shrink * r1 * r1)
            shift0[t, 0, 0] += wq * (x0 * x0 + x1 * x1)
            shift0[t, 0, 1] += wq * (x0 * y0 + x1 * y1)
            shift0[t, 1, 0] += wq * (x0 * y0 + x1 * y1)
            shift0[t, 1, 1] += wq * (y0 * y0 + y1 * y1)
            shift_shared[t, 0] += wq * (x0 * su + x1 * sv)
            shift_shared[t, 1] += wq * (y0 * su + y1 * sv)
            for c in range(3):
                shift_cross[t, i, c, 0] += wq * (ju[c] * x0 + jv[c] * x1)
                shift_cross[t, i, c, 1] += wq * (ju[c] * y0 + jv[c] * y1)
    return total


@njit(nogil=True, cache=True)
def shift_loss(  # type: ignore[no-untyped-def]
    shift, link, sigma, step_sigma, weight, with_model, shift_gradient, shift0, shift1
):
    """Prior of the image shift: small, and hardly changing from one frame to the next."""
    total = 0.0
    for t in range(shift.shape[0]):
        small = weight / (sigma[t] * sigma[t])
        slow = weight * link[t] / (step_sigma * step_sigma)
        for k in range(2):
            total += 0.5 * small * shift[t, k] ** 2
            if with_model:
                shift_gradient[t, k] += small * shift[t, k]
                shift0[t, k, k] += small
            if slow > 0.0:
                d = shift[t + 1, k] - shift[t, k]
                total += 0.5 * slow * d * d
                if with_model:
                    shift_gradient[t, k] -= slow * d
                    shift_gradient[t + 1, k] += slow * d
                    shift0[t, k, k] += slow
                    shift0[t + 1, k, k] += slow
        if with_model:
            shift1[t] -= slow
    return total
