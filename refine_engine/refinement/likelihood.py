"""How likely each person's refined motion is: one number in (0, 1], and the raw nats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size, joint_kinematics, rest_joints
from refine_engine.motion_prior.likelihood import FOOT_JOINTS, score_motion
from refine_engine.motion_prior.transition import load_transition_prior

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Scene
    from refine_engine.state import OptimizationState

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
    """How firmly the prior holds each person, 0 (unfamiliar motion, let go) to 1."""


def motion_scores(scene: Scene, body: BodyModel, state: OptimizationState) -> MotionScores:
    """Score everybody's motion with the embedded prior.

    Filled frames do not count. A person with no three consecutive observed frames gets the
    likelihood :data:`NOT_SCORED` and no nats.
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
    return scores
