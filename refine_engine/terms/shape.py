"""Body shape and body size: the terms ``beta`` and ``multi_scale``.

Size is what turns reconstruction units into metres, so it has a term of its own, robust to
children, for the sub-stages that free alpha. In the others ``beta`` holds shape and size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import stature
from refine_engine.terms.protocol import TermInfo

if TYPE_CHECKING:
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

LOOSE_SIZE = 0.3
"""Standard deviation of log size in ``beta`` while ``multi_scale`` holds the size itself."""
SIZE_SIGMA = 0.04
"""Standard deviation of log size about Stage 3's estimate: statures of adults spread by 4 %, and
the network's estimate leans to the mean, so it is worth about as much as knowing that."""
SIZE_FREEDOM = 4.0
"""Degrees of freedom of the size's Student-t distribution: a child is an outlier that lets go."""
REPETITION = 3.0
"""By how much the evidence of frames about alpha is overconfident: errors of the camera path and of
poses last for tenths of a second, while every frame is counted as a new observation. Measured on
synthetic scenes: alpha is off by about three of its formal standard deviations. What is known only
once, people's sizes and the unit of the depth maps, is sharpened alike, so that it is weighed
fairly against the frames; and the reported uncertainty is widened by it. What ``init`` measured
is not sharpened: the terms see most of that evidence again."""
STATURE_SIGMA = 0.01
"""Standard deviation of the log of an entered stature (shoes, posture)."""

BETA_INFO = TermInfo(
    name="beta",
    description="Body shape: the population's, and what the pose network measured",
    unit="half squared standard deviations",
    default_weight=0.01,
    c_term=100.0,
    reason="the raw sum is in nats; 100 makes the document's lambda 0.01 count as one",
)
SCALE_INFO = TermInfo(
    name="multi_scale",
    description="Body sizes of all people: what turns reconstruction units into metres",
    unit="nats",
    default_weight=0.5,
    c_term=2.0,
    reason="the raw sum is a log-likelihood; 2 makes the document's lambda 0.5 count as one",
)


class Beta:
    """Gaussian on betas: product of the population's N(0, 1) and the measured betas.

    While ``multi_scale`` is absent (alpha is not free then, or its lambda is 0) this term holds the
    size too; together with it, size would be counted twice.
    """

    info = BETA_INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        sigma = LOOSE_SIZE if "multi_scale" in common.active else SIZE_SIGMA
        centre, precision = shape_gaussian(track, posed, sigma)
        offset = posed.betas - centre
        pull = weight * (precision @ offset)
        if model is not None:
            model.betas_gradient += pull
            model.betas_hessian += weight * precision
        return float(0.5 * offset @ pull)


def shape_gaussian(track: Track, posed: Posed, size_sigma: float) -> tuple[Array, Array]:
    """Centre (10,) and precision (10, 10) of the shape.

    Along the direction that changes size the only pull is one of ``size_sigma`` (standard
    deviation of log size) towards the measured size.
    """
    measured = 1.0 / track.betas_sigma**2
    direction = posed.size_gradient / max(float(np.linalg.norm(posed.size_gradient)), 1e-12)
    along = np.outer(direction, direction)
    across = np.eye(10) - along
    loose = (float(np.linalg.norm(posed.size_gradient)) / track.size_measured / size_sigma) ** 2
    centre = track.betas_measured * (measured / (1.0 + measured))
    centre = across @ centre + along @ track.betas_measured
    return centre, (1.0 + measured) * across + loose * along


class MultiScale:
    """Student-t on each person's log size about Stage 3's; an entered stature overrides it."""

    info = SCALE_INFO

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        if track.stature is not None:
            height = stature(common.body, posed.betas)
            residual = float(np.log(height.value / track.stature)) / STATURE_SIGMA
            jacobian = height.gradient / (float(height.value) * STATURE_SIGMA)
            loss, robust = 0.5 * residual**2, 1.0
        else:
            residual = float(np.log(posed.size / track.size_measured)) / SIZE_SIGMA
            jacobian = posed.size_gradient / (posed.size * SIZE_SIGMA)
            loss = 0.5 * (SIZE_FREEDOM + 1.0) * float(np.log1p(residual**2 / SIZE_FREEDOM))
            robust = (SIZE_FREEDOM + 1.0) / (SIZE_FREEDOM + residual**2)
        sharp = weight * REPETITION**2
        if model is not None:
            model.betas_gradient += sharp * robust * residual * jacobian
            model.betas_hessian += sharp * robust * np.outer(jacobian, jacobian)
        return sharp * loss + weight * _initial_scale(common, weight, model)


def _initial_scale(common: Common, weight: float, model: PersonModel | None) -> float:
    """One person's share of the Gaussian on log alpha about what ``init`` measured."""
    if common.alpha_0_log_sigma is None:
        return 0.0
    precision = common.alpha_0_log_sigma**-2.0 / common.people
    residual = float(np.log(common.alpha / common.alpha_0))
    if model is not None:
        model.shared_gradient[0] += weight * precision * residual
        model.shared_hessian[0, 0] += weight * precision
    return 0.5 * precision * residual**2
