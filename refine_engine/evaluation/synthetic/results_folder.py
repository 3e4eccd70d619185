"""Write a synthetic scene as a MultiTRAM results folder, with the defects of that program.

The layout is the one its present version leaves: rows of a person only where the track lives,
their frame numbers only in Stage 3's metadata; Stage 4 with the camera inverted twice and without
the pelvis term, translations of mixed units; depth in reconstruction units and a "sigma" that is
one minus a confidence which begins at one; detections whose keypoints are no keypoints.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import BODY_25, layout_points, place_points
from refine_engine.errors import ExportError
from refine_engine.evaluation.sources import TRUTH_FILE
from refine_engine.evaluation.synthetic.ground_truth import is_sample, write_truth
from refine_engine.evaluation.synthetic.scene import (
    EstimatedPerson,
    SyntheticScene,
    estimated_joints,
)
from refine_engine.evaluation.synthetic.video import write_video
from refine_engine.geometry.cameras import project
from refine_engine.geometry.rotations import axis_angle_from_matrix

Array = NDArray[np.float64]

VIDEO_FILE = "video.mp4"
STAGES = ("1_camera_estimation", "2_tracking", "3_pose_estimation", "4_world_space")

Progress = Callable[[str, float], None]
"""Called with what is being done and the share of all work that is done."""


def write_results_folder(
    scene: SyntheticScene, folder: Path, progress: Progress | None = None
) -> Path:
    """Write every stage, the video and, last of all, the ground truth.

    Parameters
    ----------
    scene
        What to write.
    folder
        Made where it is missing; must be empty, or hold an older sample, which is replaced.
    progress
        Told now and then.

    Raises
    ------
    ExportError
        The folder holds something else, or cannot be written.
    """
    report = progress or (lambda what, share: None)
    try:
        _prepare(folder)
        for name in STAGES:
            (folder / name).mkdir(exist_ok=True)
        _write_cameras(scene, folder / STAGES[0], report)
        _write_tracks(scene, folder / STAGES[1])
        _write_poses(scene, folder / STAGES[2])
        _write_world(scene, folder / STAGES[3])
        report("video", 0.6)
        if scene.options.video:
            write_video(scene.views, folder / VIDEO_FILE)
        write_truth(scene, folder / TRUTH_FILE)
    except OSError as error:
        raise ExportError(
            error.filename or folder,
            f"cannot be written ({error.strerror or error})",
            "choose a folder that can be written and has room",
        ) from error
    report("done", 1.0)
    return folder


def _prepare(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ExportError(folder, "is a file", "give a folder")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()) and not is_sample(folder / TRUTH_FILE):
        raise ExportError(folder, "holds files that are no sample", "give an empty or a new folder")
    # An older sample goes: its stages, video and truth, and nothing beside them.
    (folder / TRUTH_FILE).unlink(missing_ok=True)
    (folder / VIDEO_FILE).unlink(missing_ok=True)
    for stage in STAGES:
        for path in sorted((folder / stage).glob("**/*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()


def _write_cameras(scene: SyntheticScene, folder: Path, report: Progress) -> None:
    count = scene.truth.num_frames
    masks = scene.options.blackout
    for name in ("depth_maps", "depth_uncertainty", *(["masks"] if masks else [])):
        (folder / name).mkdir(exist_ok=True)
    confidences = np.zeros(count, dtype=np.float32)
    for frame in range(count):
        depth, confidence = scene.depth(frame)
        np.save(folder / "depth_maps" / f"depth_{frame:06d}.npy", depth)
        np.save(folder / "depth_uncertainty" / f"sigma_{frame:06d}.npy", 1 - confidence)
        confidences[frame] = confidence.mean()
        if masks:
            np.save(folder / "masks" / f"frame_{frame:06d}_dynamic.npy", scene.dynamic_mask(frame))
            _write_instances(scene, frame, folder / "masks" / f"frame_{frame:06d}_instances.pkl")
        if frame % 10 == 0:
            report("depth", 0.6 * frame / count)
    intrinsics = np.broadcast_to(scene.truth.intrinsics, (count, 3, 3))
    np.savez(
        folder / "cameras.npz",
        poses=scene.poses_recon.astype(np.float32),
        intrinsics=intrinsics.astype(np.float32),
        confidence=confidences,
    )
    height, width = scene.truth.image_size
    metadata = {"num_frames": count, "image_size": [height, width], "method_used": "vggt"}
    _write_json(folder / "metadata.json", metadata)


def _write_instances(scene: SyntheticScene, frame: int, path: Path) -> None:
    instances = []
    for pid, person in scene.people.items():
        row = np.flatnonzero(person.frames == frame)
        if len(row):
            x, y, w, h = person.boxes[row[0]]
            instances.append(
                {
                    "class_id": 0,
                    "bbox": np.array([x, y, x + w, y + h], dtype=np.float32),
                    "confidence": 0.9,
                    "mask": scene.person_mask(pid, frame),
                }
            )
    path.write_bytes(pickle.dumps(instances))


def _write_tracks(scene: SyntheticScene, folder: Path) -> None:
    arrays: dict[str, NDArray[np.generic]] = {}
    for pid, person in scene.people.items():
        arrays[f"track_{pid}_frames"] = person.frames.astype(np.int32)
        arrays[f"track_{pid}_bboxes"] = person.boxes.astype(np.float32)
    np.savez(folder / "tracks.npz", **arrays)  # type: ignore[arg-type]
    _write_detections(scene, folder / "detections")
    if scene.options.masks:
        (folder / "masks").mkdir(exist_ok=True)
        for frame in range(scene.truth.num_frames):
            for pid, person in scene.people.items():
                if frame in person.frames:
                    name = f"frame_{frame:06d}_person_{pid:03d}.npy"
                    np.save(folder / "masks" / name, scene.person_mask(pid, frame))
    _write_json(folder / "id_corrections.json", {"swaps": [], "merges": [], "discarded": []})
    lengths = {str(pid): len(person.frames) for pid, person in scene.people.items()}
    metadata = {
        "num_tracks": len(scene.people),
        "num_frames": scene.truth.num_frames,
        "track_ids": list(scene.people),
        "track_lengths": lengths,
    }
    _write_json(folder / "metadata.json", metadata)


def _write_detections(scene: SyntheticScene, folder: Path) -> None:
    """One pickle a frame, keypoints included as the tracker's wrapper mangles them."""
    folder.mkdir(exist_ok=True)
    by_frame: list[list[dict[str, object]]] = [[] for _ in range(scene.truth.num_frames)]
    for pid, person in scene.people.items():
        mangled = _mangled_keypoints(scene, person)
        for row, frame in enumerate(person.frames):
            by_frame[frame].append(
                {
                    "track_id": pid,
                    "bbox": [float(v) for v in person.boxes[row]],
                    "confidence": 0.9,
                    "keypoints_2d": mangled[row].tolist(),
                }
            )
    for frame, detections in enumerate(by_frame):
        (folder / f"frame_{frame:06d}.pkl").write_bytes(pickle.dumps(detections))


def _mangled_keypoints(scene: SyntheticScene, person: EstimatedPerson) -> Array:
    """(n, 24, 3): 45 pairs of projected model joints, in square-image units, read as triplets.

    The tracker's own list is BODY-25 and then 19 more joints, of which the wrapper keeps eleven.
    """
    truth = scene.truth
    joints = estimated_joints(scene, person.id)
    first = place_points(
        layout_points(truth.model, BODY_25), joints, person.motion.betas, person.motion.body_pose
    )
    more = joints.positions[:, [8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18]]
    pixels, _ = project(np.concatenate([first, more], 1), truth.intrinsics)
    height, width = truth.image_size
    square = max(height, width)
    padding = np.floor(np.array([square - width, square - height]) / 2)
    units = (pixels + padding) / square
    return units.reshape(len(units), 24, 3)


def _write_poses(scene: SyntheticScene, folder: Path) -> None:
    people = []
    for pid, person in scene.people.items():
        place = folder / f"person_{pid:03d}"
        place.mkdir(exist_ok=True)
        motion = person.motion
        np.savez(
            place / "smpl_params_camera.npz",
            poses=axis_angle_from_matrix(motion.body_pose).astype(np.float32),
            global_orient=axis_angle_from_matrix(motion.R_cam_root).astype(np.float32),
            betas=motion.betas.astype(np.float32),
            transl=motion.transl_cam.astype(np.float32),
        )
        if scene.options.keypoints:
            np.save(place / "keypoints_2d.npy", person.keypoints.astype(np.float32))
        metadata = {
            "track_id": pid,
            "start_frame": int(person.frames[0]),
            "end_frame": int(person.frames[-1]),
            "num_frames": len(person.frames),
            "frames": [int(f) for f in person.frames],
        }
        _write_json(place / "metadata.json", metadata)
        people.append(metadata)
    _write_json(folder / "metadata.json", {"num_people": len(people), "people": people})


def _write_world(scene: SyntheticScene, folder: Path) -> None:
    """Stage 4 as the pipeline gets it wrong.

    It inverts the camera when it stores it and once more when it uses it, so that points go from
    the camera frame through world-to-camera again; it forgets that SMPL turns about the pelvis;
    and it adds the cameras' unknown unit to the bodies' metres.
    """
    together: dict[str, object] = {}
    for pid, person in scene.people.items():
        place = folder / f"person_{pid:03d}"
        place.mkdir(exist_ok=True)
        G = scene.poses_recon[person.frames].astype(np.float32).astype(np.float64)
        motion = person.motion
        transl = np.einsum("nij,nj->ni", G[:, :3, :3], motion.transl_cam) + G[:, :3, 3]
        np.savez(
            place / "smpl_params_world.npz",
            poses=axis_angle_from_matrix(motion.body_pose).astype(np.float32),
            betas=motion.betas.astype(np.float32),
            global_orient=axis_angle_from_matrix(G[:, :3, :3] @ motion.R_cam_root),
            transl=transl,
        )
        np.save(place / "trajectory_world.npy", transl)
        together[f"person_{pid}"] = {
            "frames": [int(f) for f in person.frames],
            "trajectory_world": transl,
            "num_frames": len(person.frames),
        }
    # Dictionaries in an array: the pipeline's own file needs unpickling too.
    np.savez(folder / "all_people_world.npz", **together)  # type: ignore[arg-type]
    metadata = {
        "num_people": len(scene.people),
        "people": list(scene.people),
        "world_origin": [0, 0, 0],
        "up_axis": 1,
        "processing_time": 0.0,
    }
    _write_json(folder / "metadata.json", metadata)


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
