"""How likely each person's refined motion is: one number in (0, 1], and the raw nats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size, joint_kinematics, rest_joints
from refine_engine.motion_prior.likelihood import FOOT_JOINTS, score_motion
from refine_engine.motion_prior.transition import load_transition_prior
from refine_engine.terms.humor import HumorPrior

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Scene
    from refine_engine.state import OptimizationState
    from refine_engine.terms.problem import Problem

NOT_SCORED = 0.5
"""Likelihood of a person with no three consecutive observed frames: nothing is known."""


@dataclass(frozen=True)
class MotionScores:
    """Scores by track id."""

    likelihoods: dict[int, float] = field(default_factory=dict)
    """(0, 1]; recorded motion has a median of 0.9."""
    nats: dict[int, float] = field(default_factory=dict)
    """Raw -log density per frame; only people who were scored."""
    influence: dict[int, float] = field(default_factory=dict)
    """How firmly the prior that is used holds each person, 0 (unfamiliar, let go) to 1."""
    humor_nats: dict[int, float] = field(default_factory=dict)
    """With a HuMoR checkpoint: its own mean -log density per transition; may be negative."""


def motion_scores(
    scene: Scene, body: BodyModel, state: OptimizationState, problem: Problem | None = None
) -> MotionScores:
    """Score everybody's motion with the embedded prior.

    Filled frames do not count. A person with no three consecutive observed frames gets the
    likelihood :data:`NOT_SCORED` and no nats. The likelihoods are always the embedded prior's:
    only that one is calibrated, and runs with different priors can be compared. Where ``problem``
    holds a HuMoR checkpoint, influence and :attr:`MotionScores.humor_nats` are that one's.
    """
    prior = load_transition_prior()
    scores = MotionScores()
    for i, p in state.people.items():
        motion = joint_kinematics(
            rest_joints(body, p.betas), p.R_world_root, p.body_pose, p.transl_world
        )
        found = score_motion(
            prior,
            np.concatenate([p.R_world_root[:, None], p.body_pose], 1),
            p.transl_world,
            motion.positions[:, FOOT_JOINTS],
            float(body_size(body, p.betas).value),
            scene.fps,
            p.observed,
        )
        scores.likelihoods[i] = NOT_SCORED if found is None else found.likelihood
        if found is not None:
            scores.nats[i] = found.nats
            scores.influence[i] = found.influence
    if problem is not None:
        _add_humor(scores, problem, state)
    return scores


def _add_humor(scores: MotionScores, problem: Problem, state: OptimizationState) -> None:
    """What a HuMoR checkpoint among the terms says of everybody."""
    term = next((t for t in problem.terms if isinstance(t, HumorPrior)), None)
    if term is None:
        return
    packed = problem.pack(state)
    common = problem.common(packed)
    scores.influence.clear()
    for track, posed in zip(problem.tracks, problem.posed(packed), strict=True):
        found = term.judged(track, posed, common)
        if found is not None:
            scores.humor_nats[track.id], scores.influence[track.id] = found
