"""From the engine's thread to the window's: the newest picture, and every loss value.

Drawing is slower than iterating.  A queue of states would grow and starve Qt's timers, so only the
newest state waits here; loss values are small and none may be lost, so those queue.  ``ready`` is
emitted only when the box was empty: at most one event is ever on its way.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from PyQt6.QtCore import QObject, pyqtSignal

from refine_engine.state import ScaleReport, Snapshot, SubStage, SubStageStatus


@dataclass(frozen=True)
class LossRecord:
    """What the plots and the sub-stage rows need of one snapshot."""

    event: str
    """"begin", "iteration" or "end"."""
    sub_stage: SubStage
    iteration: int
    total_loss: float
    terms: Mapping[str, float]
    seconds: float
    status: SubStageStatus
    message: str
    max_joint_step: float
    """Metres."""
    alpha: float
    alpha_sigma: float | None

    @classmethod
    def of(cls, snapshot: Snapshot) -> LossRecord:
        """The small part of a snapshot."""
        return cls(
            event=snapshot.event,
            sub_stage=snapshot.sub_stage,
            iteration=snapshot.iteration,
            total_loss=snapshot.total_loss,
            terms=dict(snapshot.terms),
            seconds=snapshot.seconds,
            status=snapshot.status,
            message=snapshot.message,
            max_joint_step=snapshot.max_joint_step,
            alpha=snapshot.state.alpha,
            alpha_sigma=snapshot.alpha_sigma,
        )


@dataclass(frozen=True)
class Delivery:
    """Everything that came since the box was last emptied."""

    snapshot: Snapshot | None
    """The newest one."""
    scale: ScaleReport | None
    """The newest answer about scale, which not every snapshot carries."""
    records: tuple[LossRecord, ...]
    """All of them, in order."""


class Mailbox(QObject):
    """One slot for the newest snapshot and a list of all loss records; any thread may put."""

    ready = pyqtSignal()
    """Something came into an empty box."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._scale: ScaleReport | None = None
        self._records: list[LossRecord] = []

    def put(self, snapshot: Snapshot) -> None:
        """Leave a snapshot; replaces one that nobody has fetched."""
        record = LossRecord.of(snapshot)
        with self._lock:
            was_empty = not self._records
            self._snapshot = snapshot
            self._scale = snapshot.scale or self._scale
            self._records.append(record)
        if was_empty:
            self.ready.emit()

    def take(self) -> Delivery:
        """Empty the box."""
        with self._lock:
            delivery = Delivery(self._snapshot, self._scale, tuple(self._records))
            self._snapshot = self._scale = None
            self._records = []
        return delivery
