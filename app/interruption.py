"""Leaving a job in the middle, when the program ends and nobody wants its result any more."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator


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

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """Whatever runs inside may be left."""
        with self._lock:
            self._thread = threading.get_ident()
        try:
            yield
        except ProgramEnds:
            pass
        finally:
            with self._lock:
                self._thread = None

    def demand(self) -> bool:
        """Raise :class:`ProgramEnds` in the thread that allows it; False where none does."""
        with self._lock:
            if self._thread is None:
                return False
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread), ctypes.py_object(ProgramEnds)
            )
            return True
