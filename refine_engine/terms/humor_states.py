"""A person's motion as HuMoR's states: Z up, the floor at z = 0. Used where its networks are asked.

Torch takes seconds to import and is only needed with a checkpoint, so it is imported when a state
is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import rest_joints
from refine_engine.geometry.rotations import rotation_between
from refine_engine.terms.humor_kernel import TURNS

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.motion_prior.humor.state import MotionState
    from refine_engine.scene import Array

UP = np.array([0.0, 1.0, 0.0])


def prior_frame(body: BodyModel, betas: Array, plane: Array) -> tuple[Array, Array, Array]:
    """Rotation (3, 3) and lift (3,) from the world to HuMoR's, floor at z = 0; rest pelvis (3,)."""
    from refine_engine.motion_prior.humor.state import Y_UP_TO_Z_UP

    level = Y_UP_TO_Z_UP @ rotation_between(plane[:3], UP)
    return level, np.array([0.0, 0.0, float(plane[3])]), rest_joints(body, betas)[0]


def prior_states(
    body: BodyModel, betas: Array, plane: Array, R: Array, joints: Array, fps: float
) -> MotionState:
    """HuMoR's states (n,) of a motion: R (n, 24, 3, 3) and joints (n, 24, 3), world."""
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
