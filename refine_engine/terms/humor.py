"""HuMoR as the term ``cvae``: how far each step is from what the networks make of it.

States stay the variables. Before each iteration all transitions go through the networks in one
batch (never a roll-out). A transition's energy is the least over latents ``z`` of

    |z - mu(x(t - 1))|^2 / (2 sigma^2)  +  distance of x(t) from D(z, x(t - 1))

with mean and deviation from HuMoR's conditional prior, D its decoder, and the distance whitened and
robust: a likely transition is one that a likely latent explains. The search begins at the encoder's
mean. The decoded *step* from frame to frame is then fixed for the iteration, so that what follows
stays Gauss-Newton over both frames (at the least over z the energy's slope is that of the
distance); steps are decoded anew before the next. A transition that HuMoR cannot reproduce is a far
one, and a Student-t lets it go.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.rotations import exp_so3, log_so3
from refine_engine.motion_prior.transition import PRIOR_RATE
from refine_engine.terms.humor_kernel import DIMENSIONS, FREEDOM, TURNS, step_loss
from refine_engine.terms.humor_states import prior_frame, prior_states, states_after
from refine_engine.terms.registry import CVAE_INFO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.motion_prior.humor.model import HumorModel, Transitions
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

TURN_SIGMA = 0.02
"""Standard deviation of a component of a joint's turn in 1/30 s about the decoded one, radians."""
PLACE_SIGMA = 0.008
"""Of a coordinate of the move in 1/30 s, metres at body size 1."""


@dataclass(frozen=True, eq=False)
class Targets:
    """What the decoder says about the steps into frames 1 and later."""

    turns: Array
    """(n, 22, 3, 3) turns of the root (in the earlier frame's root) and of joints since the frame
    before; frame 0 is unused."""
    steps: Array
    """(n, 3) moves since the frame before, world, metres."""
    nats: Array
    """(n,) -log N(z; prior(x(t - 1))) of the transition into each frame, z the posterior's mean;
    frame 0 is 0."""
    surprise: Array
    """(n,) half squared distance of the decoded latent from the prior's mean, in standard
    deviations: what the transition costs wherever the frame is; frame 0 is 0."""


class HumorPrior:
    """HuMoR's networks as a term.

    Parameters
    ----------
    model
        With the weights of a checkpoint.
    """

    info = CVAE_INFO

    def __init__(self, model: HumorModel) -> None:
        self.model = model
        self.targets: dict[int, Targets] = {}
        self.held = False
        """While a roll-out has this part itself: no targets, no loss."""

    def refresh(self, people: Sequence[tuple[Track, Posed]], common: Common) -> None:
        """Run the networks at the present state and keep everybody's new targets."""
        self.targets.clear()
        moving = [(track, posed) for track, posed in people if len(track) >= 2]
        if self.held or not moving:
            return
        found = decoded_targets(self.model, moving[0][0].fps, [p for _, p in moving], common)
        self.targets.update(zip((track.id for track, _ in moving), found, strict=True))

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`; 0 before the first refresh."""
        targets = self.targets.get(track.id)
        if targets is None or len(track) < 2:
            return 0.0
        links = np.append(0.0, track.link1[:-1]) * (weight * PRIOR_RATE / track.fps)
        gradient, here, beside = _NO_GRADIENT, _NO_BLOCKS, _NO_BLOCKS
        if model is not None:
            dense = model.dense_blocks(reach=1)
            assert dense.next is not None
            gradient, here, beside = dense.gradient, dense.here, dense.next
        share = PRIOR_RATE / track.fps
        total, sized = step_loss(
            posed.R,
            posed.transl,
            targets.turns,
            targets.steps,
            links,
            (TURN_SIGMA * share, PLACE_SIGMA * share * posed.size),
            model is not None,
            gradient,
            here,
            beside,
        )
        if model is not None:
            model.size_gradient -= float(sized)
            model.size_hessian += float(2.0 * sized)
        return float(total + links @ targets.surprise)

    def judged(self, track: Track, posed: Posed, common: Common) -> tuple[float, float] | None:
        """What the networks say of one person's motion as it is; None without a transition.

        Returns
        -------
        tuple
            Mean -log density per transition of the latents, nats (raw: it may be negative), and
            how firmly the term holds the person, 1 = firmly, 0 = lets go. Both over transitions
            between observed frames.
        """
        if len(track) < 2:
            return None
        seen = track.observed[1:] & track.observed[:-1]
        if not seen.any():
            return None
        (found,) = decoded_targets(self.model, track.fps, [posed], common)
        share = PRIOR_RATE / track.fps
        turned = np.swapaxes(posed.R[:-1, :TURNS], -1, -2) @ posed.R[1:, :TURNS]
        away = log_so3(np.swapaxes(found.turns[1:], -1, -2) @ turned) / (TURN_SIGMA * share)
        place = np.diff(posed.transl, axis=0) - found.steps[1:]
        place /= PLACE_SIGMA * share * posed.size
        q = (away**2).sum((1, 2)) + (place**2).sum(1)
        pull = np.minimum((FREEDOM + DIMENSIONS) / (FREEDOM + q), 1.0)
        return float(found.nats[1:][seen].mean()), float(pull[seen].mean())


_NO_GRADIENT = np.zeros((0, 69))
_NO_BLOCKS = np.zeros((0, 69, 69))


def decoded_targets(
    model: HumorModel, fps: float, people: Sequence[Posed], common: Common
) -> list[Targets]:
    """Decode every transition of everybody in one batch.

    HuMoR's steps are of 1/30 s: at other rates the encoder is shown the motion 1/30 s later, and
    the step that is decoded from it is taken in part (or a little beyond).
    """
    # Torch takes seconds to import and is only needed with a checkpoint.
    from refine_engine.motion_prior.humor.latents import Tolerance
    from refine_engine.motion_prior.humor.model import Motion

    share = PRIOR_RATE / fps
    motions = []
    for posed in people:
        joints = posed.points[:, :24]
        states = prior_states(common.body, posed.betas, common.plane, posed.R, joints, fps)
        allowed = Tolerance(TURN_SIGMA, PLACE_SIGMA * posed.size, FREEDOM)
        motions.append(Motion(states, states_after(states, share), allowed))
    found = model.transitions(motions)
    return [_targets(one, posed, common, share) for one, posed in zip(found, people, strict=True)]


def _targets(found: Transitions, posed: Posed, common: Common, share: float) -> Targets:
    """One person's, in the world; a frame is ``share`` of a step of 1/30 s."""
    level, lift, pelvis = prior_frame(common.body, posed.betas, common.plane)
    n, predicted = len(posed.R), found.predicted
    turned, moved = np.tile(np.eye(3), (n, TURNS, 1, 1)), np.zeros((n, 3))
    root = level.T @ predicted.root_orient.numpy()
    turns = np.concatenate([root[:, None], predicted.pose_body.numpy()], 1)
    place = (predicted.trans.numpy() + pelvis - lift) @ level - pelvis
    whole = np.swapaxes(posed.R[:-1, :TURNS], -1, -2) @ turns
    turned[1:] = whole if share == 1.0 else exp_so3(share * log_so3(whole))
    moved[1:] = share * (place - posed.transl[:-1])
    return Targets(turned, moved, np.append(0.0, found.nll), np.append(0.0, found.surprise))


def load_humor(path: str | Path, device: str) -> HumorModel:
    """Networks of a checkpoint, on the device of that setting.

    Raises
    ------
    ConfigError
        There is no such device.
    InputError
        The file is no HuMoR checkpoint.
    OptimizationError
        The device has too little free memory, or fails.
    """
    from refine_engine.motion_prior.humor.checkpoint import load_networks
    from refine_engine.motion_prior.humor.device import Device
    from refine_engine.motion_prior.humor.model import HumorModel

    chosen = Device.named(device)
    return HumorModel(load_networks(path), chosen)
