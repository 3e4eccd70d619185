"""Worker threads: one person each, while BLAS itself stays on one thread."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import scipy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_lock = threading.Lock()
_holders = 0
_before = 1


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


@functools.cache
def _blas_threads() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Thread count functions of the OpenBLAS that SciPy (and so numba's ``np.dot``) uses."""
    root = Path(scipy.__file__).resolve().parent
    folders = (root.parent / "scipy.libs", root / ".dylibs", root / ".libs")
    for path in (p for f in folders if f.is_dir() for p in sorted(f.glob("*openblas*"))):
        library = ctypes.CDLL(str(path))
        for prefix in ("scipy_openblas", "openblas"):
            getter = getattr(library, f"{prefix}_get_num_threads", None)
            setter = getattr(library, f"{prefix}_set_num_threads", None)
            if getter is not None and setter is not None:
                return getter, setter
    return None


@contextlib.contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold OpenBLAS at one thread; another BLAS is left as it is.

    On blocks of this size its own threads cost hundreds of times what they gain (measured), and
    one thread per person is better use of the cores. Nesting and several threads are fine.
    """
    global _holders, _before
    switches = _blas_threads()
    if switches is None:
        yield
        return
    with _lock:
        if _holders == 0:
            _before = int(switches[0]())
            switches[1](1)
        _holders += 1
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders == 0:
                switches[1](_before)
