"""``evaluate`` on whole folders, made by ``sample`` and opened as a user's would be."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from refine_engine.body import embedded_body
from refine_engine.cli import main
from refine_engine.config import RefinementConfig
from refine_engine.errors import ConfigError, InputError
from refine_engine.evaluation.before_after import compare, compare_people
from refine_engine.evaluation.comparison import evaluate_folder
from refine_engine.evaluation.metric_list import METRICS
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.exporters.results_json import write_results
from refine_engine.importers import load_results
from refine_engine.refinement.initialisation import initialise
from refine_engine.state import OptimizationState, RefinementOutput, ScaleReport


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, half a second, no errors at all."""
    folder = tmp_path_factory.mktemp("evaluate") / "sample"
    options = SampleOptions(
        people=2,
        frames=30,
        seed=3,
        camera="orbit",
        clean=True,
        video=False,
        image_size=(240, 320),
        depth_size=(60, 80),
    )
    write_results_folder(make_scene(options), folder)
    return folder


def copied(sample: Path, folder: Path, *, truth: bool = True) -> Path:
    target = folder / "results"
    shutil.copytree(sample, target)
    if not truth:
        (target / "ground_truth.npz").unlink()
    return target


def refined(folder: Path, lift: float) -> RefinementOutput:
    """A "refinement" that lifts everybody by some metres, written as a real one is."""
    scene = load_results(folder)
    config = RefinementConfig(ground_plane_init="ransac")
    start = initialise(scene, embedded_body(), config).state
    people = {
        i: dataclasses.replace(p, transl_world=p.transl_world + [0.0, lift, 0.0])
        for i, p in start.people.items()
    }
    state = OptimizationState(people, start.ground_plane, start.alpha_0, 0.02)
    output = RefinementOutput(
        status="success",
        state=state,
        initial_state=start,
        sub_stages=(),
        convergence_achieved=True,
        scale=ScaleReport(state.alpha, state.alpha_0, 0.02, None, True, False),
        per_person_likelihoods=dict.fromkeys(people, 0.5),
    )
    write_results(folder / "5_refinement", output, scene, config)
    return output


def test_a_sample_without_errors_has_none(sample: Path) -> None:
    found = evaluate_folder(sample)
    assert found.ground_truth == sample / "ground_truth.npz"
    assert found.after is None
    values = found.before.pooled
    assert values["pa_mpjpe_mm"] < 0.5
    assert values["mpjpe_mm"] < 0.5
    assert values["wa_mpjpe100_mm"] < 5.0
    assert values["pair_distance_mm"] < 0.5
    assert values["foot_height_error_mm"] < 3.0
    assert values["alpha_error_percent"] < 3.0
    assert sorted(found.before.people) == [1, 2]
    assert any("Not refined yet" in note for note in found.notes)


def test_after_is_read_from_the_refinement(sample: Path, tmp_path: Path) -> None:
    folder = copied(sample, tmp_path)
    output = refined(folder, lift=0.05)
    found = evaluate_folder(folder)
    assert found.after is not None
    before, after = found.before.pooled, found.after.pooled
    assert after["wa_mpjpe100_mm"] == pytest.approx(before["wa_mpjpe100_mm"], abs=0.5)
    step = after["foot_height_error_mm"] - before["foot_height_error_mm"]
    assert step == pytest.approx(50.0, abs=3.0)
    assert after["floating_percent"] == 100.0
    with np.load(folder / "ground_truth.npz") as truth:
        error = 100 * abs(np.log(output.state.alpha / truth["alpha"]))
    assert after["alpha_error_percent"] == pytest.approx(error, abs=1e-6)
    assert after["alpha_error_percent"] != pytest.approx(before["alpha_error_percent"])


def test_files_and_memory_give_the_same_numbers(sample: Path, tmp_path: Path) -> None:
    folder = copied(sample, tmp_path)
    output = refined(folder, lift=0.02)
    from_files = evaluate_folder(folder)
    assert from_files.after is not None
    scene, body = load_results(folder), embedded_body()
    in_memory = compare(output, scene, body, folder / "ground_truth.npz")
    alone = compare_people(output, scene, body, folder / "ground_truth.npz")
    assert in_memory["ground_truth"] is True
    for side in ("before", "after"):
        found = getattr(from_files, side)
        for key in ("jitter_10m_s3", "penetration_mm", "pa_mpjpe_mm"):
            expected = pytest.approx(in_memory[side][key], rel=0.02, abs=1e-3)
            assert found.pooled[key] == expected, (side, key)
            expected = pytest.approx(alone[2][side][key], rel=0.02, abs=1e-3)
            assert found.people[2][key] == expected, (side, key)
    without = compare(output, scene, body, tmp_path / "nowhere.npz")
    assert without["ground_truth"] is False
    assert without["after"]["pa_mpjpe_mm"] is None
    assert without["after"]["jitter_10m_s3"] == in_memory["after"]["jitter_10m_s3"]


def test_before_runs_at_the_rate_that_the_run_was_told(sample: Path, tmp_path: Path) -> None:
    folder = copied(sample, tmp_path, truth=False)
    refined(folder, lift=0.0)
    path = folder / "5_refinement" / "refinement_results.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["world"] |= {"fps": 25.0, "fps_source": "user"}
    path.write_text(json.dumps(document), encoding="utf-8")
    # The folder above it will do, too.
    found, at_30 = evaluate_folder(tmp_path), evaluate_folder(folder, fps=30.0)
    assert found.folder == folder
    assert found.after is not None
    jitter = found.before.pooled["jitter_10m_s3"]
    assert jitter == pytest.approx((25 / 30) ** 3 * at_30.before.pooled["jitter_10m_s3"], rel=1e-4)
    assert jitter == pytest.approx(found.after.pooled["jitter_10m_s3"], rel=0.02)


def test_without_truth_it_says_so(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(sample, tmp_path, truth=False)
    assert main(["evaluate", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "No ground truth" in text
    assert "jitter" in text
    assert "MPJPE" not in text
    # The truth may lie elsewhere.
    assert main(["evaluate", str(folder), "--ground-truth", str(sample / "ground_truth.npz")]) == 0
    assert "PA-MPJPE" in capsys.readouterr().out


def test_json(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(sample), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document["before"]["pooled"]) == [m.key for m in METRICS]
    assert document["before"]["people"]["2"]["coverage_percent"] <= 100.0
    assert document["after"] is None
    assert "foot_sliding_mm" not in document["needs_ground_truth"]
    assert "pa_mpjpe_mm" in document["needs_ground_truth"]


def test_people_that_only_one_side_has(sample: Path, tmp_path: Path) -> None:
    folder = copied(sample, tmp_path)
    refined(folder, lift=0.0)
    shutil.rmtree(folder / "5_refinement" / "person_002")
    found = evaluate_folder(folder)
    assert any("[2]" in note and "not in the refinement" in note for note in found.notes)
    assert found.after is not None
    assert found.after.people[2]["coverage_percent"] == 0.0


def test_bad_input_is_one_sentence(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(sample), "--ground-truth", str(tmp_path / "no.npz")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(InputError, match="refine it first"):
        evaluate_folder(sample, results=tmp_path)


def test_settings_of_another_version_are_refused(sample: Path, tmp_path: Path) -> None:
    folder = copied(sample, tmp_path)
    refined(folder, lift=0.0)
    path = folder / "5_refinement" / "refinement_results.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["config"] = {"lambda_gravity": 1.0}
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ConfigError, match="lambda_gravity"):
        evaluate_folder(folder)
