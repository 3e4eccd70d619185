"""A results folder before and after refinement, against the truth where there is one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.evaluation.engine_motion import motion_from_state
from refine_engine.evaluation.metric_list import METRICS
from refine_engine.evaluation.metrics import evaluate_motion, evaluate_people
from refine_engine.evaluation.sources import (
    TRUTH_FILE,
    motion_from_ground_truth,
    motion_from_results,
    read_results,
)
from refine_engine.exporters.results_json import OUTPUT_FOLDER, RESULTS_FILE
from refine_engine.exporters.stored_results import results_place
from refine_engine.importers import load_results
from refine_engine.importers.folder import find_results
from refine_engine.refinement.initialisation import initialise

if TYPE_CHECKING:
    from refine_engine.evaluation.motion_set import MotionSet
    from refine_engine.evaluation.trajectory_metrics import Chunking

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one motion; NaN where a metric cannot be computed."""

    pooled: Mapping[str, float]
    people: Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class Comparison:
    """What ``evaluate`` found."""

    folder: Path
    ground_truth: Path | None
    before: Evaluation
    after: Evaluation | None
    notes: tuple[str, ...] = ()
    """Sentences for the user: what could not be measured, and why."""

    def as_dict(self) -> dict[str, Any]:
        """Plain types for JSON: null where a metric cannot be computed."""
        return {
            "schema_version": SCHEMA_VERSION,
            "folder": str(self.folder),
            "ground_truth": None if self.ground_truth is None else str(self.ground_truth),
            "before": _plain(self.before),
            "after": None if self.after is None else _plain(self.after),
            "units": {m.key: m.unit for m in METRICS},
            "better": {m.key: m.better for m in METRICS},
            "needs_ground_truth": [m.key for m in METRICS if m.needs_truth],
            "notes": list(self.notes),
        }


def evaluate_folder(
    folder: str | Path,
    *,
    ground_truth: str | Path | None = None,
    results: str | Path | None = None,
    body_file: str | Path | None = None,
    fps: float | None = None,
    chunking: Chunking = "gvhmr",
) -> Comparison:
    """Metrics of a results folder before and after refinement.

    "Before" is what the input says with gaps filled and alpha, ground and contacts as ``init``
    finds them: the state that a refinement starts from. Both are compared on the same people
    and frames; coverage before counts measured frames only.

    Parameters
    ----------
    folder
        The results folder (Stages 1 to 4).
    ground_truth
        Truth as ``sample`` writes it; None takes ``ground_truth.npz`` of the folder if it is there.
    results
        Where the refinement was written; None takes ``5_refinement`` of the folder if it is there.
    body_file
        SMPL model file; None takes the embedded body.
    fps
        Frames a second; None takes the refinement's, else the video's.
    chunking
        See :func:`.trajectory_metrics.chunk_bounds`.

    Raises
    ------
    InputError
        Something cannot be read or compared.
    """
    found = find_results(folder)
    folder = found.root
    body = load_body_model(search=(body_file,))
    if ground_truth is None and (folder / TRUTH_FILE).is_file():
        ground_truth = folder / TRUTH_FILE
    truth = None if ground_truth is None else motion_from_ground_truth(ground_truth, body)
    if results is None and (folder / OUTPUT_FOLDER / RESULTS_FILE).is_file():
        results = folder / OUTPUT_FOLDER
    after = None if results is None else motion_from_results(results, body)
    if fps is None and after is not None:
        # The rate may have been said to the run, and "before" is where that run started.
        fps = after.fps
    config = _config_of(None if results is None else results_place(results))
    scene = load_results(found, fps=fps, body=body)
    try:
        start = initialise(scene, body, config).state
    finally:
        if scene.video is not None:
            scene.video.close()
    before = motion_from_state(start, scene.fps, body, scene.cameras, label=str(folder))
    seen = motion_from_state(
        start, scene.fps, body, scene.cameras, observed_only=True, label=str(folder)
    )
    notes = []
    if truth is None:
        notes.append(
            "No ground truth: only what needs none is shown; sliding, floating and stance height "
            "go by each motion's own contacts, which depend on the motion itself."
        )
    if after is None:
        notes.append(
            "Not refined yet: `smpl-refiner refine` writes 5_refinement, the column after."
        )
    else:
        notes += _uncommon(before, after)
        before, after = before.restricted_to(after), after.restricted_to(before)
    if truth is not None:
        notes += _unmatched(before, truth)
    first = _evaluation(before, truth, chunking)
    if truth is not None:
        first = _with_coverage_of(seen, first, truth, chunking)
    return Comparison(
        folder=folder,
        ground_truth=None if ground_truth is None else Path(ground_truth),
        before=first,
        after=None if after is None else _evaluation(after, truth, chunking),
        notes=tuple(notes),
    )


def _config_of(results: Path | None) -> RefinementConfig:
    """The settings of the run, so that "before" is where it started."""
    if results is None:
        return RefinementConfig()
    settings = read_results(results).get("config")
    if not isinstance(settings, dict):
        return RefinementConfig()
    return RefinementConfig.from_dict(settings, where=str(results / RESULTS_FILE))


def _evaluation(motion: MotionSet, truth: MotionSet | None, chunking: Chunking) -> Evaluation:
    return Evaluation(
        evaluate_motion(motion, truth, chunking=chunking),
        evaluate_people(motion, truth, chunking=chunking),
    )


def _with_coverage_of(
    seen: MotionSet, found: Evaluation, truth: MotionSet, chunking: Chunking
) -> Evaluation:
    """Filled frames were not found by anybody: coverage before is that of measured frames."""
    own = _evaluation(seen, truth, chunking)
    key = "coverage_percent"
    return Evaluation(
        {**found.pooled, key: own.pooled[key]},
        {i: {**values, key: own.people[i][key]} for i, values in found.people.items()},
    )


def _uncommon(before: MotionSet, after: MotionSet) -> list[str]:
    rows = [
        len(np.setxor1d(before.people[i].frames, after.people[i].frames))
        for i in set(before.people) & set(after.people)
    ]
    notes = []
    lost = sorted(set(before.people) - set(after.people))
    if lost:
        notes.append(f"People {lost} are not in the refinement and left out of both columns.")
    if sum(rows):
        notes.append(
            f"{sum(rows)} rows are in one of before and after only and left out of both columns."
        )
    return notes


def _unmatched(motion: MotionSet, truth: MotionSet) -> list[str]:
    notes = []
    extra = sorted(set(motion.people) - set(truth.people))
    if extra:
        notes.append(f"People {extra} are not in the ground truth and not judged.")
    missing = sorted(set(truth.people) - set(motion.people))
    if missing:
        notes.append(f"People {missing} of the ground truth were not found (coverage 0).")
    return notes


def _plain(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "pooled": _without_nan(evaluation.pooled),
        "people": {str(i): _without_nan(v) for i, v in evaluation.people.items()},
    }


def _without_nan(values: Mapping[str, float]) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else value for key, value in values.items()}
