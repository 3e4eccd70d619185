"""HuMoR as a likelihood of given states, and as a sequential roll-out for parity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from refine_engine.motion_prior.humor.state import (
    CONTACT_JOINTS,
    CanonicalFrame,
    MotionState,
    canonical_frame,
    pelvis_offset,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.motion_prior.humor.networks import HumorNetworks


@dataclass(frozen=True)
class Transitions:
    """All transitions of a motion, evaluated as one batch."""

    nll: NDArray[np.float64]
    """(n - 1,) -log N(z; prior(past)) with z the posterior mean, nats; may be negative."""
    z: Tensor
    """(n - 1, 48) posterior means."""
    predicted: MotionState
    """(n - 1,) decoded next states, in the world of the input."""
    contacts: NDArray[np.float64]
    """(n, 9) contact probabilities; frame 0 copies frame 1."""


class HumorModel:
    """HuMoR's conditional prior over transitions of states in the Z-up frame.

    Parameters
    ----------
    networks
        From :func:`refine_engine.motion_prior.humor.checkpoint.load_networks`.
    """

    def __init__(self, networks: HumorNetworks) -> None:
        self.networks = networks

    def _dtype(self) -> torch.dtype:
        return next(self.networks.parameters()).dtype

    @torch.no_grad()
    def transitions(self, states: MotionState) -> Transitions:
        """Evaluate every transition of states (n,) at once; the states stay the variables."""
        past, following = states[:-1], states[1:]
        frame = canonical_frame(past, pelvis_offset(states[0]))
        dtype = self._dtype()
        x = frame.apply(past).pack().to(dtype)
        y = frame.apply(following).pack().to(dtype)
        z, _ = self.networks.posterior(x, y)
        mean, log_var = self.networks.prior(x)
        decoded, logits = self.networks.decode(x, z)
        decoded = frame.invert(MotionState.unpack(decoded.pack().to(past.trans.dtype)))
        contacts = torch.sigmoid(logits).double().numpy()
        return Transitions(
            latent_nll(z, mean, log_var).double().numpy(),
            z,
            decoded,
            np.concatenate([contacts[:1], contacts]),
        )

    @torch.no_grad()
    def step(
        self, past: MotionState, z: Tensor, offset: Tensor
    ) -> tuple[MotionState, Tensor, CanonicalFrame]:
        """One step from a world state (1,): next world state, contact logits, frame used."""
        following, logits, frame, _ = self._step(past, z, offset)
        return following, logits, frame

    def _step(
        self, past: MotionState, z: Tensor, offset: Tensor
    ) -> tuple[MotionState, Tensor, CanonicalFrame, Tensor]:
        frame = canonical_frame(past, offset)
        x = frame.apply(past).pack().to(self._dtype())
        latent = z.to(self._dtype())
        decoded, logits = self.networks.decode(x, latent)
        mean, log_var = self.networks.prior(x)
        following = MotionState.unpack(decoded.pack().to(past.trans.dtype))
        nll = latent_nll(latent, mean, log_var).to(past.trans.dtype)
        return frame.invert(following), logits, frame, nll

    def trajectory(self, first: MotionState, z: Tensor) -> tuple[MotionState, Tensor, Tensor]:
        """Decode a motion from its first state (no leading dimension) and latents (n - 1, 48).

        Sequential, and differentiable in both. The next input uses the decoder's own joints, as
        HuMoR (not HuMoR-Qual) does.

        Returns
        -------
        tuple
            States (n,) including the first; contact logits (n - 1, 9); -log density of each
            latent under the prior of the state before it (n - 1,), nats.
        """
        offset = pelvis_offset(first)[None]
        state = first.batched()
        vectors, logits, nats = [state.pack()], [], []
        for k in range(len(z)):
            state, found, _, nll = self._step(state, z[k : k + 1], offset)
            vectors.append(state.pack())
            logits.append(found)
            nats.append(nll)
        none = first.trans.new_zeros
        return (
            MotionState.unpack(torch.cat(vectors)),
            torch.cat(logits) if logits else none((0, len(CONTACT_JOINTS))),
            torch.cat(nats) if nats else none((0,)),
        )

    @torch.no_grad()
    def roll_out(self, first: MotionState, z: Tensor) -> tuple[MotionState, NDArray[np.float64]]:
        """As :meth:`trajectory`, without derivatives.

        Returns
        -------
        states
            (n,) including the first.
        contacts
            (n, 9) probabilities; frame 0 copies frame 1.
        """
        states, logits, _ = self.trajectory(first, z)
        contacts = torch.sigmoid(logits).double().numpy()
        if not len(contacts):
            return states, np.zeros((1, len(CONTACT_JOINTS)))
        return states, np.concatenate([contacts[:1], contacts])


def latent_nll(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Negative log density (B,) of latents under diagonal Gaussians, nats."""
    white = (z - mean) ** 2 / log_var.exp() + log_var
    return 0.5 * white.sum(-1) + 0.5 * z.shape[-1] * float(np.log(2 * np.pi))


def expand_contacts(contacts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread (n, 9) contact probabilities to the 22 joints (n, 22), zeros elsewhere."""
    expanded = np.zeros((len(contacts), 22))
    expanded[:, CONTACT_JOINTS] = contacts
    return expanded
