"""SMPL's 24 joints: names, tree, mirror images, and named points of the surface."""

from __future__ import annotations

import numpy as np

JOINT_NAMES: tuple[str, ...] = (
    "pelvis",
    "left_hip",
    "right_hip",
    "spine1",
    "left_knee",
    "right_knee",
    "spine2",
    "left_ankle",
    "right_ankle",
    "spine3",
    "left_foot",
    "right_foot",
    "neck",
    "left_collar",
    "right_collar",
    "head",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hand",
    "right_hand",
)
"""Names of the joints in SMPL's order."""

JOINT_COUNT = 24
BETA_COUNT = 10
VERTEX_COUNT = 6890

PARENTS: tuple[int, ...] = (
    *(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8),
    *(9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
)
"""Parent of each joint; the pelvis has none (-1). A parent comes before its children."""

JOINT_INDEX: dict[str, int] = {name: index for index, name in enumerate(JOINT_NAMES)}
"""Joint number of each name."""


def _mirror_name(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


MIRROR: tuple[int, ...] = tuple(JOINT_INDEX[_mirror_name(name)] for name in JOINT_NAMES)
"""Joint on the other side of the body; a joint in the middle is its own image."""


def _levels() -> tuple[tuple[int, ...], ...]:
    depth = [0] * JOINT_COUNT
    for joint in range(1, JOINT_COUNT):
        depth[joint] = depth[PARENTS[joint]] + 1
    return tuple(
        tuple(joint for joint in range(JOINT_COUNT) if depth[joint] == level)
        for level in range(max(depth) + 1)
    )


LEVELS: tuple[tuple[int, ...], ...] = _levels()
"""Joints by their distance from the pelvis: all joints of a level can be computed at once."""


def _ancestors() -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    table = np.zeros((JOINT_COUNT, JOINT_COUNT), dtype=np.bool_)
    for joint in range(JOINT_COUNT):
        above = joint
        while above >= 0:
            table[joint, above] = True
            above = PARENTS[above]
    table.flags.writeable = False
    return table


ANCESTORS = _ancestors()
"""(24, 24): whether joint ``column`` is joint ``row`` or above it in the tree."""

LANDMARK_VERTICES: dict[str, int] = {
    "nose": 332,
    "right_eye": 6260,
    "left_eye": 2800,
    "right_ear": 4071,
    "left_ear": 583,
    "right_thumb": 6191,
    "right_index": 5782,
    "right_middle": 5905,
    "right_ring": 6016,
    "right_pinky": 6133,
    "left_thumb": 2746,
    "left_index": 2319,
    "left_middle": 2445,
    "left_ring": 2556,
    "left_pinky": 2673,
    "left_big_toe": 3216,
    "left_small_toe": 3226,
    "left_heel": 3387,
    "right_big_toe": 6617,
    "right_small_toe": 6624,
    "right_heel": 6787,
}
"""Named points of the skin with their SMPL vertex number.

These 21 numbers mean the same place on SMPL's own mesh and on the embedded body; no other vertex
number does, so anything else on the surface is found by its geometry (:mod:`.surface`).
The toes are the tips and the heel is its rearmost point: all lie above the ground by 1 to 3 cm.
"""

SOLE_POINTS: tuple[str, ...] = tuple(
    f"{side}_sole_{part}"
    for side in ("left", "right")
    for part in ("heel", "ball", "big_toe", "small_toe")
)
"""Named points of the soles: what touches the ground when a foot stands on it."""
