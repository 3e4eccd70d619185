"""How people's distance from the camera changes, as the pose network measured it.

The network's distance as such is off by several per cent, together with the size of the body that
it sees. From one frame to the next it changes far more faithfully, and a ratio of distances knows
neither size nor unit: this part of the data keeps people from drifting along the viewing ray,
where keypoints hold them least, and leaves scale to the terms that can see it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from refine_engine.geometry.cameras import MIN_DEPTH_M
from refine_engine.terms.model import NOTHING

if TYPE_CHECKING:
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

CHANGE_SIGMA = 0.005
"""Standard deviation of the measured change of log distance in 1/30 s."""
CHANGE_SCALE = 4.0
"""Geman-McClure scale in standard deviations: a jump of the tracker lets go."""


@njit(nogil=True, cache=True)
def distance_loss(  # type: ignore[no-untyped-def]
    transl,
    pelvis,
    R_cam,
    t_cam,
    alpha,
    measured,
    link,
    gm,
    weight,
    with_model,
    gradient,
    here,
    following,
    cross,
    shared_gradient,
    shared_hessian,
):
    """Sum of w rho / 2 with r = change of log z of the pelvis minus the measured change.

    ``measured`` (n,) log distances, NaN-free, used where ``link`` (n,) of t and t + 1 is not 0.
    The pelvis is ``transl`` plus a constant, so that betas have no part in it.
    """
    total = 0.0
    gm2 = gm * gm
    a = np.empty(3)
    b = np.empty(3)
    for t in range(transl.shape[0] - 1):
        if link[t] == 0.0:
            continue
        s0 = alpha * t_cam[t, 2]
        s1 = alpha * t_cam[t + 1, 2]
        z0 = s0
        z1 = s1
        for c in range(3):
            z0 += R_cam[t, 2, c] * (transl[t, c] + pelvis[c])
            z1 += R_cam[t + 1, 2, c] * (transl[t + 1, c] + pelvis[c])
        w = weight * link[t]
        if z0 < MIN_DEPTH_M or z1 < MIN_DEPTH_M:
            total += 0.5 * w * gm2
            continue
        r = np.log(z1 / z0) - (measured[t + 1] - measured[t])
        q = gm2 / (gm2 + r * r)
        total += 0.5 * w * q * r * r
        if not with_model:
            continue
        wq = w * q * q
        by_alpha = s1 / z1 - s0 / z0
        for c in range(3):
            a[c] = -R_cam[t, 2, c] / z0
            b[c] = R_cam[t + 1, 2, c] / z1
        for c in range(3):
            gradient[t, c] += wq * r * a[c]
            gradient[t + 1, c] += wq * r * b[c]
            cross[t, 0, c, 0] += wq * a[c] * by_alpha
            cross[t + 1, 0, c, 0] += wq * b[c] * by_alpha
            for d in range(3):
                here[t, c, d] += wq * a[c] * a[d]
                here[t + 1, c, d] += wq * b[c] * b[d]
                following[t, c, d] += wq * a[c] * b[d]
        shared_gradient[0] += wq * r * by_alpha
        shared_hessian[0, 0] += wq * by_alpha * by_alpha
    return total


def distance_change_loss(
    track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
) -> float:
    """Loss of one person; arguments as in :class:`refine_engine.terms.protocol.Term`."""
    m = NOTHING if model is None else model
    if model is not None:
        model.reach = max(model.reach, 1)
    rate = track.fps / 30.0
    sigma = CHANGE_SIGMA / rate
    return float(
        distance_loss(
            posed.transl,
            track.pelvis_measured,
            track.R_cam,
            track.t_cam,
            common.alpha,
            track.log_distance,
            track.distance_link,
            CHANGE_SCALE * sigma,
            # Twice the frames a second are not twice the evidence.
            weight / (sigma**2 * rate),
            model is not None,
            m.variable_gradient,
            m.place0,
            m.place1,
            m.cross,
            m.shared_gradient,
            m.shared_hessian,
        )
    )
