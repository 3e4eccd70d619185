"""Bodies of one state, posed when a frame is asked for, kept while they are near at hand."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from app.viewport.buffers import Floats
from app.viewport.skin import Skin, whole_skin
from refine_engine.body import (
    BodyModel,
    BodyPoints,
    JointMotion,
    joint_kinematics,
    named_points,
    place_points,
    rest_joints,
    shaped_body,
)
from refine_engine.state import OptimizationState, PersonState

Array = NDArray[np.float64]

CACHED_BYTES = 40_000_000
"""Memory of posed meshes kept for scrubbing to and fro: 240 whole ones, or a thousand coarse."""
CACHED_MOTIONS = 4000

SOLES = ("left_sole_heel", "left_sole_ball", "right_sole_heel", "right_sole_ball")
"""Skin points in the order of :data:`refine_engine.state.CONTACT_POINTS`."""


class PosedBodies:
    """Joints, soles and meshes of a state's people by video frame.

    Parameters
    ----------
    body
        The body model.
    coarse
        A surface of fewer vertices; None = there is none, the whole one is always posed.
    """

    def __init__(self, body: BodyModel, coarse: Skin | None = None) -> None:
        self.body = body
        self.state: OptimizationState | None = None
        self._whole = whole_skin(body)
        self._coarse = coarse or self._whole
        self._soles: BodyPoints = named_points(body, SOLES)
        self._meshes: OrderedDict[tuple[int, int, Skin], tuple[Floats, Floats]] = OrderedDict()
        self._bytes = 0
        self._motions: dict[tuple[int, int], JointMotion] = {}

    def set_state(self, state: OptimizationState | None) -> None:
        """Another state; what was posed before is forgotten."""
        if state is not self.state:
            self.state = state
            self._meshes.clear()
            self._bytes = 0
            self._motions.clear()

    def row(self, person_id: int, frame: int) -> int | None:
        """Row of a frame in a person's arrays; None where the person is absent."""
        person = self._person(person_id)
        if person is None or not len(person.frames):
            return None
        row = frame - int(person.frames[0])
        return row if 0 <= row < len(person.frames) else None

    def motion(self, person_id: int, frame: int) -> JointMotion | None:
        """Rotations and positions (24, 3) of the joints in the world; None where absent."""
        found = self._motions.get((person_id, frame))
        if found is None:
            row, person = self.row(person_id, frame), self._person(person_id)
            if row is None or person is None:
                return None
            found = joint_kinematics(
                rest_joints(self.body, person.betas),
                person.R_world_root[row],
                person.body_pose[row],
                person.transl_world[row],
            )
            if len(self._motions) > CACHED_MOTIONS:
                self._motions.clear()
            self._motions[person_id, frame] = found
        return found

    def joints(self, person_id: int, frame: int) -> Array | None:
        """(24, 3) metres, world; None where absent."""
        motion = self.motion(person_id, frame)
        return None if motion is None else motion.positions

    def soles(self, person_id: int, frame: int) -> Array | None:
        """(4, 3) left heel, left ball, right heel, right ball; metres, world."""
        motion, row, person = (
            self.motion(person_id, frame),
            self.row(person_id, frame),
            self._person(person_id),
        )
        if motion is None or row is None or person is None:
            return None
        return place_points(self._soles, motion, person.betas, person.body_pose[row])

    def contacts(self, person_id: int, frame: int) -> Array | None:
        """(4,) probabilities of contact, in the order of :meth:`soles`."""
        row, person = self.row(person_id, frame), self._person(person_id)
        return None if row is None or person is None else person.contacts[row]

    def joint_sigma(self, person_id: int, frame: int) -> Array | None:
        """(24,) standard deviations of the joints in metres; None where not known."""
        row, person = self.row(person_id, frame), self._person(person_id)
        if row is None or person is None or person.joint_sigma is None:
            return None
        return person.joint_sigma[row]

    def pelvis_path(self, person_id: int) -> tuple[NDArray[np.int64], Array] | None:
        """Frames (n,) and pelvis (n, 3) over the whole clip, world, metres."""
        person = self._person(person_id)
        if person is None:
            return None
        pelvis = rest_joints(self.body, person.betas)[0]
        return person.frames, person.transl_world + pelvis

    def skin(self, *, coarse: bool) -> Skin:
        """The surface that :meth:`mesh` poses."""
        return self._coarse if coarse else self._whole

    def mesh(
        self, person_id: int, frame: int, *, coarse: bool = False
    ) -> tuple[Floats, Floats] | None:
        """Vertices and (nearly unit) normals (V, 3), world; None where the person is absent."""
        skin = self.skin(coarse=coarse)
        key = (person_id, frame, skin)
        found = self._meshes.get(key)
        if found is not None:
            self._meshes.move_to_end(key)
            return found
        row, person = self.row(person_id, frame), self._person(person_id)
        if row is None or person is None:
            return None
        shaped = shaped_body(self.body, person.betas, np.float32, skin.vertex_ids)
        motion = self.motion(person_id, frame)
        assert motion is not None
        vertices = np.asarray(shaped.placed(motion, person.body_pose[row]), dtype=np.float32)
        found = vertices, skin.normals(motion)
        self._meshes[key] = found
        self._bytes += vertices.nbytes + found[1].nbytes
        while self._bytes > CACHED_BYTES:
            _, oldest = self._meshes.popitem(last=False)
            self._bytes -= oldest[0].nbytes + oldest[1].nbytes
        return found

    def _person(self, person_id: int) -> PersonState | None:
        return None if self.state is None else self.state.people.get(person_id)
