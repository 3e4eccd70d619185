"""Which points of the body the terms look at, and how each hangs on the skeleton."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import ANCESTORS, JOINT_NAMES, SOLE_POINTS, layout_points, named_points
from refine_engine.body.keypoints import BODY_25, COCO_17, SMPL_24

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.body import BodyModel, BodyPoints
    from refine_engine.scene import Array, IntArray

JOINTS = len(JOINT_NAMES)
MAX_ATTACHMENTS = 4
FREE_JOINTS = 22
"""Joints 0..21 turn; the hands 22, 23 keep their rotation: no evidence sees it."""
FULL_WIDTH = 3 + 3 * FREE_JOINTS
"""Variables of one frame: translation, then a turn of each free joint."""
ROOT_WIDTH = 6
"""The same where only the root is free."""
SHIFT = 2
"""Variables of a frame's image shift; they follow the others where the data term is active."""

LAYOUTS = {"coco17": COCO_17, "smpl24": SMPL_24, "body25": BODY_25}
CONTACT_NAMES = ("left_sole_heel", "left_sole_ball", "right_sole_heel", "right_sole_ball")
"""The points whose contact ``PersonState.contacts`` speaks of, in its order."""
LOOSE_TRUST = 0.5
"""Weight of keypoints that a detector defines otherwise than SMPL (hips, shoulders, ears)."""


@dataclass(frozen=True, eq=False)
class PointSet:
    """Points as sums of rigid attachments; arrays are in the layout of the kernels."""

    joints: IntArray
    """(N, M) joint of each attachment (0 where the weight is 0)."""
    weights: Array
    """(N, M) skinning weights, rows summing to 1."""
    rest: Array
    """(N, M, 3) offset from the joint on the mean body in its T-pose, metres."""
    dirs: Array
    """(N, M, 3, 10) its derivative by betas."""
    chain: IntArray
    """(N, C) free joints that move the point, ascending; padded with 0."""
    length: IntArray
    """(N,) how many entries of the chain count."""

    def offsets(self, betas: Array) -> Array:
        """(N, M, 3) offsets for betas (10,)."""
        return np.ascontiguousarray(self.rest + self.dirs @ betas)

    def __len__(self) -> int:
        return len(self.joints)


@dataclass(frozen=True, eq=False)
class BodyLayout:
    """All points of one person: the 24 joints, the soles, the keypoints that are no joints."""

    points: PointSet
    keypoint_points: IntArray
    """(J,) point that each keypoint shows."""
    keypoint_trust: Array
    """(J,) weight of each keypoint from how it is defined."""
    soles: IntArray
    """(8,) points that must not sink into the ground."""
    contacts: IntArray
    """(4,) points of ``CONTACT_POINTS``."""


def body_layout(body: BodyModel, keypoint_layout: str) -> BodyLayout:
    """Points that are needed for a keypoint layout (``coco17``, ``smpl24``, ``body25``)."""
    layout = LAYOUTS[keypoint_layout]
    slots = layout_points(body, layout)
    single = [i for i, s in enumerate(layout.slots) if len(s.sources) == 1]
    is_joint = {i: layout.slots[i].sources[0] in JOINT_NAMES for i in single}
    extra = [i for i in range(len(layout)) if not is_joint.get(i, False)]
    points = point_set(
        [named_points(body, JOINT_NAMES), named_points(body, SOLE_POINTS), _rows(slots, extra)],
        lead=JOINTS,
    )
    first_extra = JOINTS + len(SOLE_POINTS)
    where = np.array(
        [
            first_extra + extra.index(i)
            if i in extra
            else JOINT_NAMES.index(layout.slots[i].sources[0])
            for i in range(len(layout))
        ],
        dtype=np.int64,
    )
    return BodyLayout(
        points=points,
        keypoint_points=where,
        keypoint_trust=np.where(np.array(layout.loose), LOOSE_TRUST, 1.0),
        soles=np.arange(JOINTS, first_extra, dtype=np.int64),
        contacts=np.array(
            [JOINTS + SOLE_POINTS.index(name) for name in CONTACT_NAMES], dtype=np.int64
        ),
    )


def point_set(parts: Sequence[BodyPoints], *, lead: int = 0) -> PointSet:
    """Put points of a body one after another into the kernels' layout.

    Each keeps its :data:`MAX_ATTACHMENTS` largest weights. Pose correctives are left out: at the
    points used here (soles, face, depth samples) they are a few millimetres.

    Parameters
    ----------
    parts
        The points.
    lead
        How many leading points are joints, in SMPL's order: a joint does not move when it turns.
    """
    index, weight, rest, dirs = (np.concatenate(a) for a in zip(*map(_padded, parts), strict=True))
    index[weight == 0.0] = 0
    moves = np.zeros((len(index), JOINTS), dtype=bool)
    for m in range(MAX_ATTACHMENTS):
        moves |= ANCESTORS[index[:, m]] & (weight[:, m] > 0)[:, None]
    moves[np.arange(lead), np.arange(lead)] = False
    moves[:, FREE_JOINTS:] = False
    length = moves.sum(1)
    chain = np.zeros((len(index), max(int(length.max(initial=0)), 1)), dtype=np.int64)
    for i in range(len(index)):
        chain[i, : length[i]] = np.flatnonzero(moves[i])
    return PointSet(index, weight, rest, dirs, chain, length.astype(np.int64))


def _padded(points: BodyPoints) -> tuple[IntArray, Array, Array, Array]:
    order = np.argsort(-points.weights, axis=1, kind="stable")[:, :MAX_ATTACHMENTS]
    pad = MAX_ATTACHMENTS - order.shape[1]
    weight = np.take_along_axis(points.weights, order, 1)
    weight = weight / weight.sum(1, keepdims=True)
    rows = np.arange(len(points))[:, None]
    return (
        np.pad(points.joints[rows, order].astype(np.int64), ((0, 0), (0, pad))),
        np.pad(weight, ((0, 0), (0, pad))),
        np.pad(points.offsets[rows, order], ((0, 0), (0, pad), (0, 0))),
        np.pad(points.offset_shapedirs[rows, order], ((0, 0), (0, pad), (0, 0), (0, 0))),
    )


def _rows(points: BodyPoints, rows: list[int]) -> BodyPoints:
    return type(points)(
        names=tuple(points.names[i] for i in rows),
        joints=points.joints[rows],
        weights=points.weights[rows],
        offsets=points.offsets[rows],
        offset_shapedirs=points.offset_shapedirs[rows],
        posedirs=None,
    )
