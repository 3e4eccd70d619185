"""A window with a recorded engine, and fixtures that fail a test which leaves Qt objects behind."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings, QThread, QTimer
from PyQt6.QtWidgets import QApplication, QMessageBox

sys.path.insert(0, str(Path(__file__).parent))

from patience import PATIENCE_MS, PatientBot
from recorded import PlainView, RecordedEngine

from app.__main__ import prepare_opengl
from app.main_window import MainWindow
from app.settings import Settings


@pytest.fixture(scope="session")
def qapp_cls() -> type[QApplication]:
    # The surface format must be chosen before the application exists.
    prepare_opengl()
    return QApplication


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> PatientBot:
    """pytest-qt's robot with one generous patience for everything it waits for."""
    return PatientBot(request)


@pytest.fixture(autouse=True, scope="package")
def collected_between_tests_only() -> Iterator[None]:
    """Python collects cycles in whatever thread it is: a window must not end in the engine's."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def no_leaked_threads_or_timers(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fail a test after which a QThread runs or a QTimer is active that it started."""
    threads: list[QThread] = []
    timers: list[QTimer] = []
    start_thread, start_timer = QThread.start, QTimer.start

    def note_thread(self: QThread, *args: object) -> None:
        threads.append(self)
        start_thread(self, *args)

    def note_timer(self: QTimer, *args: int) -> None:
        timers.append(self)
        start_timer(self, *args)

    monkeypatch.setattr(QThread, "start", note_thread)
    monkeypatch.setattr(QTimer, "start", note_timer)
    yield
    qapp.processEvents()
    assert not [t for t in threads if _alive(t.isRunning)], "a thread is still running"
    left = [t for t in timers if _alive(t.isActive)]
    assert not left, f"timers are still active: {[t.parent() for t in left]}"
    gc.collect()


def _alive(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except RuntimeError:  # its C++ object is gone
        return False


@pytest.fixture(scope="session")
def kernels() -> None:
    """Everything compiled: where nothing was before, it takes longer than any test waits."""
    from refine_engine.warm import compile_kernels

    compile_kernels()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    store = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
    return Settings(store)


@pytest.fixture
def engine() -> RecordedEngine:
    return RecordedEngine()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "plaza_walk"
    made.mkdir()
    return made


@pytest.fixture
def window(
    qtbot: object,
    qapp: QApplication,
    settings: Settings,
    engine: RecordedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MainWindow]:
    """The real window over the recorded engine; closed (and joined) after the test."""
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.Yes)
    made = MainWindow(settings, engine, PlainView, tmp_path / "unfinished")
    # What the window would take back or do after some seconds, in the middle of a slow test.
    made.status._notice_timer.setInterval(10 * PATIENCE_MS)
    made.autosave.start(0)
    made.resize(1600, 1000)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)  # type: ignore[attr-defined]
    yield made
    made.close()
    made.deleteLater()
    qapp.processEvents()


@pytest.fixture
def opened(window: MainWindow, folder: Path, qtbot: object) -> MainWindow:
    """The window with a folder open."""
    with qtbot.waitSignal(window.session.scene_changed):  # type: ignore[attr-defined]
        window.files.open(folder)
    return window
