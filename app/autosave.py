"""A copy of the session kept aside while one works, offered again after a crash."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QObject, QRunnable, QStandardPaths, QThreadPool, QTimer, pyqtSignal

from app.errors import error_text
from app.session_file import SUFFIX, UNFINISHED, SavedSession, write_session
from refine_engine.errors import RefinementError


def default_folder() -> Path:
    """Where unfinished sessions are kept, per user."""
    place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppDataLocation)
    return Path(place) / "unfinished"


class _Write(QRunnable):
    """Writes one session on a thread of the pool."""

    def __init__(self, path: Path, saved: SavedSession, done: Callable[[str], None]) -> None:
        super().__init__()
        self._path, self._saved, self._done = path, saved, done

    def run(self) -> None:
        """Write, then say how it went ("" = well)."""
        try:
            write_session(self._path, self._saved)
        except RefinementError as error:
            self._done(error_text(error))
        else:
            self._done("")


class Autosave(QObject):
    """Saves the session aside now and then, when something changed.

    Parameters
    ----------
    content
        What to save now; None = nothing is open.
    folder
        Where; None = the user's own place for program data.
    """

    saved = pyqtSignal()
    problem = pyqtSignal(str)
    _written = pyqtSignal(str)

    def __init__(
        self,
        content: Callable[[], SavedSession | None],
        folder: Path | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._content = content
        self.folder = folder or default_folder()
        self.path = self.folder / f"{os.getpid()}{SUFFIX}"
        self.last = self.folder / f"last{SUFFIX}"
        """The session that was left last, with runs that were not in a file of the user's."""
        self.saved_at: float | None = None
        """Time of the last copy, seconds on the monotonic clock."""
        self._changed = False
        self._writing = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.save_if_changed)
        self._written.connect(self._on_written)

    def start(self, seconds: int) -> None:
        """Save every so many seconds; 0 = never."""
        if seconds > 0:
            self._timer.start(seconds * 1000)
        else:
            self._timer.stop()

    def note_change(self) -> None:
        """Something is worth saving."""
        self._changed = True

    def save_if_changed(self) -> None:
        """Save now, unless nothing changed or a copy is being written."""
        if not self._changed or self._writing:
            return
        content = self._content()
        if content is None:
            return
        self._changed, self._writing = False, True
        self._pool.start(_Write(self.path, content, self._written.emit))

    def _on_written(self, problem: str) -> None:
        self._writing = False
        if problem:
            self.problem.emit(problem)
        else:
            self.saved_at = time.monotonic()
            self.saved.emit()

    def leftovers(self) -> list[Path]:
        """Copies that crashed programs left behind, newest first; half-written ones are removed."""
        for half in self.folder.glob(f"{UNFINISHED}*"):
            pid = half.name.removeprefix(UNFINISHED).split("-")[0]
            if not pid.isdigit() or not _alive(int(pid)):
                shutil.rmtree(half, ignore_errors=True)
        found = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path != self.path and path.stem.isdigit() and not _alive(int(path.stem)):
                found.append(path)
        return sorted(found, key=lambda p: p.stat().st_mtime, reverse=True)

    def keep_last(self) -> None:
        """Save now, as the session that was left last."""
        self._pool.waitForDone()
        content = self._content()
        if content is None:
            return
        try:
            write_session(self.last, content)
        except RefinementError as error:
            self.problem.emit(error_text(error))

    def finish(self, *, keep: bool = False) -> None:
        """A clean end: nothing is left to recover; with ``keep`` it can be reopened."""
        self._timer.stop()
        self._pool.waitForDone()
        if keep:
            self.keep_last()
        self.path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
