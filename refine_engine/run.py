"""Folder in, files out: what the command line, the pipeline and batches share."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError, RefinementError
from refine_engine.evaluation.before_after import compare
from refine_engine.evaluation.sources import TRUTH_FILE
from refine_engine.exporters.results_json import (
    CHECKPOINT_FILE,
    OUTPUT_FOLDER,
    RESULTS_FILE,
    failure_dict,
    write_json,
    write_results,
)
from refine_engine.importers import load_results
from refine_engine.importers.folder import ResultsFolder, stages_at
from refine_engine.refinement.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from refine_engine.refinement.input import RefinementInput
from refine_engine.refinement.refiner import Stage5Refiner
from refine_engine.safe_files import only_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from refine_engine.body import BodyModel
    from refine_engine.refinement.control import RunControl
    from refine_engine.scene import Scene
    from refine_engine.state import RefinementOutput, Snapshot


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
    *,
    fps: float | None = None,
    video: str | Path | None = None,
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
    fps
        Frames per second; None = the video's, else 30 with a warning. No stage stores it.
    video
        The video that the stages were made from; None = one that lies in their common folder.

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
    try:
        for number, stage in ((1, stage1_output_dir), (3, stage3_output_dir)):
            if stage is None:
                raise InputError(
                    f"stage{number}_output_dir", "is missing", f"give the folder of Stage {number}"
                )
        assert stage1_output_dir is not None
        assert stage3_output_dir is not None
        stages = stages_at(
            cameras=stage1_output_dir,
            poses=stage3_output_dir,
            tracks=stage2_output_dir,
            world=stage4_output_dir,
        )
        return refine_folder(stages, output=target, config=settings, fps=fps, video=video).results
    except RefinementError as error:
        _leave_failure(target, error)
        raise


def refine_folder(
    folder: str | Path | ResultsFolder,
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
        The results folder, or its stages where they lie apart.
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
    config = config or RefinementConfig()
    body = load_body_model(search=(body_file,))
    scene = load_results(folder, fps=fps, video=video, keypoints=keypoints, body=body, up=up)
    try:
        assert scene.root is not None
        target = scene.root / OUTPUT_FOLDER if output is None else Path(output)
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
            truth = scene.root / TRUTH_FILE
            results = write_run(target, refiner.output, refinement_input.scene, body, config, truth)
    finally:
        if scene.video is not None:
            scene.video.close()
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


def _settings(config: Mapping[str, Any] | None) -> RefinementConfig:
    return RefinementConfig() if config is None else RefinementConfig.from_dict(config)


def _leave_failure(target: Path, error: RefinementError) -> None:
    """Say "failed" on disk too, but never over the results of an earlier run."""
    path = target / RESULTS_FILE
    if not path.exists():
        with contextlib.suppress(RefinementError):
            write_json(path, failure_dict(error))
