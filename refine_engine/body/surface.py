"""Points of a body: joints, landmarks of the skin, soles; few, named, cheap to pose.

A point is a weighted sum over joints of a rest offset turned with the joint,
``x = sum_k w_k (X_k + G_k (o_k + O_k beta + c))``, with joint positions ``X`` and global rotations
``G``. Linear blend skinning of a vertex ``v`` has this form with ``o_k = v - J_k`` and the pose
corrective ``c``; a joint has it with a zero offset; so has any mean of points. The solver needs no
other kind of point.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refine_engine.body.joints import BETA_COUNT, JOINT_INDEX, LANDMARK_VERTICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from refine_engine.body.kinematics import JointMotion
    from refine_engine.body.model import Array, BodyModel


@dataclass(frozen=True, eq=False)
class BodyPoints:
    """N points of one body model, each carried by at most K joints (padded with weight 0)."""

    names: tuple[str, ...]
    """Name of each point."""
    joints: NDArray[np.int64]
    """(N, K) joints that carry the point."""
    weights: Array
    """(N, K) their weights; rows sum to 1."""
    offsets: Array
    """(N, K, 3) metres from the rest joint to the rest point, at zero betas."""
    offset_shapedirs: Array
    """(N, K, 3, 10) metres that the offset grows for one unit of each beta."""
    posedirs: Array | None
    """(N, 3, 207) pose correctives; None where the model has none."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def needs_pose(self) -> bool:
        """Whether placing the points takes the body pose too."""
        return self.posedirs is not None


def vertex_points(
    model: BodyModel, vertex_ids: Sequence[int] | NDArray[np.integer], names: Sequence[str] = ()
) -> BodyPoints:
    """Vertices of the skin as points.

    Parameters
    ----------
    model
        The body.
    vertex_ids
        (N,) vertex numbers.
    names
        Their names; by default ``vertex_17``.
    """
    ids = np.asarray(vertex_ids, dtype=np.int64).reshape(-1)
    dense = model.weights[ids]
    width = max(1, int((dense != 0).sum(1).max(initial=0)))
    joints = np.argsort(-np.abs(dense), axis=1, kind="stable")[:, :width]
    weights = np.take_along_axis(dense, joints, axis=1)
    return BodyPoints(
        names=tuple(names) or tuple(f"vertex_{number}" for number in ids),
        joints=joints,
        weights=weights,
        offsets=model.v_template[ids][:, None] - model.rest_joints_template[joints],
        offset_shapedirs=model.shapedirs[ids][:, None] - model.joint_shapedirs[joints],
        posedirs=None if model.posedirs is None else model.posedirs[ids],
    )


def named_points(model: BodyModel, names: Iterable[str]) -> BodyPoints:
    """Points by name: joints, landmarks of the skin, points of the soles, ``head_top``.

    Raises
    ------
    KeyError
        When a name is none of them.
    """
    return mean_points(model, {name: (name,) for name in names})


def mean_points(model: BodyModel, members: dict[str, tuple[str, ...]]) -> BodyPoints:
    """Points that are each the mean of some named points, for example the middle of two hips."""
    vertices = surface_vertices(model)
    singles = [_single(model, vertices, name) for group in members.values() for name in group]
    width = max(
        (sum(s.weights.shape[1] for s in group) for group in _groups(singles, members)), default=1
    )
    count = len(members)
    joints = np.zeros((count, width), dtype=np.int64)
    weights = np.zeros((count, width))
    offsets = np.zeros((count, width, 3))
    shapedirs = np.zeros((count, width, 3, BETA_COUNT))
    posedirs = None if model.posedirs is None else np.zeros((count, 3, model.posedirs.shape[-1]))
    for row, group in enumerate(_groups(singles, members)):
        start = 0
        for single in group:
            part = slice(start, start + single.weights.shape[1])
            joints[row, part] = single.joints[0]
            weights[row, part] = single.weights[0] / len(group)
            offsets[row, part] = single.offsets[0]
            shapedirs[row, part] = single.offset_shapedirs[0]
            start = part.stop
        if posedirs is not None and any(name in vertices for name in _group_names(members, row)):
            if len(group) != 1:
                # One corrective cannot serve two points; no layout asks for it.
                raise KeyError(f"mean of skin points: {_group_names(members, row)}")
            assert group[0].posedirs is not None
            posedirs[row] = group[0].posedirs[0]
    if posedirs is not None and not posedirs.any():
        posedirs = None
    return BodyPoints(tuple(members), joints, weights, offsets, shapedirs, posedirs)


def place_points(
    points: BodyPoints,
    motion: JointMotion,
    betas: NDArray[np.floating],
    body_pose: NDArray[np.floating] | None = None,
) -> Array:
    """Positions (..., N, 3) in metres of points on a posed body.

    Parameters
    ----------
    points
        From :func:`vertex_points`, :func:`named_points` or a keypoint layout.
    motion
        From :func:`~refine_engine.body.kinematics.joint_kinematics`.
    betas
        (10,) or (..., 10).
    body_pose
        (..., 23, 3, 3), needed where ``points.needs_pose``.
    """
    betas = np.asarray(betas, dtype=np.float64)
    directions = points.offset_shapedirs[..., : betas.shape[-1]]
    rest = points.offsets + np.einsum("nkcb,...b->...nkc", directions, betas)
    if points.posedirs is not None:
        if body_pose is None:
            raise ValueError("these points have pose correctives: body_pose is needed")
        rest = rest + pose_correctives(points.posedirs, body_pose)[..., None, :]
    turned = motion.rotations[..., points.joints, :, :] @ rest[..., None]
    carried = motion.positions[..., points.joints, :] + turned[..., 0]
    return np.einsum("nk,...nkc->...nc", points.weights, carried)


def pose_correctives(posedirs: Array, body_pose: NDArray[np.floating]) -> Array:
    """Offsets (..., N, 3) of the T-pose surface for a pose (..., 23, 3, 3), before skinning."""
    pose = np.asarray(body_pose, dtype=np.float64) - np.eye(3)
    feature = pose.reshape(*pose.shape[:-3], -1)
    return np.einsum("ncp,...p->...nc", posedirs, feature)


@functools.lru_cache(maxsize=16)
def _surface_vertices(model: BodyModel) -> dict[str, int]:
    found = dict(LANDMARK_VERTICES)
    found["head_top"] = int(model.v_template[:, 1].argmax())
    for side in ("left", "right"):
        found.update(_sole_vertices(model, side))
    return found


def surface_vertices(model: BodyModel) -> dict[str, int]:
    """Vertex number of every named point of the skin, on this model's own mesh.

    The 21 landmarks have fixed numbers. The soles and the top of the head are looked for on the
    T-pose surface, because other vertex numbers mean different places on different meshes.
    """
    return dict(_surface_vertices(model))


class _SoleTarget(NamedTuple):
    part: str
    along: float
    """From the heel's back (0) to the toe's tip (1)."""
    across: tuple[str, ...]
    """Landmarks whose mean sideways position it has."""
    tip: str
    """Landmark at the front end of the line that ``along`` is measured on."""


_SOLE_TARGETS = (
    _SoleTarget("heel", 0.13, ("heel",), "big_toe"),
    _SoleTarget("ball", 0.70, ("big_toe", "small_toe"), "big_toe"),
    _SoleTarget("big_toe", 0.94, ("big_toe",), "big_toe"),
    _SoleTarget("small_toe", 0.94, ("small_toe",), "small_toe"),
)
_HEIGHT_PENALTY = 4.0
"""A vertex 1 mm above the lowest one counts like one 4 mm away: the sole, not its rim."""


def _sole_vertices(model: BodyModel, side: str) -> dict[str, int]:
    ankle, foot = JOINT_INDEX[f"{side}_ankle"], JOINT_INDEX[f"{side}_foot"]
    ids = np.flatnonzero(model.weights[:, [ankle, foot]].sum(1) > 0.9)
    surface = model.v_template[ids]
    height = surface[:, 1] - surface[:, 1].min()
    mark = {
        part: model.v_template[LANDMARK_VERTICES[f"{side}_{part}"]]
        for part in ("heel", "big_toe", "small_toe")
    }
    found = {}
    for target in _SOLE_TARGETS:
        x = np.mean([mark[part][0] for part in target.across])
        z = mark["heel"][2] + target.along * (mark[target.tip][2] - mark["heel"][2])
        cost = (surface[:, 0] - x) ** 2 + (surface[:, 2] - z) ** 2 + (_HEIGHT_PENALTY * height) ** 2
        found[f"{side}_sole_{target.part}"] = int(ids[cost.argmin()])
    return found


def _single(model: BodyModel, vertices: dict[str, int], name: str) -> BodyPoints:
    if name in vertices:
        return vertex_points(model, [vertices[name]], [name])
    joint = JOINT_INDEX[name]
    return BodyPoints(
        names=(name,),
        joints=np.array([[joint]]),
        weights=np.ones((1, 1)),
        offsets=np.zeros((1, 1, 3)),
        offset_shapedirs=np.zeros((1, 1, 3, BETA_COUNT)),
        posedirs=None,
    )


def _group_names(members: dict[str, tuple[str, ...]], row: int) -> tuple[str, ...]:
    """Names of the points that row ``row`` is the mean of."""
    return tuple(members.values())[row]


def _groups(
    singles: list[BodyPoints], members: dict[str, tuple[str, ...]]
) -> list[list[BodyPoints]]:
    groups, start = [], 0
    for group in members.values():
        groups.append(singles[start : start + len(group)])
        start += len(group)
    return groups
