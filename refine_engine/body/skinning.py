"""Linear blend skinning: a few vertices for numerics, the whole mesh for drawing and export."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refine_engine.body.joints import JOINT_COUNT
from refine_engine.body.kinematics import (
    JointMotion,
    joint_kinematics,
    linear_in_betas,
    rest_joints,
)
from refine_engine.body.surface import place_points, vertex_points

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from refine_engine.body.model import Array, BodyModel


def skin_subset(
    model: BodyModel,
    vertex_ids: Sequence[int] | NDArray[np.integer],
    betas: NDArray[np.floating],
    global_orient: NDArray[np.floating],
    body_pose: NDArray[np.floating],
    transl: NDArray[np.floating] | None = None,
) -> Array:
    """Positions (..., N, 3) in metres of some vertices of a posed body.

    Equals those rows of the full mesh, pose correctives included.

    Parameters
    ----------
    model
        The body.
    vertex_ids
        (N,) vertex numbers.
    betas
        (10,) or (..., 10).
    global_orient, body_pose, transl
        (..., 3, 3), (..., 23, 3, 3) and (..., 3), as in
        :func:`~refine_engine.body.kinematics.joint_kinematics`.
    """
    motion = joint_kinematics(rest_joints(model, betas), global_orient, body_pose, transl)
    return place_points(vertex_points(model, vertex_ids), motion, betas, body_pose)


class _Surface(NamedTuple):
    """What a surface keeps whatever its betas: rows of the model, some of them or all."""

    template: Array
    shapedirs: Array
    weights: NDArray[np.floating]
    posedirs: NDArray[np.floating] | None
    """(3 V, 207), or None where all are zero."""


@functools.lru_cache(maxsize=8)
def _surface(model: BodyModel, vertex_ids: bytes | None, dtype: str) -> _Surface:
    rows = slice(None) if vertex_ids is None else np.frombuffer(vertex_ids, dtype=np.int64)
    posedirs = model.posedirs
    return _Surface(
        model.v_template[rows],
        model.shapedirs[rows],
        model.weights[rows].astype(dtype),
        None if posedirs is None else posedirs[rows].reshape(-1, posedirs.shape[-1]).astype(dtype),
    )


class ShapedBody:
    """One body with fixed betas, made ready to be posed many times.

    Parameters
    ----------
    model
        The body.
    betas
        (10,) or fewer.
    dtype
        ``float32`` (the default, for drawing; within 2 micrometres of float64) or ``float64``.
    vertex_ids
        (V,) vertices to pose, for example those of a coarser surface; None = all 6890.
    """

    def __init__(
        self,
        model: BodyModel,
        betas: NDArray[np.floating],
        dtype: DTypeLike = np.float32,
        vertex_ids: NDArray[np.integer] | None = None,
    ) -> None:
        self.model = model
        self.dtype = np.dtype(dtype)
        self.joints_rest: Array = rest_joints(model, betas)
        """(24, 3) rest joints, float64."""
        surface = _surface(model, _as_key(vertex_ids), self.dtype.str)
        rest = linear_in_betas(surface.template, surface.shapedirs, betas)
        self.vertices_rest: NDArray[np.floating] = rest.astype(self.dtype)
        """(V, 3) vertices of the T-pose."""
        self._weights, self._posedirs = surface.weights, surface.posedirs
        self._carried: NDArray[np.floating] | None = None
        if self._posedirs is None:
            # Without correctives a vertex is linear in the 24 joint transforms: one product.
            carried = np.empty((len(rest), 4, JOINT_COUNT), dtype=self.dtype)
            joints = self.joints_rest.astype(self.dtype)
            for axis in range(3):
                relative = self.vertices_rest[:, axis, None] - joints[:, axis]
                np.multiply(self._weights, relative, out=carried[:, axis])
            carried[:, 3] = self._weights
            self._carried = carried.reshape(len(rest), -1)

    def vertices(
        self,
        global_orient: NDArray[np.floating],
        body_pose: NDArray[np.floating],
        transl: NDArray[np.floating] | None = None,
    ) -> NDArray[np.floating]:
        """Vertices (..., V, 3) in metres; arguments as in :func:`skin_subset`."""
        return self.placed(
            joint_kinematics(self.joints_rest, global_orient, body_pose, transl), body_pose
        )

    def placed(self, motion: JointMotion, body_pose: NDArray[np.floating]) -> NDArray[np.floating]:
        """Vertices (..., V, 3) where the joints are known already: ``motion`` of this body."""
        lead = motion.positions.shape[:-2]
        turns = motion.rotations.reshape(-1, JOINT_COUNT, 3, 3)
        places = motion.positions.reshape(-1, JOINT_COUNT, 3)
        frames = len(turns)
        if self._carried is not None:
            # (4, 24, frames, 3): columns of each joint's rotation, then its position.
            basis = np.empty((4, JOINT_COUNT, frames, 3), dtype=self.dtype)
            basis[:3] = turns.transpose(3, 1, 0, 2)
            basis[3] = places.transpose(1, 0, 2)
            posed = self._carried @ basis.reshape(4 * JOINT_COUNT, -1)
            mesh = posed.reshape(-1, frames, 3).transpose(1, 0, 2)
            return np.ascontiguousarray(mesh).reshape(*lead, -1, 3)
        poses = np.asarray(body_pose, dtype=np.float64).reshape(frames, -1, 3, 3)
        mesh = np.stack(
            [self._with_correctives(*row) for row in zip(turns, places, poses, strict=True)]
        )
        return mesh.reshape(*lead, -1, 3)

    def _with_correctives(self, turns: Array, places: Array, pose: Array) -> NDArray[np.floating]:
        assert self._posedirs is not None
        feature = (pose - np.eye(3)).reshape(-1).astype(self.dtype)
        surface = self.vertices_rest + (self._posedirs @ feature).reshape(-1, 3)
        transforms = np.empty((JOINT_COUNT, 3, 4))
        transforms[..., :3] = turns
        # The rest joint stays where it is in the surface's coordinates: x = G (v - J) + X.
        transforms[..., 3] = places - (turns @ self.joints_rest[..., None])[..., 0]
        blended = (self._weights @ transforms.reshape(JOINT_COUNT, 12).astype(self.dtype)).reshape(
            -1, 3, 4
        )
        turned: NDArray[np.floating] = np.einsum("vij,vj->vi", blended[..., :3], surface)
        return turned + blended[..., 3]


def _as_key(vertex_ids: NDArray[np.integer] | None) -> bytes | None:
    return None if vertex_ids is None else np.asarray(vertex_ids, dtype=np.int64).tobytes()


@functools.lru_cache(maxsize=64)
def _shaped(model: BodyModel, betas: bytes, dtype: str, vertex_ids: bytes | None) -> ShapedBody:
    rows = None if vertex_ids is None else np.frombuffer(vertex_ids, dtype=np.int64)
    return ShapedBody(model, np.frombuffer(betas), np.dtype(dtype), rows)


def shaped_body(
    model: BodyModel,
    betas: NDArray[np.floating],
    dtype: DTypeLike = np.float32,
    vertex_ids: NDArray[np.integer] | None = None,
) -> ShapedBody:
    """:class:`ShapedBody` of these betas, kept for the next call with the same arguments."""
    values = np.ascontiguousarray(betas, dtype=np.float64).reshape(-1)
    return _shaped(model, values.tobytes(), np.dtype(dtype).str, _as_key(vertex_ids))


def skin_mesh(
    model: BodyModel,
    betas: NDArray[np.floating],
    global_orient: NDArray[np.floating],
    body_pose: NDArray[np.floating],
    transl: NDArray[np.floating] | None = None,
    *,
    dtype: DTypeLike = np.float32,
) -> NDArray[np.floating]:
    """Whole mesh (..., 6890, 3) in metres of a body with fixed betas (10,).

    Arguments as in :func:`skin_subset`; ``dtype`` float32 is meant for drawing.
    """
    return shaped_body(model, betas, dtype).vertices(global_orient, body_pose, transl)
