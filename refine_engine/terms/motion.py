"""The term ``cvae``: the motion prior, summed over people.

The embedded prior is a mixture of linear transitions over three frames
(:mod:`refine_engine.motion_prior.transition`). Expectation-maximisation runs inside the reweighted
Gauss-Newton step: at every linearisation each transition's energy is replaced by the sum of the
components' quadratic forms, weighted with their responsibilities and with Student-t's weights,
which touches it from above. States stay the variables; nothing is rolled out.

Motion that the prior has not seen is not pulled apart: the energy grows like a logarithm, so the
pull of a transition falls with its distance (:meth:`MotionPrior.influence` says how much is left).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.errors import ConfigError
from refine_engine.motion_prior.features import OUTPUTS
from refine_engine.motion_prior.transition import COMBINED, PRIOR_RATE, load_transition_prior
from refine_engine.terms.humor import HumorPrior, load_humor
from refine_engine.terms.initial_state import InitialState
from refine_engine.terms.prior_files import initial_state_file
from refine_engine.terms.registry import CVAE_INFO
from refine_engine.terms.stance import Stance
from refine_engine.terms.transition_blocks import add_transition_model
from refine_engine.terms.transition_kernel import all_features

if TYPE_CHECKING:
    from refine_engine.config import RefinementConfig
    from refine_engine.motion_prior.transition import QuadraticForms, TransitionPrior
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Term, Track


def motion_terms(config: RefinementConfig) -> tuple[Term, ...]:
    """The parts of ``cvae``, for ``Problem(..., extra_terms=...)``.

    Transitions of the embedded prior or of a HuMoR checkpoint; standing feet; with a checkpoint
    and its mixture also how tracks begin.

    Raises
    ------
    ConfigError
        The settings ask the embedded prior for what only HuMoR has, or for a device that is not
        there.
    InputError
        ``config.motion_prior`` names a file that is no HuMoR checkpoint, or the mixture's file is
        none.
    """
    if config.motion_prior:
        found: list[Term] = [HumorPrior(load_humor(config.motion_prior, config.device)), Stance()]
        mixture = initial_state_file(config)
        if mixture is not None:
            from refine_engine.motion_prior.humor.checkpoint import load_initial_state_prior

            found.append(InitialState(load_initial_state_prior(mixture)))
        return tuple(found)
    if config.motion_prior_mode == "rollout":
        raise ConfigError(
            "motion_prior_mode",
            "is 'rollout', but the embedded prior has no latent state to roll out",
            "give a HuMoR checkpoint as motion_prior (--prior), or use 'transitions'",
        )
    if config.motion_prior_initial_state:
        raise ConfigError(
            "motion_prior_initial_state",
            "belongs to a HuMoR checkpoint, and none is given",
            "give one as motion_prior (--prior), or leave it empty",
        )
    if config.device not in ("auto", "cpu"):
        raise ConfigError(
            "device",
            f"is '{config.device}', but only a HuMoR checkpoint's networks use another device",
            "give one as motion_prior (--prior), or leave device at 'auto'",
        )
    return (MotionPrior(load_transition_prior()), Stance())


class MotionPrior:
    """The embedded prior as a term, called ``cvae``.

    Parameters
    ----------
    prior
        The fitted mixture.
    horizon
        Window length in frames: transitions across a window's border are left out. None = none.
        It may be changed between evaluations of different iterations (by the sub-stage
        ``motion``, which lets windows grow).
    """

    info = CVAE_INFO

    def __init__(self, prior: TransitionPrior, horizon: int | None = None) -> None:
        self.prior = prior
        self.horizon = horizon

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`."""
        links = self._links(track)
        if not links.any():
            return 0.0
        form = self.prior.forms(track.fps)
        z = self._features(track, posed)
        energies, shares = mixture_energies(form, z)
        scale = weight * PRIOR_RATE / track.fps
        if model is not None:
            shares *= (scale * links)[:, None]
            add_transition_model(model, self.prior, form, posed, track.fps, z, shares)
        return float(scale * (links @ energies))

    def influence(self, track: Track, posed: Posed) -> Array:
        """Pull (n - 2,) that each transition feels: 1 = that of ordinary motion, 0 = let go."""
        form = self.prior.forms(track.fps)
        _, shares = mixture_energies(form, self._features(track, posed))
        return np.minimum(shares.sum(1), 1.0)

    def _features(self, track: Track, posed: Posed) -> Array:
        z = np.empty((max(len(track) - 2, 0), COMBINED))
        all_features(posed.R, posed.transl, self.prior.mean, posed.size, track.fps, z)
        return z

    def _links(self, track: Track) -> Array:
        """(n - 2,) weight of each transition: 0 over cuts and window borders."""
        links = np.array(track.link2[: max(len(track) - 2, 0)])
        if self.horizon is not None:
            first = np.arange(len(links))
            links[first // self.horizon != (first + 2) // self.horizon] = 0.0
        return links


def mixture_energies(form: QuadraticForms, z: Array) -> tuple[Array, Array]:
    """Energies (m,) of transitions z (m, 205), and weights (m, K) of the quadratic forms.

    The energy is ``-log sum_k exp(c_k - h log(1 + q_k / nu))`` with ``h = (nu + 69) / 2``; its
    gradient is that of ``sum_k w_k q_k / 2`` with the returned weights (responsibility times
    ``(nu + 69) / (nu + q_k)``) held fixed.
    """
    count = len(form.constants)
    residuals = z @ form.rows.reshape(count * OUTPUTS, COMBINED).T
    q = (residuals.reshape(len(z), count, OUTPUTS) ** 2).sum(-1)
    total = form.freedom + OUTPUTS
    logs = form.constants - 0.5 * total * np.log1p(q / form.freedom)
    top = logs.max(1, initial=-np.inf, keepdims=True)
    likelihood = np.exp(logs - top)
    summed = likelihood.sum(1, keepdims=True)
    energies = -(top + np.log(summed))[:, 0]
    return energies, likelihood / summed * total / (form.freedom + q)
