"""What is shown, with the engine's thread at its service: opening folders and all work but runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from app.engine_worker import EnginePort, OpenedScene
from app.errors import ErrorReport, report
from app.reading import Reading
from app.shown import Shown
from app.steering import Activity, Steering


class Served(Shown):
    """Opens folders and does other jobs, one at a time; the session's second floor.

    Parameters
    ----------
    engine
        What opens folders and refines.
    parent
        Qt owner.
    """

    activity_changed = pyqtSignal()
    failed = pyqtSignal(object)
    """An :class:`ErrorReport`."""
    notice = pyqtSignal(str)
    """One sentence for the status line and the log."""
    job_done = pyqtSignal(str, object)

    def __init__(self, engine: EnginePort, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.body_folder = ""
        self.doing = ""
        """What the engine's thread does beside runs, or did last."""
        self.steering = Steering(engine, self)
        self.steering.activity_changed.connect(self.activity_changed)
        self.steering.opened.connect(self._on_opened)
        self.steering.prepare_failed.connect(
            lambda error: self.failed.emit(report("The engine could not be loaded", error))
        )
        self.steering.open_failed.connect(self._on_open_failed)
        self.steering.job_done.connect(self.job_done)
        self.steering.job_failed.connect(self._on_job_failed)

    @property
    def busy(self) -> bool:
        """Whether the engine's thread has a job."""
        return self.steering.busy

    @property
    def activity(self) -> Activity:
        """What the engine's thread does."""
        return self.steering.activity

    @property
    def run_active(self) -> bool:
        """Whether a run is under way, held or not."""
        return self.steering.control is not None

    # Opening

    def open(self, folder: Path, reading: Reading | None = None) -> None:
        """Open a results folder; the present one stays until the new one is there."""
        if self.busy:
            self.notice.emit("Wait until the present work has ended, or stop it.")
            return
        self.doing = f"Opening “{folder.name or folder}” …"
        self.notice.emit(f"Opening {folder} …")
        self.steering.open(folder, self.config, self.body_folder, reading or Reading())

    def _on_opened(self, opened: OpenedScene) -> None:
        people, frames = len(opened.scene.people), opened.scene.num_frames
        self.notice.emit(f"Opened {opened.folder}: {people} people, {frames} frames.")
        # Last: what follows from it, a session put back say, has its own word to say.
        self.show_scene(opened)

    def _on_open_failed(self, folder: Path, error: BaseException) -> None:
        failure = report(f"“{folder.name or folder}” could not be opened", error)
        self.failed.emit(failure)

    # Other work

    def do(
        self, key: str, job: Any, text: str, *, may_be_left: bool = False, aside: bool = False
    ) -> bool:
        """Run a job on the engine's thread; ``job_done(key, result)`` follows.  False if busy.

        The program does not end before it, unless it ``may_be_left``; where it is done ``aside``,
        the user's next wish follows it and is not refused.
        """
        if self.busy:
            self.notice.emit("Wait until the present work has ended, or stop it.")
            return False
        self.doing = text
        self.notice.emit(text)
        self.steering.do(key, job, may_be_left=may_be_left, aside=aside)
        return True

    def _on_job_failed(self, key: str, error: BaseException) -> None:
        self.failed.emit(report(f"{key.capitalize()} did not work", error))

    def fail(self, failure: ErrorReport) -> None:
        """Tell the user about a failure."""
        self.failed.emit(failure)
