"""What the tracker's boxes mean, and whether the bodies lie in them (B7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from refine_engine.geometry.cameras import project

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.importers.stance import BodyTrack
    from refine_engine.scene import Array, CameraTrack

BoxConvention = Literal["xywh", "xyxy", "cxcywh"]

_SLACK = 0.02
_ENOUGH = 0.98
"""Share of the rows that must lie inside the image for a convention to be possible."""
_POOR_OVERLAP = 0.3
_HEAD_AND_FEET = 0.12
"""How far a body reaches beyond its joints, as a share of their extent."""


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


def body_boxes(body: BodyTrack, track: CameraTrack) -> Array:
    """Boxes (n, 4) around projected bodies; width 0 where one is not wholly before the camera."""
    pixels, in_front = project(body.joints_cam, track.pose_intrinsics(body.frames))
    low, high = pixels.min(1), pixels.max(1)
    margin = _HEAD_AND_FEET * (high - low).max(-1, keepdims=True) / 2
    height, width = track.image_size
    low = np.clip(low - margin, 0, (width, height))
    high = np.clip(high + margin, 0, (width, height))
    boxes = np.concatenate([low, high - low], -1)
    boxes[~in_front.all(-1)] = 0.0
    return boxes
