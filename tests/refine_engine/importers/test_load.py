"""A well-formed folder: the numbers arrive as they were written."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from refine_engine.body import embedded_body, rest_joints
from refine_engine.errors import InputError
from refine_engine.geometry.cameras import camera_centers
from refine_engine.geometry.rotations import exp_so3, geodesic_angle
from refine_engine.importers import load_results
from refine_engine.refinement.placement import place_in_world
from tests.refine_engine.importers import folders


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run")


def test_people_are_what_stage_3_measured(truth: folders.Truth) -> None:
    scene = load_results(truth.root)
    assert list(scene.people) == [1, 2]
    for i, person in scene.people.items():
        assert person.id == i
        np.testing.assert_array_equal(person.frames, truth.frames[i])
        np.testing.assert_allclose(person.transl_cam, truth.transl_cam[i], atol=1e-6)
        np.testing.assert_allclose(person.R_cam_root, truth.R_cam_root[i], atol=1e-6)
        np.testing.assert_allclose(person.body_pose, exp_so3(truth.body_pose[i]), atol=1e-6)
        np.testing.assert_allclose(person.betas, truth.betas[i], atol=1e-7)
        np.testing.assert_allclose(person.bboxes, truth.boxes[i], atol=1e-4)
        assert person.observed.all()


def test_world_is_y_up_at_the_first_camera_and_people_stand_where_they_did(
    truth: folders.Truth,
) -> None:
    scene = load_results(truth.root, up=truth.up_recon)
    cameras = scene.cameras
    assert scene.up_known
    np.testing.assert_allclose(
        camera_centers(cameras.R_cam_world, cameras.t_cam_world)[0], 0, atol=1e-6
    )
    up_cam = cameras.R_cam_world @ np.array([0.0, 1.0, 0.0])
    np.testing.assert_allclose(up_cam, truth.R_cam_world @ np.array([0.0, 1.0, 0.0]), atol=1e-5)
    for i, person in scene.people.items():
        pelvis = rest_joints(embedded_body(), person.betas)[0]
        _, transl = place_in_world(person, cameras, folders.ALPHA, pelvis)
        # The true world has the same up, another origin and heading: compare what is common.
        assert np.ptp(transl, axis=0).max() < 1e-4
        true_height = truth.transl_world[i][:, 1] - 1.5
        np.testing.assert_allclose(transl[:, 1], true_height, atol=1e-4)
    a, b = (place_in_world(scene.people[i], cameras, folders.ALPHA, pelvis)[1][0] for i in (1, 2))
    true = truth.transl_world[1][0] - truth.transl_world[2][0]
    assert np.linalg.norm((a - b)[[0, 2]]) == pytest.approx(np.linalg.norm(true[[0, 2]]), abs=1e-3)


def test_cameras_keep_the_reconstruction_s_unit(truth: folders.Truth) -> None:
    cameras = load_results(truth.root).cameras
    assert not cameras.metric
    assert cameras.estimated
    assert cameras.image_size == folders.SIZE
    np.testing.assert_allclose(cameras.intrinsics, truth.K, rtol=1e-6)
    np.testing.assert_allclose(cameras.confidence, 1.8, rtol=1e-6)
    centres = camera_centers(cameras.R_cam_world, cameras.t_cam_world)
    true = camera_centers(truth.R_cam_world, truth.t_cam_world)
    np.testing.assert_allclose(
        np.linalg.norm(centres - centres[0], axis=-1) * folders.ALPHA,
        np.linalg.norm(true - true[0], axis=-1),
        atol=1e-5,
    )
    np.testing.assert_allclose(
        geodesic_angle(cameras.R_cam_world[0], cameras.R_cam_world),
        geodesic_angle(truth.R_cam_world[0], truth.R_cam_world),
        atol=1e-5,
    )
    assert (cameras.chunk == 0).all()


def test_arrays_cannot_be_written_to(truth: folders.Truth) -> None:
    scene = load_results(truth.root)
    for array in (
        scene.cameras.R_cam_world,
        scene.cameras.t_cam_world,
        scene.people[1].transl_cam,
        scene.people[1].frames,
        scene.people[1].observed,
    ):
        assert not array.flags.writeable


@pytest.mark.parametrize("name", ["1_camera_estimation", "3_pose_estimation", "4_world_space"])
def test_a_stage_folder_opens_the_run_around_it(truth: folders.Truth, name: str) -> None:
    scene = load_results(truth.root / name)
    assert list(scene.people) == [1, 2]
    assert scene.num_frames == folders.FRAMES
    assert scene.cameras.estimated


def test_a_folder_around_one_run_opens_it_and_around_two_asks(truth: folders.Truth) -> None:
    outer = truth.root.parent
    assert len(load_results(outer).people) == 2
    shutil.copytree(truth.root, outer / "other")
    with pytest.raises(InputError, match="several results folders"):
        load_results(outer)


def test_stages_are_found_by_content_whatever_they_are_called(truth: folders.Truth) -> None:
    for stage, name in ((truth.cameras, "vggt"), (truth.tracks, "boxes"), (truth.poses, "people")):
        stage.rename(truth.root / name)
    scene = load_results(truth.root)
    assert scene.cameras.estimated
    assert scene.people[1].bboxes is not None
    np.testing.assert_allclose(scene.people[2].transl_cam, truth.transl_cam[2], atol=1e-6)


def test_stage_1_in_the_root_itself(truth: folders.Truth) -> None:
    for path in list(truth.cameras.iterdir()):
        path.rename(truth.root / path.name)
    truth.cameras.rmdir()
    scene = load_results(truth.root)
    assert scene.num_frames == folders.FRAMES
    assert scene.depth is not None


def test_unzipped_archives_are_read_like_zipped_ones(truth: folders.Truth) -> None:
    folders.unzip(truth.cameras / "cameras.npz")
    folders.unzip(truth.tracks / "tracks.npz")
    folders.unzip(truth.person(1) / "smpl_params_camera.npz")
    scene = load_results(truth.root)
    np.testing.assert_allclose(scene.people[1].transl_cam, truth.transl_cam[1], atol=1e-6)
    np.testing.assert_allclose(scene.people[1].bboxes, truth.boxes[1], atol=1e-4)
    np.testing.assert_allclose(scene.cameras.intrinsics, truth.K, rtol=1e-6)


def test_the_huge_folder_of_zeros_is_never_touched(truth: folders.Truth) -> None:
    heavy = truth.cameras / "track_features"
    heavy.mkdir()
    (heavy / "feat_000000.npy").write_bytes(b"not an array")
    heavy.chmod(0)
    try:
        scene = load_results(truth.root)
    finally:
        heavy.chmod(0o755)
    assert not [f for f in scene.report.findings if "feat" in f.message]


@pytest.mark.parametrize(
    ("up", "expected"), [("-y", np.diag([1.0, -1.0, -1.0])), ("y", np.eye(3)), ("+z", None)]
)
def test_up_can_be_given_as_an_axis(
    truth: folders.Truth, up: str, expected: np.ndarray | None
) -> None:
    R = load_results(truth.root, up=up).R_world_recon
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    if expected is not None:
        np.testing.assert_allclose(R, expected, atol=1e-12)
    else:
        np.testing.assert_allclose(R @ [0, 0, 1], [0, 1, 0], atol=1e-12)


@pytest.mark.parametrize("up", ["w", "--y", [0, 0, 0], [1, 2], [np.nan, 0, 1]])
def test_a_wrong_up_is_refused(truth: folders.Truth, up: object) -> None:
    with pytest.raises(InputError, match="up"):
        load_results(truth.root, up=up)  # type: ignore[arg-type]


def test_the_same_folder_gives_the_same_scene(truth: folders.Truth) -> None:
    a, b = load_results(truth.root), load_results(truth.root)
    assert a.report == b.report
    np.testing.assert_array_equal(a.R_world_recon, b.R_world_recon)
    np.testing.assert_array_equal(a.people[1].transl_cam, b.people[1].transl_cam)
