from __future__ import annotations

import math
from pathlib import Path

import pytest

from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError
from refine_engine.evaluation.accuracy_table import accuracy_markdown
from refine_engine.evaluation.records import read_records
from refine_engine.evaluation.sweep import START_ERROR, Arrangement, sweep


@pytest.mark.slow
def test_a_scene_is_made_refined_and_recorded_once(tmp_path: Path) -> None:
    scene = Arrangement(1, "handheld", "published", seed=4, frames=24)
    config = RefinementConfig(
        enable_environmental_constraints=False, enable_final_refinement=False, guard=False
    )
    records = tmp_path / "runs.jsonl"
    [(_, runs)] = sweep([scene], None, config, records)
    assert [run.arm for run in runs] == ["full", "off"]
    for run in runs:
        assert run.problem == ""
        assert run.before["wa_mpjpe100_mm"][1] == run.after["wa_mpjpe100_mm"][1] > 10
        # The refinement did something.
        assert run.before["mpjpe_mm"] != run.after["mpjpe_mm"]
    off = runs[1]
    assert off.alpha_before == 1.0
    assert abs(math.log(off.alpha_true)) == pytest.approx(START_ERROR)
    assert read_records(records) == {scene.name: runs}
    # A second sweep reads what the first one wrote, seconds and all.
    [(_, again)] = sweep([scene], None, config, records)
    assert again == runs
    # Under other settings it would be another table; threads are no such setting.
    assert next(sweep([scene], None, config.replace(threads=1), records))[1] == runs
    with pytest.raises(InputError, match=r"runs\.jsonl:1: is of a run with other settings"):
        next(sweep([scene], None, config.replace(lambda_depth=2.0), records))
    with pytest.raises(InputError, match="or motion clips"):
        next(sweep([scene], tmp_path, config, records))
    assert "1 scenes at level published" in accuracy_markdown(runs, "x")
