"""HuMoR's three perceptrons and one step of the model.

Every network is ``Linear`` followed by (``GroupNorm(16)``, ``ReLU``, ``Linear``) blocks kept in
one list called ``net``, so that the names in a checkpoint match (Rempe et al. 2021, section 3.2).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from refine_engine.motion_prior.humor.rotations import exp_so3
from refine_engine.motion_prior.humor.state import (
    NUM_BODY,
    NUM_JOINTS,
    OUTPUT_SIZE,
    STATE_SIZE,
    MotionState,
)

LATENT_SIZE = 48
NUM_GROUPS = 16


class Perceptron(nn.Module):
    """Multi-layer perceptron; ``skip`` extra inputs join before every Linear but the first."""

    def __init__(self, sizes: list[int], skip: int = 0) -> None:
        super().__init__()
        self.skip = skip
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            if i:
                layers += [nn.GroupNorm(NUM_GROUPS, inputs), nn.ReLU()]
            layers.append(nn.Linear(inputs + (skip if i else 0), outputs))
        self.net = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs) to (B, outputs); the last ``skip`` inputs are the ones that join."""
        joining = x[:, x.shape[1] - self.skip :]
        for i, layer in enumerate(self.net):
            if self.skip and i and isinstance(layer, nn.Linear):
                x = torch.cat([x, joining], 1)
            x = layer(x)
        return x


class HumorNetworks(nn.Module):
    """Encoder (posterior), conditional prior and decoder; 9 725 976 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Perceptron([2 * STATE_SIZE, 1024, 1024, 1024, 1024, 2 * LATENT_SIZE])
        self.prior_net = Perceptron([STATE_SIZE, 1024, 1024, 1024, 1024, 2 * LATENT_SIZE])
        self.decoder = Perceptron(
            [STATE_SIZE + LATENT_SIZE, 1024, 1024, 512, OUTPUT_SIZE], skip=LATENT_SIZE
        )

    def posterior(self, past: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, 48) of z given both states (B, 339)."""
        mean, log_var = self.encoder(torch.cat([past, following], 1)).chunk(2, 1)
        return mean, log_var

    def prior(self, past: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, 48) of z given the past state (B, 339)."""
        mean, log_var = self.prior_net(past).chunk(2, 1)
        return mean, log_var

    def decode(self, past: Tensor, z: Tensor) -> tuple[MotionState, Tensor]:
        """Next state in the past state's canonical frame, and contact logits (B, 9)."""
        out = self.decoder(torch.cat([past, z], 1))
        return apply_delta(MotionState.unpack(past), out)


def apply_delta(past: MotionState, out: Tensor) -> tuple[MotionState, Tensor]:
    """Add the decoder's raw output (B, 216) to the past state.

    Translation, velocities and joints are ``past + delta``; rotations are ``exp(delta) past``
    (left multiplication); contacts are logits without delta.
    """
    lead = out.shape[:-1]
    parts = torch.split(out, [3, 3, 3, 3, NUM_BODY * 3, NUM_JOINTS * 3, NUM_JOINTS * 3, 9], -1)
    state = MotionState(
        past.trans + parts[0],
        past.trans_vel + parts[1],
        exp_so3(parts[2]) @ past.root_orient,
        past.root_orient_vel + parts[3],
        exp_so3(parts[4].reshape(*lead, NUM_BODY, 3)) @ past.pose_body,
        past.joints + parts[5].reshape(*lead, NUM_JOINTS, 3),
        past.joints_vel + parts[6].reshape(*lead, NUM_JOINTS, 3),
    )
    return state, parts[7]
