"""Results that were damaged or edited: every reader says which file, and never stumbles."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refine_engine import cli
from refine_engine.config import RefinementConfig
from refine_engine.exporters.content import ExportContent
from refine_engine.exporters.results_json import write_results
from refine_engine.refinement.checkpoint import write_checkpoint
from refine_engine.scene import CameraTrack, Scene
from refine_engine.state import OptimizationState, RefinementOutput, ScaleReport

COMMANDS = (
    ["export", "--format", "csv", "--overwrite"],
    ["export", "--format", "glb", "--overwrite"],
    ["compare", "."],
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, content: ExportContent) -> Path:
    folder = tmp_path_factory.mktemp("good") / "run"
    state = OptimizationState(dict(content.people), content.ground_plane, content.alpha, 0.0)
    cameras = CameraTrack(
        R_cam_world=content.R_cam_world,
        t_cam_world=content.t_cam_world / content.alpha,
        intrinsics=content.intrinsics,
        image_size=content.image_size,
        intrinsics_pose=content.intrinsics,
        chunk=np.zeros(content.num_frames, dtype=np.int64),
    )
    scene = Scene(people={}, cameras=cameras, fps=content.fps, fps_source="video")
    output = RefinementOutput(
        status="success",
        state=state,
        initial_state=state,
        sub_stages=(),
        convergence_achieved=True,
        scale=ScaleReport(content.alpha, content.alpha, 0.0, 0.05, True, False),
        per_person_likelihoods={2: 0.8, 11: 0.7},
    )
    write_results(folder, output, scene, RefinementConfig(), None, content.body.name)
    write_checkpoint(folder / "checkpoint.npz", state, (), {})
    return folder


def answers(folder: Path, good: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What each command says, after it ended with a code for bad input, or with success."""
    said = []
    for name, *options in COMMANDS:
        arguments = [name, str(folder), *(str(good) if o == "." else o for o in options)]
        code = cli.main(arguments)
        text = capsys.readouterr().err
        assert code == (2 if text.startswith("smpl-refiner: ") else 0), text
        assert "defect" not in text
        said.append(text)
    return said


def test_as_written_everything_works(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not any(text.startswith("smpl-refiner") for text in answers(good, good, capsys))


@pytest.mark.parametrize("value", [None, "x", -1, [], {}, [1, 2], {"a": None}, float("inf"), True])
@pytest.mark.parametrize("key", ["scale_alpha", "ground_plane", "world", "body", "people"])
def test_wrong_values_in_the_document_are_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: object
) -> None:
    shutil.copytree(good, tmp_path / "run")
    path = tmp_path / "run" / "refinement_results.json"
    document = json.loads(path.read_text())
    document[key] = value
    path.write_text(json.dumps(document))
    said = answers(tmp_path / "run", good, capsys)
    if (key, value) != ("scale_alpha", True):  # true counts as 1, as in Python
        assert str(tmp_path) in said[0]


@pytest.mark.parametrize("value", ["x", -1, [1, 2], [None], {"1": "x"}, {"after": 3}])
@pytest.mark.parametrize(
    "key",
    ["config", "before_after", "sub_stages", "per_person_likelihoods", "alpha_0", "scale_sigma"],
)
def test_wrong_values_that_only_a_comparison_reads_are_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: object
) -> None:
    shutil.copytree(good, tmp_path / "run")
    path = tmp_path / "run" / "refinement_results.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    *_, compared = answers(tmp_path / "run", good, capsys)
    harmless = [("config", {"1": "x"}), ("config", {"after": 3}), ("before_after", {"1": "x"})]
    if (key, value) not in [*harmless, ("alpha_0", -1), ("scale_sigma", -1)]:
        assert "refinement_results.json: holds no " in compared
        assert repr(key) in compared


Change = Callable[[np.ndarray], Any]
CHANGES: dict[str, Change] = {
    "gone": lambda a: None,
    "one number": lambda a: np.array(3.0),
    "another axis": lambda a: a[None],
    "text": lambda a: a.astype(str),
    "cut": lambda a: a[:-1] if a.ndim else a,
    "nan": lambda a: a * np.nan if a.dtype.kind == "f" else a.astype(str),
    "negative": lambda a: -a - 1 if a.dtype.kind in "if" else a[:0],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["frames", "poses", "global_orient", "betas", "transl"])
def test_wrong_arrays_of_a_person_are_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, change: str
) -> None:
    damage(good, tmp_path, "person_002/smpl_params_refined.npz", name, change)
    said = answers(tmp_path / "run", good, capsys)
    if change != "negative" or name == "frames":
        assert change == "another axis" or "smpl_params_refined.npz" in said[0]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["poses", "intrinsics_pose", "image_size"])
def test_wrong_cameras_are_named(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, change: str
) -> None:
    damage(good, tmp_path, "cameras_refined.npz", name, change)
    said = answers(tmp_path / "run", good, capsys)
    if change not in ("negative", "cut"):
        assert "cameras_refined.npz" in said[0]


@pytest.mark.parametrize("change", [c for c in CHANGES if c != "negative"])
@pytest.mark.parametrize("name", ["person_ids", "person_2_frames", "person_2_transl_world"])
def test_wrong_checkpoints_are_named(good: Path, tmp_path: Path, name: str, change: str) -> None:
    from refine_engine.errors import InputError
    from refine_engine.refinement.checkpoint import read_checkpoint

    damage(good, tmp_path, "checkpoint.npz", name, change)
    path = tmp_path / "run" / "checkpoint.npz"
    if (name, change) in (("person_ids", "cut"), ("person_ids", "text"), ("person_ids", "nan")):
        # One person less is the run's to judge; numbers as text are numbers.
        assert read_checkpoint(path).state.people
        return
    with pytest.raises(InputError, match=r"checkpoint\.npz"):
        read_checkpoint(path)


def damage(good: Path, place: Path, file: str, name: str, change: str) -> None:
    shutil.copytree(good, place / "run")
    path = place / "run" / file
    with np.load(path) as stored:
        arrays = dict(stored)
    changed = CHANGES[change](arrays[name])
    arrays = {k: v for k, v in arrays.items() if k != name}
    if changed is not None:
        arrays[name] = changed
    np.savez(path, **arrays)


def test_the_fixture_is_what_was_exported(good: Path, content: ExportContent) -> None:
    from refine_engine.exporters.sources import refined_content

    found = refined_content(good)
    for i, person in content.people.items():
        ours = replace(person, joint_sigma=None)
        np.testing.assert_allclose(found.joints(found.people[i]), content.joints(ours), atol=1e-5)
