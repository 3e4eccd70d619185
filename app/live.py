"""Live mode: a weight that changes solves again at once, from what is shown."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from PyQt6.QtCore import QObject, QTimer

from refine_engine.refinement.control import RunControl


class LiveMode(QObject):
    """Decides when a change of weights starts a run of its own.

    Changes during a run reach the engine through the run's control, at its next iteration, and the
    run goes on until it has converged with them: a whole drag is one run. Only what changed after
    the engine's last look needs another.

    Parameters
    ----------
    start
        Solves again; called from the event loop, once for all changes of one turn of it.
    parent
        Qt owner.
    """

    def __init__(self, start: Callable[[], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.on = False
        self.running = False
        """Whether the present run is one of this mode."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(start)

    def weights_changed(self, *, beside_a_run: bool) -> None:
        """Solve again soon, unless a run takes the change over."""
        if self.on and not beside_a_run:
            self._timer.start()

    def run_ended(self, control: RunControl | None) -> None:
        """A run of this mode is over; what came too late for it needs another."""
        self.running = False
        if self.on and control is not None and control.has_unread_weights:
            self._timer.start()

    @contextlib.contextmanager
    def asleep(self) -> Iterator[None]:
        """Changes inside come from somewhere else than the user's hand: none is solved."""
        on, self.on = self.on, False
        try:
            yield
        finally:
            self.on = on

    def stop(self) -> None:
        """Start nothing any more."""
        self._timer.stop()
