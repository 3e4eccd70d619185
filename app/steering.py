"""The user's hand on the engine's thread: one activity at a time, pause, step, stop, cancel."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from app.engine_worker import (
    EnginePort,
    EngineThread,
    OpenedScene,
    RunOutcome,
    RunRequest,
    SteeredControl,
)
from app.reading import Reading
from refine_engine.config import RefinementConfig

Activity = Literal[
    "empty", "opening", "ready", "running", "pausing", "paused", "stopping", "working"
]
StepUnit = Literal["iteration", "sub_stage"]

_MIN_PACE_MS = 33
_MAX_PACE_MS = 400
_PREPARE_MS = 500
"""After a scene was first opened, before what runs need is loaded."""
_WINDOW_SHARE = 0.2
"""Of one processor core, what the window takes at most for showing how a run goes on."""


class Steering(QObject):
    """Gives the engine its jobs and brings back what it reports, at a pace the window can show.

    Parameters
    ----------
    engine
        What opens folders and refines.
    parent
        Qt owner.
    """

    activity_changed = pyqtSignal()
    opened = pyqtSignal(object)
    """An :class:`OpenedScene`."""
    open_failed = pyqtSignal(object, object)
    """Folder and exception."""
    prepared = pyqtSignal(object)
    """Unit constant of each term by its name: lambda times it is the effective weight."""
    prepare_failed = pyqtSignal(object)
    """The exception that kept from loading what runs need."""
    delivered = pyqtSignal(object)
    """A :class:`app.mailbox.Delivery` that is not empty."""
    run_ended = pyqtSignal(object)
    """A :class:`RunOutcome`; everything it reported was delivered before."""
    job_done = pyqtSignal(str, object)
    job_failed = pyqtSignal(str, object)
    _held = pyqtSignal(bool)

    def __init__(self, engine: EnginePort, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.activity: Activity = "empty"
        self.control: SteeredControl | None = None
        """The active run's; None between runs."""
        self.last_control: SteeredControl | None = None
        """That of the run that ended last."""
        self._has_scene = False
        self._aside: set[str] = set()
        """Keys of jobs that nobody waits for."""
        self._must_finish = False
        self._closed = False
        self._delivered_at = 0.0
        self._worked_until = 0.0
        """Processor seconds of the window's thread when it was last given something to show."""
        self._thread = EngineThread(engine, self)
        worker = self._thread.worker
        worker.opened.connect(self._on_opened)
        worker.open_failed.connect(self._on_open_failed)
        worker.prepared.connect(self.prepared)
        worker.prepare_failed.connect(self.prepare_failed)
        worker.run_ended.connect(self._on_run_ended)
        worker.job_done.connect(self._on_job_done)
        worker.job_failed.connect(self._on_job_failed)
        self._thread.mailbox.ready.connect(self._on_mail)
        self._pace = QTimer(self)
        self._pace.setSingleShot(True)
        self._pace.timeout.connect(self.deliver)
        self._held.connect(self._on_held)

    @property
    def busy(self) -> bool:
        """Whether the engine's thread has a job."""
        return self.activity not in ("empty", "ready")

    @property
    def must_finish(self) -> bool:
        """Whether the present job is waited for when the program ends."""
        return self.activity == "working" and self._must_finish

    # Jobs

    def open(
        self, folder: Path, config: RefinementConfig, body_folder: str, reading: Reading
    ) -> None:
        """Open a results folder."""
        self._set_activity("opening")
        self._thread.open_requested.emit(folder, config, body_folder, reading)

    def new_control(self, unit: StepUnit | None = None) -> SteeredControl:
        """The control of a run that is about to begin; with a unit it holds after one of them."""
        control = SteeredControl(self._held.emit)
        # Before the engine sees it: it must not be an iteration ahead of the user's step.
        if unit == "iteration":
            control.step_iteration()
        elif unit == "sub_stage":
            control.step_substage()
        return control

    def begin(self, request: RunRequest, control: SteeredControl, *, stepping: bool) -> None:
        """Start a run."""
        self.control = control
        self._set_activity("pausing" if stepping else "running")
        self._thread.run_requested.emit(request)

    def do(
        self, key: str, job: Callable[[], Any], *, may_be_left: bool = False, aside: bool = False
    ) -> None:
        """Run any other job; ``job_done`` or ``job_failed`` follows.

        The program waits for it before it ends, unless it ``may_be_left``.  A job that nobody
        asked for is done ``aside``: what is asked for meanwhile is not refused, it follows.
        """
        if aside:
            self._aside.add(key)
            self._thread.job_requested.emit(key, job, may_be_left)
            return
        self._set_activity("working")
        self._must_finish = not may_be_left
        self._thread.job_requested.emit(key, job, may_be_left)

    # The active run

    def pause(self) -> None:
        """Hold as soon as possible."""
        if self.control is not None and self.activity == "running":
            self._set_activity("pausing")
            self.control.pause()

    def resume(self) -> None:
        """Go on after a pause."""
        if self.control is not None and self.activity in ("paused", "pausing"):
            self._set_activity("running")
            self.control.resume()

    def step(self, unit: StepUnit) -> None:
        """One iteration or sub-stage, then hold."""
        if self.control is None or self.activity == "stopping":
            return
        self._set_activity("pausing")
        if unit == "iteration":
            self.control.step_iteration()
        else:
            self.control.step_substage()

    def stop(self) -> None:
        """End the run and keep what was reached."""
        if self.control is not None:
            self._set_activity("stopping")
            self.control.stop()

    def cancel(self) -> None:
        """End the run and discard it."""
        if self.control is not None:
            self._set_activity("stopping")
            self.control.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether what still arrives is to be discarded."""
        return self.control is None or self.control.verdict == "cancel"

    def shutdown(self) -> bool:
        """Stop everything and join the thread; False where it did not end in time."""
        self._closed = True
        self._pace.stop()
        # What the worker still reports has nobody to go to: views are about to leave.
        for sender in (self, self._thread.mailbox, self._thread.worker):
            sender.blockSignals(True)
        if self.control is not None:
            self.control.cancel()
        return self._thread.join()

    # What comes from the thread

    def deliver(self) -> None:
        """Pass on what waits in the mailbox."""
        delivery = self._thread.mailbox.take()
        if delivery.records:
            self._delivered_at, self._worked_until = time.perf_counter(), time.thread_time()
            self.delivered.emit(delivery)

    def _on_mail(self) -> None:
        # Mail that was on its way when the window closed still arrives.
        if self._closed or self._pace.isActive():
            return
        # All that the last delivery made the window do counts: view, plots, rows, text.
        worked = time.thread_time() - self._worked_until
        pace = max(_MIN_PACE_MS / 1000, worked / _WINDOW_SHARE)
        elapsed = time.perf_counter() - self._delivered_at
        self._pace.start(min(max(0, round(1000 * (pace - elapsed))), _MAX_PACE_MS))

    def _on_held(self, holding: bool) -> None:
        if self.control is None or self.activity not in ("pausing", "paused"):
            return
        if holding:
            self.deliver()
            self._set_activity("paused")
        elif self.activity == "paused":
            self._set_activity("pausing")

    def _on_opened(self, opened: OpenedScene) -> None:
        if not self._has_scene:
            # After the first picture: until then the processor is needed for that.
            QTimer.singleShot(_PREPARE_MS, self._prepare)
        self._has_scene = True
        self._set_activity("ready")
        self.opened.emit(opened)

    def _prepare(self) -> None:
        # Nobody waits for it, and nobody is kept waiting: a run would load the same.
        if not self._closed:
            self._thread.prepare_requested.emit()

    def _on_open_failed(self, folder: Path, error: BaseException) -> None:
        self._rest()
        self.open_failed.emit(folder, error)

    def _on_run_ended(self, outcome: RunOutcome) -> None:
        self._pace.stop()
        self.deliver()
        self.last_control, self.control = self.control, None
        self._set_activity("ready")
        self.run_ended.emit(outcome)

    def _on_job_done(self, key: str, result: object) -> None:
        self._rest_after(key)
        self.job_done.emit(key, result)

    def _on_job_failed(self, key: str, error: BaseException) -> None:
        self._rest_after(key)
        self.job_failed.emit(key, error)

    def _rest_after(self, key: str) -> None:
        # What was done aside changed no activity; another one may have begun since.
        if key in self._aside:
            self._aside.discard(key)
        else:
            self._rest()

    def _rest(self) -> None:
        self._set_activity("ready" if self._has_scene else "empty")

    def _set_activity(self, activity: Activity) -> None:
        if activity != self.activity:
            self.activity = activity
            self.activity_changed.emit()
