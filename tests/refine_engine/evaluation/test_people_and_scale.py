"""How alpha's error falls with people: the runs, and the table that is made of them."""

from __future__ import annotations

import numpy as np
import pytest

from refine_engine.config import RefinementConfig
from refine_engine.evaluation.people_and_scale import ScaleRun, main, scale_runs, table_lines

NONE = float("nan")


def made(people: int, depth: bool, error: float, sigma: float = 4.0, **more: object) -> ScaleRun:
    values: dict[str, object] = {
        "camera": "handheld",
        "seed": 20,
        "people": people,
        "depth": depth,
        "start_percent": 10.0,
        "error_percent": error,
        "sigma_percent": sigma,
        "observable": True,
        "curve_percent": NONE,
        **more,
    }
    return ScaleRun(**values)  # type: ignore[arg-type]


def cells(line: str) -> list[str]:
    return [c.strip() for c in line.strip("|").split("|")]


def test_a_row_holds_means_over_seeds_and_how_honest_sigma_is() -> None:
    runs = [
        made(1, True, 2.0),
        made(1, True, 6.0, seed=21, at_bound=True),
        made(1, False, 4.0, curve_percent=-3.0),
        made(1, False, 8.0, seed=21, sigma=NONE, observable=False),
    ]
    (row,) = table_lines(runs)[2:]
    name, people, with_depth, without, curve = cells(row)
    assert (name, people) == ("handheld, 20 to 21", "1")
    # Root mean square of 2 / 4 and 6 / 4.
    assert with_depth == f"10.0 -> 4.0 (4.0; {np.sqrt((0.25 + 2.25) / 2):.1f}), 1 at the bound"
    assert without == "10.0 -> 6.0 (4.0; 1.0), 1 not observable"
    assert curve == "3.0 (1 say nothing)"


def test_scenes_of_ten_have_rows_of_their_own() -> None:
    runs = [made(n, False, 3.0) for n in (1, 5)]
    runs += [made(n, False, 3.0, seed=30) for n in (1, 10)]
    rows = [cells(line)[:2] for line in table_lines(runs)[2:]]
    assert rows == [
        ["handheld, 20", "1"],
        ["handheld, 20", "5"],
        ["handheld, 30", "1"],
        ["handheld, 30", "10"],
    ]


def test_a_scene_is_refined_with_the_first_of_its_people_with_and_without_depth() -> None:
    config = RefinementConfig(
        threads=1,
        enable_motion_prior=False,
        enable_environmental_constraints=False,
        enable_final_refinement=False,
        root_fitting_iterations=2,
        smpl_fitting_iterations=2,
        scale_iterations=3,
    )
    runs = list(scale_runs("handheld", 20, (1, 2), None, 12, config))
    assert [(r.people, r.depth) for r in runs] == [(1, True), (1, False), (2, True), (2, False)]
    for run in runs:
        assert np.isfinite([run.start_percent, run.error_percent]).all()
    # More people, more evidence about the unit.
    sigma = {(r.people, r.depth): r.sigma_percent for r in runs}
    assert sigma[2, True] < sigma[1, True]


def test_a_bad_setting_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", "lamda_data=1"]) == 2
    assert "lamda_data" in capsys.readouterr().err
