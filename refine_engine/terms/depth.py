"""Agreement with the depth maps, as a ratio: log z of the visible skin against log depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from refine_engine.geometry.cameras import MIN_DEPTH_M
from refine_engine.terms.model import SampleRows
from refine_engine.terms.protocol import TermInfo
from refine_engine.terms.shape import REPETITION
from refine_engine.terms.skeleton import skinned_point

if TYPE_CHECKING:
    from refine_engine.scene import Array, IntArray
    from refine_engine.terms.depth_evidence import GroundSamples
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

SIGMA_LOG = 0.05
"""Standard deviation of one person-frame's log depth: a network's low-frequency error."""
HUBER = 1.5
"""In standard deviations."""
CHUNK_SIGMA = 0.04
"""Prior of a chunk's log depth scale where depth shares the cameras' unit: both come from one
network, and its depth and its baselines agree to a few percent."""
CHUNK_SIGMA_METRIC = 0.05
"""The same where depth comes from a metric network of its own."""
LEAST_SHARE = 0.1
"""Share of the reweighted curvature that is kept where the loss is linear."""

INFO = TermInfo(
    name="depth",
    description="Distance of the visible skin, as a ratio to the depth maps",
    unit="half squared standard deviations of a person-frame (5 %)",
    default_weight=1.0,
    c_term=0.25,
    reason=(
        "the samples of a person-frame are weighted to count as one, and errors of neighbouring "
        "maps are alike: about four maps make one observation"
    ),
)


@njit(nogil=True, cache=True)
def skin_residuals(  # type: ignore[no-untyped-def]
    rotations,
    joints_world,
    joints,
    weights,
    offsets,
    R_cam,
    t_cam,
    alpha,
    shared_depth,
    chunk_scale,
    start,
    point,
    log_depth,
    sample_weight,
    chunk,
    huber,
    weight,
    direction,
    shared,
    row_weight,
    residual,
):
    """Fill the rows of all samples; returns the loss.

    ``joints_world`` (n, >= 24, 3) begins with the joints; ``huber`` and the residuals are natural
    logarithms of depth ratios; arrays of samples are as in ``SkinSamples`` and ``SampleRows``.
    """
    total = 0.0
    log_alpha = np.log(alpha) if shared_depth else 0.0
    for t in range(start.shape[0] - 1):
        R = R_cam[t]
        for m in range(start[t], start[t + 1]):
            row_weight[m] = 0.0
            if sample_weight[m] == 0.0:
                continue
            s = point[m]
            x0, x1, x2 = skinned_point(
                rotations[t], joints_world[t], joints[s], weights[s], offsets[s]
            )
            tz = alpha * t_cam[t, 2]
            z = R[2, 0] * x0 + R[2, 1] * x1 + R[2, 2] * x2 + tz
            if z < MIN_DEPTH_M:
                continue
            r = np.log(z) - log_alpha - log_depth[m] - chunk_scale[chunk[m]]
            w = weight * sample_weight[m]
            row = r
            if abs(r) > huber:
                total += w * huber * (abs(r) - 0.5 * huber)
                # The product w r is the force; where it is constant, little curvature is kept.
                w *= LEAST_SHARE * huber / abs(r)
                row = r / LEAST_SHARE
            else:
                total += 0.5 * w * r * r
            for c in range(3):
                direction[m, c] = R[2, c] / z
                shared[m, 1 + c] = 0.0
            shared[m, 0] = tz / z - (1.0 if shared_depth else 0.0)
            row_weight[m] = w
            residual[m] = row
    return total


class Depth:
    """Relative depth of visible skin samples; of the ground around feet where people are masked."""

    info = INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        evidence = track.depth
        if evidence is None:
            return 0.0
        skin, m = evidence.skin, len(evidence.skin.point)
        rows = SampleRows(
            start=skin.start,
            point=skin.point,
            direction=np.zeros((m, 3)),
            shared=np.zeros((m, 4)),
            chunk=skin.chunk,
            weight=np.zeros(m),
            residual=np.zeros(m),
        )
        whitened = weight / SIGMA_LOG**2
        total = skin_residuals(
            posed.rotations,
            posed.points,
            evidence.candidates.joints,
            evidence.candidates.weights,
            evidence.candidates.offsets(posed.betas),
            track.R_cam,
            track.t_cam,
            common.alpha,
            common.shared_depth,
            common.chunk_log_scale,
            skin.start,
            skin.point,
            skin.log_depth,
            skin.weight,
            skin.chunk,
            HUBER * SIGMA_LOG,
            whitened,
            rows.direction,
            rows.shared,
            rows.weight,
            rows.residual,
        )
        if model is not None:
            model.samples = rows
            _add_shared(model, rows.shared, rows.chunk, rows.weight, rows.residual)
        ground = ground_rows(evidence.ground, track, common)
        if ground is not None:
            residual, shared, base = ground
            size = np.abs(residual)
            robust = np.minimum(1.0, HUBER * SIGMA_LOG / np.maximum(size, 1e-12))
            w = whitened * base
            bound = HUBER * SIGMA_LOG
            total += float(
                (w * np.where(size > bound, bound * (size - 0.5 * bound), 0.5 * residual**2)).sum()
            )
            if model is not None:
                _add_shared(model, shared, evidence.ground.chunk, w * robust, residual)
        # Chunks are shared by all people, so their prior is dealt out among the people's calls.
        sigma = CHUNK_SIGMA if common.shared_depth else CHUNK_SIGMA_METRIC
        precision = self.info_weight(weight) * REPETITION**2 / (sigma**2 * common.people)
        total += 0.5 * precision * float(common.chunk_log_scale @ common.chunk_log_scale)
        if model is not None:
            model.shared_gradient[4:] += precision * common.chunk_log_scale
            chunks = np.arange(4, len(model.shared_gradient))
            model.shared_hessian[chunks, chunks] += precision
        return float(total)

    @staticmethod
    def info_weight(weight: float) -> float:
        """Weight of the chunks' prior: it belongs to the term, but not to how many maps count."""
        return weight / INFO.c_term


def ground_rows(
    samples: GroundSamples, track: Track, common: Common
) -> tuple[Array, Array, Array] | None:
    """Residuals (m,), Jacobian by log alpha and the plane (m, 4), weights (m,) of ground samples.

    The ray of a pixel meets the plane at depth ``z = (alpha n.R^T t - d) / (n.R^T ray)``.
    """
    if len(samples.frame) == 0:
        return None
    R, t = track.R_cam[samples.frame], track.t_cam[samples.frame]
    ray_world = np.einsum("mji,mj->mi", R, samples.ray)
    centre = -common.alpha * np.einsum("mji,mj->mi", R, t)
    normal, offset = common.plane[:3], common.plane[3]
    drop = ray_world @ normal
    height = centre @ normal + offset
    with np.errstate(divide="ignore", invalid="ignore"):
        z = -height / drop
    good = np.isfinite(z) & (z > MIN_DEPTH_M) & (np.abs(drop) > 1e-3)
    z = np.where(good, z, 1.0)
    drop, height = np.where(good, drop, -1.0), np.where(good, height, 1.0)
    scale = common.alpha if common.shared_depth else 1.0
    residual = np.log(z) - np.log(scale) - samples.log_depth - common.chunk_log_scale[samples.chunk]
    jacobian = np.zeros((len(z), 4))
    jacobian[:, 0] = (centre @ normal) / height - (1.0 if common.shared_depth else 0.0)
    basis = common.plane_basis
    jacobian[:, 1:3] = (centre @ basis.T) / height[:, None] - (ray_world @ basis.T) / drop[:, None]
    jacobian[:, 3] = 1.0 / height
    weight = np.where(good, samples.weight, 0.0)
    return np.where(good, residual, 0.0), jacobian, weight


def _add_shared(
    model: PersonModel, shared: Array, chunk: IntArray, weight: Array, residual: Array
) -> None:
    """Add rows to the shared gradient and Hessian; a chunk's derivative is -1."""
    count = len(model.shared_gradient) - 4
    jacobian = np.zeros((len(shared), 4 + count))
    jacobian[:, :4] = shared
    jacobian[np.arange(len(shared)), 4 + chunk] = -1.0
    model.shared_gradient += jacobian.T @ (weight * residual)
    model.shared_hessian += (jacobian * weight[:, None]).T @ jacobian
