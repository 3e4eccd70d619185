"""Which latents of a transition are likely: by the prior, and by what is decoded from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from refine_engine.motion_prior.humor.rotations import log_so3
from refine_engine.motion_prior.humor.state import MotionState

if TYPE_CHECKING:
    from refine_engine.motion_prior.humor.networks import HumorNetworks

MISFITS = 69
"""Numbers of a state that are compared: turns of the root and of joints 1..21, place."""
LATENT_STEPS = 3
"""Steps towards the likeliest latents, before each iteration of the solver."""


@dataclass(frozen=True)
class Tolerance:
    """How far a motion may be from the decoded one: what makes a latent likely beside the prior.

    A transition's energy is ``|u|^2 / 2 + (nu + d) / 2 log(1 + q / nu)`` with u the latent's
    distance from the prior's mean in standard deviations, and q the squared whitened distance of
    the decoded next state from the given one (d = 69: turns of root and joints, place). Numbers,
    or (B,) one for each transition.
    """

    turn: float | Tensor
    """Standard deviation of a component of a turn, radians."""
    place: float | Tensor
    """Of a coordinate of the place, metres."""
    freedom: float | Tensor
    """nu of the Student-t."""

    def columns(self, rows: Tensor) -> Tensor:
        """(B, 3) turn, place and freedom for every one of some rows (B, ...)."""
        parts = (self.turn, self.place, self.freedom)
        given = [torch.as_tensor(part, dtype=rows.dtype) for part in parts]
        return torch.stack([part.expand(len(rows)) for part in given], 1)


def likeliest_latents(
    networks: HumorNetworks,
    x: Tensor,
    y: Tensor,
    mean: Tensor,
    spread: Tensor,
    begin: Tensor,
    allowed: Tolerance,
) -> Tensor:
    """Latents (B, 48) that make the energies of :class:`Tolerance` small.

    Gradient steps of Barzilai and Borwein's length in the prior's standard deviations, each
    transition by itself, from the posterior's or the prior's mean, whichever is likelier. The
    best that was met is kept.

    Parameters
    ----------
    networks
        Of which the decoder is used.
    x, y
        (B, 339) canonical states and those 1/30 s after.
    mean, spread
        (B, 48) of the prior: mean and standard deviation.
    begin
        (B, 48) means of the posterior.
    allowed
        How far what is decoded may be from ``y``.
    """

    def energies(u: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            u = u.requires_grad_(True)
            decoded, _ = networks.decode(x, mean + spread * u)
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
