"""The window: menus, toolbar, docks around the view, status line; views are wired here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from PyQt6.QtCore import QSize, QTimer
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QApplication, QMainWindow, QMessageBox, QWidget

from app import arrangement, commands, theme
from app.actions import ActionRegistry
from app.autosave import Autosave
from app.engine import Engine
from app.exports import ExportCommands
from app.files import FileCommands
from app.panels.losses import LossesPanel
from app.panels.people import PeoplePanel
from app.panels.report import ReportPanel
from app.panels.runs import RunsPanel
from app.panels.scale import ScalePanel
from app.panels.substages import SubStagesPanel
from app.panels.timeline import TimelinePanel
from app.panels.weights import WeightsPanel
from app.scene_title import SceneTitle
from app.session import Session
from app.settings import Preferences, Settings
from app.status import StatusLine
from app.view_area import ViewArea
from app.viewing import Viewing
from app.window_dialogs import WindowDialogs

DEFAULT_SIZE = QSize(1600, 1000)
"""Of the window, on its first start."""


def _make_view(parent: QWidget) -> Any:
    from app.viewport import SceneView

    return SceneView(parent)


class MainWindow(QMainWindow):
    """SMPL Refiner's one window.

    Parameters
    ----------
    settings
        What is remembered between starts.
    engine
        What refines.
    make_view
        Makes the 3-D view.
    autosave_folder
        Where copies of the session are kept; None = the user's own place.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Any | None = None,
        make_view: Callable[[QWidget], Any] = _make_view,
        autosave_folder: Path | None = None,
    ) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("SMPL Refiner")
        self.setAcceptDrops(True)
        self.settings = settings
        self.engine = engine if engine is not None else Engine()
        self.session = Session(self.engine, self)
        self.theme = theme.resolve(cast("theme.ThemeName", settings.preferences.theme))
        self._font_px = settings.preferences.font_px
        self._closing = False
        self.registry = ActionRegistry(self)
        self.viewing = Viewing(self)
        self.dialogs = WindowDialogs(self)
        self._make_panels()
        self.files = FileCommands(self)
        self.exports = ExportCommands(self)
        commands.register(self)
        self.area = ViewArea(self.registry, make_view, self)
        self.setCentralWidget(self.area)
        self.status = StatusLine(self.session, self)
        self.setStatusBar(self.status)
        self.docks = arrangement.make_docks(self)
        self.recent_menu = arrangement.make_menus(self)
        self.settings.recent_changed.connect(self._fill_recent)
        self._fill_recent()
        self.toolbar = arrangement.make_toolbar(self)
        self.title = SceneTitle(self)
        self.title.linkActivated.connect(lambda _: self.show_dock("report"))
        arrangement.place_title(self, self.title)
        self.autosave = Autosave(self.files.content, autosave_folder, self)
        # The view first: panels and texts then tell of what is on screen.
        self.viewing.connect()
        self._connect()
        self._use_shortcuts()
        self.apply_preferences(settings.preferences)
        self._default_layout = self.saveState()
        self._restore_layout()
        self._refresh()

    # Building

    def _make_panels(self) -> None:
        self.sub_stages = SubStagesPanel(self.session, self.registry)
        self.weights = WeightsPanel(self.session, self.settings, {})
        self.people = PeoplePanel(self.session)
        self.losses = LossesPanel(self.session)
        self.scale = ScalePanel(self.session)
        self.runs = RunsPanel(self.session)
        self.report = ReportPanel(self.session)
        self.timeline = TimelinePanel(self.session)

    def _fill_recent(self) -> None:
        arrangement.fill_recent(self, self.recent_menu)

    def _connect(self) -> None:
        session = self.session
        session.scene_changed.connect(self._on_scene)
        session.selection_changed.connect(self._refresh)
        session.activity_changed.connect(self._refresh)
        session.runs_changed.connect(self._refresh)
        session.losses_changed.connect(self._show_losses_note)
        session.losses_reset.connect(self._show_losses_note)
        session.scale_changed.connect(
            lambda: self.docks["scale"].title.note.setText(self.scale.heading())
        )
        session.failed.connect(self.dialogs.show_error)
        session.steering.prepared.connect(self.weights.set_unit_constants)
        session.live_changed.connect(lambda on: self.registry.set_checked("run.live", on))
        session.undo.indexChanged.connect(self._refresh)
        for signal in (session.config_changed, session.state_changed, session.runs_changed):
            signal.connect(self.autosave.note_change)
        self.autosave.saved.connect(self.status.note_saved)
        self.autosave.problem.connect(session.notice)
        self.settings.preferences_changed.connect(self.apply_preferences)
        self.settings.shortcuts_changed.connect(self._use_shortcuts)
        self.report.command_wanted.connect(lambda key: self.registry[key].trigger())
        self.area.empty.recent_chosen.connect(lambda f: self.files.open(Path(f)))
        hints = QGuiApplication.styleHints()
        if hints is not None:
            hints.colorSchemeChanged.connect(self._on_scheme)

    def _use_shortcuts(self) -> None:
        self.registry.use_shortcuts(self.registry.shortcuts(self.settings.shortcuts()))

    # Session to the window's own texts

    def _on_scene(self) -> None:
        opened = self.session.opened
        if opened is None:
            return
        self.title.show_scene(opened, self.theme)
        arrangement.place_title(self, self.title)
        self.setWindowTitle(f"{opened.folder.name} — SMPL Refiner")
        self.docks["people"].title.note.setText("frames seen  ·  height  ·  likelihood")
        self._refresh()
        self.losses.prepare()

    def _show_losses_note(self) -> None:
        session = self.session
        running = session.running_sub_stage()
        note = ""
        if running is not None and session.rows[running].final_loss is not None:
            row = session.rows[running]
            note = f"iteration {row.iterations}: {row.final_loss:.4g}"
        self.docks["losses"].title.note.setText(note)

    def _refresh(self, _: object = None) -> None:
        self.registry.refresh()
        waiting = self.session.busy and self.session.opened is None
        self.area.empty.show_doing(self.session.doing if waiting else "")
        paused = self.session.activity in ("paused", "pausing")
        self.registry["run.pause"].setText("Go on" if paused else "&Pause")
        undo = self.session.undo
        self.registry["edit.undo"].setText(f"&Undo {undo.undoText()}".rstrip())
        self.registry["edit.redo"].setText(f"&Redo {undo.redoText()}".rstrip())

    def select_next(self) -> None:
        """Select the next person; after the last one nobody."""
        session = self.session
        ids: list[int | None] = [*session.person_ids, None]
        session.select(ids[(ids.index(session.selection) + 1) % len(ids)])

    def toggle_pause(self) -> None:
        """Hold, or go on."""
        if self.session.activity in ("paused", "pausing"):
            self.session.resume()
        else:
            self.session.pause()

    # Looks

    def apply_preferences(self, preferences: Preferences) -> None:
        """Theme, text size, autosave, body."""
        self.session.body_folder = preferences.body_folder
        self.autosave.start(preferences.autosave_seconds)
        self._apply_theme(preferences)
        if preferences.font_px != self._font_px:
            # Rows of another height want other shares of the window.
            self._font_px = preferences.font_px
            arrangement.size_docks(self)

    def _apply_theme(self, preferences: Preferences) -> None:
        self.theme = theme.resolve(cast("theme.ThemeName", preferences.theme))
        application = QApplication.instance()
        if isinstance(application, QApplication):
            theme.apply(application, self.theme, preferences.font_px)
        self.registry.set_theme(self.theme)
        self.area.empty.set_theme(self.theme)
        for panel in (
            *(self.sub_stages, self.weights, self.people, self.losses),
            *(self.scale, self.runs, self.report, self.timeline),
        ):
            panel.set_theme(self.theme)
        for dock in self.docks.values():
            dock.set_theme(self.theme)
        self.viewing.set_theme(self.theme)
        self.title.show_scene(self.session.opened, self.theme)
        self.registry.set_checked(f"view.theme_{preferences.theme}", True)

    def apply_theme(self, name: str) -> None:
        """Use a theme without remembering it."""
        self._apply_theme(replace(self.settings.preferences, theme=name))

    def choose_theme(self, name: str) -> None:
        """Use and remember a theme."""
        self.settings.set_preferences(replace(self.settings.preferences, theme=name))

    def _on_scheme(self) -> None:
        if self.settings.preferences.theme == "system":
            self._apply_theme(self.settings.preferences)

    def arrange(self, size: QSize) -> None:
        """Default layout in a window of this size."""
        self.resize(size)
        arrangement.size_docks(self)

    def _restore_layout(self) -> None:
        screen = self.screen()
        room = screen.availableSize() if screen is not None else DEFAULT_SIZE
        self.arrange(DEFAULT_SIZE.boundedTo(room))
        saved = self.settings.layout()
        if saved is not None:
            self.restoreGeometry(saved[0])
            if not self.restoreState(saved[1]):
                self.settings.forget_layout()

    def show_dock(self, key: str) -> None:
        """Bring a panel to the front, also one that was hidden."""
        self.docks[key].show()
        self.docks[key].raise_()

    def reset_layout(self) -> None:
        """All docks back to their places."""
        self.settings.forget_layout()
        for dock in self.docks.values():
            dock.setFloating(False)
            dock.show()
        self.restoreState(self._default_layout)
        arrangement.size_docks(self)

    # Qt's events

    def dragEnterEvent(self, event) -> None:
        """Folders and session files may be dropped."""
        data = event.mimeData()
        if data is not None and data.hasUrls() and data.urls()[0].isLocalFile():
            event.acceptProposedAction()

    def dropEvent(self, event) -> None:
        """Open what was dropped."""
        data = event.mimeData()
        if data is not None and data.hasUrls():
            event.acceptProposedAction()
            path = Path(data.urls()[0].toLocalFile())
            # After the drop has ended: opening may show a dialog, and the source waits meanwhile.
            QTimer.singleShot(0, lambda: self.files.open(path))

    def closeEvent(self, event) -> None:
        """Ask during a run; stop and join the engine; then let the view go."""
        if self._closing:
            event.accept()
            return
        if self.session.run_active and not self._may_close():
            event.ignore()
            return
        self._closing = True
        self.settings.preferences_changed.disconnect(self.apply_preferences)
        self.session.undo.indexChanged.disconnect()
        self.settings.set_layout(self.saveGeometry(), self.saveState())
        self.exports.stop()
        if self.session.steering.must_finish:
            # What is being written was asked for: it is finished first.
            self.status.say("Finishing what is being written; the window closes after that.")
            self.status.repaint()
        else:
            self.hide()
        kept = self.session.worth_keeping
        self.session.shutdown()
        self.status.stop()
        self.autosave.finish(keep=kept)
        self.losses.release()
        # After the session: what stops playing starts its timer.
        self.viewing.shutdown()
        self.settings.sync()
        event.accept()

    def _may_close(self) -> bool:
        answer = QMessageBox.question(
            self,
            "A refinement is running",
            "A refinement is running. Stop it and quit?\n\n"
            "“Reopen last session” in the File menu brings back how far it had come.",
        )
        return answer == QMessageBox.StandardButton.Yes
