"""A whole synthetic scene in memory: the truth, and what a pipeline would make of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import JointMotion, joint_kinematics, rest_joints
from refine_engine.errors import InputError
from refine_engine.evaluation.synthetic.appearance import Appearance, exact_view, observe
from refine_engine.evaluation.synthetic.camera_errors import EstimatedCameras, estimate_cameras
from refine_engine.evaluation.synthetic.depth_errors import DepthErrors, blacked_out, people_mask
from refine_engine.evaluation.synthetic.keypoint_errors import detect_keypoints
from refine_engine.evaluation.synthetic.levels import ERROR_LEVELS, ErrorLevel
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.pose_errors import CameraMotion, estimate_motion
from refine_engine.evaluation.synthetic.surroundings import PERSON
from refine_engine.evaluation.synthetic.tracks import Track, make_track
from refine_engine.evaluation.synthetic.truth import SceneTruth, TruePerson, make_truth
from refine_engine.evaluation.synthetic.views import SceneViews

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_GHOST_NOISE = 0.01


@dataclass(frozen=True)
class EstimatedPerson:
    """One track as the pipeline leaves it; rows only for frames in which the track lives."""

    id: int
    frames: IntArray
    """(n,) video frames."""
    motion: CameraMotion
    """Rows as ``frames``, camera frame, Stage 3's errors included."""
    boxes: Array
    """(n, 4) top-left x, y, width, height in pixels."""
    ghost: BoolArray
    """(n,) rows that repeat an older state."""
    keypoints: Array
    """(n, 17, 3) COCO keypoints: pixels and confidence; zeros where nothing was found."""


@dataclass(frozen=True)
class SyntheticScene:
    """Truth and estimate of one scene; depth maps and pictures are drawn when asked for."""

    options: SampleOptions
    truth: SceneTruth
    cameras: EstimatedCameras
    people: dict[int, EstimatedPerson]
    views: SceneViews = field(repr=False)
    _errors: DepthErrors = field(repr=False)

    @property
    def scale_error(self) -> float:
        """Alpha taken as metric, before refinement, over the true alpha."""
        return self.cameras.scale_error

    def depth(self, frame: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Estimated depth in reconstruction units and confidence (>= 1), (h, w) each."""
        size = self.options.depth_size
        seen, label = exact_view(self.views, frame, size)
        if self.options.blackout:
            behind = self.views.raster(frame, size, people=False).depth
            hidden = people_mask(label)
            seen = blacked_out(seen, behind, label)
            label = np.where(hidden, 0, label).astype(np.int16)
        depth, confidence = self._errors.apply(frame, seen, label)
        if self.options.blackout:
            confidence[hidden] = 1.0 + 0.002 * (confidence[hidden] - 1.0)
        unit = self.cameras.alpha[self.cameras.chunk[frame]]
        return (depth / np.float32(unit)).astype(np.float32), confidence

    def person_mask(self, person_id: int, frame: int) -> BoolArray:
        """(h, w) where the person is seen, at the depth maps' size, grown by a pixel."""
        _, label = exact_view(self.views, frame, self.options.depth_size)
        alone = np.where(label == self.views.labels[person_id], PERSON, 0).astype(np.int16)
        return people_mask(alone)

    def dynamic_mask(self, frame: int) -> BoolArray:
        """(h, w) everyone, at the depth maps' size."""
        return people_mask(exact_view(self.views, frame, self.options.depth_size)[1])

    @cached_property
    def poses_recon(self) -> Array:
        """(T, 4, 4) world to camera in reconstruction units, chunk by chunk, as written."""
        return self.cameras.as_written()


def make_scene(options: SampleOptions) -> SyntheticScene:
    """Draw a scene; the same options give the same scene.

    Raises
    ------
    InputError
        The motion folder has no usable clip, or nobody is seen in the scene.
    """
    level = ERROR_LEVELS[options.level]
    if options.clean:
        level = _without_errors(level)

    def stream(number: int) -> np.random.Generator:
        # Independent streams: asking for masks or another level changes nothing else.
        return np.random.default_rng([options.seed, number])

    truth = make_truth(options, level, stream(0))
    cameras = estimate_cameras(truth, level, options.chunk, stream(1))
    views = SceneViews(truth)
    errors = DepthErrors(
        cameras.chunk, options.depth_size, options.fps, level, stream(2), options.seed
    )
    views_of = observe(views, options.depth_size)
    people = {}
    for pid, person in truth.people.items():
        rng = stream(100 + pid)
        estimate = _estimated_person(truth, person, views_of[pid], options, level, rng)
        if len(estimate.frames):
            people[pid] = estimate
    if not people:
        raise InputError("--seed", "gives a scene in which nobody is seen", "use another seed")
    return SyntheticScene(options, truth, cameras, people, views, errors)


def _without_errors(level: ErrorLevel) -> ErrorLevel:
    zeros: dict[str, object] = {
        f.name: 0.0 for f in fields(level) if isinstance(getattr(level, f.name), float)
    }
    zeros |= {name: getattr(level, name) for name in ("pose_time", "root_time", "tremble_time")}
    zeros |= {"depth_flatten": (0.0, 0.0), "ghosts": 0}
    return replace(level, **zeros)  # type: ignore[arg-type]


def _estimated_person(
    truth: SceneTruth,
    person: TruePerson,
    seen: Appearance,
    options: SampleOptions,
    level: ErrorLevel,
    rng: np.random.Generator,
) -> EstimatedPerson:
    poses, tracker, detector = rng.spawn(3)
    track = make_track(seen.visible, seen.boxes, level, tracker)
    estimate = estimate_motion(truth, person, level, poses)
    found = detect_keypoints(
        seen.pixels,
        seen.in_image,
        seen.hidden,
        np.maximum(seen.boxes[:, 3], 20.0),
        truth.fps,
        level,
        detector,
    )
    return EstimatedPerson(
        id=person.id,
        frames=person.frames[track.rows],
        motion=_ghostly(estimate, track, poses, 0.0 if options.clean else _GHOST_NOISE),
        boxes=track.boxes,
        ghost=track.ghost,
        # A ghost's box is where the person was: its keypoints are the old ones.
        keypoints=found[track.source],
    )


def _ghostly(
    motion: CameraMotion, track: Track, rng: np.random.Generator, noise: float
) -> CameraMotion:
    """Rows of a track; the pose network runs on a ghost's old box and sees nearly the old pose."""
    rows = track.source
    wobble = noise * rng.standard_normal((len(rows), 3)) * track.ghost[:, None]
    return CameraMotion(
        motion.R_cam_root[rows],
        motion.body_pose[rows],
        motion.betas,
        motion.transl_cam[rows] + wobble,
    )


def estimated_joints(scene: SyntheticScene, person_id: int) -> JointMotion:
    """Joints of Stage 3's estimate in the camera frame, rows as the track's frames."""
    motion = scene.people[person_id].motion
    return joint_kinematics(
        rest_joints(scene.truth.model, motion.betas),
        motion.R_cam_root,
        motion.body_pose,
        motion.transl_cam,
    )
