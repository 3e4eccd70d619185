"""The formats that can be exported, and the one way to write any of them.

A light module: the command line's help and menus list the formats without loading the writers.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from refine_engine.errors import ExportChoiceError, ExportError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from refine_engine.exporters.content import ExportContent


@dataclass(frozen=True)
class ExportOptions:
    """What is written; every field has a default that suits most programs."""

    people: tuple[int, ...] | None = None
    """Track ids; None = everybody."""
    frames: tuple[int | None, int | None] = (None, None)
    """Video frames from the first to before the second; None = the video's end."""
    overwrite: bool = False
    """Replace files that exist; otherwise they are an error, before anything is written."""
    up: Literal["z", "y"] = "z"
    """``amass``: which axis points up."""
    gaps: Literal["fill", "split"] = "fill"
    """``amass``: keep the filled frames, or begin a new file after each gap."""
    rate: float | None = None
    """``amass``: frames a second to resample to; None = the video's."""
    floor: bool = False
    """Move everything so that the floor is level at height 0; otherwise the origin is the first
    camera's place, and cameras of all exports agree with it."""


Files = dict[str, bytes]
"""Contents by file name, relative to the folder; one entry where the format is one file."""


@dataclass(frozen=True)
class ExportFormat:
    """One target format."""

    name: str
    """As on the command line."""
    title: str
    """As in a menu."""
    description: str
    """One sentence: what for, how many files, which conventions."""
    default_name: str
    """Name of the file, or of the folder where several files are written."""
    module: str
    """Where ``build(content, options) -> Files`` is, and ``caveats(content)`` if it has any."""

    @property
    def suffix(self) -> str:
        """Ending of the one file that is written, with the dot; empty where a folder is."""
        return Path(self.default_name).suffix

    @property
    def is_folder(self) -> bool:
        """Whether several files are written into a folder."""
        return not self.suffix

    def default_path(self, folder: Path) -> Path:
        """Where an export goes unless told otherwise, for a results folder."""
        return folder / "exports" / self.default_name

    @property
    def build(self) -> Callable[[ExportContent, ExportOptions], Files]:
        """The function that makes the files' contents."""
        function: Callable[[ExportContent, ExportOptions], Files]
        function = importlib.import_module(self.module).build
        return function


def _format(name: str, title: str, target: str, module: str, description: str) -> ExportFormat:
    return ExportFormat(name, title, description, target, f"refine_engine.exporters.{module}")


FORMATS: Mapping[str, ExportFormat] = {
    f.name: f
    for f in (
        _format(
            "json",
            "Refinement results (JSON)",
            "refinement_results.json",
            "document",
            "refinement_results.json of the run, as it stands",
        ),
        _format(
            "amass",
            "AMASS (npz)",
            "amass",
            "amass",
            "one npz a person in AMASS's SMPL-H layout (156 pose values), Z up",
        ),
        _format(
            "smpl",
            "Plain SMPL (npz)",
            "smpl",
            "plain_smpl",
            "person_XXX/smpl_params_world.npz as the pipeline's Stage 4, with frames, fps, "
            "cameras and units",
        ),
        _format(
            "slahmr",
            "SLAHMR world results (npz)",
            "scene_world_results.npz",
            "slahmr",
            "everybody in one npz with SLAHMR's keys, dense over the frames, Y down",
        ),
        _format(
            "glb",
            "glTF 2.0 binary (GLB)",
            "scene.glb",
            "glb",
            "skinned, animated people, ground and animated camera in one file, Y up, metres",
        ),
        _format(
            "usd",
            "USD",
            "scene.usda",
            "usd",
            "skinned, animated people (UsdSkel), ground and exact camera in one file, Y up, metres",
        ),
        _format(
            "bvh",
            "BVH",
            "bvh",
            "bvh",
            "one skeleton a person, Euler angles in degrees, centimetres, Y up",
        ),
        _format(
            "csv",
            "Joints (CSV)",
            "joints.csv",
            "joint_table",
            "24 joints and foot contacts of every person in every frame, metres, Y up",
        ),
        _format(
            "angles",
            "Joint angles (CSV)",
            "angles.csv",
            "angles",
            "flexion, abduction and rotation of hips, knees, ankles, trunk, neck and arms, degrees",
        ),
        _format(
            "trc",
            "Markers for OpenSim (TRC)",
            "trc",
            "trc",
            "joint centres and points of the skin as markers, one file a person, metres, Y up",
        ),
        _format(
            "c3d",
            "Markers for motion analysis (C3D)",
            "c3d",
            "c3d",
            "the same markers for motion analysis, one file a person, millimetres, Z up",
        ),
        _format(
            "cameras",
            "Cameras (JSON)",
            "cameras.json",
            "cameras_json",
            "K, world-to-camera, fps, alpha, up and image size of every frame",
        ),
        _format(
            "blender",
            "Blender script",
            "blender",
            "blender",
            "scene.glb, cameras.json and a script that opens both in Blender with the exact camera",
        ),
    )
}
"""Every format by its name, in the order in which menus list them."""

_WITHOUT_FLOOR = ("amass", "bvh", "csv", "trc", "c3d")
"""Formats that do not say where the floor is, for programs that mostly take it to be at 0."""
_LEVEL = 0.01
"""Height of the floor, metres, that is not worth a word."""


def export(
    name: str, content: ExportContent, path: str | Path, options: ExportOptions | None = None
) -> list[Path]:
    """Write one format: all of its files whole or, where one cannot be written, none.

    Parameters
    ----------
    name
        A key of :data:`FORMATS`.
    content
        From :func:`~refine_engine.exporters.content.content_of_state`, or from a folder:
        ``refined_content`` and ``unrefined_content`` of :mod:`refine_engine.exporters.sources`.
    path
        The file, or the folder for a format of several files.
    options
        See :class:`ExportOptions`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    ExportChoiceError
        The format does not exist, or cannot hold what is asked for.
    ExportError
        A file exists already (and ``overwrite`` is not set), or cannot be written.
    """
    # Here, because it loads numpy and more, and the table above is wanted without.
    from refine_engine.safe_files import write_files

    options = options or ExportOptions()
    if name not in FORMATS:
        raise ExportChoiceError(
            f"format {name}", "does not exist", f"use one of {', '.join(FORMATS)}"
        )
    target = FORMATS[name]
    path = Path(path)
    if target.is_folder and path.exists() and not path.is_dir():
        raise ExportChoiceError(path, "is a file, and this format needs a folder", "name a folder")
    if not target.is_folder and path.is_dir():
        raise ExportChoiceError(
            path, "is a folder, and this format is one file", f"name a {target.suffix} file in it"
        )
    if not target.is_folder:
        # Before anything is computed.
        _refuse_existing([path], options)
    files = target.build(_chosen(content, options), options)
    places = {path / name if target.is_folder else path: data for name, data in files.items()}
    _refuse_existing(list(places), options)
    write_files(places)
    return list(places)


def caveats(name: str, content: ExportContent, options: ExportOptions | None = None) -> list[str]:
    """What of this content the format cannot hold, in sentences for the user; often none."""
    target = FORMATS[name]
    found = getattr(importlib.import_module(target.module), "caveats", None)
    options = options or ExportOptions()
    notes = [] if found is None else found(_chosen(content, options))
    height = -float(content.ground_plane[3])
    if name in _WITHOUT_FLOOR and not options.floor and abs(height) > _LEVEL:
        notes.append(
            f"heights count from the first camera, and the floor lies at {height:.2f} m there; "
            "--floor moves it to 0"
        )
    return notes


def _chosen(content: ExportContent, options: ExportOptions) -> ExportContent:
    chosen = content.restricted(options.people, options.frames)
    return chosen.on_floor() if options.floor else chosen


def _refuse_existing(places: list[Path], options: ExportOptions) -> None:
    existing = [place for place in places if place.exists()]
    if existing and not options.overwrite:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise ExportError(
            f"{existing[0]}{more}",
            "exists already",
            "choose another --output, or allow --overwrite",
        )
