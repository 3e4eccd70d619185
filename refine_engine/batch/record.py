"""What is remembered of a folder, so that a batch can be taken up again.

``batch.json`` beside its results holds a fingerprint of the settings and of the input's files
(names, sizes, times of change). A folder is finished when its last run succeeded with the same one.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.errors import RefinementError
from refine_engine.exporters.results_json import (
    CHECKPOINT_FILE,
    OUTPUT_FOLDER,
    RESULTS_FILE,
    write_json,
)
from refine_engine.refinement.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from refine_engine.config import RefinementConfig

RECORD_FILE = "batch.json"
LOG_FILE = "batch.log"
_NOT_INPUT = {OUTPUT_FOLDER, "exports", "track_features", "track_feats"}


@dataclass(frozen=True)
class BatchSettings:
    """How every folder of a batch is refined."""

    config: RefinementConfig
    fps: float | None = None
    """Frames a second; None = each video's own."""
    body_file: str | None = None
    """SMPL model file; None = the embedded body."""


def fingerprint(folder: Path, settings: BatchSettings, output: Path | None = None) -> str:
    """SHA-256 of the settings and of name, size and time of change of every input file.

    Parameters
    ----------
    folder
        The results folder.
    settings
        How it is refined.
    output
        Where results are written, which is no input should it lie in the folder.
    """
    no_input = None if output is None else output.resolve()
    known = {
        "config": settings.config.to_dict(),
        "fps": settings.fps,
        "body": settings.body_file,
    }
    digest = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode())
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            f
            for f in folders
            if f not in _NOT_INPUT
            and not f.startswith(".")
            and (no_input is None or Path(place, f).resolve() != no_input)
        )
        for name in sorted(files):
            path = Path(place) / name
            # Hidden files and what a batch itself leaves at the top are no input.
            if name.startswith(".") or (path.parent == folder and name.startswith("batch_")):
                continue
            try:
                facts = path.stat()
            except OSError:
                continue
            line = f"{path.relative_to(folder)}\0{facts.st_size}\0{facts.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def read_record(place: Path) -> dict[str, Any]:
    """What the last batch left beside a folder's results; empty where there is nothing usable."""
    return _object(place / RECORD_FILE)


def write_record(place: Path, mark: str, status: str, **facts: Any) -> None:
    """Remember how far a folder is, where its results go.

    Raises
    ------
    ExportError
        The place cannot be written to.
    """
    write_json(place / RECORD_FILE, {"fingerprint": mark, "status": status, **facts})


def read_result(place: Path) -> dict[str, Any]:
    """``refinement_results.json`` of a place; empty where there is nothing usable."""
    return _object(place / RESULTS_FILE)


def is_finished(place: Path, mark: str) -> bool:
    """Whether the last run of a batch succeeded with the same settings and input."""
    record = read_record(place)
    return (
        record.get("fingerprint") == mark
        and record.get("status") == "success"
        and read_result(place).get("status") == "success"
    )


def can_resume(place: Path, mark: str) -> bool:
    """Whether an interrupted run of the same settings and input left a checkpoint to go on from."""
    record = read_record(place)
    path = place / CHECKPOINT_FILE
    if record.get("fingerprint") != mark or record.get("status") not in ("running", "stopped"):
        return False
    try:
        return path.is_file() and read_checkpoint(path).next_substage is not None
    except RefinementError:
        # A damaged checkpoint costs a run from the start, nothing else.
        return False


def _object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
