"""What became of every folder: as JSON and as a table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.evaluation.metric_list import METRICS
from refine_engine.evaluation.table import ABSENT, aligned, number

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
    place: Path | None = None
    """Where its results are; None where there can be none."""
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
            {
                **asdict(o),
                "folder": str(o.folder),
                "place": None if o.place is None else str(o.place),
                "before": dict(o.before),
                "after": dict(o.after),
            }
            for o in outcomes
        ],
    }


def summary_csv(outcomes: Sequence[Outcome]) -> str:
    """A row a folder for spreadsheets and scripts, metrics before and after side by side."""
    facts = [
        *("status", "num_people", "scale_alpha", "convergence_achieved"),
        *("seconds", "peak_memory_mb", "message", "place"),
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
    rows = [["folder", "status", "people", "alpha", "seconds", "MB"]]
    rows += [
        [
            _on_one_line(str(o.folder)),
            o.status,
            ABSENT if o.num_people is None else str(o.num_people),
            number(o.scale_alpha, 4),
            number(o.seconds, 1),
            number(o.peak_memory_mb, 0),
        ]
        for o in outcomes
    ]
    notes = [_note(o) for o in outcomes]
    return "\n".join([*_with_notes(rows, notes), counted(outcomes)])


def plan_table(outcomes: Sequence[Outcome]) -> str:
    """Of a rehearsal: one line a folder with where its results would go, and one of counts."""
    rows = [["folder", "status", "MB", "results in"]]
    for o in outcomes:
        rows.append(
            [
                _on_one_line(str(o.folder)),
                o.status,
                number(o.peak_memory_mb, 0) if o.status != "skipped" else ABSENT,
                _note(o) or _on_one_line(str(o.place)),
            ]
        )
    notes = [row.pop() for row in rows]
    return "\n".join([*_with_notes(rows, notes[1:], notes[0]), counted(outcomes)])


def counted(outcomes: Sequence[Outcome]) -> str:
    """How many of each kind."""
    counts = Counter(o.status for o in outcomes)
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _note(outcome: Outcome) -> str:
    message = "" if outcome.status == "skipped" else _on_one_line(outcome.message)
    return message if len(message) <= _SHOWN else message[: _SHOWN - 1] + "…"


def _with_notes(rows: list[list[str]], notes: list[str], head: str = "") -> list[str]:
    """Lines of a table whose last column, of any length, spoils no other."""
    lines = aligned(rows, left=2).splitlines()
    return [f"{line}  {note}".rstrip() for line, note in zip(lines, [head, *notes], strict=True)]
