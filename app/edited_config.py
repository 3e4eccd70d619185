"""The settings of the next run, and every change of them that can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QUndoStack

from app.config_undo import ConfigCommand
from refine_engine.config import TERM_NAMES, RefinementConfig
from refine_engine.errors import ConfigError


class EditedConfig(QObject):
    """A configuration that views show and change; the session's first floor.

    Parameters
    ----------
    parent
        Qt owner.
    """

    config_changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.config = RefinementConfig()
        self.undo = QUndoStack(self)

    def set_config(self, config: RefinementConfig, text: str, merge_key: str = "") -> None:
        """Change settings as one undoable step; steps with the same key melt together."""
        if config != self.config:
            self.undo.push(ConfigCommand(self.apply_config, self.config, config, text, merge_key))

    def change(self, key: str, value: Any, merge: bool = False) -> None:
        """Change one setting by its key.

        Raises
        ------
        ConfigError
            The value does not fit; nothing was changed.
        """
        config = self.config.replace(**{key: value})
        self.set_config(config, f"change {key}", key if merge else "")

    def set_weight(self, term: str, value: float, merge: bool = False) -> None:
        """Change one lambda; effective at the next iteration of a run, warm in live mode.

        With ``merge`` the steps of one drag become one undoable step.
        """
        if term not in TERM_NAMES:
            raise ConfigError(term, "is not a term", f"use one of {', '.join(TERM_NAMES)}")
        self.change(f"lambda_{term}", value, merge)

    def set_weights(self, weights: Mapping[str, float], text: str) -> None:
        """Change several lambdas at once."""
        self.set_config(self.config.with_weights(weights), text)

    def apply_config(self, config: RefinementConfig) -> None:
        """Take over settings without an undo step (the undo stack itself calls this)."""
        self.config = config
        self.config_changed.emit()
