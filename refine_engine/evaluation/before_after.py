"""Metrics of a run's start and end, from memory: what results hold as ``before_after``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from refine_engine.errors import InputError
from refine_engine.evaluation.engine_motion import motion_from_state
from refine_engine.evaluation.metrics import evaluate_motion, evaluate_people
from refine_engine.evaluation.sources import motion_from_ground_truth

if TYPE_CHECKING:
    from pathlib import Path

    from refine_engine.body import BodyModel
    from refine_engine.evaluation.motion_set import MotionSet
    from refine_engine.scene import Scene
    from refine_engine.state import RefinementOutput


def compare(
    output: RefinementOutput, scene: Scene, body: BodyModel, truth_file: Path | None
) -> dict[str, Any]:
    """Metrics of a run's start and end: ``{"before": .., "after": .., "ground_truth": bool}``.

    Values that cannot be computed are None. Without ground truth only those that need none; where
    its file is of no use, ``ground_truth_problem`` says why.

    Parameters
    ----------
    output, scene, body
        Result of a run, what was refined, and with which body.
    truth_file
        ``ground_truth.npz``; None or a file that does not exist: there is none.
    """
    truth, problem = _truth(truth_file, body)
    found: dict[str, Any] = {"ground_truth": truth is not None}
    if problem:
        found["ground_truth_problem"] = problem
    for name, motion in _motions(output, scene, body).items():
        found[name] = _plain(evaluate_motion(motion, truth))
    return found


def compare_people(
    output: RefinementOutput, scene: Scene, body: BodyModel, truth_file: Path | None
) -> dict[int, dict[str, dict[str, float | None]]]:
    """The same for each person alone: id to ``{"before": .., "after": ..}``."""
    truth, _ = _truth(truth_file, body)
    found: dict[int, dict[str, dict[str, float | None]]] = {i: {} for i in output.state.people}
    for name, motion in _motions(output, scene, body).items():
        for i, values in evaluate_people(motion, truth).items():
            if i in found:
                found[i][name] = _plain(values)
    return {i: both for i, both in found.items() if len(both) == 2}


def _motions(output: RefinementOutput, scene: Scene, body: BodyModel) -> dict[str, MotionSet]:
    return {
        name: motion_from_state(state, scene.fps, body, scene.cameras, label=name)
        for name, state in (("before", output.initial_state), ("after", output.state))
    }


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    return {key: None if math.isnan(value) else float(value) for key, value in values.items()}


def _truth(path: Path | None, body: BodyModel) -> tuple[MotionSet | None, str]:
    """The ground truth, or why its file is of no use: a run is not lost to a file beside it."""
    if path is None or not path.is_file():
        return None, ""
    try:
        return motion_from_ground_truth(path, body), ""
    except InputError as error:
        return None, str(error)
