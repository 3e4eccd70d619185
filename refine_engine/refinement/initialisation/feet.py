"""The four points of the soles that touch the ground, and joints, of a posed person."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from refine_engine.body import (
    BodyPoints,
    joint_kinematics,
    named_points,
    place_points,
    rest_joints,
)

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

CONTACT_NAMES = ("left_sole_heel", "left_sole_ball", "right_sole_heel", "right_sole_ball")
"""In the order of :data:`refine_engine.state.CONTACT_POINTS`."""


@functools.lru_cache(maxsize=8)
def sole_points(body: BodyModel) -> BodyPoints:
    """The four contact points of a body model."""
    return named_points(body, CONTACT_NAMES)


def pose_feet_and_joints(
    body: BodyModel, betas: Array, R_root: Array, body_pose: Array, transl: Array
) -> tuple[Array, Array]:
    """Sole points (n, 4, 3) and joints (n, 24, 3), metres, in the frame of ``transl``."""
    motion = joint_kinematics(rest_joints(body, betas), R_root, body_pose, transl)
    return place_points(sole_points(body), motion, betas, body_pose), motion.positions


def feet_of(body: BodyModel, person: PersonState) -> Array:
    """Sole points (n, 4, 3) of a person's state, world, metres."""
    return pose_feet_and_joints(
        body, person.betas, person.R_world_root, person.body_pose, person.transl_world
    )[0]
