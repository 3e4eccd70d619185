"""Motion to evaluate, from files: a refinement's, and the ground truth of ``sample``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refine_engine.errors import InputError
from refine_engine.evaluation.engine_motion import posed_person
from refine_engine.evaluation.motion_set import MotionSet
from refine_engine.exporters.results_json import CAMERAS_FILE, PERSON_FILE, RESULTS_FILE
from refine_engine.exporters.stored_results import (
    AGAIN,
    check_camera_poses,
    person_files,
    read_results_json,
    results_place,
)
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.safe_files import open_npz

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.evaluation.motion_set import PersonMotion

TRUTH_FILE = "ground_truth.npz"

_WHERE_GIVEN = (
    *("people", "body", "config", "before_after", "sub_stages"),
    *("alpha_0", "scale_sigma", "per_person_likelihoods"),
)
"""Keys of a result that a comparison reads and does without where they are absent."""
_SAME_BODY_M = 0.01
"""Joints of the truth and of the body model may differ by this much before it is another body."""


def motion_from_ground_truth(path: str | Path, body: BodyModel) -> MotionSet:
    """Motion of a ``ground_truth.npz`` as ``sample`` writes it; alpha and the plane may be absent.

    Parameters
    ----------
    path
        The file.
    body
        The body model that it was made with; gives the soles.

    Raises
    ------
    InputError
        The file is not readable, lacks an array, or was made with another body.
    """
    path = Path(path)
    with open_npz(path) as file:
        arrays = file.read_all()
    where = _Arrays(path, arrays)
    try:
        people = {}
        for person_id in where["person_ids"].astype(np.int64).tolist():
            people[person_id] = _true_person(where, person_id, body)
        cameras = where["cameras"].reshape(-1, 4, 4)
        # Motion capture knows no unit of a reconstruction, and not always where the floor is.
        alpha, plane = where.optional("alpha"), where.optional("ground_plane")
        return MotionSet(
            people=people,
            fps=float(where["fps"]),
            R_cam_world=cameras[:, :3, :3],
            t_cam_world=cameras[:, :3, 3],
            ground_plane=None if plane is None else plane.reshape(4),
            alpha=None if alpha is None else float(alpha),
            label=str(path),
        )
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            path, f"holds arrays that do not fit ({reason})", "copy it again"
        ) from None


def _true_person(where: _Arrays, person_id: int, body: BodyModel) -> PersonMotion:
    part = {
        name: where[f"person_{person_id}_{name}"]
        for name in ("frames", "poses", "transl", "betas", "joints", "contacts")
    }
    rotations = matrix_from_axis_angle(part["poses"].reshape(-1, 24, 3))
    motion = posed_person(
        body,
        part["frames"],
        part["betas"].reshape(-1)[:10],
        rotations[:, 0],
        rotations[:, 1:],
        part["transl"],
        part["contacts"],
    )
    off = float(np.abs(motion.joints_world - part["joints"]).max(initial=0.0))
    if off > _SAME_BODY_M:
        raise InputError(
            f"{where.path}, person {person_id}",
            f"has joints up to {off * 100:.1f} cm from those of the {body.name}",
            "name the body model that it was made with (--body)",
        )
    return motion


def motion_from_results(folder: str | Path, body: BodyModel) -> MotionSet:
    """Motion of a ``5_refinement`` folder.

    Parameters
    ----------
    folder
        The ``5_refinement`` folder, or the results folder that holds it.
    body
        The body model that was refined.

    Raises
    ------
    InputError
        Files are missing, unreadable or disagree, or the run had failed.
    """
    folder = results_place(folder)
    document = read_results(folder)
    files = person_files(folder, document.get("people"))
    people = {i: _refined_person(path, body) for i, path in files.items()}
    if not people:
        raise InputError(folder, f"holds no person_*/{PERSON_FILE}", "refine it again")
    with open_npz(folder / CAMERAS_FILE) as file:
        poses = _Arrays(folder / CAMERAS_FILE, file.read_all())["poses"]
    check_camera_poses(folder / CAMERAS_FILE, poses)
    return MotionSet(
        people=people,
        fps=float(document["world"]["fps"]),
        R_cam_world=poses[:, :3, :3],
        t_cam_world=poses[:, :3, 3],
        ground_plane=np.asarray(document["ground_plane"], dtype=np.float64),
        alpha=float(document["scale_alpha"]),
        label=str(folder),
    )


def read_results(folder: Path) -> dict[str, Any]:
    """``refinement_results.json`` of a successful or stopped run.

    Raises
    ------
    InputError
        The file is no such document, lacks a key that evaluation needs, or the run had failed.
    """
    needed = ("scale_alpha", "scale_delta", "ground_plane", "world")
    return read_results_json(folder / RESULTS_FILE, needed, _WHERE_GIVEN)


def _refined_person(path: Path, body: BodyModel) -> PersonMotion:
    with open_npz(path) as file:
        arrays = _Arrays(path, file.read_all())
    try:
        n = len(arrays["frames"])
        return posed_person(
            body,
            arrays["frames"],
            arrays["betas"].reshape(-1)[:10],
            matrix_from_axis_angle(arrays["global_orient"].reshape(n, 3)),
            matrix_from_axis_angle(arrays["poses"].reshape(n, 23, 3)),
            arrays["transl"].reshape(n, 3),
            arrays.optional("contacts"),
        )
    except (ValueError, TypeError, FloatingPointError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(path, f"is damaged ({reason})", AGAIN) from None


class _Arrays:
    """Arrays of one file; a missing one is an error that names the file."""

    def __init__(self, path: Path, arrays: dict[str, NDArray[Any]]) -> None:
        self.path = path
        self._arrays = arrays

    def optional(self, name: str) -> NDArray[Any] | None:
        return self[name] if name in self._arrays else None

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            raise InputError(self.path, f"has no array {name!r}", "give a file of this program")
        array = self._arrays[name]
        if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
            raise InputError(
                self.path, f"holds no finite numbers as {name!r}", "give a file of this program"
            )
        return array.astype(np.float64) if array.dtype.kind == "f" else array
