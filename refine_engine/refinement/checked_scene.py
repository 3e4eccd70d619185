"""Whether a scene can be refined, and its first frames alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.scene import LAYOUT_SIZES, Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.state import OptimizationState


def check_scene(scene: Scene) -> None:
    """Shapes and finiteness of what is about to be refined.

    Raises
    ------
    InputError
        Names the person or array, what is wrong and what to do.
    """
    where = str(scene.root) if scene.root is not None else "the input"
    if not scene.people:
        raise InputError(where, "has no people", "choose a folder whose Stage 3 found somebody")
    T = scene.num_frames
    c = scene.cameras
    expect("cameras: R_cam_world", c.R_cam_world, (T, 3, 3))
    expect("cameras: t_cam_world", c.t_cam_world, (T, 3))
    expect("cameras: intrinsics", c.intrinsics, (T, 3, 3))
    if not scene.fps > 0:
        raise InputError("fps", f"is {scene.fps}", "give the video's frame rate")
    for i, p in scene.people.items():
        n = len(p.frames)
        if n < 1:
            raise InputError(f"person {i}", "has no frame", "leave this person out")
        if (np.diff(p.frames) <= 0).any() or p.frames[0] < 0 or p.frames[-1] >= T:
            raise InputError(
                f"person {i}: frames",
                f"are not increasing numbers below {T}",
                "sort them and leave out those without a camera",
            )
        expect(f"person {i}: R_cam_root", p.R_cam_root, (n, 3, 3))
        expect(f"person {i}: body_pose", p.body_pose, (n, 23, 3, 3))
        expect(f"person {i}: betas", p.betas, (10,))
        expect(f"person {i}: transl_cam", p.transl_cam, (n, 3))
        if not p.observed.any():
            raise InputError(f"person {i}", "is observed in no frame", "leave this person out")
        if p.keypoints is not None:
            J = LAYOUT_SIZES[p.keypoints.layout]
            expect(f"person {i}: keypoints", p.keypoints.pixels, (n, J, 2))
            expect(f"person {i}: keypoint confidence", p.keypoints.confidence, (n, J))


def expect(name: str, array: NDArray[Any], shape: tuple[int, ...], *, finite: bool = True) -> None:
    """Check an array's shape and that its values are finite.

    Raises
    ------
    InputError
        Either is not so.
    """
    if array.shape != shape:
        raise InputError(name, f"has shape {array.shape}", f"give {shape}")
    if finite and not np.isfinite(array).all():
        raise InputError(name, "holds values that are not finite", "remove those rows")


def check_state(state: OptimizationState, found: OptimizationState) -> None:
    """Whether a state is of the same people, frames and chunks as what was found in the input.

    Parameters
    ----------
    state
        What the caller wants to go on from.
    found
        What ``init`` found, or the run reached.

    Raises
    ------
    InputError
        Says in what they differ, or whose variables are not finite.
    """
    where = "the state to go on from"
    if set(state.people) != set(found.people):
        raise InputError(
            where,
            f"is of people {sorted(state.people)}, the input has {sorted(found.people)}",
            "give one of the same input",
        )
    if len(state.chunk_log_scale) != len(found.chunk_log_scale):
        raise InputError(
            where,
            f"has {len(state.chunk_log_scale)} reconstruction chunks, the input "
            f"{len(found.chunk_log_scale)}",
            "give one of the same input",
        )
    if not (np.isfinite(state.ground_plane).all() and np.isfinite(state.alpha)):
        raise InputError(where, "has a ground or scale that is not finite", "give another one")
    for i, person in state.people.items():
        if not np.array_equal(person.frames, found.people[i].frames):
            raise InputError(where, f"has other frames of person {i}", "give one of the same input")
        n = len(person.frames)
        expect(f"{where}: person {i}: R_world_root", person.R_world_root, (n, 3, 3))
        expect(f"{where}: person {i}: body_pose", person.body_pose, (n, 23, 3, 3))
        expect(f"{where}: person {i}: betas", person.betas, (10,))
        expect(f"{where}: person {i}: transl_world", person.transl_world, (n, 3))
        expect(f"{where}: person {i}: contacts", person.contacts, (n, 4))


def first_frames(scene: Scene, count: int) -> Scene:
    """A scene cut to its first ``count`` video frames; people not observed there are dropped.

    Raises
    ------
    InputError
        Nobody is seen in them.
    """
    c = scene.cameras
    K = c.intrinsics_pose
    cameras = replace(
        c,
        R_cam_world=c.R_cam_world[:count],
        t_cam_world=c.t_cam_world[:count],
        intrinsics=c.intrinsics[:count],
        intrinsics_pose=K[:count] if K.ndim == 3 else K,
        chunk=c.chunk[:count],
        confidence=None if c.confidence is None else c.confidence[:count],
    )
    people = {}
    for i, p in scene.people.items():
        keep = p.frames < count
        if p.observed[keep].any():
            people[i] = p.taken(keep)
    if not people:
        raise InputError(
            "max_frames", f"nobody is seen in the first {count} frames", "raise max_frames"
        )
    return replace(scene, cameras=cameras, people=people)
