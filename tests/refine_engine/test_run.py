from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refine_engine import cli, run
from refine_engine.config import RefinementConfig
from refine_engine.errors import Cancelled, InputError
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.refinement.checkpoint import read_checkpoint
from refine_engine.refinement.control import RunControl
from refine_engine.run import refine_folder, run_refinement
from refine_engine.safe_files import only_writer

QUICK = RefinementConfig(
    root_fitting_iterations=2,
    smpl_fitting_iterations=3,
    motion_prior_iterations=1,
    environmental_iterations=2,
    scale_iterations=2,
    final_iterations=2,
    threads=1,
)
QUICK_SETTINGS = [
    word
    for key in ("root_fitting", "smpl_fitting", "motion_prior", "environmental", "scale", "final")
    for word in ("--set", f"{key}_iterations=2")
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "sample"
    options = SampleOptions(
        people=2,
        frames=20,
        seed=4,
        video=False,
        camera="orbit",
        image_size=(360, 640),
        depth_size=(84, 147),
    )
    write_results_folder(make_scene(options), folder)
    return folder


@pytest.fixture
def sample(original: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    shutil.copytree(original, folder)
    return folder


def test_folder_in_files_out(sample: Path) -> None:
    done = refine_folder(sample, config=QUICK)
    target = sample / "5_refinement"
    assert done.folder == target
    stored = json.loads((target / "refinement_results.json").read_text())
    assert stored == done.results
    assert stored["status"] == "success"
    assert stored["num_people"] == 2
    assert set(stored["metrics"]["total_loss_history"]) == {
        "root",
        "smpl",
        "motion",
        "environmental",
        "scale",
        "final",
    }
    assert stored["scale_sigma"] > 0
    assert stored["before_after"]["ground_truth"] is True
    metrics = stored["before_after"]
    assert metrics["after"]["pa_mpjpe_mm"] < metrics["before"]["pa_mpjpe_mm"]
    for i in (1, 2):
        with np.load(target / f"person_{i:03d}" / "smpl_params_refined.npz") as arrays:
            assert len(arrays["frames"]) == len(arrays["poses"])
    assert (target / "cameras_refined.npz").is_file()
    assert read_checkpoint(target / "checkpoint.npz").next_substage is None


def test_stages_in_separate_folders(sample: Path, tmp_path: Path) -> None:
    names = {1: "1_camera_estimation", 2: "2_tracking", 3: "3_pose_estimation", 4: "4_world_space"}
    moved = {}
    for number, name in names.items():
        moved[f"stage{number}_output_dir"] = tmp_path / f"apart{number}" / "x"
        moved[f"stage{number}_output_dir"].parent.mkdir()
        (sample / name).rename(moved[f"stage{number}_output_dir"])
    settings = {k: v for k, v in QUICK.to_dict().items() if v is not None}
    found = run_refinement(**moved, stage5_output_dir=tmp_path / "out", config=settings, fps=25.0)
    assert found["status"] == "success"
    assert found["num_people"] == 2
    assert found["world"]["fps"] == 25.0
    assert found["world"]["fps_source"] == "user"
    assert (tmp_path / "out" / "refinement_results.json").is_file()
    # Stage 2 and 4 may be left out, and an error names the file where the caller has it.
    moved["stage2_output_dir"] = moved["stage4_output_dir"] = tmp_path / "nowhere"
    cameras = moved["stage1_output_dir"] / "cameras.npz"
    cameras.write_bytes(cameras.read_bytes()[:100])
    with pytest.raises(InputError) as caught:
        run_refinement(**moved, stage5_output_dir=tmp_path / "out", config=settings)
    assert caught.value.where.startswith(str(cameras))


def test_a_stage_that_is_not_named_is_not_used(sample: Path) -> None:
    found = run_refinement(
        stage4_output_dir=None,
        stage1_output_dir=sample / "1_camera_estimation",
        stage2_output_dir=None,
        stage3_output_dir=sample / "3_pose_estimation",
        stage5_output_dir=sample / "5_refinement",
        config=QUICK,
    )
    assert any("No masks of people" in sentence for sentence in found["report"]["missing"])
    assert not [f for f in found["report"]["findings"] if f["code"] == "B1"]


def test_a_missing_stage_leaves_failed_and_no_numbers(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Stage 3"):
        run_refinement(
            stage4_output_dir=None,
            stage1_output_dir=sample / "1_camera_estimation",
            stage2_output_dir=None,
            stage3_output_dir=tmp_path / "nowhere",
            stage5_output_dir=tmp_path / "out",
        )
    failed = json.loads((tmp_path / "out" / "refinement_results.json").read_text())
    assert failed["status"] == "failed"
    assert failed["scale_alpha"] is None
    assert "people" not in failed


@pytest.mark.parametrize("number", [1, 3])
def test_stages_1_and_3_are_needed(sample: Path, tmp_path: Path, number: int) -> None:
    given = {
        "stage1_output_dir": sample / "1_camera_estimation",
        "stage2_output_dir": None,
        "stage3_output_dir": sample / "3_pose_estimation",
        "stage4_output_dir": None,
        "stage5_output_dir": tmp_path / "out",
    }
    name = f"stage{number}_output_dir"
    with pytest.raises(InputError, match=f"{name}: is missing"):
        run_refinement(**{**given, name: None})
    with pytest.raises(InputError, match=f"holds no .*run Stage {number}"):
        run_refinement(**{**given, name: sample / "2_tracking"})


@pytest.mark.parametrize("what", ["depth", "keypoints", "masks"])
def test_what_is_missing_is_said_and_the_rest_refined(sample: Path, what: str) -> None:
    if what == "depth":
        shutil.rmtree(sample / "1_camera_estimation" / "depth_maps")
    elif what == "masks":
        shutil.rmtree(sample / "2_tracking" / "masks")
    else:
        for file in (sample / "3_pose_estimation").rglob("keypoints_2d.npy"):
            file.unlink()
    done = refine_folder(sample, config=QUICK)
    assert done.results["status"] == "success"
    said = json.dumps(done.results["report"]).lower()
    assert {"depth": "depth", "keypoints": "projection", "masks": "mask"}[what] in said
    if what == "depth":
        assert done.results["scale_cues"]["depth"]["alpha"] is None


def test_a_stopped_run_is_kept_and_resumed(sample: Path) -> None:
    control = RunControl()

    def stop(snapshot: Any) -> None:
        if snapshot.sub_stage == "environmental" and snapshot.event == "iteration":
            control.stop()

    done = refine_folder(sample, config=QUICK, control=control, watch=stop)
    assert done.results["status"] == "stopped"
    checkpoint = read_checkpoint(done.folder / "checkpoint.npz")
    assert checkpoint.next_substage == "environmental"
    again = refine_folder(sample, config=QUICK, resume=True)
    assert again.results["status"] == "success"
    ran = {s["sub_stage"]: s for s in again.results["sub_stages"]}
    assert ran["root"]["iterations"] == next(
        s.iterations for s in checkpoint.results if s.sub_stage == "root"
    )
    assert ran["final"]["iterations"] > 0
    with pytest.raises(InputError, match="had finished"):
        refine_folder(sample, config=QUICK, resume=True)


def test_a_sub_stage_stopped_and_rolled_back_runs_again(sample: Path, tmp_path: Path) -> None:
    output = refine_folder(sample, config=QUICK).output
    *others, last = output.sub_stages
    halted = replace(last, status="rolled_back", message="worse", interrupted=True)
    run._save(tmp_path, replace(output, status="stopped", sub_stages=(*others, halted)), QUICK)
    assert read_checkpoint(tmp_path / "checkpoint.npz").next_substage == last.sub_stage


def test_a_cancelled_run_leaves_no_results(sample: Path) -> None:
    control = RunControl()

    def cancel(snapshot: Any) -> None:
        if snapshot.sub_stage == "smpl":
            control.cancel()

    with pytest.raises(Cancelled):
        refine_folder(sample, config=QUICK, control=control, watch=cancel)
    assert not (sample / "5_refinement" / "refinement_results.json").exists()


def test_a_checkpoint_of_other_people_is_refused(sample: Path) -> None:
    refine_folder(sample, config=QUICK.replace(enable_final_refinement=False, max_frames=12))
    with pytest.raises(InputError, match=r"frames|finished"):
        refine_folder(sample, config=QUICK, resume=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set", "lambda_skates=1"],
        ["--set", "lambda_skate"],
        ["--disable", "init"],
        ["--config", "no_such_preset"],
        ["--max-frames", "0"],
        ["--resume"],
    ],
)
def test_bad_usage_ends_with_2_and_one_sentence(
    sample: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["refine", str(sample), *arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("smpl-refiner: ")
    assert "\n" not in said


def test_refine_on_the_command_line(
    sample: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = sample.parent / "elsewhere"
    # A terminal, to which sentences are fitted; in a pipe each stays on one line.
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    code = cli.main(
        [
            "refine",
            str(sample),
            "--output",
            str(out),
            "--config",
            "fast_preview",
            "--disable",
            "environmental",
            "--max-frames",
            "15",
            *QUICK_SETTINGS,
        ]
    )
    assert code == 0
    captured = capsys.readouterr()
    assert "WA-MPJPE100" in captured.out
    assert "alpha" in captured.out
    lines = captured.out.splitlines()
    assert max(len(line) for line in lines if str(out) not in line) <= 80
    assert any(line.startswith("  ") for line in lines[-8:])
    assert "SMPL fitting" in captured.err
    assert "switched off" in captured.err
    stored = json.loads((out / "refinement_results.json").read_text())
    assert max(stored["people"]["1"]["frames"]) < 15
    assert stored["config"]["depth_stride"] == 8


def test_json_on_the_command_line(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["refine", str(sample), "--json", "--quiet", *QUICK_SETTINGS]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    found = json.loads(printed.out)
    assert found["status"] == "success"
    assert Path(found["output"]).is_dir()


def test_the_summary_says_what_was_missing_and_what_was_not_used(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(sample / "1_camera_estimation" / "depth_maps")
    (sample / "3_pose_estimation" / "person_002" / "smpl_params_camera.npz").write_bytes(b"")
    assert cli.main(["refine", str(sample), *QUICK_SETTINGS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("missing: No depth maps: ") for line in lines)
    (useless,) = [line for line in lines if line.startswith("not used: ")]
    assert "Person 2: " in useless
    assert "smpl_params_camera.npz: is empty" in useless


def test_a_damaged_ground_truth_costs_no_run(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = sample / "ground_truth.npz"
    truth.write_bytes(truth.read_bytes()[:1000])
    assert cli.main(["refine", str(sample), *QUICK_SETTINGS]) == 0
    said = capsys.readouterr().out
    assert "note: the ground truth was not used: " in said
    assert "ground_truth.npz: is a truncated or damaged .npz" in said
    stored = json.loads((sample / "5_refinement" / "refinement_results.json").read_text())
    assert stored["status"] == "success"
    assert stored["before_after"]["ground_truth"] is False


def test_nobody_of_an_earlier_run_stays_in_the_results(sample: Path) -> None:
    refine_folder(sample, config=QUICK)
    output = sample / "5_refinement"
    assert (output / "person_002").is_dir()
    (output / "person_001" / "mine.txt").write_text("mine")
    (output / "person_x").mkdir()
    shutil.rmtree(sample / "3_pose_estimation" / "person_002")
    refine_folder(sample, config=QUICK)
    assert sorted(p.name for p in output.glob("person_*")) == ["person_001", "person_x"]
    assert (output / "person_001" / "mine.txt").is_file()


def test_keypoints_and_up_may_lie_elsewhere(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `inspect` can be told, `refine` can be told too."""
    people = []
    for i in (1, 2):
        place = sample / "3_pose_estimation" / f"person_{i:03d}"
        frames = json.loads((place / "metadata.json").read_text())["frames"]
        stored = np.load(place / "keypoints_2d.npy")
        people += [
            {"image_id": frame, "keypoints": row.ravel().tolist(), "score": 0.9}
            for frame, row in zip(frames, stored, strict=True)
        ]
        (place / "keypoints_2d.npy").unlink()
    detections = tmp_path / "detections.json"
    detections.write_text(json.dumps(people))
    assert cli.main(["refine", str(sample), *QUICK_SETTINGS]) == 0
    assert "missing: No 2-D keypoints" in capsys.readouterr().out
    command = ["refine", str(sample), *QUICK_SETTINGS, "--keypoints", str(detections), "--up=-y"]
    assert cli.main(command) == 0
    assert "No 2-D keypoints" not in capsys.readouterr().out
    assert cli.main(["refine", str(sample), "--up", "w"]) == 2
    assert "use x, y or z with an optional sign" in capsys.readouterr().err


def test_two_runs_do_not_write_one_folder_at_once(
    sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refine_folder(sample, config=QUICK)
    output = sample / "5_refinement"
    before = {p: p.read_bytes() for p in output.rglob("*") if p.is_file()}
    with only_writer(output):
        assert cli.main(["refine", str(sample), *QUICK_SETTINGS]) == 1
    assert "5_refinement: is being written by another run" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in output.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_keeps_what_was_reached(
    sample: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    from refine_engine import progress

    shown: Callable[..., None] = progress.Progress.show

    def show_and_interrupt(self: Any, snapshot: Any) -> None:
        shown(self, snapshot)
        if snapshot.sub_stage == "smpl" and snapshot.event == "iteration":
            os.kill(os.getpid(), number)

    assert threading.current_thread() is threading.main_thread()
    monkeypatch.setattr(progress.Progress, "show", show_and_interrupt)

    def ours(_signal: int, _frame: object) -> None:
        """In place of what these tests were started with: under nohup, say, to be ignored."""

    before = signal.signal(number, ours)
    try:
        assert cli.main(["refine", str(sample), *QUICK_SETTINGS]) == 130
        assert signal.getsignal(number) is ours
    finally:
        signal.signal(number, before)
    stored = json.loads((sample / "5_refinement" / "refinement_results.json").read_text())
    assert stored["status"] == "stopped"
    assert read_checkpoint(sample / "5_refinement" / "checkpoint.npz").next_substage == "smpl"
