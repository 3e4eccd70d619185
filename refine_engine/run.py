"""Folder in, files out: what the command line, the pipeline and batches share."""

from __future__ import annotations

import contextlib
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError, RefinementError
from refine_engine.evaluation.metrics import evaluate_motion, evaluate_people
from refine_engine.evaluation.sources import (
    TRUTH_FILE,
    motion_from_ground_truth,
    motion_from_state,
)
from refine_engine.exporters.results_json import (
    CHECKPOINT_FILE,
    RESULTS_FILE,
    failure_dict,
    write_json,
    write_results,
)
from refine_engine.importers import load_results
from refine_engine.refinement.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from refine_engine.refinement.input import RefinementInput
from refine_engine.refinement.refiner import Stage5Refiner
from refine_engine.safe_files import only_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from refine_engine.body import BodyModel
    from refine_engine.evaluation.motion_set import MotionSet
    from refine_engine.refinement.control import RunControl
    from refine_engine.scene import Scene
    from refine_engine.state import RefinementOutput, Snapshot

OUTPUT_FOLDER = "5_refinement"


@dataclass(frozen=True)
class FolderRun:
    """What refining a folder gave."""

    results: dict[str, Any]
    """Content of ``refinement_results.json``."""
    output: RefinementOutput
    folder: Path
    """Where the files were written."""


def run_refinement(
    stage4_output_dir: str | Path | None,
    stage1_output_dir: str | Path | None,
    stage2_output_dir: str | Path | None,
    stage3_output_dir: str | Path | None,
    stage5_output_dir: str | Path,
    config: RefinementConfig | Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Refine the stages of one video; keyword arguments as in the original pipeline.

    Parameters
    ----------
    stage4_output_dir, stage1_output_dir, stage2_output_dir, stage3_output_dir
        Folders of the stages; None where one does not exist. Stages 1 and 3 are needed: people's
        world motion is built from them (Stage 4's own files hold known defects).
    stage5_output_dir
        Where the files are written.
    config
        Settings, or the ``stage5`` mapping of a pipeline's YAML.

    Returns
    -------
    dict
        Content of ``refinement_results.json``.

    Raises
    ------
    RefinementError
        Bad input or failure; a JSON with ``"status": "failed"`` and no numbers is left behind.
    """
    settings = config if isinstance(config, RefinementConfig) else _settings(config)
    target = Path(stage5_output_dir)
    stages = {
        "1_camera_estimation": stage1_output_dir,
        "2_tracking": stage2_output_dir,
        "3_pose_estimation": stage3_output_dir,
        "4_world_space": stage4_output_dir,
    }
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(_one_folder(stages))
            return refine_folder(folder, output=target, config=settings).results
        except RefinementError as error:
            _leave_failure(target, error)
            raise


def refine_folder(
    folder: str | Path,
    *,
    output: str | Path | None = None,
    config: RefinementConfig | None = None,
    fps: float | None = None,
    body_file: str | Path | None = None,
    video: str | Path | None = None,
    keypoints: str | Path | None = None,
    up: str | None = None,
    resume: bool = False,
    control: RunControl | None = None,
    watch: Callable[[Snapshot], None] | None = None,
) -> FolderRun:
    """Refine a results folder and write the files.

    Parameters
    ----------
    folder
        The results folder.
    output
        Where to write; None = ``5_refinement`` in the folder.
    config
        Settings; None = the defaults.
    fps
        Frames per second of the video; None = the video's, else 30 with a warning.
    body_file
        SMPL model file; None = the embedded body.
    video, keypoints, up
        As for :func:`refine_engine.importers.load_results`; None = what lies in the folder.
    resume
        Go on from ``checkpoint.npz`` of an earlier run in ``output``.
    control
        The caller's hand on the run. After a stop the files hold what was reached, with status
        "stopped", and the checkpoint goes on from there.
    watch
        Called with every snapshot.

    Raises
    ------
    RefinementError
        Bad input, failure, cancelled, or another run writes there at this moment; nothing but the
        checkpoint of finished sub-stages is written then.
    """
    folder = Path(folder)
    config = config or RefinementConfig()
    body = load_body_model(search=(body_file,))
    scene = load_results(folder, fps=fps, video=video, keypoints=keypoints, body=body, up=up)
    target = Path(output) if output is not None else _default_output(folder, scene)
    refinement_input = RefinementInput.from_scene(scene).limited(config.max_frames)
    with only_writer(target):
        checkpoint = read_checkpoint(target / CHECKPOINT_FILE) if resume else None
        if checkpoint is not None:
            _check_matches(checkpoint, refinement_input.scene, target / CHECKPOINT_FILE)
        refiner = Stage5Refiner(config, body)
        for snapshot in _iterate(refiner, refinement_input, control, checkpoint):
            if snapshot.event == "end":
                _save(target, refiner.output, config)
            if watch is not None:
                watch(snapshot)
        scene = refinement_input.scene
        results = write_run(target, refiner.output, scene, body, config, folder / TRUTH_FILE)
    return FolderRun(results, refiner.output, target)


def write_run(
    target: Path,
    output: RefinementOutput,
    scene: Scene,
    body: BodyModel,
    config: RefinementConfig,
    truth_file: Path | None = None,
) -> dict[str, Any]:
    """Write everything that ``5_refinement`` holds; the command line and the app both call this.

    Parameters
    ----------
    target
        Folder to write into.
    output, scene, body, config
        Result of a run, what was refined, and how.
    truth_file
        ``ground_truth.npz``, where there may be one.

    Returns
    -------
    dict
        Content of ``refinement_results.json``.

    Raises
    ------
    ExportError
        A file cannot be written.
    """
    _save(target, output, config)
    before_after = compare(output, scene, body, truth_file)
    return write_results(target, output, scene, config, before_after, body.name)


def compare(
    output: RefinementOutput, scene: Scene, body: BodyModel, truth_file: Path | None
) -> dict[str, Any]:
    """Metrics of a run's start and end: ``{"before": .., "after": .., "ground_truth": bool}``.

    Values that cannot be computed are None. Without ground truth only those that need none; where
    its file is of no use, ``ground_truth_problem`` says why.
    """
    truth, problem = _truth(truth_file, body)
    found: dict[str, Any] = {"ground_truth": truth is not None}
    if problem:
        found["ground_truth_problem"] = problem
    for name, state in (("before", output.initial_state), ("after", output.state)):
        motion = motion_from_state(state, scene.fps, body, scene.cameras, label=name)
        values = evaluate_motion(motion, truth)
        found[name] = {k: None if math.isnan(v) else float(v) for k, v in values.items()}
    return found


def compare_people(
    output: RefinementOutput, scene: Scene, body: BodyModel, truth_file: Path | None
) -> dict[int, dict[str, dict[str, float | None]]]:
    """The same for each person alone: id to ``{"before": .., "after": ..}``."""
    truth, _ = _truth(truth_file, body)
    found: dict[int, dict[str, dict[str, float | None]]] = {i: {} for i in output.state.people}
    for name, state in (("before", output.initial_state), ("after", output.state)):
        motion = motion_from_state(state, scene.fps, body, scene.cameras, label=name)
        for i, values in evaluate_people(motion, truth).items():
            if i in found:
                found[i][name] = {k: None if math.isnan(v) else v for k, v in values.items()}
    return {i: both for i, both in found.items() if len(both) == 2}


def _truth(path: Path | None, body: BodyModel) -> tuple[MotionSet | None, str]:
    """The ground truth, or why its file is of no use: a run is not lost to a file beside it."""
    if path is None or not path.is_file():
        return None, ""
    try:
        return motion_from_ground_truth(path, body), ""
    except InputError as error:
        return None, str(error)


def _iterate(
    refiner: Stage5Refiner,
    refinement_input: RefinementInput,
    control: RunControl | None,
    checkpoint: Checkpoint | None,
) -> Iterator[Snapshot]:
    if checkpoint is None:
        return refiner.iterate(refinement_input, control)
    following = checkpoint.next_substage
    if following is None:
        raise InputError(
            "--resume", "the earlier run had finished", "run without --resume to start again"
        )
    return refiner.iterate(
        refinement_input,
        control,
        start=checkpoint.state,
        first_substage=following,
        earlier=checkpoint.results,
    )


def _save(target: Path, out: RefinementOutput, config: RefinementConfig) -> None:
    ended = [
        s for s in out.sub_stages if s.status not in ("running", "waiting") and not s.interrupted
    ]
    write_checkpoint(target / CHECKPOINT_FILE, out.state, ended, config.weights())


def _check_matches(checkpoint: Checkpoint, scene: Scene, path: Path) -> None:
    if set(checkpoint.state.people) != set(scene.people):
        raise InputError(
            path,
            f"is of people {sorted(checkpoint.state.people)}, the folder has "
            f"{sorted(scene.people)}",
            "run without --resume",
        )
    for i, p in scene.people.items():
        seen = p.frames[p.observed]
        frames = checkpoint.state.people[i].frames
        if len(frames) == 0 or frames[0] != seen[0] or frames[-1] != seen[-1]:
            raise InputError(
                path, f"person {i} has other frames than the folder", "run without --resume"
            )


def _default_output(folder: Path, scene: Scene) -> Path:
    return (scene.root or folder) / OUTPUT_FOLDER


def _settings(config: Mapping[str, Any] | None) -> RefinementConfig:
    if config is None:
        return RefinementConfig()
    return RefinementConfig.from_dict(config)


@contextlib.contextmanager
def _one_folder(stages: Mapping[str, str | Path | None]) -> Iterator[Path]:
    """The folder that holds the stages; a temporary one of links where they lie apart."""
    given = {name: Path(path).absolute() for name, path in stages.items() if path is not None}
    for name, path in given.items():
        if name[0] in "13" and not path.is_dir():
            raise InputError(path, "does not exist", f"run Stage {name[0]} first")
    for name in ("1_camera_estimation", "3_pose_estimation"):
        if name not in given:
            raise InputError(
                f"stage{name[0]}_output_dir", "is missing", f"give the folder of Stage {name[0]}"
            )
    parents = {path.parent for path in given.values()}
    if len(parents) == 1 and all(path.name == name for name, path in given.items()):
        yield parents.pop()
        return
    with tempfile.TemporaryDirectory(prefix="smpl-refiner-") as temporary:
        for name, path in given.items():
            if path.is_dir():
                (Path(temporary) / name).symlink_to(path, target_is_directory=True)
        yield Path(temporary)


def _leave_failure(target: Path, error: RefinementError) -> None:
    """Say "failed" on disk too, but never over the results of an earlier run."""
    path = target / RESULTS_FILE
    if not path.exists():
        with contextlib.suppress(RefinementError):
            write_json(path, failure_dict(error))
