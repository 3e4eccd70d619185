"""The engine on its own thread: opens folders, drives the generator of a run, writes files.

Only this module calls the engine's entry points, and imports them on the worker's thread: the
window is on screen before numba and torch are loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from PyQt6.QtCore import QObject, QThread, pyqtSignal, pyqtSlot

from app.interruption import Interruption
from app.mailbox import Mailbox
from app.reading import Reading
from refine_engine.config import RefinementConfig
from refine_engine.errors import Cancelled
from refine_engine.refinement.control import RunControl, Verdict
from refine_engine.scene import Scene
from refine_engine.state import (
    OptimizationState,
    RefinementOutput,
    Snapshot,
    SubStage,
    SubStageResult,
)

_PATIENCE_MS = 300
"""A run that was cancelled ends by itself within an iteration."""

RunGenerator = Generator[Snapshot, None, RefinementOutput | None]


@dataclass(frozen=True)
class OpenedScene:
    """A results folder, ready to be looked at."""

    folder: Path
    scene: Scene
    body: Any
    """The engine's body model."""
    state: OptimizationState
    """What the input says, gaps filled (the state after ``init``)."""
    heights: Mapping[int, float]
    """Standing height of each person in metres, from the betas of ``state``."""
    reading: Reading = field(default_factory=Reading)
    """What the user said about the folder."""


@dataclass(frozen=True)
class RunRequest:
    """One run, complete."""

    number: int
    opened: OpenedScene
    config: RefinementConfig
    control: RunControl
    start: OptimizationState | None = None
    """State to go on from; None = from the input."""
    first: SubStage | None = None
    """The first sub-stage to run; None = all that are enabled."""
    earlier: tuple[SubStageResult, ...] = ()
    """Results of the sub-stages before ``first``, from the run that led to ``start``."""
    live: bool = False
    """Solve ``first`` alone, again and warm, because a weight changed."""


@dataclass(frozen=True)
class Summary:
    """Numbers about a result."""

    heights: Mapping[int, float] = field(default_factory=dict)
    """Standing height of each person in metres."""
    metrics: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Name with unit to (before, after)."""
    people: Mapping[int, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    """The same of each person alone, by id."""


class EnginePort(Protocol):
    """What the worker needs of the engine (tests put a recorded one in its place)."""

    def open(
        self, folder: Path, config: RefinementConfig, body_folder: str, reading: Reading
    ) -> OpenedScene:
        """Read a results folder and initialise it."""
        ...

    def prepare(self) -> Mapping[str, float]:
        """Load what the first run needs; the unit constant of each term.

        Lambda times it is the effective weight.
        """
        ...

    def iterate(self, request: RunRequest) -> RunGenerator:
        """A run as a generator that returns its output at its end."""
        ...

    def summarise(self, opened: OpenedScene, output: RefinementOutput) -> Summary:
        """What is worth knowing about a result besides the result."""
        ...


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended."""

    number: int
    status: Literal["finished", "stopped", "cancelled", "failed"]
    output: RefinementOutput | None
    error: BaseException | None
    seconds: float
    summary: Summary = field(default_factory=Summary)


class SteeredControl(RunControl):
    """A :class:`RunControl` that says when the engine really holds, and goes on again."""

    def __init__(self, on_holding: Callable[[bool], None]) -> None:
        super().__init__()
        self._on_holding = on_holding

    def wait_for_turn(self) -> Verdict:
        """Block while paused (called by the engine on its thread)."""
        if not self.paused or self.verdict != "go":
            return super().wait_for_turn()
        self._on_holding(True)
        verdict = super().wait_for_turn()
        self._on_holding(False)
        return verdict

    def hold(self) -> None:
        """Block while paused inside an iteration (called by the engine on its thread)."""
        if self.holds_inside:
            self._on_holding(True)
            super().hold()
            self._on_holding(False)


class EngineWorker(QObject):
    """Lives on the engine's thread; its slots block there, never on the window's."""

    opened = pyqtSignal(object)
    """An :class:`OpenedScene`."""
    open_failed = pyqtSignal(object, object)
    """The folder and the exception."""
    prepared = pyqtSignal(object)
    """Unit constant of each term by its name."""
    prepare_failed = pyqtSignal(object)
    """The exception; a run would meet it again."""
    run_ended = pyqtSignal(object)
    """A :class:`RunOutcome`."""
    job_done = pyqtSignal(str, object)
    """Key and result of :meth:`do`."""
    job_failed = pyqtSignal(str, object)
    """Key and exception of :meth:`do`."""

    def __init__(self, engine: EnginePort, mailbox: Mailbox) -> None:
        super().__init__()
        self._engine = engine
        self._mailbox = mailbox
        self.interruption = Interruption()

    @pyqtSlot(object, object, str, object)
    def open(
        self, folder: Path, config: RefinementConfig, body_folder: str, reading: Reading
    ) -> None:
        """Open a results folder."""
        self.interruption.around(lambda: self._open(folder, config, body_folder, reading))

    def _open(
        self, folder: Path, config: RefinementConfig, body_folder: str, reading: Reading
    ) -> None:
        # Whatever goes wrong here must reach the window: this is the edge of the thread.
        try:
            opened = self._engine.open(folder, config, body_folder, reading)
        except Exception as error:  # noqa: BLE001
            self.open_failed.emit(folder, error)
        else:
            self.opened.emit(opened)

    @pyqtSlot()
    def prepare(self) -> None:
        """Load what the first run needs."""
        self.interruption.around(self._prepare)

    def _prepare(self) -> None:
        try:
            constants = self._engine.prepare()
        except Exception as error:  # noqa: BLE001  (see open)
            self.prepare_failed.emit(error)
        else:
            self.prepared.emit(constants)

    @pyqtSlot(object)
    def run(self, request: RunRequest) -> None:
        """Drive one run to its end."""
        self.interruption.around(lambda: self._run(request))

    def _run(self, request: RunRequest) -> None:
        began = time.perf_counter()
        output: RefinementOutput | None = None
        error: BaseException | None = None
        status: Literal["finished", "stopped", "cancelled", "failed"] = "finished"
        summary = Summary()
        try:
            output = self._drive(self._engine.iterate(request))
            if output is not None and not request.live:
                summary = self._engine.summarise(request.opened, output)
            if request.control.verdict == "cancel":
                status = "cancelled"
            elif request.control.verdict == "stop":
                status = "stopped"
        except Cancelled:
            status = "cancelled"
        except Exception as failure:  # noqa: BLE001  (see open)
            status, error = "failed", failure
        seconds = time.perf_counter() - began
        self.run_ended.emit(RunOutcome(request.number, status, output, error, seconds, summary))

    def _drive(self, steps: RunGenerator) -> RefinementOutput | None:
        while True:
            try:
                snapshot = next(steps)
            except StopIteration as end:
                return end.value if isinstance(end.value, RefinementOutput) else None
            self._mailbox.put(snapshot)

    @pyqtSlot(str, object, bool)
    def do(self, key: str, job: Callable[[], Any], may_be_left: bool) -> None:
        """Run any other job of the engine (export, sample) and report under ``key``."""
        if may_be_left:
            self.interruption.around(lambda: self._do(key, job))
        else:
            self._do(key, job)

    def _do(self, key: str, job: Callable[[], Any]) -> None:
        try:
            result = job()
        except Exception as error:  # noqa: BLE001  (see open)
            self.job_failed.emit(key, error)
        else:
            self.job_done.emit(key, result)


class EngineThread(QObject):
    """Starts and ends the worker's thread; its signals are the only way to the worker.

    Parameters
    ----------
    engine
        What does the work.
    parent
        Qt owner.
    """

    open_requested = pyqtSignal(object, object, str, object)
    prepare_requested = pyqtSignal()
    run_requested = pyqtSignal(object)
    job_requested = pyqtSignal(str, object, bool)

    def __init__(self, engine: EnginePort, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.mailbox = Mailbox(self)
        self.worker = EngineWorker(engine, self.mailbox)
        self._thread = QThread(self)
        self._thread.setObjectName("engine")
        self.worker.moveToThread(self._thread)
        self.open_requested.connect(self.worker.open)
        self.prepare_requested.connect(self.worker.prepare)
        self.run_requested.connect(self.worker.run)
        self.job_requested.connect(self.worker.do)
        self._thread.start()

    def join(self, milliseconds: int = 30_000) -> bool:
        """End the thread; False where that takes longer than allowed.

        Its present job is finished where it writes what the user asked for, else left.
        """
        self._thread.quit()
        if self._thread.wait(_PATIENCE_MS):
            return True
        self.worker.interruption.demand()
        return self._thread.wait(max(milliseconds - _PATIENCE_MS, 0))
