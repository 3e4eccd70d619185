from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from refine_engine.batch.folders import find_folders
from refine_engine.batch.memory import expected_mb
from refine_engine.batch.plan import make_plan, result_places
from refine_engine.batch.record import (
    BatchSettings,
    can_resume,
    fingerprint,
    is_finished,
    write_record,
)
from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError
from refine_engine.exporters.results_json import write_json
from refine_engine.refinement.checkpoint import write_checkpoint
from refine_engine.state import SUBSTAGES, OptimizationState, SubStageResult

SETTINGS = BatchSettings(RefinementConfig())


def results(folder: Path) -> Path:
    """Enough of a results folder to be found."""
    for name in ("1_camera_estimation/cameras.npz", "3_pose_estimation/person_1/x.npz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "1_camera_estimation" / "cameras.npz", poses=np.eye(4)[None])
    np.savez(folder / "3_pose_estimation" / "person_1" / "smpl_params_camera.npz", a=np.zeros(1))
    return folder


def test_folders_are_found_at_any_depth_and_once(tmp_path: Path) -> None:
    wanted = [results(tmp_path / "a"), results(tmp_path / "b" / "c" / "d"), results(tmp_path / "e")]
    # What is inside a results folder is never another one.
    results(wanted[0] / "exports" / "again")
    results(tmp_path / ".hidden")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found = find_folders([tmp_path, tmp_path / "e", wanted[1]])
    assert [f.folder for f in found] == wanted
    assert not any(f.problem for f in found)


def test_a_results_folder_can_be_named_itself(tmp_path: Path) -> None:
    folder = results(tmp_path / "only")
    assert [f.folder for f in find_folders([folder])] == [folder]


def test_a_folder_without_people_is_not_passed_over(tmp_path: Path) -> None:
    results(tmp_path / "good")
    (tmp_path / "bad" / "1_camera_estimation").mkdir(parents=True)
    bad, good = find_folders([tmp_path])
    assert good.problem == ""
    assert bad.folder == tmp_path / "bad"
    assert "holds no MultiTRAM results" in bad.problem


def test_roots_with_nothing_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    results(tmp_path / "good")
    with pytest.raises(InputError, match=r"empty: holds no MultiTRAM results folder"):
        find_folders([tmp_path / "good", tmp_path / "empty"])
    with pytest.raises(InputError, match="does not exist"):
        find_folders([tmp_path / "nowhere"])


def test_fingerprints_change_with_input_and_settings_only(tmp_path: Path) -> None:
    folder = results(tmp_path / "a")
    mark = fingerprint(folder, SETTINGS)
    assert fingerprint(folder, BatchSettings(RefinementConfig())) == mark
    # Results, exports and the batch's own files are no input.
    for name in ("5_refinement/x.npz", "exports/scene.glb", "batch_summary.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert fingerprint(folder, SETTINGS) == mark
    others = [
        BatchSettings(RefinementConfig(scale_iterations=7)),
        BatchSettings(RefinementConfig(), fps=25.0),
        BatchSettings(RefinementConfig(), body_file="SMPL_NEUTRAL.npz"),
    ]
    marks = {fingerprint(folder, settings) for settings in others}
    assert len(marks | {mark}) == 4
    path = folder / "1_camera_estimation" / "cameras.npz"
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))
    touched = fingerprint(folder, SETTINGS)
    assert touched != mark
    (folder / "1_camera_estimation" / "depth.npy").write_bytes(b"")
    assert fingerprint(folder, SETTINGS) != touched


def test_results_within_the_data_are_no_input(tmp_path: Path) -> None:
    folder = results(tmp_path / "a")
    output = folder / "refined"
    mark = fingerprint(folder, SETTINGS, output)
    write_json(output / "a" / "refinement_results.json", {"status": "success"})
    assert fingerprint(folder, SETTINGS, output) == mark
    assert fingerprint(folder, SETTINGS) != mark


def test_results_go_where_the_data_do_or_mirror_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    one, two = results(data / "one"), results(data / "deep" / "two")
    found = find_folders([data])
    assert result_places(found, None) == {
        one: one / "5_refinement",
        two: two / "5_refinement",
    }
    out = tmp_path / "out"
    mirrored = {one: out / "one", two: out / "deep" / "two"}
    assert result_places(found, out) == mirrored
    # Named one by one, as a shell's pattern does, they go to the same places.
    assert result_places(find_folders([one]), out) == {one: out / "one"}
    planned = {o.folder: (o.status, o.place) for o in make_plan(found, SETTINGS, out).rehearsed()}
    assert planned == {folder: ("to do", place) for folder, place in mirrored.items()}


def test_places_that_two_folders_would_share_are_refused(tmp_path: Path) -> None:
    first, second = results(tmp_path / "a" / "clip"), results(tmp_path / "b" / "clip")
    found = find_folders([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(InputError, match=r"one place for .*a/clip and .*b/clip"):
        result_places(found, tmp_path / "out")
    assert len(set(result_places(find_folders([tmp_path]), tmp_path / "out").values())) == 2
    with pytest.raises(InputError, match="among the data"):
        result_places(find_folders([tmp_path]), tmp_path)
    with pytest.raises(InputError, match="among the data"):
        result_places(find_folders([first, second.parent]), second.parent)


def test_the_present_folder_goes_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = results(tmp_path / "clip")
    monkeypatch.chdir(folder)
    assert result_places(find_folders([Path()]), tmp_path / "out") == {
        Path(): tmp_path / "out" / "clip"
    }


def test_finished_means_success_with_the_same_mark(tmp_path: Path) -> None:
    assert not is_finished(tmp_path, "a")
    write_record(tmp_path, "a", "success")
    assert not is_finished(tmp_path, "a"), "without results it is not"
    write_json(tmp_path / "refinement_results.json", {"status": "success"})
    assert is_finished(tmp_path, "a")
    assert not is_finished(tmp_path, "b")
    write_record(tmp_path, "a", "failed")
    assert not is_finished(tmp_path, "a")
    (tmp_path / "batch.json").write_text("{damaged")
    assert not is_finished(tmp_path, "a")


def test_only_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    state = OptimizationState({}, np.array([0.0, 1, 0, 0]), 1.0)
    path = tmp_path / "checkpoint.npz"
    root = [SubStageResult("root", "converged", 1, 0.1, 1.0, {})]
    write_record(tmp_path, "a", "stopped")
    assert not can_resume(tmp_path, "a"), "there is no checkpoint"
    write_checkpoint(path, state, root, {})
    assert can_resume(tmp_path, "a")
    assert not can_resume(tmp_path, "b")
    write_record(tmp_path, "a", "success")
    assert not can_resume(tmp_path, "a")
    write_record(tmp_path, "a", "running")
    everything = [SubStageResult(key, "converged", 1, 0.1, 1.0, {}) for key in SUBSTAGES[1:]]
    write_checkpoint(path, state, everything, {})
    assert not can_resume(tmp_path, "a"), "nothing is left to do in it"
    path.write_bytes(b"damaged")
    assert not can_resume(tmp_path, "a")


def test_memory_is_expected_by_rows(tmp_path: Path) -> None:
    folder = results(tmp_path / "a")
    small = expected_mb(folder)
    for person in (1, 2):
        place = folder / "3_pose_estimation" / f"person_{person}"
        place.mkdir(exist_ok=True)
        np.savez(place / "smpl_params_camera.npz", betas=np.zeros(10), transl=np.zeros((500, 3)))
    assert expected_mb(folder) == pytest.approx(small + 0.4 * 999)
    assert expected_mb(folder, max_frames=100) == pytest.approx(small + 0.4 * 199)
    (place / "smpl_params_camera.npz").write_bytes(b"damaged")
    assert expected_mb(folder) == pytest.approx(small + 0.4 * 499)
