"""What Stage 3 makes of a person: poses, shape and depth along the ray, each with its errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import rest_joints, stature
from refine_engine.evaluation.synthetic.levels import ErrorLevel
from refine_engine.evaluation.synthetic.motion import smooth_noise
from refine_engine.evaluation.synthetic.truth import SceneTruth, TruePerson
from refine_engine.geometry.rotations import exp_so3

Array = NDArray[np.float64]

_JOINT_SHARE = np.array(
    [
        *(0.9, 0.9, 0.5, 1.0, 1.0, 0.5, 1.2, 1.2, 0.5, 0.6, 0.6, 0.6),
        *(0.6, 0.6, 0.8, 1.3, 1.3, 1.3, 1.3, 1.0, 1.0, 0.3, 0.3),
    ]
)
"""Errors of joints 1 to 23 relative to the level: limbs are harder than the trunk."""

_AXIS_SHARE = np.array([1.35, 0.45, 0.4])
"""Errors of the orientation about the camera's axes: an image hardly tells a lean towards the
camera (x), tells a heading better (y), and shows a lean to the side (z)."""


@dataclass(frozen=True)
class CameraMotion:
    """A person in the camera frame, one row for each of the person's true frames."""

    R_cam_root: Array
    """(n, 3, 3)"""
    body_pose: Array
    """(n, 23, 3, 3)"""
    betas: Array
    """(10,)"""
    transl_cam: Array
    """(n, 3) metres, smplx convention."""


def true_camera_motion(truth: SceneTruth, person: TruePerson) -> CameraMotion:
    """The truth seen from the true cameras."""
    motion = person.motion
    R = truth.R_cam_world[person.frames]
    pelvis_rest = rest_joints(truth.model, motion.betas)[0]
    pelvis = np.einsum("nij,nj->ni", R, pelvis_rest + motion.transl)
    pelvis += truth.t_cam_world[person.frames]
    return CameraMotion(
        R @ motion.rotations[:, 0], motion.rotations[:, 1:], motion.betas, pelvis - pelvis_rest
    )


def estimate_motion(
    truth: SceneTruth, person: TruePerson, level: ErrorLevel, rng: np.random.Generator
) -> CameraMotion:
    """Draw the errors of one person.

    The depth error has a constant part that follows from the estimated stature (a regressor puts
    a person whom it takes for taller further away, because the image shows one size), a smooth
    part, and a small tremble.
    """
    exact = true_camera_motion(truth, person)
    count, fps = len(person.frames), truth.fps
    share = _JOINT_SHARE[:, None]
    pose = level.pose_bias * rng.standard_normal((23, 3))
    pose = pose + level.pose_smooth * smooth_noise(rng, count, (23, 3), level.pose_time * fps)
    short = level.tremble_time * fps
    pose += level.pose_tremble * smooth_noise(rng, count, (23, 3), short)
    orient = level.orient_bias * rng.standard_normal(3)
    orient = orient + level.orient_smooth * smooth_noise(rng, count, (3,), level.pose_time * fps)
    orient = _AXIS_SHARE * orient
    orient += 0.5 * level.pose_tremble * smooth_noise(rng, count, (3,), short)
    betas = exact.betas + level.betas * rng.standard_normal(10)
    taller = stature(truth.model, betas).value / stature(truth.model, exact.betas).value
    depth = np.log(taller) + level.root_bias * rng.standard_normal()
    depth = depth + level.root_smooth * smooth_noise(rng, count, (), level.root_time * fps)
    across = level.root_lateral * smooth_noise(rng, count, (2,), level.root_time * fps)
    pelvis = exact.transl_cam + rest_joints(truth.model, exact.betas)[0]
    estimate = pelvis * np.exp(depth)[:, None]
    estimate[:, :2] += across * pelvis[:, 2:]
    estimate += level.root_tremble * smooth_noise(rng, count, (3,), short)
    return CameraMotion(
        exp_so3(orient) @ exact.R_cam_root,
        exact.body_pose @ exp_so3(share * pose),
        betas,
        estimate - rest_joints(truth.model, betas)[0],
    )
