"""What a refinement starts from: a :class:`Scene`, or plain arrays under the document's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from refine_engine.body import load_body_model, rest_joints
from refine_engine.errors import InputError
from refine_engine.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from refine_engine.refinement.placement import place_in_camera
from refine_engine.scene import (
    LAYOUT_SIZES,
    CameraTrack,
    ImportReport,
    KeypointLayout,
    Keypoints,
    Person,
    Scene,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.scene import Array, BoolArray, DepthMaps, IntArray, Masks


class DepthArrays:
    """Depth maps held in memory: ``depth_maps`` (T, H, W) as the caller gave them."""

    def __init__(
        self,
        maps: NDArray[np.floating[Any]],
        *,
        shares_camera_unit: bool = True,
        people_masked_out: bool = False,
        confidence: NDArray[np.floating[Any]] | None = None,
    ) -> None:
        self._maps = maps
        self._confidence = confidence
        self.size: tuple[int, int] = (int(maps.shape[1]), int(maps.shape[2]))
        self.shares_camera_unit = shares_camera_unit
        self.people_masked_out = people_masked_out

    def has(self, frame: int) -> bool:
        """Whether there is a map for this video frame."""
        return 0 <= frame < len(self._maps)

    def depth(self, frame: int) -> NDArray[np.float32]:
        """(H, W) z-depth; 0 where unknown."""
        found = np.asarray(self._maps[frame], dtype=np.float32)
        return np.where(np.isfinite(found) & (found > 0), found, np.float32(0.0))

    def confidence(self, frame: int) -> NDArray[np.float32] | None:
        """(H, W) trust, or None where none was given."""
        if self._confidence is None:
            return None
        return np.nan_to_num(np.asarray(self._confidence[frame], dtype=np.float32))


class MaskArrays:
    """Image masks held in memory: per person {id: (T, H, W)} and of everything that moves."""

    def __init__(
        self,
        people: Mapping[int, NDArray[Any]] | None = None,
        dynamic: NDArray[Any] | None = None,
    ) -> None:
        self._people = dict(people or {})
        self._dynamic = dynamic

    def person(self, person_id: int, frame: int) -> BoolArray | None:
        """(H, W) mask of one person, or None."""
        maps = self._people.get(person_id)
        if maps is None or not 0 <= frame < len(maps):
            return None
        return np.asarray(maps[frame], dtype=bool)

    def dynamic(self, frame: int) -> BoolArray | None:
        """(H, W) union of everything that moves, or None."""
        if self._dynamic is None or not 0 <= frame < len(self._dynamic):
            return None
        return np.asarray(self._dynamic[frame], dtype=bool)


@dataclass(frozen=True)
class RefinementInput:
    """Everything that a refinement reads; checked on construction.

    Fill it from a scene (:meth:`from_scene`) or from arrays without any folder::

        RefinementInput(
            smpl_global_orient={1: orient}, smpl_body_pose={1: pose}, smpl_shape={1: betas},
            smpl_trans={1: transl}, camera_poses=w2c, intrinsics=K, image_size=(1080, 1920),
        )

    Non-finite rows of a person mean "not observed"; they may not be all of them.

    Raises
    ------
    InputError
        An array has the wrong shape, or holds no finite value where one is needed.
    """

    smpl_global_orient: Mapping[int, Array] = field(default_factory=dict)
    """{id: (T, 3)} axis-angle of the root, radians, in ``coordinates``."""
    smpl_body_pose: Mapping[int, Array] = field(default_factory=dict)
    """{id: (T, 69)} or (T, 23, 3) axis-angle of SMPL joints 1..23, radians."""
    smpl_shape: Mapping[int, Array] = field(default_factory=dict)
    """{id: (10,)} betas."""
    smpl_trans: Mapping[int, Array] = field(default_factory=dict)
    """{id: (T, 3)} smplx ``transl``, metres, in ``coordinates``."""
    trajectories: Mapping[int, Array] = field(default_factory=dict)
    """{id: (T, 3)} stands in for ``smpl_trans`` of people that have none."""
    depth_maps: NDArray[np.floating[Any]] | None = None
    """(T, H, W) z-depth in the cameras' unit (``depth_metric``: metres); 0 or NaN = unknown."""
    camera_poses: Array | None = None
    """(T, 4, 4) world to camera, OpenCV axes."""
    keypoints_2d: Mapping[int, Array] = field(default_factory=dict)
    """{id: (T, J, 3)} pixels and confidence; J = 17 COCO, 24 SMPL, 25 BODY-25; NaN = missing."""
    num_frames: int | None = None
    """T; None = as the cameras have."""
    num_people: int | None = None
    """Checked against the arrays when given."""
    intrinsics: Array | None = None
    """(3, 3) or (T, 3, 3), pixels."""
    image_size: tuple[int, int] | None = None
    """(height, width); None = twice the principal point."""
    masks: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    """{id: (T, H, W)} bool."""
    frames: Mapping[int, IntArray] = field(default_factory=dict)
    """{id: (n,)} video frame of each row; absent = rows 0..T-1."""
    fps: float = 30.0
    coordinates: Literal["world", "camera"] = "world"
    """Whether ``smpl_global_orient`` and ``smpl_trans`` are in the cameras' world (Stage 4; then
    the cameras must be metric) or in the camera frame (Stage 3)."""
    cameras_metric: bool | None = None
    """Whether camera translations are metres; None = as ``coordinates`` implies."""
    depth_metric: bool = False
    """Whether ``depth_maps`` are metres on their own."""
    scene: Scene = None  # type: ignore[assignment]
    """The same content in the engine's form; built from the arrays when not given."""

    def __post_init__(self) -> None:
        if cast("Scene | None", self.scene) is None:
            object.__setattr__(self, "scene", _scene_from_arrays(self))
        else:
            check_scene(self.scene)
        object.__setattr__(self, "num_frames", self.scene.num_frames)
        object.__setattr__(self, "num_people", len(self.scene.people))

    @classmethod
    def from_scene(cls, scene: Scene) -> RefinementInput:
        """Take an opened results folder; arrays are filled in the camera frame."""
        people = scene.people
        return cls(
            smpl_global_orient={i: axis_angle_from_matrix(p.R_cam_root) for i, p in people.items()},
            smpl_body_pose={
                i: axis_angle_from_matrix(p.body_pose).reshape(-1, 69) for i, p in people.items()
            },
            smpl_shape={i: p.betas for i, p in people.items()},
            smpl_trans={i: p.transl_cam for i, p in people.items()},
            keypoints_2d={
                i: np.concatenate([p.keypoints.pixels, p.keypoints.confidence[..., None]], -1)
                for i, p in people.items()
                if p.keypoints is not None
            },
            camera_poses=_poses_of(scene.cameras),
            intrinsics=scene.cameras.intrinsics,
            image_size=scene.cameras.image_size,
            frames={i: p.frames for i, p in people.items()},
            fps=scene.fps,
            coordinates="camera",
            cameras_metric=scene.cameras.metric,
            scene=scene,
        )

    def limited(self, max_frames: int | None) -> RefinementInput:
        """The same with only the first ``max_frames`` video frames."""
        if max_frames is None or max_frames >= self.scene.num_frames:
            return self
        return type(self).from_scene(first_frames(self.scene, max_frames))


def first_frames(scene: Scene, count: int) -> Scene:
    """A scene cut to its first ``count`` video frames; people without a row left are dropped.

    Raises
    ------
    InputError
        Nobody is seen in them.
    """
    c = scene.cameras
    K = c.intrinsics_pose
    cameras = replace(
        c,
        R_cam_world=c.R_cam_world[:count],
        t_cam_world=c.t_cam_world[:count],
        intrinsics=c.intrinsics[:count],
        intrinsics_pose=K[:count] if K.ndim == 3 else K,
        chunk=c.chunk[:count],
        confidence=None if c.confidence is None else c.confidence[:count],
    )
    people = {}
    for i, p in scene.people.items():
        keep = p.frames < count
        if keep.sum() >= 2:
            people[i] = _rows(p, keep)
    if not people:
        raise InputError(
            "max_frames", f"nobody is seen in the first {count} frames", "raise max_frames"
        )
    return replace(scene, cameras=cameras, people=people)


def check_scene(scene: Scene) -> None:
    """Shapes and finiteness of what is about to be refined.

    Raises
    ------
    InputError
        Names the person or array, what is wrong and what to do.
    """
    where = str(scene.root) if scene.root is not None else "the input"
    if not scene.people:
        raise InputError(where, "has no people", "choose a folder whose Stage 3 found somebody")
    T = scene.num_frames
    c = scene.cameras
    _expect("cameras: R_cam_world", c.R_cam_world, (T, 3, 3))
    _expect("cameras: t_cam_world", c.t_cam_world, (T, 3))
    _expect("cameras: intrinsics", c.intrinsics, (T, 3, 3))
    if not scene.fps > 0:
        raise InputError("fps", f"is {scene.fps}", "give the video's frame rate")
    for i, p in scene.people.items():
        n = len(p.frames)
        if n < 1:
            raise InputError(f"person {i}", "has no frame", "leave this person out")
        if (np.diff(p.frames) <= 0).any() or p.frames[0] < 0 or p.frames[-1] >= T:
            raise InputError(
                f"person {i}: frames",
                f"are not increasing numbers below {T}",
                "sort them and leave out those without a camera",
            )
        _expect(f"person {i}: R_cam_root", p.R_cam_root, (n, 3, 3))
        _expect(f"person {i}: body_pose", p.body_pose, (n, 23, 3, 3))
        _expect(f"person {i}: betas", p.betas, (10,))
        _expect(f"person {i}: transl_cam", p.transl_cam, (n, 3))
        if not p.observed.any():
            raise InputError(f"person {i}", "is observed in no frame", "leave this person out")
        if p.keypoints is not None:
            J = LAYOUT_SIZES[p.keypoints.layout]
            _expect(f"person {i}: keypoints", p.keypoints.pixels, (n, J, 2))
            _expect(f"person {i}: keypoint confidence", p.keypoints.confidence, (n, J))


def _scene_from_arrays(given: RefinementInput) -> Scene:
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
    _expect(f"smpl_global_orient[{i}]", orient, (n, 3), finite=False)
    _expect(f"smpl_body_pose[{i}]", pose, (n, 69), finite=False)
    _expect(f"smpl_trans[{i}]", transl, (n, 3), finite=False)
    _expect(f"smpl_shape[{i}]", betas, (10,))
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


def _expect(name: str, array: NDArray[Any], shape: tuple[int, ...], *, finite: bool = True) -> None:
    if array.shape != shape:
        raise InputError(name, f"has shape {array.shape}", f"give {shape}")
    if finite and not np.isfinite(array).all():
        raise InputError(name, "holds values that are not finite", "remove those rows")


def _rows(p: Person, keep: BoolArray) -> Person:
    kp = p.keypoints
    return replace(
        p,
        frames=p.frames[keep],
        R_cam_root=p.R_cam_root[keep],
        body_pose=p.body_pose[keep],
        transl_cam=p.transl_cam[keep],
        observed=p.observed[keep],
        bboxes=None if p.bboxes is None else p.bboxes[keep],
        keypoints=None
        if kp is None
        else replace(kp, pixels=kp.pixels[keep], confidence=kp.confidence[keep]),
    )


def _poses_of(cameras: CameraTrack) -> Array:
    poses = np.tile(np.eye(4), (cameras.num_frames, 1, 1))
    poses[:, :3, :3] = cameras.R_cam_world
    poses[:, :3, 3] = cameras.t_cam_world
    return poses
