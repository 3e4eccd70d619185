"""What happens to an exception: a report that can be copied, a log, and the program goes on."""

from __future__ import annotations

import faulthandler
import logging
import platform
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType

from PyQt6.QtCore import QT_VERSION_STR, QObject, pyqtSignal

from app.interruption import ProgramEnds
from app.wording import error_in_window_words
from refine_engine.errors import RefinementError, SeveralResultsError

log = logging.getLogger("app")

_PACKAGES = ("smpl-refiner", "PyQt6", "PyQt6-Qt6", "vtk", "pyqtgraph", "numpy", "numba", "torch")


@dataclass(frozen=True)
class ErrorReport:
    """One failure, for people to read and to copy."""

    title: str
    """What was attempted, e.g. "The folder could not be opened"."""
    message: str
    """What is wrong and what to do."""
    details: str
    """Traceback and versions; empty where the message says all."""
    choices: tuple[Path, ...] = ()
    """Folders of which one was meant."""

    @property
    def text(self) -> str:
        """Everything, as it is copied."""
        return "\n\n".join(part for part in (self.title, self.message, self.details) if part)


def report(title: str, error: BaseException) -> ErrorReport:
    """The report of an exception; a :class:`RefinementError` speaks for itself."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if isinstance(error, SeveralResultsError):
        return ErrorReport("Which results folder?", str(error), trace, error.choices)
    if isinstance(error, RefinementError):
        return ErrorReport(title, error_text(error), trace)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    message = f"{what}. The program goes on; save your session if you are unsure."
    return ErrorReport(title, message, f"{trace}\n{system_information()}")


def error_text(error: RefinementError) -> str:
    """What is wrong and what to do, in the window's words."""
    return error_in_window_words(error.where, error.problem, error.remedy)


def system_information(gl_renderer: str = "") -> str:
    """Versions of everything that matters to a bug report, one a line."""
    lines = [f"Python {platform.python_version()}", f"Qt {QT_VERSION_STR}"]
    for package in _PACKAGES:
        try:
            lines.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            lines.append(f"{package} (not installed)")
    lines.append(f"{platform.system()} {platform.release()} {platform.machine()}")
    if gl_renderer:
        lines.append(f"OpenGL renderer: {gl_renderer}")
    return "\n".join(lines)


class ExceptionCatcher(QObject):
    """Sends exceptions that nobody handled, of any thread, to the window.

    Without a hook PyQt ends the process when a slot raises.
    """

    caught = pyqtSignal(object)
    """An :class:`ErrorReport`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._before: tuple[Callable[..., object], Callable[..., object]] | None = None

    def install(self) -> None:
        """Become the hook of the interpreter and of all threads."""
        self._before = (sys.excepthook, threading.excepthook)
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        if sys.stderr is not None and not faulthandler.is_enabled():
            faulthandler.enable()

    def remove(self) -> None:
        """Give the hooks back."""
        if self._before is not None:
            sys.excepthook, threading.excepthook = self._before
            self._before = None

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        if issubclass(kind, ProgramEnds):
            return  # raised where a library calls Python and shows what was raised itself
        error = error.with_traceback(trace)
        log.error("unhandled exception", exc_info=error)
        self.caught.emit(report("Something went wrong", error))

    def _on_thread_exception(self, arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            self._on_exception(
                arguments.exc_type, arguments.exc_value, arguments.exc_value.__traceback__
            )
