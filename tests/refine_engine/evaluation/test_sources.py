from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from refine_engine.body import BodyModel, embedded_body, joint_positions, rest_joints
from refine_engine.errors import InputError
from refine_engine.evaluation.engine_motion import motion_from_scene, motion_from_state
from refine_engine.evaluation.metrics import evaluate_motion
from refine_engine.evaluation.sources import motion_from_ground_truth, motion_from_results
from refine_engine.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from refine_engine.refinement.placement import place_in_camera
from refine_engine.scene import CameraTrack, Person, Scene
from refine_engine.state import OptimizationState, PersonState

FRAMES = 12
ALPHA = 3.0


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return embedded_body("neutral")


@pytest.fixture
def cameras() -> CameraTrack:
    rng = np.random.default_rng(5)
    return CameraTrack(
        R_cam_world=matrix_from_axis_angle(rng.normal(scale=0.3, size=(FRAMES, 3))),
        t_cam_world=rng.normal(size=(FRAMES, 3)) + [0.0, 0.0, 2.0],
        intrinsics=np.broadcast_to(np.eye(3), (FRAMES, 3, 3)),
        image_size=(480, 640),
        intrinsics_pose=np.eye(3),
        chunk=np.zeros(FRAMES, dtype=np.int64),
    )


@pytest.fixture
def state() -> OptimizationState:
    rng = np.random.default_rng(6)
    frames = np.arange(2, 11)
    n = len(frames)
    observed = np.ones(n, dtype=bool)
    observed[4] = False
    people = {
        person_id: PersonState(
            frames=frames,
            R_world_root=matrix_from_axis_angle(rng.normal(size=(n, 3))),
            body_pose=matrix_from_axis_angle(rng.normal(scale=0.3, size=(n, 23, 3))),
            betas=rng.normal(size=10),
            transl_world=rng.normal(size=(n, 3)),
            observed=observed,
            contacts=rng.uniform(size=(n, 4)),
        )
        for person_id in (4, 11)
    }
    return OptimizationState(people, np.array([0.0, 1.0, 0.0, 0.3]), ALPHA / 1.2, 0.2)


def test_state_and_scene_of_the_same_motion_agree(
    state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    people = {}
    for person_id, p in state.people.items():
        pelvis = rest_joints(body, p.betas)[0]
        R_cam, transl_cam = place_in_camera(
            p.R_world_root, p.transl_world, p.frames, cameras, ALPHA, pelvis
        )
        people[person_id] = Person(
            person_id, p.frames, R_cam, p.body_pose, p.betas, transl_cam, p.observed
        )
    scene = Scene(people, cameras, 30.0, "user")
    before = motion_from_scene(scene, ALPHA, body, ground_plane=state.ground_plane)
    after = motion_from_state(state, 30.0, body, cameras)
    result = evaluate_motion(before, after)
    for key in ("w_mpjpe100_se3_mm", "mpjpe_mm", "ground_offset_cm", "alpha_error_percent"):
        assert result[key] == pytest.approx(0.0, abs=1e-6), key
    for person_id in people:
        np.testing.assert_allclose(
            before.people[person_id].soles_world, after.people[person_id].soles_world, atol=1e-9
        )
    wrong_unit = evaluate_motion(motion_from_scene(scene, 1.1 * ALPHA, body), after)
    assert wrong_unit["alpha_error_percent"] == pytest.approx(100 * np.log(1.1))
    assert wrong_unit["mpjpe_mm"] == pytest.approx(0.0, abs=1e-6)
    assert wrong_unit["erve_mm"] > 1.0


def test_filled_frames_can_be_left_out(
    state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    whole = motion_from_state(state, 30.0, body, cameras)
    seen = motion_from_state(state, 30.0, body, cameras, observed_only=True)
    assert len(whole.people[4].frames) == 9
    assert seen.people[4].frames.tolist() == [2, 3, 4, 5, 7, 8, 9, 10]


def test_soles_lie_under_the_feet(body: BodyModel) -> None:
    still = PersonState(
        frames=np.arange(1),
        R_world_root=np.eye(3)[None],
        body_pose=np.broadcast_to(np.eye(3), (1, 23, 3, 3)),
        betas=np.zeros(10),
        transl_world=np.zeros((1, 3)),
        observed=np.ones(1, dtype=bool),
        contacts=np.ones((1, 4)),
    )
    lowest = body.v_template[:, 1].min()
    floor = np.array([0.0, 1.0, 0.0, -lowest])
    motion = motion_from_state(OptimizationState({1: still}, floor, 1.0), 30.0, body)
    soles = motion.people[1].soles_world
    assert soles is not None
    assert soles.shape == (1, 8, 3)
    assert (soles[0, :4, 0] > 0).all()  # the left foot, body facing +z
    assert (soles[0, 4:, 0] < 0).all()
    result = evaluate_motion(motion)
    assert result["floating_percent"] == 0.0
    assert result["penetration_mm"] < 5.0


def write_truth(
    path: Path, state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = cameras.R_cam_world
    poses[:, :3, 3] = ALPHA * cameras.t_cam_world
    arrays: dict[str, np.ndarray] = {
        "person_ids": np.array(sorted(state.people)),
        "cameras": poses,
        "intrinsics": cameras.intrinsics,
        "alpha": np.array(ALPHA),
        "ground_plane": state.ground_plane,
        "fps": np.array(30.0),
    }
    for i, p in state.people.items():
        rotations = np.concatenate([p.R_world_root[:, None], p.body_pose], axis=1)
        arrays |= {
            f"person_{i}_frames": p.frames,
            f"person_{i}_poses": axis_angle_from_matrix(rotations).astype(np.float32),
            f"person_{i}_transl": p.transl_world,
            f"person_{i}_betas": p.betas,
            f"person_{i}_joints": joint_positions(
                body, p.betas, p.R_world_root, p.body_pose, p.transl_world
            ),
            f"person_{i}_contacts": p.contacts > 0.5,
        }
    np.savez(path, **arrays)


def test_ground_truth_file(
    tmp_path: Path, state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    path = tmp_path / "ground_truth.npz"
    write_truth(path, state, cameras, body)
    gt = motion_from_ground_truth(path, body)
    assert sorted(gt.people) == [4, 11]
    result = evaluate_motion(motion_from_state(state, 30.0, body, cameras), gt)
    assert result["w_mpjpe100_se3_mm"] < 1e-3
    assert result["mpjpe_mm"] < 1e-3
    assert result["alpha_error_percent"] == pytest.approx(0.0, abs=1e-9)
    assert result["contact_f1"] == 1.0


def test_truth_of_another_body_is_refused(
    tmp_path: Path, state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    path = tmp_path / "ground_truth.npz"
    write_truth(path, state, cameras, embedded_body("male"))
    with pytest.raises(InputError, match="--body"):
        motion_from_ground_truth(path, body)


def test_truth_without_an_array_is_refused(
    tmp_path: Path, state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    path = tmp_path / "ground_truth.npz"
    write_truth(path, state, cameras, body)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file if name != "person_4_betas"}
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="person_4_betas"):
        motion_from_ground_truth(path, body)


def test_truth_need_not_know_the_unit_or_the_floor(
    tmp_path: Path, state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    path = tmp_path / "ground_truth.npz"
    write_truth(path, state, cameras, body)
    with np.load(path) as file:
        arrays = {k: file[k] for k in file if k not in ("alpha", "ground_plane")}
    np.savez(path, **arrays)
    truth = motion_from_ground_truth(path, body)
    assert truth.alpha is None
    assert truth.ground_plane is None
    found = evaluate_motion(motion_from_state(state, 30.0, body, cameras), truth)
    assert found["wa_mpjpe100_mm"] == pytest.approx(0, abs=1e-3)
    assert np.isnan(found["alpha_error_percent"])
    assert np.isnan(found["ground_angle_deg"])


def write_results(folder: Path, state: OptimizationState, cameras: CameraTrack) -> None:
    folder.mkdir(parents=True)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, :3, :3] = cameras.R_cam_world
    poses[:, :3, 3] = state.alpha * cameras.t_cam_world
    np.savez(
        folder / "cameras_refined.npz",
        poses=poses,
        intrinsics=cameras.intrinsics,
        alpha=state.alpha,
    )
    for i, p in state.people.items():
        person = folder / f"person_{i:03d}"
        person.mkdir()
        np.savez(
            person / "smpl_params_refined.npz",
            poses=axis_angle_from_matrix(p.body_pose),
            betas=p.betas,
            global_orient=axis_angle_from_matrix(p.R_world_root),
            transl=p.transl_world,
            frames=p.frames,
            fps=30.0,
            **({"contacts": p.contacts} if i == 4 else {}),
        )
    document = {
        "status": "success",
        "scale_alpha": state.alpha,
        "scale_delta": state.scale_delta,
        "ground_plane": state.ground_plane.tolist(),
        "world": {"up": "y", "units": "m", "fps": 30.0},
    }
    (folder / "refinement_results.json").write_text(json.dumps(document), encoding="utf-8")


def test_written_results(
    tmp_path: Path, state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    write_results(tmp_path / "5_refinement", state, cameras)
    motion = motion_from_results(tmp_path, body)
    result = evaluate_motion(motion, motion_from_state(state, 30.0, body, cameras))
    for key in ("w_mpjpe100_se3_mm", "mpjpe_mm", "ground_offset_cm", "alpha_error_percent"):
        assert result[key] == pytest.approx(0.0, abs=1e-6), key
    assert motion.people[4].contacts is not None
    assert motion.people[11].contacts is None


def test_missing_or_failed_results_are_refused(
    tmp_path: Path, state: OptimizationState, cameras: CameraTrack, body: BodyModel
) -> None:
    with pytest.raises(InputError, match="refine it first"):
        motion_from_results(tmp_path, body)
    write_results(tmp_path / "5_refinement", state, cameras)
    file = tmp_path / "5_refinement" / "refinement_results.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(document | {"status": "failed"}), encoding="utf-8")
    with pytest.raises(InputError, match="failed run"):
        motion_from_results(tmp_path, body)
    file.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        motion_from_results(tmp_path, body)
