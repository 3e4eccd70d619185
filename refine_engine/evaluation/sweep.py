"""Many synthetic scenes, each refined under several arms, each run kept as one record."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError, RefinementError
from refine_engine.evaluation.engine_motion import motion_from_state
from refine_engine.evaluation.metrics import metric_sums
from refine_engine.evaluation.records import ARMS, Run, read_records, write_records
from refine_engine.evaluation.sources import TRUTH_FILE, motion_from_ground_truth
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.importers import load_results
from refine_engine.refinement.refiner import Stage5Refiner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from refine_engine.evaluation.motion_set import MotionSet
    from refine_engine.evaluation.records import Arm
    from refine_engine.evaluation.synthetic.options import CameraKind, Level
    from refine_engine.scene import DepthMaps, Scene

PEOPLE = (1, 2, 3, 5)
MOVING_CAMERAS: tuple[CameraKind, ...] = ("handheld", "orbit", "follow")
START_ERROR = math.log(1.15)
"""How far off alpha starts in the arms "off" and "alone"; the sign alternates with the seed."""


@dataclass(frozen=True)
class Arrangement:
    """One scene of the sweep."""

    people: int
    camera: CameraKind
    level: Level
    seed: int
    frames: int = 100

    @property
    def name(self) -> str:
        """Short name, unique in the sweep."""
        return f"{self.level}-{self.camera}-{self.people}p-{self.frames}f-s{self.seed}"


def arrangements(
    seeds: int, *, frames: int = 100, people: Iterable[int] = PEOPLE, first: int = 0
) -> list[Arrangement]:
    """Moving cameras at level published, and beside them the checks easy and static.

    Parameters
    ----------
    seeds
        Scenes of each arrangement.
    frames
        Length of each.
    people
        Numbers of people; each meets each moving camera.
    first
        Number of the first seed: other scenes, for tuning.
    """
    found = [
        Arrangement(count, camera, "published", 1001 * seed + 10 * count + k, frames)
        for seed in range(first, first + seeds)
        for count in people
        for k, camera in enumerate(MOVING_CAMERAS)
    ]
    for seed in range(first, first + seeds):
        found.append(Arrangement(2, "handheld", "easy", 1000 * seed + 101, frames))
        found.append(Arrangement(2, "static", "published", 1000 * seed + 102, frames))
    return found


def run_arrangement(
    arrangement: Arrangement,
    motion: Path | None,
    config: RefinementConfig,
    arms: Iterable[Arm] = ARMS,
) -> list[Run]:
    """Make one scene in a temporary folder, open it and refine it under its arms.

    Parameters
    ----------
    arrangement
        The scene.
    motion
        Folder of motion clips; None takes the embedded motions.
    config
        Settings of every run.
    arms
        Which ones; "off" and "alone" are only for moving cameras at level published.
    """
    with tempfile.TemporaryDirectory(prefix="smpl-refiner-") as folder:
        options = SampleOptions(
            people=arrangement.people,
            frames=arrangement.frames,
            seed=arrangement.seed,
            level=arrangement.level,
            camera=arrangement.camera,
            motion=motion,
            video=False,
        )
        write_results_folder(make_scene(options), Path(folder))
        scene = load_results(Path(folder), fps=options.fps)
        body = load_body_model(scene.gender)
        truth = motion_from_ground_truth(Path(folder) / TRUTH_FILE, body)
        runs = []
        if "full" in arms:
            runs.append(_refined(arrangement, "full", None, scene, truth, config))
        if arrangement.level == "published" and arrangement.camera != "static":
            runs += list(_scale_runs(arrangement, scene, truth, config, arms))
    return runs


def _scale_runs(
    arrangement: Arrangement,
    scene: Scene,
    truth: MotionSet,
    config: RefinementConfig,
    arms: Iterable[Arm],
) -> Iterator[Run]:
    assert truth.alpha is not None
    sign = 1.0 if arrangement.seed % 2 else -1.0
    # alpha* becomes exp(sign START_ERROR) in a scene that claims alpha = 1.
    unit = truth.alpha * math.exp(-sign * START_ERROR)
    off = in_unit(scene, unit)
    moved = dataclasses.replace(truth, alpha=truth.alpha / unit)
    free = dataclasses.replace(config, optimize_delta_alpha=False)
    if "off" in arms:
        yield _refined(arrangement, "off", None, off, moved, free)
    if "alone" in arms and arrangement.people == 3:
        for person_id in sorted(scene.people):
            alone = dataclasses.replace(off, people={person_id: off.people[person_id]})
            own = dataclasses.replace(
                moved,
                people={i: p for i, p in moved.people.items() if i == person_id},
            )
            if own.people:
                yield _refined(arrangement, "alone", person_id, alone, own, free)


def _refined(
    arrangement: Arrangement,
    arm: Arm,
    person: int | None,
    scene: Scene,
    truth: MotionSet,
    config: RefinementConfig,
) -> Run:
    assert truth.alpha is not None
    body = load_body_model(scene.gender)
    began = time.perf_counter()
    refiner = Stage5Refiner(config, body)
    problem = ""
    try:
        output = refiner.refine(scene)
    except InputError:
        raise
    except RefinementError as error:
        # A failed run counts as one that changed nothing: it may not vanish from the statistics.
        problem = str(error)
        output = refiner.output
    if not output.state.alpha > 0:
        problem = f"alpha became {output.state.alpha:g}"
    seconds = time.perf_counter() - began
    final = output.initial_state if problem else output.state
    before = motion_from_state(output.initial_state, scene.fps, body, scene.cameras)
    after = motion_from_state(final, scene.fps, body, scene.cameras)
    return Run(
        scene=arrangement.name,
        people=arrangement.people,
        camera=arrangement.camera,
        level=arrangement.level,
        seed=arrangement.seed,
        arm=arm,
        person=person,
        before=metric_sums(before, truth),
        after=metric_sums(after, truth),
        alpha_true=truth.alpha,
        alpha_before=output.initial_state.alpha,
        alpha=final.alpha,
        alpha_sigma=output.scale.sigma,
        observable=output.scale.observable_from_motion,
        seconds=seconds,
        problem=problem,
    )


class _ScaledDepth:
    """Depth maps in another unit."""

    def __init__(self, depth: DepthMaps, factor: float) -> None:
        self._depth = depth
        self._factor = factor
        self.size = depth.size
        self.shares_camera_unit = depth.shares_camera_unit
        self.people_masked_out = depth.people_masked_out

    def has(self, frame: int) -> bool:
        return self._depth.has(frame)

    def depth(self, frame: int) -> NDArray[np.float32]:
        return self._depth.depth(frame) * self._factor

    def confidence(self, frame: int) -> NDArray[np.float32] | None:
        return self._depth.confidence(frame)


def in_unit(scene: Scene, factor: float) -> Scene:
    """The scene with cameras and shared depth multiplied by ``factor`` and said to be metric."""
    cameras = dataclasses.replace(
        scene.cameras, t_cam_world=scene.cameras.t_cam_world * factor, metric=True
    )
    depth = scene.depth
    if depth is not None and depth.shares_camera_unit:
        depth = _ScaledDepth(depth, factor)
    return dataclasses.replace(scene, cameras=cameras, depth=depth)


def sweep(
    scenes: Iterable[Arrangement],
    motion: Path | None,
    config: RefinementConfig,
    records: Path | None = None,
    jobs: int = 1,
    arms: Iterable[Arm] = ARMS,
) -> Iterator[tuple[Arrangement, list[Run]]]:
    """Run every scene, yielding each as it ends.

    Parameters
    ----------
    scenes
        What to run.
    motion
        Folder of motion clips; None takes the embedded motions.
    config
        Settings of every run.
    records
        JSON-lines file that takes every finished run; scenes that it already holds are read from
        it instead of being run again.
    jobs
        Processes.
    arms
        Which ones.

    Raises
    ------
    InputError
        The records are of other settings or clips, or something cannot be read.
    """
    mark = settings_mark(config, motion)
    known = read_records(records, mark)
    waiting = []
    for arrangement in scenes:
        if arrangement.name in known:
            yield arrangement, known[arrangement.name]
        else:
            waiting.append(arrangement)
    for arrangement, runs in _results(waiting, motion, config, jobs, tuple(arms)):
        runs = [dataclasses.replace(run, settings=mark) for run in runs]
        if records is not None:
            write_records(records, runs)
        yield arrangement, runs


def settings_mark(config: RefinementConfig, motion: Path | None) -> str:
    """Short text that differs where runs cannot be put into one table.

    Threads change no result, so that a sweep may go on with more or fewer.
    """
    known = config.replace(threads=0).to_dict()
    clips = None if motion is None else motion.resolve().name
    text = json.dumps([known, clips], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _results(
    waiting: list[Arrangement],
    motion: Path | None,
    config: RefinementConfig,
    jobs: int,
    arms: tuple[Arm, ...],
) -> Iterator[tuple[Arrangement, list[Run]]]:
    if jobs <= 1:
        for arrangement in waiting:
            yield arrangement, run_arrangement(arrangement, motion, config, arms)
        return
    with ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(run_arrangement, a, motion, config, arms) for a in waiting]
        for arrangement, future in zip(waiting, futures, strict=True):
            yield arrangement, future.result()
