"""What became of every folder: as JSON and as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.evaluation.table import aligned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUMMARY_FILE = "batch_summary.json"
_SHOWN = 60
"""Characters of a message in the table; the JSON has all of it."""


@dataclass(frozen=True)
class Outcome:
    """What became of one folder."""

    folder: Path
    status: str
    """"success", "skipped" (finished earlier), "failed", "stopped" or "not started"."""
    message: str = ""
    seconds: float | None = None
    peak_memory_mb: float | None = None
    num_people: int | None = None
    scale_alpha: float | None = None
    convergence_achieved: bool | None = None

    @classmethod
    def of_result(
        cls, folder: Path, status: str, result: Mapping[str, Any], **facts: Any
    ) -> Outcome:
        """With what ``refinement_results.json`` says."""
        return cls(
            folder,
            status,
            num_people=result.get("num_people"),
            scale_alpha=result.get("scale_alpha"),
            convergence_achieved=result.get("convergence_achieved"),
            **facts,
        )


def summary_dict(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Counts and every folder, in plain types."""
    return {
        "counts": dict(Counter(o.status for o in outcomes)),
        "folders": [{**asdict(o), "folder": str(o.folder)} for o in outcomes],
    }


def summary_table(outcomes: Sequence[Outcome]) -> str:
    """One line a folder, and one of counts."""
    rows = [["folder", "status", "people", "alpha", "seconds", "MB", ""]]
    for o in outcomes:
        message = "" if o.status == "skipped" else o.message
        rows.append(
            [
                str(o.folder),
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
