"""A small exact scene: people moving smoothly before a moving camera, with depth of their skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.body import (
    SMPL_24,
    embedded_body,
    joint_kinematics,
    layout_points,
    move_rigidly,
    place_points,
    rest_joints,
)
from refine_engine.config import RefinementConfig
from refine_engine.geometry.cameras import project, to_camera
from refine_engine.geometry.rotations import exp_so3, matrix_from_axis_angle
from refine_engine.scene import CameraTrack, Keypoints, Person, Scene
from refine_engine.state import OptimizationState, PersonState

SIZE = (720, 1280)


class ExactScene:
    """A scene, its true state, and how to disturb it."""

    def __init__(self, people=2, frames=12, alpha=2.0, seed=0, chunks=1, layout="smpl24"):
        rng = np.random.default_rng(seed)
        self.body = embedded_body()
        self.rng = rng
        t = np.arange(frames) / 30.0
        K = np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]])
        # OpenCV camera looking along +z of a Y-up world: half a turn about x, swaying.
        R_cam = matrix_from_axis_angle(
            np.stack([np.full(frames, np.pi), 0.05 * np.sin(2 * t), 0.03 * np.cos(3 * t)], -1)
        )
        centre = np.stack([1.5 * np.sin(3 * t), 1.2 + 0.3 * t, 5.0 - 0.8 * t], -1)
        t_cam = -np.einsum("tij,tj->ti", R_cam, centre)
        cameras = CameraTrack(
            R_cam_world=R_cam,
            t_cam_world=t_cam / alpha,
            intrinsics=np.repeat(K[None], frames, 0),
            image_size=SIZE,
            intrinsics_pose=K,
            chunk=np.arange(frames) * chunks // frames,
        )
        states, persons = {}, {}
        for p in range(people):
            speed = rng.normal(0, 1.0, (24, 3))
            phase = rng.uniform(0, 6, (24, 3))
            bend = 0.35 * np.sin(speed * t[:, None, None] * 6 + phase)
            bend[:, 22:] = 0.0
            bend[:, 0] *= 0.3
            R = matrix_from_axis_angle(bend)
            betas = rng.normal(0, 0.7, 10)
            transl = np.stack([p - 0.5 + 0.5 * t, 0.95 + 0 * t, 0.3 * np.sin(t + p)], -1)
            contacts = (rng.uniform(size=(frames, 4)) > 0.4).astype(float)
            states[p + 1] = PersonState(
                frames=np.arange(frames),
                R_world_root=R[:, 0],
                body_pose=R[:, 1:],
                betas=betas,
                transl_world=transl,
                observed=np.ones(frames, bool),
                contacts=contacts,
            )
            motion = joint_kinematics(rest_joints(self.body, betas), R[:, 0], R[:, 1:], transl)
            from refine_engine.body import BODY_25, COCO_17

            slots = {"smpl24": SMPL_24, "coco17": COCO_17, "body25": BODY_25}[layout]
            places = place_points(layout_points(self.body, slots), motion, betas, R[:, 1:])
            pixels, ok = project(to_camera(places, R_cam, t_cam), cameras.intrinsics)
            R_root, transl_cam = R[:, 0].copy(), transl.copy()
            for k in range(frames):
                R_root[k], transl_cam[k] = move_rigidly(
                    self.body, betas, R[k, 0], transl[k], R_cam[k], t_cam[k]
                )
            persons[p + 1] = Person(
                id=p + 1,
                frames=np.arange(frames),
                R_cam_root=R_root,
                body_pose=R[:, 1:],
                betas=betas,
                transl_cam=transl_cam,
                observed=np.ones(frames, bool),
                keypoints=Keypoints(layout, pixels, ok.astype(float), "detections"),
                betas_sigma=1.0,
            )
        self.alpha = alpha
        self.scene = Scene(people=persons, cameras=cameras, fps=30.0, fps_source="user")
        self.true = OptimizationState(
            people=states,
            ground_plane=np.array([0.0, 1.0, 0.0, 0.05]),
            alpha_0=alpha,
            chunk_log_scale=np.zeros(chunks),
        )
        self.config = RefinementConfig(optimize_delta_alpha=False, threads=1)

    def disturbed(self, turn=0.1, move=0.1, shape=0.3, scale=0.05, plane=0.02):
        """A state off the truth by random amounts."""
        rng, people = self.rng, {}
        for i, s in self.true.people.items():
            n = len(s.frames)
            body_pose = s.body_pose @ exp_so3(rng.normal(0, turn, (n, 23, 3)))
            body_pose[:, 21:] = s.body_pose[:, 21:]
            people[i] = replace(
                s,
                R_world_root=s.R_world_root @ exp_so3(rng.normal(0, turn, (n, 3))),
                body_pose=body_pose,
                betas=s.betas + rng.normal(0, shape, 10),
                transl_world=s.transl_world + rng.normal(0, move, (n, 3)),
            )
        normal = self.true.ground_plane[:3] + rng.normal(0, plane, 3)
        normal /= np.linalg.norm(normal)
        return replace(
            self.true,
            people=people,
            ground_plane=np.append(normal, self.true.ground_plane[3] + rng.normal(0, plane)),
            scale_delta=float(rng.normal(0, scale)),
            chunk_log_scale=rng.normal(0, 0.02, len(self.true.chunk_log_scale)),
        )


@pytest.fixture
def exact_scene():
    """Builds an :class:`ExactScene`."""
    return ExactScene
