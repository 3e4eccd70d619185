"""Bodies: SMPL models, joints without a mesh, points of the skin, the mesh for drawing."""

from __future__ import annotations

from refine_engine.body.files import (
    BODY_VARIABLE,
    embedded_body,
    load_body_model,
    read_body_file,
)
from refine_engine.body.joints import (
    ANCESTORS,
    JOINT_INDEX,
    JOINT_NAMES,
    LANDMARK_VERTICES,
    LEVELS,
    MIRROR,
    PARENTS,
    SOLE_POINTS,
)
from refine_engine.body.keypoints import (
    BODY_25,
    COCO_17,
    LAYOUTS,
    SMPL_24,
    KeypointLayout,
    KeypointSlot,
    layout_points,
)
from refine_engine.body.kinematics import (
    JointMotion,
    joint_kinematics,
    joint_positions,
    move_rigidly,
    rest_joints,
)
from refine_engine.body.model import BodyModel
from refine_engine.body.size import Measure, body_size, stature
from refine_engine.body.skinning import ShapedBody, shaped_body, skin_mesh, skin_subset
from refine_engine.body.surface import (
    BodyPoints,
    mean_points,
    named_points,
    place_points,
    pose_correctives,
    surface_vertices,
    vertex_points,
)

__all__ = [
    "ANCESTORS",
    "BODY_25",
    "BODY_VARIABLE",
    "COCO_17",
    "JOINT_INDEX",
    "JOINT_NAMES",
    "LANDMARK_VERTICES",
    "LAYOUTS",
    "LEVELS",
    "MIRROR",
    "PARENTS",
    "SMPL_24",
    "SOLE_POINTS",
    "BodyModel",
    "BodyPoints",
    "JointMotion",
    "KeypointLayout",
    "KeypointSlot",
    "Measure",
    "ShapedBody",
    "body_size",
    "embedded_body",
    "joint_kinematics",
    "joint_positions",
    "layout_points",
    "load_body_model",
    "mean_points",
    "move_rigidly",
    "named_points",
    "place_points",
    "pose_correctives",
    "read_body_file",
    "rest_joints",
    "shaped_body",
    "skin_mesh",
    "skin_subset",
    "stature",
    "surface_vertices",
    "vertex_points",
]
