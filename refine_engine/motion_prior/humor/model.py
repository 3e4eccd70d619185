"""HuMoR as a likelihood of given states, and as a sequential roll-out for parity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from refine_engine.motion_prior.humor.device import Device
from refine_engine.motion_prior.humor.latents import Tolerance, latent_nll, likeliest_latents
from refine_engine.motion_prior.humor.networks import LATENT_SIZE, apply_delta
from refine_engine.motion_prior.humor.state import (
    CONTACT_JOINTS,
    STATE_SIZE,
    CanonicalFrame,
    MotionState,
    canonical_frame,
    horizontal,
    pelvis_offset,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from refine_engine.motion_prior.humor.networks import HumorNetworks


@dataclass(frozen=True)
class Motion:
    """One person's states, to be asked about."""

    states: MotionState
    """(n,), n >= 2."""
    following: MotionState | None = None
    """(n - 1,) the states 1/30 s after each of the first n - 1: HuMoR knows no other step. None =
    the next rows, for motion at 30 frames a second."""
    tolerance: Tolerance | None = None
    """Decode each transition's likeliest latent within this tolerance, not the posterior's mean: a
    motion that the decoder can follow only with an unlikely latent is then followed in part. It is
    given for all motions of a batch, or for none."""


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
class Trajectory:
    """One decoded motion, differentiable in its first state and its latents."""

    states: MotionState
    """(n,) including the first, in the world of the first."""
    nats: Tensor
    """(n - 1,) -log density of each latent under the prior of the state before it."""


_RESULTS = [STATE_SIZE, len(CONTACT_JOINTS), LATENT_SIZE, 1, 1]
"""Columns that come back of a transition: decoded state, contacts, z, its nats, surprise."""


class HumorModel:
    """HuMoR's conditional prior over transitions of states in the Z-up frame.

    What it is given and what it answers lives on the processor, wherever the networks are.

    Parameters
    ----------
    networks
        From :func:`refine_engine.motion_prior.humor.checkpoint.load_networks`; they are moved.
    device
        Where they work.

    Raises
    ------
    OptimizationError
        The device has too little free memory, or fails.
    """

    def __init__(self, networks: HumorNetworks, device: Device | None = None) -> None:
        self.device = device or Device()
        with self.device.telling_failures():
            self.networks = networks.to(self.device.torch_device)
        self._dtype = next(networks.parameters()).dtype

    @torch.no_grad()
    def transitions(self, motions: Sequence[Motion]) -> list[Transitions]:
        """Evaluate every transition of everybody at once; the states stay the variables."""
        frames, rows = [], []
        for motion in motions:
            past = motion.states[:-1]
            following = motion.states[1:] if motion.following is None else motion.following
            frame = canonical_frame(past, pelvis_offset(motion.states[0]))
            row = [frame.apply(past).pack(), frame.apply(following).pack()]
            if motion.tolerance is not None:
                row.append(motion.tolerance.columns(row[0]))
            frames.append(frame)
            rows.append(torch.cat(row, 1))
        found = self.device.evaluated(self._evaluated, torch.cat(rows))
        return [
            _transitions(frame, part)
            for frame, part in zip(
                frames, torch.split(found, [len(row) for row in rows]), strict=True
            )
        ]

    def _evaluated(self, rows: Tensor) -> Tensor:
        """:data:`_RESULTS` of canonical states, the following ones and tolerances, if any."""
        sizes = [STATE_SIZE, STATE_SIZE, rows.shape[1] - 2 * STATE_SIZE]
        x, y, allowed = torch.split(rows.to(self._dtype), sizes, 1)
        z, _ = self.networks.posterior(x, y)
        mean, log_var = self.networks.prior(x)
        latent = z
        if allowed.shape[1]:
            spread, tolerance = torch.exp(0.5 * log_var), Tolerance(*allowed.unbind(1))
            latent = likeliest_latents(self.networks, x, y, mean, spread, z, tolerance)
        decoded, logits = self.networks.decode(x, latent)
        surprise = 0.5 * ((latent - mean) ** 2 / log_var.exp()).sum(-1)
        nll = latent_nll(z, mean, log_var)
        parts = (decoded.pack(), torch.sigmoid(logits), z, nll[:, None], surprise[:, None])
        return torch.cat(parts, 1)

    def trajectories(
        self, firsts: Sequence[MotionState], latents: Sequence[Tensor]
    ) -> list[Trajectory]:
        """Decode several motions side by side, each from a first state and latents (n - 1, 48).

        Sequential in time, and differentiable in both. The next input uses the decoder's own
        joints, as HuMoR (not HuMoR-Qual) does. Only the decoder runs step by step, from canonical
        frame to canonical frame; the prior follows in one batch, the way back to the world here.

        Raises
        ------
        OptimizationError
            The device has too little free memory, or fails.
        """
        order = sorted(range(len(firsts)), key=lambda p: -len(latents[p]))
        counts = [len(latents[p]) for p in order]
        first = MotionState.unpack(torch.stack([firsts[p].pack() for p in order]))
        offset = pelvis_offset(first)
        begin = canonical_frame(first, offset)
        # Everything that has to cross is one row a person.
        z = pad_sequence([latents[p].to(offset.dtype) for p in order], batch_first=True)
        rows = torch.cat([begin.apply(first).pack(), offset, z.flatten(1)], 1)
        with self.device.telling_failures():
            found = self.device.fetch(self._rolled_out(self.device.send(rows), counts))
        # Row of each person's steps among those of all: at step k only the longer ones go on.
        going = [sum(n > k for n in counts) for k in range(max(counts, default=0))]
        starts = np.cumsum([0, *going])
        done: dict[int, Trajectory] = {}
        for row, p in enumerate(order):
            own = found[torch.as_tensor(starts[: counts[row]] + row)]
            states = _in_world(first[row], begin.R[row], own[:, :STATE_SIZE])
            done[p] = Trajectory(states, own[:, STATE_SIZE])
        return [done[p] for p in range(len(firsts))]

    def _rolled_out(self, rows: Tensor, counts: list[int]) -> Tensor:
        """Decoded canonical states and the nats of their latents (steps, 340), step by step.

        Parameters
        ----------
        rows
            (P, 342 + 48 n) first canonical states, pelvis offsets and latents.
        counts
            Steps of each person, the most first.
        """
        local, offset = MotionState.unpack(rows[:, :STATE_SIZE]), rows[:, STATE_SIZE:][:, :3]
        z = rows[:, STATE_SIZE + 3 :].reshape(len(rows), -1, LATENT_SIZE)
        inputs, outputs, used = [], [], []
        for k in range(z.shape[1]):
            going = sum(n > k for n in counts)
            if len(local.trans) > going:
                local, offset = local[:going], offset[:going]
            x = local.pack().to(self._dtype)
            out = self.networks.decoder(torch.cat([x, z[:going, k].to(self._dtype)], 1))
            decoded, _ = apply_delta(local, out.to(rows.dtype))
            inputs.append(x)
            outputs.append(decoded.pack())
            used.append(z[:going, k])
            local = canonical_frame(decoded, offset).apply(decoded)
        if not outputs:
            return rows.new_zeros((0, STATE_SIZE + 1))
        mean, log_var = self.networks.prior(torch.cat(inputs))
        nats = latent_nll(torch.cat(used), mean.to(rows.dtype), log_var.to(rows.dtype))
        return torch.cat([torch.cat(outputs), nats[:, None]], 1)


def _transitions(frame: CanonicalFrame, found: Tensor) -> Transitions:
    """What :data:`_RESULTS` (n - 1,) of one person say, in the world."""
    decoded, contacts, z, nll, surprise = torch.split(found, _RESULTS, 1)
    return Transitions(
        nll[:, 0].numpy(),
        z,
        frame.invert(MotionState.unpack(decoded)),
        surprise[:, 0].numpy(),
        np.concatenate([contacts[:1], contacts]),
    )


def _in_world(first: MotionState, R_first: Tensor, decoded: Tensor) -> MotionState:
    """States (n,) in the world: the first (no leading dimension), then the decoded ones.

    Each decoded state (n - 1, 339) is in the canonical frame of the one before it. Turns about z
    commute, so headings add up, and so do the horizontal steps.
    """
    if not len(decoded):
        return first.batched()
    local = MotionState.unpack(decoded)
    # Heading of frame k = that of the first and the turns of all before it, as complex numbers.
    turns = [R_first[:2, 0]]
    own = canonical_frame(local).R[:, :2, 0]
    for turn in own[:-1]:
        c, s = turns[-1]
        turns.append(torch.stack([c * turn[0] - s * turn[1], s * turn[0] + c * turn[1]]))
    c, s = torch.stack(turns).unbind(-1)
    o, one = torch.zeros_like(c), torch.ones_like(c)
    R = torch.stack([c, -s, o, s, c, o, o, o, one], -1).reshape(-1, 3, 3)
    moved = horizontal((R.transpose(-1, -2) @ local.trans.unsqueeze(-1)).squeeze(-1))
    before = torch.cat([torch.zeros_like(moved[:1]), torch.cumsum(moved, 0)[:-1]])
    places = horizontal(first.trans) + before
    frames = CanonicalFrame(R, -places, pelvis_offset(first).expand_as(places))
    return MotionState.unpack(torch.cat([first.pack()[None], frames.invert(local).pack()]))
