"""All variables of a refinement in the solver's layout, and how a step moves them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import body_size, rest_joints
from refine_engine.geometry.planes import updated
from refine_engine.terms.frames import turned
from refine_engine.terms.points import FULL_WIDTH, ROOT_WIDTH, SHIFT
from refine_engine.terms.protocol import Posed
from refine_engine.terms.skeleton import joint_motion, skinned_points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from refine_engine.body import BodyModel
    from refine_engine.scene import Array
    from refine_engine.state import OptimizationState, PersonState
    from refine_engine.terms.protocol import Track


@dataclass(frozen=True, eq=False)
class PackedPerson:
    """One person's variables, in the solver's layout."""

    R: Array
    """(n, 24, 3, 3): root in the world, then joints 1..23 relative to their parents."""
    transl: Array
    """(n, 3) smplx ``transl``, world, metres."""
    betas: Array
    """(10,)."""
    shift: Array
    """(n, 2) image shift, see ``PersonState.image_shift``."""


@dataclass(frozen=True, eq=False)
class Packed:
    """All variables; immutable, a new object for every step."""

    people: tuple[PackedPerson, ...]
    """In the order of sorted track ids (``Problem.ids``)."""
    plane: Array
    """(4,) ground plane, unit normal and offset, world."""
    alpha: float
    """Metres per reconstruction unit."""
    chunk_log_scale: Array
    """(C,) natural log of each reconstruction chunk's depth scale."""


def packed_state(state: OptimizationState, ids: Sequence[int]) -> Packed:
    """The variables of a state, its people in the order of ``ids``."""
    people = tuple(
        PackedPerson(
            R=np.concatenate([state.people[i].R_world_root[:, None], state.people[i].body_pose], 1),
            transl=writable(state.people[i].transl_world),
            betas=writable(state.people[i].betas),
            shift=_shift(state.people[i]),
        )
        for i in ids
    )
    return Packed(
        people, writable(state.ground_plane), state.alpha, writable(state.chunk_log_scale)
    )


def unpacked_state(
    packed: Packed, template: OptimizationState, contacts: Mapping[int, Array]
) -> OptimizationState:
    """A state with these variables; arrays are views and must not be written to.

    Parameters
    ----------
    packed
        The variables.
    template
        Where everything else comes from: frames, what was observed, alpha_0.
    contacts
        Track id to (n, 4) contact probabilities, in the order of ``packed.people``.
    """
    people = {
        i: replace(
            template.people[i],
            R_world_root=person.R[:, 0],
            body_pose=person.R[:, 1:],
            betas=person.betas,
            transl_world=person.transl,
            contacts=contact,
            joint_sigma=None,
            image_shift=person.shift,
        )
        for (i, contact), person in zip(contacts.items(), packed.people, strict=True)
    }
    return replace(
        template,
        people=people,
        ground_plane=packed.plane,
        scale_delta=packed.alpha / template.alpha_0 - 1.0,
        chunk_log_scale=packed.chunk_log_scale,
    )


def moved(state: Packed, frames: Sequence[Array], own: Array, shared: Array) -> Packed:
    """State after a step.

    Parameters
    ----------
    state
        Where the step starts.
    frames
        (n, width) per person: translation, turns and, beyond :func:`turn_width`, image shift.
    own
        (P, 10) betas.
    shared
        (4 + C,) log alpha, the plane's three, log depth scales.
    """
    people = tuple(
        PackedPerson(
            R=turned(person.R, np.ascontiguousarray(step[:, : turn_width(step)])),
            transl=person.transl + step[:, :3],
            betas=person.betas + own[p],
            shift=person.shift + step[:, turn_width(step) :]
            if step.shape[1] > turn_width(step)
            else person.shift,
        )
        for p, (person, step) in enumerate(zip(state.people, frames, strict=True))
    )
    return Packed(
        people,
        updated(state.plane, shared[1:4]),
        state.alpha * float(np.exp(shared[0])),
        state.chunk_log_scale + shared[4:],
    )


def turn_width(step: Array) -> int:
    """How many variables of a frame are translation and turns; an image shift may follow."""
    return FULL_WIDTH if step.shape[1] >= FULL_WIDTH else ROOT_WIDTH


def pose_person(body: BodyModel, track: Track, person: PackedPerson, contacts: Array) -> Posed:
    """Forward kinematics of all points of one person."""
    n, points = len(track), track.layout.points
    rotations, joints = np.empty((n, 24, 3, 3)), np.empty((n, 24, 3))
    joint_motion(person.R, person.transl, rest_joints(body, person.betas), rotations, joints)
    places = np.empty((n, len(points), 3))
    skinned_points(
        rotations, joints, points.joints, points.weights, points.offsets(person.betas), places
    )
    size = body_size(body, person.betas)
    return Posed(
        R=person.R,
        transl=person.transl,
        betas=person.betas,
        rotations=rotations,
        points=places,
        size=float(size.value),
        size_gradient=np.array(size.gradient),
        contacts=contacts,
        shift=person.shift,
    )


def _shift(person: PersonState) -> Array:
    if person.image_shift is None:
        return np.zeros((len(person.frames), SHIFT))
    return writable(person.image_shift)


def writable(array: Array) -> Array:
    """A private copy: compiled kernels take read-only arrays for another type."""
    return np.array(array, dtype=np.float64, order="C")
