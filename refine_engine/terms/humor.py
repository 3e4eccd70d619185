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
from numba import njit

from refine_engine.body import rest_joints
from refine_engine.geometry.rotations import exp_so3, log_so3, rotation_between
from refine_engine.motion_prior.transition import PRIOR_RATE
from refine_engine.terms.pose import _log_and_jacobian as log_and_jacobian
from refine_engine.terms.registry import CVAE_INFO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.body import BodyModel
    from refine_engine.motion_prior.humor.model import HumorModel, Transitions
    from refine_engine.motion_prior.humor.state import MotionState
    from refine_engine.scene import Array
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

TURN_SIGMA = 0.02
"""Standard deviation of a component of a joint's turn in 1/30 s about the decoded one, radians."""
PLACE_SIGMA = 0.008
"""Of a coordinate of the move in 1/30 s, metres at body size 1."""
FREEDOM = 16.0
TURNS = 22
"""Root and joints 1..21, which HuMoR's state holds."""
_DIMENSIONS = 3 * TURNS + 3
UP = np.array([0.0, 1.0, 0.0])


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
        pull = np.minimum((FREEDOM + _DIMENSIONS) / (FREEDOM + q), 1.0)
        return float(found.nats[1:][seen].mean()), float(pull[seen].mean())


_NO_GRADIENT = np.zeros((0, 69))
_NO_BLOCKS = np.zeros((0, 69, 69))


@njit(nogil=True, cache=True)
def step_loss(  # type: ignore[no-untyped-def]
    R, transl, turns, steps, links, sigmas, with_model, gradient, here, beside
):
    """Sum of w (nu + d) / 2 log(1 + q / nu); also the sum of w r^2 of places (for the size).

    ``sigmas`` are those of a turn (radians) and of a move (metres) in one frame.
    """
    total = 0.0
    sized = 0.0
    r = np.empty((TURNS, 3))
    J = np.empty((TURNS, 3, 3))
    M = np.empty((TURNS, 3, 3))
    back = np.empty((3, 3))
    d = np.empty(3)
    turn = 1.0 / (sigmas[0] * sigmas[0])
    place = 1.0 / (sigmas[1] * sigmas[1])
    for t in range(1, R.shape[0]):
        if links[t] == 0.0:
            continue
        q = 0.0
        away = 0.0
        for j in range(TURNS):
            for c in range(3):
                for e in range(3):
                    M[j, c, e] = (
                        R[t - 1, j, 0, c] * R[t, j, 0, e]
                        + R[t - 1, j, 1, c] * R[t, j, 1, e]
                        + R[t - 1, j, 2, c] * R[t, j, 2, e]
                    )
            log_and_jacobian(turns[t, j], M[j], r[j], J[j])
            for c in range(3):
                q += turn * r[j, c] * r[j, c]
        for c in range(3):
            d[c] = transl[t, c] - transl[t - 1, c] - steps[t, c]
            away += place * d[c] * d[c]
        q += away
        total += links[t] * 0.5 * (FREEDOM + _DIMENSIONS) * np.log1p(q / FREEDOM)
        if not with_model:
            continue
        w = links[t] * (FREEDOM + _DIMENSIONS) / (FREEDOM + q)
        sized += w * away
        for c in range(3):
            gradient[t, c] += w * place * d[c]
            gradient[t - 1, c] -= w * place * d[c]
            here[t, c, c] += w * place
            here[t - 1, c, c] += w * place
            beside[t - 1, c, c] -= w * place
        for j in range(TURNS):
            # A turn exp(b) of the frame before changes M to exp(-b) M = M exp(-M^T b).
            for m in range(3):
                for c in range(3):
                    back[m, c] = -(
                        J[j, m, 0] * M[j, c, 0] + J[j, m, 1] * M[j, c, 1] + J[j, m, 2] * M[j, c, 2]
                    )
            for c in range(3):
                row = 3 + 3 * j + c
                for m in range(3):
                    gradient[t, row] += w * turn * J[j, m, c] * r[j, m]
                    gradient[t - 1, row] += w * turn * back[m, c] * r[j, m]
                    for e in range(3):
                        column = 3 + 3 * j + e
                        here[t, row, column] += w * turn * J[j, m, c] * J[j, m, e]
                        here[t - 1, row, column] += w * turn * back[m, c] * back[m, e]
                        beside[t - 1, row, column] += w * turn * back[m, c] * J[j, m, e]
    return total, sized


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


def prior_frame(body: BodyModel, betas: Array, plane: Array) -> tuple[Array, Array, Array]:
    """Rotation (3, 3) and lift (3,) from the world to HuMoR's, floor at z = 0; rest pelvis (3,)."""
    from refine_engine.motion_prior.humor.state import Y_UP_TO_Z_UP

    level = Y_UP_TO_Z_UP @ rotation_between(plane[:3], UP)
    return level, np.array([0.0, 0.0, float(plane[3])]), rest_joints(body, betas)[0]


def prior_states(
    body: BodyModel, betas: Array, plane: Array, R: Array, joints: Array, fps: float
) -> MotionState:
    """HuMoR's states (n,) of a motion: R (n, 24, 3, 3) and joints (n, 24, 3), world."""
    # Torch takes seconds to import and is only needed with a checkpoint.
    from refine_engine.motion_prior.humor.state import states_of_motion

    level, lift, pelvis = prior_frame(body, betas, plane)
    placed = joints @ level.T + lift
    return states_of_motion(placed[:, 0] - pelvis, level @ R[:, 0], R[:, 1:TURNS], placed, fps)


def states_after(states: MotionState, share: float) -> MotionState | None:
    """(n - 1,) the motion 1/30 s after each state but the last; None where these are the next rows.

    ``share`` is the part of such a step that a frame is.
    """
    if share == 1.0:
        return None
    from refine_engine.motion_prior.humor.state import sampled

    return sampled(states, np.arange(len(states.trans) - 1) + 1.0 / share)


def load_humor(path: str | Path, device: str) -> HumorModel:
    """Networks of a checkpoint, on the device of that setting.

    Raises
    ------
    ConfigError
        There is no such device.
    InputError
        The file is no HuMoR checkpoint.
    OptimizationError
        The device has too little free memory.
    """
    from refine_engine.motion_prior.humor.checkpoint import load_networks
    from refine_engine.motion_prior.humor.device import Device
    from refine_engine.motion_prior.humor.model import HumorModel

    chosen = Device.named(device)
    return HumorModel(load_networks(path), chosen)
