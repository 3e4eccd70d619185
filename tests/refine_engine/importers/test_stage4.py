"""Stage 4: recognised as wrong (B1, B2, B17), used only where Stage 3 is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.body import embedded_body, rest_joints
from refine_engine.errors import InputError
from refine_engine.geometry.cameras import to_world
from refine_engine.geometry.rotations import geodesic_angle
from refine_engine.importers import load_results
from refine_engine.scene import Finding, Scene
from tests.refine_engine.importers import folders

ROWS = 42
"""24 of person 1 and 18 of person 2."""


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", depth=False, masks=False)


def found(scene: Scene, code: str) -> Finding:
    (finding,) = (f for f in scene.report.findings if f.code == code)
    return finding


def rewrite(truth: folders.Truth, person: int, transl: np.ndarray) -> None:
    path = truth.world / f"person_{person:03d}" / "smpl_params_world.npz"
    with np.load(path) as arrays:
        content = dict(arrays)
    np.savez(path, **(content | {"transl": transl}))


def once(truth: folders.Truth, person: int) -> np.ndarray:
    """World translation with the cameras applied the right way, the pelvis forgotten."""
    frames = truth.frames[person]
    return to_world(truth.transl_cam[person], truth.R_recon[frames], truth.t_recon[frames])


def test_b1_the_double_inverse_is_recognised_and_discarded(truth: folders.Truth) -> None:
    scene = load_results(truth.root)
    finding = found(scene, "B1")
    assert (finding.count, finding.action) == (ROWS, "discarded")
    np.testing.assert_allclose(scene.people[1].transl_cam, truth.transl_cam[1], atol=1e-6)


def test_b1_is_undecidable_and_harmless_under_a_resting_camera(tmp_path: Path) -> None:
    truth = folders.write_results(tmp_path / "still", moving=False, depth=False, masks=False)
    codes = load_results(truth.root).report.codes()
    assert codes.isdisjoint({"B1", "B2", "stage4"})


def test_b2_alone_when_the_cameras_were_right(truth: folders.Truth) -> None:
    for i in (1, 2):
        rewrite(truth, i, once(truth, i))
    scene = load_results(truth.root)
    assert "B1" not in scene.report.codes()
    finding = found(scene, "B2")
    assert (finding.count, finding.action) == (ROWS, "repaired")
    worst = 0.0
    for i in (1, 2):
        rest = rest_joints(embedded_body(), truth.betas[i])[0]
        R = truth.R_recon[truth.frames[i]]
        worst = max(worst, np.linalg.norm(rest @ R - rest, axis=-1).max())
    assert f"up to {worst:.3f} m" in finding.message


def test_a_correct_stage_4_is_not_blamed(truth: folders.Truth) -> None:
    for i in (1, 2):
        rest = rest_joints(embedded_body(), truth.betas[i])[0]
        frames = truth.frames[i]
        R, t = truth.R_recon[frames], truth.t_recon[frames]
        rewrite(truth, i, to_world(truth.transl_cam[i] + rest, R, t) - rest)
    codes = load_results(truth.root).report.codes()
    assert codes.isdisjoint({"B1", "B2", "stage4", "B17"})


def test_a_stage_4_of_something_else_is_discarded(truth: folders.Truth) -> None:
    rewrite(truth, 1, truth.transl_cam[1] + 3.0)
    finding = found(load_results(truth.root), "stage4")
    assert (finding.count, finding.action) == (24, "discarded")


def shortened(truth: folders.Truth, num_cameras: int) -> None:
    """Cameras end early; Stage 4 drops rows but lists all frames."""
    truth.R_recon, truth.t_recon = truth.R_recon[:num_cameras], truth.t_recon[:num_cameras]
    truth.K = truth.K[:num_cameras]
    folders.write_cameras(truth)
    folders.write_world(truth)


def test_b17_dropped_rows_are_counted(truth: folders.Truth) -> None:
    shortened(truth, 18)
    scene = load_results(truth.root)
    counts = {f.person: f.count for f in scene.report.findings if f.code == "B17"}
    assert counts == {1: 6, 2: 3}
    assert found(scene, "B1").count == 18 + 15


@pytest.mark.parametrize("listed", [True, False])
def test_without_stage_3_people_come_back_from_stage_4(truth: folders.Truth, listed: bool) -> None:
    shortened(truth, 18)
    folders.remove(truth.poses)
    if not listed:
        (truth.world / "all_people_world.npz").unlink()
    scene = load_results(truth.root)
    for i, person in scene.people.items():
        kept = truth.frames[i] < 18
        np.testing.assert_array_equal(person.frames, truth.frames[i][kept])
        np.testing.assert_allclose(person.transl_cam, truth.transl_cam[i][kept], atol=1e-5)
        apart = geodesic_angle(person.R_cam_root, truth.R_cam_root[i][kept])
        assert apart.max() < 1e-5
    assert found(scene, "B1").action == "repaired"
    counts = {f.person: f.count for f in scene.report.findings if f.code == "B17"}
    assert counts == {1: 6, 2: 3}


def test_stage_4_without_cameras_is_not_enough(truth: folders.Truth) -> None:
    folders.remove(truth.poses)
    folders.remove(truth.cameras)
    with pytest.raises(InputError, match="no cameras to bring them back"):
        load_results(truth.root)


def test_a_hostile_list_of_frames_is_not_run(truth: folders.Truth, tmp_path: Path) -> None:
    marker = tmp_path / "was_run"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (marker,)  # type: ignore[return-value]

    content = np.empty((), dtype=object)
    content[()] = Hostile()
    np.savez(truth.world / "all_people_world.npz", person_1=content)
    scene = load_results(truth.root)
    assert not marker.exists()
    assert "unreadable" in scene.report.codes()
    assert list(scene.people) == [1, 2]


def test_damaged_stage_4_does_not_prevent_opening(truth: folders.Truth) -> None:
    path = truth.world / "person_001" / "smpl_params_world.npz"
    path.write_bytes(path.read_bytes()[:200])
    (truth.world / "person_002" / "smpl_params_world.npz").write_bytes(b"")
    scene = load_results(truth.root)
    assert {f.person for f in scene.report.findings if f.code == "unreadable"} == {1, 2}
    assert list(scene.people) == [1, 2]
