"""Contacts as the motion prior sees them: from its own head, or HuMoR's, to sharpen kinematics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size
from refine_engine.motion_prior.contact_head import load_contact_head
from refine_engine.motion_prior.transition import PRIOR_RATE
from refine_engine.refinement.initialisation.contacts import standing_plane
from refine_engine.refinement.initialisation.feet import pose_feet_and_joints

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.config import RefinementConfig
    from refine_engine.motion_prior.humor.model import HumorModel
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

ContactSource = Callable[["BodyModel", "PersonState", "Array", float], "Array"]
"""Body, person, ground plane (4,), frames per second -> probability (n, 4) of contact."""
HUMOR_ANKLES_AND_TOES = (3, 5, 4, 6)
"""Left ankle, left toe, right ankle, right toe among HuMoR's nine; an ankle stands for a heel."""


def contact_source(config: RefinementConfig) -> ContactSource | None:
    """The head of the configured prior; None where ``contact_head`` is switched off.

    Raises
    ------
    ConfigError
        There is no such device.
    InputError
        ``motion_prior`` names a file that is no HuMoR checkpoint.
    """
    if not config.contact_head:
        return None
    if not config.motion_prior:
        return embedded_contacts
    # With a checkpoint torch is needed; it takes seconds to import.
    from refine_engine.terms.humor import load_humor

    return humor_source(load_humor(config.motion_prior, config.device))


def embedded_contacts(body: BodyModel, person: PersonState, plane: Array, fps: float) -> Array:
    """What the embedded prior's head says of a person's present motion."""
    feet, joints = pose_feet_and_joints(
        body, person.betas, person.R_world_root, person.body_pose, person.transl_world
    )
    size = float(body_size(body, person.betas).value)
    plane = standing_plane(feet, plane, fps, person.observed)
    return load_contact_head().probabilities(feet, joints, plane, size, fps)


def humor_source(model: HumorModel) -> ContactSource:
    """The same from the logits of HuMoR's decoder, all transitions in one batch."""

    def contacts(body: BodyModel, person: PersonState, plane: Array, fps: float) -> Array:
        from refine_engine.motion_prior.humor.model import Motion
        from refine_engine.terms.humor_states import prior_states, states_after

        if len(person.frames) < 2:
            return np.zeros((len(person.frames), 4))
        _, joints = pose_feet_and_joints(
            body, person.betas, person.R_world_root, person.body_pose, person.transl_world
        )
        R = np.concatenate([person.R_world_root[:, None], person.body_pose], 1)
        states = prior_states(body, person.betas, plane, R, joints, fps)
        following = states_after(states, PRIOR_RATE / fps)
        (found,) = model.transitions([Motion(states, following)])
        return found.contacts[:, HUMOR_ANKLES_AND_TOES]

    return contacts
