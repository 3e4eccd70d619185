"""HuMoR as a likelihood of given states, and as a sequential roll-out for parity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from refine_engine.motion_prior.humor.networks import apply_delta
from refine_engine.motion_prior.humor.rotations import log_so3
from refine_engine.motion_prior.humor.state import (
    CONTACT_JOINTS,
    CanonicalFrame,
    MotionState,
    canonical_frame,
    pelvis_offset,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from refine_engine.motion_prior.humor.networks import HumorNetworks


MISFITS = 69
"""Numbers of a state that are compared: turns of the root and of joints 1..21, place."""
LATENT_STEPS = 3
"""Steps towards the likeliest latents, before each iteration of the solver."""


@dataclass(frozen=True)
class Transitions:
    """All transitions of a motion, evaluated as one batch."""

    nll: NDArray[np.float64]
    """(n - 1,) -log N(z; prior(past)) with z the posterior mean, nats; may be negative."""
    z: Tensor
    """(n - 1, 48) posterior means."""
    predicted: MotionState
    """(n - 1,) decoded states 1/30 s after the past ones, in the world of the input: from the
    posterior means, or from the likeliest latents where a tolerance was given."""
    surprise: NDArray[np.float64]
    """(n - 1,) half squared distance of the decoded latents from the prior's mean in standard
    deviations: nats over the least there can be."""
    contacts: NDArray[np.float64]
    """(n, 9) contact probabilities; frame 0 copies frame 1."""


@dataclass(frozen=True)
class Tolerance:
    """How far a motion may be from the decoded one: what makes a latent likely beside the prior.

    A transition's energy is ``|u|^2 / 2 + (nu + d) / 2 log(1 + q / nu)`` with u the latent's
    distance from the prior's mean in standard deviations, and q the squared whitened distance of
    the decoded next state from the given one (d = 69: turns of root and joints, place).
    """

    turn: float
    """Standard deviation of a component of a turn, radians."""
    place: float
    """Of a coordinate of the place, metres."""
    freedom: float
    """nu of the Student-t."""


@dataclass(frozen=True)
class Trajectory:
    """One decoded motion, differentiable in its first state and its latents."""

    states: MotionState
    """(n,) including the first, in the world of the first."""
    logits: Tensor
    """(n - 1, 9) contact logits."""
    nats: Tensor
    """(n - 1,) -log density of each latent under the prior of the state before it."""


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
    def transitions(
        self,
        states: MotionState,
        following: MotionState | None = None,
        tolerance: Tolerance | None = None,
    ) -> Transitions:
        """Evaluate every transition of states (n,) at once; the states stay the variables.

        Parameters
        ----------
        states
            States (n,).
        following
            (n - 1,) the states 1/30 s after each of the first n - 1: HuMoR knows no other step.
            None = the next rows, for motion at 30 frames a second.
        tolerance
            Decode each transition's likeliest latent within this tolerance, not the posterior's
            mean: a motion that the decoder can follow only with an unlikely latent is then
            followed in part.
        """
        past = states[:-1]
        following = states[1:] if following is None else following
        frame = canonical_frame(past, pelvis_offset(states[0]))
        dtype = self._dtype()
        x = frame.apply(past).pack().to(dtype)
        y = frame.apply(following).pack().to(dtype)
        z, _ = self.networks.posterior(x, y)
        mean, log_var = self.networks.prior(x)
        latent = z
        if tolerance is not None:
            latent = self._likeliest(x, y, mean, torch.exp(0.5 * log_var), z, tolerance)
        decoded, logits = self.networks.decode(x, latent)
        decoded = frame.invert(MotionState.unpack(decoded.pack().to(past.trans.dtype)))
        contacts = torch.sigmoid(logits).double().numpy()
        surprise = 0.5 * ((latent - mean) ** 2 / log_var.exp()).sum(-1)
        return Transitions(
            latent_nll(z, mean, log_var).double().numpy(),
            z,
            decoded,
            surprise.double().numpy(),
            np.concatenate([contacts[:1], contacts]),
        )

    def _likeliest(
        self, x: Tensor, y: Tensor, mean: Tensor, spread: Tensor, begin: Tensor, allowed: Tolerance
    ) -> Tensor:
        """Latents (B, 48) that make the energies of :class:`Tolerance` small.

        Gradient steps of Barzilai and Borwein's length in the prior's standard deviations, each
        transition by itself, from the posterior's or the prior's mean, whichever is likelier. The
        best that was met is kept.
        """

        def energies(u: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                u = u.requires_grad_(True)
                decoded, _ = self.networks.decode(x, mean + spread * u)
                energy = 0.5 * (u * u).sum(-1) + misfit(decoded, y, allowed)
                (slope,) = torch.autograd.grad(energy.sum(), u)
            return torch.where(torch.isfinite(energy.detach()), energy.detach(), torch.inf), slope

        u, other = (begin - mean) / spread, torch.zeros_like(begin)
        (least, slope), (energy, its) = energies(u), energies(other)
        better = energy < least
        u, slope = (torch.where(better[:, None], b, a) for a, b in ((u, other), (slope, its)))
        u, best, least = u.detach(), u.detach(), least.minimum(energy)
        length = (0.1 / slope.norm(dim=-1)).clamp(1e-4, 1.0)
        for _ in range(LATENT_STEPS):
            follows = u - length[:, None] * slope
            follows = torch.where(torch.isfinite(follows), follows, best)
            energy, its = energies(follows)
            moved, turned = follows.detach() - u, its - slope
            # The prior alone has curvature 1: no step need be longer than to its mean.
            along = (moved * turned).sum(-1).abs().clamp_min(1e-12)
            length = ((moved * moved).sum(-1) / along).clamp(1e-4, 1.0)
            u, slope = follows.detach(), its
            best = torch.where((energy < least)[:, None], u, best)
            least = least.minimum(energy)
        return mean + spread * best

    @torch.no_grad()
    def step(
        self, past: MotionState, z: Tensor, offset: Tensor
    ) -> tuple[MotionState, Tensor, CanonicalFrame]:
        """One step from a world state (1,): next world state, contact logits, frame used."""
        frame = canonical_frame(past, offset)
        x = frame.apply(past).pack().to(self._dtype())
        decoded, logits = self.networks.decode(x, z.to(self._dtype()))
        following = MotionState.unpack(decoded.pack().to(past.trans.dtype))
        return frame.invert(following), logits, frame

    def trajectories(
        self, firsts: Sequence[MotionState], latents: Sequence[Tensor]
    ) -> list[Trajectory]:
        """Decode several motions side by side, each from a first state and latents (n - 1, 48).

        Sequential in time, and differentiable in both. The next input uses the decoder's own
        joints, as HuMoR (not HuMoR-Qual) does. Only the decoder runs step by step, from canonical
        frame to canonical frame; the way back to the world and the prior follow in one batch.
        """
        order = sorted(range(len(firsts)), key=lambda p: -len(latents[p]))
        steps = [len(latents[p]) for p in order]
        first = MotionState.unpack(torch.stack([firsts[p].pack() for p in order]))
        offset = pelvis_offset(first)
        begin = canonical_frame(first, offset)
        local = begin.apply(first)
        dtype, wide = self._dtype(), first.trans.dtype
        inputs, outputs, found = [], [], []
        for k in range(steps[0] if steps else 0):
            going = sum(n > k for n in steps)
            if len(local.trans) > going:
                local, offset = local[:going], offset[:going]
            x = local.pack().to(dtype)
            z = torch.stack([latents[p][k] for p in order[:going]]).to(dtype)
            out = self.networks.decoder(torch.cat([x, z], 1)).to(wide)
            decoded, logits = apply_delta(local, out)
            inputs.append(x)
            outputs.append(decoded.pack())
            found.append(logits)
            local = canonical_frame(decoded, offset).apply(decoded)
        done: dict[int, Trajectory] = {}
        for row, p in enumerate(order):
            own = [v[row] for v in outputs[: steps[row]]]
            states = _in_world(first[row], begin.R[row], own)
            if not own:
                done[p] = Trajectory(
                    states,
                    first.trans.new_zeros((0, len(CONTACT_JOINTS))),
                    first.trans.new_zeros(0),
                )
                continue
            mean, log_var = self.networks.prior(torch.stack([v[row] for v in inputs[: steps[row]]]))
            nats = latent_nll(latents[p].to(wide), mean.to(wide), log_var.to(wide))
            logits = torch.stack([v[row] for v in found[: steps[row]]])
            done[p] = Trajectory(states, logits, nats)
        return [done[p] for p in range(len(firsts))]

    @torch.no_grad()
    def roll_out(self, first: MotionState, z: Tensor) -> tuple[MotionState, NDArray[np.float64]]:
        """One of :meth:`trajectories`, without derivatives.

        Returns
        -------
        states
            (n,) including the first.
        contacts
            (n, 9) probabilities; frame 0 copies frame 1.
        """
        found = self.trajectories([first], [z])[0]
        contacts = torch.sigmoid(found.logits).double().numpy()
        if not len(contacts):
            return found.states, np.zeros((1, len(CONTACT_JOINTS)))
        return found.states, np.concatenate([contacts[:1], contacts])


def _in_world(first: MotionState, R_first: Tensor, decoded: list[Tensor]) -> MotionState:
    """States (n,) in the world: the first (no leading dimension), then the decoded ones.

    Each decoded state (339,) is in the canonical frame of the one before it. Turns about z
    commute, so headings add up, and so do the horizontal steps.
    """
    if not decoded:
        return first.batched()
    local = MotionState.unpack(torch.stack(decoded))
    flat = local.trans.new_tensor([1.0, 1.0, 0.0])
    # Heading of frame k = that of the first and the turns of all before it, as complex numbers.
    turns = [R_first[:2, 0]]
    own = canonical_frame(local).R[:, :2, 0]
    for turn in own[:-1]:
        c, s = turns[-1]
        turns.append(torch.stack([c * turn[0] - s * turn[1], s * turn[0] + c * turn[1]]))
    c, s = torch.stack(turns).unbind(-1)
    o, one = torch.zeros_like(c), torch.ones_like(c)
    R = torch.stack([c, -s, o, s, c, o, o, o, one], -1).reshape(-1, 3, 3)
    moved = (R.transpose(-1, -2) @ local.trans.unsqueeze(-1)).squeeze(-1) * flat
    before = torch.cat([torch.zeros_like(moved[:1]), torch.cumsum(moved, 0)[:-1]])
    places = first.trans * flat + before
    frames = CanonicalFrame(R, -places, pelvis_offset(first).expand_as(places))
    return MotionState.unpack(torch.cat([first.pack()[None], frames.invert(local).pack()]))


def misfit(decoded: MotionState, y: Tensor, allowed: Tolerance) -> Tensor:
    """Energies (B,) of decoded states that are not the packed given ones (B, 339)."""
    given = MotionState.unpack(y)
    root = log_so3(given.root_orient.transpose(-1, -2) @ decoded.root_orient)
    pose = log_so3(given.pose_body.transpose(-1, -2) @ decoded.pose_body)
    q = ((root**2).sum(-1) + (pose**2).sum((-1, -2))) / allowed.turn**2
    q = q + ((decoded.trans - given.trans) ** 2).sum(-1) / allowed.place**2
    return 0.5 * (allowed.freedom + MISFITS) * torch.log1p(q / allowed.freedom)


def latent_nll(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Negative log density (B,) of latents under diagonal Gaussians, nats."""
    white = (z - mean) ** 2 / log_var.exp() + log_var
    return 0.5 * white.sum(-1) + 0.5 * z.shape[-1] * float(np.log(2 * np.pi))


def expand_contacts(contacts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread (n, 9) contact probabilities to the 22 joints (n, 22), zeros elsewhere."""
    expanded = np.zeros((len(contacts), 22))
    expanded[:, CONTACT_JOINTS] = contacts
    return expanded
