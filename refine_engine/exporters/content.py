"""What exporters write: people, cameras and ground of one state, whatever it came from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body import joint_positions, load_body_model, rest_joints
from refine_engine.errors import ExportError, InputError
from refine_engine.exporters.results_json import (
    CAMERAS_FILE,
    PERSON_FILE,
    RESULTS_FILE,
)
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.safe_files import open_npz
from refine_engine.state import PersonState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, Scene
    from refine_engine.state import OptimizationState

_AGAIN = "refine it again with this program"
_RESULTS_FOLDER = "5_refinement"


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
        ExportError
            A person does not exist, or nothing is left.
        """
        for wanted in people or ():
            if wanted not in self.people:
                raise ExportError(
                    f"person {wanted}", "does not exist", f"the people are {sorted(self.people)}"
                )
        last = self.first_frame + self.num_frames
        start = max(self.first_frame, frames[0] or 0)
        stop = last if frames[1] is None else min(last, frames[1])
        if start >= stop:
            raise ExportError(
                f"frames {frames[0] or 0}:{'' if frames[1] is None else frames[1]}",
                "are none of this video",
                f"it has the frames {self.first_frame} to {last - 1}",
            )
        kept = {}
        for i, person in self.people.items():
            rows = (person.frames >= start) & (person.frames < stop)
            if (people is None or i in people) and rows.any():
                kept[i] = _rows(person, rows)
        if not kept:
            raise ExportError(
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
    c = scene.cameras
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
    folder = Path(folder)
    places = [p for p in (folder, folder / _RESULTS_FOLDER) if (p / RESULTS_FILE).is_file()]
    if not places:
        raise InputError(
            folder,
            f"has no {_RESULTS_FOLDER}/{RESULTS_FILE}",
            "refine it first, or export it --before refinement",
        )
    place = places[0]
    document = _read_document(place / RESULTS_FILE)
    body = load_body_model(document["body"]["gender"], search=(body_file,))
    if document["body"]["name"] not in (None, body.name):
        raise InputError(
            place / RESULTS_FILE,
            f"was refined with the {document['body']['name']}, not with the {body.name}",
            "name that body (--body)",
        )
    people = {}
    for path in sorted(place.glob(f"person_*/{PERSON_FILE}")):
        match = re.fullmatch(r"person_(\d+)", path.parent.name)
        # Files of people whom an earlier run had, and this one has not, are not part of it.
        if match and str(int(match[1])) in document["people"]:
            people[int(match[1])] = _read_person(path)
    if len(people) != len(document["people"]) or not people:
        raise InputError(place, f"lacks a person's {PERSON_FILE}", _AGAIN)
    cameras = _read(place / CAMERAS_FILE, ("poses", "intrinsics_pose", "image_size"))
    height, width = (int(v) for v in cameras["image_size"])
    T = len(cameras["poses"])
    if any(p.frames[-1] >= T for p in people.values()):
        raise InputError(place / CAMERAS_FILE, f"has {T} cameras, too few for the people", _AGAIN)
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

    Repaired, gaps filled, at the scale and ground that a refinement starts from.

    Parameters
    ----------
    folder
        The results folder.
    body_file
        SMPL model file; None takes the embedded body.
    fps
        Frames a second of the video; None takes the video's, else 30.

    Raises
    ------
    InputError
        The folder cannot be opened.
    """
    # Here: a program that exports what it has in memory needs none of it.
    from refine_engine.config import RefinementConfig
    from refine_engine.importers import load_results
    from refine_engine.refinement.initialisation.start import initialise

    scene = load_results(folder, fps=fps, body=body_file)
    try:
        body = load_body_model(scene.gender, search=(body_file,))
        state = initialise(scene, body, RefinementConfig()).state
        return content_of_state(state, scene, body)
    finally:
        if scene.video is not None:
            scene.video.close()


def _rows(person: PersonState, rows: NDArray[np.bool_]) -> PersonState:
    return replace(
        person,
        frames=person.frames[rows],
        R_world_root=person.R_world_root[rows],
        body_pose=person.body_pose[rows],
        transl_world=person.transl_world[rows],
        observed=person.observed[rows],
        contacts=person.contacts[rows],
        joint_sigma=None if person.joint_sigma is None else person.joint_sigma[rows],
    )


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", _AGAIN) from None
    if not isinstance(document, dict):
        raise InputError(path, "is not a JSON object", _AGAIN)
    if document.get("status") == "failed":
        raise InputError(path, "is the record of a failed run", "refine the folder again")
    for key in ("people", "world", "body", "ground_plane", "scale_alpha"):
        if key not in document:
            raise InputError(path, f"has no key {key!r}", _AGAIN)
    return document


def _read_person(path: Path) -> PersonState:
    names = ("frames", "global_orient", "poses", "betas", "transl", "observed", "contacts")
    a = _read(path, names)
    n = len(a["frames"])
    try:
        person = PersonState(
            frames=a["frames"].astype(np.int64),
            R_world_root=matrix_from_axis_angle(a["global_orient"].reshape(n, 3)),
            body_pose=matrix_from_axis_angle(a["poses"].reshape(n, 23, 3)),
            betas=a["betas"].astype(np.float64).reshape(10),
            transl_world=a["transl"].astype(np.float64).reshape(n, 3),
            observed=a["observed"].astype(bool).reshape(n),
            contacts=a["contacts"].astype(np.float64).reshape(n, 4),
        )
    except ValueError as error:
        raise InputError(path, f"is damaged ({error})", _AGAIN) from None
    if n == 0 or (np.diff(person.frames) != 1).any():
        raise InputError(path, "has frames that are not consecutive", _AGAIN)
    return person


def _read(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    with open_npz(path) as file:
        for name in names:
            if name not in file:
                raise InputError(path, f"has no array {name!r}", _AGAIN)
        return {name: file[name] for name in names}
