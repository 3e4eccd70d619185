"""The one model behind every view: scene, settings, states, runs, selection, present frame.

Views read its attributes, listen to its signals and call its methods; they keep no truth of their
own.  Everything here runs on the GUI thread; the engine's thread reaches it through signals.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QUndoStack

from app.config_undo import ConfigCommand
from app.engine_worker import EnginePort, OpenedScene, RunOutcome, RunRequest
from app.errors import ErrorReport, report
from app.live import LiveMode
from app.loss_curves import SubStageCurves
from app.mailbox import Delivery
from app.playback import Playback
from app.runs import TITLES, Numbers, RunRecord, SubStageRow, is_enabled, only_between
from app.steering import Activity, Steering, StepUnit
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

MAX_RUNS = 40


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
        self.selection: int | None = None
        self.hidden: set[int] = set()
        self.numbers = Numbers()
        """Rows and curves of the shown run."""
        self.runs: list[RunRecord] = []
        self.shown_run: int | None = None
        self.body_folder = ""
        self._current: RunRecord | None = None
        self._live_output: RefinementOutput | None = None
        self._number = 0
        self.steering = Steering(engine, self)
        self.steering.activity_changed.connect(self.activity_changed)
        self.steering.opened.connect(self._on_opened)
        self.steering.open_failed.connect(self._on_open_failed)
        self.steering.delivered.connect(self._on_delivered)
        self.steering.run_ended.connect(self._on_run_ended)
        self.steering.job_done.connect(self.job_done)
        self.steering.job_failed.connect(self._on_job_failed)
        self._live = LiveMode(self._start_live, self)

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
        return self.steering.busy

    @property
    def activity(self) -> Activity:
        """What the engine's thread does."""
        return self.steering.activity

    @property
    def rows(self) -> dict[SubStage, SubStageRow]:
        """Numbers of the seven sub-stages."""
        return self.numbers.rows

    @property
    def curves(self) -> dict[SubStage, SubStageCurves]:
        """Losses of the sub-stages that ran."""
        return self.numbers.curves

    @property
    def run_active(self) -> bool:
        """Whether a run is under way, held or not."""
        return self.steering.control is not None

    @property
    def live(self) -> bool:
        """Whether a change of weights re-solves at once from the shown state."""
        return self._live.on

    @property
    def unfinished(self) -> RunRecord | None:
        """The run that is under way; a live one keeps no history and is none."""
        return None if self._live.running else self._current

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
        self.notice.emit(f"Opening {folder} …")
        self.steering.open(folder, self.config, self.body_folder)

    def _on_opened(self, opened: OpenedScene) -> None:
        self.opened = opened
        self.state = opened.state
        self.heights = opened.heights
        self.runs, self.shown_run, self.ghost_run = [], None, None
        self.selection, self.hidden, self.scale = None, set(), None
        self._number, self._live_output = 0, None
        self._reset_rows()
        self.playback.set_clip(opened.scene.num_frames, opened.scene.fps)
        self.scene_changed.emit()
        self.ghost_changed.emit()
        self.scale_changed.emit()
        self.runs_changed.emit()
        people, frames = len(opened.scene.people), opened.scene.num_frames
        self.notice.emit(f"Opened {opened.folder}: {people} people, {frames} frames.")

    def _on_open_failed(self, folder: Path, error: BaseException) -> None:
        self.failed.emit(report(f"{folder.name or folder} could not be opened", error))

    # Settings, with undo

    def set_config(self, config: RefinementConfig, text: str, merge_key: str = "") -> None:
        """Change settings as one undoable step; steps with the same key melt together."""
        if config != self.config:
            self.undo.push(ConfigCommand(self.apply_config, self.config, config, text, merge_key))

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
        control = self.steering.control
        if control is not None:
            if config.weights() != before.weights():
                control.set_weights(config.weights())
            for sub_stage, key in ENABLE_KEYS.items():
                waiting = self.rows[sub_stage].status == "waiting"  # type: ignore[index]
                if getattr(before, key) != getattr(config, key) and waiting:
                    control.set_enabled(sub_stage, getattr(config, key))  # type: ignore[arg-type]
        self.config_changed.emit()
        if config.weights() != before.weights():
            self._live.weights_changed(beside_a_run=control is not None)

    # Running

    def run(
        self,
        first: SubStage | None = None,
        last: SubStage | None = None,
        *,
        step: StepUnit | None = None,
    ) -> None:
        """Run all enabled sub-stages, or only those from ``first`` to ``last``.

        With ``first`` the run goes on from the shown state, else from the input.  ``step`` lets
        it do one iteration or sub-stage and hold.
        """
        if self.opened is None or self.activity != "ready":
            return
        first = None if first == "init" else first
        label = "all" if first is None and last is None else f"{first or 'init'} to {last or 'end'}"
        self._start(only_between(self.config, first, last), label, first, step=step)

    def _start(
        self,
        config: RefinementConfig,
        label: str,
        first: SubStage | None,
        *,
        step: StepUnit | None = None,
        live: bool = False,
    ) -> None:
        if self.opened is None:
            return
        start = self.state if first is not None else None
        output = self.shown_output if first is not None else None
        earlier = output.sub_stages if output is not None else ()
        self._number += 1
        self._live.running = live
        self.numbers = Numbers.of_run(config, self.numbers, first)
        self.rows_changed.emit()
        self.losses_reset.emit()
        self._current = RunRecord(
            number=self._number,
            label=label,
            started=datetime.now().strftime("%H:%M:%S"),
            config=config,
            initial_state=self.opened.state,
            start_state=start or self.opened.state,
            numbers=self.numbers,
        )
        control = self.steering.new_control(step)
        request = RunRequest(
            self._number, self.opened, config, control, start, first, tuple(earlier), live
        )
        self.steering.begin(request, control, stepping=step is not None)

    def pause(self) -> None:
        """Hold as soon as possible."""
        self.steering.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        self.steering.resume()

    def step_iteration(self) -> None:
        """One iteration, then hold; starts a run where none is active."""
        self._step("iteration")

    def step_sub_stage(self) -> None:
        """To the end of the present or next sub-stage, then hold; starts a run likewise."""
        self._step("sub_stage")

    def _step(self, unit: StepUnit) -> None:
        if self.run_active:
            self.steering.step(unit)
        else:
            self.run(step=unit)

    def stop(self) -> None:
        """End the run and keep what was reached."""
        self.steering.stop()

    def cancel(self) -> None:
        """End the run and discard it."""
        self.steering.cancel()

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
        if on != self._live.on:
            self._live.on = on
            self.live_changed.emit(on)

    def _start_live(self) -> None:
        if self.opened is None or self.state is None or self.activity != "ready":
            return
        enabled = [s for s in SUBSTAGES[1:] if is_enabled(self.config, s)]
        if not enabled:
            return
        last = enabled[-1]
        self._start(only_between(self.config, last, last), "live", last, live=True)

    # What comes from the engine's thread

    def _on_delivered(self, delivery: Delivery) -> None:
        for record in delivery.records:
            self.numbers.note(record)
            if record.message:
                self.notice.emit(f"{TITLES[record.sub_stage]}: {record.message}")
        self.rows_changed.emit()
        self.losses_changed.emit()
        if delivery.scale is not None:
            self.scale = delivery.scale
            self.scale_changed.emit()
        if delivery.snapshot is not None and not self.steering.cancelled:
            self._show(delivery.snapshot.state)

    def _on_run_ended(self, outcome: RunOutcome) -> None:
        record, self._current = self._current, None
        live = self._live.running
        if record is None:
            return
        record.status, record.output = outcome.status, outcome.output
        record.seconds = outcome.seconds
        record.heights, record.metrics = outcome.summary.heights, outcome.summary.metrics
        record.people = outcome.summary.people
        record.numbers.close(finished=outcome.status == "finished")
        keep = outcome.output is not None and outcome.status in ("finished", "stopped")
        if keep and outcome.output is not None:
            record.final_state, record.scale = outcome.output.state, outcome.output.scale
            self.scale, self.heights = record.scale, record.heights or self.heights
            record.numbers.take(outcome.output.sub_stages)
            self._show(outcome.output.state)
        else:
            self._reset_rows()
            self._show(record.start_state)
        if not live:
            self.runs = [*self.runs, record][-MAX_RUNS:]
        if keep:
            self.shown_run = record.number if not live else self.shown_run
            self._live_output = outcome.output if live else None
        self.rows_changed.emit()
        self.scale_changed.emit()
        self.runs_changed.emit()
        if outcome.error is not None:
            self.failed.emit(report("The refinement failed", outcome.error))
        elif not live:
            self.notice.emit(f"Run {record.number} {outcome.status} in {outcome.seconds:.1f} s.")
        self.ended.emit(record)
        if live:
            self._live.run_ended(self.steering.last_control)

    # Other work of the engine's thread

    def do(self, key: str, job: Any, text: str, *, may_be_left: bool = False) -> bool:
        """Run a job on the engine's thread; ``job_done(key, result)`` follows.  False if busy.

        The program does not end before it, unless it ``may_be_left``.
        """
        if self.busy:
            self.notice.emit("Wait until the present work has ended, or stop it.")
            return False
        self.notice.emit(text)
        self.steering.do(key, job, may_be_left=may_be_left)
        return True

    def _on_job_failed(self, key: str, error: BaseException) -> None:
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
        self.numbers = record.numbers
        self.scale, self.heights = record.scale, record.heights
        live, self._live.on = self._live.on, False
        self.set_config(record.config, f"settings of run {number}")
        self._live.on = live
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
            self.shown_run, self.numbers = shown_run, record.numbers
            self.scale, self.heights = record.scale, record.heights or self.heights
            self.rows_changed.emit()
            self.losses_reset.emit()
            self.scale_changed.emit()
        self.runs_changed.emit()

    # Small things

    def progress(self) -> tuple[float, float | None]:
        """Fraction done in [0, 1] and seconds left (None: not known yet) of the active run."""
        return (0.0, None) if self._current is None else self.numbers.progress(self._current.config)

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
        self._live.stop()
        self.blockSignals(True)
        return self.steering.shutdown()

    def _show(self, state: OptimizationState) -> None:
        self.state = state
        self.state_changed.emit()

    def _reset_rows(self) -> None:
        self.numbers = Numbers()
        self.rows_changed.emit()
        self.losses_reset.emit()
