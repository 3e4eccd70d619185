from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.errors import InputError
from refine_engine.refinement.placement import place_in_camera, place_in_world
from refine_engine.scene import CameraTrack, Person

PELVIS = np.array([0.002, -0.22, 0.03])


def _person(n: int, rng: np.random.Generator) -> Person:
    return Person(
        id=4,
        frames=np.arange(n) * 2,
        R_cam_root=Rotation.random(n, random_state=1).as_matrix(),
        body_pose=np.tile(np.eye(3), (n, 23, 1, 1)),
        betas=np.zeros(10),
        transl_cam=rng.normal(size=(n, 3)) + np.array([0.0, 0.0, 5.0]),
        observed=np.ones(n, dtype=bool),
    )


def _cameras(T: int, rng: np.random.Generator) -> CameraTrack:
    return CameraTrack(
        R_cam_world=Rotation.random(T, random_state=2).as_matrix(),
        t_cam_world=rng.normal(size=(T, 3)),
        intrinsics=np.tile(np.diag([900.0, 900.0, 1.0]), (T, 1, 1)),
        image_size=(720, 1280),
        intrinsics_pose=np.diag([900.0, 900.0, 1.0]),
        chunk=np.zeros(T, dtype=np.int64),
    )


def test_a_body_point_lands_where_its_camera_sees_it() -> None:
    rng = np.random.default_rng(0)
    person, cameras, alpha = _person(5, rng), _cameras(12, rng), 1.7
    R_world, transl_world = place_in_world(person, cameras, alpha, PELVIS)
    point = rng.normal(size=3)  # a body point relative to the pelvis, rest orientation
    for row, frame in enumerate(person.frames):
        in_camera = person.R_cam_root[row] @ point + PELVIS + person.transl_cam[row]
        in_world = R_world[row] @ point + PELVIS + transl_world[row]
        seen = cameras.R_cam_world[frame] @ in_world + alpha * cameras.t_cam_world[frame]
        np.testing.assert_allclose(seen, in_camera, atol=1e-12)


def test_leaving_out_the_pelvis_term_would_be_noticed() -> None:
    rng = np.random.default_rng(0)
    person, cameras = _person(5, rng), _cameras(12, rng)
    _, right = place_in_world(person, cameras, 1.0, PELVIS)
    _, naive = place_in_world(person, cameras, 1.0, np.zeros(3))
    assert np.linalg.norm(right - naive, axis=-1).max() > 0.1


def test_round_trip() -> None:
    rng = np.random.default_rng(3)
    person, cameras = _person(6, rng), _cameras(12, rng)
    R_world, transl_world = place_in_world(person, cameras, 0.6, PELVIS)
    R_cam, transl_cam = place_in_camera(R_world, transl_world, person.frames, cameras, 0.6, PELVIS)
    np.testing.assert_allclose(R_cam, person.R_cam_root, atol=1e-12)
    np.testing.assert_allclose(transl_cam, person.transl_cam, atol=1e-12)


def test_a_frame_without_camera_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"frame 8.*5 cameras"):
        place_in_world(_person(5, rng), _cameras(5, rng), 1.0, PELVIS)
