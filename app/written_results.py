"""Results that were written before: found beside what is opened, or chosen, and shown as runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, QTimer
from PyQt6.QtWidgets import QFileDialog

from app.earlier import RESULTS_FILE, earlier_result, folder_of, read_earlier
from app.engine_worker import OpenedScene
from app.errors import error_text, report
from app.runs import RunRecord
from refine_engine.errors import InputError, RefinementError

if TYPE_CHECKING:
    from app.main_window import MainWindow

_JOB = "reading the result"
_FOUND = "reading an earlier result"


class WrittenResults(QObject):
    """Reads them on the engine's thread, when it has nothing else to do.

    Parameters
    ----------
    window
        Its session takes the runs, its engine computes their numbers.
    open_folder
        Opens the results folder that a result lies in.
    """

    def __init__(self, window: MainWindow, open_folder: Callable[[Path], None]) -> None:
        super().__init__(window)
        self._window = window
        self._session = window.session
        self._open = open_folder
        self._waiting: tuple[Path, bool] | None = None
        """A result to be read once the engine is idle, and whether it was asked for."""
        self._asked: Path | None = None
        """A result of the folder that is being opened."""
        self._session.activity_changed.connect(self._read)
        self._session.job_done.connect(self._on_job_done)

    def look_for(self) -> None:
        """A scene was opened: read the result that was asked for, or one that lies beside it."""
        opened = self._session.opened
        if opened is None:
            return
        found = self._asked or earlier_result(opened.scene.root or opened.folder)
        if found is not None:
            self._waiting = found, self._asked is not None
            self._asked = None
            # Not now: the view has yet to draw, and what else waits for the scene goes first.
            QTimer.singleShot(0, self._read)

    def forget(self) -> None:
        """Something else is opened, or nothing could be."""
        self._waiting = self._asked = None

    def choose(self) -> None:
        """Ask for a refined result and load it."""
        opened = self._session.opened
        start = opened.folder if opened is not None else Path.home()
        chosen, _ = QFileDialog.getOpenFileName(
            self._window, "Load a refined result", str(start), f"Results ({RESULTS_FILE})"
        )
        if chosen:
            self.load(Path(chosen))

    def load(self, path: Path) -> None:
        """Show a refined result: open its folder where that is not open, then return to it."""
        opened, folder = self._session.opened, folder_of(path)
        roots = [] if opened is None else [opened.folder, opened.scene.root]
        if folder is not None and folder not in [r.resolve() for r in roots if r is not None]:
            self._open(folder)
            self._asked = path
            return
        if opened is None:
            failure = InputError(
                path, "is a result without its results folder", "open that folder first"
            )
            self._session.fail(report("The result could not be shown", failure))
            return
        self._waiting = path, True
        self._read()

    def _read(self) -> None:
        """Read the result that waits, once nothing else is being done."""
        session = self._session
        if self._waiting is None or session.opened is None or session.activity != "ready":
            return
        (path, wanted), self._waiting = self._waiting, None
        opened, engine = session.opened, self._window.engine

        def job() -> tuple[OpenedScene, RunRecord | RefinementError, bool]:
            try:
                return opened, read_earlier(path, opened, engine.summarise), wanted
            except RefinementError as error:
                if wanted:
                    raise
                return opened, error, wanted

        # One that was only found must not keep a run waiting that is started at once.
        key = _JOB if wanted else _FOUND
        session.do(key, job, f"Reading {path} …", may_be_left=True, aside=not wanted)

    def _on_read(
        self, opened: OpenedScene, found: RunRecord | RefinementError, wanted: bool
    ) -> None:
        session = self._session
        if session.opened is not opened:
            return
        if isinstance(found, RefinementError):
            session.notice.emit(f"An earlier result is not shown: {error_text(found)}")
            return
        session.keep_run(found)
        where = f"Run {found.number} is the result written to {found.label} on {found.started}"
        if wanted:
            session.show_run(found.number)
            session.notice.emit(f"{where}.")
        else:
            session.notice.emit(f"{where}; the Runs panel returns to it.")

    def _on_job_done(self, key: str, result: object) -> None:
        if key in (_JOB, _FOUND) and isinstance(result, tuple):
            self._on_read(*result)
