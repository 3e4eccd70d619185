from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.solver import threads
from refine_engine.solver.threads import single_threaded_blas, worker_count


def counts() -> list[int]:
    return [int(getter()) for getter, _ in threads._blas_threads()]


def test_every_openblas_is_held_at_one_thread_and_let_go_again() -> None:
    switches = threads._blas_threads()
    if not switches:
        pytest.skip("NumPy and SciPy use another BLAS here")
    before = counts()
    try:
        for _, setter in switches:
            setter(2)
        several = counts()
        with single_threaded_blas():
            assert counts() == [1] * len(switches)
            with single_threaded_blas():
                assert counts() == [1] * len(switches)
            assert counts() == [1] * len(switches)
        assert counts() == several
    finally:
        for (_, setter), count in zip(switches, before, strict=True):
            setter(count)


def test_numpy_s_own_library_is_among_them() -> None:
    bundled = Path(np.__file__).parents[1] / "numpy.libs"
    if not list(bundled.glob("*openblas*")):
        pytest.skip("NumPy brings no OpenBLAS of its own here")
    assert len(threads._blas_threads()) >= 2


def test_workers_are_never_more_than_people() -> None:
    assert worker_count(8, 3) == 3
    assert worker_count(2, 3) == 2
    assert 1 <= worker_count(0, 1) <= 1
