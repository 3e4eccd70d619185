"""Undo and redo of settings."""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtGui import QUndoCommand

from refine_engine.config import RefinementConfig

_MERGE_SECONDS = 1.0


class ConfigCommand(QUndoCommand):
    """One change of the settings; the steps of one drag melt into one.

    Parameters
    ----------
    apply
        Takes over settings.
    before, after
        The settings on both sides of the change.
    text
        What the change is called.
    merge_key
        Changes with the same key, shortly after each other, are one; empty = never.
    """

    def __init__(
        self,
        apply: Callable[[RefinementConfig], None],
        before: RefinementConfig,
        after: RefinementConfig,
        text: str,
        merge_key: str = "",
    ) -> None:
        super().__init__(text)
        self._apply = apply
        self._before, self._after = before, after
        self._merge_key = merge_key
        self._at = time.monotonic()

    def id(self) -> int:
        """Equal for commands that may be one; -1 for others."""
        return hash(self._merge_key) & 0x7FFFFFFF if self._merge_key else -1

    def mergeWith(self, other: QUndoCommand | None) -> bool:
        """Take over a later command where it continues this one."""
        if not isinstance(other, ConfigCommand) or other._merge_key != self._merge_key:
            return False
        if other._at - self._at > _MERGE_SECONDS:
            return False
        self._after, self._at = other._after, other._at
        return True

    def redo(self) -> None:
        """Apply the change."""
        self._apply(self._after)

    def undo(self) -> None:
        """Take the change back."""
        self._apply(self._before)
