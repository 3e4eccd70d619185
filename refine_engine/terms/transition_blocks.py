"""Gradient and curvature of the transition prior for given weights of its components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.terms.transition_kernel import (
    NEXT_VELOCITY,
    VELOCITY,
    add_transitions,
    pull_transitions,
)

if TYPE_CHECKING:
    from refine_engine.motion_prior.transition import QuadraticForms, TransitionPrior
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel, Singles
    from refine_engine.terms.protocol import Posed

_VELOCITIES = np.r_[VELOCITY : VELOCITY + 3, NEXT_VELOCITY : NEXT_VELOCITY + 3]
"""What is divided by the body size."""

SMALLEST_SHARE = 0.01
"""Components that pull so much less than the strongest one bring force, but no curvature."""


@dataclass(frozen=True, eq=False)
class TransitionBlocks:
    """Curvature of one person's transitions; see :class:`refine_engine.terms.model.LateBlocks`."""

    posed: Posed
    mean: Array
    rate: float
    features: Array
    """(n - 2, 205)."""
    shares: Singles
    """(n - 2, K)."""
    matrices: Singles
    """(K, 205, 205)."""

    def add(self, first: int, here: Singles, next1: Singles, next2: Singles) -> None:
        """Add the blocks within frames, with the next frame and the one after it."""
        add_transitions(
            self.posed.R,
            self.posed.transl,
            self.mean,
            self.posed.size,
            self.rate,
            self.features,
            self.shares,
            self.matrices,
            first,
            here,
            next1,
            next2,
        )


def add_transition_model(
    model: PersonModel,
    prior: TransitionPrior,
    form: QuadraticForms,
    posed: Posed,
    rate: float,
    features: Array,
    shares: Array,
) -> None:
    """Add gradient and curvature of ``sum_k shares_k z^T M_k z / 2`` over all transitions.

    Parameters
    ----------
    model
        Is added to.
    features
        (n - 2, 205) z of each transition.
    shares
        (n - 2, K) weight of each component.
    """
    count, outputs, combined = form.rows.shape
    rows = form.rows.reshape(count * outputs, combined)
    weighted = features @ rows.T
    weighted *= np.repeat(shares, outputs, axis=1)
    forces = weighted @ rows
    pull_transitions(
        posed.R,
        posed.transl,
        prior.mean,
        posed.size,
        rate,
        features,
        forces,
        model.variable_gradient,
    )
    # The size's coupling with the frames is left out: the gradient stays exact.
    velocity = features[:, _VELOCITIES]
    model.size_gradient -= float((forces[:, _VELOCITIES] * velocity).sum())
    spread = (velocity @ rows[:, _VELOCITIES].T).reshape(-1, count, outputs)
    model.size_hessian += float((shares * (spread**2).sum(-1)).sum())
    curved = np.where(shares < SMALLEST_SHARE * shares.max(1, keepdims=True), 0.0, shares)
    model.reach = 2
    model.late.append(
        TransitionBlocks(
            posed,
            prior.mean,
            rate,
            features,
            np.ascontiguousarray(curved, dtype=np.float32),
            form.single_matrices,
        )
    )
