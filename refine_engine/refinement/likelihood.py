"""How well each person's result is supported, as one number in (0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import LAYOUTS, joint_kinematics, layout_points, place_points, rest_joints
from refine_engine.geometry.cameras import project, to_camera

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, Scene
    from refine_engine.state import OptimizationState, PersonState

REFERENCE_BOX_PX = 500.0
"""Keypoint residuals count as if the person were this high in the image."""
KEYPOINT_SIGMA_PX = 12.0
"""At that height: detector noise plus what joints of a fitted body differ from marked ones."""
ACCELERATION_SIGMA = 12.0
"""m/s^2, joint acceleration of ordinary motion (median over walking, turning and gesturing)."""


def likelihoods(scene: Scene, body: BodyModel, state: OptimizationState) -> dict[int, float]:
    """Agreement of each person with its keypoints and with ordinary motion.

    Without a learned motion prior this stands for its likelihood: ``exp(-m)`` with ``m`` the mean
    over observations of the Geman-McClure energies of keypoint residuals and of joint
    accelerations, each in units of its usual size. 1 is perfect; a typical good fit is 0.7 to 0.9.
    """
    return {i: _likelihood(scene, body, state.alpha, i, p) for i, p in state.people.items()}


def likelihood_of_nats(nats: float, reference: float, dimensions: int) -> float:
    """``exp(-(nats - reference) / dimensions)`` clamped to (0, 1]: a prior's NLL per step."""
    return float(np.clip(np.exp(-(nats - reference) / dimensions), 1e-6, 1.0))


def _likelihood(scene: Scene, body: BodyModel, alpha: float, i: int, p: PersonState) -> float:
    motion = joint_kinematics(
        rest_joints(body, p.betas), p.R_world_root, p.body_pose, p.transl_world
    )
    energies = [_acceleration_energy(motion.positions, scene.fps, p)]
    keypoints = scene.people[i].keypoints if i in scene.people else None
    if keypoints is not None and not keypoints.circular:
        frames = scene.people[i].frames
        rows = np.searchsorted(p.frames, frames)
        inside = (rows < len(p.frames)) & (p.frames[np.minimum(rows, len(p.frames) - 1)] == frames)
        rows, frames = rows[inside], frames[inside]
        chosen = type(motion)(motion.rotations[rows], motion.positions[rows])
        points = place_points(
            layout_points(body, LAYOUTS[keypoints.pixels.shape[1]]),
            chosen,
            p.betas,
            p.body_pose[rows],
        )
        c = scene.cameras
        seen = to_camera(points, c.R_cam_world[frames], alpha * c.t_cam_world[frames])
        pixels, in_front = project(seen, c.pose_intrinsics(frames))
        weight = np.where(in_front, keypoints.confidence[inside] ** 2, 0.0)
        # Height of the posed body in the image, from its own joints.
        height = np.ptp(np.where(in_front, pixels[..., 1], np.nan), axis=1)
        ratio = REFERENCE_BOX_PX / np.clip(np.nan_to_num(height, nan=1e9), 20.0, None)
        r2 = ((pixels - keypoints.pixels[inside]) ** 2).sum(-1) * ratio[:, None] ** 2
        if weight.sum() > 0:
            energies.append(
                float((weight * _bounded(r2 / KEYPOINT_SIGMA_PX**2)).sum() / weight.sum())
            )
    return float(np.exp(-np.mean(energies)))


def _acceleration_energy(joints: Array, fps: float, p: PersonState) -> float:
    if len(joints) < 3:
        return 0.0
    acceleration = np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1) * fps**2
    seen = p.observed[2:] & p.observed[1:-1] & p.observed[:-2]
    if not seen.any():
        return 0.0
    return float(_bounded((acceleration[seen] / ACCELERATION_SIGMA) ** 2).mean())


def _bounded(x: Array) -> Array:
    return x / (1.0 + x)
