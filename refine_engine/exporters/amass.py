"""``amass``: one npz a person in AMASS's SMPL-H layout, which animation and robot tools read.

156 pose values are root, 21 body joints and 2 x 15 finger joints; SMPL's two hand joints (22, 23)
have no place in it and are dropped, fingers are zero.  AMASS stands Z up: the world is turned by
a quarter about x, and ``trans`` with the pelvis term, because SMPL turns about the pelvis.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, RotationSpline

from refine_engine.body import move_rigidly
from refine_engine.errors import ExportChoiceError
from refine_engine.geometry.rotations import axis_angle_from_matrix
from refine_engine.safe_files import npz_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files
    from refine_engine.scene import Array
    from refine_engine.state import PersonState

R_ZUP_YUP: Array = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Turns a Y-up world into a Z-up one: y to z, z to -y."""

_BODY_JOINTS, _POSE_VALUES, _BETAS = 21, 156, 16


def build(content: ExportContent, options: ExportOptions) -> Files:
    """``person_XXX.npz`` of everybody; with ``gaps="split"`` also ``person_XXX_2.npz`` ...

    Raises
    ------
    ExportChoiceError
        The rate is not a positive number.
    """
    if options.rate is not None and not 0 < options.rate <= 1000:
        raise ExportChoiceError(f"rate {options.rate}", "is no frame rate", "give frames a second")
    files: Files = {}
    for i, person in content.people.items():
        parts = [person] if options.gaps == "fill" else seen_stretches(person)
        for number, part in enumerate(parts, start=1):
            tail = "" if number == 1 else f"_{number}"
            files[f"person_{i:03d}{tail}.npz"] = npz_bytes(_arrays(content, part, options))
    return files


def caveats(content: ExportContent) -> list[str]:
    """What of this content the layout cannot hold."""
    return [
        "SMPL-H has a shape space of its own: the SMPL betas in it are only approximately the "
        "same person"
    ]


def seen_stretches(person: PersonState) -> list[PersonState]:
    """The stretches without a filled frame, in order."""
    edges = np.flatnonzero(np.diff(person.observed.astype(np.int8))) + 1
    parts = np.split(np.arange(len(person.frames)), edges)
    return [
        replace(
            person,
            frames=person.frames[rows],
            R_world_root=person.R_world_root[rows],
            body_pose=person.body_pose[rows],
            transl_world=person.transl_world[rows],
            observed=person.observed[rows],
            contacts=person.contacts[rows],
            joint_sigma=None,
        )
        for rows in parts
        if person.observed[rows[0]]
    ]


def _arrays(
    content: ExportContent, person: PersonState, options: ExportOptions
) -> dict[str, NDArray[Any]]:
    R_root, transl = person.R_world_root, person.transl_world
    if options.up == "z":
        R_root, transl = move_rigidly(
            content.body, person.betas, R_root, transl, R_ZUP_YUP, np.zeros(3)
        )
    R = np.concatenate([R_root[:, None], person.body_pose[:, :_BODY_JOINTS]], axis=1)
    frames, observed, rate = person.frames.astype(np.float64), person.observed, content.fps
    if options.rate is not None and options.rate != content.fps:
        rate = float(options.rate)
        R, transl = _resampled(R, transl, content.fps, rate)
        frames = person.frames[0] + np.arange(len(R)) * content.fps / rate
        observed = observed[np.minimum(np.rint(frames - frames[0]).astype(int), len(observed) - 1)]
    poses = np.zeros((len(R), _POSE_VALUES))
    poses[:, : 3 * (1 + _BODY_JOINTS)] = axis_angle_from_matrix(R).reshape(len(R), -1)
    betas = np.zeros(_BETAS)
    betas[: len(person.betas)] = person.betas
    return {
        "poses": poses,
        "trans": transl,
        "betas": betas,
        "gender": np.array(content.body.gender),
        # AMASS itself spells it both ways, and readers look for either.
        "mocap_framerate": np.array(rate),
        "mocap_frame_rate": np.array(rate),
        "fps": np.array(rate),
        "surface_model_type": np.array("smplh"),
        "dmpls": np.zeros((len(R), 8)),
        "frames": frames if rate != content.fps else person.frames,
        "observed": observed,
        "up": np.array(options.up),
        # Where the pelvis is, for a reader whose body has its pelvis elsewhere at rest.
        "pelvis": transl + content.pelvis_rest(person),
        "body_model": np.array(content.body.name),
    }


def _resampled(R: Array, transl: Array, rate: float, wanted: float) -> tuple[Array, Array]:
    """Rotations (n, J, 3, 3) and places (n, 3) at another rate, by cubic splines in time."""
    n = len(R)
    if n < 2:
        return R, transl
    known = np.arange(n) / rate
    times = np.arange(0.0, known[-1] + 1e-9, 1.0 / wanted)
    turned = [
        RotationSpline(known, Rotation.from_matrix(R[:, k]))(times).as_matrix()
        for k in range(R.shape[1])
    ]
    return np.stack(turned, axis=1), CubicSpline(known, transl)(times)
