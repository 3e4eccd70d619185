"""What a refinement starts from: a :class:`Scene`, or plain arrays under the document's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from refine_engine.geometry.rotations import axis_angle_from_matrix
from refine_engine.refinement.checked_scene import check_scene, first_frames
from refine_engine.refinement.scene_from_arrays import scene_from_arrays
from refine_engine.scene import CameraTrack, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.scene import Array, IntArray


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
            object.__setattr__(self, "scene", scene_from_arrays(self))
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
        return type(self).from_scene(limited_scene(self.scene, max_frames))


def limited_scene(scene: Scene, max_frames: int | None) -> Scene:
    """The first ``max_frames`` video frames of a scene, checked: what a refinement takes of it.

    Raises
    ------
    InputError
        Shapes contradict each other, something is not finite, or nobody is seen in these frames.
    """
    check_scene(scene)
    if max_frames is None or max_frames >= scene.num_frames:
        return scene
    return first_frames(scene, max_frames)


def _poses_of(cameras: CameraTrack) -> Array:
    poses = np.tile(np.eye(4), (cameras.num_frames, 1, 1))
    poses[:, :3, :3] = cameras.R_cam_world
    poses[:, :3, 3] = cameras.t_cam_world
    return poses
