"""The sequential mode of the sub-stage ``motion``: first states and latents are the variables.

As HuMoR and SLAHMR fit their prior: a person's motion is what the decoder makes, step by step, of
a first state and of one latent ``z`` a transition, and L-BFGS changes these. It exists for parity;
the default mode, in which states stay the variables, is far cheaper and has no horizon.

The engine's terms know nothing of networks. Their exact gradient by each frame's place and turns is
pulled back through the decoded motion by automatic differentiation. Windows always begin at frame
0 and grow by ``motion_prior_chunk_size``; frames beyond the window stay where they are. Steps are
of 1/30 s, for HuMoR knows no other; at other rates the frames are read between them.

Parts of the loss beside the engine's terms, all at the weight of ``cvae`` and in the proportions of
SLAHMR's published settings (motion 0.075, joint consistency 100, bone length 2000): the nats of the
latents, those of the first state where there is a mixture (more in a window, in which there are
fewer other numbers: by the clip's frames over the window's), the distance between the decoder's
joints and the body's, and how much the decoder's bones change their length.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from refine_engine.body import PARENTS, rest_joints
from refine_engine.motion_prior.humor.initial_state import initial_vector
from refine_engine.motion_prior.humor.model import Motion
from refine_engine.motion_prior.humor.networks import LATENT_SIZE
from refine_engine.motion_prior.humor.rotations import exp_so3
from refine_engine.motion_prior.humor.state import (
    NUM_JOINTS,
    MotionState,
    canonical_frame,
    pelvis_offset,
    sampled,
)
from refine_engine.motion_prior.transition import PRIOR_RATE
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.levenberg import Damping, StepResult
from refine_engine.solver.threads import people_runner
from refine_engine.terms.humor import HumorPrior, prior_frame, prior_states
from refine_engine.terms.initial_state import InitialState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from refine_engine.motion_prior.humor.model import Trajectory
    from refine_engine.scene import Array
    from refine_engine.solver.threads import Poll
    from refine_engine.terms.packed import Packed, PackedPerson
    from refine_engine.terms.problem import Problem

CONSISTENCY_SIGMA_M = (0.075 / 100.0) ** 0.5
"""Distance of the decoder's joints from the body's, metres."""
BONE_SIGMA_M = (0.075 / 2000.0) ** 0.5
"""Change of a bone's length from one frame to the next, metres."""
INNER_STEPS = 20
"""Steps of L-BFGS in one iteration."""


class RollOut:
    """Motion of all people as first states and latents.

    While it exists, the terms that it stands in for are still; :meth:`close` gives them back.

    Parameters
    ----------
    problem
        With a :class:`HumorPrior` among its terms.
    packed
        Where to start: the first states, and the posterior's mean latents of all transitions.
    """

    def __init__(self, problem: Problem, packed: Packed) -> None:
        self.problem = problem
        priors = [t for t in problem.terms if isinstance(t, HumorPrior)]
        mixtures = [t for t in problem.terms if isinstance(t, InitialState)]
        self._stand_ins: list[HumorPrior | InitialState] = [*priors, *mixtures]
        for term in self._stand_ins:
            term.held = True
        priors[0].targets.clear()
        self._term = priors[0]
        self._mixture = mixtures[0].prior if mixtures else None
        common = problem.common(packed)
        self.people = [
            _Person(problem, packed, p, priors[0], common.plane) for p in range(len(problem.ids))
        ]

    def close(self) -> None:
        """Let the terms count again."""
        for term in self._stand_ins:
            term.held = False

    def step(
        self,
        packed: Packed,
        weights: Mapping[str, float],
        horizon: int | None,
        poll: Poll | None = None,
    ) -> StepResult[Packed]:
        """One iteration: up to :data:`INNER_STEPS` steps of L-BFGS over the window.

        ``horizon`` None = the whole clip. Not accepted where the loss does not fall.
        """
        variables = [v for person in self.people for v in person.variables()]
        kept = [v.detach().clone() for v in variables]
        before = self.loss(packed, weights, horizon)
        optimiser = torch.optim.LBFGS(
            variables, lr=1.0, max_iter=INNER_STEPS, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            if poll is not None:
                poll()
            optimiser.zero_grad()
            return torch.tensor(self.loss(packed, weights, horizon, with_gradient=True))

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        after = self.loss(packed, weights, horizon)
        if not after < before:
            with torch.no_grad():
                for variable, old in zip(variables, kept, strict=True):
                    variable.copy_(old)
            message = "" if np.isfinite(after) else "the roll-out is not finite: window kept back"
            return StepResult(packed, before, {}, Damping(), accepted=False, message=message)
        state = self.state(packed, horizon)
        total, terms = self.problem.evaluate(state, weights)
        nats = after - total
        return StepResult(
            state=state,
            total=after,
            terms={**terms, "cvae": terms.get("cvae", 0.0) + nats},
            damping=Damping(),
            accepted=True,
            max_joint_step=self.problem.joint_step(packed, state, 1.0),
            usual_joint_step=self.problem.joint_step(packed, state, 0.99),
            relative_decrease=(before - after) / max(abs(before), 1e-300),
        )

    def state(self, packed: Packed, horizon: int | None) -> Packed:
        """The decoded motion within the window, the given one beyond it."""
        with torch.no_grad():
            found = self._decoded(horizon)
        people = tuple(
            person.placed(old, motion.states, horizon)
            for person, old, motion in zip(self.people, packed.people, found, strict=True)
        )
        return replace(packed, people=people)

    def _decoded(self, horizon: int | None) -> list[Trajectory]:
        """Everybody's steps of 1/30 s within the window, side by side."""
        return self._term.model.trajectories(
            [person.begin() for person in self.people],
            [person.z[: person.steps(horizon)] for person in self.people],
        )

    def loss(
        self,
        packed: Packed,
        weights: Mapping[str, float],
        horizon: int | None,
        *,
        with_gradient: bool = False,
    ) -> float:
        """Loss of the decoded motion; adds its derivative to the variables' ``grad``."""
        strength = self._term.info.weight(weights.get(self._term.info.name, 0.0))
        with torch.set_grad_enabled(with_gradient):
            decoded = self._decoded(horizon)
            own = torch.zeros((), dtype=torch.float64)
            for person, motion in zip(self.people, decoded, strict=True):
                own = own + strength * (motion.nats.sum() + person.consistency(motion.states))
                if self._mixture is not None:
                    share = person.frames / person.within(horizon)
                    own = own + strength * share * self._first_nats(motion.states[0])
        people = tuple(
            person.placed(old, motion.states, horizon)
            for person, old, motion in zip(self.people, packed.people, decoded, strict=True)
        )
        state = replace(packed, people=people)
        total = self.problem.evaluate(state, weights)[0]
        if with_gradient:
            run = people_runner(self.problem.threads, None)
            model = self.problem.linearise(state, weights, Free(pose=True), run)
            for p, (person, motion) in enumerate(zip(self.people, decoded, strict=True)):
                part = model.parts[p]
                gradient = part.border[0][:, 0].reshape(part.frames, -1)
                own = own + person.pulled(motion.states, people[p], gradient, horizon)
            with self._term.model.device.enough_memory():
                own.backward()  # type: ignore[no-untyped-call]
            # What was pulled back is zero here: only its derivative counts.
        found = total + float(own.detach())
        return found if np.isfinite(found) else float("inf")

    def _first_nats(self, first: MotionState) -> Tensor:
        assert self._mixture is not None
        vector = initial_vector(canonical_frame(first, pelvis_offset(first)).apply(first))
        nats, gradient, _ = self._mixture.quadratic(vector.detach().numpy())
        moved = vector - vector.detach()
        return nats + (torch.as_tensor(gradient) * moved).sum()


class _Person:
    """One person's variables, and the way from them to the engine's."""

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
