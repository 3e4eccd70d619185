"""Stage 2: which frames and boxes the tracker gave each person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.importers.boxes import BoxConvention, as_xywh
from refine_engine.safe_files import find_npz, open_npz

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.scene import Array, IntArray

_MOST_FRAMES = 2**31
_KEY = re.compile(r"track_(-?\d+)_(frames|bboxes)")


@dataclass(frozen=True)
class Tracks:
    """Tracker output by person id."""

    frames: Mapping[int, IntArray] = field(default_factory=dict)
    """id -> (n,) video frames as stored."""
    boxes: Mapping[int, Mapping[int, Array]] = field(default_factory=dict)
    """id -> video frame -> box (4,) as stored, in ``convention``."""
    convention: BoxConvention = "xywh"


def read_tracks(stage: Path | None, findings: FindingList) -> Tracks:
    """Read ``tracks.npz``; what cannot be read is reported and left out."""
    path = None if stage is None else find_npz(stage / "tracks.npz")
    if path is None:
        return Tracks()
    frames: dict[int, IntArray] = {}
    stored: dict[int, Array] = {}
    unreadable = []
    try:
        with open_npz(path) as arrays:
            for name in arrays:
                match = _KEY.fullmatch(name)
                if match is None:
                    continue
                try:
                    values = arrays[name]
                except InputError as error:
                    unreadable.append(str(error))
                    continue
                person = int(match[1])
                if match[2] == "frames" and _are_frames(values):
                    frames[person] = values.astype(np.int64)
                elif (
                    match[2] == "bboxes"
                    and values.ndim == 2
                    and values.shape[1] == 4
                    and values.dtype.kind in "iuf"
                ):
                    stored[person] = values.astype(np.float64)
                else:
                    unreadable.append(f"{path}:{name} is {values.dtype} {values.shape}")
            if len(arrays) and not frames and not stored and not unreadable:
                unreadable.append(f"{path} has no track_1_frames, track_1_bboxes, ...")
    except InputError as error:
        unreadable.append(str(error))
    if unreadable:
        findings.discarded("unreadable", len(unreadable), f"Tracks were left out: {unreadable[0]}")
    boxes: dict[int, Mapping[int, Array]] = {}
    for person, rows in stored.items():
        at = frames.get(person)
        if at is None or len(at) != len(rows):
            findings.discarded(
                "length",
                len(rows),
                f"Person {person}: {len(rows)} boxes do not match "
                f"{0 if at is None else len(at)} track frames and were left out.",
                person,
            )
            continue
        joined: dict[int, Array] = {}
        for frame, box in zip(at.tolist(), rows, strict=True):
            joined.setdefault(frame, box)
        boxes[person] = joined
    return Tracks(frames, boxes)


def _are_frames(values: np.ndarray[Any, Any]) -> bool:
    """Whether an array holds video frames: whole numbers, whatever their type."""
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        return False
    # Comparing lets NaN fail; casting it would give any number.
    return bool(((np.abs(values) < _MOST_FRAMES) & (values == np.floor(values))).all())


def boxes_at(tracks: Tracks, person: int, frames: IntArray) -> Array | None:
    """Boxes (n, 4) as top-left x, y, width, height for video frames; width 0 where missing."""
    known = tracks.boxes.get(person)
    if not known:
        return None
    missing = np.full(4, np.nan)
    stored = np.array([known.get(frame, missing) for frame in frames.tolist()]).reshape(-1, 4)
    finite = np.isfinite(stored).all(1)
    rows = np.zeros((len(frames), 4))
    rows[finite] = as_xywh(stored[finite], tracks.convention)
    return rows
