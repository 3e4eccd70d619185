"""Which detection belongs to which person: by where their bodies and boxes are in the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refine_engine.errors import InputError
from refine_engine.importers.boxes import overlap
from refine_engine.importers.findings import FindingList
from refine_engine.importers.folder import ResultsFolder
from refine_engine.importers.keypoint_json import DetectedPoses, read_keypoint_json
from refine_engine.importers.keypoints import joints_in_layout
from refine_engine.scene import LAYOUT_SIZES, Array, IntArray

_SEEN = 0.2
"""Confidence from which a keypoint takes part in the comparison."""
_TOO_FAR = 0.5
"""Mismatch above which a detection belongs to nobody."""


@dataclass(frozen=True)
class Outline:
    """Where one person is expected in the picture."""

    frames: IntArray
    """(n,) video frames."""
    pixels: Array
    """(n, 24, 2) projected joints."""
    boxes: Array | None
    """(n, 4) the tracker's x, y, width, height; width 0 where missing."""


def find_detections(
    folder: ResultsFolder, given: str | Path | None, num_frames: int, findings: FindingList
) -> DetectedPoses | None:
    """Detections of the given JSON, else of ``keypoints.json`` or ``keypoints/`` in the folder.

    Raises
    ------
    InputError
        When the given ones cannot be read; ones that were found are only reported.
    """
    if given is not None:
        return read_keypoint_json(given, num_frames)
    for name in ("keypoints.json", "keypoints"):
        path = folder.root / name
        if not path.exists():
            continue
        try:
            return read_keypoint_json(path, num_frames)
        except InputError as error:
            findings.discarded("unreadable", 1, f"Keypoints were left out: {error}")
    return None


def note_joined(keypoints: Mapping[int, Array], unused: int, findings: FindingList) -> None:
    """Report how many detections found their person, and how many belong to nobody."""
    rows = sum(int((values[..., 2] > 0).any(-1).sum()) for values in keypoints.values())
    findings.reported(
        "detections",
        rows,
        f"Detected keypoints were joined with people in {rows} rows; {unused} detections belong to "
        "nobody here.",
    )


def join_detections(
    detected: DetectedPoses, people: Mapping[int, Outline]
) -> tuple[dict[int, Array], int]:
    """Give each detection to at most one person and each person at most one detection a frame.

    The mismatch of a pair is the smaller of two: the median distance between keypoints and
    projected joints relative to the person's size in the picture, and one minus the overlap of the
    keypoints' extent with the tracker's box (bodies may lie beside their box: B7).

    Returns
    -------
    keypoints
        id -> (n, J, 3) pixels and confidence, zeros where the person was not detected.
    unused
        Detections that belong to nobody.
    """
    # Half a second to import, and most folders have nothing to join.
    from scipy.optimize import linear_sum_assignment

    J = LAYOUT_SIZES[detected.layout]
    result = {i: np.zeros((len(p.frames), J, 3)) for i, p in people.items()}
    row_of = {i: {int(f): k for k, f in enumerate(p.frames)} for i, p in people.items()}
    unused = 0
    for frame, poses in detected.frames.items():
        present = [i for i in people if frame in row_of[i]]
        if not present:
            unused += len(poses)
            continue
        rows = {i: row_of[i][frame] for i in present}
        cost = np.array(
            [[_mismatch(pose, people[i], rows[i], detected) for pose in poses] for i in present]
        )
        given = 0
        for a, b in zip(*linear_sum_assignment(cost), strict=True):
            if cost[a, b] <= _TOO_FAR:
                result[present[a]][rows[present[a]]] = poses[b]
                given += 1
        unused += len(poses) - given
    return result, unused


def _mismatch(pose: Array, person: Outline, row: int, detected: DetectedPoses) -> float:
    slots, joints = joints_in_layout(detected.layout)
    seen = pose[slots, 2] > _SEEN
    if seen.sum() < 3:
        return 1e3
    points, expected = pose[slots][seen, :2], person.pixels[row, joints][seen]
    size = max(float(np.ptp(person.pixels[row], axis=0).max()), 1.0)
    apart = float(np.median(np.linalg.norm(points - expected, axis=-1))) / size
    if person.boxes is None or person.boxes[row, 2] <= 0:
        return apart
    low, high = points.min(0), points.max(0)
    extent = np.concatenate([low, high - low])[None]
    return min(apart, 1.0 - float(overlap(extent, person.boxes[row : row + 1])[0]))
