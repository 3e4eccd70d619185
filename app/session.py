"""The one model behind every view: scene, settings, states, runs, selection, present frame.

Views read its attributes, listen to its signals and call its methods; they keep no truth of their
own.  Everything here runs on the GUI thread; the engine's thread reaches it through signals.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from PyQt6.QtCore import QObject, QTimer, pyqtSignal
from PyQt6.QtGui import QUndoCommand, QUndoStack

from app.engine_worker import (
    EnginePort,
    EngineThread,
    OpenedScene,
    RunOutcome,
    RunRequest,
    SteeredControl,
)
from app.errors import ErrorReport, report
from app.loss_curves import SubStageCurves
from app.mailbox import LossRecord
from app.playback import Playback
from app.runs import (
    TITLES,
    RunRecord,
    SubStageRow,
    fresh_rows,
    is_enabled,
    iteration_cap,
    only_between,
)
from app.theme import person_colour
from refine_engine.config import ENABLE_KEYS, TERM_NAMES, RefinementConfig
from refine_engine.errors import ConfigError
from refine_engine.scene import Scene
from refine_engine.state import (
    SUBSTAGES,
    OptimizationState,
    RefinementOutput,
    ScaleReport,
    SubStage,
)

Activity = Literal[
    "empty", "opening", "ready", "running", "pausing", "paused", "stopping", "working"
]

MAX_RUNS = 40
_MIN_PACE_MS = 33
_LIVE_DELAY_MS = 40


class Session(QObject):
    """Everything that is open, and the user's intents about it.

    Parameters
    ----------
    engine
        What opens folders and refines.
    parent
        Qt owner.
    """

    scene_changed = pyqtSignal()
    state_changed = pyqtSignal()
    """The shown state is another one."""
    ghost_changed = pyqtSignal()
    config_changed = pyqtSignal()
    activity_changed = pyqtSignal()
    rows_changed = pyqtSignal()
    """Numbers of the sub-stages moved on."""
    losses_reset = pyqtSignal()
    losses_changed = pyqtSignal()
    scale_changed = pyqtSignal()
    runs_changed = pyqtSignal()
    selection_changed = pyqtSignal(object)
    people_changed = pyqtSignal()
    live_changed = pyqtSignal(bool)
    failed = pyqtSignal(object)
    """An :class:`ErrorReport`."""
    notice = pyqtSignal(str)
    """One sentence for the status line and the log."""
    ended = pyqtSignal(object)
    """The :class:`RunRecord` of a run that ended."""
    job_done = pyqtSignal(str, object)

    def __init__(self, engine: EnginePort, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.config = RefinementConfig()
        self.undo = QUndoStack(self)
        self.playback = Playback(self)
        self.opened: OpenedScene | None = None
        self.state: OptimizationState | None = None
        self.scale: ScaleReport | None = None
        self.ghost_run: int | None = None
        """Run whose result is the ghost; None = the state before."""
        self.heights: Mapping[int, float] = {}
        self.activity: Activity = "empty"
        self.selection: int | None = None
        self.hidden: set[int] = set()
        self.rows: dict[SubStage, SubStageRow] = fresh_rows()
        self.curves: dict[SubStage, SubStageCurves] = {}
        self.runs: list[RunRecord] = []
        self.shown_run: int | None = None
        self.live = False
        self.seconds_per_frame = 0.0
        """Time that the view needed for its last frame; snapshots are paced by it."""
        self.body_folder = ""
        self._control: SteeredControl | None = None
        self._current: RunRecord | None = None
        self._live_run = False
        self._live_again = False
        self._live_output: RefinementOutput | None = None
        self._number = 0
        self._opening: Path | None = None
        self._last_show = 0.0
        self._begin_seconds: dict[SubStage, float] = {}
        self._thread = EngineThread(engine, self)
        worker = self._thread.worker
        worker.opened.connect(self._on_opened)
        worker.open_failed.connect(self._on_open_failed)
        worker.run_ended.connect(self._on_run_ended)
        worker.job_done.connect(self._on_job_done)
        worker.job_failed.connect(self._on_job_failed)
        self._thread.mailbox.ready.connect(self._on_mail)
        self._pace = QTimer(self)
        self._pace.setSingleShot(True)
        self._pace.timeout.connect(self._deliver)
        self._live_timer = QTimer(self)
        self._live_timer.setSingleShot(True)
        self._live_timer.setInterval(_LIVE_DELAY_MS)
        self._live_timer.timeout.connect(self._start_live)
        self._held.connect(self._on_held)

    _held = pyqtSignal(bool)

    # What is open

    @property
    def scene(self) -> Scene | None:
        """The opened scene."""
        return self.opened.scene if self.opened else None

    @property
    def initial_state(self) -> OptimizationState | None:
        """What the input says: the state before any refinement."""
        return self.opened.state if self.opened else None

    @property
    def ghost_state(self) -> OptimizationState | None:
        """What is compared with: another run's result, else the state before."""
        if self.ghost_run is not None:
            record = self.run_record(self.ghost_run)
            if record is not None and record.final_state is not None:
                return record.final_state
        return self.initial_state

    @property
    def shown_output(self) -> RefinementOutput | None:
        """What the engine returned for the shown state; None where it is not a result."""
        if self._live_output is not None:
            return self._live_output
        record = self.run_record(self.shown_run) if self.shown_run is not None else None
        return record.output if record else None

    @property
    def shown_config(self) -> RefinementConfig:
        """Settings that led to the shown state."""
        if self._live_output is not None:
            return self.config
        record = self.run_record(self.shown_run) if self.shown_run is not None else None
        return record.config if record else self.config

    @property
    def busy(self) -> bool:
        """Whether the engine's thread has a job."""
        return self.activity not in ("empty", "ready")

    @property
    def run_active(self) -> bool:
        """Whether a run is under way, held or not."""
        return self._control is not None

    @property
    def person_ids(self) -> list[int]:
        """Ids of all people, in order."""
        return sorted(self.scene.people) if self.scene else []

    def colour(self, person_id: int) -> str:
        """A person's colour, ``#rrggbb``, the same everywhere."""
        return person_colour(self.person_ids.index(person_id))

    def open(self, folder: Path) -> None:
        """Open a results folder; the present one stays until the new one is there."""
        if self.busy:
            self.notice.emit("Wait until the present work has ended, or stop it.")
            return
        self._opening = folder
        self._set_activity("opening")
        self.notice.emit(f"Opening {folder} …")
        self._thread.open_requested.emit(folder, self.config, self.body_folder)

    def _on_opened(self, opened: OpenedScene) -> None:
        self._opening = None
        self.opened = opened
        self.state = opened.state
        self.heights = opened.heights
        self.runs, self.shown_run, self.ghost_run = [], None, None
        self.selection, self.hidden, self.scale = None, set(), None
        self._number, self._live_output = 0, None
        self._reset_rows()
        self.playback.set_clip(opened.scene.num_frames, opened.scene.fps)
        self._set_activity("ready")
        self.scene_changed.emit()
        self.ghost_changed.emit()
        self.scale_changed.emit()
        self.runs_changed.emit()
        people, frames = len(opened.scene.people), opened.scene.num_frames
        self.notice.emit(f"Opened {opened.folder}: {people} people, {frames} frames.")

    def _on_open_failed(self, folder: Path, error: BaseException) -> None:
        self._opening = None
        self._set_activity("ready" if self.opened else "empty")
        self.failed.emit(report(f"{folder.name or folder} could not be opened", error))

    # Settings, with undo

    def set_config(self, config: RefinementConfig, text: str, merge_key: str = "") -> None:
        """Change settings as one undoable step; steps with the same key melt together."""
        if config != self.config:
            self.undo.push(_ConfigCommand(self, config, text, merge_key))

    def change(self, key: str, value: Any, merge: bool = False) -> None:
        """Change one setting by its key.

        Raises
        ------
        ConfigError
            The value does not fit; nothing was changed.
        """
        config = self.config.replace(**{key: value})
        self.set_config(config, f"change {key}", key if merge else "")

    def set_weight(self, term: str, value: float, merge: bool = False) -> None:
        """Change one lambda; effective at the next iteration of a run, warm in live mode.

        With ``merge`` the steps of one drag become one undoable step.
        """
        if term not in TERM_NAMES:
            raise ConfigError(term, "is not a term", f"use one of {', '.join(TERM_NAMES)}")
        self.change(f"lambda_{term}", value, merge)

    def set_weights(self, weights: Mapping[str, float], text: str) -> None:
        """Change several lambdas at once."""
        self.set_config(self.config.with_weights(weights), text)

    def apply_config(self, config: RefinementConfig) -> None:
        """Take over settings without an undo step (the undo stack itself calls this)."""
        before, self.config = self.config, config
        if self._control is not None:
            if config.weights() != before.weights():
                self._control.set_weights(config.weights())
            for sub_stage, key in ENABLE_KEYS.items():
                waiting = self.rows[sub_stage].status == "waiting"  # type: ignore[index]
                if getattr(before, key) != getattr(config, key) and waiting:
                    self._control.set_enabled(sub_stage, getattr(config, key))  # type: ignore[arg-type]
        self.config_changed.emit()
        if self.live and config.weights() != before.weights():
            self._live_timer.start()

    # Running

    def run(
        self,
        first: SubStage | None = None,
        last: SubStage | None = None,
        *,
        paused: Literal["", "iteration", "sub_stage"] = "",
    ) -> None:
        """Run all enabled sub-stages, or only those from ``first`` to ``last``.

        With ``first`` the run goes on from the shown state, else from the input.  ``paused`` lets
        it do one iteration or sub-stage and hold.
        """
        if self.opened is None or self.activity != "ready":
            return
        first = None if first == "init" else first
        label = "all" if first is None and last is None else f"{first or 'init'} to {last or 'end'}"
        control = SteeredControl(self._held.emit)
        # Before the engine sees it: it must not be an iteration ahead of the user's step.
        if paused == "iteration":
            control.step_iteration()
        elif paused == "sub_stage":
            control.step_substage()
        part = only_between(self.config, first, last)
        self._start(part, label, first, control, live=False)
        if paused:
            self._set_activity("pausing")

    def _start(
        self,
        config: RefinementConfig,
        label: str,
        first: SubStage | None,
        control: SteeredControl,
        *,
        live: bool,
    ) -> None:
        if self.opened is None:
            return
        start = self.state if first is not None else None
        before = self.run_record(self.shown_run) if self.shown_run is not None else None
        earlier = before.output.sub_stages if before and before.output and first else ()
        kept = dict(self.rows) if first is not None else {}
        self._number += 1
        self._live_run = live
        self._control = control
        self._reset_rows(config)
        for sub_stage in SUBSTAGES[: SUBSTAGES.index(first)] if first else ():
            if kept[sub_stage].status != "waiting":
                self.rows[sub_stage] = replace(kept[sub_stage])
        self._current = RunRecord(
            number=self._number,
            label=label,
            started=datetime.now().strftime("%H:%M:%S"),
            config=config,
            initial_state=self.opened.state,
            start_state=start or self.opened.state,
            rows=self.rows,
            curves=self.curves,
        )
        self._set_activity("running")
        request = RunRequest(
            self._number, self.opened, config, self._control, start, first, tuple(earlier), live
        )
        self._thread.run_requested.emit(request)

    def pause(self) -> None:
        """Hold before the next iteration."""
        if self._control is not None and self.activity == "running":
            self._set_activity("pausing")
            self._control.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        if self._control is not None and self.activity in ("paused", "pausing"):
            self._set_activity("running")
            self._control.resume()

    def step_iteration(self) -> None:
        """One iteration, then hold; starts a run where none is active."""
        self._step("iteration")

    def step_sub_stage(self) -> None:
        """To the end of the present or next sub-stage, then hold; starts a run likewise."""
        self._step("sub_stage")

    def _step(self, unit: Literal["iteration", "sub_stage"]) -> None:
        if self._control is None:
            self.run(paused=unit)
            return
        if self.activity == "stopping":
            return
        self._set_activity("pausing")
        if unit == "iteration":
            self._control.step_iteration()
        else:
            self._control.step_substage()

    def stop(self) -> None:
        """End the run and keep what was reached."""
        if self._control is not None:
            self._set_activity("stopping")
            self._control.stop()

    def cancel(self) -> None:
        """End the run and discard it."""
        if self._control is not None:
            self._set_activity("stopping")
            self._control.cancel()

    def reset(self) -> None:
        """Show the input's state again; the history of runs stays."""
        if self.opened is None or self.busy:
            return
        self.shown_run, self.scale, self._live_output = None, None, None
        self.heights = self.opened.heights
        self._reset_rows()
        self._show(self.opened.state)
        self.scale_changed.emit()
        self.runs_changed.emit()

    def set_live(self, on: bool) -> None:
        """Whether a change of weights re-solves at once from the shown state."""
        if on != self.live:
            self.live = on
            self.live_changed.emit(on)

    def _start_live(self) -> None:
        if self.opened is None or not self.live:
            return
        if self._control is not None:
            self._live_again = self._live_run
            return
        if self.activity != "ready" or self.state is None:
            return
        enabled = [s for s in SUBSTAGES[1:] if is_enabled(self.config, s)]
        if not enabled:
            return
        last = enabled[-1]
        control = SteeredControl(self._held.emit)
        self._start(only_between(self.config, last, last), "live", last, control, live=True)

    def _on_held(self, holding: bool) -> None:
        if self._control is None or self.activity not in ("pausing", "paused"):
            return
        if holding:
            self._deliver()
            self._set_activity("paused")
        elif self.activity == "paused":
            self._set_activity("pausing")

    # What comes from the engine's thread

    def _on_mail(self) -> None:
        if self._pace.isActive():
            return
        # Not sooner than twice the last frame's drawing time: the worker needs its share.
        pace = max(_MIN_PACE_MS, round(2000 * self.seconds_per_frame))
        elapsed = (time.perf_counter() - self._last_show) * 1000
        self._pace.start(max(0, round(pace - elapsed)))

    def _deliver(self) -> None:
        delivery = self._thread.mailbox.take()
        if not delivery.records:
            return
        self._last_show = time.perf_counter()
        for record in delivery.records:
            self._note(record)
        self.rows_changed.emit()
        self.losses_changed.emit()
        if delivery.scale is not None:
            self.scale = delivery.scale
            self.scale_changed.emit()
        kept = self._control is not None and self._control.verdict != "cancel"
        if delivery.snapshot is not None and kept:
            self._show(delivery.snapshot.state)

    def _note(self, record: LossRecord) -> None:
        row = self.rows[record.sub_stage]
        if record.event == "begin":
            self._begin_seconds[record.sub_stage] = record.seconds
            row.status = "running"
        row.iterations = max(row.iterations, record.iteration)
        row.seconds = record.seconds - self._begin_seconds.get(record.sub_stage, record.seconds)
        row.message = record.message
        curves = self.curves.setdefault(record.sub_stage, SubStageCurves())
        if record.event == "iteration":
            row.status = "running"
            row.final_loss = record.total_loss
            curves.append(record.iteration, record.total_loss, record.terms)
        elif record.event == "end":
            if record.status == "skipped" and row.status != "waiting":
                return
            row.status = record.status
            if record.status != "skipped" and record.sub_stage != "init":
                row.final_loss = record.total_loss
            curves.rolled_back = record.status == "rolled_back"
        if record.message:
            self.notice.emit(f"{TITLES[record.sub_stage]}: {record.message}")

    def _on_run_ended(self, outcome: RunOutcome) -> None:
        self._pace.stop()
        self._deliver()
        record, self._current = self._current, None
        live, self._live_run = self._live_run, False
        self._control = None
        if record is None:
            return
        record.status, record.output = outcome.status, outcome.output
        record.seconds = outcome.seconds
        record.heights, record.metrics = outcome.summary.heights, outcome.summary.metrics
        for row in record.rows.values():
            if row.status == "running":
                row.status = "capped" if outcome.status == "finished" else "waiting"
        keep = outcome.output is not None and outcome.status in ("finished", "stopped")
        if keep and outcome.output is not None:
            record.final_state, record.scale = outcome.output.state, outcome.output.scale
            self.scale, self.heights = record.scale, record.heights or self.heights
            self._show(outcome.output.state)
            for result in outcome.output.sub_stages:
                row = record.rows[result.sub_stage]
                row.status, row.iterations = result.status, result.iterations
                row.seconds, row.message = result.seconds, result.message
                if result.final_loss is not None and result.sub_stage != "init":
                    row.final_loss = result.final_loss
        else:
            self._reset_rows()
            self._show(record.start_state)
        if not live:
            self.runs = [*self.runs, record][-MAX_RUNS:]
        if keep:
            self.shown_run = record.number if not live else self.shown_run
            self._live_output = outcome.output if live else None
        self._set_activity("ready")
        self.rows_changed.emit()
        self.scale_changed.emit()
        self.runs_changed.emit()
        if outcome.error is not None:
            self.failed.emit(report("The refinement failed", outcome.error))
        elif not live:
            self.notice.emit(f"Run {record.number} {outcome.status} in {outcome.seconds:.1f} s.")
        self.ended.emit(record)
        if self._live_again and self.live:
            self._live_again = False
            self._live_timer.start()

    # Other work of the engine's thread

    def do(self, key: str, job: Any, text: str) -> bool:
        """Run a job on the engine's thread; ``job_done(key, result)`` follows.  False if busy."""
        if self.busy:
            self.notice.emit("Wait until the present work has ended, or stop it.")
            return False
        self._set_activity("working")
        self.notice.emit(text)
        self._thread.job_requested.emit(key, job)
        return True

    def _on_job_done(self, key: str, result: object) -> None:
        self._set_activity("ready" if self.opened else "empty")
        self.job_done.emit(key, result)

    def _on_job_failed(self, key: str, error: BaseException) -> None:
        self._set_activity("ready" if self.opened else "empty")
        self.failed.emit(report(f"{key.capitalize()} did not work", error))

    # Runs, selection, people

    def run_record(self, number: int) -> RunRecord | None:
        """A run of the history by its number."""
        return next((r for r in self.runs if r.number == number), None)

    def show_run(self, number: int) -> None:
        """Return to a run: its result, its numbers, its settings (undoable)."""
        record = self.run_record(number)
        if record is None or record.final_state is None or self.busy:
            return
        self.shown_run, self._live_output = number, None
        self.rows, self.curves = record.rows, record.curves
        self.scale, self.heights = record.scale, record.heights
        live, self.live = self.live, False
        self.set_config(record.config, f"settings of run {number}")
        self.live = live
        self._show(record.final_state)
        self.rows_changed.emit()
        self.losses_reset.emit()
        self.scale_changed.emit()
        self.runs_changed.emit()

    def compare_with(self, number: int | None) -> None:
        """Make another run's result the ghost (None: the state before)."""
        self.ghost_run = number
        self.ghost_changed.emit()
        self.runs_changed.emit()

    def select(self, person_id: int | None) -> None:
        """Select a person everywhere."""
        if person_id is not None and person_id not in self.person_ids:
            person_id = None
        if person_id != self.selection:
            self.selection = person_id
            self.selection_changed.emit(person_id)

    def set_visible(self, person_id: int, visible: bool) -> None:
        """Show or hide a person."""
        if visible:
            self.hidden.discard(person_id)
        else:
            self.hidden.add(person_id)
        self.people_changed.emit()

    def restore(
        self,
        runs: list[RunRecord],
        state: OptimizationState,
        config: RefinementConfig,
        frame: int,
        shown_run: int | None,
    ) -> None:
        """Put back what a session file holds, after its folder was opened."""
        self.runs = runs
        self._number = max((r.number for r in runs), default=0)
        self.apply_config(config)
        self.undo.clear()
        self._show(state)
        self.playback.seek(frame)
        record = self.run_record(shown_run) if shown_run is not None else None
        if record is not None:
            self.shown_run, self.rows = shown_run, record.rows
            self.rows_changed.emit()
        self.runs_changed.emit()

    # Small things

    def progress(self) -> tuple[float, float | None]:
        """Fraction done in [0, 1] and seconds left (None: not known yet) of the active run."""
        record = self._current
        if record is None:
            return 0.0, None
        done = total = 0.0
        for sub_stage in SUBSTAGES[1:]:
            if not is_enabled(record.config, sub_stage):
                continue
            cap = float(iteration_cap(record.config, sub_stage) or 0)
            row = self.rows[sub_stage]
            total += cap
            done += min(row.iterations, cap) if row.status in ("waiting", "running") else cap
        seconds = sum(r.seconds or 0.0 for r in self.rows.values())
        fraction = done / total if total else 0.0
        left = seconds / fraction * (1 - fraction) if fraction > 0.02 else None
        return fraction, left

    def running_sub_stage(self) -> SubStage | None:
        """The sub-stage that iterates now."""
        running = [s for s in SUBSTAGES if self.rows[s].status == "running"]
        return running[-1] if running else None

    def fail(self, failure: ErrorReport) -> None:
        """Tell the user about a failure."""
        self.failed.emit(failure)

    def shutdown(self) -> bool:
        """Stop everything and join the engine's thread; False where it did not end in time."""
        self.playback.stop()
        self._pace.stop()
        self._live_timer.stop()
        # What the worker still reports has nobody to go to: views are about to leave.
        self.blockSignals(True)
        self._thread.mailbox.blockSignals(True)
        self._thread.worker.blockSignals(True)
        if self._control is not None:
            self._control.cancel()
        return self._thread.join()

    def _show(self, state: OptimizationState) -> None:
        self.state = state
        self.state_changed.emit()

    def _reset_rows(self, config: RefinementConfig | None = None) -> None:
        self.rows, self.curves, self._begin_seconds = fresh_rows(), {}, {}
        if config is not None:
            for sub_stage, row in self.rows.items():
                if not is_enabled(config, sub_stage):
                    self.rows[sub_stage] = replace(row, status="skipped")
        self.rows_changed.emit()
        self.losses_reset.emit()

    def _set_activity(self, activity: Activity) -> None:
        if activity != self.activity:
            self.activity = activity
            self.activity_changed.emit()


class _ConfigCommand(QUndoCommand):
    """One change of the settings."""

    def __init__(
        self, session: Session, after: RefinementConfig, text: str, merge_key: str
    ) -> None:
        super().__init__(text)
        self._session = session
        self._before, self._after = session.config, after
        self._merge_key = merge_key
        self._at = time.monotonic()

    def id(self) -> int:
        return hash(self._merge_key) & 0x7FFFFFFF if self._merge_key else -1

    def mergeWith(self, other: QUndoCommand | None) -> bool:
        if not isinstance(other, _ConfigCommand) or other._merge_key != self._merge_key:
            return False
        if other._at - self._at > 1.0:
            return False
        self._after, self._at = other._after, other._at
        return True

    def redo(self) -> None:
        self._session.apply_config(self._after)

    def undo(self) -> None:
        self._session.apply_config(self._before)
