from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from refine_engine.body import embedded_body
from refine_engine.errors import ConfigError, InputError, OptimizationError
from refine_engine.evaluation.sources import motion_from_ground_truth
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.pipeline import MultiTRAMPipeline


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people without errors, 20 frames."""
    folder = tmp_path_factory.mktemp("pipeline") / "sample"
    options = SampleOptions(
        people=2,
        frames=20,
        seed=3,
        clean=True,
        video=False,
        camera="orbit",
        image_size=(360, 640),
        depth_size=(84, 147),
    )
    write_results_folder(make_scene(options), folder)
    return folder


def pipeline(tmp_path: Path, base: Path, **sections: Any) -> MultiTRAMPipeline:
    config = tmp_path / "vggt.yaml"
    config.write_text(yaml.safe_dump({"stage5": {}, **sections}))
    return MultiTRAMPipeline(config, base)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"not looked at")
    return path


def test_stages_on_disk_are_reused_and_stage_4_is_right(
    tmp_path: Path, sample: Path, video: Path
) -> None:
    base = tmp_path / "results"
    shutil.copytree(sample, base)
    shutil.rmtree(base / "4_world_space")
    summary = pipeline(tmp_path, base).run_stages(video, stages=[1, 2, 3, 4])
    assert [summary["stages"][f"stage{k}"]["status"] for k in (1, 2, 3, 4)] == [
        "reused",
        "reused",
        "reused",
        "computed",
    ]
    assert "stage5" not in summary["stages"]
    assert json.loads((base / "pipeline_summary.json").read_text()) == summary
    metadata = json.loads((base / "4_world_space" / "metadata.json").read_text())
    assert metadata["people"] == [1, 2]
    truth = motion_from_ground_truth(sample / "ground_truth.npz", embedded_body())
    distances = []
    for source in ("stage 4", "truth"):
        if source == "truth":
            pelvis = [truth.people[i].pelvis_world for i in (1, 2)]
        else:
            joints = [
                np.load(base / "4_world_space" / f"person_{i:03d}" / "joints_world.npy")
                for i in (1, 2)
            ]
            pelvis = [j[:, 0] for j in joints]
            height = [float(j[:, 15, 1].mean() - j[:, 7, 1].mean()) for j in joints]
        distances.append(np.linalg.norm(pelvis[0] - pelvis[1], axis=-1))
    # Where people are relative to each other does not depend on the choice of the world.
    np.testing.assert_allclose(distances[0], distances[1], rtol=0.05)
    assert min(height) > 0.5  # Y is up: heads over ankles.


def test_a_missing_stage_says_how_to_supply_it(tmp_path: Path, video: Path) -> None:
    with pytest.raises(InputError, match=r"Stage 1 .*stage1\.command") as error:
        pipeline(tmp_path, tmp_path / "empty").run_full_pipeline(video)
    assert "smpl_refiner.stages" in str(error.value)


def test_a_command_computes_a_stage(tmp_path: Path, sample: Path, video: Path) -> None:
    base = tmp_path / "results"
    shutil.copytree(sample, base)
    moved = tmp_path / "elsewhere"
    (base / "1_camera_estimation").rename(moved)
    copy = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)"
    command = [sys.executable, "-c", copy, str(moved), "{output}"]
    made = pipeline(tmp_path, base, stage1={"command": command})
    summary = made.run_stages(video, stages=[1])
    assert summary["stages"]["stage1"]["status"] == "computed"
    assert (base / "1_camera_estimation" / "cameras.npz").is_file()
    assert summary["num_frames"] == 20


def test_a_command_that_fails_or_leaves_nothing_is_an_error(tmp_path: Path, video: Path) -> None:
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(OptimizationError, match="exit code 3"):
        pipeline(tmp_path, tmp_path / "a", stage1={"command": failing}).run_stages(video, [1])
    idle = [sys.executable, "-c", "pass"]
    with pytest.raises(OptimizationError, match="left no usable output"):
        pipeline(tmp_path, tmp_path / "b", stage1={"command": idle}).run_stages(video, [1])
    wrong = [sys.executable, "{nothing}"]
    with pytest.raises(ConfigError, match="placeholder"):
        pipeline(tmp_path, tmp_path / "c", stage1={"command": wrong}).run_stages(video, [1])


def test_an_entry_point_computes_a_stage(
    tmp_path: Path, sample: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "results"
    shutil.copytree(sample, base)
    moved = tmp_path / "elsewhere"
    (base / "3_pose_estimation").rename(moved)
    told: dict[str, Any] = {}

    def stage3(**arguments: Any) -> None:
        told.update(arguments)
        shutil.copytree(moved, arguments["output_dir"], dirs_exist_ok=True)

    class Found:
        value = "plugin:stage3"

        def load(self) -> Any:
            return stage3

    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda *, group, name: [Found()] if name == "stage3" else [],
    )
    made = pipeline(tmp_path, base, stage3={"batch": 4})
    summary = made.run_stages(video, stages=[3], max_frames=9)
    assert summary["stages"]["stage3"]["status"] == "computed"
    assert told["config"] == {"batch": 4}
    assert told["max_frames"] == 9


def test_somebody_elses_stage_4_is_not_overwritten(
    tmp_path: Path, sample: Path, video: Path
) -> None:
    base = tmp_path / "results"
    shutil.copytree(sample, base)
    before = (base / "4_world_space" / "metadata.json").read_bytes()
    summary = pipeline(tmp_path, base).run_stages(video, stages=[4])
    assert summary["stages"]["stage4"]["status"] == "reused"
    assert (base / "4_world_space" / "metadata.json").read_bytes() == before


QUICK = {f"{key}_iterations": 1 for key in ("root_fitting", "smpl_fitting", "motion_prior")}
QUICK |= {f"{key}_iterations": 1 for key in ("environmental", "scale", "final")}


def test_the_frame_rate_is_the_videos_wherever_it_lies(tmp_path: Path) -> None:
    base = tmp_path / "results" / "clip"
    options = SampleOptions(
        people=1,
        frames=12,
        seed=3,
        fps=24.0,
        camera="orbit",
        image_size=(180, 320),
        depth_size=(84, 147),
    )
    write_results_folder(make_scene(options), base)
    film = (base / "video.mp4").rename(tmp_path / "film.mp4")
    made = pipeline(tmp_path, base, stage5=QUICK)
    summary = made.run_stages(film, stages=[5])
    assert summary["video_path"] == str(film)
    world = json.loads((base / "5_refinement" / "refinement_results.json").read_text())["world"]
    assert (world["fps"], world["fps_source"]) == (24.0, "video")
    # What the folder knows is not forgotten over a path that leads nowhere.
    assert made.run_stages("nowhere.mp4", stages=[1])["video_path"] == str(film)


@pytest.mark.parametrize("wrong", [5, "5", ["5"], [6], [0, 1]])
def test_stages_are_a_list_of_known_numbers(tmp_path: Path, video: Path, wrong: Any) -> None:
    made = pipeline(tmp_path, tmp_path / "base")
    with pytest.raises(ConfigError, match="skip_stages"):
        made.run_full_pipeline(video, skip_stages=wrong)
    with pytest.raises(ConfigError, match="stages"):
        made.run_stages(video, stages=wrong)
    assert not (tmp_path / "base").exists()


def test_unknown_stages_and_settings_are_refused(tmp_path: Path, video: Path) -> None:
    made = pipeline(tmp_path, tmp_path / "base")
    with pytest.raises(ConfigError, match="6"):
        made.run_full_pipeline(video, skip_stages=[6])
    with pytest.raises(ConfigError, match="7"):
        made.run_stages(video, stages=[7])
    with pytest.raises(ConfigError, match="lambda_skat"):
        pipeline(tmp_path, tmp_path / "base", stage5={"lambda_skat": 1.0})
