"""How people hold themselves: a Student-t distribution over poses of recorded motion.

Not a pull towards the T-pose: the mean is the mean recorded pose, the covariance knows which
joints bend together and which ways, and the heavy tails let unusual poses be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from refine_engine.terms.model import NOTHING
from refine_engine.terms.points import FULL_WIDTH
from refine_engine.terms.pose_statistics import PRIOR_JOINTS, pose_statistics
from refine_engine.terms.protocol import TermInfo

if TYPE_CHECKING:
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel, Singles
    from refine_engine.terms.protocol import Common, Posed, Track

INFO = TermInfo(
    name="pose",
    description="Poses that people take, learned from recorded motion",
    unit="nats",
    default_weight=0.1,
    c_term=1.0,
    reason=(
        "the raw sum is a log-likelihood; poses of neighbouring frames are nearly one observation, "
        "which the document's lambda 0.1 accounts for (ten frames count as one)"
    ),
)
LEAST_SHARE = 0.15
"""Least share of the reweighted curvature along the offset from the mean."""
_FIRST = 6
"""Where joint 1 stands among a frame's variables."""


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _offset(R, mean, precision, r, Jr, pr):  # type: ignore[no-untyped-def]
    """Fill r = log(mean^T R), its Jacobians and P r; returns r^T P r."""
    d = r.shape[0]
    for j in range(mean.shape[0]):
        _log_and_jacobian(mean[j], R[j + 1], r[3 * j : 3 * j + 3], Jr[j])
    q = 0.0
    for a in range(d):
        s = 0.0
        for b in range(d):
            s += precision[a, b] * r[b]
        pr[a] = s
        q += s * r[a]
    return q


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def pose_prior_loss(  # type: ignore[no-untyped-def]
    R, mean, precision, freedom, weight, with_model, gradient
):
    """Sum of w (nu + d) / 2 log(1 + q / nu) over frames, q = r^T P r, r = log(mean^T R).

    ``gradient`` (n, 69) is added to.
    """
    count = mean.shape[0]
    d = 3 * count
    total = 0.0
    r = np.empty(d)
    pr = np.empty(d)
    Jr = np.empty((count, 3, 3))
    for t in range(R.shape[0]):
        q = _offset(R[t], mean, precision, r, Jr, pr)
        total += weight * 0.5 * (freedom + d) * np.log1p(q / freedom)
        if not with_model:
            continue
        w = weight * (freedom + d) / (freedom + q)
        for j in range(count):
            for c in range(3):
                s = 0.0
                for m in range(3):
                    s += Jr[j, m, c] * pr[3 * j + m]
                gradient[t, 6 + 3 * j + c] += w * s
    return total


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def pose_prior_blocks(R, mean, precision, freedom, weight, first, blocks):  # type: ignore[no-untyped-def]
    """Add the curvature of frames ``first`` and following to ``blocks`` (m, 69, 69), upper part."""
    count = mean.shape[0]
    d = 3 * count
    r = np.empty(d)
    pr = np.empty(d)
    along = np.empty(d)
    Jr = np.empty((count, 3, 3))
    PJ = np.empty((3, 3))
    for row in range(blocks.shape[0]):
        q = _offset(R[first + row], mean, precision, r, Jr, pr)
        block = blocks[row]
        w = weight * (freedom + d) / (freedom + q)
        for j in range(count):
            for c in range(3):
                s = 0.0
                for m in range(3):
                    s += Jr[j, m, c] * pr[3 * j + m]
                along[3 * j + c] = s
        # The true curvature along the offset is (nu - q) / (nu + q) of the reweighted one; held
        # at a small positive share of it.
        less = w * min(2.0 / (freedom + q), (1.0 - LEAST_SHARE) / max(q, 1e-12))
        for a in range(d):
            scaled = less * along[a]
            for b in range(a, d):
                block[6 + a, 6 + b] -= scaled * along[b]
        for k in range(count):
            for j in range(k + 1):
                for m in range(3):
                    for c in range(3):
                        s = 0.0
                        for n in range(3):
                            s += precision[3 * j + m, 3 * k + n] * Jr[k, n, c]
                        PJ[m, c] = w * s
                for c in range(3):
                    for e in range(3):
                        block[6 + 3 * j + c, 6 + 3 * k + e] += (
                            Jr[j, 0, c] * PJ[0, e] + Jr[j, 1, c] * PJ[1, e] + Jr[j, 2, c] * PJ[2, e]
                        )


@njit(nogil=True, cache=True)
def _log_and_jacobian(mean, R, r, J):  # type: ignore[no-untyped-def]
    """R = log(mean^T R) and J = dr / ddelta for R exp(delta) (inverse right Jacobian)."""
    M = np.empty((3, 3))
    for c in range(3):
        for d in range(3):
            M[c, d] = mean[0, c] * R[0, d] + mean[1, c] * R[1, d] + mean[2, c] * R[2, d]
    v0 = 0.5 * (M[2, 1] - M[1, 2])
    v1 = 0.5 * (M[0, 2] - M[2, 0])
    v2 = 0.5 * (M[1, 0] - M[0, 1])
    sine = np.sqrt(v0 * v0 + v1 * v1 + v2 * v2)
    cosine = 0.5 * (M[0, 0] + M[1, 1] + M[2, 2] - 1.0)
    angle = np.arctan2(sine, cosine)
    if angle < 1e-4:
        factor = 1.0 + angle * angle / 6.0
        curve = 1.0 / 12.0
    elif sine > 1e-6:
        factor = angle / sine
        curve = 1.0 / (angle * angle) - (1.0 + cosine) / (2.0 * angle * sine)
    else:
        # Half a turn from the mean: the axis is the largest column of M + I, its sign is open.
        k = 0
        for c in range(1, 3):
            if M[c, c] > M[k, k]:
                k = c
        norm = np.sqrt(2.0 * (1.0 + M[k, k]))
        v0 = (M[0, k] + (1.0 if k == 0 else 0.0)) / norm
        v1 = (M[1, k] + (1.0 if k == 1 else 0.0)) / norm
        v2 = (M[2, k] + (1.0 if k == 2 else 0.0)) / norm
        factor = angle
        curve = 1.0 / (angle * angle)
    r[0] = factor * v0
    r[1] = factor * v1
    r[2] = factor * v2
    rr = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
    for c in range(3):
        for d in range(3):
            J[c, d] = curve * r[c] * r[d]
        J[c, c] += 1.0 - curve * rr
    J[0, 1] -= 0.5 * r[2]
    J[0, 2] += 0.5 * r[1]
    J[1, 0] += 0.5 * r[2]
    J[1, 2] -= 0.5 * r[0]
    J[2, 0] -= 0.5 * r[1]
    J[2, 1] += 0.5 * r[0]


@dataclass(frozen=True, eq=False)
class PoseBlocks:
    """Curvature of the prior; see :class:`refine_engine.terms.model.LateBlocks`."""

    R: Array
    """(n, 24, 3, 3)."""
    weight: float

    def add(self, first: int, here: Singles, next1: Singles, next2: Singles) -> None:
        """Add the blocks within frames."""
        statistics = pose_statistics()
        pose_prior_blocks(
            self.R,
            statistics.mean,
            statistics.precision,
            statistics.degrees_of_freedom,
            self.weight,
            first,
            here,
        )


class Pose:
    """Student-t prior on the rotations of joints 1..21."""

    info = INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        statistics = pose_statistics()
        m = NOTHING if model is None else model
        if model is not None:
            model.late.append(PoseBlocks(posed.R, weight))
        return float(
            pose_prior_loss(
                posed.R,
                statistics.mean,
                statistics.precision,
                statistics.degrees_of_freedom,
                weight,
                model is not None,
                m.variable_gradient,
            )
        )


assert FULL_WIDTH == _FIRST + 3 * PRIOR_JOINTS
