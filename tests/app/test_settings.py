from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QSettings

from app.settings import RECENT_LIMIT, Preferences, Settings


def again(tmp_path: Path) -> Settings:
    return Settings(QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat))


def test_preferences_come_back_with_their_types(tmp_path: Path, settings: Settings) -> None:
    chosen = Preferences("light", 15, 0, "/bodies", False, True)
    settings.set_preferences(chosen)
    settings.sync()
    assert again(tmp_path).preferences == chosen


def test_damaged_values_fall_back_one_by_one(tmp_path: Path) -> None:
    store = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    store.setValue("preferences/font_px", "large")
    store.setValue("preferences/autosave_seconds", "45")
    store.sync()
    found = again(tmp_path).preferences
    assert found.font_px == Preferences().font_px
    assert found.autosave_seconds == 45


def test_another_version_forgets_only_the_layout(tmp_path: Path) -> None:
    store = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    store.setValue("version", 99)
    store.setValue("window/state", b"x")
    store.setValue("recent", ["/a"])
    store.sync()
    found = again(tmp_path)
    assert found.layout() is None
    assert found.recent == [Path("/a")]


def test_recent_folders_are_newest_first_without_repeats(settings: Settings) -> None:
    for number in range(RECENT_LIMIT + 3):
        settings.add_recent(Path(f"/folder{number}"))
    settings.add_recent(Path("/folder5"))
    assert settings.recent[0] == Path("/folder5")
    assert len(settings.recent) == len(set(settings.recent)) == RECENT_LIMIT
    settings.clear_recent()
    assert settings.recent == []


def test_presets_come_back_exactly(tmp_path: Path, settings: Settings) -> None:
    settings.set_preset("a/b", {"data": 0.1, "skate": 1e-7})
    settings.sync()
    assert again(tmp_path).presets() == {"a-b": {"data": 0.1, "skate": 1e-7}}
    settings.remove_preset("a-b")
    assert settings.presets() == {}
