"""Stage 2: which frames and boxes the tracker gave each person, and what the boxes mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from refine_engine.errors import InputError
from refine_engine.safe_files import find_npz, open_npz

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.scene import Array, IntArray

BoxConvention = Literal["xywh", "xyxy", "cxcywh"]

_KEY = re.compile(r"track_(-?\d+)_(frames|bboxes)")
_SLACK = 0.02
_ENOUGH = 0.98
"""Share of the rows that must lie inside the image for a convention to be possible."""
_POOR_OVERLAP = 0.3


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
                if match[2] == "frames" and values.ndim == 1 and values.dtype.kind in "iuf":
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


def boxes_at(tracks: Tracks, person: int, frames: IntArray) -> Array | None:
    """Boxes (n, 4) as top-left x, y, width, height for video frames; width 0 where missing."""
    known = tracks.boxes.get(person)
    if not known:
        return None
    rows = np.zeros((len(frames), 4))
    for k, frame in enumerate(frames.tolist()):
        if frame in known and np.isfinite(known[frame]).all():
            rows[k] = as_xywh(known[frame], tracks.convention)
    return rows


def as_xywh(boxes: Array, convention: BoxConvention) -> Array:
    """Boxes (..., 4) as top-left x, y, width, height."""
    if convention == "xyxy":
        return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], -1)
    if convention == "cxcywh":
        return np.concatenate([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., 2:]], -1)
    return boxes


def vote_convention(
    boxes: Array, image_size: tuple[int, int], projected: Array | None = None
) -> BoxConvention:
    """What boxes (n, 4) can mean, given the image (B7).

    The tracker's own truth is top-left, width, height; another reading is taken only where that
    one leaves the image, or where boxes read as two corners fit the projected bodies (n, 4; width
    0 where unknown) clearly better.  Overlap never decides for boxes read as centres: poses that
    were computed from shifted crops lie exactly there.
    """
    boxes = boxes[np.isfinite(boxes).all(-1)] if projected is None else boxes
    if len(boxes) == 0:
        return "xywh"
    height, width = image_size
    possible: list[BoxConvention] = []
    for convention in ("xywh", "xyxy", "cxcywh"):
        read = as_xywh(boxes, convention)
        inside = (
            (read[:, 2:] > 0).all(-1)
            & (read[:, 0] >= -_SLACK * width)
            & (read[:, 1] >= -_SLACK * height)
            & (read[:, 0] + read[:, 2] <= (1 + _SLACK) * width)
            & (read[:, 1] + read[:, 3] <= (1 + _SLACK) * height)
        )
        if inside.mean() >= _ENOUGH:
            possible.append(convention)
    if "xywh" in possible and "xyxy" in possible and projected is not None:
        usable = projected[:, 2] > 0
        if usable.any():
            corners = overlap(as_xywh(boxes[usable], "xyxy"), projected[usable])
            sized = overlap(boxes[usable], projected[usable])
            if np.median(corners) > np.median(sized) + 0.1:
                return "xyxy"
    return possible[0] if possible else "xywh"


def overlap(a: Array, b: Array) -> Array:
    """Intersection over union (n,) of boxes (n, 4) given as x, y, width, height."""
    low = np.maximum(a[:, :2], b[:, :2])
    high = np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), -1)
    union = np.prod(a[:, 2:], -1) + np.prod(b[:, 2:], -1) - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1.0), 0.0)


def note_shifted_crops(person: int, boxes: Array, projected: Array, findings: FindingList) -> None:
    """Report bodies that do not lie in their boxes, as poses from shifted crops do not (B7)."""
    usable = (boxes[:, 2] > 0) & (projected[:, 2] > 0)
    if not usable.any():
        return
    agreement = overlap(boxes[usable], projected[usable])
    shifted = boxes[usable].copy()
    shifted[:, :2] -= shifted[:, 2:] / 2
    if np.median(agreement) >= _POOR_OVERLAP:
        return
    at_corner = float(np.median(overlap(shifted, projected[usable])))
    why = (
        "; they lie around the boxes' top-left corners instead, as after pose estimation on "
        "shifted crops"
        if at_corner > np.median(agreement) + 0.1
        else ""
    )
    findings.reported(
        "B7",
        int((agreement < _POOR_OVERLAP).sum()),
        f"Person {person}: the projected body overlaps the tracker's box by only "
        f"{100 * float(np.median(agreement)):.0f} % (median){why}.",
        person,
    )
