from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.body import embedded_body, rest_joints
from refine_engine.errors import InputError
from refine_engine.refinement.input import RefinementInput
from refine_engine.refinement.placement import place_in_world

T = 12


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (T, 1, 1))
    poses[:, :3, :3] = Rotation.random(T, random_state=0).as_matrix()
    poses[:, :3, 3] = rng.normal(size=(T, 3))
    given: dict[str, Any] = {
        "smpl_global_orient": {3: rng.normal(size=(T, 3)), 8: rng.normal(size=(T, 3))},
        "smpl_body_pose": {3: rng.normal(0, 0.2, (T, 69)), 8: rng.normal(0, 0.2, (T, 69))},
        "smpl_shape": {3: rng.normal(size=10), 8: np.zeros(10)},
        "smpl_trans": {3: rng.normal(size=(T, 3)), 8: rng.normal(size=(T, 3))},
        "camera_poses": poses,
        "intrinsics": np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]),
        "fps": 25.0,
    }
    return {**given, **changes}


def test_arrays_become_a_scene_and_come_back_to_the_world() -> None:
    given = arrays()
    scene = RefinementInput(**given).scene
    assert sorted(scene.people) == [3, 8]
    assert scene.num_frames == T
    assert scene.cameras.image_size == (720, 1280)
    assert scene.cameras.metric
    person = scene.people[3]
    pelvis = rest_joints(embedded_body(), person.betas)[0]
    R, transl = place_in_world(person, scene.cameras, 1.0, pelvis)
    np.testing.assert_allclose(transl, given["smpl_trans"][3], atol=1e-12)
    wanted = Rotation.from_rotvec(given["smpl_global_orient"][3]).as_matrix()
    np.testing.assert_allclose(R, wanted, atol=1e-12)


def test_missing_keypoints_get_weight_zero() -> None:
    keypoints = np.full((T, 17, 3), 0.9)
    keypoints[2, 5] = np.nan
    keypoints[3, 6, 2] = 0.0
    person = RefinementInput(**arrays(keypoints_2d={3: keypoints})).scene.people[3]
    assert person.keypoints is not None
    assert person.keypoints.layout == "coco17"
    assert np.isfinite(person.keypoints.pixels).all()
    assert person.keypoints.confidence[2, 5] == 0
    assert person.keypoints.confidence[3, 6] == 0
    assert person.keypoints.confidence[0, 0] == pytest.approx(0.9)


def test_rows_that_are_not_finite_are_unobserved() -> None:
    given = arrays()
    given["smpl_trans"][3][4:6] = np.nan
    person = RefinementInput(**given).scene.people[3]
    np.testing.assert_array_equal(person.frames, [0, 1, 2, 3, *range(6, T)])


def test_trajectories_stand_in_for_translations() -> None:
    given = arrays()
    moved = given.pop("smpl_trans")
    scene = RefinementInput(**given, trajectories=moved).scene
    pelvis = rest_joints(embedded_body(), scene.people[8].betas)[0]
    _, transl = place_in_world(scene.people[8], scene.cameras, 1.0, pelvis)
    np.testing.assert_allclose(transl, moved[8], atol=1e-12)


def test_what_is_missing_is_said() -> None:
    missing = " ".join(RefinementInput(**arrays()).scene.report.missing)
    for word in ("depth", "masks", "keypoints"):
        assert word in missing


def test_depth_arrays_hide_what_is_not_a_depth() -> None:
    maps = np.ones((T, 4, 6))
    maps[1, 2, 3] = np.nan
    maps[1, 0, 0] = -2
    depth = RefinementInput(**arrays(depth_maps=maps)).scene.depth
    assert depth is not None
    assert depth.size == (4, 6)
    found = depth.depth(1)
    assert found[2, 3] == 0
    assert found[0, 0] == 0
    assert found[1, 1] == 1
    assert not depth.has(T)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"smpl_global_orient": {}}, "at least one person"),
        ({"camera_poses": None}, "camera_poses"),
        ({"camera_poses": np.zeros((T, 3))}, "has shape"),
        ({"camera_poses": np.zeros((T, 4, 4))}, "not rotations"),
        ({"camera_poses": np.full((T, 4, 4), np.nan)}, "not finite at frame 0"),
        ({"intrinsics": None}, "intrinsics"),
        ({"smpl_body_pose": {3: np.zeros((T, 69))}}, "no person 8"),
        ({"smpl_shape": {3: np.zeros(16)}}, r"smpl_shape\[3\]"),
        ({"depth_maps": np.ones((T + 1, 4, 4))}, "depth_maps"),
        ({"keypoints_2d": {3: np.ones((T, 19, 3))}}, "keypoints_2d"),
        ({"masks": {3: np.ones((2, 4, 4))}}, "masks"),
        ({"num_frames": 5}, "num_frames"),
        ({"num_people": 5}, "num_people"),
        ({"fps": 0.0}, "fps"),
        ({"frames": {3: np.arange(T)[::-1]}}, r"frames\[3\]"),
        ({"smpl_trans": {3: np.full((T, 3), np.nan), 8: np.zeros((T, 3))}}, "no finite row"),
    ],
)
def test_bad_arrays_are_refused_with_a_sentence(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        RefinementInput(**arrays(**changes))


def test_max_frames_cuts_people_and_cameras() -> None:
    cut = RefinementInput(**arrays()).limited(5)
    assert cut.num_frames == 5
    assert cut.scene.people[3].frames.tolist() == [0, 1, 2, 3, 4]
    assert len(cut.scene.cameras.intrinsics) == 5


def test_nobody_in_the_first_frames_is_an_error() -> None:
    frames = {3: np.arange(6, T), 8: np.arange(6, T)}
    given = arrays(frames=frames)
    for name in ("smpl_global_orient", "smpl_body_pose", "smpl_trans"):
        given[name] = {i: v[6:] for i, v in given[name].items()}
    with pytest.raises(InputError, match="nobody"):
        RefinementInput(**given).limited(4)
