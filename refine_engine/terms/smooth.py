"""Smoothness: acceleration of joints and of joint turns, never velocity.

A velocity term would pull people to stand still (and drag alpha along). Joint accelerations are
divided by the body size: in metres, a smaller scene would always look smoother.

Beside the motion prior the weight follows each person's liveliness from stretch to stretch
(:mod:`.liveliness`): one weight for everybody either lets people tremble who stand, or flattens
people who run. This is the hierarchical model of an unknown precision (empirical Bayes, automatic
relevance determination) with a milder exponent than its 2, as the transitions know regimes of
motion too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from refine_engine.terms.model import NOTHING
from refine_engine.terms.pose_statistics import pose_statistics
from refine_engine.terms.protocol import TermInfo

if TYPE_CHECKING:
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

INFO = TermInfo(
    name="smooth",
    description="Acceleration of joints and of joint turns, relative to recorded motion",
    unit="half squared standard deviations of recorded accelerations",
    default_weight=0.001,
    c_term=35.0,
    reason=(
        "joint accelerations are divided by their root mean square in recorded motion; the "
        "document's lambda 0.001 then counts as 0.035, because accelerations of neighbouring "
        "frames are one movement and not independent (chosen on synthetic scenes so that jitter "
        "comes out like the truth's)"
    ),
)


SHARE_WITH_PRIOR = 0.12
"""Share of the weight while the motion prior counts, which expects accelerations itself, for a
person as lively as recorded motion on average: together at full weight they flatten motion below
the truth's jitter (measured, see docs/motion-prior.md)."""
SHARE_POWER = 1.5
"""The share falls with this power of liveliness..."""
SHARE_LIMITS = (0.08, 1.5)
"""...within these limits; compared on 30 scenes, see docs/motion-prior.md."""


@njit(nogil=True, cache=True)
def acceleration_loss(  # type: ignore[no-untyped-def]
    points, link, weights, inverse_size, with_model, gradient, hessian, next1, next2
):
    """Sum of w |x(t) - 2 x(t+1) + x(t+2)|^2 / (2 s^2); weights (24,) of the joints."""
    total = 0.0
    for t in range(points.shape[0] - 2):
        if link[t] == 0.0:
            continue
        for j in range(weights.shape[0]):
            w = weights[j] * link[t] * inverse_size * inverse_size
            squared = 0.0
            for c in range(3):
                a = points[t, j, c] - 2.0 * points[t + 1, j, c] + points[t + 2, j, c]
                squared += a * a
                if with_model:
                    gradient[t, j, c] += w * a
                    gradient[t + 1, j, c] -= 2.0 * w * a
                    gradient[t + 2, j, c] += w * a
                    hessian[t, j, c, c] += w
                    hessian[t + 1, j, c, c] += 4.0 * w
                    hessian[t + 2, j, c, c] += w
            total += 0.5 * w * squared
            if with_model:
                next1[t, j] -= 2.0 * w
                next1[t + 1, j] -= 2.0 * w
                next2[t, j] += w
    return total


@njit(nogil=True, cache=True)
def _cross_turn(a, b, w, out):  # type: ignore[no-untyped-def]
    """Add w/2 sum_k (A [e_k])^T (B [e_k]) = w/2 (tr(Q) I - Q^T), Q = A^T B, to out (3, 3)."""
    trace = 0.0
    for c in range(3):
        for m in range(3):
            trace += a[m, c] * b[m, c]
    for c in range(3):
        out[c, c] += 0.5 * w * trace
        for d in range(3):
            q = 0.0
            for m in range(3):
                q += a[m, d] * b[m, c]
            out[c, d] -= 0.5 * w * q


@njit(nogil=True, cache=True)
def turn_acceleration_loss(  # type: ignore[no-untyped-def]
    R, link, weights, with_model, turn_gradient, turn0, turn1, turn2
):
    """Sum of w |R(t) - 2 R(t+1) + R(t+2)|^2 / 4 over joints: half squared angular acceleration."""
    total = 0.0
    factor = np.array([1.0, -2.0, 1.0])
    e = np.empty((3, 3))
    for t in range(R.shape[0] - 2):
        if link[t] == 0.0:
            continue
        for j in range(weights.shape[0]):
            w = weights[j] * link[t]
            if w == 0.0:
                continue
            squared = 0.0
            for c in range(3):
                for d in range(3):
                    e[c, d] = R[t, j, c, d] - 2.0 * R[t + 1, j, c, d] + R[t + 2, j, c, d]
                    squared += e[c, d] * e[c, d]
            total += 0.25 * w * squared
            if not with_model:
                continue
            for s in range(3):
                b = R[t + s, j]
                for k in range(3):
                    c = (k + 1) % 3
                    d = (k + 2) % 3
                    # d|e|^2/4 = <e, f B [delta]> / 2; [delta] has +1 at (d, c), -1 at (c, d).
                    v = 0.0
                    for m in range(3):
                        v += e[m, c] * b[m, d] - e[m, d] * b[m, c]
                    turn_gradient[t + s, j, k] += 0.5 * w * factor[s] * v
                _cross_turn(b, b, w * factor[s] * factor[s], turn0[t + s, j])
            _cross_turn(R[t, j], R[t + 1, j], -2.0 * w, turn1[t, j])
            _cross_turn(R[t + 1, j], R[t + 2, j], -2.0 * w, turn1[t + 1, j])
            _cross_turn(R[t, j], R[t + 2, j], w, turn2[t, j])
    return total


def joint_weights(fps: float) -> tuple[Array, Array]:
    """Weights (24,) of second differences of joints (1/m^2) and turns (1/rad^2).

    A second difference is acceleration / fps^2; the sum over frames is an integral over time, so
    that twice the frames do not count twice: fps^4 / (sigma^2 fps), with sigma at 30 per second.
    """
    statistics = pose_statistics()
    rate = fps**4 * (30.0 / fps)
    turns = rate / statistics.turn_acceleration**2
    turns[22:] = 0.0
    return rate / statistics.joint_acceleration**2, turns


def share_with_prior(track: Track) -> Array:
    """Share (n,) of the weight that is left beside the prior; row t is frames t, t + 1, t + 2."""
    share = np.full(len(track), SHARE_WITH_PRIOR)
    if track.liveliness is not None and len(track) > 2:
        share[:-2] = SHARE_WITH_PRIOR * track.liveliness[1:-1] ** -SHARE_POWER
    return np.asarray(np.clip(share, *SHARE_LIMITS))


class Smooth:
    """Acceleration of joints (scale-free) and of their turns."""

    info = INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        m = NOTHING if model is None else model
        link = track.link2
        if "cvae" in common.active:
            link = link * share_with_prior(track)
        joints, turns = joint_weights(track.fps)
        by_joints = acceleration_loss(
            posed.points,
            link,
            weight * joints,
            1.0 / posed.size,
            model is not None,
            m.gradient_sized,
            m.hessian,
            m.next1,
            m.next2,
        )
        by_turns = turn_acceleration_loss(
            posed.R,
            link,
            weight * turns,
            model is not None,
            m.turn_gradient,
            m.turn0,
            m.turn1,
            m.turn2,
        )
        if model is not None:
            model.sized_energy += 2.0 * by_joints
            model.reach, model.turns = 2, True
        return float(by_joints + by_turns)
