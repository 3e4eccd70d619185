"""The one way to write, the content behind it, and the command."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from refine_engine import cli
from refine_engine.body import BodyModel, embedded_body
from refine_engine.config import RefinementConfig
from refine_engine.errors import ExportChoiceError, ExportError, InputError
from refine_engine.exporters import FORMATS, ExportOptions, export
from refine_engine.exporters.content import ExportContent, content_of_state
from refine_engine.exporters.results_json import results_dict, write_results
from refine_engine.exporters.sources import refined_content, unrefined_content
from refine_engine.refinement.initialisation.start import initialise
from refine_engine.state import RefinementOutput, ScaleReport


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small results folder."""
    path = tmp_path_factory.mktemp("results") / "scene"
    command = ["sample", str(path), "--people", "2", "--frames", "20", "--no-video", "--no-masks"]
    assert cli.main([*command, "--image-size", "180x320", "--depth-size", "36x64"]) == 0
    return path


@pytest.fixture(scope="module")
def refined(folder: Path) -> RefinementOutput:
    """What a run would return, written as a run writes it; the motion is the one before."""
    from refine_engine.importers import load_results

    scene, body = load_results(folder), embedded_body("neutral")
    state = initialise(scene, body, RefinementConfig()).state
    state = replace(state, scale_delta=0.05)
    output = RefinementOutput(
        status="success",
        state=state,
        initial_state=state,
        sub_stages=(),
        convergence_achieved=True,
        scale=ScaleReport(state.alpha, state.alpha_0, 0.05, None, True, False),
        per_person_likelihoods={},
    )
    write_results(folder / "5_refinement", output, scene, RefinementConfig(), None, body.name)
    return output


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "json"])
def test_nothing_is_overwritten_unless_allowed(
    tmp_path: Path, content: ExportContent, name: str
) -> None:
    target = FORMATS[name].default_path(tmp_path)
    written = export(name, content, target)
    assert all(path.is_file() for path in written)
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == set(written)
    written[-1].write_bytes(b"mine")
    for path in written[:-1]:
        path.unlink()
    with pytest.raises(ExportError, match=r"exists already.*overwrite"):
        export(name, content, target)
    # Not even the files that were not there are written.
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [written[-1]]
    assert written[-1].read_bytes() == b"mine"
    assert export(name, content, target, ExportOptions(overwrite=True)) == written
    assert written[-1].read_bytes() != b"mine"


def test_wrong_places_and_names(tmp_path: Path, content: ExportContent) -> None:
    with pytest.raises(ExportError, match=r"fbx: does not exist; use one of .*glb"):
        export("fbx", content, tmp_path / "x")
    with pytest.raises(ExportError, match=r"is a folder.*name a \.glb file"):
        export("glb", content, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="name a folder"):
        export("bvh", content, tmp_path / "file")
    with pytest.raises(ExportError, match="cannot be written"):
        export("glb", content, tmp_path / "file" / "scene.glb")


def test_choices_that_leave_nothing(tmp_path: Path, content: ExportContent) -> None:
    with pytest.raises(ExportError, match=r"person 3: does not exist.*\[2, 11\]"):
        export("csv", content, tmp_path / "x.csv", ExportOptions(people=(2, 3)))
    with pytest.raises(
        ExportError, match=r"frames from 40 to before 50: are none of this video.*0 to 23"
    ):
        export("csv", content, tmp_path / "x.csv", ExportOptions(frames=(40, 50)))
    with pytest.raises(ExportError, match="show none of these people"):
        export("csv", content, tmp_path / "x.csv", ExportOptions(people=(11,), frames=(0, 3)))
    assert not list(tmp_path.iterdir())


def test_every_format_is_described() -> None:
    for name, target in FORMATS.items():
        assert target.name == name
        assert target.title
        assert len(target.description) > 20
        assert callable(target.build)
        assert target.is_folder == (not target.suffix)


def test_folder_and_memory_give_the_same(folder: Path, refined: RefinementOutput) -> None:
    from refine_engine.importers import load_results

    scene, body = load_results(folder), embedded_body("neutral")
    there = refined_content(folder)
    here = content_of_state(refined.state, scene, body)
    assert list(there.people) == list(here.people)
    for i, person in here.people.items():
        np.testing.assert_allclose(there.joints(there.people[i]), here.joints(person), atol=1e-5)
        np.testing.assert_array_equal(there.people[i].frames, person.frames)
        np.testing.assert_array_equal(there.people[i].observed, person.observed)
    np.testing.assert_allclose(there.w2c, here.w2c)
    np.testing.assert_allclose(there.intrinsics, here.intrinsics)
    np.testing.assert_allclose(there.ground_plane, here.ground_plane, atol=1e-6)
    assert there.image_size == here.image_size == (180, 320)
    assert there.fps == here.fps
    assert there.alpha == pytest.approx(here.alpha)
    # The folder that was written to can be named itself.
    assert refined_content(folder / "5_refinement").fps == there.fps


def test_before_is_where_a_refinement_starts(folder: Path, refined: RefinementOutput) -> None:
    before = unrefined_content(folder)
    assert before.document is None
    assert before.alpha == pytest.approx(refined.state.alpha_0)
    for i, person in refined.state.people.items():
        np.testing.assert_allclose(before.people[i].transl_world, person.transl_world)


def test_before_uses_the_settings_of_the_run(
    tmp_path: Path, folder: Path, refined: RefinementOutput
) -> None:
    import shutil

    copied = shutil.copytree(folder, tmp_path / "scene")
    path = copied / "5_refinement" / "refinement_results.json"
    document = json.loads(path.read_text())
    document["config"]["max_frames"] = 12
    document["world"]["fps"] = 25.0
    path.write_text(json.dumps(document))
    before = unrefined_content(copied)
    assert (before.num_frames, before.fps) == (12, 25.0)
    assert unrefined_content(copied, fps=24.0).fps == 24.0
    path.write_text("{damaged")
    before = unrefined_content(copied)
    assert (before.num_frames, before.fps) == (20, 30.0)


def test_the_document_is_exported_as_it_stands(
    tmp_path: Path, folder: Path, refined: RefinementOutput
) -> None:
    from refine_engine.importers import load_results

    content = refined_content(folder)
    (path,) = export("json", content, tmp_path / "refinement_results.json")
    stored = (folder / "5_refinement" / "refinement_results.json").read_bytes()
    assert path.read_bytes() == stored
    body = embedded_body("neutral")
    scene = load_results(folder)
    document = results_dict(refined, scene, RefinementConfig(), None, body.name)
    in_memory = content_of_state(refined.state, scene, body, document)
    (path,) = export("json", in_memory, tmp_path / "again.json")
    assert path.read_bytes() == stored
    with pytest.raises(ExportError, match="whole run"):
        export("json", content, tmp_path / "x.json", ExportOptions(people=(1,)))
    with pytest.raises(ExportChoiceError, match="as it stands"):
        export("json", content, tmp_path / "x.json", ExportOptions(floor=True))
    with pytest.raises(ExportError, match="refine it first"):
        export("json", unrefined_content(folder), tmp_path / "x.json")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d.update(status="failed"), "failed run"),
        (lambda d: d.pop("ground_plane"), "no key 'ground_plane'"),
        (lambda d: d["body"].update(name="SMPL_NEUTRAL.npz"), "was refined with the SMPL_NEUTRAL"),
        (lambda d: d["people"].update({"9": {}}), "lacks a person's"),
    ],
)
def test_results_that_cannot_be_exported(
    tmp_path: Path, folder: Path, refined: RefinementOutput, damage, message: str
) -> None:
    import shutil

    place = shutil.copytree(folder / "5_refinement", tmp_path / "results")
    path = place / "refinement_results.json"
    document = json.loads(path.read_text())
    damage(document)
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=message):
        refined_content(place)


def test_the_command_writes_beside_the_results(
    folder: Path, refined: RefinementOutput, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(folder), "--format", "bvh", "--people", "2"]) == 0
    written = folder / "exports" / "bvh" / "person_002.bvh"
    assert capsys.readouterr().out == f"wrote {written}\n"
    assert written.is_file()
    assert cli.main(["export", str(folder), "--format", "bvh", "--people", "2"]) == 1
    assert "exists already" in capsys.readouterr().err
    command = ["export", str(folder), "--format", "bvh", "--people", "2", "--overwrite"]
    assert cli.main([*command, "--before", "--frames", "3:8", "--floor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"format": "bvh", "files": [str(written)], "notes": []}
    assert "Frames: 5\n" in written.read_text()


def test_notes_go_to_stderr(
    tmp_path: Path, folder: Path, refined: RefinementOutput, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", str(folder), "--format", "amass", "--output", str(tmp_path / "a")]
    assert cli.main(command) == 0
    assert "note: SMPL-H has a shape space of its own" in capsys.readouterr().err


def test_the_command_without_a_refinement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(tmp_path), "--format", "glb"]) == 2
    assert "refine it first" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "fbx"],
        ["--format", "csv", "--people", "a"],
        ["--format", "csv", "--frames", "3"],
    ],
)
def test_bad_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["export", "folder", *arguments])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("smpl-refiner export: ")
    assert said.endswith("; see smpl-refiner export --help.\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "csv", "--people", "9"], "person 9: does not exist"),
        (["--format", "csv", "--frames", "90:"], "frames from 90: are none of this video"),
        (["--format", "json", "--people", "1"], "record of a whole run"),
        (["--format", "amass", "--rate", "0"], "is no frame rate"),
        (["--format", "bvh", "--up", "z"], "--up: does not apply to the format bvh"),
        (["--format", "glb", "--rate", "30"], "--rate: does not apply to the format glb"),
        (["--format", "csv", "--fps", "25"], "--fps: does not apply to a refinement"),
    ],
)
def test_what_cannot_be_done_is_bad_input_and_writes_nothing(
    tmp_path: Path,
    folder: Path,
    refined: RefinementOutput,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert cli.main(["export", str(folder), *arguments, "--output", str(out)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("columns", ["80", "100"])
def test_the_list_of_formats_fits_the_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        cli.main(["export", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert {line.split()[0] for line in lines if line.strip()} >= set(FORMATS)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_files_are_readable_by_others(tmp_path: Path, content: ExportContent) -> None:
    (path,) = export("csv", content, tmp_path / "x.csv")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_a_body_of_another_gender_is_used(
    tmp_path: Path, folder: Path, refined: RefinementOutput
) -> None:
    import shutil

    place = shutil.copytree(folder / "5_refinement", tmp_path / "results")
    path = place / "refinement_results.json"
    document = json.loads(path.read_text())
    document["body"] = {"name": None, "gender": "female"}
    path.write_text(json.dumps(document))
    body: BodyModel = refined_content(place).body
    assert body.gender == "female"
