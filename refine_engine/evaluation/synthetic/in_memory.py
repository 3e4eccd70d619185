"""Synthetic scenes without files: as the engine opens them, and as metrics want them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import BodyModel, rest_joints, skin_subset
from refine_engine.evaluation.engine_motion import motion_from_scene, posed_person
from refine_engine.evaluation.motion_set import MotionSet, PersonMotion
from refine_engine.evaluation.synthetic.scene import EstimatedPerson, SyntheticScene
from refine_engine.refinement.placement import place_in_world
from refine_engine.scene import CameraTrack, Keypoints, Person, Scene

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class DrawnDepth:
    """Depth maps of a synthetic scene, drawn when asked for."""

    def __init__(self, scene: SyntheticScene) -> None:
        self.scene = scene
        self.size = scene.options.depth_size
        """(height, width)."""
        self.shares_camera_unit = True
        self.people_masked_out = scene.options.blackout
        """Whether people were blacked out before depth."""

    def has(self, frame: int) -> bool:
        """Every frame has a map."""
        return 0 <= frame < self.scene.truth.num_frames

    def depth(self, frame: int) -> NDArray[np.float32]:
        """(h, w) z-depth in reconstruction units."""
        return self.scene.depth(frame)[0]

    def confidence(self, frame: int) -> NDArray[np.float32]:
        """(h, w) trust, 0 = none."""
        return self.scene.depth(frame)[1] - np.float32(1.0)


class DrawnMasks:
    """Masks of a synthetic scene at the depth maps' size."""

    def __init__(self, scene: SyntheticScene) -> None:
        self.scene = scene

    def person(self, person_id: int, frame: int) -> BoolArray | None:
        """(h, w) mask of one person where the track has them."""
        person = self.scene.people.get(person_id)
        if person is None or frame not in person.frames:
            return None
        return self.scene.person_mask(person_id, frame)

    def dynamic(self, frame: int) -> BoolArray | None:
        """(h, w) everyone, where people were blacked out."""
        return self.scene.dynamic_mask(frame) if self.scene.options.blackout else None


def engine_scene(scene: SyntheticScene) -> Scene:
    """The scene as :func:`refine_engine.load_results` would open its folder, exactly repaired.

    Ghosts are known as such, gravity is the truth's in the first camera, chunks lie joined in one
    world (their units still differ from the first one's, as drawn).
    """
    truth, cameras = scene.truth, scene.cameras
    unit = cameras.alpha[cameras.chunk][:, None]
    K = truth.intrinsics
    return Scene(
        people={pid: _engine_person(scene, p) for pid, p in scene.people.items()},
        cameras=CameraTrack(
            R_cam_world=cameras.R_cam_world,
            t_cam_world=cameras.t_cam_world / unit,
            intrinsics=np.tile(K, (truth.num_frames, 1, 1)),
            image_size=truth.image_size,
            intrinsics_pose=K,
            chunk=cameras.chunk,
        ),
        fps=truth.fps,
        fps_source="user",
        depth=DrawnDepth(scene),
        masks=DrawnMasks(scene) if scene.options.masks or scene.options.blackout else None,
        R_world_recon=truth.R_cam_world[0].T,
        up_known=True,
    )


def _engine_person(scene: SyntheticScene, person: EstimatedPerson) -> Person:
    found = person.keypoints
    keypoints = Keypoints("coco17", found[..., :2], found[..., 2], "detections")
    return Person(
        id=person.id,
        frames=person.frames,
        R_cam_root=person.motion.R_cam_root,
        body_pose=person.motion.body_pose,
        betas=person.motion.betas,
        transl_cam=person.motion.transl_cam,
        observed=~person.ghost,
        bboxes=person.boxes,
        keypoints=keypoints if scene.options.keypoints else None,
    )


def true_motion(scene: SyntheticScene, vertices_every: int = 0) -> MotionSet:
    """The truth, for :func:`refine_engine.evaluation.metrics.evaluate_motion`.

    ``vertices_every`` above 0 adds every so many-th vertex, which the vertex error needs.
    """
    truth = scene.truth
    people = {}
    for pid, person in truth.people.items():
        motion = person.motion
        turns = motion.rotations
        exact = posed_person(
            truth.model,
            person.frames,
            motion.betas,
            turns[:, 0],
            turns[:, 1:],
            motion.transl,
            motion.contacts.astype(np.float64),
        )
        people[pid] = _with_skin(
            exact, truth.model, motion.betas, turns[:, 1:], motion.transl, vertices_every
        )
    return MotionSet(
        people,
        truth.fps,
        truth.R_cam_world,
        truth.t_cam_world,
        truth.ground_plane,
        truth.alpha,
        "ground truth",
    )


def unrefined_motion(
    scene: SyntheticScene, alpha: float | None = None, vertices_every: int = 0
) -> MotionSet:
    """Stage 3 placed in the world by its cameras: the state before refinement, ghosts left out.

    ``alpha`` None takes the true one times the level's scale error: an input trusted as metric.
    """
    truth = scene.truth
    alpha = truth.alpha * scene.scale_error if alpha is None else alpha
    opened = engine_scene(scene)
    placed = motion_from_scene(opened, alpha, truth.model)
    people = {}
    for pid, person in opened.people.items():
        pelvis_rest = rest_joints(truth.model, person.betas)[0]
        transl = place_in_world(person, opened.cameras, alpha, pelvis_rest)[1]
        whole = _with_skin(
            placed.people[pid], truth.model, person.betas, person.body_pose, transl, vertices_every
        )
        people[pid] = whole.rows(person.observed)
    return replace(placed, people=people, label="before refinement")


def _with_skin(
    person: PersonMotion, model: BodyModel, betas: Array, pose: Array, transl: Array, every: int
) -> PersonMotion:
    if not every:
        return person
    vertices = skin_subset(
        model, np.arange(0, 6890, every), betas, person.R_world_root, pose, transl
    )
    return replace(person, vertices_world=vertices)
