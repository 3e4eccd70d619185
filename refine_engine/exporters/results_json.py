"""The files of ``5_refinement/``: ``refinement_results.json`` and the arrays beside it."""

from __future__ import annotations

import contextlib
import json
import math
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.geometry.rotations import axis_angle_from_matrix
from refine_engine.refinement.refined_cameras import refined_cameras
from refine_engine.safe_files import npz_bytes, write_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refine_engine.config import RefinementConfig
    from refine_engine.scene import Array, Scene
    from refine_engine.state import OptimizationState, PersonState, RefinementOutput

SCHEMA_VERSION = 1
OUTPUT_FOLDER = "5_refinement"
"""Folder of these files in a results folder, unless another is asked for."""
RESULTS_FILE = "refinement_results.json"
CAMERAS_FILE = "cameras_refined.npz"
CHECKPOINT_FILE = "checkpoint.npz"
PERSON_FILE = "smpl_params_refined.npz"
_DECIMALS = 6
"""Of numbers in the JSON: micrometres and microradians."""


def results_dict(
    output: RefinementOutput,
    scene: Scene,
    config: RefinementConfig,
    before_after: Mapping[str, Any] | None = None,
    body_name: str | None = None,
) -> dict[str, Any]:
    """Everything that ``refinement_results.json`` holds, in plain types.

    Parameters
    ----------
    output
        Result of a run.
    scene
        What was refined.
    config
        Its settings.
    before_after
        Metrics before and after, where they were computed.
    body_name
        Name of the body model, so that an export with another one is noticed.
    """
    scale = output.scale
    return {
        # The keys of the original document, always.
        "status": output.status,
        "num_people": len(output.state.people),
        "convergence_achieved": output.convergence_achieved,
        "scale_alpha": scale.alpha,
        "scale_delta": scale.delta,
        "metrics": {
            "total_loss_history": output.total_loss_history,
            "scale_delta": scale.delta,
            "scale_alpha": scale.alpha,
        },
        "per_person_likelihoods": {str(i): v for i, v in output.per_person_likelihoods.items()},
        # Ours.
        "schema_version": SCHEMA_VERSION,
        "ground_plane": _numbers(output.state.ground_plane),
        "alpha_0": scale.alpha_0,
        "scale_sigma": scale.sigma,
        "scale_observable": scale.observable,
        "scale_observable_from_motion": scale.observable_from_motion,
        "scale_at_bound": scale.at_bound,
        "scale_bound": None
        if scale.bound is None
        else {"least": scale.bound[0], "largest": scale.bound[1], "source": scale.bound_source},
        "scale_note": scale.note,
        "scale_cues": {c.name: {"alpha": c.alpha, "sigma": c.sigma} for c in scale.cues},
        "likelihood_nats": {str(i): v for i, v in output.likelihood_nats.items()},
        "prior_influence": {str(i): v for i, v in output.prior_influence.items()},
        "motion_prior": _prior(output.motion_prior),
        "loss_curves": {
            s.sub_stage: {name: list(values) for name, values in s.loss_curves.items()}
            for s in output.sub_stages
            if s.loss_curves
        },
        "sub_stages": [
            {
                "sub_stage": s.sub_stage,
                "status": s.status,
                "iterations": s.iterations,
                "seconds": round(s.seconds, 4),
                "final_loss": s.final_loss,
                "message": s.message,
            }
            for s in output.sub_stages
        ],
        "people": {str(i): _person_dict(p) for i, p in output.state.people.items()},
        "world": {"up": "y", "units": "metres", "fps": scene.fps, "fps_source": scene.fps_source},
        "body": {"name": body_name, "gender": scene.gender},
        "config": _json_safe(config.to_dict()),
        "versions": versions(),
        "report": scene.report.as_dict(),
        "warnings": list(output.warnings),
        "before_after": None if before_after is None else _json_safe(before_after),
    }


def write_results(
    folder: Path,
    output: RefinementOutput,
    scene: Scene,
    config: RefinementConfig,
    before_after: Mapping[str, Any] | None = None,
    body_name: str | None = None,
) -> dict[str, Any]:
    """Write JSON, people and cameras: all of them or, where one cannot be written, none.

    The JSON appears last: where it exists, the arrays it describes exist too.

    Returns
    -------
    dict
        The content of the JSON.

    Raises
    ------
    ExportError
        A file cannot be written.
    """
    content = results_dict(output, scene, config, before_after, body_name)
    files = {
        folder / f"person_{i:03d}" / PERSON_FILE: npz_bytes(person_arrays(person, scene.fps))
        for i, person in output.state.people.items()
    }
    files[folder / CAMERAS_FILE] = npz_bytes(camera_arrays(output.state, scene))
    files[folder / RESULTS_FILE] = json_bytes(content)
    write_files(files)
    _remove_others(folder, output.state)
    return content


def _remove_others(folder: Path, state: OptimizationState) -> None:
    """Remove this program's files of people whom an earlier run had and this one has not."""
    for path in folder.glob(f"person_*/{PERSON_FILE}"):
        number = path.parent.name.removeprefix("person_")
        if number.isascii() and number.isdigit() and int(number) not in state.people:
            # What cannot be removed does no harm here: readers go by the JSON.
            with contextlib.suppress(OSError):
                path.unlink()
                path.parent.rmdir()


def _prior(described: Mapping[str, Any]) -> dict[str, Any]:
    """Which motion prior was used; ids as text."""
    found = dict(described)
    if "nats" in found:
        found["nats"] = {str(i): v for i, v in found["nats"].items()}
    return found


def failure_dict(error: Exception, num_people: int = 0) -> dict[str, Any]:
    """Content of the JSON of a run that failed: the document's keys, and no numbers."""
    return {
        "status": "failed",
        "num_people": num_people,
        "convergence_achieved": False,
        "scale_alpha": None,
        "scale_delta": None,
        "metrics": {"total_loss_history": {}, "scale_delta": None, "scale_alpha": None},
        "per_person_likelihoods": {},
        "schema_version": SCHEMA_VERSION,
        "error": str(error),
        "versions": versions(),
    }


def person_arrays(person: PersonState, fps: float) -> dict[str, Array]:
    """Arrays of ``person_XXX/smpl_params_refined.npz``; the names of Stage 4 and ``frames``."""
    arrays: dict[str, Any] = {
        "poses": axis_angle_from_matrix(person.body_pose).astype(np.float32),
        "betas": person.betas.astype(np.float32),
        "global_orient": axis_angle_from_matrix(person.R_world_root).astype(np.float32),
        "transl": person.transl_world,
        "frames": person.frames,
        "observed": person.observed,
        "contacts": person.contacts.astype(np.float32),
        "fps": np.array(float(fps)),
    }
    if person.joint_sigma is not None:
        arrays["joint_sigma"] = person.joint_sigma.astype(np.float32)
    return arrays


def camera_arrays(state: OptimizationState, scene: Scene) -> dict[str, Array]:
    """Arrays of ``cameras_refined.npz``: world to camera, metres, in the engine's world."""
    c = refined_cameras(scene.cameras, state)
    poses = np.tile(np.eye(4), (c.num_frames, 1, 1))
    poses[:, :3, :3] = c.R_cam_world
    poses[:, :3, 3] = state.alpha * c.t_cam_world
    return {
        "poses": poses,
        "intrinsics": c.intrinsics,
        # Bodies are projected with these; the others unproject depth.
        "intrinsics_pose": c.pose_intrinsics(np.arange(c.num_frames)),
        "image_size": np.array(c.image_size),
        "alpha": np.array(state.alpha),
    }


def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    found = {"python": platform.python_version()}
    for package in ("smpl-refiner", "numpy", "scipy", "numba", "torch"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON without NaN, as a file holds it."""
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON without NaN; the file appears whole or not at all.

    Raises
    ------
    ExportError
        The file cannot be written.
    """
    write_files({path: json_bytes(content)})


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all.

    Raises
    ------
    ExportError
        The file cannot be written.
    """
    write_files({path: content})


def _person_dict(person: PersonState) -> dict[str, Any]:
    n = len(person.frames)
    pose = axis_angle_from_matrix(person.body_pose).reshape(n, 69)
    return {
        "frames": person.frames.tolist(),
        "observed": person.observed.tolist(),
        "global_orient": _numbers(axis_angle_from_matrix(person.R_world_root)),
        "body_pose": _numbers(pose),
        "betas": _numbers(person.betas),
        "transl": _numbers(person.transl_world),
    }


def _numbers(array: Array) -> Any:
    return np.round(array, _DECIMALS).tolist()


def _json_safe(value: Any) -> Any:
    """Plain types with null where a number is not finite and text keys."""
    if isinstance(value, dict):
        return {str(key): _json_safe(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
