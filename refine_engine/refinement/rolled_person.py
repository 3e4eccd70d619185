"""One person of a roll-out: what L-BFGS changes, and the way from there to the engine's frames."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from refine_engine.body import PARENTS, rest_joints
from refine_engine.motion_prior.humor.model import Motion
from refine_engine.motion_prior.humor.networks import LATENT_SIZE
from refine_engine.motion_prior.humor.rotations import exp_so3
from refine_engine.motion_prior.humor.state import NUM_JOINTS, MotionState, sampled
from refine_engine.motion_prior.transition import PRIOR_RATE
from refine_engine.terms.humor_states import prior_frame, prior_states

if TYPE_CHECKING:
    from torch import Tensor

    from refine_engine.scene import Array
    from refine_engine.terms.humor import HumorPrior
    from refine_engine.terms.packed import Packed, PackedPerson
    from refine_engine.terms.problem import Problem

CONSISTENCY_SIGMA_M = (0.075 / 100.0) ** 0.5
"""Distance of the decoder's joints from the body's, metres."""
BONE_SIGMA_M = (0.075 / 2000.0) ** 0.5
"""Change of a bone's length from one frame to the next, metres."""


class RolledPerson:
    """First state and latents of one person; the way from them to places and turns of frames.

    Parameters
    ----------
    problem, packed, p
        Where to start, and whose motion it is.
    prior
        The term whose networks encode it.
    plane
        (4,) the ground.
    """

    def __init__(
        self, problem: Problem, packed: Packed, p: int, prior: HumorPrior, plane: Array
    ) -> None:
        posed = problem.posed(packed)[p]
        self._step = PRIOR_RATE / problem.tracks[p].fps
        """Steps of the roll-out in one frame."""
        rest = rest_joints(problem.body, posed.betas)
        self._level, self._lift, self._pelvis = prior_frame(problem.body, posed.betas, plane)
        self._bones = torch.as_tensor(rest[1:NUM_JOINTS] - rest[list(PARENTS[1:NUM_JOINTS])])
        states = prior_states(
            problem.body, posed.betas, plane, posed.R, posed.points[:, :24], problem.tracks[p].fps
        )
        self.first = states[0]
        self.frames = len(states.trans)
        if self._step != 1.0 and self.frames > 1:
            states = sampled(states, np.arange(self.steps(None) + 1) / self._step)
        begun = torch.zeros((0, LATENT_SIZE), dtype=torch.float64)
        if self.frames > 1:
            begun = prior.model.transitions([Motion(states)])[0].z
        self.z = begun.clone().requires_grad_(True)
        self.place = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        self.turns = torch.zeros((NUM_JOINTS, 3), dtype=torch.float64, requires_grad=True)
        self.speeds = torch.zeros((2 + NUM_JOINTS, 3), dtype=torch.float64, requires_grad=True)

    def variables(self) -> list[Tensor]:
        """What L-BFGS changes."""
        return [self.place, self.turns, self.speeds, self.z]

    def begin(self) -> MotionState:
        """The first state; its joints are the body's."""
        f = self.first
        trans = f.trans + self.place
        root = f.root_orient @ exp_so3(self.turns[0])
        pose = f.pose_body @ exp_so3(self.turns[1:])
        return MotionState(
            trans=trans,
            trans_vel=f.trans_vel + self.speeds[0],
            root_orient=root,
            root_orient_vel=f.root_orient_vel + self.speeds[1],
            pose_body=pose,
            joints=self._joints(trans[None], root[None], pose[None])[0],
            joints_vel=f.joints_vel + self.speeds[2:],
        )

    def within(self, horizon: int | None) -> int:
        """Frames in the window."""
        return self.frames if horizon is None else min(horizon, self.frames)

    def steps(self, horizon: int | None) -> int:
        """Steps of 1/30 s that reach the window's last frame."""
        return int(np.ceil((self.within(horizon) - 1) * self._step - 1e-9))

    def consistency(self, states: MotionState) -> Tensor:
        """Half squared distances of the decoder's joints from the body's, and of its bones."""
        body = self._joints(states.trans, states.root_orient, states.pose_body)
        apart = ((states.joints - body) ** 2).sum() / CONSISTENCY_SIGMA_M**2
        parents = list(PARENTS[1:NUM_JOINTS])
        bones = torch.linalg.norm(states.joints[:, 1:] - states.joints[:, parents], dim=-1)
        return 0.5 * (apart + (torch.diff(bones, dim=0) ** 2).sum() / BONE_SIGMA_M**2)

    def placed(self, old: PackedPerson, states: MotionState, horizon: int | None) -> PackedPerson:
        """The engine's variables, with the window's frames decoded."""
        R, transl = self._in_engine(states, horizon)
        count = len(transl)
        all_R, all_transl = old.R.copy(), old.transl.copy()
        all_R[:count, :NUM_JOINTS] = R.detach().numpy()
        all_transl[:count] = transl.detach().numpy()
        return replace(old, R=all_R, transl=all_transl)

    def pulled(
        self, states: MotionState, at: PackedPerson, gradient: Array, horizon: int | None
    ) -> Tensor:
        """A number that is zero here and has the derivative of the engine's terms."""
        R, transl = self._in_engine(states, horizon)
        count = len(transl)
        here = torch.as_tensor(at.R[:count, :NUM_JOINTS])
        by = torch.as_tensor(np.array(gradient[:count, : 3 + 3 * NUM_JOINTS]))
        M = here.transpose(-1, -2) @ R
        turns = 0.5 * torch.stack(
            [
                M[..., 2, 1] - M[..., 1, 2],
                M[..., 0, 2] - M[..., 2, 0],
                M[..., 1, 0] - M[..., 0, 1],
            ],
            -1,
        )
        moved = transl - torch.as_tensor(at.transl[:count])
        return (by[:, :3] * moved).sum() + (by[:, 3:] * turns.reshape(count, -1)).sum()

    def _in_engine(self, states: MotionState, horizon: int | None) -> tuple[Tensor, Tensor]:
        """Rotations (m, 22, 3, 3) and places (m, 3) of the window's frames, in our world."""
        if self._step != 1.0 and len(states.trans) > 1:
            states = sampled(states, np.arange(self.within(horizon)) * self._step)
        level, pelvis = torch.as_tensor(self._level), torch.as_tensor(self._pelvis)
        root = level.T @ states.root_orient
        R = torch.cat([root[:, None], states.pose_body], 1)
        return R, (states.trans + pelvis - torch.as_tensor(self._lift)) @ level - pelvis

    def _joints(self, trans: Tensor, root: Tensor, pose: Tensor) -> Tensor:
        """Joints (n, 22, 3) of the body in the prior's frame."""
        rotations, places = [root], [trans + torch.as_tensor(self._pelvis)]
        for j in range(1, NUM_JOINTS):
            above = PARENTS[j]
            rotations.append(rotations[above] @ pose[:, j - 1])
            places.append(places[above] + rotations[above] @ self._bones[j - 1])
        return torch.stack(places, 1)
