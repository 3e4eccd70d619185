"""Puts rows, boxes and keypoints together as the people of a scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from refine_engine.geometry.cameras import project
from refine_engine.importers.findings import FindingList
from refine_engine.importers.folder import ResultsFolder
from refine_engine.importers.keypoint_join import (
    Outline,
    find_detections,
    join_detections,
    note_joined,
)
from refine_engine.importers.keypoints import (
    KEYPOINT_FILE,
    checked_keypoints,
    projected_keypoints,
    read_keypoints,
)
from refine_engine.importers.rows import Rows
from refine_engine.importers.stance import BodyTrack
from refine_engine.importers.tracks import Tracks, boxes_at
from refine_engine.scene import Array, CameraTrack, Keypoints, Person

_Kind = TypeVar("_Kind", bound=np.generic)


def finish_people(
    folder: ResultsFolder,
    people: Mapping[int, Rows],
    stored: Mapping[int, Rows],
    bodies: Mapping[int, BodyTrack],
    track: CameraTrack,
    tracks: Tracks,
    keypoints: str | Path | None,
    findings: FindingList,
) -> dict[int, Person]:
    """Build the people of a scene from their repaired rows.

    Parameters
    ----------
    folder
        Where everything lies.
    people, stored
        Repaired rows, and rows as the files hold them.
    bodies
        Joints of the repaired rows.
    track, tracks
        Cameras; the tracker's boxes.
    keypoints
        Detections as JSON, when the caller names them.
    findings
        Receives what was found.
    """
    detections = _detections(folder, keypoints, bodies, track, tracks, findings)
    return {
        i: _person(folder, rows, bodies[i], stored[i], track, tracks, detections, findings)
        for i, rows in people.items()
    }


@dataclass(frozen=True)
class _Detections:
    """Keypoints from JSON, joined with people."""

    of: Mapping[int, Array]
    """id -> (n, J, 3)."""
    given: bool
    """Whether the caller named them; they then win over a person's own file."""


def _detections(
    folder: ResultsFolder,
    given: str | Path | None,
    bodies: Mapping[int, BodyTrack],
    track: CameraTrack,
    tracks: Tracks,
    findings: FindingList,
) -> _Detections:
    found = find_detections(folder, given, track.num_frames, findings)
    if found is None:
        return _Detections({}, False)
    outlines = {
        i: Outline(
            body.frames,
            project(body.joints_cam, track.pose_intrinsics(body.frames))[0],
            boxes_at(tracks, i, body.frames),
        )
        for i, body in bodies.items()
    }
    joined, unused = join_detections(found, outlines)
    note_joined(joined, unused, findings)
    seen = {i: values for i, values in joined.items() if (values[..., 2] > 0).any()}
    return _Detections(seen, given is not None)


def _person(
    folder: ResultsFolder,
    rows: Rows,
    body: BodyTrack,
    raw: Rows,
    track: CameraTrack,
    tracks: Tracks,
    detections: _Detections,
    findings: FindingList,
) -> Person:
    projected = projected_keypoints(
        body.joints_cam, track.pose_intrinsics(rows.frames), rows.observed, track.image_size
    )
    detected = detections.of.get(rows.id)
    keypoints: Keypoints | None = None
    if detected is not None and detections.given:
        keypoints = checked_keypoints("JSON", detected, projected, findings, rows.id)
    if keypoints is None and folder.poses is not None and raw.place is not None:
        keypoints = read_keypoints(
            raw.place / KEYPOINT_FILE, len(raw.frames), rows.source, projected, findings, rows.id
        )
    if keypoints is None and detected is not None and not detections.given:
        keypoints = checked_keypoints("JSON", detected, projected, findings, rows.id)
    boxes = boxes_at(tracks, rows.id, rows.frames)
    return Person(
        id=rows.id,
        frames=read_only(rows.frames),
        R_cam_root=read_only(rows.global_orient),
        body_pose=read_only(rows.body_pose),
        betas=read_only(rows.betas),
        transl_cam=read_only(rows.transl),
        observed=read_only(rows.observed),
        bboxes=None if boxes is None else read_only(boxes),
        keypoints=_frozen(keypoints or projected),
    )


def _frozen(keypoints: Keypoints) -> Keypoints:
    return replace(
        keypoints,
        pixels=read_only(keypoints.pixels),
        confidence=read_only(keypoints.confidence),
    )


def read_only(array: NDArray[_Kind]) -> NDArray[_Kind]:
    """Return a copy that cannot be written to."""
    result = array.copy()
    result.flags.writeable = False
    return result
