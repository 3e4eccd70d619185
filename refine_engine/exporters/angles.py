"""``angles``: anatomical joint angles in degrees, one row a person and frame.

SMPL's rest pose stands upright with the arms stretched sideways and its axes are those of the
body: x to the left, y up, z forward. Joints of the legs and the trunk are split in the order of
Grood and Suntay's joint coordinate system (J. Biomech. Eng. 105, 1983): flexion about the axis
across the body, then abduction or bending about the floating axis, then rotation about the long
axis, ``R = Rx Rz Ry``; zero is the rest pose. Arms are described by directions, which no order of
axes makes singular where people hold them: by their sides.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import JOINT_INDEX, rest_joints

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

SIDES: tuple[str, ...] = ("left", "right")
_OF_A_SIDE = (
    *("hip_flexion", "hip_adduction", "hip_internal_rotation"),
    *("knee_flexion", "ankle_dorsiflexion"),
    *("shoulder_elevation", "shoulder_plane", "elbow_flexion"),
)
ANGLES: tuple[str, ...] = (
    *("pelvis_tilt_forward", "pelvis_left_side_up", "pelvis_heading_left"),
    *("trunk_flexion", "trunk_bending_right", "trunk_rotation_left"),
    *("neck_flexion", "neck_bending_right", "neck_rotation_left"),
    *(f"{side}_{angle}" for side in SIDES for angle in _OF_A_SIDE),
)
"""Names of the columns in their order; each says which way is positive."""
_VAGUE = 0.05
"""Sine of the elevation below which an arm hangs (or points up) so straight that the plane in which
it is raised means nothing; it keeps its last value there."""


def build(content: ExportContent, options: ExportOptions) -> Files:
    """One table; degrees, time zero at video frame 0."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["person", "frame", "time_s", "observed", *(f"{name}_deg" for name in ANGLES)])
    for i, person in content.people.items():
        values = np.rad2deg(joint_angles(content, person))
        for row, frame in enumerate(person.frames.tolist()):
            place = [i, frame, f"{frame / content.fps:.6f}", int(person.observed[row])]
            table.writerow([*place, *(f"{value:.3f}" for value in values[row])])
    return {"angles.csv": stream.getvalue().encode()}


def joint_angles(content: ExportContent, person: PersonState) -> Array:
    """(n, len(ANGLES)) angles in radians, without jumps of whole turns."""
    R = np.concatenate([person.R_world_root[:, None], person.body_pose], axis=1)
    rest = rest_joints(content.body, person.betas)

    def turn(*joints: str) -> Array:
        """Rotation of the last joint against the first one's parent."""
        found = R[:, JOINT_INDEX[joints[0]]]
        for joint in joints[1:]:
            found = found @ R[:, JOINT_INDEX[joint]]
        return np.asarray(found)

    def bone(start: str, end: str) -> Array:
        offset = rest[JOINT_INDEX[end]] - rest[JOINT_INDEX[start]]
        return np.asarray(offset / np.linalg.norm(offset))

    columns: dict[str, Array] = {}
    heading, tilt, side = split(turn("pelvis"), "yxz")
    columns["pelvis_tilt_forward"] = tilt
    columns["pelvis_left_side_up"] = side
    columns["pelvis_heading_left"] = heading
    for name, joints in (("trunk", ("spine1", "spine2", "spine3")), ("neck", ("neck", "head"))):
        flexion, bending, rotation = split(turn(*joints), "xzy")
        columns[f"{name}_flexion"] = flexion
        columns[f"{name}_bending_right"] = bending
        columns[f"{name}_rotation_left"] = rotation
    for side_name, outward in (("left", 1.0), ("right", -1.0)):
        flexion, abduction, rotation = split(turn(f"{side_name}_hip"), "xzy")
        columns[f"{side_name}_hip_flexion"] = -flexion
        columns[f"{side_name}_hip_adduction"] = -outward * abduction
        columns[f"{side_name}_hip_internal_rotation"] = -outward * rotation
        columns[f"{side_name}_knee_flexion"] = split(turn(f"{side_name}_knee"), "xzy")[0]
        columns[f"{side_name}_ankle_dorsiflexion"] = -split(turn(f"{side_name}_ankle"), "xzy")[0]
        upper = bone(f"{side_name}_shoulder", f"{side_name}_elbow")
        lower = bone(f"{side_name}_elbow", f"{side_name}_wrist")
        arm = turn(f"{side_name}_collar", f"{side_name}_shoulder") @ upper
        columns[f"{side_name}_shoulder_elevation"] = np.arccos(np.clip(-arm[:, 1], -1, 1))
        columns[f"{side_name}_shoulder_plane"] = _plane(arm * [outward, 1.0, 1.0])
        forearm = turn(f"{side_name}_elbow") @ lower
        columns[f"{side_name}_elbow_flexion"] = np.arccos(np.clip(forearm @ upper, -1, 1))
    return np.unwrap(np.stack([columns[name] for name in ANGLES], axis=1), axis=0)


def split(R: Array, axes: str) -> tuple[Array, Array, Array]:
    """Angles (n,) about three different axes in turn, ``R = R_first R_second R_third``.

    The second lies between -90 and 90 degrees.
    """
    i, j, k = ("xyz".index(axis) for axis in axes)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    second = np.arcsin(np.clip(sign * R[:, i, k], -1, 1))
    first = np.arctan2(-sign * R[:, j, k], R[:, k, k])
    third = np.arctan2(-sign * R[:, i, j], R[:, i, i])
    return first, second, third


def _plane(arm: Array) -> Array:
    """Angle (n,) of the plane in which an arm (n, 3) is raised: 0 sideways, 90 degrees forward."""
    plane = np.arctan2(arm[:, 2], arm[:, 0])
    clear = np.hypot(arm[:, 2], arm[:, 0]) > _VAGUE
    if clear.any():
        rows = np.maximum.accumulate(np.where(clear, np.arange(len(arm)), np.argmax(clear)))
        plane = plane[rows]
    return np.asarray(plane)
