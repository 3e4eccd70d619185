"""Stage 3: every person's motion in the camera frame, with the repairs of their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.importers.folder import (
    ResultsFolder,
    people_without_number,
    person_folders,
    read_json,
    refuse_broken_link,
)
from refine_engine.importers.rows import (
    NotRows,
    Rows,
    in_order,
    inside_video,
    note_gaps,
    rows_from_arrays,
    without_empty_rows,
    without_ghosts,
)
from refine_engine.safe_files import find_npz, open_npz

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.importers.tracks import Tracks
    from refine_engine.scene import IntArray

POSE_FILE = "smpl_params_camera.npz"


class PersonRefused(ValueError):
    """One person cannot be read; the others may still be."""

    def __init__(self, error: InputError, code: str = "unreadable") -> None:
        self.error = error
        self.code = code
        super().__init__(str(error))


def read_people(
    folder: ResultsFolder, tracks: Tracks, findings: FindingList
) -> tuple[dict[int, Rows], dict[int, Rows]]:
    """Rows of every person of Stage 3 with their video frames.

    Returns
    -------
    stored
        Everybody's rows as the files hold them.
    people
        The same repaired, but not yet cut to the frames that have a camera.

    Raises
    ------
    InputError
        When nobody is left; it names the first reason.
    """
    assert folder.poses is not None
    listed = _listed_people(folder.poses, findings)
    stored: dict[int, Rows] = {}
    people: dict[int, Rows] = {}
    refused: list[InputError] = []
    spelled = 0
    for person, place in person_folders(folder.poses):
        path = find_npz(place / POSE_FILE)
        if path is None:
            broken = _why_absent(place / POSE_FILE)
            refused.append(broken)
            findings.discarded("unreadable", 1, f"Person {person}: {broken}", person)
            continue
        if person in people:
            findings.discarded(
                "B27",
                1,
                f"Person {person}: {place.name} was left out, another folder has the same number.",
                person,
            )
            continue
        spelled += place.name != f"person_{person:03d}"
        try:
            raw, doubles = _stored_rows(person, place, path, listed.get(person), tracks, findings)
            rows = _repaired(raw, path, doubles, tracks, findings)
        except PersonRefused as refusal:
            refused.append(refusal.error)
            findings.discarded(refusal.code, 1, f"Person {person}: {refusal.error}", person)
            continue
        stored[person], people[person] = raw, rows
    for place in people_without_number(folder.poses):
        unnamed = InputError(place, "holds no number in its name", "name it person_001 or similar")
        refused.append(unnamed)
        findings.discarded("B27", 1, f"A person was left out: {unnamed}")
    if spelled:
        findings.repaired(
            "B27",
            spelled,
            "Folder names spell the people's numbers with other padding than person_001; they were "
            "joined by number.",
        )
    if people:
        return stored, people
    if refused:
        raise refused[0]
    raise InputError(folder.poses, "holds no people", "run Stage 3 (pose estimation) again")


def cut_to_cameras(
    people: Mapping[int, Rows], num_frames: int, root: Path, findings: FindingList
) -> dict[int, Rows]:
    """Leave out rows without a camera, and report what the remaining gaps mean.

    Raises
    ------
    InputError
        When nobody has a row left.
    """
    result = {}
    for person, rows in people.items():
        kept = inside_video(rows, num_frames, findings)
        if len(kept.frames):
            note_gaps(kept, findings)
            result[person] = kept
    if not result:
        raise InputError(
            root,
            f"has cameras for frames 0 to {num_frames - 1} only, and nobody is seen in them",
            "run Stage 1 with at least as many frames as Stage 3",
        )
    return result


def _why_absent(path: Path) -> InputError:
    """What is the matter where a person's folder has no usable pose file."""
    again = "run Stage 3 again for this person"
    try:
        refuse_broken_link(path)
    except InputError as error:
        return error
    if path.exists() and not path.is_dir():
        return InputError(path, "is no ordinary file", again)
    return InputError(path, "does not exist", again)


def _stored_rows(
    person: int,
    place: Path,
    path: Path,
    listed: Mapping[str, Any] | None,
    tracks: Tracks,
    findings: FindingList,
) -> tuple[Rows, bool]:
    """Rows as the file holds them, and whether its poses are float64."""
    try:
        with open_npz(path) as arrays:
            rows = rows_from_arrays(person, arrays)
            name = "poses" if "poses" in arrays else "body_pose"
            doubles = arrays.header(name).dtype == np.float64
    except NotRows as problem:
        code = "B28" if "camera matrices" in str(problem) else "unreadable"
        raise PersonRefused(
            InputError(path, str(problem), "run Stage 3 again for this person"), code
        ) from None
    except InputError as error:
        raise PersonRefused(error) from None
    if len(rows.frames) == 0:
        raise PersonRefused(InputError(path, "holds no rows", "run Stage 3 again"))
    frames = _frames(rows, place, path, listed, tracks, findings)
    return replace(rows, frames=frames, place=place), doubles


def _repaired(
    stored: Rows, path: Path, doubles: bool, tracks: Tracks, findings: FindingList
) -> Rows:
    rows = without_empty_rows(stored, findings, doubles=doubles)
    if len(rows.frames) == 0:
        finite = np.isfinite(stored.transl).all(-1)
        if not finite.any():
            code, what = "non-finite", "only NaN or infinite values"
        elif stored.transl[finite].any():
            code, what = "far", "nothing usable: rows absurdly far away, empty or not finite"
        else:
            code, what = "B15", "only zeros: pose estimation failed"
        raise PersonRefused(InputError(path, f"holds {what}", "run Stage 3 again"), code)
    rows = in_order(rows, findings)
    return without_ghosts(rows, dict(tracks.boxes.get(rows.id, {})), findings)


def _listed_people(stage: Path, findings: FindingList) -> dict[int, Mapping[str, Any]]:
    """What Stage 3's common metadata say about each person."""
    try:
        content = read_json(stage / "metadata.json") or {}
    except InputError as error:
        findings.reported("unreadable", 1, f"Stage 3's metadata was not used: {error}")
        return {}
    entries = content.get("people", [])
    result: dict[int, Mapping[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("track_id"), int):
            result[entry["track_id"]] = entry
    return result


def _frames(
    rows: Rows,
    place: Path,
    path: Path,
    listed: Mapping[str, Any] | None,
    tracks: Tracks,
    findings: FindingList,
) -> IntArray:
    """Video frames of the rows: from metadata, else the tracker's, else 0..n-1 (B24)."""
    n = len(rows.frames)
    try:
        own = read_json(place / "metadata.json")
    except InputError as error:
        findings.reported("unreadable", 1, f"Person {rows.id}: {error}", rows.id)
        own = None
    stated = _whole_numbers((own or {}).get("frames"))
    if stated is None:
        stated = _whole_numbers((listed or {}).get("frames"))
    if stated is not None and len(stated) == n:
        return stated
    tracked = tracks.frames.get(rows.id)
    if tracked is not None and len(tracked) == n:
        findings.repaired(
            "B24",
            n,
            f"Person {rows.id}: the metadata do not say which frames the rows are; the tracker's "
            f"{n} frames fit and were used.",
            rows.id,
        )
        return tracked
    if stated is not None:
        raise PersonRefused(
            InputError(
                path,
                f"holds {n} rows but its metadata.json lists {len(stated)} frames",
                "run Stage 3 again for this person",
            ),
            "length",
        )
    findings.reported(
        "B24",
        n,
        f"Person {rows.id}: nothing says which frames the {n} rows are; they were taken as the "
        "first ones of the video, which is wrong for somebody who enters later.",
        rows.id,
    )
    return np.arange(n, dtype=np.int64)


def _whole_numbers(value: object) -> IntArray | None:
    if not isinstance(value, list) or not all(
        isinstance(item, int) and not isinstance(item, bool) and abs(item) < 2**31 for item in value
    ):
        return None
    return np.array(value, dtype=np.int64)
