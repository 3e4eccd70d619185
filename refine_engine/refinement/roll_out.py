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

from refine_engine.motion_prior.humor.initial_state import initial_vector
from refine_engine.motion_prior.humor.state import (
    MotionState,
    canonical_frame,
    pelvis_offset,
)
from refine_engine.refinement.rolled_person import RolledPerson
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.levenberg import Damping, StepResult
from refine_engine.solver.threads import people_runner
from refine_engine.terms.humor import HumorPrior
from refine_engine.terms.initial_state import InitialState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from refine_engine.motion_prior.humor.model import Trajectory
    from refine_engine.solver.threads import Poll
    from refine_engine.terms.packed import Packed
    from refine_engine.terms.problem import Problem

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
            RolledPerson(problem, packed, p, priors[0], common.plane)
            for p in range(len(problem.ids))
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
            with self._term.model.device.telling_failures():
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
