"""The whole command, with real refinements of tiny scenes."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from refine_engine import cli
from refine_engine.batch.plan import Task
from refine_engine.batch.slurm import write_script
from refine_engine.errors import ExportError, InputError

QUICK = ["--disable", "motion", "--disable", "environmental", "--disable", "scale"]
QUICK += ["--disable", "final", "--disable", "smpl", "--set", "root_fitting_iterations=2"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "v1"
    command = ["sample", str(path), "--people", "1", "--frames", "16", "--no-video", "--no-masks"]
    assert cli.main([*command, "--image-size", "90x160", "--depth-size", "36x64"]) == 0
    return path


@pytest.fixture
def root(tmp_path: Path, scene: Path) -> Path:
    shutil.copytree(scene, tmp_path / "videos" / "v1")
    return tmp_path / "videos"


def statuses(root: Path) -> dict[str, str]:
    found = json.loads((root / "batch_summary.json").read_text())
    return {Path(f["folder"]).name: f["status"] for f in found["folders"]}


@pytest.mark.slow
def test_what_is_finished_is_skipped_until_its_input_changes(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["batch", str(root), *QUICK]) == 0
    assert statuses(root) == {"v1": "success"}
    result = root / "v1" / "5_refinement" / "refinement_results.json"
    assert json.loads(result.read_text())["status"] == "success"
    assert "1 success" in capsys.readouterr().out
    (row,) = csv.DictReader(io.StringIO((root / "batch_summary.csv").read_text()))
    stored = json.loads(result.read_text())["before_after"]
    assert float(row["foot_sliding_mm_before"]) == stored["before"]["foot_sliding_mm"]
    assert float(row["foot_sliding_mm_after"]) == stored["after"]["foot_sliding_mm"]
    written = result.stat().st_mtime_ns
    assert cli.main(["batch", str(root), *QUICK]) == 0
    assert statuses(root) == {"v1": "skipped"}
    assert result.stat().st_mtime_ns == written
    # A damaged input is another input: it is tried again, fails, and says why.
    people = next((root / "v1" / "3_pose_estimation").glob("person_*/smpl_params_camera.npz"))
    people.write_bytes(b"PK damaged")
    shutil.rmtree(root / "v1" / "4_world_space")
    capsys.readouterr()
    assert cli.main(["batch", str(root), *QUICK, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"failed": 1}
    assert "smpl_params_camera.npz" in found["folders"][0]["message"]
    assert statuses(root) == {"v1": "failed"}


def test_a_rehearsal_writes_nothing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "broken" / "1_camera_estimation").mkdir(parents=True)
    before = sorted(root.rglob("*"))
    assert cli.main(["batch", str(root), "--dry-run", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {Path(f["folder"]).name: f["status"] for f in found["folders"]} == {
        "broken": "failed",
        "v1": "to do",
    }
    shutil.rmtree(root / "broken")
    assert cli.main(["batch", str(root), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "nothing was done" in said
    assert str(root / "v1" / "5_refinement") in said
    assert str(root / "batch_summary.json") in said
    assert sorted(root.rglob("*")) == [p for p in before if "broken" not in p.parts]


def frozen(folder: Path) -> dict[Path, tuple[int, int]]:
    """Everything in a folder with size and time of change."""
    return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*"))}


@pytest.mark.slow
def test_data_that_may_not_be_written_to(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A whole batch, its rehearsal and its repetition leave the data as they were."""
    out = tmp_path / "out"
    before = frozen(root)
    command = ["batch", str(root), "--output", str(out), *QUICK]
    assert cli.main([*command, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert str(out / "v1") in said
    assert str(out / "batch_summary.json") in said
    assert not out.exists()
    assert cli.main(command) == 0
    assert statuses(out) == {"v1": "success"}
    stored = json.loads((out / "v1" / "refinement_results.json").read_text())
    assert stored["status"] == "success"
    (listed,) = json.loads((out / "batch_summary.json").read_text())["folders"]
    assert listed["place"] == str(out / "v1")
    # Named otherwise it is still the same folder, finished.
    assert cli.main(["batch", str(root / "v1"), "--output", str(out), *QUICK]) == 0
    assert statuses(out) == {"v1": "skipped"}
    assert frozen(root) == before
    capsys.readouterr()
    export = ["export", str(out / "v1"), "--format", "csv", "--output", str(tmp_path / "x.csv")]
    assert cli.main(export) == 0


def test_a_folder_that_cannot_be_written_to_names_the_way_out(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(files: object) -> None:
        raise ExportError(root / "batch_config.yaml", "cannot be written", "choose another place")

    monkeypatch.setattr("refine_engine.safe_files.write_files", refuse)
    assert cli.main(["batch", str(root)]) == 1
    assert "cannot be written; name a place for all that is written: --output DIR" in (
        capsys.readouterr().err
    )


def test_an_address_is_not_supported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["batch", "x", "--scheduler", "tcp://10.0.0.1:8786"])
    assert caught.value.code == 2
    assert "not supported" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fps", "0"], "fps: is 0.0"),
        (["--body", "nowhere.pkl"], "nowhere.pkl: does not exist"),
        (["--set", "lambda_depth=-1"], "lambda_depth: is -1, out of range"),
    ],
)
def test_what_is_wrong_for_every_folder_is_said_once(
    root: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = frozen(root)
    assert cli.main(["batch", str(root), *arguments]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert frozen(root) == before


def test_nothing_to_do_is_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["batch", str(tmp_path)]) == 2
    assert "holds no MultiTRAM results folder" in capsys.readouterr().err


def test_without_sbatch_the_script_is_written_and_it_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    command = ["batch", str(root), "--scheduler", "slurm", *QUICK]
    command += ["--force", "--body", "female"]
    assert cli.main([*command, "--sbatch=--partition=long", "--memory-mb", "1500"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "has no sbatch" in error
    script = (root / "batch_slurm.sh").read_text()
    assert "#SBATCH --array=0-0\n" in script
    assert "#SBATCH --partition=long\n" in script
    assert "#SBATCH --mem=1500M\n" in script
    assert " --body female --force --summary " in script
    assert (root / "batch_folders.txt").read_text() == f"{(root / 'v1').resolve()}\n"


@pytest.mark.skipif(os.name != "posix", reason="Slurm's scripts are for a POSIX shell")
@pytest.mark.slow
def test_a_submitted_array_refines_its_folders(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An ``sbatch`` that runs the first task of the array at once."""
    tools = tmp_path / "tools"
    tools.mkdir()
    sbatch = tools / "sbatch"
    sbatch.write_text(
        '#!/bin/bash\nSLURM_ARRAY_TASK_ID=0 bash "$1" >&2 && echo "Submitted batch job 7"\n'
    )
    sbatch.chmod(sbatch.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    spaced = root.rename(root.with_name("two words"))
    out = tmp_path / "results of it"
    before = frozen(spaced)
    command = ["batch", str(spaced.parent), "--output", str(out), *QUICK]
    assert cli.main([*command, "--scheduler", "slurm", "--body", "female"]) == 0
    assert "Submitted batch job 7\n1 folder in " in capsys.readouterr().out
    place = out / "two words" / "v1"
    stored = json.loads((place / "refinement_results.json").read_text())
    assert stored["body"]["gender"] == "female"
    assert frozen(spaced) == before
    # The same command afterwards finds it finished, on either scheduler.
    assert cli.main([*command, "--body", "female"]) == 0
    assert statuses(out) == {"v1": "skipped"}


def test_a_refused_job_is_an_error(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    sbatch = tools / "sbatch"
    sbatch.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('error: invalid partition')\n")
    sbatch.chmod(sbatch.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tools))
    assert cli.main(["batch", str(root), "--scheduler", "slurm"]) == 1
    assert "refused by sbatch (error: invalid partition)" in capsys.readouterr().err


def test_names_and_options_that_would_break_the_script(tmp_path: Path) -> None:
    def write(folder: Path, *options: str) -> None:
        write_script(
            tmp_path,
            [Task(folder, folder / "5_refinement", "mark", False, 300.0)],
            tmp_path / "c.yaml",
            elsewhere=False,
            again=False,
            fps=None,
            body_file=None,
            cpus=1,
            memory_mb=1,
            options=options,
        )

    with pytest.raises(InputError, match="line break"):
        write(tmp_path / "a\nb")
    with pytest.raises(InputError, match="no option of sbatch"):
        write(tmp_path / "a", "rm -rf")
    assert not list(tmp_path.iterdir())
