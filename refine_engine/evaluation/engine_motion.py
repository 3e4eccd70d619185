"""Motion to evaluate, from the engine's own objects: states of a run, and opened folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refine_engine.body import (
    SOLE_POINTS,
    joint_kinematics,
    named_points,
    place_points,
    rest_joints,
)
from refine_engine.evaluation.motion_set import MotionSet, PersonMotion
from refine_engine.refinement.placement import place_in_world
from refine_engine.refinement.refined_cameras import refined_cameras

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refine_engine.body import BodyModel
    from refine_engine.scene import CameraTrack, Scene
    from refine_engine.state import OptimizationState

Array = NDArray[np.float64]


def posed_person(
    body: BodyModel,
    frames: NDArray[np.integer[Any]],
    betas: Array,
    R_world_root: Array,
    body_pose: Array,
    transl_world: Array,
    contacts: Array | None = None,
) -> PersonMotion:
    """Joints and soles of a body's motion.

    Parameters
    ----------
    body
        The body model that the parameters belong to.
    frames
        (n,) video frame numbers.
    betas, R_world_root, body_pose, transl_world
        (10,), (n, 3, 3), (n, 23, 3, 3) and (n, 3) metres, as in smplx.
    contacts
        (n, 4) probabilities, where known.
    """
    motion = joint_kinematics(rest_joints(body, betas), R_world_root, body_pose, transl_world)
    soles = place_points(named_points(body, SOLE_POINTS), motion, betas, body_pose)
    return PersonMotion(
        frames=np.asarray(frames, dtype=np.int64),
        joints_world=motion.positions,
        R_world_root=np.asarray(R_world_root, dtype=np.float64),
        soles_world=soles,
        contacts=None if contacts is None else np.asarray(contacts, dtype=np.float64),
    )


def motion_from_state(
    state: OptimizationState,
    fps: float,
    body: BodyModel,
    cameras: CameraTrack | None = None,
    *,
    observed_only: bool = False,
    label: str = "state",
) -> MotionSet:
    """Motion of an engine state (``initial_state`` or ``state`` of a run, or of a snapshot).

    Parameters
    ----------
    state
        People, plane and alpha in the engine's world.
    fps
        Frames a second.
    body
        The body model that was refined.
    cameras
        The scene's cameras; turned as the state's image shifts tell, and their translations
        are multiplied by its alpha.
    observed_only
        Leave out the frames that were filled in.
    label
        Name for messages.
    """
    people = {}
    for person_id, person in state.people.items():
        motion = posed_person(
            body,
            person.frames,
            person.betas,
            person.R_world_root,
            person.body_pose,
            person.transl_world,
            person.contacts,
        )
        people[person_id] = motion.rows(person.observed) if observed_only else motion
    if cameras is not None:
        cameras = refined_cameras(cameras, state)
    return MotionSet(
        people=people,
        fps=fps,
        R_cam_world=None if cameras is None else cameras.R_cam_world,
        t_cam_world=None if cameras is None else state.alpha * cameras.t_cam_world,
        ground_plane=state.ground_plane,
        alpha=state.alpha,
        label=label,
    )


def motion_from_scene(
    scene: Scene,
    alpha: float,
    body: BodyModel,
    *,
    ground_plane: Array | None = None,
    contacts: Mapping[int, Array] | None = None,
) -> MotionSet:
    """Motion of an opened folder, placed in the world for one ``alpha``: the "before".

    Parameters
    ----------
    scene
        People in the camera frame, cameras in reconstruction units.
    alpha
        Metres per reconstruction unit (1 where the cameras are metric).
    body
        The body model of the poses.
    ground_plane
        (4,) in the engine's world, where one is known.
    contacts
        {id: (n, 4)} probabilities, rows as the person's frames, where known.
    """
    people = {}
    for person_id, person in scene.people.items():
        pelvis_rest = rest_joints(body, person.betas)[0]
        R_world_root, transl = place_in_world(person, scene.cameras, alpha, pelvis_rest)
        people[person_id] = posed_person(
            body,
            person.frames,
            person.betas,
            R_world_root,
            person.body_pose,
            transl,
            None if contacts is None else contacts.get(person_id),
        )
    return MotionSet(
        people=people,
        fps=scene.fps,
        R_cam_world=scene.cameras.R_cam_world,
        t_cam_world=alpha * scene.cameras.t_cam_world,
        ground_plane=ground_plane,
        alpha=alpha,
        label=str(scene.root or "scene"),
    )
