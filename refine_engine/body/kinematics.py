"""Joints without a mesh: forward kinematics on SMPL's tree.

Rest joints are linear in betas, so joints never need the 6890 vertices. Every function takes
time (or anything else) as leading axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from refine_engine.body.joints import JOINT_COUNT, LEVELS, PARENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.body.model import Array, BodyModel

_PARENT_INDEX = np.array(PARENTS)
_LEVEL_INDEX = tuple(np.array(level) for level in LEVELS[1:])


class JointMotion(NamedTuple):
    """Joints of a posed body, in the frame that ``transl`` is given in."""

    rotations: Array
    """(..., 24, 3, 3) rotation of each joint from the body's T-pose axes."""
    positions: Array
    """(..., 24, 3) metres."""


def rest_joints(model: BodyModel, betas: NDArray[np.floating]) -> Array:
    """Joints (..., 24, 3) of the T-pose in metres for betas (..., 10).

    Fewer than ten betas are taken as the first ones; more are an error.
    """
    return linear_in_betas(model.rest_joints_template, model.joint_shapedirs, betas)


def joint_kinematics(
    joints_rest: NDArray[np.floating],
    global_orient: NDArray[np.floating],
    body_pose: NDArray[np.floating],
    transl: NDArray[np.floating] | None = None,
) -> JointMotion:
    """Forward kinematics.

    Parameters
    ----------
    joints_rest
        (24, 3) or (..., 24, 3) from :func:`rest_joints`.
    global_orient
        (..., 3, 3) rotation of the pelvis.
    body_pose
        (..., 23, 3, 3) rotations of joints 1 to 23, each relative to its parent.
    transl
        (..., 3) as in smplx: added after posing, so that the pelvis is at
        ``joints_rest[0] + transl``. None means zero.
    """
    joints_rest = np.asarray(joints_rest, dtype=np.float64)
    local = np.concatenate(
        [
            np.asarray(global_orient, dtype=np.float64)[..., None, :, :],
            np.asarray(body_pose, dtype=np.float64),
        ],
        axis=-3,
    )
    offsets = joints_rest.copy()
    offsets[..., 1:, :] -= joints_rest[..., _PARENT_INDEX[1:], :]
    rotations = np.empty_like(local)
    positions = np.empty((*local.shape[:-3], JOINT_COUNT, 3))
    rotations[..., 0, :, :] = local[..., 0, :, :]
    positions[..., 0, :] = offsets[..., 0, :]
    if transl is not None:
        positions[..., 0, :] += np.asarray(transl, dtype=np.float64)
    for level in _LEVEL_INDEX:
        above = _PARENT_INDEX[level]
        parents = rotations[..., above, :, :]
        rotations[..., level, :, :] = parents @ local[..., level, :, :]
        step = (parents @ offsets[..., level, :, None])[..., 0]
        positions[..., level, :] = positions[..., above, :] + step
    return JointMotion(rotations, positions)


def joint_positions(
    model: BodyModel,
    betas: NDArray[np.floating],
    global_orient: NDArray[np.floating],
    body_pose: NDArray[np.floating],
    transl: NDArray[np.floating] | None = None,
) -> Array:
    """Joints (..., 24, 3) in metres of a posed body; arguments as :func:`joint_kinematics`."""
    joints = rest_joints(model, betas)
    return joint_kinematics(joints, global_orient, body_pose, transl).positions


def move_rigidly(
    model: BodyModel,
    betas: NDArray[np.floating],
    global_orient: NDArray[np.floating],
    transl: NDArray[np.floating],
    R: NDArray[np.floating],
    t: NDArray[np.floating],
) -> tuple[Array, Array]:
    """Move a body as a whole: every point ``x`` of it goes to ``R x + t``.

    SMPL turns about the pelvis, not about the origin, so the translation needs the pelvis term:
    ``transl' = R (J0 + transl) + t - J0``.

    Parameters
    ----------
    model, betas
        The body; betas (10,) or (..., 10).
    global_orient
        (..., 3, 3).
    transl
        (..., 3).
    R, t
        (3, 3) and (3,), or one for each row.

    Returns
    -------
    tuple
        The new ``global_orient`` and ``transl``.
    """
    pelvis = rest_joints(model, betas)[..., 0, :]
    rotation = np.asarray(R, dtype=np.float64)
    at_pelvis = pelvis + np.asarray(transl, dtype=np.float64)
    moved = (rotation @ at_pelvis[..., None])[..., 0] + np.asarray(t, dtype=np.float64) - pelvis
    return rotation @ np.asarray(global_orient, dtype=np.float64), moved


def linear_in_betas(mean: Array, directions: Array, betas: NDArray[np.floating]) -> Array:
    """``mean (N, 3) + directions (N, 3, K) @ betas (..., <=K)``, shape (..., N, 3)."""
    betas = np.asarray(betas, dtype=np.float64)
    count = betas.shape[-1]
    if count > directions.shape[-1]:
        raise ValueError(f"{count} betas given, the body has {directions.shape[-1]}")
    return mean + np.einsum("jck,...k->...jc", directions[..., :count], betas)
