"""What exporters write: people, cameras and ground of one state, whatever it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body import joint_positions, move_rigidly, rest_joints
from refine_engine.errors import ExportChoiceError
from refine_engine.geometry.rotations import exp_so3
from refine_engine.refinement.refined_cameras import refined_cameras
from refine_engine.state import PersonState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, Scene
    from refine_engine.state import OptimizationState


@dataclass(frozen=True)
class ExportContent:
    """A motion of several people with its cameras, in the engine's world: Y up, metres."""

    people: Mapping[int, PersonState]
    """Rows are consecutive video frames; ``observed`` is False where a gap was filled."""
    body: BodyModel
    """The body that the parameters belong to."""
    fps: float
    R_cam_world: Array
    """(T, 3, 3) world to camera, OpenCV axes."""
    t_cam_world: Array
    """(T, 3) metres."""
    intrinsics: Array
    """(T, 3, 3) pixels at ``image_size``; projects bodies into the image."""
    image_size: tuple[int, int]
    """(height, width)."""
    ground_plane: Array
    """(4,) unit normal pointing up and offset."""
    alpha: float
    """Metres per reconstruction unit; already in ``t_cam_world``."""
    first_frame: int = 0
    """Video frame of the first camera and of time zero."""
    document: Mapping[str, Any] | None = None
    """``refinement_results.json``; None for a motion that was not refined."""

    @property
    def num_frames(self) -> int:
        """Number of cameras T: video frames ``first_frame`` to ``first_frame + T - 1``."""
        return len(self.R_cam_world)

    @property
    def w2c(self) -> Array:
        """(T, 4, 4) world to camera, metres."""
        poses = np.tile(np.eye(4), (self.num_frames, 1, 1))
        poses[:, :3, :3] = self.R_cam_world
        poses[:, :3, 3] = self.t_cam_world
        return poses

    def pelvis_rest(self, person: PersonState) -> Array:
        """(3,) rest position ``J0(betas)`` of a person's pelvis, metres."""
        return np.asarray(rest_joints(self.body, person.betas)[0])

    def joints(self, person: PersonState) -> Array:
        """(n, 24, 3) joints of a person in the world, metres."""
        return joint_positions(
            self.body, person.betas, person.R_world_root, person.body_pose, person.transl_world
        )

    def restricted(
        self,
        people: tuple[int, ...] | None = None,
        frames: tuple[int | None, int | None] = (None, None),
    ) -> ExportContent:
        """The same with only some people and the video frames ``frames[0] <= f < frames[1]``.

        Somebody who is not there in these frames is left out.

        Raises
        ------
        ExportChoiceError
            A person does not exist, or nothing is left.
        """
        for wanted in people or ():
            if wanted not in self.people:
                raise ExportChoiceError(
                    f"person {wanted}", "does not exist", f"the people are {sorted(self.people)}"
                )
        last = self.first_frame + self.num_frames
        start = max(self.first_frame, frames[0] or 0)
        stop = last if frames[1] is None else min(last, frames[1])
        if start >= stop:
            raise ExportChoiceError(
                f"frames from {frames[0] or 0}"
                + ("" if frames[1] is None else f" to before {frames[1]}"),
                "are none of this video",
                f"it has the frames {self.first_frame} to {last - 1}",
            )
        kept = {}
        for i, person in self.people.items():
            rows = (person.frames >= start) & (person.frames < stop)
            if (people is None or i in people) and rows.any():
                kept[i] = _rows(person, rows)
        if not kept:
            raise ExportChoiceError(
                f"frames {start}:{stop}", "show none of these people", "choose other frames"
            )
        cameras = slice(start - self.first_frame, stop - self.first_frame)
        return replace(
            self,
            people=kept,
            R_cam_world=self.R_cam_world[cameras],
            t_cam_world=self.t_cam_world[cameras],
            intrinsics=self.intrinsics[cameras],
            first_frame=start,
        )

    def on_floor(self) -> ExportContent:
        """The same, moved as a whole so that the ground plane is level at height 0.

        The shortest turn that makes the plane's normal vertical, then a shift along it; the world's
        origin, which is the first camera's place, ends up above or below the new one.
        """
        normal, offset = self.ground_plane[:3], float(self.ground_plane[3])
        up = np.array([0.0, 1.0, 0.0])
        axis = np.cross(normal, up)
        sine, cosine = float(np.linalg.norm(axis)), float(normal @ up)
        R = np.eye(3) if sine < 1e-12 else exp_so3(axis / sine * np.arctan2(sine, cosine))
        t = np.array([0.0, offset, 0.0])
        people = {}
        for i, person in self.people.items():
            R_root, transl = move_rigidly(
                self.body, person.betas, person.R_world_root, person.transl_world, R, t
            )
            people[i] = replace(person, R_world_root=R_root, transl_world=transl)
        R_cam = self.R_cam_world @ R.T
        return replace(
            self,
            people=people,
            R_cam_world=R_cam,
            t_cam_world=self.t_cam_world - R_cam @ t,
            ground_plane=np.array([0.0, 1.0, 0.0, 0.0]),
        )


def content_of_state(
    state: OptimizationState,
    scene: Scene,
    body: BodyModel,
    document: Mapping[str, Any] | None = None,
) -> ExportContent:
    """What to export of a state in memory.

    Parameters
    ----------
    state
        ``state`` or ``initial_state`` of a run, or the state of a snapshot.
    scene
        The scene that was refined.
    body
        Its body model.
    document
        ``results_dict(...)`` of the run, where the format ``json`` is wanted.
    """
    c = refined_cameras(scene.cameras, state)
    return ExportContent(
        people=dict(sorted(state.people.items())),
        body=body,
        fps=float(scene.fps),
        R_cam_world=c.R_cam_world,
        t_cam_world=state.alpha * c.t_cam_world,
        intrinsics=c.pose_intrinsics(np.arange(c.num_frames)),
        image_size=c.image_size,
        ground_plane=state.ground_plane,
        alpha=state.alpha,
        document=document,
    )


def _rows(person: PersonState, rows: NDArray[np.bool_]) -> PersonState:
    optional = {name: getattr(person, name) for name in ("joint_sigma", "image_shift", "learned")}
    return replace(
        person,
        frames=person.frames[rows],
        R_world_root=person.R_world_root[rows],
        body_pose=person.body_pose[rows],
        transl_world=person.transl_world[rows],
        observed=person.observed[rows],
        contacts=person.contacts[rows],
        **{name: value[rows] for name, value in optional.items() if value is not None},
    )
