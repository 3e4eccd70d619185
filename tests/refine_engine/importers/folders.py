"""Tiny MultiTRAM results folders from a known motion, and one function for each defect.

Two people stand on a floor and move their arms; a camera at 1.5 m looks down a little and walks
past.  Every file is written as the upstream writers write it, so ``write_results`` alone is a
well-formed folder of the current version (Stage 4 with the double inverse included).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from refine_engine.body import embedded_body, joint_positions, rest_joints
from refine_engine.geometry.cameras import project, to_camera
from refine_engine.geometry.rotations import axis_angle_from_matrix, exp_so3

SIZE = (64, 96)
FOCAL = 80.0
ALPHA = 2.5
FRAMES = 24


@dataclass
class Truth:
    """What the folder was made from; lengths in metres, world Y up."""

    root: Path
    R_cam_world: np.ndarray
    t_cam_world: np.ndarray
    """(T, 3) metres."""
    frames: dict[int, np.ndarray] = field(default_factory=dict)
    R_cam_root: dict[int, np.ndarray] = field(default_factory=dict)
    transl_cam: dict[int, np.ndarray] = field(default_factory=dict)
    R_world_root: dict[int, np.ndarray] = field(default_factory=dict)
    transl_world: dict[int, np.ndarray] = field(default_factory=dict)
    body_pose: dict[int, np.ndarray] = field(default_factory=dict)
    betas: dict[int, np.ndarray] = field(default_factory=dict)
    joints_cam: dict[int, np.ndarray] = field(default_factory=dict)
    boxes: dict[int, np.ndarray] = field(default_factory=dict)
    R_recon: np.ndarray = field(default_factory=lambda: np.eye(3))
    t_recon: np.ndarray = field(default_factory=lambda: np.zeros(3))
    """Cameras as Stage 1 has them: the first camera's world, units of ALPHA metres."""
    K: np.ndarray = field(default_factory=lambda: np.eye(3))

    @property
    def cameras(self) -> Path:
        return self.root / "1_camera_estimation"

    @property
    def tracks(self) -> Path:
        return self.root / "2_tracking"

    @property
    def poses(self) -> Path:
        return self.root / "3_pose_estimation"

    @property
    def world(self) -> Path:
        return self.root / "4_world_space"

    def person(self, person: int) -> Path:
        return self.poses / f"person_{person:03d}"

    @property
    def up_recon(self) -> np.ndarray:
        return self.R_cam_world[0] @ np.array([0.0, 1.0, 0.0])


def camera_path(num_frames: int, *, moving: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """World-to-camera of a camera that walks past, 10 degrees down, turning a little."""
    s = np.linspace(0, 1, num_frames) if moving else np.zeros(num_frames)
    down = exp_so3(np.array([np.deg2rad(10.0), 0, 0]))
    look = np.diag([1.0, -1.0, -1.0])
    turn = exp_so3(np.stack([0 * s, 0.3 * s, 0 * s], -1))
    R = down @ look @ turn
    centre = np.stack([-0.8 + 1.6 * s, 1.5 + 0.05 * np.sin(6 * s), 0.3 * s], -1)
    return R, -np.einsum("tij,tj->ti", R, centre)


def make_truth(root: Path, num_frames: int = FRAMES, *, moving: bool = True) -> Truth:
    """Two people in front of the camera; person 2 is seen from frame 3 to 20 only."""
    body = embedded_body("neutral")
    R, t = camera_path(num_frames, moving=moving)
    truth = Truth(root, R, t)
    places = {1: (-0.6, -4.0, 0.4), 2: (0.9, -5.5, -0.5)}
    spans = {1: (0, num_frames), 2: (3, max(num_frames - 3, 4))}
    for person, (x, z, heading) in places.items():
        frames = np.arange(*spans[person])
        n = len(frames)
        betas = np.zeros(10)
        betas[0] = 0.5 * person
        rest = rest_joints(body, betas)
        wave = np.sin(0.3 * frames + person)
        pose = np.zeros((n, 23, 3))
        pose[:, 15, 2], pose[:, 16, 2] = -1.2, 1.2
        pose[:, 17, 1] = 0.3 * wave
        pose[:, 2, 1] = 0.05 * wave
        orient = np.tile(exp_so3(np.array([0, heading, 0])), (n, 1, 1))
        transl = np.tile([x, -rest[[10, 11], 1].mean() + 0.03, z], (n, 1))
        truth.frames[person], truth.betas[person] = frames, betas
        truth.body_pose[person] = pose
        truth.R_world_root[person], truth.transl_world[person] = orient, transl
        truth.R_cam_root[person] = R[frames] @ orient
        truth.transl_cam[person] = to_camera(transl + rest[0], R[frames], t[frames]) - rest[0]
        truth.joints_cam[person] = joint_positions(
            body, betas, truth.R_cam_root[person], exp_so3(pose), truth.transl_cam[person]
        )
    truth.R_recon = R @ R[0].T
    centre = -R[0].T @ t[0]
    truth.t_recon = (t + R @ centre) / ALPHA
    h, w = SIZE
    truth.K = np.tile([[FOCAL, 0, w / 2], [0, FOCAL, h / 2], [0, 0, 1.0]], (num_frames, 1, 1))
    for person, joints in truth.joints_cam.items():
        pixels, _ = project(joints, truth.K[0])
        low, high = pixels.min(1) - 3, pixels.max(1) + 3
        low, high = np.clip(low, 0, (w, h)), np.clip(high, 0, (w, h))
        # Sub-pixel noise, so that no two boxes are equal by accident.
        low += 0.01 * np.sin(np.arange(len(low)))[:, None]
        truth.boxes[person] = np.concatenate([low, high - low], -1)
    return truth


def write_results(
    root: Path,
    num_frames: int = FRAMES,
    *,
    moving: bool = True,
    depth: bool = True,
    masks: bool = True,
    world: bool = True,
) -> Truth:
    """Write a well-formed folder of the current version."""
    truth = make_truth(root, num_frames, moving=moving)
    write_cameras(truth)
    if depth:
        write_depth(truth)
    write_tracks(truth)
    write_poses(truth)
    if masks:
        write_masks(truth)
    if world:
        write_world(truth)
    return truth


def dump(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def write_cameras(truth: Truth, **changes: np.ndarray) -> None:
    T = len(truth.R_recon)
    poses = np.tile(np.eye(4), (T, 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = truth.R_recon, truth.t_recon
    arrays = {"poses": poses, "intrinsics": truth.K, "confidence": np.full(T, 1.8)} | changes
    truth.cameras.mkdir(parents=True, exist_ok=True)
    np.savez(
        truth.cameras / "cameras.npz",
        **{name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()},
    )
    dump(
        truth.cameras / "metadata.json",
        {"num_frames": T, "image_size": list(SIZE), "method_used": "vggt"},
    )


def ground_depth(truth: Truth, frame: int) -> np.ndarray:
    """z-depth (H, W) in metres of the floor, and of a wall 12 m away along the view."""
    h, w = SIZE
    v, u = np.mgrid[:h, :w] + 0.5
    K = truth.K[frame]
    rays = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones((h, w))], -1)
    up_cam = truth.R_cam_world[frame] @ np.array([0.0, 1.0, 0.0])
    height = (-truth.R_cam_world[frame].T @ truth.t_cam_world[frame])[1]
    slope = rays @ up_cam
    with np.errstate(divide="ignore"):
        return np.where(slope < 0, np.minimum(-height / slope, 12.0), 12.0)


def write_depth(truth: Truth) -> None:
    for folder in ("depth_maps", "depth_uncertainty"):
        (truth.cameras / folder).mkdir(parents=True, exist_ok=True)
    for frame in range(len(truth.R_recon)):
        depth = ground_depth(truth, frame) / ALPHA
        np.save(truth.cameras / f"depth_maps/depth_{frame:06d}.npy", depth.astype(np.float32))
        sigma = np.full(SIZE, -0.8, dtype=np.float32)
        np.save(truth.cameras / f"depth_uncertainty/sigma_{frame:06d}.npy", sigma)


def write_tracks(truth: Truth) -> None:
    truth.tracks.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for person, frames in truth.frames.items():
        arrays[f"track_{person}_frames"] = frames.astype(np.int32)
        arrays[f"track_{person}_bboxes"] = truth.boxes[person].astype(np.float32)
    np.savez(truth.tracks / "tracks.npz", **arrays)
    dump(
        truth.tracks / "metadata.json",
        {
            "num_tracks": len(truth.frames),
            "num_frames": len(truth.R_recon),
            "track_ids": list(truth.frames),
            "track_lengths": {str(i): len(f) for i, f in truth.frames.items()},
        },
    )


def pose_arrays(truth: Truth, person: int) -> dict[str, np.ndarray]:
    return {
        "poses": truth.body_pose[person].astype(np.float32),
        "betas": truth.betas[person].astype(np.float32),
        "global_orient": axis_angle_from_matrix(truth.R_cam_root[person]).astype(np.float32),
        "transl": truth.transl_cam[person].astype(np.float32),
    }


def write_poses(truth: Truth) -> None:
    entries = []
    for person, frames in truth.frames.items():
        write_person(truth, person, pose_arrays(truth, person))
        entries.append(frames_entry(person, frames))
        dump(truth.person(person) / "metadata.json", entries[-1])
    dump(truth.poses / "metadata.json", {"num_people": len(entries), "people": entries})


def frames_entry(person: int, frames: np.ndarray) -> dict[str, object]:
    return {
        "track_id": person,
        "start_frame": int(frames[0]),
        "end_frame": int(frames[-1]),
        "num_frames": len(frames),
        "frames": [int(f) for f in frames],
    }


def write_person(truth: Truth, person: int, arrays: dict[str, np.ndarray]) -> None:
    truth.person(person).mkdir(parents=True, exist_ok=True)
    np.savez(truth.person(person) / "smpl_params_camera.npz", **arrays)


def change_person(truth: Truth, person: int, **changes: np.ndarray) -> None:
    write_person(truth, person, pose_arrays(truth, person) | changes)


def list_frames(truth: Truth, person: int, frames: np.ndarray) -> None:
    """Write the person's frames into both metadata files."""
    dump(truth.person(person) / "metadata.json", frames_entry(person, frames))
    entries = [
        frames_entry(i, frames if i == person else known) for i, known in truth.frames.items()
    ]
    dump(truth.poses / "metadata.json", {"num_people": len(entries), "people": entries})


def write_masks(truth: Truth) -> None:
    for stage in (truth.cameras, truth.tracks):
        (stage / "masks").mkdir(parents=True, exist_ok=True)
    for frame in range(len(truth.R_recon)):
        union = np.zeros(SIZE, dtype=bool)
        for person, frames in truth.frames.items():
            row = np.flatnonzero(frames == frame)
            if len(row):
                x, y, w, h = truth.boxes[person][row[0]].round().astype(int)
                mask = np.zeros(SIZE, dtype=bool)
                mask[max(y, 0) : y + h, max(x, 0) : x + w] = True
                union |= mask
                name = f"masks/frame_{frame:06d}_person_{person:03d}.npy"
                np.save(truth.tracks / name, mask)
        np.save(truth.cameras / f"masks/frame_{frame:06d}_dynamic.npy", union)


def write_world(truth: Truth) -> None:
    """Stage 4 as upstream writes it: cameras inverted twice, turned about the origin."""
    everybody = {}
    T = len(truth.R_recon)
    for person, frames in truth.frames.items():
        place = truth.world / f"person_{person:03d}"
        place.mkdir(parents=True, exist_ok=True)
        kept = frames < T
        R, t = truth.R_recon[frames[kept]], truth.t_recon[frames[kept]]
        transl = to_camera(truth.transl_cam[person][kept], R, t)
        orient = axis_angle_from_matrix(R @ truth.R_cam_root[person][kept])
        np.savez(
            place / "smpl_params_world.npz",
            poses=truth.body_pose[person][kept].astype(np.float32),
            betas=truth.betas[person].astype(np.float32),
            global_orient=orient,
            transl=transl,
        )
        np.save(place / "trajectory_world.npy", transl)
        everybody[f"person_{person}"] = np.array(
            {
                "frames": [int(f) for f in frames],
                "trajectory_world": transl,
                "num_frames": len(frames),
            },
            dtype=object,
        )
    np.savez(truth.world / "all_people_world.npz", **everybody)
    dump(truth.world / "metadata.json", {"num_people": 2, "people": [1, 2], "up_axis": 1})


def unzip(path: Path) -> None:
    """Replace ``X.npz`` by a folder ``X/`` of ``.npy`` files."""
    with np.load(path) as arrays:
        folder = path.with_suffix("")
        folder.mkdir()
        for name in arrays.files:
            np.save(folder / f"{name}.npy", arrays[name])
    path.unlink()


def ghost_rows(truth: Truth, person: int, rows: list[int]) -> None:
    """Let the tracker repeat the box of the row before at the given rows (B9)."""
    boxes = truth.boxes[person]
    for row in rows:
        boxes[row] = boxes[row - 1]
    write_tracks(truth)


def restart_chunk(truth: Truth, begin: int, unit: float) -> None:
    """Begin a second reconstruction chunk: its own identity and unit (B5)."""
    R, t = truth.R_recon.copy(), truth.t_recon.copy()
    step = R[begin:] @ R[begin].T
    truth.R_recon[begin:] = step
    truth.t_recon[begin:] = (t[begin:] - step @ t[begin]) / unit
    write_cameras(truth)
    for frame in range(begin, len(R)):
        path = truth.cameras / f"depth_maps/depth_{frame:06d}.npy"
        if path.exists():
            np.save(path, np.load(path) / np.float32(unit))


def write_video(
    path: Path,
    num_frames: int,
    fps: int = 25,
    size: tuple[int, int] = SIZE,
    options: dict[str, str] | None = None,
) -> None:
    """A video whose frame k is grey of value 10 k."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = 8
        stream.bit_rate = 4_000_000
        for k in range(num_frames):
            image = np.full((*size, 3), 10 * k % 256, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
