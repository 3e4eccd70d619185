"""People who stand, step and turn, seen by a moving camera: exact, without noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from refine_engine.body import BodyModel, embedded_body, rest_joints
from refine_engine.geometry.rotations import exp_so3
from refine_engine.refinement.placement import place_in_camera
from refine_engine.scene import CameraTrack, Keypoints, Person, Scene

FPS = 30.0
DOWN = np.diag([1.0, -1.0, -1.0])  # camera looking along -Z of a Y-up world


def moving_cameras(frames: int, alpha: float, *, travel: float = 1.5) -> CameraTrack:
    """Metric path divided by alpha: the reconstruction's own unit."""
    s = np.linspace(0.0, 1.0, frames)
    R = exp_so3(np.stack([0 * s, 0.2 * (s - 0.5), 0 * s], -1)) @ DOWN
    centre = np.stack([travel * (s - 0.5), 1.5 + 0.1 * np.sin(6 * s), 0 * s], -1)
    t = -np.einsum("tij,tj->ti", R, centre)
    K = np.array([[1000.0, 0, 640], [0, 1000.0, 360], [0, 0, 1]])
    return CameraTrack(
        R_cam_world=R,
        t_cam_world=t / alpha,
        intrinsics=np.tile(K, (frames, 1, 1)),
        image_size=(720, 1280),
        intrinsics_pose=K,
        chunk=np.zeros(frames, dtype=np.int64),
    )


def standing_person(
    body: BodyModel,
    cameras: CameraTrack,
    alpha: float,
    *,
    id: int = 1,
    x: float = 0.0,
    z: float = -5.0,
    ground: float = 0.0,
    keypoints: bool = True,
) -> Person:
    """Stands at (x, ground, z), facing the camera, arms moving a little."""
    n = cameras.num_frames
    s = np.arange(n) / FPS
    pose = np.tile(np.eye(3), (n, 23, 1, 1))
    swing = 0.3 * np.sin(2 * np.pi * 0.5 * s)
    pose[:, 15] = exp_so3(np.stack([swing, 0 * s, 0 * s - 1.1], -1))
    pose[:, 16] = exp_so3(np.stack([swing, 0 * s, 0 * s + 1.1], -1))
    betas = np.zeros(10)
    sole = body.v_template[:, 1].min()
    transl = np.tile([x, ground - sole, z], (n, 1))
    R_world = np.tile(np.eye(3), (n, 1, 1))
    frames = np.arange(n)
    R_cam, transl_cam = place_in_camera(
        R_world, transl, frames, cameras, alpha, rest_joints(body, betas)[0]
    )
    person = Person(
        id=id,
        frames=frames,
        R_cam_root=R_cam,
        body_pose=pose,
        betas=betas,
        transl_cam=transl_cam,
        observed=np.ones(n, dtype=bool),
    )
    return replace(person, keypoints=_keypoints(body, cameras, person)) if keypoints else person


def _keypoints(body: BodyModel, cameras: CameraTrack, person: Person) -> Keypoints:
    from refine_engine.body import joint_positions
    from refine_engine.geometry.cameras import project

    joints = joint_positions(
        body, person.betas, person.R_cam_root, person.body_pose, person.transl_cam
    )
    pixels, _ = project(joints, cameras.intrinsics_pose)
    return Keypoints("smpl24", pixels, np.ones(pixels.shape[:2]), "detections")


def make_standing_scene(
    frames: int = 60, alpha: float = 2.0, *, people: int = 2, travel: float = 1.5
) -> tuple[Scene, BodyModel]:
    """A scene whose true unit is ``alpha`` and whose ground is y = 0."""
    body = embedded_body()
    cameras = moving_cameras(frames, alpha, travel=travel)
    crowd = {
        i: standing_person(body, cameras, alpha, id=i, x=1.2 * i - 1.8, z=-4.0 - 0.7 * i)
        for i in range(1, people + 1)
    }
    return Scene(people=crowd, cameras=cameras, fps=FPS, fps_source="user"), body


SceneMaker = Callable[..., tuple[Scene, BodyModel]]


@pytest.fixture
def standing_scene() -> SceneMaker:
    """Makes an exact scene: ``standing_scene(frames=60, alpha=2.0, people=2, travel=1.5)``."""
    return make_standing_scene
