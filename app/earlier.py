"""A result that was written before, by the command line or an export, as a run of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from app.engine_worker import OpenedScene, Summary
from app.runs import RunRecord
from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError
from refine_engine.refinement.checkpoint import read_checkpoint
from refine_engine.refinement.refined_cameras import refined_cameras
from refine_engine.state import CueEstimate, OptimizationState, RefinementOutput, ScaleReport

FOLDER = "5_refinement"
RESULTS_FILE = "refinement_results.json"
CHECKPOINT_FILE = "checkpoint.npz"
CAMERAS_FILE = "cameras_refined.npz"
_SAME = 2e-3
"""Of rotation matrices and relative camera positions: about a tenth of a degree."""
_AGAIN = "refine the folder again"


def earlier_result(folder: Path) -> Path | None:
    """The results file of an earlier refinement of this folder, with its state beside it."""
    path = folder / FOLDER / RESULTS_FILE
    return path if path.is_file() and path.with_name(CHECKPOINT_FILE).is_file() else None


def folder_of(path: Path) -> Path | None:
    """The results folder that a results file lies in; None where it lies elsewhere."""
    root = path.resolve().parent.parent
    stages = [p for p in root.glob("[1-4]_*") if p.is_dir()] if root.is_dir() else []
    return root if stages else None


def read_earlier(
    path: Path, opened: OpenedScene, summarise: Callable[[OpenedScene, RefinementOutput], Summary]
) -> RunRecord:
    """The run that wrote ``refinement_results.json``; its number is for the caller to give.

    Parameters
    ----------
    path
        The JSON, with ``checkpoint.npz`` and ``cameras_refined.npz`` beside it.
    opened
        What it must be a result of.
    summarise
        Computes heights and metrics.

    Raises
    ------
    InputError
        A file is missing or damaged, or belongs to other people, frames or cameras.
    """
    from refine_engine.evaluation.sources import read_results

    document = read_results(path.parent)
    checkpoint = read_checkpoint(path.with_name(CHECKPOINT_FILE))
    state = checkpoint.state
    _check_people(path, state, opened)
    _check_cameras(path, state, opened)
    if not np.isclose(state.alpha, float(document["scale_alpha"]), rtol=1e-6):
        raise InputError(
            path, f"does not belong to the {CHECKPOINT_FILE} beside it", "copy both again"
        )
    try:
        output = _output(document, state, opened, checkpoint.results)
        config = _config(document, path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(path, f"is not a usable result ({error!r})", _AGAIN) from None
    summary = summarise(opened, output)
    record = RunRecord(
        number=0,
        label=path.parent.name,
        started=f"{datetime.fromtimestamp(path.stat().st_mtime):%Y-%m-%d %H:%M}",
        config=config,
        initial_state=opened.state,
        start_state=opened.state,
        status="finished" if output.status == "success" else "stopped",
        final_state=state,
        output=output,
        scale=output.scale,
        heights=summary.heights,
        metrics=summary.metrics,
        people=summary.people,
        seconds=sum(r.seconds for r in checkpoint.results),
        from_file=True,
    )
    record.numbers.take(checkpoint.results, stopped=record.status == "stopped")
    return record


def _config(document: Mapping[str, Any], path: Path) -> RefinementConfig:
    """The settings a result was made with."""
    return RefinementConfig.from_dict(dict(document["config"]), where=str(path))


def _check_people(path: Path, state: OptimizationState, opened: OpenedScene) -> None:
    here = opened.state.people
    if set(state.people) != set(here):
        raise InputError(
            path, f"is of people {sorted(state.people)}, not of {sorted(here)}", _AGAIN
        )
    for i, person in state.people.items():
        if not np.array_equal(person.frames, here[i].frames):
            raise InputError(path, f"person {i} has other frames than in the open folder", _AGAIN)


def _check_cameras(path: Path, state: OptimizationState, opened: OpenedScene) -> None:
    """The result's world must be the one the folder was read into, or it would stand beside it."""
    from refine_engine.safe_files import open_npz

    cameras = refined_cameras(opened.scene.cameras, state)
    with open_npz(path.with_name(CAMERAS_FILE)) as stored:
        arrays = stored.read_all()
    poses, alpha = arrays.get("poses"), arrays.get("alpha")
    same = (
        poses is not None
        and alpha is not None
        and poses.shape == (cameras.num_frames, 4, 4)
        and np.abs(poses[:, :3, :3] - cameras.R_cam_world).max() < _SAME
    )
    if same and poses is not None and alpha is not None:
        apart = np.abs(poses[:, :3, 3] / float(alpha) - cameras.t_cam_world).max()
        same = bool(apart < _SAME * max(1.0, float(np.abs(cameras.t_cam_world).max())))
    if not same:
        raise InputError(
            path, "was made from another reading of the open folder (its cameras differ)", _AGAIN
        )


def _output(
    document: Mapping[str, Any],
    state: OptimizationState,
    opened: OpenedScene,
    results: tuple[Any, ...],
) -> RefinementOutput:
    sigma = document.get("scale_sigma")
    cues = document.get("scale_cues") or {}
    bound = document.get("scale_bound")
    scale = ScaleReport(
        alpha=float(document["scale_alpha"]),
        alpha_0=float(document.get("alpha_0", state.alpha_0)),
        delta=float(document["scale_delta"]),
        sigma=None if sigma is None else float(sigma),
        observable=bool(document.get("scale_observable", True)),
        at_bound=bool(document.get("scale_at_bound", False)),
        cues=tuple(
            CueEstimate(str(n), _number(c["alpha"]), _number(c["sigma"])) for n, c in cues.items()
        ),
        observable_from_motion=bool(document.get("scale_observable_from_motion", True)),
        note=str(document.get("scale_note", "")),
        bound=None if bound is None else (float(bound["least"]), float(bound["largest"])),
        bound_source="" if bound is None else str(bound["source"]),
    )
    status = document["status"]
    if status not in ("success", "stopped"):
        raise ValueError(f"its status is {status!r}")
    return RefinementOutput(
        status=status,
        state=state,
        initial_state=opened.state,
        sub_stages=results,
        convergence_achieved=bool(document.get("convergence_achieved", False)),
        scale=scale,
        per_person_likelihoods=_by_id(document.get("per_person_likelihoods")),
        likelihood_nats=_by_id(document.get("likelihood_nats")),
        prior_influence=_by_id(document.get("prior_influence")),
        report=opened.scene.report,
        warnings=tuple(str(w) for w in document.get("warnings") or ()),
    )


def _by_id(values: Mapping[str, Any] | None) -> dict[int, float]:
    return {int(i): float(v) for i, v in (values or {}).items() if v is not None}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
