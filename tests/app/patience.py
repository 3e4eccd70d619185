"""How long tests wait for what must come, on however slow a machine; tests only.

A test that passes never waits so long, so there is one generous bound for all of them. Waiting is
for a condition or a signal; no test expects something after a fixed time, or within one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytestqt.qtbot import QtBot

PATIENCE_S = 60.0
PATIENCE_MS = round(1000 * PATIENCE_S)
PROGRAM_S = 240.0
"""For programs of their own, which import everything first, and for runs of the real engine."""


class PatientBot(QtBot):
    """pytest-qt's robot, with the same patience everywhere."""

    patience_ms = PATIENCE_MS

    def waitSignal(self, signal: Any, *, timeout: int = 0, **more: Any) -> Any:
        """Wait for a signal when the block is left."""
        return super().waitSignal(signal, timeout=max(timeout, self.patience_ms), **more)

    def waitSignals(self, signals: Any, *, timeout: int = 0, **more: Any) -> Any:
        """Wait for all of several signals when the block is left."""
        return super().waitSignals(signals, timeout=max(timeout, self.patience_ms), **more)

    def waitUntil(self, callback: Callable[[], Any], *, timeout: int = 0) -> None:
        """Let events happen until the callback is true, or makes all its assertions."""
        super().waitUntil(callback, timeout=max(timeout, self.patience_ms))
