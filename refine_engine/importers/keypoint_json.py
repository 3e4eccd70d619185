"""Detected 2-D keypoints from JSON: OpenPose folders, COCO results, MMPose and ViTPose files."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.scene import Array, KeypointLayout

_MAX_BYTES = 512 * 1024**2
_NUMBER = re.compile(r"(\d+)(?!.*\d)")
_EXPORT = "export it again as OpenPose, COCO-result or MMPose JSON"

# OpenPose's 18-keypoint model has COCO's points in another order, and a neck.
_FROM_OPENPOSE_18 = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
# Whole-body models (Halpe 26, COCO-WholeBody 133, Halpe 136) begin with COCO's 17 points.
_BEGIN_WITH_COCO = (26, 133, 136)


@dataclass(frozen=True)
class DetectedPoses:
    """Detections by video frame, not yet joined with people."""

    layout: KeypointLayout
    frames: Mapping[int, Array]
    """Frame -> (m, J, 3) pixels and confidence in [0, 1] of the m people detected there."""


def read_keypoint_json(path: str | Path, num_frames: int) -> DetectedPoses:
    """Read detections in any of the layouts that are understood.

    - a folder of OpenPose files ``*_keypoints.json``; the last number in the name is the frame;
    - a COCO result list ``[{"image_id", "keypoints": [x, y, score, ...], "score"}, ...]``, as
      ViTPose and AlphaPose write it too; ``image_id`` is the frame, or a name that ends in it;
    - MMPose's ``[{"frame_id", "instances": [{"keypoints", "keypoint_scores"}]}]``, also below
      ``instance_info``.

    Parameters
    ----------
    path
        The file or folder.
    num_frames
        Frames of the video: where the numbers run from 1 to this, they count from 1.

    Raises
    ------
    InputError
        When it is none of these.
    """
    path = Path(path).expanduser()
    found: dict[int, list[Array]] = defaultdict(list)
    if path.is_dir():
        files = sorted(path.glob("*_keypoints.json")) or sorted(path.glob("*.json"))
        if not files:
            raise InputError(path, "holds no JSON files of keypoints", _EXPORT)
        for file in files:
            _from_openpose(file, _load(file), found)
    else:
        content = _load(path)
        if isinstance(content, dict) and isinstance(content.get("people"), list):
            _from_openpose(path, content, found)
        else:
            _from_list(path, content, found)
    sizes = {len(points) for poses in found.values() for points in poses}
    if not sizes:
        raise InputError(path, "holds no detected people", _EXPORT)
    if len(sizes) > 1:
        raise InputError(path, f"mixes people of {sorted(sizes)} keypoints", _EXPORT)
    layout: KeypointLayout = "body25" if sizes == {25} else "coco17"
    shift = 1 if min(found) == 1 and max(found) == num_frames else 0
    return DetectedPoses(
        layout, {frame - shift: np.stack(poses) for frame, poses in sorted(found.items())}
    )


def _load(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise InputError(path, "is no ordinary file", _EXPORT)
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(path, "is larger than 512 MB", "split it by video")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(path, "does not exist", "check the path of the keypoints") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(path, f"is not readable JSON ({reason})", _EXPORT) from None


def _from_openpose(path: Path, content: Any, found: dict[int, list[Array]]) -> None:
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise InputError(path, "holds no 'people'", _EXPORT)
    frame = _frame_in(path.stem)
    if frame is None:
        raise InputError(path, "has no frame number in its name", _EXPORT)
    for person in people:
        values = person.get("pose_keypoints_2d") if isinstance(person, dict) else None
        if values:
            found[frame].append(_points(path, values, None))


def _from_list(path: Path, content: Any, found: dict[int, list[Array]]) -> None:
    if isinstance(content, dict):
        content = content.get("instance_info", content.get("annotations"))
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(path, "is no list of detections", _EXPORT)
    for entry in content:
        if "instances" in entry and "frame_id" in entry:
            frame = _frame_in(entry["frame_id"])
            people = entry["instances"]
        else:
            frame = _frame_in(entry.get("image_id"))
            people = [entry]
        if frame is None or not isinstance(people, list):
            raise InputError(path, "has an entry without a frame number", _EXPORT)
        for person in people:
            values = person.get("keypoints") if isinstance(person, dict) else None
            if values:
                found[frame].append(_points(path, values, person.get("keypoint_scores")))


def _frame_in(value: object) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value if 0 <= value < 10**9 else None
    match = _NUMBER.search(Path(str(value)).stem)
    return int(match[1]) if match and len(match[1]) < 16 else None


def _points(path: Path, values: object, scores: object) -> Array:
    """(J, 3) of one person, in COCO's or BODY-25's order."""
    try:
        flat = np.asarray(values, dtype=np.float64)
        apart = None if scores is None else np.asarray(scores, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise InputError(path, "holds keypoints that are not numbers", _EXPORT) from None
    if apart is not None and flat.size == 2 * apart.size:
        points = np.concatenate([flat.reshape(-1, 2), apart[:, None]], -1)
    elif flat.size % 3 == 0:
        points = flat.reshape(-1, 3).copy()
    else:
        raise InputError(path, f"holds a person of {flat.size} numbers", _EXPORT)
    points[~np.isfinite(points).all(-1)] = 0.0
    if np.isin(points[:, 2], (0, 1, 2)).all() and (points[:, 2] == 2).any():
        # COCO's visibility flags: not labelled, hidden, visible.
        points[:, 2] /= 2.0
    points[:, 2] = np.clip(points[:, 2], 0.0, 1.0)
    if len(points) == 18:
        points = points[list(_FROM_OPENPOSE_18)]
    elif len(points) in _BEGIN_WITH_COCO:
        points = points[:17]
    if len(points) not in (17, 25):
        raise InputError(path, f"holds people of {len(points)} keypoints", _EXPORT)
    return points
