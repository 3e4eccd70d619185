"""Two results side by side: known shifts come out as they were put in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from refine_engine import cli
from refine_engine.body import embedded_body
from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError
from refine_engine.evaluation.difference import compare_results, difference_table
from refine_engine.exporters.results_json import RESULTS_FILE, write_results
from refine_engine.geometry.rotations import exp_so3
from refine_engine.importers import load_results
from refine_engine.refinement.initialisation.start import initialise
from refine_engine.state import OptimizationState, RefinementOutput, ScaleReport

SHIFT = np.array([0.03, 0.0, 0.04])


def output_of(state: OptimizationState, likelihood: float) -> RefinementOutput:
    return RefinementOutput(
        status="success",
        state=state,
        initial_state=state,
        sub_stages=(),
        convergence_achieved=True,
        scale=ScaleReport(state.alpha, state.alpha_0, state.scale_delta, None, True, False),
        per_person_likelihoods=dict.fromkeys(state.people, likelihood),
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same motion twice; in B person 1 is shifted by 5 cm, cut short, and 2 is not there."""
    root = tmp_path_factory.mktemp("difference")
    command = ["sample", str(root / "scene"), "--people", "2", "--frames", "20", "--no-video"]
    command += ["--no-masks", "--image-size", "180x320", "--depth-size", "36x64"]
    assert cli.main(command) == 0
    scene, body = load_results(root / "scene"), embedded_body("neutral")
    config = RefinementConfig()
    state = initialise(scene, body, config).state
    before_after = {"ground_truth": False, "before": {}, "after": {"foot_sliding_mm": 4.0}}
    write_results(root / "a", output_of(state, 0.8), scene, config, before_after, body.name)
    person = state.people[1]
    n = len(person.frames) - 3
    person = replace(
        person,
        frames=person.frames[:n],
        R_world_root=person.R_world_root[:n],
        body_pose=person.body_pose[:n],
        transl_world=person.transl_world[:n] + SHIFT,
        observed=person.observed[:n],
        contacts=person.contacts[:n],
    )
    moved = replace(state, people={1: person})
    before_after = {"ground_truth": False, "before": {}, "after": {"foot_sliding_mm": 3.0}}
    other = config.replace(lambda_depth=0.0)
    write_results(root / "b", output_of(moved, 0.9), scene, other, before_after, body.name)
    return root / "a", root / "b"


def test_what_differs_is_found(results: tuple[Path, Path]) -> None:
    found = compare_results(*results)
    assert found.settings == {"lambda_depth": (1.0, 0.0)}
    assert found.values["likelihood of person 1"] == (0.8, 0.9)
    assert found.values["likelihood of person 2"] == (0.8, None)
    assert found.metrics == {"foot_sliding_mm": (4.0, 3.0)}
    assert (found.only_first, found.only_second) == ((2,), ())
    (person,) = found.people.values()
    assert person.frames == 17
    assert person.placed_mm == pytest.approx(50, abs=1e-3)
    assert person.farthest_mm == pytest.approx(50, abs=1e-3)
    assert person.posed_mm == pytest.approx(0, abs=1e-3)


def test_the_same_results_do_not_differ(results: tuple[Path, Path]) -> None:
    found = compare_results(results[0], results[0])
    assert found.settings == {}
    assert [p.placed_mm for p in found.people.values()] == [0, 0]
    assert "The settings are the same." in difference_table(found)


def test_another_direction_of_gravity_is_no_difference(
    results: tuple[Path, Path], tmp_path: Path
) -> None:
    """A world is compared where it was seen from: in the first camera."""
    from refine_engine.exporters.content import content_of_state

    scene = load_results(results[0].parent / "scene")
    body = embedded_body("neutral")
    state = initialise(scene, body, RefinementConfig()).state
    tilt = exp_so3(np.array([0.1, 0.0, -0.05]))
    content = content_of_state(state, scene, body)
    turned = replace(content, ground_plane=np.append(tilt[1], 0.0)).on_floor()
    cameras = replace(
        scene.cameras,
        R_cam_world=turned.R_cam_world,
        t_cam_world=turned.t_cam_world / state.alpha,
    )
    moved = replace(state, people=dict(turned.people))
    write_results(
        tmp_path / "c",
        output_of(moved, 0.8),
        replace(scene, cameras=cameras),
        RefinementConfig(),
        None,
        body.name,
    )
    found = compare_results(results[0], tmp_path / "c")
    assert max(p.farthest_mm for p in found.people.values()) < 1e-2


def test_the_command(results: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = map(str, results)
    assert cli.main(["compare", a, b]) == 0
    text = capsys.readouterr().out
    assert "lambda_depth" in text
    assert "Only in A: people 2." in text
    assert "-25.0 %" in text
    assert cli.main(["compare", a, b, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["people"]["1"]["placed_mm"] == pytest.approx(50, abs=1e-3)
    assert found["settings"] == {"lambda_depth": [1.0, 0.0]}


def test_nobody_in_common(results: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "person_007").mkdir(parents=True)
    a = results[1]
    document = json.loads((a / RESULTS_FILE).read_text())
    document["people"] = {"7": document["people"]["1"]}
    (other / RESULTS_FILE).write_text(json.dumps(document))
    name = "smpl_params_refined.npz"
    (other / "person_007" / name).write_bytes((a / "person_001" / name).read_bytes())
    (other / "cameras_refined.npz").write_bytes((a / "cameras_refined.npz").read_bytes())
    with pytest.raises(InputError, match="has nobody in common with"):
        compare_results(a, other)
    with pytest.raises(InputError, match=r"has no 5_refinement/refinement_results\.json"):
        compare_results(a, tmp_path)


def test_another_body_is_refused(results: tuple[Path, Path], tmp_path: Path) -> None:
    document = json.loads((results[0] / RESULTS_FILE).read_text())
    document["body"]["name"] = "SMPL_MALE.pkl"
    (tmp_path / RESULTS_FILE).write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"was refined with the SMPL_MALE\.pkl.*--body"):
        compare_results(results[0], tmp_path)
