"""Stage 4's world-space files: compared with Stages 1 and 3, used only where Stage 3 is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.errors import InputError
from refine_engine.geometry.cameras import to_camera, to_world
from refine_engine.importers.folder import person_folders
from refine_engine.importers.rows import (
    NotRows,
    Rows,
    in_order,
    rows_from_arrays,
    without_empty_rows,
)
from refine_engine.safe_files import find_npz, load_object_array, open_npz
from refine_engine.scene import Array, IntArray

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.importers.raw_cameras import RawCameras
    from refine_engine.importers.tracks import Tracks

WORLD_FILE = "smpl_params_world.npz"
_SAME_M = 1e-3
"""Files agree with what is recomputed from Stages 1 and 3 to float32, well below this."""

PelvisAtRest = Callable[[Array], Array]
"""Betas (10,) -> rest position (3,) of the pelvis, metres."""


def judge_world(
    stage: Path,
    measured: Mapping[int, Rows],
    cameras: RawCameras,
    pelvis_at_rest: PelvisAtRest,
    findings: FindingList,
) -> None:
    """Say what is wrong with Stage 4; the world is rebuilt from Stages 1 and 3 in any case.

    Parameters
    ----------
    stage
        Stage 4's folder.
    measured
        Rows of Stage 3 as stored, with their frames.
    cameras
        Stage 1's cameras as stored.
    pelvis_at_rest
        The body's rest pelvis.
    findings
        Receives B1, B2 and B17.
    """
    inverted = shifted = unknown = 0
    worst = 0.0
    listed = _listed_frames(stage, findings)
    for person, place in person_folders(stage):
        path, rows = find_npz(place / WORLD_FILE), measured.get(person)
        if path is None or rows is None:
            continue
        try:
            with open_npz(path) as arrays:
                stored = rows_from_arrays(person, arrays).transl
        except (InputError, NotRows) as error:
            findings.discarded("unreadable", 1, f"Person {person}, Stage 4: {error}", person)
            continue
        known = rows.frames[(rows.frames >= 0) & (rows.frames < cameras.num_frames)]
        frames, m = known[: len(stored)], min(len(stored), len(known))
        _note_dropped(person, len(listed.get(person, rows.frames)), len(stored), findings)
        if m == 0:
            continue
        kept = np.flatnonzero((rows.frames >= 0) & (rows.frames < cameras.num_frames))[:m]
        p, R, t = rows.transl[kept], cameras.R[frames], cameras.t[frames]
        rest = pelvis_at_rest(rows.betas)
        stored = stored[:m]
        twice, once = to_camera(p, R, t), to_world(p, R, t)
        right = to_world(p + rest, R, t) - rest
        off = [float(np.abs(stored - candidate).max()) for candidate in (twice, once, right)]
        moving = float(np.abs(twice - once).max()) > _SAME_M
        if off[0] < _SAME_M and moving:
            inverted += m
        if min(off[:2]) < _SAME_M <= off[2]:
            correct = right if off[1] <= off[0] else to_camera(p + rest, R, t) - rest
            worst = max(worst, float(np.linalg.norm(stored - correct, axis=-1).max()))
            shifted += m
        if min(off) >= _SAME_M:
            unknown += m
    if inverted:
        findings.discarded(
            "B1",
            inverted,
            "Stage 4 applied the cameras the wrong way round (inverted twice), so its world "
            "trajectories were discarded and rebuilt from Stages 1 and 3.",
        )
    if shifted and worst > _SAME_M:
        findings.repaired(
            "B2",
            shifted,
            "Stage 4 turned bodies about the origin instead of the pelvis, which shifts them by up "
            f"to {worst:.3f} m; the rebuilt world does not.",
        )
    if unknown:
        findings.discarded(
            "stage4",
            unknown,
            "Stage 4 agrees with no reading of Stages 1 and 3 (other cameras or poses?); it was "
            "discarded and the world rebuilt.",
        )


def read_world_people(
    stage: Path, cameras: RawCameras, tracks: Tracks, findings: FindingList
) -> dict[int, Rows]:
    """People from Stage 4 brought back to the camera frame, for a folder without Stage 3.

    Upstream's double inverse is undone: ``p_cam = R^T (p_file - t)``, ``R_cam = R^T R_file``.

    Raises
    ------
    InputError
        When nobody can be read.
    """
    listed = _listed_frames(stage, findings)
    people: dict[int, Rows] = {}
    refused: list[str] = []
    for person, place in person_folders(stage):
        path = find_npz(place / WORLD_FILE)
        if path is None or person in people:
            continue
        try:
            with open_npz(path) as arrays:
                rows = rows_from_arrays(person, arrays)
        except (InputError, NotRows) as error:
            refused.append(f"{path.name} of person {person}: {error}")
            findings.discarded("unreadable", 1, f"Person {person}: {error}", person)
            continue
        frames = _frames_of(rows, listed, tracks, cameras.num_frames, findings)
        if frames is None:
            refused.append(f"nothing says which frames the rows of person {person} are")
            continue
        R, t = cameras.R[frames], cameras.t[frames]
        rows = replace(
            rows,
            frames=frames,
            transl=to_world(rows.transl, R, t),
            global_orient=np.swapaxes(R, -1, -2) @ rows.global_orient,
        )
        rows = in_order(without_empty_rows(rows, findings, doubles=False), findings)
        if len(rows.frames):
            people[person] = rows
    if not people:
        reason = refused[0] if refused else "its rows are empty"
        raise InputError(
            stage, f"is all there is of people and cannot be used ({reason})", "run Stage 3 again"
        )
    findings.repaired(
        "B1",
        sum(len(rows.frames) for rows in people.values()),
        "Stage 3 is missing; the people were taken from Stage 4 and its double inverse undone.",
    )
    return people


def _frames_of(
    rows: Rows,
    listed: Mapping[int, IntArray],
    tracks: Tracks,
    num_cameras: int,
    findings: FindingList,
) -> IntArray | None:
    """Video frames of Stage 4's rows: it dropped those without a camera, in order (B17)."""
    n = len(rows.frames)
    for known in (listed.get(rows.id), tracks.frames.get(rows.id)):
        if known is None:
            continue
        kept = known[(known >= 0) & (known < num_cameras)][:n]
        if len(kept) == n:
            _note_dropped(rows.id, len(known), n, findings)
            return kept
    if n <= num_cameras:
        findings.reported(
            "B24",
            n,
            f"Person {rows.id}: nothing says which frames the {n} rows are; they were taken as the "
            "first ones of the video, which is wrong for somebody who enters later.",
            rows.id,
        )
        return np.arange(n, dtype=np.int64)
    return None


def _note_dropped(person: int, frames: int, rows: int, findings: FindingList) -> None:
    if frames != rows:
        findings.repaired(
            "B17",
            abs(frames - rows),
            f"Person {person}: Stage 4 lists {frames} frames for {rows} rows, it dropped those "
            "without a camera; the rest was joined in order.",
            person,
        )


def _listed_frames(stage: Path, findings: FindingList) -> dict[int, IntArray]:
    """Frame lists of ``all_people_world.npz``, the undropped ones, by person id."""
    path = stage / "all_people_world.npz"
    if not path.is_file():
        return {}
    result: dict[int, IntArray] = {}
    try:
        with open_npz(path) as arrays:
            names = list(arrays)
        for name in names:
            number = name.removeprefix("person_")
            if number == name or not number.isdigit():
                continue
            content = load_object_array(path, name)
            frames = content.get("frames") if isinstance(content, dict) else None
            if isinstance(frames, list | np.ndarray) and len(frames):
                result[int(number)] = np.asarray(frames, dtype=np.int64)
    except (InputError, ValueError, TypeError, OverflowError) as error:
        findings.reported("unreadable", 1, f"Stage 4's list of frames was not used: {error}")
    return result
