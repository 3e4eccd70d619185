"""Folders that cannot be opened: exit code 2 and one sentence with file and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from refine_engine import cli
from tests.refine_engine.importers import folders


def missing(root: Path) -> Path:
    return root / "nowhere"


def empty(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


def a_file(root: Path) -> Path:
    (root / "file.txt").write_text("hello")
    return root / "file.txt"


def only_cameras(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    folders.remove(truth.poses)
    return truth.root


def no_people(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    for i in (1, 2):
        folders.remove(truth.person(i))
    folders.dump(truth.poses / "metadata.json", {"num_people": 0, "people": []})
    return truth.root


def empty_people(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    for i in (1, 2):
        arrays = folders.pose_arrays(truth, i)
        for name in ("poses", "global_orient", "transl"):
            arrays[name] = arrays[name][:0]
        folders.write_person(truth, i, arrays)
    return truth.root


def results_of_a_refinement(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    (truth.root / "5_refinement").mkdir()
    folders.dump(truth.root / "5_refinement" / "refinement_results.json", {"status": "success"})
    return truth.root / "5_refinement"


def zeros(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    for i in (1, 2):
        arrays = folders.pose_arrays(truth, i)
        folders.write_person(truth, i, {k: np.zeros_like(v) for k, v in arrays.items()})
    return truth.root


def nan_cameras(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    folders.write_cameras(truth, poses=np.full((24, 4, 4), np.nan))
    return truth.root


def truncated_cameras(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    path = truth.cameras / "cameras.npz"
    path.write_bytes(path.read_bytes()[:100])
    return truth.root


def cameras_of_another_length(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    folders.write_cameras(truth, intrinsics=np.tile(np.eye(3), (7, 1, 1)))
    return truth.root


def wrong_ndim(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    for i in (1, 2):
        folders.change_person(truth, i, poses=np.zeros(5))
    return truth.root


def nobody_in_the_cameras_frames(root: Path) -> Path:
    truth = folders.write_results(root / "run", depth=False, masks=False, world=False)
    for i in (1, 2):
        folders.list_frames(truth, i, truth.frames[i] + 500)
    folders.remove(truth.tracks)
    return truth.root


def tram(root: Path) -> Path:
    (root / "seq/hps").mkdir(parents=True)
    np.save(root / "seq/hps/hps_track_0.npy", np.zeros(3))
    np.save(root / "seq/camera.npy", np.zeros(3))
    return root / "seq"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (missing, "nowhere: does not exist"),
        (empty, "empty: holds no MultiTRAM results"),
        (a_file, "file.txt: is a file; name the results folder"),
        (only_cameras, "no people: there is no person_NUMBER/smpl_params_camera.npz; run Stage 3"),
        (no_people, "no people"),
        (empty_people, "smpl_params_camera.npz: holds no rows"),
        (zeros, "smpl_params_camera.npz: holds only zeros: pose estimation failed; run Stage 3"),
        (nan_cameras, "cameras.npz: has 24 cameras with NaN"),
        (truncated_cameras, "cameras.npz: is a truncated or damaged .npz"),
        (cameras_of_another_length, "cameras.npz:intrinsics: have shape (7, 3, 3) for 24 cameras"),
        (wrong_ndim, "smpl_params_camera.npz: 'poses' have shape (5,)"),
        (nobody_in_the_cameras_frames, "cameras for frames 0 to 23 only"),
        (results_of_a_refinement, "5_refinement: holds the results of a refinement, not what"),
        (tram, "looks like a TRAM folder, which cannot be opened yet"),
    ],
)
def test_exit_code_2_and_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], Path], text: str
) -> None:
    folder = make(tmp_path)
    assert cli.main(["inspect", str(folder)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert text in output.err
    assert output.err.count("\n") == 1
    assert str(tmp_path) in output.err
