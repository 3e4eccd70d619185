"""Saving a session: settings, shown state, runs and their results, in one file.

The file is a zip of ``session.json`` and of one resume point a state, in the engine's own
checkpoint format; reading it runs nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.reading import Reading
from app.runs import RunRecord
from app.saved_output import output_dict, output_from, pairs_from
from refine_engine.config import RefinementConfig
from refine_engine.errors import ExportError, InputError
from refine_engine.refinement.checkpoint import read_checkpoint, write_checkpoint
from refine_engine.scene import ImportReport
from refine_engine.state import OptimizationState, RefinementOutput, ScaleReport, SubStageResult

SUFFIX = ".smplsession"
UNFINISHED = ".session-"
"""A folder whose name begins so holds a session that is being written; then the process's id."""
FORMAT = 1
_MAX_BYTES = 4 * 1024**3
_MAX_JSON = 64 * 1024**2


@dataclass(frozen=True)
class SavedRun:
    """One run of a saved session."""

    number: int
    label: str
    started: str
    status: str
    seconds: float
    config: RefinementConfig
    state: OptimizationState | None
    results: tuple[SubStageResult, ...]
    output: Mapping[str, Any] | None = None
    """The rest of its output, as :func:`app.saved_output.output_dict` makes it."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """Heights and metrics, as JSON."""


@dataclass(frozen=True)
class SavedSession:
    """Everything that is saved; immutable, so that any thread may write it."""

    folder: Path
    config: RefinementConfig
    frame: int
    state: OptimizationState
    runs: tuple[SavedRun, ...]
    shown_run: int | None = None
    reading: Reading = field(default_factory=Reading)
    """What was said about the folder when it was opened."""


def saved_run(record: RunRecord) -> SavedRun:
    """The part of a run that is saved."""
    output = record.output
    return SavedRun(
        record.number,
        record.label,
        record.started,
        record.status,
        record.seconds,
        record.config,
        record.final_state,
        output.sub_stages if output else (),
        output_dict(output) if output else None,
        {
            "heights": {str(i): float(v) for i, v in record.heights.items()},
            "metrics": {k: list(v) for k, v in record.metrics.items()},
            "people": {
                str(i): {k: list(v) for k, v in m.items()} for i, m in record.people.items()
            },
        },
    )


def unfinished_run(
    record: RunRecord, state: OptimizationState, scale: ScaleReport | None
) -> SavedRun:
    """A run that is under way, as if it were stopped now: what a crash would leave."""
    results = record.numbers.results()
    output = None
    if scale is not None:
        stopped = RefinementOutput("stopped", state, state, results, False, scale, {})
        output = output_dict(stopped)
    return SavedRun(
        record.number,
        record.label,
        record.started,
        "stopped",
        sum(r.seconds for r in results),
        record.config,
        state,
        results,
        output,
    )


def run_record(
    saved: SavedRun, initial_state: OptimizationState, report: ImportReport | None = None
) -> RunRecord:
    """A run of the history from what was saved of it."""
    record = RunRecord(
        number=saved.number,
        label=saved.label,
        started=saved.started,
        config=saved.config,
        initial_state=initial_state,
        start_state=initial_state,
        final_state=saved.state,
        seconds=saved.seconds,
    )
    record.status = saved.status  # type: ignore[assignment]  # checked in _run_from
    record.numbers.take(saved.results, stopped=record.status == "stopped")
    if saved.output is not None and saved.state is not None:
        record.output = output_from(
            saved.output, saved.state, initial_state, saved.results, report or ImportReport()
        )
        record.scale = record.output.scale
    numbers = saved.numbers
    record.heights = {int(i): float(v) for i, v in numbers.get("heights", {}).items()}
    record.metrics = pairs_from(numbers.get("metrics", {}))
    record.people = {int(i): pairs_from(m) for i, m in numbers.get("people", {}).items()}
    return record


def write_session(path: Path, session: SavedSession) -> None:
    """Write a session file, to a temporary name first.

    Raises
    ------
    ExportError
        The file cannot be written.
    """
    content = {
        "format": FORMAT,
        "folder": str(session.folder),
        "config": session.config.to_dict(),
        "frame": session.frame,
        "shown_run": session.shown_run,
        "reading": session.reading.said,
        "runs": [
            {
                "number": r.number,
                "label": r.label,
                "started": r.started,
                "status": r.status,
                "seconds": r.seconds,
                "config": r.config.to_dict(),
                "state": r.state is not None,
                "output": r.output,
                "numbers": r.numbers,
            }
            for r in session.runs
        ],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=path.parent, prefix=f"{UNFINISHED}{os.getpid()}-"
        ) as made:
            folder = Path(made)
            weights = session.config.weights()
            write_checkpoint(folder / "shown.npz", session.state, (), weights)
            for r in session.runs:
                if r.state is not None:
                    write_checkpoint(
                        folder / f"run_{r.number}.npz", r.state, r.results, r.config.weights()
                    )
            (folder / "session.json").write_text(json.dumps(content), encoding="utf-8")
            packed = folder / "packed"
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
                for member in sorted(folder.glob("*.npz")) + [folder / "session.json"]:
                    archive.write(member, member.name)
            os.replace(packed, path)
    except OSError as error:
        raise ExportError(
            path, f"cannot be written ({error.strerror})", "choose another place"
        ) from None
    except ExportError as error:
        # It names a file of the temporary folder, which tells nobody anything.
        raise ExportError(path, error.problem, "choose another place") from None


def read_session(path: Path) -> SavedSession:
    """Read a session file.

    Raises
    ------
    InputError
        The file is missing, damaged or of another version.
    """
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as made:
            if sum(info.file_size for info in archive.infolist()) > _MAX_BYTES:
                raise InputError(path, "is too large for a session", "choose another file")
            if archive.getinfo("session.json").file_size > _MAX_JSON:
                raise InputError(path, "is too large for a session", "choose another file")
            content = json.loads(archive.read("session.json").decode("utf-8"))
            if content.get("format") != FORMAT:
                raise InputError(path, "is of another version", "open the folder instead")
            return _session_from(content, archive, Path(made))
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path") from None
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            path, f"is not a usable session file ({error})", "open the results folder instead"
        ) from None


def _session_from(
    content: Mapping[str, Any], archive: zipfile.ZipFile, folder: Path
) -> SavedSession:
    def state_of(name: str) -> tuple[OptimizationState, tuple[SubStageResult, ...]]:
        target = folder / "state.npz"
        target.write_bytes(archive.read(name))
        found = read_checkpoint(target)
        return found.state, found.results

    shown = state_of("shown.npz")[0]
    runs: list[SavedRun] = []
    for entry in content["runs"]:
        number = int(entry["number"])
        if entry["status"] not in ("finished", "stopped", "cancelled", "failed"):
            raise ValueError(f"run {number} has the status {entry['status']!r}")
        state, results = state_of(f"run_{number}.npz") if entry["state"] else (None, ())
        runs.append(
            SavedRun(
                number,
                str(entry["label"]),
                str(entry["started"]),
                str(entry["status"]),
                float(entry["seconds"]),
                RefinementConfig.from_dict(entry["config"]),
                state,
                results,
                # Older files have neither.
                entry.get("output"),
                entry.get("numbers") or {},
            )
        )
        # What does not fit is found now, not when the run is shown.
        run_record(runs[-1], state or shown)
    return SavedSession(
        folder=Path(content["folder"]),
        config=RefinementConfig.from_dict(content["config"]),
        frame=int(content["frame"]),
        state=shown,
        runs=tuple(runs),
        shown_run=None if content["shown_run"] is None else int(content["shown_run"]),
        reading=Reading.of(content.get("reading") or {}),  # older files have none
    )
