"""A whole synthetic scene in memory: the truth, and what a pipeline would make of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import (
    COCO_17,
    JointMotion,
    joint_kinematics,
    layout_points,
    place_points,
    rest_joints,
    shaped_body,
)
from refine_engine.evaluation.synthetic.camera_errors import EstimatedCameras, estimate_cameras
from refine_engine.evaluation.synthetic.depth_errors import DepthErrors, blacked_out, people_mask
from refine_engine.evaluation.synthetic.keypoint_errors import detect_keypoints
from refine_engine.evaluation.synthetic.levels import ERROR_LEVELS, ErrorLevel
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.pose_errors import (
    CameraMotion,
    estimate_motion,
    true_camera_motion,
)
from refine_engine.evaluation.synthetic.surroundings import PERSON
from refine_engine.evaluation.synthetic.tracks import Track, make_track
from refine_engine.evaluation.synthetic.truth import SceneTruth, TruePerson, make_truth
from refine_engine.evaluation.synthetic.views import SceneViews
from refine_engine.geometry.cameras import project

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_THICK_M = 0.25
"""A joint this far behind the skin in front of it is hidden by another part of the body."""
_BEHIND_M = 0.05
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
        """alpha taken as metric, before refinement, over the true alpha."""
        return self.cameras.scale_error

    def depth(self, frame: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Estimated depth in reconstruction units and confidence (>= 1), (h, w) each."""
        size = self.options.depth_size
        seen, label = _seen(self.views, frame, size)
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
        _, label = _seen(self.views, frame, self.options.depth_size)
        alone = np.where(label == self.views.labels[person_id], PERSON, 0).astype(np.int16)
        return people_mask(alone)

    def dynamic_mask(self, frame: int) -> BoolArray:
        """(h, w) everyone, at the depth maps' size."""
        return people_mask(_seen(self.views, frame, self.options.depth_size)[1])

    @cached_property
    def poses_recon(self) -> Array:
        """(T, 4, 4) world to camera in reconstruction units, chunk by chunk, as written."""
        return self.cameras.as_written()


def make_scene(options: SampleOptions) -> SyntheticScene:
    """Draw a scene; the same options give the same scene.

    Raises
    ------
    InputError
        The motion folder has no usable clip.
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
    people = {}
    for pid, person in truth.people.items():
        estimate = _estimated_person(views, person, options, level, stream(100 + pid))
        if len(estimate.frames):
            people[pid] = estimate
    return SyntheticScene(options, truth, cameras, people, views, errors)


@lru_cache(maxsize=4)
def _seen(
    views: SceneViews, frame: int, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """Exact depth and labels; consecutive questions about one frame draw it once."""
    raster = views.raster(frame, size)
    raster.depth.flags.writeable = False
    raster.label.flags.writeable = False
    return raster.depth, raster.label


def _without_errors(level: ErrorLevel) -> ErrorLevel:
    zeros: dict[str, object] = {
        f.name: 0.0 for f in fields(level) if isinstance(getattr(level, f.name), float)
    }
    zeros |= {"pose_time": level.pose_time, "root_time": level.root_time}
    zeros |= {"depth_flatten": (0.0, 0.0), "ghosts": 0}
    return replace(level, **zeros)  # type: ignore[arg-type]


def _estimated_person(
    views: SceneViews,
    person: TruePerson,
    options: SampleOptions,
    level: ErrorLevel,
    rng: np.random.Generator,
) -> EstimatedPerson:
    truth = views.truth
    poses, tracker, detector = rng.spawn(3)
    exact = true_camera_motion(truth, person)
    joints = joint_kinematics(
        rest_joints(truth.model, exact.betas), exact.R_cam_root, exact.body_pose, exact.transl_cam
    )
    points = place_points(layout_points(truth.model, COCO_17), joints, exact.betas, exact.body_pose)
    K = truth.intrinsics
    pixels, in_front = project(points, K)
    height, width = truth.image_size
    in_image = in_front & (pixels >= 0).all(-1) & (pixels < [width, height]).all(-1)
    boxes, visible, hidden = _appearance(views, person, exact, points, pixels, in_image, options)
    track = make_track(visible, boxes, level, tracker)
    estimate = estimate_motion(truth, person, level, poses)
    found = detect_keypoints(
        pixels, in_image, hidden, np.maximum(boxes[:, 3], 20.0), truth.fps, level, detector
    )
    keypoints = found[track.rows]
    # A ghost's box is where the person was: its keypoints are the old ones.
    keypoints[track.ghost] = found[track.source[track.ghost]]
    return EstimatedPerson(
        id=person.id,
        frames=person.frames[track.rows],
        motion=_ghostly(estimate, track, poses, 0.0 if options.clean else _GHOST_NOISE),
        boxes=track.boxes,
        ghost=track.ghost,
        keypoints=keypoints,
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


def _appearance(
    views: SceneViews,
    person: TruePerson,
    exact: CameraMotion,
    points: Array,
    pixels: Array,
    in_image: BoolArray,
    options: SampleOptions,
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Boxes (n, 4), visible shares (n,), and what hides each keypoint (n, 17), by the z-buffer."""
    truth = views.truth
    size = options.depth_size
    height, width = truth.image_size
    to_map = np.array([size[1] / width, size[0] / height])
    body = shaped_body(truth.model, exact.betas)
    count = len(person.frames)
    boxes, visible = np.zeros((count, 4)), np.zeros(count)
    hidden = np.zeros(pixels.shape[:2], dtype=np.int64)
    for row, frame in enumerate(person.frames):
        vertices = body.vertices(
            exact.R_cam_root[row], exact.body_pose[row], exact.transl_cam[row]
        ).astype(np.float64)
        places, ahead = project(vertices[None, ::4], truth.intrinsics)
        shown = places[0][ahead[0]]
        if not len(shown):
            continue
        low = np.clip(shown.min(0), 0, [width, height])
        high = np.clip(shown.max(0), 0, [width, height])
        boxes[row] = [*low, *(high - low)]
        depth, label = _seen(views, int(frame), size)
        visible[row] = _visible_share(label, views.labels[person.id], shown, to_map)
        here = np.flatnonzero(in_image[row])
        column, line = (pixels[row, here] * to_map).astype(int).T
        in_front_by = points[row, here, 2] - depth[line, column]
        own = label[line, column] == views.labels[person.id]
        state = np.where(own, in_front_by > _THICK_M, 2 * (in_front_by > _BEHIND_M))
        hidden[row, here] = state
    return boxes, visible, hidden


def _visible_share(label: NDArray[np.int16], mine: int, shown: Array, to_map: Array) -> float:
    """Share of the skin's points whose pixel (or a neighbour) shows this person.

    Points on the far side share their pixels with the near side, so they need no care.
    """
    h, w = label.shape
    place = np.floor(shown * to_map).astype(int)
    inside = (place >= 0).all(-1) & (place < [w, h]).all(-1)
    seen = label[place[inside, 1], place[inside, 0]] == mine
    return float(seen.sum() / len(shown))


def estimated_joints(scene: SyntheticScene, person_id: int) -> JointMotion:
    """Joints of Stage 3's estimate in the camera frame, rows as the track's frames."""
    motion = scene.people[person_id].motion
    return joint_kinematics(
        rest_joints(scene.truth.model, motion.betas),
        motion.R_cam_root,
        motion.body_pose,
        motion.transl_cam,
    )
