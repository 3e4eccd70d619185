"""Working time of a run: what the caller holds it for does not count."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """Seconds since the run began, pauses left out."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._held = 0.0

    @property
    def seconds(self) -> float:
        """Working seconds so far."""
        return time.perf_counter() - self._began - self._held

    @contextmanager
    def held(self) -> Iterator[None]:
        """Time inside this block does not count."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._held += time.perf_counter() - start
