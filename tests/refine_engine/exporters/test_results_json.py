from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.config import RefinementConfig
from refine_engine.errors import ExportError
from refine_engine.exporters.results_json import (
    failure_dict,
    person_arrays,
    results_dict,
    write_json,
    write_results,
)
from refine_engine.scene import CameraTrack, Scene
from refine_engine.state import (
    OptimizationState,
    PersonState,
    RefinementOutput,
    ScaleReport,
    SubStageResult,
)

N = 5


@pytest.fixture
def scene() -> Scene:
    K = np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])
    cameras = CameraTrack(
        R_cam_world=np.tile(np.diag([1.0, -1, -1]), (N, 1, 1)),
        t_cam_world=np.arange(3.0 * N).reshape(N, 3),
        intrinsics=np.tile(K, (N, 1, 1)),
        image_size=(720, 1280),
        intrinsics_pose=K,
        chunk=np.zeros(N, dtype=np.int64),
    )
    return Scene(people={}, cameras=cameras, fps=25.0, fps_source="video")


@pytest.fixture
def output() -> RefinementOutput:
    person = PersonState(
        frames=np.arange(N),
        R_world_root=Rotation.random(N, random_state=0).as_matrix(),
        body_pose=np.tile(np.eye(3), (N, 23, 1, 1)),
        betas=np.linspace(-1, 1, 10),
        transl_world=np.random.default_rng(0).normal(size=(N, 3)),
        observed=np.array([True, True, False, True, True]),
        contacts=np.ones((N, 4)),
    )
    state = OptimizationState({7: person}, np.array([0.0, 1, 0, -0.1]), 2.0, 0.03)
    ran = SubStageResult("root", "converged", 2, 0.1, 4.0, {"total": (6.0, 4.0)})
    return RefinementOutput(
        status="success",
        state=state,
        initial_state=state,
        sub_stages=(SubStageResult("init", "converged", 0, 0.1, None, {}), ran),
        convergence_achieved=True,
        scale=ScaleReport(2.06, 2.0, 0.03, 0.05, observable=True, at_bound=False),
        per_person_likelihoods={7: 0.8},
    )


def test_the_documents_keys_are_always_there(output: RefinementOutput, scene: Scene) -> None:
    found = results_dict(output, scene, RefinementConfig())
    assert found["status"] == "success"
    assert found["num_people"] == 1
    assert found["convergence_achieved"] is True
    assert found["scale_alpha"] == pytest.approx(2.06)
    assert found["scale_delta"] == pytest.approx(0.03)
    assert found["metrics"]["total_loss_history"] == {"root": 4.0}
    assert found["metrics"]["scale_alpha"] == found["scale_alpha"]
    assert found["per_person_likelihoods"] == {"7": 0.8}
    failed = failure_dict(ValueError("why"))
    for key in ("status", "num_people", "convergence_achieved", "scale_alpha", "scale_delta"):
        assert key in failed
    assert failed["status"] == "failed"
    assert failed["scale_alpha"] is None


def test_the_bound_of_alpha_and_its_source_are_told(output: RefinementOutput, scene: Scene) -> None:
    assert results_dict(output, scene, RefinementConfig())["scale_bound"] is None
    scale = replace(output.scale, bound=(-0.24, 0.32), bound_source="alpha_bound_sigmas")
    found = results_dict(replace(output, scale=scale), scene, RefinementConfig())["scale_bound"]
    assert found == {"least": -0.24, "largest": 0.32, "source": "alpha_bound_sigmas"}


def test_files_hold_what_the_state_holds(
    tmp_path: Path, output: RefinementOutput, scene: Scene
) -> None:
    content = write_results(tmp_path, output, scene, RefinementConfig())
    stored = json.loads((tmp_path / "refinement_results.json").read_text())
    assert stored == content
    person = output.state.people[7]
    with np.load(tmp_path / "person_007" / "smpl_params_refined.npz") as arrays:
        assert arrays["poses"].shape == (N, 23, 3)
        rotation = Rotation.from_rotvec(arrays["global_orient"]).as_matrix()
        np.testing.assert_allclose(rotation, person.R_world_root, atol=1e-6)
        np.testing.assert_allclose(arrays["transl"], person.transl_world)
        np.testing.assert_array_equal(arrays["frames"], person.frames)
        assert arrays["fps"] == 25.0
    with np.load(tmp_path / "cameras_refined.npz") as arrays:
        np.testing.assert_allclose(arrays["poses"][:, :3, 3], 2.06 * scene.cameras.t_cam_world)
        assert arrays["alpha"] == pytest.approx(2.06)
    people = content["people"]["7"]
    np.testing.assert_allclose(people["transl"], person.transl_world, atol=1e-6)
    assert np.shape(people["body_pose"]) == (N, 69)
    assert not list(tmp_path.rglob(".*"))


def test_cameras_are_turned_by_what_people_s_images_share(
    tmp_path: Path, output: RefinementOutput, scene: Scene
) -> None:
    drift = np.arange(scene.num_frames)[:, None] * np.array([0.0004, -0.0009])
    shifted = {
        i: replace(p, image_shift=drift[p.frames], observed=np.full(len(p.frames), True))
        for i, p in output.state.people.items()
    }
    state = replace(output.state, people=shifted)
    write_results(tmp_path, replace(output, state=state), scene, RefinementConfig())
    with np.load(tmp_path / "cameras_refined.npz") as arrays:
        found = arrays["poses"]
    given = scene.cameras
    turn = Rotation.from_matrix(found[:, :3, :3] @ np.swapaxes(given.R_cam_world, -1, -2))
    seen = np.unique(np.concatenate([p.frames for p in output.state.people.values()]))
    wanted = np.stack([-drift[:, 1], drift[:, 0], np.zeros(len(drift))], axis=1)
    np.testing.assert_allclose(turn.as_rotvec()[seen], wanted[seen], atol=1e-6)
    centres = -np.einsum("tji,tj->ti", found[:, :3, :3], found[:, :3, 3])
    before = -np.einsum("tji,tj->ti", given.R_cam_world, given.t_cam_world)
    np.testing.assert_allclose(centres, state.alpha * before, atol=1e-9)


def test_nothing_that_json_lacks_is_written(output: RefinementOutput, scene: Scene) -> None:
    found = results_dict(output, scene, RefinementConfig(), {"before": {"x": float("nan")}})
    assert json.loads(json.dumps(found, allow_nan=False))["before_after"] == {"before": {"x": None}}


def test_an_unwritable_place_is_an_export_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ExportError, match="cannot be written"):
        write_json(tmp_path / "file" / "x.json", {})


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, output: RefinementOutput) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert replace(output, status="stopped").status == "stopped"


def documented(heading: str) -> set[str]:
    """Names in the first column of the table below a heading of ``docs/results.md``."""
    text = (Path(__file__).parents[3] / "docs" / "results.md").read_text(encoding="utf-8")
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_every_key_is_documented_and_nothing_else(output: RefinementOutput, scene: Scene) -> None:
    found = results_dict(output, scene, RefinementConfig())
    assert documented("`refinement_results.json`") == set(found)
    person = replace(output.state.people[7], joint_sigma=np.ones((N, 24)))
    stored = person_arrays(person, scene.fps)
    assert documented("`person_001/smpl_params_refined.npz`") == set(stored)
