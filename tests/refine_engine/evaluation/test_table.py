from __future__ import annotations

import json
import math
from pathlib import Path

from refine_engine.evaluation.comparison import Comparison, Evaluation
from refine_engine.evaluation.metric_list import METRICS
from refine_engine.evaluation.table import aligned, change, comparison_table, number


def values(**known: float) -> dict[str, float]:
    return {m.key: known.get(m.key, math.nan) for m in METRICS}


def comparison(after: bool = True) -> Comparison:
    first = values(wa_mpjpe100_mm=80.0, jitter_10m_s3=25.25, contact_f1=0.5)
    second = values(wa_mpjpe100_mm=60.0, jitter_10m_s3=3.0, contact_f1=0.9)
    people = {3: first, 12: values(coverage_percent=0.0)}
    return Comparison(
        Path("scene"),
        None,
        Evaluation(first, people),
        Evaluation(second, {3: second}) if after else None,
        ("A note.",),
    )


def test_lines_are_aligned() -> None:
    text = aligned([["name", "1"], ["a longer one", "123.5"]], left=1)
    assert text.splitlines() == ["name              1", "a longer one  123.5"]


def test_absent_values_are_dashes() -> None:
    assert number(math.nan, 2) == "–"
    assert number(1.005, 1) == "1.0"
    assert change(math.nan, 1.0) == change(0.0, 1.0) == "–"
    assert change(80.0, 60.0) == "-25.0 %"


def test_table_has_units_directions_people_and_notes() -> None:
    text = comparison_table(comparison())
    line = next(x for x in text.splitlines() if x.startswith("WA-MPJPE100, Sim(3)"))
    assert line.split()[-6:] == ["mm", "↓", "80.0", "60.0", "-25.0", "%"]
    assert "person 3 " in text
    assert "person 12" in text
    assert "A note." in text
    # Metrics that nobody could compute take no line.
    assert "PVE" not in text


def test_without_refinement_there_is_one_column() -> None:
    text = comparison_table(comparison(after=False))
    assert "after" not in text
    assert "80.0" in text


def test_json_has_every_key_and_no_nan() -> None:
    document = json.loads(json.dumps(comparison().as_dict(), allow_nan=False))
    assert list(document["before"]["pooled"]) == [m.key for m in METRICS]
    assert document["before"]["pooled"]["pve_mm"] is None
    assert document["after"]["people"]["3"]["contact_f1"] == 0.9
    assert document["units"]["jitter_10m_s3"] == "10 m/s³"
    assert document["ground_truth"] is None
