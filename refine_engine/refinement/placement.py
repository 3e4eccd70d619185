"""Where a person stands in the world, given cameras and the unit ``alpha``.

A pose network measures a body in the camera frame.  SMPL turns a body about its pelvis, not
about the origin, so moving it rigidly needs the pelvis term: with ``J0`` the rest position of the
pelvis, ``pelvis = J0 + transl`` and only the *pelvis* transforms as a point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.errors import InputError
from refine_engine.geometry.cameras import to_camera, to_world

if TYPE_CHECKING:
    from refine_engine.scene import Array, CameraTrack, IntArray, Person


def place_in_world(
    person: Person, cameras: CameraTrack, alpha: float, pelvis_rest: Array
) -> tuple[Array, Array]:
    """World orientation and translation of a person measured in the camera frame.

    Parameters
    ----------
    person
        Rows in the camera frame, metres.
    cameras
        World-to-camera transforms, translation in reconstruction units.
    alpha
        Metres per reconstruction unit.
    pelvis_rest
        (3,) rest position ``J0(betas)`` of the person's pelvis, metres.

    Returns
    -------
    R_world_root
        (n, 3, 3), rows as ``person.frames``.
    transl_world
        (n, 3) smplx ``transl`` in the world, metres.

    Raises
    ------
    InputError
        A row's frame has no camera.
    """
    R, t = _cameras_of(person, cameras, alpha)
    return world_from_camera(person.R_cam_root, person.transl_cam, R, t, pelvis_rest)


def place_in_camera(
    R_world_root: Array,
    transl_world: Array,
    frames: IntArray,
    cameras: CameraTrack,
    alpha: float,
    pelvis_rest: Array,
) -> tuple[Array, Array]:
    """Inverse of :func:`place_in_world`: ``R_cam_root`` (n, 3, 3) and ``transl_cam`` (n, 3)."""
    index = np.asarray(frames, dtype=np.int64)
    R, t = cameras.R_cam_world[index], alpha * cameras.t_cam_world[index]
    pelvis_cam = to_camera(transl_world + pelvis_rest, R, t)
    return R @ R_world_root, pelvis_cam - pelvis_rest


def world_from_camera(
    R_cam_root: Array,
    transl_cam: Array,
    R_cam_world: Array,
    t_cam_world: Array,
    pelvis_rest: Array,
) -> tuple[Array, Array]:
    """The same on plain arrays: one camera (n, 3, 3), (n, 3) in metres for each row."""
    pelvis_world = to_world(transl_cam + pelvis_rest, R_cam_world, t_cam_world)
    return np.swapaxes(R_cam_world, -1, -2) @ R_cam_root, pelvis_world - pelvis_rest


def _cameras_of(person: Person, cameras: CameraTrack, alpha: float) -> tuple[Array, Array]:
    if len(person.frames) and person.frames.max() >= cameras.num_frames:
        raise InputError(
            f"person {person.id}",
            f"has frame {int(person.frames.max())}, but there are {cameras.num_frames} cameras",
            "leave out the frames without a camera",
        )
    return cameras.R_cam_world[person.frames], alpha * cameras.t_cam_world[person.frames]
