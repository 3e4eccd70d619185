"""2-D keypoints of a person: a file's where it holds any, else projections of Stage 3's joints."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import JOINT_INDEX, LAYOUTS
from refine_engine.errors import InputError
from refine_engine.geometry.cameras import project
from refine_engine.safe_files import read_array
from refine_engine.scene import LAYOUT_SIZES, Array, BoolArray, IntArray, KeypointLayout, Keypoints

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList

KEYPOINT_FILE = "keypoints_2d.npy"
PROJECTED = "Stage-3 projections"
DETECTED = "detections"
_CIRCULAR_PX = 0.25
"""Median distance to Stage 3's own projections below which a file can only be such projections:
detectors err by several pixels."""
_LAYOUT_OF: dict[int, KeypointLayout] = {17: "coco17", 24: "smpl24", 25: "body25"}


@dataclass(frozen=True)
class Refused:
    """Why a keypoint file is not used, with its code."""

    code: str
    reason: str


def projected_keypoints(
    joints_cam: Array, intrinsics: Array, observed: BoolArray, image_size: tuple[int, int]
) -> Keypoints:
    """Projections of Stage 3's joints (n, 24, 3) through its own cameras (n, 3, 3).

    Confidence is 1 where the joint is in front of the camera, inside the image and its row was
    observed, else 0.
    """
    pixels, in_front = project(joints_cam, intrinsics)
    height, width = image_size
    inside = (pixels >= 0).all(-1) & (pixels[..., 0] < width) & (pixels[..., 1] < height)
    seen = in_front & inside & observed[:, None]
    return Keypoints(
        "smpl24",
        np.where(seen[..., None], pixels, 0.0),
        seen.astype(np.float64),
        PROJECTED,
        circular=True,
    )


def read_keypoints(
    path: Path,
    rows_in_file: int,
    source: np.ndarray[tuple[int], np.dtype[np.int64]],
    projected: Keypoints,
    findings: FindingList,
    person: int,
) -> Keypoints | None:
    """Read ``keypoints_2d.npy`` (rows, J, 3), or report why it is not used and return None.

    Parameters
    ----------
    path
        The file; it may be absent.
    rows_in_file
        Rows of the person's pose file, which the keypoints must match.
    source
        (n,) row of the file for each row that was kept.
    projected
        Stage 3's own projections of the kept rows, to recognise a file that repeats them.
    findings
        Receives what was found.
    person
        The person's id.
    """
    if not path.is_file():
        return None
    try:
        stored = read_array(path)
    except InputError as error:
        findings.discarded("unreadable", 1, f"Person {person}: {error}", person)
        return None
    if stored.ndim == 2 and stored.shape[1] % 3 == 0:
        stored = stored.reshape(len(stored), -1, 3)
    if stored.ndim != 3 or stored.shape[2] != 3 or stored.shape[1] not in _LAYOUT_OF:
        findings.discarded(
            "keypoints",
            len(stored) if stored.ndim else 0,
            f"Person {person}: {path.name} has shape {stored.shape}; (n, J, 3) with J = 17, 24 or "
            "25 is understood, so it is not used.",
            person,
        )
        return None
    if len(stored) != rows_in_file or stored.dtype.kind not in "fiu":
        findings.discarded(
            "keypoints",
            len(stored),
            f"Person {person}: {path.name} has {len(stored)} rows, the poses {rows_in_file}; it is "
            "not used.",
            person,
        )
        return None
    values = np.asarray(stored[source], dtype=np.float64)
    return checked_keypoints(path.name, values, projected, findings, person)


def checked_keypoints(
    name: str, values: Array, projected: Keypoints, findings: FindingList, person: int
) -> Keypoints | None:
    """Keypoints of values (n, J, 3), or None with the reason in the report.

    Parameters
    ----------
    name
        What the report calls their source.
    values
        Pixels and confidence, rows as the person's frames.
    projected
        Stage 3's own projections of the same rows.
    findings
        Receives what was found.
    person
        The person's id.
    """
    refused = _judge(values)
    if refused is not None:
        findings.discarded(
            refused.code, len(values), f"Person {person}: {name} {refused.reason}", person
        )
        return None
    finite = np.isfinite(values).all(-1)
    seen = finite & (values[..., 2] > 0)
    pixels = np.where(seen[..., None], values[..., :2], 0.0)
    confidence = np.where(seen, np.clip(values[..., 2], 0.0, 1.0), 0.0)
    layout = _LAYOUT_OF[values.shape[1]]
    circular = _repeats(layout, pixels, confidence, projected)
    if circular:
        findings.reported(
            "circular",
            len(values),
            f"Person {person}: {name} repeats the projections of Stage 3's own joints, so it "
            "adds no evidence.",
            person,
        )
    return Keypoints(layout, pixels, confidence, PROJECTED if circular else DETECTED, circular)


@functools.cache
def joints_in_layout(layout: KeypointLayout) -> tuple[IntArray, IntArray]:
    """Slots of a layout that show exactly one SMPL joint, and those joints."""
    pairs = [
        (index, JOINT_INDEX[slot.sources[0]])
        for index, slot in enumerate(LAYOUTS[LAYOUT_SIZES[layout]].slots)
        if len(slot.sources) == 1 and slot.sources[0] in JOINT_INDEX
    ]
    slots, joints = np.array(pairs, dtype=np.int64).T
    return slots, joints


def _judge(values: Array) -> Refused | None:
    finite = values[np.isfinite(values).all(-1)]
    if len(finite) == 0 or not (finite[:, 2] > 0).any():
        return Refused("keypoints", "holds no keypoint with a confidence; it is not used.")
    confidence = finite[:, 2]
    if (confidence < -1e-6).any() or (confidence > 1 + 1e-3).any():
        return Refused(
            "B8",
            f"has a third column from {confidence.min():.3g} to {confidence.max():.3g}, which is "
            "no confidence; it is not used.",
        )
    if np.quantile(np.abs(finite[:, :2]), 0.99) <= 2.0:
        return Refused(
            "B8",
            "holds numbers between 0 and 1 instead of pixels: the tracker's model joints, cut into "
            "wrong triplets; it is not used.",
        )
    return None


def _repeats(
    layout: KeypointLayout, pixels: Array, confidence: Array, projected: Keypoints
) -> bool:
    mine, theirs = joints_in_layout(layout)
    both = (confidence[:, mine] > 0) & (projected.confidence[:, theirs] > 0)
    if both.sum() < 10:
        return False
    apart = np.linalg.norm(pixels[:, mine] - projected.pixels[:, theirs], axis=-1)[both]
    return bool(np.median(apart) < _CIRCULAR_PX)
