"""The measurements: 2-D keypoints, and what the pose network saw of rotations and distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from refine_engine.terms.distance import distance_change_loss
from refine_engine.terms.model import NOTHING
from refine_engine.terms.protocol import TermInfo

if TYPE_CHECKING:
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

KEYPOINT_SIGMA_PX = 7.0
"""Standard deviation of a confident keypoint at a 500 px person: a detector's 3-6 px and the
difference between its keypoints and SMPL's joints."""
POSE_SIGMA = 0.35
"""Standard deviation of a measured joint rotation as evidence of one frame, radians.

The network's error is about 0.14 rad but stays for tenths of a second (an AR(1) process with
coefficient 0.9 repeats itself), so one frame brings about a sixth of an independent measurement:
0.14 sqrt(6)."""
ROOT_SIGMA = 0.25
"""The same for the global orientation."""
BEARING_SIGMA = 0.02
"""Standard deviation of the measured bearing (x/z, y/z) of the pelvis as evidence of one frame."""
DISTANCE_SIGMA = 0.08
"""Standard deviation of the measured log depth over body size as evidence of one frame.

The error is a few percent, but stays for half a second and longer."""
SHIFT_STEP = 5e-4
"""How much the shift changes in 1/30 s."""
ROOT_SCALE = 4.0
"""Geman-McClure scale of the measured root, in standard deviations."""
ROTATION_SCALE = 0.7
"""Geman-McClure scale of rotations, radians: a limb that the network put elsewhere lets go."""
NEAR_M = 0.1
LEAST_SHARE = 0.15
"""Least share of the reweighted curvature along a residual."""

INFO = TermInfo(
    name="data",
    description="2-D keypoints, and the poses and places that the pose network measured",
    unit="half squared standard deviations",
    default_weight=1.0,
    c_term=1.0,
    reason="residuals are divided by their standard deviations, so the sum is in nats",
)


@njit(nogil=True, cache=True)
def radial_share(q, r2, gm2):  # type: ignore[no-untyped-def]
    """Factor on the residual's own direction that turns reweighted into true curvature.

    The second derivative of Geman-McClure along the residual is ``1 - 4 q r^2 / gm^2`` times the
    reweighted one; from a third of the scale on it is negative, and held at a small positive
    number. Without it, points on their way out of the basin creep for tens of iterations.
    Returns the factor for Jacobians, ``1 - sqrt(share)``.
    """
    return 1.0 - np.sqrt(max(1.0 - 4.0 * q * r2 / gm2, LEAST_SHARE))


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
            if z < NEAR_M:
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
            shrink = radial_share(q, r2, gm2) / max(r2, 1e-12)
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
            keep = 1.0 - radial_share(q, r2, gm2)
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
        if z < NEAR_M:
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
        shrink = radial_share(q, r2, gm2) / max(r2, 1e-12)
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


_ROOT_SIGMA = np.array([BEARING_SIGMA, BEARING_SIGMA, DISTANCE_SIGMA])


class Data:
    """2-D keypoints (Geman-McClure, confidence, pixels at a 500 px person), poses and roots."""

    info = INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        m = NOTHING if model is None else model
        total = keypoint_loss(
            posed.points,
            track.R_cam,
            track.t_cam,
            track.intrinsics,
            common.alpha,
            track.pixels,
            track.keypoint_weight,
            track.layout.keypoint_points,
            track.pixel_scale,
            posed.shift,
            common.keypoint_scale,
            weight / KEYPOINT_SIGMA_PX**2,
            model is not None,
            m.gradient,
            m.hessian,
            m.cross,
            m.shift_gradient,
            m.shift0,
            m.shift_cross,
            m.shift_shared,
            m.shared_gradient,
            m.shared_hessian,
        )
        rate = track.fps / 30.0
        total += shift_loss(
            posed.shift,
            track.camera_link,
            track.shift_sigma,
            SHIFT_STEP / np.sqrt(rate),
            weight,
            model is not None,
            m.shift_gradient,
            m.shift0,
            m.shift1,
        )
        if model is not None:
            model.shifts = True
            model.reach = max(model.reach, 1)
        by_root, size_gradient, size_hessian = root_loss(
            posed.points,
            track.R_cam,
            track.t_cam,
            common.alpha,
            np.log(posed.size),
            posed.shift,
            track.root_measured,
            track.root_trust,
            _ROOT_SIGMA,
            ROOT_SCALE,
            weight,
            model is not None,
            m.gradient,
            m.hessian,
            m.cross,
            m.size_cross,
            m.size_shared,
            m.shift_gradient,
            m.shift0,
            m.shift_cross,
            m.shift_shared,
            m.shift_size,
            m.shared_gradient,
            m.shared_hessian,
        )
        total += by_root
        if model is not None:
            model.size_gradient += size_gradient
            model.size_hessian += size_hessian
        precision = np.full(24, weight / POSE_SIGMA**2)
        precision[0] = weight / ROOT_SIGMA**2
        total += rotation_loss(
            posed.R,
            track.R_measured,
            track.rotation_trust * precision,
            ROTATION_SCALE,
            model is not None,
            m.turn_gradient,
            m.turn0,
        )
        total += distance_change_loss(track, posed, common, weight, model)
        return float(total)
