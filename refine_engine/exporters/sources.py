"""What exporters write, from the files of a refined folder or from a folder before refinement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body import load_body_model
from refine_engine.errors import InputError
from refine_engine.exporters.content import ExportContent, content_of_state
from refine_engine.exporters.results_json import (
    CAMERAS_FILE,
    OUTPUT_FOLDER,
    PERSON_FILE,
    RESULTS_FILE,
)
from refine_engine.exporters.stored_results import (
    AGAIN,
    check_camera_poses,
    person_files,
    read_results_json,
    results_place,
)
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.safe_files import open_npz
from refine_engine.state import PersonState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def refined_content(folder: str | Path, *, body_file: str | Path | None = None) -> ExportContent:
    """What to export of a refined folder, from the files of ``5_refinement`` alone.

    Parameters
    ----------
    folder
        A results folder that was refined, or the folder that the refinement was written to.
    body_file
        SMPL model file that it was refined with; None takes the embedded body.

    Raises
    ------
    InputError
        Files are missing, damaged, of a failed run, or of another body.
    """
    place = results_place(folder, "refine it first, or export it --before refinement")
    document = _read_document(place / RESULTS_FILE)
    body = load_body_model(document["body"]["gender"], search=(body_file,))
    if document["body"]["name"] not in (None, body.name):
        raise InputError(
            place / RESULTS_FILE,
            f"was refined with the {document['body']['name']}, not with the {body.name}",
            "name that body (--body)",
        )
    files = person_files(place, document["people"])
    people = {i: _read_person(path) for i, path in files.items()}
    if len(people) != len(document["people"]) or not people:
        raise InputError(place, f"lacks a person's {PERSON_FILE}", AGAIN)
    cameras = _read(place / CAMERAS_FILE, ("poses", "intrinsics_pose", "image_size"))
    _check_cameras(place / CAMERAS_FILE, cameras)
    height, width = (int(v) for v in cameras["image_size"])
    T = len(cameras["poses"])
    if any(p.frames[-1] >= T for p in people.values()):
        raise InputError(place / CAMERAS_FILE, f"has {T} cameras, too few for the people", AGAIN)
    return ExportContent(
        people=dict(sorted(people.items())),
        body=body,
        fps=float(document["world"]["fps"]),
        R_cam_world=cameras["poses"][:, :3, :3],
        t_cam_world=cameras["poses"][:, :3, 3],
        intrinsics=cameras["intrinsics_pose"],
        image_size=(height, width),
        ground_plane=np.asarray(document["ground_plane"], dtype=np.float64),
        alpha=float(document["scale_alpha"]),
        document=document,
    )


def unrefined_content(
    folder: str | Path, *, body_file: str | Path | None = None, fps: float | None = None
) -> ExportContent:
    """What to export of a folder as it stands before refinement.

    Repaired, gaps filled, at the scale and ground that a refinement starts from; with the settings
    and the frame rate of the run where the folder was refined already, so that both belong
    together.

    Parameters
    ----------
    folder
        The results folder.
    body_file
        SMPL model file; None takes the embedded body.
    fps
        Frames a second of the video; None takes the run's, else the video's, else 30.

    Raises
    ------
    InputError
        The folder cannot be opened.
    """
    # Here: a program that exports what it has in memory needs none of it.
    from refine_engine.config import RefinementConfig
    from refine_engine.importers import load_results
    from refine_engine.importers.folder import find_results
    from refine_engine.refinement.checked_scene import first_frames
    from refine_engine.refinement.initialisation.start import initialise

    found = find_results(folder)
    settings = RefinementConfig()
    run = _earlier_run(found.root / OUTPUT_FOLDER / RESULTS_FILE)
    if run is not None:
        place = str(found.root / OUTPUT_FOLDER / RESULTS_FILE)
        settings = RefinementConfig.from_dict(run.get("config") or {}, where=place)
        fps = float(run["world"]["fps"]) if fps is None else fps
    scene = load_results(found, fps=fps, body=body_file)
    try:
        if settings.max_frames is not None and settings.max_frames < scene.num_frames:
            scene = first_frames(scene, settings.max_frames)
        body = load_body_model(scene.gender, search=(body_file,))
        state = initialise(scene, body, settings).state
        return content_of_state(state, scene, body)
    finally:
        if scene.video is not None:
            scene.video.close()


def _earlier_run(path: Path) -> dict[str, Any] | None:
    """The document of a run, which its start depends on; None without one or where it failed."""
    if not path.is_file():
        return None
    try:
        return _read_document(path)
    except InputError:
        return None


def _read_document(path: Path) -> dict[str, Any]:
    needed = ("people", "world", "body", "ground_plane", "scale_alpha")
    return read_results_json(path, needed)


def _check_cameras(path: Path, cameras: Mapping[str, NDArray[Any]]) -> None:
    check_camera_poses(path, cameras["poses"])
    shapes = {"intrinsics_pose": (len(cameras["poses"]), 3, 3), "image_size": (2,)}
    for name, shape in shapes.items():
        array = cameras[name]
        if array.dtype.kind not in "iuf" or array.shape != shape or not np.isfinite(array).all():
            raise InputError(path, f"holds no finite numbers {shape} as {name!r}", AGAIN)


def _read_person(path: Path) -> PersonState:
    names = ("frames", "global_orient", "poses", "betas", "transl", "observed", "contacts")
    a = _read(path, names)
    for name in names:
        if a[name].dtype.kind not in "biuf" or not np.isfinite(a[name]).all():
            raise InputError(path, f"holds no finite numbers as {name!r}", AGAIN)
    try:
        frames = a["frames"].astype(np.int64).reshape(-1)
        n = len(frames)
        person = PersonState(
            frames=frames,
            R_world_root=matrix_from_axis_angle(a["global_orient"].reshape(n, 3)),
            body_pose=matrix_from_axis_angle(a["poses"].reshape(n, 23, 3)),
            betas=a["betas"].astype(np.float64).reshape(10),
            transl_world=a["transl"].astype(np.float64).reshape(n, 3),
            observed=a["observed"].astype(bool).reshape(n),
            contacts=a["contacts"].astype(np.float64).reshape(n, 4),
        )
    except ValueError as error:
        raise InputError(path, f"is damaged ({error})", AGAIN) from None
    if n == 0 or frames[0] < 0 or (np.diff(frames) != 1).any():
        raise InputError(path, "has frames that are not consecutive", AGAIN)
    return person


def _read(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    with open_npz(path) as file:
        for name in names:
            if name not in file:
                raise InputError(path, f"has no array {name!r}", AGAIN)
        return {name: file[name] for name in names}
