"""Metrics as text: aligned columns for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from refine_engine.evaluation.metric_list import METRICS, Metric

if TYPE_CHECKING:
    from refine_engine.evaluation.comparison import Comparison

ABSENT = "–"


def comparison_table(comparison: Comparison) -> str:
    """Everybody pooled, then each person, before and after, with units and better direction."""
    title = f"{comparison.folder}"
    if comparison.ground_truth is not None:
        title += f", against {comparison.ground_truth}"
    parts = [title, _block("everybody", comparison.before.pooled, _after(comparison, None))]
    if len(comparison.before.people) > 1:
        for person_id, values in comparison.before.people.items():
            parts.append(_block(f"person {person_id}", values, _after(comparison, person_id)))
    parts.append("↓ lower is better, ↑ higher is better, ≈ nearest to the truth's own value")
    parts += list(comparison.notes)
    return "\n\n".join(parts)


def aligned(rows: Sequence[Sequence[str]], left: int) -> str:
    """Rows of cells as aligned lines; the first ``left`` columns are left-justified."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def number(value: float | None, decimals: int) -> str:
    """A value as text, or a dash where there is none."""
    return ABSENT if value is None or math.isnan(value) else f"{value:.{decimals}f}"


def change(before: float, after: float) -> str:
    """Relative change in per cent as text, or a dash where it means nothing."""
    if math.isnan(before) or math.isnan(after) or abs(before) < 1e-9:
        return ABSENT
    return f"{100.0 * (after - before) / abs(before):+.1f} %"


def _after(comparison: Comparison, person_id: int | None) -> Mapping[str, float] | None:
    if comparison.after is None:
        return None
    if person_id is None:
        return comparison.after.pooled
    return comparison.after.people.get(person_id, {})


def _block(title: str, before: Mapping[str, float], after: Mapping[str, float] | None) -> str:
    head = [title, "unit", "", "before"]
    rows = [head if after is None else [*head, "after", "change"]]
    for metric in METRICS:
        first = before[metric.key]
        second = math.nan if after is None else after.get(metric.key, math.nan)
        if math.isnan(first) and math.isnan(second):
            continue
        rows.append(_row(metric, first, None if after is None else second))
    return aligned(rows, left=3)


def _row(metric: Metric, before: float, after: float | None) -> list[str]:
    cells = [metric.label, metric.unit, metric.arrow, number(before, metric.decimals)]
    if after is not None:
        cells += [number(after, metric.decimals), change(before, after)]
    return cells
