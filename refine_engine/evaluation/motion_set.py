"""What is evaluated: several people's motion in one world, whatever it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from refine_engine.errors import InputError
from refine_engine.evaluation.contact_metrics import CONTACT_OF_SOLE
from refine_engine.geometry.cameras import to_camera
from refine_engine.geometry.planes import moved

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class PersonMotion:
    """One person's motion; rows may be sparse."""

    frames: IntArray
    """(n,) video frame numbers, strictly increasing."""
    joints_world: Array
    """(n, 24, 3) SMPL joints, metres."""
    R_world_root: Array
    """(n, 3, 3) global orientation."""
    soles_world: Array | None = None
    """(n, 4 or 8, 3) points of the soles, metres; see :mod:`.contact_metrics` for the order."""
    contacts: Array | None = None
    """(n, 4) probability (or label) of ground contact: left heel, left toe, right heel, toe."""
    vertices_world: Array | None = None
    """(n, V, 3) mesh, metres; only PVE needs it."""

    def __post_init__(self) -> None:
        n = len(self.frames)
        rows = {
            "joints_world": (self.joints_world, (n, 24, 3)),
            "R_world_root": (self.R_world_root, (n, 3, 3)),
            "contacts": (self.contacts, (n, 4)),
        }
        for name, (array, shape) in rows.items():
            if array is not None and array.shape != shape:
                raise InputError(
                    name, f"has shape {array.shape}, expected {shape}", "check the source"
                )
        soles = self.soles_world
        if soles is not None and (len(soles) != n or soles.shape[1] not in CONTACT_OF_SOLE):
            raise InputError(
                "soles_world", f"has shape {soles.shape}, expected ({n}, 4 or 8, 3)", "check it"
            )
        if n > 1 and not (np.diff(self.frames) > 0).all():
            raise InputError("frames", "are not strictly increasing", "sort them, one row each")
        for name, array in (("joints_world", self.joints_world), ("soles_world", soles)):
            if array is not None and not np.isfinite(array).all():
                raise InputError(name, "holds NaN or infinite values", "leave those frames out")

    @property
    def pelvis_world(self) -> Array:
        """(n, 3) joint 0, metres."""
        return self.joints_world[:, 0]

    def rows(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> PersonMotion:
        """The same person at a selection of rows."""

        def pick(array: Array | None) -> Array | None:
            return None if array is None else array[index]

        return PersonMotion(
            frames=self.frames[index],
            joints_world=self.joints_world[index],
            R_world_root=self.R_world_root[index],
            soles_world=pick(self.soles_world),
            contacts=pick(self.contacts),
            vertices_world=pick(self.vertices_world),
        )


@dataclass(frozen=True)
class MotionSet:
    """People by track id in one metric world, with what else can be compared."""

    people: Mapping[int, PersonMotion]
    fps: float
    R_cam_world: Array | None = None
    """(T, 3, 3) world to camera; None where there are no cameras."""
    t_cam_world: Array | None = None
    """(T, 3) metres (alpha already multiplied)."""
    ground_plane: Array | None = None
    """(4,) ``n . x + d = 0`` in this world, unit normal pointing up."""
    alpha: float | None = None
    """Metres per reconstruction unit."""
    label: str = ""
    """What it was read from, for tables and messages."""

    def __post_init__(self) -> None:
        if self.alpha is not None and not (self.alpha > 0 and np.isfinite(self.alpha)):
            raise InputError(
                self.label or "motion", f"has alpha {self.alpha}", "give a positive number"
            )
        if (self.R_cam_world is None) != (self.t_cam_world is None):
            raise InputError("cameras", "have only rotations or only translations", "give both")
        if self.R_cam_world is None:
            return
        count = len(self.R_cam_world)
        for person_id, person in self.people.items():
            if len(person.frames) and not 0 <= person.frames[0] <= person.frames[-1] < count:
                raise InputError(
                    f"person {person_id}",
                    f"has frames {int(person.frames[0])} to {int(person.frames[-1])}, but there "
                    f"are {count} cameras",
                    "leave out the frames without a camera",
                )

    def cameras(self) -> tuple[Array, Array]:
        """World-to-camera rotations (T, 3, 3) and translations (T, 3) in metres.

        Raises
        ------
        InputError
            There are none.
        """
        if self.R_cam_world is None or self.t_cam_world is None:
            raise InputError(self.label or "motion", "has no cameras", "evaluate it with them")
        return self.R_cam_world, self.t_cam_world

    def to_own_camera(self, points_world: Array, frames: IntArray) -> Array:
        """Points (n, N, 3) of ``frames`` (n,) in the camera frame of each frame, metres."""
        R, t = self.cameras()
        return to_camera(points_world, R[frames], t[frames])

    def to_first_camera(self, points_world: Array) -> Array:
        """Points (..., 3) in the frame of the first camera, metres.

        Two worlds are compared there: each has its own gauge, but frame 0 was seen by one camera.
        """
        R, t = self.cameras()
        return np.asarray(points_world @ R[0].T + t[0])

    def plane_in_first_camera(self) -> Array:
        """The ground plane (4,) in the frame of the first camera."""
        if self.ground_plane is None:
            raise InputError(self.label or "motion", "has no ground plane", "give it one")
        R, t = self.cameras()
        return moved(self.ground_plane, R[0], t[0])

    def restricted_to(self, other: MotionSet) -> MotionSet:
        """Only the people and frames that ``other`` has too, for a fair comparison."""
        people = {}
        for person_id, person in self.people.items():
            if person_id in other.people:
                keep = np.isin(person.frames, other.people[person_id].frames)
                people[person_id] = person.rows(keep)
        return replace(self, people=people)
