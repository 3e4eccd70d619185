from __future__ import annotations

from pathlib import Path

from refine_engine.evaluation.metric_list import METRIC_BY_KEY, METRICS

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_every_metric_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [m.key for m in METRICS if f"`{m.key}`" not in text] == []


def test_keys_are_unique() -> None:
    assert len(METRIC_BY_KEY) == len(METRICS)
