"""What became of every folder: as JSON and as a table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.evaluation.metric_list import METRICS
from refine_engine.evaluation.table import aligned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUMMARY_FILE = "batch_summary.json"
"""The table with the same name ends in .csv."""
_SHOWN = 60
"""Characters of a message in the table; the JSON has all of it."""


@dataclass(frozen=True)
class Outcome:
    """What became of one folder."""

    folder: Path
    status: str
    """"success", "skipped" (finished earlier), "failed", "stopped" or "not started"; of a rehearsal
    "to do", "to resume" or "skipped"."""
    message: str = ""
    seconds: float | None = None
    peak_memory_mb: float | None = None
    num_people: int | None = None
    scale_alpha: float | None = None
    convergence_achieved: bool | None = None
    before: Mapping[str, float | None] = field(default_factory=dict)
    """Metrics before refinement, as in ``before_after`` of the results."""
    after: Mapping[str, float | None] = field(default_factory=dict)

    @classmethod
    def of_result(
        cls, folder: Path, status: str, result: Mapping[str, Any], **facts: Any
    ) -> Outcome:
        """With what ``refinement_results.json`` says."""
        metrics = result.get("before_after") or {}
        return cls(
            folder,
            status,
            num_people=result.get("num_people"),
            scale_alpha=result.get("scale_alpha"),
            convergence_achieved=result.get("convergence_achieved"),
            before=metrics.get("before") or {},
            after=metrics.get("after") or {},
            **facts,
        )


def summary_dict(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts and every folder, in plain types."""
    return {
        "counts": dict(Counter(o.status for o in outcomes)),
        "folders": [
            {**asdict(o), "folder": str(o.folder), "before": dict(o.before), "after": dict(o.after)}
            for o in outcomes
        ],
    }


def summary_csv(outcomes: Sequence[Outcome]) -> str:
    """A row a folder for spreadsheets and scripts, metrics before and after side by side."""
    facts = [
        *("status", "num_people", "scale_alpha", "convergence_achieved"),
        *("seconds", "peak_memory_mb", "message"),
    ]
    known = [m.key for m in METRICS if any(m.key in o.before or m.key in o.after for o in outcomes)]
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    pairs = [f"{key}_{when}" for key in known for when in ("before", "after")]
    table.writerow(["folder", *facts, *pairs])
    for o in outcomes:
        values = [values.get(key) for key in known for values in (o.before, o.after)]
        cells = [o.folder, *(getattr(o, name) for name in facts), *values]
        table.writerow(["" if cell is None else cell for cell in cells])
    return stream.getvalue()


def _on_one_line(text: str) -> str:
    """Text without line breaks and other signs that a terminal would act on."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def summary_table(outcomes: Sequence[Outcome]) -> str:
    """One line a folder, and one of counts."""
    rows = [["folder", "status", "people", "alpha", "seconds", "MB", ""]]
    for o in outcomes:
        message = "" if o.status == "skipped" else _on_one_line(o.message)
        rows.append(
            [
                _on_one_line(str(o.folder)),
                o.status,
                "-" if o.num_people is None else str(o.num_people),
                "-" if o.scale_alpha is None else f"{o.scale_alpha:.4f}",
                "-" if o.seconds is None else f"{o.seconds:.1f}",
                "-" if o.peak_memory_mb is None else f"{o.peak_memory_mb:.0f}",
                message if len(message) <= _SHOWN else message[: _SHOWN - 1] + "…",
            ]
        )
    # Messages last, so that their length spoils no column.
    text = aligned([row[:-1] for row in rows], left=2).splitlines()
    lines = [f"{line}  {row[-1]}".rstrip() for line, row in zip(text, rows, strict=True)]
    counts = Counter(o.status for o in outcomes)
    lines.append(", ".join(f"{number} {status}" for status, number in counts.items()))
    return "\n".join(lines)
