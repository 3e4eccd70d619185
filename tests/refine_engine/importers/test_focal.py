"""One focal length for all frames (B6): kept apart, bodies moved where the camera zooms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import median_filter

from refine_engine.body import embedded_body, joint_positions, rest_joints
from refine_engine.geometry.cameras import project
from refine_engine.importers import load_results
from refine_engine.importers.focal import _running_median
from tests.refine_engine.importers import folders


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", depth=False, masks=False)


def test_one_square_focal_length_needs_nothing(truth: folders.Truth) -> None:
    scene = load_results(truth.root)
    assert "B6" not in scene.report.codes()
    np.testing.assert_allclose(scene.cameras.intrinsics_pose, truth.K[0], rtol=1e-6)


def test_b6_uneven_pixels_use_their_mean_for_bodies(truth: folders.Truth) -> None:
    K = truth.K.copy()
    K[:, 0, 0], K[:, 1, 1] = 100.0, 60.0
    folders.write_cameras(truth, intrinsics=K)
    scene = load_results(truth.root)
    np.testing.assert_allclose(scene.cameras.intrinsics_pose, truth.K[0], rtol=1e-6)
    np.testing.assert_allclose(scene.cameras.intrinsics[:, 0, 0], 100.0)
    (finding,) = (f for f in scene.report.findings if f.code == "B6")
    assert (finding.action, finding.count) == ("reported", folders.FRAMES)
    np.testing.assert_allclose(scene.people[1].transl_cam, truth.transl_cam[1], atol=1e-6)


def test_b6_a_zoom_moves_bodies_and_keeps_their_picture(tmp_path: Path) -> None:
    truth = folders.write_results(tmp_path / "zoom", 60, depth=False, masks=False)
    K = truth.K.copy()
    K[30:, 0, 0] = K[30:, 1, 1] = 1.25 * folders.FOCAL
    folders.write_cameras(truth, intrinsics=K)
    scene = load_results(truth.root)
    (finding,) = (f for f in scene.report.findings if f.code == "B6")
    assert (finding.action, finding.count) == ("repaired", 30 + 27)
    body = embedded_body()
    for i, person in scene.people.items():
        pelvis = rest_joints(body, person.betas)[0]
        moved = person.frames >= 30
        np.testing.assert_allclose(
            person.transl_cam[~moved], truth.transl_cam[i][~moved], atol=1e-6
        )
        now, was = person.transl_cam + pelvis, truth.transl_cam[i] + pelvis
        np.testing.assert_allclose(now[moved, :2], was[moved, :2], atol=1e-6)
        np.testing.assert_allclose(now[moved, 2], 1.25 * was[moved, 2], rtol=1e-6)
        K_pose = scene.cameras.pose_intrinsics(person.frames)
        np.testing.assert_allclose(K_pose[:, 0, 0], np.where(moved, 100.0, 80.0), rtol=1e-6)
        pelvis_px, _ = project(now, K_pose)
        stage_3_px, _ = project(was, truth.K[0])
        np.testing.assert_allclose(pelvis_px, stage_3_px, atol=1e-3)
        joints = joint_positions(
            body, person.betas, person.R_cam_root, person.body_pose, person.transl_cam
        )
        assert person.keypoints is not None
        seen = person.keypoints.confidence > 0
        pixels, _ = project(joints, K_pose)
        np.testing.assert_allclose(person.keypoints.pixels[seen], pixels[seen], atol=1e-9)


def test_b6_jitter_of_a_fixed_lens_is_not_followed(truth: folders.Truth) -> None:
    K = truth.K.copy()
    K[:, 0, 0] = K[:, 1, 1] = folders.FOCAL * (1 + 0.01 * np.sin(2.3 * np.arange(len(K))))
    folders.write_cameras(truth, intrinsics=K)
    scene = load_results(truth.root)
    np.testing.assert_allclose(scene.people[1].transl_cam, truth.transl_cam[1], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 14, 15, 60])
def test_the_running_median_is_scipys(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    width = min(15, count)
    expected = median_filter(values, size=width, mode="nearest")
    np.testing.assert_array_equal(_running_median(values, width), expected)
