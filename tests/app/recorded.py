"""A small scene and an engine that yields real snapshots of a made-up descent; tests only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PyQt6.QtCore import QSize, pyqtSignal
from PyQt6.QtGui import QColor, QImage
from PyQt6.QtWidgets import QWidget

from app.engine_worker import OpenedScene, RunGenerator, RunRequest, Summary
from app.reading import Reading
from app.runs import is_enabled, iteration_cap
from refine_engine.config import RefinementConfig
from refine_engine.errors import Cancelled, InputError, SeveralResultsError
from refine_engine.geometry.rotations import exp_so3
from refine_engine.refinement.control import RunControl
from refine_engine.scene import CameraTrack, Finding, ImportReport, Person, Scene
from refine_engine.state import (
    SUBSTAGES,
    CueEstimate,
    OptimizationState,
    PersonState,
    RefinementOutput,
    ScaleReport,
    Snapshot,
    SubStageResult,
)

TERMS = {
    "root": ("data",),
    "smpl": ("data", "beta", "pose", "smooth"),
    "motion": ("data", "beta", "pose", "smooth", "cvae"),
    "environmental": ("data", "pose", "smooth", "cvae", "skate", "contact"),
    "scale": ("data", "pose", "smooth", "skate", "contact", "depth", "multi_scale"),
    "final": ("data", "beta", "pose", "cvae", "skate", "contact", "depth", "smooth"),
}


def make_scene(frames: int = 60, people: tuple[int, ...] = (1, 2, 4)) -> Scene:
    """People walking past a still camera; the last one is away for a while."""
    members = {}
    for position, person_id in enumerate(people):
        present = np.ones(frames, dtype=bool)
        if position == len(people) - 1:
            present[frames * 2 // 5 : frames // 2] = False
        rows = np.flatnonzero(present)
        time_ = rows / 30.0
        transl = np.stack([position - 1 + 0.4 * time_, 0 * time_ + 0.1, 5 + 0 * time_], 1)
        members[person_id] = Person(
            id=person_id,
            frames=rows,
            R_cam_root=np.tile(exp_so3(np.array([np.pi, 0.0, 0.0])), (len(rows), 1, 1)),
            body_pose=np.tile(np.eye(3), (len(rows), 23, 1, 1)),
            betas=np.zeros(10),
            transl_cam=transl,
            observed=np.ones(len(rows), dtype=bool),
        )
    K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    cameras = CameraTrack(
        R_cam_world=np.tile(exp_so3(np.array([np.pi, 0.0, 0.0])), (frames, 1, 1)),
        t_cam_world=np.zeros((frames, 3)),
        intrinsics=np.tile(K, (frames, 1, 1)),
        image_size=(480, 640),
        intrinsics_pose=K,
        chunk=(np.arange(frames) >= frames // 2).astype(np.int64),
    )
    report = ImportReport(
        findings=(
            Finding("B1", "repaired", frames, "The world was rebuilt from Stages 1 and 3."),
            Finding("B3", "reported", 1, "The cameras' unit is unknown.", person=None),
        ),
        missing=("No video: pictures are drawn from depth.",),
    )
    return Scene(members, cameras, fps=30.0, fps_source="assumed", report=report)


def make_state(scene: Scene) -> OptimizationState:
    """Dense states in the world, gaps filled, feet alternating on the ground."""
    people = {}
    for person_id, person in scene.people.items():
        frames = np.arange(person.frames[0], person.frames[-1] + 1)
        observed = np.isin(frames, person.frames)
        nearest = np.searchsorted(person.frames, frames).clip(max=len(person.frames) - 1)
        transl = person.transl_cam[nearest] * np.array([1.0, -1.0, -1.0])
        contacts = np.zeros((len(frames), 4))
        contacts[(frames // 12) % 2 == 0, :2] = 1.0
        contacts[(frames // 12) % 2 == 1, 2:] = 1.0
        people[person_id] = PersonState(
            frames=frames,
            R_world_root=np.tile(np.eye(3), (len(frames), 1, 1)),
            body_pose=person.body_pose[nearest],
            betas=person.betas,
            transl_world=transl,
            observed=observed,
            contacts=contacts,
        )
    return OptimizationState(people, np.array([0.0, 1.0, 0.0, 1.3]), alpha_0=1.0)


def moved(state: OptimizationState, metres: float) -> OptimizationState:
    """Everybody a little further along x."""
    people = {
        i: replace(p, transl_world=p.transl_world + np.array([metres, 0.0, 0.0]))
        for i, p in state.people.items()
    }
    return replace(state, people=people)


def scale_report(delta: float, sigma: float | None) -> ScaleReport:
    """Four cues around alpha."""
    cues = (
        CueEstimate("depth", 1.019, 0.01),
        CueEstimate("motion", 1.034, 0.03),
        CueEstimate("body size", 1.012, 0.02),
        CueEstimate("contact", None, None),
    )
    return ScaleReport(
        *(1.0 + delta, 1.0, delta, sigma, True, False),
        cues,
        bound=(-0.2, 0.25),
        bound_source="alpha_bound_sigmas",
    )


class RecordedEngine:
    """Opens any existing folder as :func:`make_scene`; iterates at a chosen pace.

    A test that does something in the middle of a run lets the engine wait there: how long a run
    takes beside a busy window is nobody's to know.
    """

    def __init__(self, pace: float = 0.002, frames: int = 60) -> None:
        self.pace = pace
        self.frames = frames
        self.produced = 0
        self.waiting = False
        """Whether a run is where :meth:`wait_before` told it to wait."""
        self._stop_at: tuple[str, int | None] | None = None
        self.threads: set[int] = set()
        self.weights_seen: list[dict[str, float]] = []
        self.before_iteration: Callable[[int], None] = lambda _: None
        self.exported: list[Path] = []

    def open(
        self,
        folder: Path,
        config: RefinementConfig,
        body_folder: str,
        reading: Reading = Reading(),  # noqa: B008  (immutable)
    ) -> OpenedScene:
        self.threads.add(threading.get_ident())
        if folder.name == "several":
            raise SeveralResultsError(folder, tuple(sorted(folder.iterdir())))
        if not folder.is_dir() or folder.name.startswith("bad"):
            raise InputError(folder, "holds no people", "choose the folder above the stages")
        scene = replace(make_scene(self.frames), root=folder)
        if reading.fps is not None:
            scene = replace(scene, fps=reading.fps, fps_source="user")
        state = make_state(scene)
        heights = self._heights(state)
        return OpenedScene(folder, scene, None, state, heights, reading)

    def wait_before(self, sub_stage: str, iteration: int | None) -> None:
        """Let the run wait before this iteration (from 1; None: before the sub-stage's end).

        It waits until :meth:`go_on`, or until it is stopped or cancelled; the engine holds nothing
        meanwhile, as far as its control knows.
        """
        self._stop_at = sub_stage, iteration

    def go_on(self) -> None:
        """End the waiting."""
        self._stop_at, self.waiting = None, False

    def _wait_at(self, place: tuple[str, int | None], control: RunControl) -> None:
        while self._stop_at == place and control.verdict == "go":
            self.waiting = True
            time.sleep(0.001)

    def prepare(self) -> dict[str, float]:
        return {"data": 2.0}

    def _heights(self, state: OptimizationState) -> dict[int, float]:
        return {i: 1.6 + 0.05 * n for n, i in enumerate(sorted(state.people))}

    def summarise(self, opened: OpenedScene, output: RefinementOutput) -> Summary:
        sliding = "foot sliding, mm/frame"
        people = {i: {sliding: (8.0, 0.5 + i)} for i in output.state.people}
        return Summary(self._heights(output.state), {sliding: (7.9, 1.4)}, people)

    def iterate(self, request: RunRequest) -> RunGenerator:
        self.threads.add(threading.get_ident())
        began = time.perf_counter()
        control, config = request.control, request.config
        state = request.start or request.opened.state
        results: list[SubStageResult] = []
        version = -1
        weights = config.weights()
        stopped = False

        def snapshot(event: str, key: str, iteration: int, loss: float, **more: Any) -> Snapshot:
            names = [n for n in TERMS.get(key, ()) if weights.get(n)]
            terms = {n: loss * (k + 1) for k, n in enumerate(names)}
            whole = sum(terms.values())
            terms = {n: v / whole * loss for n, v in terms.items()} if whole else {}
            return Snapshot(
                event=event,  # type: ignore[arg-type]
                sub_stage=key,  # type: ignore[arg-type]
                iteration=iteration,
                total_loss=loss,
                terms=terms,
                state=state,
                alpha_sigma=None,
                seconds=time.perf_counter() - began,
                scale=scale_report(state.scale_delta, None),
                **more,
            )

        yield snapshot("begin", "init", 0, 0.0)
        yield snapshot("end", "init", 0, 0.0, status="converged")
        results.append(SubStageResult("init", "converged", 0, 0.0, None, {}))
        control.substage_finished()
        for key in SUBSTAGES[1:]:
            if stopped:
                break
            if request.first and SUBSTAGES.index(key) < SUBSTAGES.index(request.first):
                kept = [r for r in request.earlier if r.sub_stage == key]
                results += kept or [SubStageResult(key, "skipped", 0, 0.0, None, {})]
                continue
            if not control.enabled(key, is_enabled(config, key)):
                results.append(SubStageResult(key, "skipped", 0, 0.0, None, {}))
                yield snapshot("end", key, 0, 0.0, status="skipped")
                continue
            cap = iteration_cap(config, key) or 0
            start = time.perf_counter()
            curves: dict[str, list[float]] = {}
            yield snapshot("begin", key, 0, 1.0)
            status, iteration, loss = "capped", 0, 1.0
            while iteration < cap:
                self._wait_at((key, iteration + 1), control)
                self.before_iteration(self.produced)
                verdict = control.wait_for_turn()
                if verdict == "cancel":
                    raise Cancelled
                if verdict == "stop":
                    stopped = True
                    break
                seen, changed = control.weights()
                if seen != version:
                    version = seen
                    weights.update(changed)
                    self.weights_seen.append(dict(weights))
                time.sleep(self.pace)
                iteration += 1
                self.produced += 1
                loss = float(np.exp(-iteration / 8) + 0.05 + 0.001 * weights["data"])
                state = moved(state, 0.01 / iteration)
                curves.setdefault("total", []).append(loss)
                yield snapshot("iteration", key, iteration, loss, max_joint_step=0.01 / iteration)
                if iteration >= 40:
                    status = "converged"
                    break
            self._wait_at((key, None), control)
            if key == "scale":
                state = replace(state, scale_delta=0.023)
            results.append(
                SubStageResult(
                    key,
                    status,  # type: ignore[arg-type]
                    iteration,
                    time.perf_counter() - start,
                    loss,
                    {n: tuple(v) for n, v in curves.items()},
                )
            )
            control.substage_finished()
            yield snapshot("end", key, iteration, loss, status=status)
        return RefinementOutput(
            status="stopped" if stopped else "success",
            state=state,
            initial_state=request.opened.state,
            sub_stages=tuple(results),
            convergence_achieved=not stopped,
            scale=scale_report(state.scale_delta, 0.021),
            per_person_likelihoods={i: 0.9 - 0.05 * n for n, i in enumerate(state.people)},
            report=request.opened.scene.report,
        )

    def export(
        self,
        folder: Path,
        output: RefinementOutput,
        opened: OpenedScene,
        config: RefinementConfig,
    ) -> None:
        from refine_engine.exporters.results_json import write_results

        write_results(folder, output, opened.scene, config)
        self.exported.append(folder)

    def sample(self, folder: Path, options: dict[str, object]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class PlainView(QWidget):
    """Stands where the 3-D view stands and remembers what it was told (panel tests)."""

    person_picked = pyqtSignal(object)
    frame_drawn = pyqtSignal(float)
    gl_renderer = "none"
    draws_on_screen = True

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        known = (
            *("set_scene", "set_people", "show_frame", "show_state", "set_ghost"),
            *("set_selection", "set_display", "set_camera_mode", "look_through", "reset_camera"),
            *("turn", "set_moving", "set_working", "set_theme", "request_render", "shutdown"),
        )
        if name not in known:
            raise AttributeError(name)
        return lambda *a: self.calls.append((name, a))

    def last(self, name: str) -> Any:
        return next(a[0] for n, a in reversed(self.calls) if n == name)

    def grab_image(self, size: QSize | None = None) -> QImage:
        size = size or self.size()
        image = QImage(size, QImage.Format.Format_RGB32)
        image.fill(QColor("#1d2025"))
        return image
