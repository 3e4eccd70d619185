"""A scene from plain arrays under the document's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import load_body_model, rest_joints
from refine_engine.errors import InputError
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.refinement.checked_scene import check_scene, expect
from refine_engine.refinement.maps_in_memory import DepthArrays, MaskArrays
from refine_engine.refinement.placement import place_in_camera
from refine_engine.scene import CameraTrack, ImportReport, KeypointLayout, Keypoints, Person, Scene

if TYPE_CHECKING:
    from refine_engine.refinement.input import RefinementInput
    from refine_engine.scene import Array, BoolArray, DepthMaps, IntArray, Masks


def scene_from_arrays(given: RefinementInput) -> Scene:
    """Put a caller's arrays into the engine's form.

    Raises
    ------
    InputError
        Names the array, what is wrong with it and what to give.
    """
    if not given.smpl_global_orient:
        raise InputError("smpl_global_orient", "is empty", "give at least one person {id: (T, 3)}")
    if given.camera_poses is None:
        raise InputError("camera_poses", "is missing", "give (T, 4, 4) world-to-camera matrices")
    cameras = _camera_track(given)
    T = cameras.num_frames
    if given.num_frames is not None and given.num_frames != T:
        raise InputError(
            "num_frames",
            f"is {given.num_frames}, but camera_poses has {T}",
            "give as many cameras as frames",
        )
    if given.num_people is not None and given.num_people != len(given.smpl_global_orient):
        raise InputError(
            "num_people",
            f"is {given.num_people}, but smpl_global_orient has {len(given.smpl_global_orient)}",
            "give every person's arrays",
        )
    people = {int(i): _person(int(i), given, cameras) for i in sorted(given.smpl_global_orient)}
    depth: DepthMaps | None = None
    if given.depth_maps is not None:
        maps = np.asarray(given.depth_maps)
        if maps.ndim != 3 or len(maps) != T:
            raise InputError("depth_maps", f"has shape {maps.shape}", f"give ({T}, H, W)")
        depth = DepthArrays(maps, shares_camera_unit=not given.depth_metric)
    masks: Masks | None = None
    if given.masks:
        for i, m in given.masks.items():
            if np.ndim(m) != 3 or len(m) != T:
                raise InputError(f"masks[{i}]", f"has shape {np.shape(m)}", f"give ({T}, H, W)")
        masks = MaskArrays({int(i): np.asarray(m) for i, m in given.masks.items()})
    missing = tuple(
        text
        for absent, text in (
            (depth is None, "No depth maps: depth gives no evidence about distance and scale."),
            (masks is None, "No masks: depth is compared inside the bodies' outlines only."),
            (not given.keypoints_2d, "No 2-D keypoints: the measured poses are the only data."),
        )
        if absent
    )
    scene = Scene(
        people=people,
        cameras=cameras,
        fps=float(given.fps),
        fps_source="user",
        depth=depth,
        masks=masks,
        report=ImportReport(missing=missing),
    )
    check_scene(scene)
    return scene


def _camera_track(given: RefinementInput) -> CameraTrack:
    poses = np.asarray(given.camera_poses, dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] not in ((4, 4), (3, 4)):
        raise InputError("camera_poses", f"has shape {poses.shape}", "give (T, 4, 4)")
    if not np.isfinite(poses).all():
        bad = int(np.flatnonzero(~np.isfinite(poses).all((1, 2)))[0])
        raise InputError("camera_poses", f"is not finite at frame {bad}", "correct that camera")
    T = len(poses)
    R = poses[:, :3, :3]
    off = np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3)).max()
    if off > 1e-3 or (np.linalg.det(R) < 0).any():
        raise InputError(
            "camera_poses",
            f"holds matrices that are not rotations (off by {off:.2g})",
            "give rigid world-to-camera matrices",
        )
    if given.intrinsics is None:
        raise InputError("intrinsics", "are missing", "give K as (3, 3) or (T, 3, 3) in pixels")
    K = np.asarray(given.intrinsics, dtype=np.float64)
    if K.shape not in ((3, 3), (T, 3, 3)) or not np.isfinite(K).all():
        raise InputError("intrinsics", f"have shape {K.shape}", "give finite (3, 3) or (T, 3, 3)")
    K = np.array(np.broadcast_to(K, (T, 3, 3)))
    size = given.image_size or (round(2 * float(K[0, 1, 2])), round(2 * float(K[0, 0, 2])))
    metric = given.cameras_metric
    return CameraTrack(
        R_cam_world=R.copy(),
        t_cam_world=poses[:, :3, 3].copy(),
        intrinsics=K,
        image_size=size,
        intrinsics_pose=K[0].copy(),
        chunk=np.zeros(T, dtype=np.int64),
        metric=given.coordinates == "world" if metric is None else metric,
    )


def _person(i: int, given: RefinementInput, cameras: CameraTrack) -> Person:
    T = cameras.num_frames
    orient = _per_person("smpl_global_orient", given.smpl_global_orient, i)
    n = len(orient)
    frames = np.asarray(given.frames.get(i, np.arange(n)), dtype=np.int64)
    if frames.shape != (n,):
        raise InputError(f"frames[{i}]", f"has shape {frames.shape}", f"give ({n},)")
    if n == 0 or frames[0] < 0 or frames[-1] >= T or (np.diff(frames) <= 0).any():
        raise InputError(
            f"frames[{i}]", f"are not increasing numbers from 0 to {T - 1}", "sort and cut them"
        )
    pose = _per_person("smpl_body_pose", given.smpl_body_pose, i).reshape(n, -1)
    if i in given.smpl_trans:
        transl = _per_person("smpl_trans", given.smpl_trans, i)
    else:
        transl = _per_person("trajectories", given.trajectories, i)
    betas = np.asarray(given.smpl_shape.get(i, np.zeros(10)), dtype=np.float64).reshape(-1)
    expect(f"smpl_global_orient[{i}]", orient, (n, 3), finite=False)
    expect(f"smpl_body_pose[{i}]", pose, (n, 69), finite=False)
    expect(f"smpl_trans[{i}]", transl, (n, 3), finite=False)
    expect(f"smpl_shape[{i}]", betas, (10,))
    seen = np.isfinite(np.concatenate([orient, pose, transl], -1)).all(-1)
    if not seen.any():
        raise InputError(f"person {i}", "has no finite row", "leave this person out")
    # Rows that were not measured are dropped: gaps are filled by the engine, marked as such.
    frames, orient, pose, transl = frames[seen], orient[seen], pose[seen], transl[seen]
    R_root = matrix_from_axis_angle(orient)
    if given.coordinates == "world":
        R_root, transl = _to_camera_frame(R_root, transl, frames, cameras, betas)
    return Person(
        id=i,
        frames=frames,
        R_cam_root=R_root,
        body_pose=matrix_from_axis_angle(pose.reshape(-1, 23, 3)),
        betas=betas,
        transl_cam=transl,
        observed=np.ones(len(frames), dtype=bool),
        keypoints=_keypoints(i, given, n, seen),
    )


def _to_camera_frame(
    R_root: Array, transl: Array, frames: IntArray, cameras: CameraTrack, betas: Array
) -> tuple[Array, Array]:
    # Arrays name no gender; the engine's body for them is the neutral one throughout.
    pelvis = rest_joints(load_body_model(), betas)[0]
    return place_in_camera(R_root, transl, frames, cameras, 1.0, pelvis)


def _keypoints(i: int, given: RefinementInput, n: int, seen: BoolArray) -> Keypoints | None:
    if i not in given.keypoints_2d:
        return None
    found = np.asarray(given.keypoints_2d[i], dtype=np.float64)
    layouts: dict[int, KeypointLayout] = {17: "coco17", 24: "smpl24", 25: "body25"}
    if found.ndim != 3 or len(found) != n or found.shape[1] not in layouts or found.shape[2] != 3:
        raise InputError(
            f"keypoints_2d[{i}]", f"has shape {found.shape}", f"give ({n}, 17 | 24 | 25, 3)"
        )
    found = found[seen]
    usable = np.isfinite(found).all(-1) & (found[..., 2] > 0)
    return Keypoints(
        layout=layouts[found.shape[1]],
        pixels=np.where(usable[..., None], found[..., :2], 0.0),
        confidence=np.where(usable, np.clip(found[..., 2], 0.0, 1.0), 0.0),
        source="detections",
    )


def _per_person(name: str, values: Mapping[int, Array], i: int) -> Array:
    if i not in values:
        raise InputError(name, f"has no person {i}", "give every array for every person")
    return np.asarray(values[i], dtype=np.float64)
