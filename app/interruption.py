"""Leaving a job in the middle, when the program ends and nobody wants its result any more."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable


class ProgramEnds(BaseException):
    """Raised inside the job; no ``except Exception`` of the engine holds it up."""


class Interruption:
    """Lets another thread end what this one does, at its next line of Python.

    The engine asks its ``RunControl`` between and inside iterations, but packing, reading a folder
    or making a sample have nothing to ask. Python can raise an exception in another thread; files
    are written under a temporary name, so what is left half done is never taken for whole.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None

    def around(self, job: Callable[[], None]) -> None:
        """Do a job that may be left.

        A demand may come while the job ends by itself, and its exception a little later: none
        leaves this function. (A context manager has lines of its own that nothing guards.)
        """
        try:
            with self._lock:
                self._thread = threading.get_ident()
            job()
        except ProgramEnds:
            pass
        finally:
            while self._thread is not None:
                try:  # noqa: SIM105  (so has contextlib.suppress)
                    self._end()
                except ProgramEnds:  # there is one at most
                    pass

    def _end(self) -> None:
        """Allow nothing more, and forget what was demanded too late."""
        with self._lock:
            _raise_in(threading.get_ident(), None)
            self._thread = None

    def demand(self) -> bool:
        """Raise :class:`ProgramEnds` in the thread that allows it; False where none does."""
        with self._lock:
            if self._thread is None:
                return False
            _raise_in(self._thread, ProgramEnds)
            return True


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    """Raise an exception in a thread at its next line; None = take back one that was not yet."""
    exception = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
