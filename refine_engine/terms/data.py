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
ROTATION_SCALE = 0.7
"""Geman-McClure scale of rotations, radians: a limb that the network put elsewhere lets go."""
NEAR_M = 0.1

INFO = TermInfo(
    name="data",
    description="2-D keypoints and the poses that the pose network measured",
    unit="half squared standard deviations",
    default_weight=1.0,
    c_term=1.0,
    reason="residuals are divided by their standard deviations, so the sum is in nats",
)


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
    gm,
    weight,
    with_model,
    gradient,
    hessian,
    cross,
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
            r0 = fx * u + (intrinsics[t, 2] - pixels[t, k, 0]) * pixel_scale[t]
            r1 = fy * v + (intrinsics[t, 3] - pixels[t, k, 1]) * pixel_scale[t]
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
                cross[t, i, c, 0] += wq * (ju[c] * su + jv[c] * sv)
                for d in range(3):
                    hessian[t, i, c, d] += wq * (ju[c] * ju[d] + jv[c] * jv[d])
            shared_gradient[0] += wq * (r0 * su + r1 * sv)
            shared_hessian[0, 0] += wq * (su * su + sv * sv)
    return total


@njit(nogil=True, cache=True)
def rotation_loss(R, measured, weights, gm, with_model, turn_gradient, turn0):  # type: ignore[no-untyped-def]
    """Sum of w rho / 2 over rotations with r^2 = |R - R_measured|^2 / 2 = 2 (1 - cos angle)."""
    total = 0.0
    gm2 = gm * gm
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
            for k in range(3):
                c = (k + 1) % 3
                d = (k + 2) % 3
                # (A^T B)[d, c] - (A^T B)[c, d]
                v = 0.0
                for m in range(3):
                    v += a[m, d] * b[m, c] - a[m, c] * b[m, d]
                turn_gradient[t, j, k] += 0.5 * wq * v
                turn0[t, j, k, k] += wq
    return total


class Data:
    """2-D keypoints (Geman-McClure, confidence, pixels at a 500 px person) and measured poses."""

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
            common.keypoint_scale,
            weight / KEYPOINT_SIGMA_PX**2,
            model is not None,
            m.gradient,
            m.hessian,
            m.cross,
            m.shared_gradient,
            m.shared_hessian,
        )
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
