"""What the program remembers between starts, versioned so that old files can be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QByteArray, QObject, QSettings, pyqtSignal

VERSION = 1
RECENT_LIMIT = 10


@dataclass(frozen=True)
class Preferences:
    """What the preferences dialog edits."""

    theme: str = "system"
    """"system", "dark" or "light"."""
    font_px: int = 13
    """Size of the window's text in pixels."""
    autosave_seconds: int = 30
    """How often a changed session is saved aside; 0 = never."""
    body_folder: str = ""
    """Where the user's own SMPL files lie; empty = the free embedded body."""
    confirm_overwrite: bool = True
    """Ask before an export replaces files."""
    open_last: bool = False
    """Open the last folder at the start."""


class Settings(QObject):
    """Preferences, recent folders, window layout and weight presets, kept by Qt.

    Parameters
    ----------
    store
        Where to keep them; None = the user's own settings.
    """

    preferences_changed = pyqtSignal(object)
    recent_changed = pyqtSignal()
    shortcuts_changed = pyqtSignal()

    def __init__(self, store: QSettings | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store if store is not None else QSettings("SMPL Refiner", "SMPL Refiner")
        self._migrate()
        self._preferences = self._read_preferences()

    def _migrate(self) -> None:
        found = self._store.value("version")
        if found is None or int(found) == VERSION:
            self._store.setValue("version", VERSION)
            return
        # A newer or unknown layout of the file: the layout of docks cannot be trusted, the rest is
        # read key by key and falls back to defaults where it does not fit.
        self._store.remove("window")
        self._store.setValue("version", VERSION)

    def _read_preferences(self) -> Preferences:
        found: dict[str, Any] = {}
        for f in fields(Preferences):
            value = self._store.value(f"preferences/{f.name}")
            if value is None:
                continue
            try:
                found[f.name] = _as_type(value, type(f.default))
            except ValueError:
                self._store.remove(f"preferences/{f.name}")
        return replace(Preferences(), **found)

    @property
    def preferences(self) -> Preferences:
        """What the user chose."""
        return self._preferences

    def set_preferences(self, preferences: Preferences) -> None:
        """Keep new preferences and tell everybody."""
        self._preferences = preferences
        for f in fields(Preferences):
            self._store.setValue(f"preferences/{f.name}", getattr(preferences, f.name))
        self.preferences_changed.emit(preferences)

    @property
    def recent(self) -> list[Path]:
        """Folders opened before, newest first."""
        found = self._store.value("recent") or []
        return [Path(p) for p in ([found] if isinstance(found, str) else found)]

    def add_recent(self, folder: Path) -> None:
        """Put a folder at the top of the recent ones."""
        others = [str(p) for p in self.recent if p != folder]
        self._store.setValue("recent", [str(folder), *others][:RECENT_LIMIT])
        self.recent_changed.emit()

    def clear_recent(self) -> None:
        """Forget the recent folders."""
        self._store.remove("recent")
        self.recent_changed.emit()

    def layout(self) -> tuple[QByteArray, QByteArray] | None:
        """Geometry and dock state of the window, as they were saved."""
        geometry, state = self._store.value("window/geometry"), self._store.value("window/state")
        if isinstance(geometry, QByteArray) and isinstance(state, QByteArray):
            return geometry, state
        return None

    def set_layout(self, geometry: QByteArray, state: QByteArray) -> None:
        """Keep the window's geometry and dock state (two things: either may be refused)."""
        self._store.setValue("window/geometry", geometry)
        self._store.setValue("window/state", state)

    def forget_layout(self) -> None:
        """Start with the default layout next time."""
        self._store.remove("window")

    def presets(self) -> dict[str, dict[str, float]]:
        """The user's own weight presets: name to term to lambda."""
        found: dict[str, dict[str, float]] = {}
        self._store.beginGroup("presets")
        for name in self._store.childGroups():
            self._store.beginGroup(name)
            weights: dict[str, float] = {}
            for term in self._store.childKeys():
                try:
                    weights[term] = float(self._store.value(term))
                except (TypeError, ValueError):
                    continue
            found[name] = weights
            self._store.endGroup()
        self._store.endGroup()
        return found

    def set_preset(self, name: str, weights: dict[str, float]) -> None:
        """Keep weights under a name."""
        name = name.replace("/", "-").strip()
        self._store.remove(f"presets/{name}")
        for term, value in weights.items():
            self._store.setValue(f"presets/{name}/{term}", repr(float(value)))

    def remove_preset(self, name: str) -> None:
        """Forget a preset."""
        self._store.remove(f"presets/{name}")

    def shortcuts(self) -> dict[str, str]:
        """The user's own shortcuts: command key to Qt's portable text, "" = none."""
        self._store.beginGroup("shortcuts")
        found = {key: str(self._store.value(key) or "") for key in self._store.childKeys()}
        self._store.endGroup()
        return found

    def set_shortcuts(self, chosen: Mapping[str, str]) -> None:
        """Keep what differs from the defaults, and tell everybody."""
        self._store.remove("shortcuts")
        for key, text in chosen.items():
            self._store.setValue(f"shortcuts/{key}", text)
        self.shortcuts_changed.emit()

    def sync(self) -> None:
        """Write to disk now."""
        self._store.sync()


def _as_type(value: Any, kind: type) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "1"):
            return True
        if str(value).lower() in ("false", "0"):
            return False
        raise ValueError(value)
    return kind(value)
