"""Opens a MultiTRAM results folder: finds its stages, reads them lazily, repairs, reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import BodyModel, joint_positions, rest_joints
from refine_engine.errors import InputError
from refine_engine.geometry.cameras import camera_centers
from refine_engine.importers.assembly import finish_people, read_only
from refine_engine.importers.boxes import body_boxes, note_shifted_crops, vote_convention
from refine_engine.importers.cameras import read_cameras
from refine_engine.importers.chunks import (
    JoinedCameras,
    find_chunks,
    join_chunks,
)
from refine_engine.importers.depth import open_depth, static_depth_ratio
from refine_engine.importers.findings import FindingList
from refine_engine.importers.focal import follow_focal_length
from refine_engine.importers.folder import ResultsFolder, read_json
from refine_engine.importers.gravity import Upward, estimate_up, rotation_to_y_up
from refine_engine.importers.masks import FolderMasks, mask_size, open_masks
from refine_engine.importers.people import cut_to_cameras, read_people
from refine_engine.importers.raw_cameras import RawCameras, static_cameras
from refine_engine.importers.stage4 import judge_world, read_world_people
from refine_engine.importers.stance import BodyTrack
from refine_engine.importers.tracks import Tracks, boxes_at, read_tracks
from refine_engine.importers.video_search import frame_rate, open_video, video_size
from refine_engine.scene import Array, CameraTrack, Scene

if TYPE_CHECKING:
    from refine_engine.importers.rows import Rows

_TRACKER_LIMIT = 1300
_USUAL_SIZE = (1080, 1920)


def load_multitram(
    folder: ResultsFolder,
    *,
    fps: float | None,
    video: str | Path | None,
    keypoints: str | Path | None,
    body: BodyModel,
    up: Array | None,
) -> Scene:
    """Open the stages that were found; see :func:`refine_engine.importers.load_results`."""
    findings = FindingList()
    tracks = read_tracks(folder.tracks, findings)
    stored, cameras = _cameras_and_people(folder, tracks, video, findings)
    if folder.world is not None and folder.poses is not None:
        judge_world(folder.world, stored.raw, cameras, lambda b: rest_joints(body, b)[0], findings)
    people = cut_to_cameras(stored.people, cameras.num_frames, folder.root, findings)
    _note_lengths(folder, cameras.num_frames, people, findings)
    pelvis_depth = {i: float(rest_joints(body, r.betas)[0, 2]) for i, r in people.items()}
    people, K_pose = follow_focal_length(people, cameras.K, pelvis_depth, findings)
    bodies = {i: _joints(rows, body) for i, rows in people.items()}
    _note_behind(bodies, findings)
    masks = open_masks(folder.cameras, folder.tracks, findings)
    joined = _joined(folder, cameras, bodies, masks, findings)
    depth = open_depth(
        folder.cameras,
        cameras.num_frames,
        joined.frame_scale,
        masks is not None and masks.num_dynamic > 0,
        findings,
    )
    R_world_recon = _upright(bodies, joined, cameras, up, findings)
    track = _camera_track(cameras, joined, K_pose, R_world_recon)
    tracks = _with_convention(tracks, people, bodies, track, findings)
    finished = finish_people(folder, people, stored.raw, bodies, track, tracks, keypoints, findings)
    if all(p.keypoints is not None and p.keypoints.circular for p in finished.values()):
        findings.missing(
            "No 2-D keypoints: the projections of Stage 3's own joints stand in, so the picture "
            "can hold bodies where they were but cannot correct them (detections can be given as "
            "OpenPose, COCO-result or MMPose JSON)."
        )
    frames = open_video(folder, video, track.image_size, track.num_frames, findings)
    rate, rate_source = frame_rate(fps, frames, findings)
    return Scene(
        people=finished,
        cameras=track,
        fps=rate,
        fps_source=rate_source,
        depth=depth,
        masks=masks,
        video=frames,
        gender=body.gender,
        R_world_recon=read_only(R_world_recon),
        up_known=up is not None,
        report=findings.report(),
        root=folder.root,
    )


@dataclass(frozen=True)
class _Stored:
    """People as stored and as repaired."""

    raw: Mapping[int, Rows]
    people: Mapping[int, Rows]


def _cameras_and_people(
    folder: ResultsFolder, tracks: Tracks, video: str | Path | None, findings: FindingList
) -> tuple[_Stored, RawCameras]:
    cameras = None if folder.cameras is None else read_cameras(folder.cameras, findings)
    if folder.poses is not None:
        raw, people = read_people(folder, tracks, findings)
        if cameras is None:
            cameras = _stand_in_cameras(folder, raw, video, findings)
        return _Stored(raw, people), cameras
    assert folder.world is not None
    if cameras is None:
        raise InputError(
            folder.root,
            "holds people in world space only (Stage 4) and no cameras to bring them back",
            "add Stage 1 or Stage 3 of the same run",
        )
    people = read_world_people(folder.world, cameras, tracks, findings)
    return _Stored(people, people), cameras


def _stand_in_cameras(
    folder: ResultsFolder,
    people: Mapping[int, Rows],
    video: str | Path | None,
    findings: FindingList,
) -> RawCameras:
    """Static cameras for a folder without Stage 1."""
    last = max(int(rows.frames.max()) for rows in people.values())
    # The video first: masks may have been made at the size of the depth maps.
    known = video_size(folder, video) or mask_size(folder.tracks)
    size = known or _USUAL_SIZE
    guessed = "" if known else ", which nothing in the folder says"
    findings.missing(
        "No cameras (Stage 1): the camera is taken as static with a focal length of one image "
        f"diagonal at {size[1]} x {size[0]} pixels{guessed}; scale cannot be found from camera "
        "motion."
    )
    return static_cameras(last + 1, size)


def _joints(rows: Rows, body: BodyModel) -> BodyTrack:
    joints = joint_positions(body, rows.betas, rows.global_orient, rows.body_pose, rows.transl)
    return BodyTrack(rows.frames, joints)


def _note_behind(bodies: Mapping[int, BodyTrack], findings: FindingList) -> None:
    """Report people whom no camera can have seen where they are placed."""
    for person, track in bodies.items():
        behind = int((track.joints_cam[:, 0, 2] <= 0).sum())
        if behind:
            findings.reported(
                "behind",
                behind,
                f"Person {person}: in {behind} of {len(track.frames)} rows the pelvis lies behind "
                "the camera, where it cannot have been seen; 'transl' is in the camera's axes (x "
                "right, y down, z forward), metres.",
                person,
            )


def _joined(
    folder: ResultsFolder,
    cameras: RawCameras,
    bodies: Mapping[int, BodyTrack],
    masks: FolderMasks | None,
    findings: FindingList,
) -> JoinedCameras:
    ratio = static_depth_ratio(folder.cameras, masks)
    begins = find_chunks(cameras.R, cameras.t, ratio) if cameras.estimated else []
    joined = join_chunks(cameras.R, cameras.t, begins, bodies, ratio)
    if joined.joins:
        details = "; ".join(
            f"frame {j.frame}: unit x {j.scale:.3f}"
            + (f" from {j.scale_from}" if j.scale_from else " (nothing says, 1 taken)")
            + (", pose from bodies" if j.pose_from == "bodies" else "")
            for j in joined.joins
        )
        findings.repaired(
            "B5",
            len(joined.joins),
            "The reconstruction was made in chunks, each with its own origin and unit; they were "
            f"joined into one world ({details}). People go on across their borders.",
        )
    return joined


def _upright(
    bodies: Mapping[int, BodyTrack],
    joined: JoinedCameras,
    cameras: RawCameras,
    up: Array | None,
    findings: FindingList,
) -> Array:
    if up is not None:
        return rotation_to_y_up(up)
    found = estimate_up(bodies, joined.R, joined.t)
    _note_gravity(found, len(bodies), findings)
    return rotation_to_y_up(found.direction)


def _note_gravity(found: Upward, num_people: int, findings: FindingList) -> None:
    tilt = float(np.rad2deg(np.arccos(np.clip(-found.direction[1], -1.0, 1.0))))
    down = "Y points down" if found.direction[1] < 0 else "Y points up"
    if found.rows:
        source = f"from {found.rows} upright rows of {found.people} of {num_people} people"
        source += " and the floor under their feet" if found.floor else ""
    else:
        source = "from the cameras, since nobody stands upright"
    findings.repaired(
        "B19",
        found.rows,
        f"{down} in the reconstruction and nothing was aligned to gravity; up was estimated "
        f"{source} ({tilt:.1f} degrees from the first camera's own up).",
    )


def _camera_track(
    cameras: RawCameras, joined: JoinedCameras, K_pose: Array, R_world_recon: Array
) -> CameraTrack:
    R_recon_world = R_world_recon.T
    # The engine's origin is the first camera's centre, whatever alpha turns out to be.
    centre = camera_centers(joined.R[:1], joined.t[:1])[0]
    confidence = cameras.confidence
    return CameraTrack(
        R_cam_world=read_only(joined.R @ R_recon_world),
        t_cam_world=read_only(joined.t + joined.R @ centre),
        intrinsics=read_only(cameras.K),
        image_size=cameras.image_size,
        intrinsics_pose=read_only(K_pose),
        chunk=read_only(joined.chunk),
        metric=False,
        estimated=cameras.estimated,
        confidence=None if confidence is None else read_only(confidence),
    )


def _with_convention(
    tracks: Tracks,
    people: Mapping[int, Rows],
    bodies: Mapping[int, BodyTrack],
    track: CameraTrack,
    findings: FindingList,
) -> Tracks:
    raw = {i: boxes_at(tracks, i, rows.frames) for i, rows in people.items()}
    known = {i: boxes for i, boxes in raw.items() if boxes is not None}
    if not known:
        return tracks
    projected = {i: body_boxes(bodies[i], track) for i in known}
    stored = np.concatenate(list(known.values()))
    fits = np.concatenate([projected[i] for i in known])
    there = stored[:, 2] != 0
    convention = vote_convention(stored[there], track.image_size, fits[there])
    if convention != "xywh":
        meaning = "corners" if convention == "xyxy" else "centre, width, height"
        findings.repaired(
            "B7",
            int(there.sum()),
            f"The boxes hold {meaning} instead of top-left, width, height; they were converted.",
        )
    tracks = replace(tracks, convention=convention)
    for i in known:
        boxes = boxes_at(tracks, i, people[i].frames)
        assert boxes is not None
        note_shifted_crops(i, boxes, projected[i], findings)
    return tracks


def _note_lengths(
    folder: ResultsFolder, num_frames: int, people: Mapping[int, Rows], findings: FindingList
) -> None:
    if folder.tracks is not None:
        try:
            stated = (read_json(folder.tracks / "metadata.json") or {}).get("num_frames")
        except InputError as error:
            findings.reported("unreadable", 1, str(error))
            stated = None
        if isinstance(stated, int) and stated != num_frames:
            findings.reported(
                "B22",
                abs(stated - num_frames),
                f"Stage 2 saw {stated} frames, Stage 1 {num_frames}; the common ones are used.",
            )
    last = max(int(rows.frames.max()) for rows in people.values())
    if last == _TRACKER_LIMIT - 1 and num_frames > _TRACKER_LIMIT:
        findings.reported(
            "B10",
            num_frames - _TRACKER_LIMIT,
            f"The tracker stopped at its limit of {_TRACKER_LIMIT} frames; nobody is seen later.",
        )
