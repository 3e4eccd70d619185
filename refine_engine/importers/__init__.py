"""Results folders of other programs, opened as scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from refine_engine.body import BodyModel
    from refine_engine.importers.folder import ResultsFolder
    from refine_engine.scene import Array, Scene

__all__ = ["check_fps", "load_results"]

MAX_FPS = 1000.0
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


def load_results(
    folder: str | Path | ResultsFolder,
    *,
    fps: float | None = None,
    video: str | Path | None = None,
    keypoints: str | Path | None = None,
    body: BodyModel | str | Path | None = None,
    up: str | Sequence[float] | None = None,
) -> Scene:
    """Open a results folder for looking at it and refining it.

    Arrays of images (depth, masks, video) stay on disk and are read frame by frame.  Everything
    that was found wrong, repaired or missing is in the scene's ``report``.

    Parameters
    ----------
    folder
        A MultiTRAM results folder of any version, one of its stage folders, or a folder that
        holds exactly one results folder; or the stages themselves, where they lie apart
        (:func:`refine_engine.importers.folder.stages_at`).
    fps
        Frames a second; by default the video's, else 30 with a note in the report.
    video
        The video that the results were made from; by default it is looked for in the folder.
    keypoints
        Detected 2-D keypoints: a folder of OpenPose files, or a COCO-result, ViTPose or MMPose
        JSON file; by default ``keypoints.json`` or ``keypoints/`` in the folder where a person
        has no file of their own.
    body
        An SMPL model, its file, or "neutral", "male", "female"; by default as
        :func:`refine_engine.body.load_body_model` finds it.
    up
        Direction against gravity in the reconstruction's world (the first camera's axes: x right,
        y down, z forward), as "x", "y", "z" with an optional sign, or three numbers; by default
        it is estimated from bodies, floor and cameras.

    Raises
    ------
    InputError
        When the folder cannot be used; the text names the file and what to do.
    BodyModelError
        When the body model cannot be read.
    """
    # Here, so that a command line that only wants its help text does not load all of it.
    from refine_engine.body import BodyModel, load_body_model
    from refine_engine.importers.folder import ResultsFolder, find_results
    from refine_engine.importers.multitram import load_multitram

    direction = None if up is None else _direction(up)
    check_fps(fps)
    found = folder if isinstance(folder, ResultsFolder) else find_results(folder)
    model = body if isinstance(body, BodyModel) else load_body_model(body)
    return load_multitram(
        found, fps=fps, video=video, keypoints=keypoints, body=model, up=direction
    )


def check_fps(fps: float | None) -> None:
    """Raise :class:`InputError` for a frame rate that no video has; None is fine."""
    if fps is not None and not (np.isfinite(fps) and 0 < fps <= MAX_FPS):
        raise InputError("fps", f"is {fps}", "give the video's frames per second, e.g. 30")


def _direction(up: str | Sequence[float]) -> Array:
    if isinstance(up, str):
        name = up.strip().lower()
        axis = _AXES.get(name.lstrip("+-"))
        if axis is None or len(name) > 2:
            raise InputError("up", f"is {up!r}", "use x, y or z with an optional sign, e.g. -y")
        return np.array(axis) * (-1.0 if name.startswith("-") else 1.0)
    vector = np.asarray(up, dtype=np.float64)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not np.linalg.norm(vector) > 0:
        raise InputError("up", f"is {up!r}", "give three finite numbers, not all zero")
    return np.asarray(vector / np.linalg.norm(vector))
