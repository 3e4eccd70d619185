"""The one model behind every view: scene, settings, states, runs, selection, present frame.

Views read its attributes, listen to its signals and call its methods; they keep no truth of their
own.  It stands on three floors: :mod:`app.edited_config`, how settings change; :mod:`app.shown`,
what is shown; :mod:`app.served`, opening and other work of the engine's thread.  Here are the runs.
Everything runs on the GUI thread; the engine's thread reaches it through signals.
"""

from __future__ import annotations

from datetime import datetime

from PyQt6.QtCore import QObject, pyqtSignal

from app.engine_worker import EnginePort, RunOutcome, RunRequest
from app.errors import report
from app.live import LiveMode
from app.mailbox import Delivery
from app.runs import TITLES, Numbers, RunRecord, is_enabled, only_between
from app.served import Served
from app.steering import StepUnit
from refine_engine.config import ENABLE_KEYS, RefinementConfig
from refine_engine.state import (
    SUBSTAGES,
    OptimizationState,
    ScaleReport,
    SubStage,
)

MAX_RUNS = 40


class Session(Served):
    """Everything that is open, and the user's intents about it.

    Parameters
    ----------
    engine
        What opens folders and refines.
    parent
        Qt owner.
    """

    live_changed = pyqtSignal(bool)
    ended = pyqtSignal(object)
    """The :class:`RunRecord` of a run that ended."""

    def __init__(self, engine: EnginePort, parent: QObject | None = None) -> None:
        super().__init__(engine, parent)
        self._current: RunRecord | None = None
        self._left: tuple[OptimizationState, Numbers, ScaleReport | None] | None = None
        """What was shown when the run under way began."""
        self._last_message = ""
        """What the engine said last: begin and end of a sub-stage may say the same."""
        self.steering.delivered.connect(self._on_delivered)
        self.steering.run_ended.connect(self._on_run_ended)
        self._live = LiveMode(self._start_live, self)

    @property
    def worth_keeping(self) -> bool:
        """Whether something would be lost with this session."""
        return self.unfinished is not None or any(not run.from_file for run in self.runs)

    @property
    def live(self) -> bool:
        """Whether a change of weights re-solves at once from the shown state."""
        return self._live.on

    @property
    def unfinished(self) -> RunRecord | None:
        """The run that is under way; a live one keeps no history and is none."""
        return None if self._live.running else self._current

    # Settings, with undo

    def apply_config(self, config: RefinementConfig) -> None:
        """Take over settings without an undo step (the undo stack itself calls this)."""
        before = self.config
        control = self.steering.control
        if control is not None:
            if config.weights() != before.weights():
                control.set_weights(config.weights())
            for sub_stage, key in ENABLE_KEYS.items():
                waiting = self.rows[sub_stage].status == "waiting"  # type: ignore[index]
                if getattr(before, key) != getattr(config, key) and waiting:
                    control.set_enabled(sub_stage, getattr(config, key))  # type: ignore[arg-type]
        super().apply_config(config)
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
        self._left = (self.state or self.opened.state, self.numbers, self.scale)
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
        self.show_input()

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
            if record.message and record.message != self._last_message:
                self.notice.emit(f"{TITLES[record.sub_stage]}: {record.message}")
            self._last_message = record.message
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
            stopped = outcome.status == "stopped"
            record.numbers.take(outcome.output.sub_stages, stopped=stopped)
            self._show(outcome.output.state)
        else:
            # Discarded: what was shown before it began is shown again, and exported.
            state, self.numbers, self.scale = self._left or (record.start_state, Numbers(), None)
            self.losses_reset.emit()
            self._show(state)
        self._left = None
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
            noted = record.output is not None and bool(record.output.warnings)
            more = " The Runs panel has notes about it." if noted else ""
            ended = f"Run {record.number} {outcome.status} in {outcome.seconds:.1f} s."
            self.notice.emit(f"{ended}{more}")
        self.ended.emit(record)
        if live:
            self._live.run_ended(self.steering.last_control)

    # Runs of the history

    def show_run(self, number: int) -> None:
        """Return to a run, unless the engine works; live mode does not solve it anew."""
        if not self.busy:
            with self._live.asleep():
                super().show_run(number)

    def restore(
        self,
        runs: list[RunRecord],
        state: OptimizationState,
        config: RefinementConfig,
        frame: int,
        shown_run: int | None,
    ) -> None:
        """Put back what a session file holds, after its folder was opened."""
        with self._live.asleep():
            super().restore(runs, state, config, frame, shown_run)

    def keep_run(self, record: RunRecord) -> None:
        """Add a run that was not made here to the history, under the next number."""
        self._number += 1
        record.number = self._number
        self.runs = [*self.runs, record][-MAX_RUNS:]
        self.runs_changed.emit()

    # How far it is, and the end

    def progress(self) -> tuple[float, float | None]:
        """Fraction done in [0, 1] and seconds left (None: not known yet) of the active run."""
        return (0.0, None) if self._current is None else self.numbers.progress(self._current.config)

    def shutdown(self) -> bool:
        """Stop everything and join the engine's thread; False where it did not end in time."""
        self.playback.stop()
        self._live.stop()
        self.blockSignals(True)
        return self.steering.shutdown()
