"""Up from bodies, floor and cameras (B19)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.geometry.rotations import exp_so3
from refine_engine.importers import load_results
from refine_engine.importers.gravity import estimate_up, rotation_to_y_up
from refine_engine.importers.stance import BodyTrack
from tests.refine_engine.importers import folders


def degrees(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.rad2deg(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)))


def bodies(truth: folders.Truth) -> dict[int, BodyTrack]:
    return {i: BodyTrack(truth.frames[i], truth.joints_cam[i]) for i in truth.frames}


@pytest.mark.parametrize("moving", [True, False])
def test_b19_up_is_found_and_the_world_turned(tmp_path: Path, moving: bool) -> None:
    truth = folders.write_results(tmp_path / "run", moving=moving)
    scene = load_results(truth.root)
    assert not scene.up_known
    (finding,) = (f for f in scene.report.findings if f.code == "B19")
    assert (finding.action, finding.count) == ("repaired", 42)
    assert finding.message.startswith("Y points down")
    assert degrees(scene.R_world_recon @ truth.up_recon, np.array([0.0, 1.0, 0.0])) < 1.5
    np.testing.assert_allclose(
        scene.cameras.R_cam_world[0] @ scene.R_world_recon, np.eye(3), atol=1e-6
    )


def test_b19_a_world_that_points_up_is_recognised(tmp_path: Path) -> None:
    truth = folders.make_truth(tmp_path)
    turn = exp_so3(np.array([np.pi, 0, 0]))
    flipped = {i: BodyTrack(b.frames, b.joints_cam @ turn.T) for i, b in bodies(truth).items()}
    found = estimate_up(flipped, turn @ truth.R_recon @ turn.T, truth.t_recon @ turn.T)
    assert degrees(found.direction, turn @ truth.up_recon) < 1.5


def test_a_few_fallen_people_do_not_tip_the_world(tmp_path: Path) -> None:
    truth = folders.make_truth(tmp_path)
    people = bodies(truth)
    joints = people[2].joints_cam.copy()
    pelvis = joints[:, :1]
    lying = exp_so3(np.array([0, 0, np.pi / 2]))
    joints[:5] = (joints[:5] - pelvis[:5]) @ lying.T + pelvis[:5]
    people[2] = BodyTrack(people[2].frames, joints)
    found = estimate_up(people, truth.R_recon, truth.t_recon)
    assert degrees(found.direction, truth.up_recon) < 2.5


def test_the_floor_corrects_leaning_people() -> None:
    # Seen by a level static camera: everybody leans 6 degrees to the side, their feet stay.
    rng = np.random.default_rng(1)
    people = {}
    lean = np.deg2rad(6.0)
    for i, (x, z) in enumerate([(-3.0, 4.0), (0.0, 6.0), (3.0, 5.0), (1.0, 9.0)]):
        n = 40
        joints = np.zeros((n, 24, 3))
        height = {12: 1.45, 15: 1.6, 0: 0.95, 1: 0.9, 2: 0.9, 4: 0.5, 5: 0.5, 7: 0.08, 8: 0.08}
        feet = np.stack([x + np.linspace(-1, 1, n), np.full(n, 1.5), np.full(n, z)], -1)
        for joint in range(24):
            h = height.get(joint, 1.2) if joint not in (10, 11) else 0.02
            side = {1: 0.1, 2: -0.1, 7: 0.1, 8: -0.1, 10: 0.1, 11: -0.1}.get(joint, 0.0)
            joints[:, joint] = feet + [side + h * np.sin(lean), -h * np.cos(lean), 0.0]
        people[i] = BodyTrack(np.arange(n), joints + rng.normal(0, 0.005, joints.shape))
    R, t = np.tile(np.eye(3), (40, 1, 1)), np.zeros((40, 3))
    found = estimate_up(people, R, t)
    assert found.people == 4
    assert degrees(found.direction, np.array([0.0, -1.0, 0.0])) < 2.0


def test_without_upright_people_the_cameras_say(tmp_path: Path) -> None:
    truth = folders.make_truth(tmp_path)
    found = estimate_up({}, truth.R_recon, truth.t_recon)
    assert found.rows == 0
    assert degrees(found.direction, -truth.R_recon[:, 1].mean(0)) < 1.0


@pytest.mark.parametrize("up", [[0, -1, 0], [0.2, -0.9, 0.1], [1, 0, 0], [-1, 0.01, 0], [0, 0, 1]])
def test_the_turn_to_y_up_is_a_rotation(up: list[float]) -> None:
    direction = np.array(up) / np.linalg.norm(up)
    R = rotation_to_y_up(direction)
    np.testing.assert_allclose(R @ direction, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)


def test_a_level_camera_gives_the_plain_flip() -> None:
    np.testing.assert_array_equal(
        rotation_to_y_up(np.array([0.0, -1.0, 0.0])), np.diag([1.0, -1.0, -1.0])
    )
