"""What a results folder says: people, cameras, depth, masks, keypoints. Frozen and lazy.

Body motion is kept in the **camera frame** (that is what the pose network measured); where a
person stands in the world follows from the cameras and ``alpha`` (metres per reconstruction
unit), so a wrong unit never spoils what was measured.  The world is the engine's: Y up,
gravity-aligned, origin at the first camera's centre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

KeypointLayout = Literal["coco17", "smpl24", "body25"]
LAYOUT_SIZES: Mapping[str, int] = {"coco17": 17, "smpl24": 24, "body25": 25}


@dataclass(frozen=True)
class Keypoints:
    """2-D evidence of one person; rows as the person's ``frames``."""

    layout: KeypointLayout
    pixels: Array
    """(n, J, 2) pixels of the full image; 0 where missing (never NaN)."""
    confidence: Array
    """(n, J) in [0, 1]; 0 where missing."""
    source: str
    """Where they come from, for people to read: "detections" or "Stage-3 projections"."""
    circular: bool = False
    """True where they are projections of the very poses that are refined."""


@dataclass(frozen=True)
class Person:
    """One person's motion in the camera frame; rows only for frames with a measurement."""

    id: int
    frames: IntArray
    """(n,) video frame numbers, strictly increasing."""
    R_cam_root: Array
    """(n, 3, 3) global orientation, camera frame."""
    body_pose: Array
    """(n, 23, 3, 3) rotations of SMPL joints 1..23 relative to their parents."""
    betas: Array
    """(10,) shape coefficients."""
    transl_cam: Array
    """(n, 3) smplx ``transl`` in the camera frame, metres (pelvis = J0(betas) + transl)."""
    observed: BoolArray
    """(n,) False where a row repeats an old state (ghost) or was not measured."""
    bboxes: Array | None = None
    """(n, 4) top-left x, y, width, height in pixels; width 0 where missing."""
    keypoints: Keypoints | None = None
    pose_trust: float = 1.0
    """Weight of the measured rotations relative to an ordinary pose network's: more than 1 where
    they agree with the keypoints better than usual."""
    betas_sigma: float = 1.0
    """Standard deviation of ``betas`` as a measurement of the true shape."""

    def taken(self, index: BoolArray | IntArray) -> Person:
        """The rows that a mask or increasing row numbers select."""
        kp = self.keypoints
        if kp is not None:
            kp = replace(kp, pixels=kp.pixels[index], confidence=kp.confidence[index])
        return replace(
            self,
            frames=self.frames[index],
            R_cam_root=self.R_cam_root[index],
            body_pose=self.body_pose[index],
            transl_cam=self.transl_cam[index],
            observed=self.observed[index],
            bboxes=None if self.bboxes is None else self.bboxes[index],
            keypoints=kp,
        )


@dataclass(frozen=True)
class CameraTrack:
    """World-to-camera transforms: ``x_cam = R_cam_world x_world + alpha t_cam_world``."""

    R_cam_world: Array
    """(T, 3, 3), world = the engine's (Y up)."""
    t_cam_world: Array
    """(T, 3) in reconstruction units."""
    intrinsics: Array
    """(T, 3, 3) pixels at ``image_size``, used to unproject depth."""
    image_size: tuple[int, int]
    """(height, width) in pixels."""
    intrinsics_pose: Array
    """(3, 3) the one K that the pose network used for every frame (focal mean of frame 0); or
    (T, 3, 3) where the camera zooms and bodies were moved to each frame's focal length. Bodies
    are projected with it, through :meth:`pose_intrinsics`."""
    chunk: IntArray
    """(T,) number of the reconstruction chunk of each frame; 0 everywhere without borders."""
    metric: bool = False
    """True where translations are trusted to be metres (alpha_0 = 1)."""
    estimated: bool = True
    """False where every camera is the identity because none was estimated."""
    confidence: Array | None = None
    """(T,) mean depth confidence, 1 = none."""

    @property
    def num_frames(self) -> int:
        """Number of video frames T."""
        return len(self.R_cam_world)

    def pose_intrinsics(self, frames: IntArray) -> Array:
        """(n, 3, 3) the K that projects a body to the image, for video frames (n,)."""
        k = np.asarray(self.intrinsics_pose, dtype=np.float64)
        if k.ndim == 3:
            return np.asarray(k[frames])
        return np.array(np.broadcast_to(k, (len(frames), 3, 3)))


class DepthMaps(Protocol):
    """Depth along the optical axis, read lazily."""

    size: tuple[int, int]
    """(height, width) of the stored maps; intrinsics are scaled to it when sampling."""
    shares_camera_unit: bool
    """True where depth is in the cameras' reconstruction units (VGGT); False where metric."""
    people_masked_out: bool
    """True where people were blacked out before depth estimation: no person depth inside."""

    def has(self, frame: int) -> bool:
        """Whether there is a map for this video frame."""
        ...

    def depth(self, frame: int) -> NDArray[np.float32]:
        """(h, w) z-depth; 0 or non-finite where unknown."""
        ...

    def confidence(self, frame: int) -> NDArray[np.float32] | None:
        """(h, w) trust, 0 = none (VGGT's confidence minus 1); None where not stored."""
        ...


class Masks(Protocol):
    """Image masks, read lazily."""

    def person(self, person_id: int, frame: int) -> BoolArray | None:
        """(H, W) mask of one person, or None."""
        ...

    def dynamic(self, frame: int) -> BoolArray | None:
        """(H, W) union of everything that moves, or None."""
        ...


class VideoFrames(Protocol):
    """Video frames, decoded lazily."""

    path: Path
    num_frames: int
    fps: float | None
    size: tuple[int, int]
    """(height, width) after rotation."""

    def frame(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB of one frame."""
        ...

    def close(self) -> None:
        """Release the decoder."""
        ...


@dataclass(frozen=True)
class Finding:
    """One thing that opening a folder detected, with what was done about it."""

    code: str
    """B1 ... B28 for known defects of the format, or a short name."""
    action: Literal["repaired", "reported", "discarded"]
    count: int
    """How many rows, frames or files it concerns."""
    message: str
    """A sentence for the user."""
    person: int | None = None


@dataclass(frozen=True)
class ImportReport:
    """Everything that was found, repaired or is missing; part of the results."""

    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    """Sentences: what is absent and what that means for refinement."""

    def codes(self) -> set[str]:
        """The set of codes that occurred."""
        return {f.code for f in self.findings}

    def as_dict(self) -> dict[str, object]:
        """Plain types for JSON."""
        return {
            "findings": [
                {
                    "code": f.code,
                    "action": f.action,
                    "count": f.count,
                    "message": f.message,
                    **({} if f.person is None else {"person": f.person}),
                }
                for f in self.findings
            ],
            "missing": list(self.missing),
        }


@dataclass(frozen=True)
class Scene:
    """One opened results folder (or arrays), ready to be looked at and refined."""

    people: Mapping[int, Person]
    cameras: CameraTrack
    fps: float
    fps_source: Literal["video", "user", "assumed"]
    depth: DepthMaps | None = None
    masks: Masks | None = None
    video: VideoFrames | None = None
    gender: str = "neutral"
    """Body model the poses were estimated with."""
    R_world_recon: Array = field(default_factory=lambda: np.eye(3))
    """(3, 3) turns the reconstruction's world (first camera) into the engine's (Y up)."""
    up_known: bool = False
    """True where gravity is known (not estimated from bodies)."""
    report: ImportReport = field(default_factory=ImportReport)
    root: Path | None = None

    @property
    def num_frames(self) -> int:
        """Number of video frames."""
        return self.cameras.num_frames
