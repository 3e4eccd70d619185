"""Worker threads: one person each, while BLAS itself stays on one thread."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import scipy

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
Poll = Callable[[], None]
"""Called at least every 50 ms during an iteration, from the calling thread. It may raise (for
example ``Cancelled``) to abandon the iteration: the state passed in is untouched."""

Run = Callable[[Callable[[int], Any], int], list[Any]]
"""Maps a function over people, by position; results in order."""
POLL_SECONDS = 0.05

_lock = threading.Lock()
_holders = 0
_before: tuple[int, ...] = ()


def worker_count(asked: int, people: int) -> int:
    """Threads to use: ``asked``, or one per usable core where 0; never more than people."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(asked or cores or 1, people))


_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def worker_pool(workers: int) -> ThreadPoolExecutor:
    """Threads that wait for work; starting new ones for every piece of it takes longer than it.

    A forked process gets threads of its own.
    """
    key = (os.getpid(), workers)
    with _lock:
        pool = _pools.get(key)
        if pool is None:
            pool = _pools[key] = ThreadPoolExecutor(workers, thread_name_prefix="solver")
        return pool


def people_runner(threads: int, poll: Poll | None) -> Run:
    """A function that maps over people in threads and polls the caller meanwhile."""

    def run(function: Callable[[int], T], count: int) -> list[T]:
        workers = worker_count(threads, count)
        if workers == 1:
            results = []
            for i in range(count):
                if poll is not None:
                    poll()
                results.append(function(i))
            return results
        futures = [worker_pool(workers).submit(function, i) for i in range(count)]
        pending = set(futures)
        try:
            while pending:
                if poll is not None:
                    poll()
                _, pending = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
        except BaseException:
            for future in futures:
                future.cancel()
            wait(futures)
            raise
        return [future.result() for future in futures]

    return run


def one_by_one(function: Callable[[int], Any], count: int) -> list[Any]:
    """What :func:`people_runner` does, without threads."""
    return [function(i) for i in range(count)]


@functools.cache
def _blas_threads() -> tuple[tuple[Callable[[], int], Callable[[int], None]], ...]:
    """Thread count functions of SciPy's OpenBLAS (numba's ``np.dot`` uses it) and of NumPy's."""
    found = []
    for name, file in (("scipy", scipy.__file__), ("numpy", np.__file__)):
        root = Path(str(file)).resolve().parent
        folders = (root.parent / f"{name}.libs", root / ".dylibs", root / ".libs")
        for path in (p for f in folders if f.is_dir() for p in sorted(f.glob("*openblas*"))):
            library = ctypes.CDLL(str(path))
            for prefix, suffix in itertools.product(("scipy_openblas", "openblas"), ("", "64_")):
                getter = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                setter = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                if getter is not None and setter is not None:
                    found.append((getter, setter))
                    break
    return tuple(found)


@contextlib.contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold OpenBLAS at one thread; another BLAS is left as it is.

    On blocks of this size its own threads cost hundreds of times what they gain (measured), and
    one thread per person is better use of the cores. NumPy and SciPy bring one OpenBLAS each, and
    both are held: three people x 100 frames took 13 processor seconds with NumPy's own threads
    and 5 without, on two cores. Nesting and several threads are fine.
    """
    global _holders, _before
    switches = _blas_threads()
    with _lock:
        if _holders == 0:
            _before = tuple(int(getter()) for getter, _ in switches)
            for _, setter in switches:
                setter(1)
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                for (_, setter), count in zip(switches, _before, strict=True):
                    setter(count)
