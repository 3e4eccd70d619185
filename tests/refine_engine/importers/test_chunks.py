"""Reconstruction chunks (B5): found, put into one world and one unit, numbers kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.geometry.cameras import camera_centers
from refine_engine.geometry.rotations import exp_so3, geodesic_angle
from refine_engine.importers import load_results
from refine_engine.importers.chunks import find_chunks, join_chunks
from refine_engine.importers.stance import BodyTrack, unit_from_feet
from tests.refine_engine.importers import folders

T, BEGIN, UNIT = 60, 31, 1.7


@pytest.fixture(scope="module")
def chunked(tmp_path_factory: pytest.TempPathFactory) -> tuple[folders.Truth, Path]:
    truth = folders.write_results(tmp_path_factory.mktemp("chunks") / "run", T, masks=False)
    folders.restart_chunk(truth, BEGIN, UNIT)
    return truth, truth.root


def test_b5_is_found_joined_and_numbered(chunked: tuple[folders.Truth, Path]) -> None:
    _truth, root = chunked
    scene = load_results(root)
    (finding,) = (f for f in scene.report.findings if f.code == "B5")
    assert (finding.count, finding.action) == (1, "repaired")
    assert f"frame {BEGIN}: unit x 1.7" in finding.message
    assert "from depth" in finding.message
    np.testing.assert_array_equal(scene.cameras.chunk, (np.arange(T) >= BEGIN).astype(int))


def test_b5_the_joined_track_is_the_true_one(chunked: tuple[folders.Truth, Path]) -> None:
    truth, root = chunked
    cameras = load_results(root).cameras
    centres = folders.ALPHA * camera_centers(cameras.R_cam_world, cameras.t_cam_world)
    true = camera_centers(truth.R_cam_world, truth.t_cam_world)
    for k in (BEGIN - 1, BEGIN, T - 1):
        assert np.linalg.norm(centres[k] - centres[0]) == pytest.approx(
            np.linalg.norm(true[k] - true[0]), abs=0.01
        )
    turn = geodesic_angle(cameras.R_cam_world[0], cameras.R_cam_world)
    np.testing.assert_allclose(
        turn, geodesic_angle(truth.R_cam_world[0], truth.R_cam_world), atol=np.deg2rad(0.2)
    )


def test_b5_depth_is_in_the_first_chunk_s_unit(chunked: tuple[folders.Truth, Path]) -> None:
    truth, root = chunked
    depth = load_results(root).depth
    assert depth is not None
    for frame in (BEGIN - 1, BEGIN, T - 1):
        true = folders.ground_depth(truth, frame) / folders.ALPHA
        np.testing.assert_allclose(np.median(depth.depth(frame) / true), 1, atol=0.01)


def test_b5_the_unit_follows_from_standing_feet_without_depth(tmp_path: Path) -> None:
    truth = folders.write_results(tmp_path / "run", T, depth=False, masks=False)
    folders.restart_chunk(truth, BEGIN, UNIT)
    scene = load_results(truth.root)
    (finding,) = (f for f in scene.report.findings if f.code == "B5")
    assert "from standing feet" in finding.message
    cameras = scene.cameras
    centres = folders.ALPHA * camera_centers(cameras.R_cam_world, cameras.t_cam_world)
    true = camera_centers(truth.R_cam_world, truth.t_cam_world)
    assert np.linalg.norm(centres[-1] - centres[0]) == pytest.approx(
        np.linalg.norm(true[-1] - true[0]), abs=0.02
    )


def test_a_whole_track_has_no_borders(tmp_path: Path) -> None:
    truth = folders.write_results(tmp_path / "run", masks=False)
    assert "B5" not in load_results(truth.root).report.codes()


def test_a_jump_counts_only_at_a_restart_or_at_the_writer_s_length() -> None:
    n = 450
    R = exp_so3(np.stack([np.zeros(n), 0.002 * np.arange(n), np.zeros(n)], -1))
    centre = np.stack([0.01 * np.arange(n), np.zeros(n), np.zeros(n)], -1)
    centre[150:] += 1.0
    centre[400:] += 1.0
    t = -np.einsum("tij,tj->ti", R, centre)
    assert find_chunks(R, t) == [400]


def test_a_glitch_of_a_camera_at_rest_is_no_border() -> None:
    n = 100
    wobble = 1e-4 * np.sin(np.arange(n))
    R = exp_so3(np.stack([wobble, 0 * wobble, 0 * wobble], -1))
    t = np.stack([wobble, wobble, 0 * wobble], -1)
    R[40], t[40] = exp_so3(np.array([0, 0.01, 0])), [0.015, 0, 0]
    assert find_chunks(R, t) == []


def test_under_a_static_camera_depth_betrays_the_border() -> None:
    n = 420
    R, t = np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))
    unit = np.where(np.arange(n) >= 200, 1.25, 1.0)
    wobble = 1 + 0.002 * np.sin(np.arange(n))

    def ratio(frame: int) -> float:
        return float(unit[frame] / unit[frame - 1] * wobble[frame])

    assert find_chunks(R, t) == []
    assert find_chunks(R, t, ratio) == [200]
    joined = join_chunks(R, t, [200], {}, ratio)
    np.testing.assert_allclose(joined.frame_scale[[199, 200]], [1, 1.25 * wobble[200]])
    np.testing.assert_allclose(joined.R, R, atol=1e-12)


def test_bodies_overrule_a_camera_that_they_contradict(tmp_path: Path) -> None:
    truth = folders.make_truth(tmp_path, T)
    body = BodyTrack(truth.frames[1], truth.joints_cam[1])
    R, t = truth.R_recon.copy(), truth.t_recon.copy()
    # Between two chunks the camera truly turned by 40 degrees within one frame.
    turn = exp_so3(np.array([0, np.deg2rad(40.0), 0]))
    joints = body.joints_cam.copy()
    joints[BEGIN:] = joints[BEGIN:] @ turn.T
    step = R[BEGIN:] @ R[BEGIN].T
    t[BEGIN:] -= np.einsum("tij,j->ti", step, t[BEGIN])
    R[BEGIN:] = step
    joined = join_chunks(R, t, [BEGIN], {1: BodyTrack(body.frames, joints)})
    assert joined.joins[0].pose_from == "bodies"
    true = turn @ truth.R_recon[BEGIN]
    assert geodesic_angle(joined.R[BEGIN], true) < np.deg2rad(2.0)


def test_feet_give_the_unit_of_a_moving_camera_and_nothing_for_a_static_one(
    tmp_path: Path,
) -> None:
    truth = folders.make_truth(tmp_path, T)
    bodies = [BodyTrack(truth.frames[i], truth.joints_cam[i]) for i in (1, 2)]
    unit = unit_from_feet(bodies, truth.R_recon, truth.t_recon)
    assert unit == pytest.approx(folders.ALPHA, rel=0.01)
    still = folders.make_truth(tmp_path, T, moving=False)
    bodies = [BodyTrack(still.frames[i], still.joints_cam[i]) for i in (1, 2)]
    assert unit_from_feet(bodies, still.R_recon, still.t_recon) is None
    assert unit_from_feet([], truth.R_recon, truth.t_recon) is None
