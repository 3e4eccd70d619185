"""The window: menus, toolbar, docks around the view, status line; views are wired here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from PyQt6.QtCore import QTimer
from PyQt6.QtGui import QGuiApplication, QImage, QPainter, QRegion
from PyQt6.QtWidgets import (
    QApplication,
    QDialog,
    QLabel,
    QMainWindow,
    QMessageBox,
    QWidget,
)

from app import arrangement, commands, theme
from app.actions import ActionRegistry
from app.autosave import Autosave
from app.dialogs.about import AboutDialog
from app.dialogs.message import ErrorDialog
from app.dialogs.palette import PaletteDialog, ShortcutsDialog
from app.dialogs.preferences import PreferencesDialog
from app.engine import Engine
from app.errors import ErrorReport, system_information
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
from app.runs import TITLES
from app.session import Session
from app.settings import Preferences, Settings
from app.status import StatusLine
from app.view_area import ViewArea
from app.view_commands import DISPLAY
from app.viewport.interface import DisplayOptions, PersonStyle


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
        self.display = DisplayOptions()
        self.theme = theme.resolve(cast("theme.ThemeName", settings.preferences.theme))
        self._closing = False
        self._errors: list[ErrorDialog] = []
        self.registry = ActionRegistry(self)
        self._make_panels()
        self.files = FileCommands(self)
        self.exports = ExportCommands(self)
        commands.register(self)
        self.area = ViewArea(self.registry, make_view, self)
        self.setCentralWidget(self.area)
        self.status = StatusLine(self.session, self)
        self.setStatusBar(self.status)
        self.docks = arrangement.make_docks(self)
        arrangement.size_docks(self)
        self.recent_menu = arrangement.make_menus(self)
        self.settings.recent_changed.connect(self._fill_recent)
        self._fill_recent()
        self.toolbar = arrangement.make_toolbar(self)
        self.title = QLabel("", self)
        self.title.setProperty("role", "small")
        self.title.setContentsMargins(0, 7, 14, 7)
        arrangement.place_title(self, self.title)
        self.autosave = Autosave(self.files.content, autosave_folder, self)
        self._moving = QTimer(self)
        self._moving.setSingleShot(True)
        self._moving.setInterval(180)
        self._moving.timeout.connect(self._on_still)
        self._connect()
        self.apply_preferences(settings.preferences)
        self._default_layout = self.saveState()
        self._restore_layout()
        self._refresh()

    # Building

    def _make_panels(self) -> None:
        self.sub_stages = SubStagesPanel(self.session)
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
        session.state_changed.connect(self._on_state)
        session.ghost_changed.connect(self._on_ghost)
        session.selection_changed.connect(self._on_selection)
        session.people_changed.connect(self._on_people)
        session.activity_changed.connect(self._refresh)
        session.runs_changed.connect(self._refresh)
        session.losses_changed.connect(self._show_losses_note)
        session.losses_reset.connect(self._show_losses_note)
        session.rows_changed.connect(self._show_caption)
        session.scale_changed.connect(
            lambda: self.docks["scale"].title.note.setText(self.scale.heading())
        )
        session.failed.connect(self.show_error)
        session.live_changed.connect(lambda on: self.registry.set_checked("run.live", on))
        session.undo.indexChanged.connect(lambda _: self._refresh())
        for signal in (session.config_changed, session.state_changed, session.runs_changed):
            signal.connect(self.autosave.note_change)
        playback = session.playback
        playback.frame_changed.connect(self._on_frame)
        playback.playing_changed.connect(self._on_playing)
        self.autosave.saved.connect(self.status.note_saved)
        self.autosave.problem.connect(session.notice)
        self.settings.preferences_changed.connect(self.apply_preferences)
        bar = self.area.bar
        bar.mode_chosen.connect(self.set_camera_mode)
        bar.colouring_chosen.connect(lambda key: self.change_display(colouring=key))
        bar.confidence_chosen.connect(lambda value: self.change_display(depth_confidence=value))
        self.area.empty.recent_chosen.connect(lambda f: self.files.open(Path(f)))
        hints = QGuiApplication.styleHints()
        if hints is not None:
            hints.colorSchemeChanged.connect(self._on_scheme)

    # Session to views

    def _view(self) -> Any:
        new = self.area.view is None
        view = self.area.ensure_view()
        if new:
            view.person_picked.connect(self.session.select)
            view.frame_drawn.connect(self._on_drawn)
            view.display_changed.connect(self._on_display)
            view.set_theme(self.theme)
            view.set_display(self.display)
        return view

    def _on_scene(self) -> None:
        session, view = self.session, self._view()
        opened = session.opened
        self.registry.set_checked("view.before", False)
        if opened is None:
            return
        view.set_scene(opened.scene, opened.body, session.state)
        self._on_people()
        view.set_ghost(session.ghost_state)
        view.show_frame(session.playback.frame)
        self.area.show_view(True)
        self.area.bar.show_confidence(
            self.display.depth_confidence, opened.scene.depth is not None and self.display.depth
        )
        self.weights.set_unit_constants(opened.unit_constants)
        people, frames, fps = len(session.person_ids), opened.scene.num_frames, opened.scene.fps
        repairs = self.report.repairs()
        parts = [
            opened.folder.name,
            f"{people} people, {frames} frames, {fps:g} fps",
            f"{repairs} {'repair' if repairs == 1 else 'repairs'} on opening"
            if repairs
            else "nothing to repair",
        ]
        self.title.setText("  ·  ".join(parts))
        self.title.setToolTip(str(opened.folder))
        arrangement.place_title(self, self.title)
        self.setWindowTitle(f"{opened.folder.name} — SMPL Refiner")
        self.docks["people"].title.note.setText("frames seen  ·  height  ·  likelihood")
        self._show_caption()
        self._refresh()
        self.losses.prepare()

    def _on_state(self) -> None:
        if self.session.state is not None and not self.registry["view.before"].isChecked():
            self._view().show_state(self.session.state)
            self._show_caption()

    def _on_ghost(self) -> None:
        if self.session.scene is not None:
            self._view().set_ghost(self.session.ghost_state)

    def _on_selection(self, person_id: int | None) -> None:
        if self.session.scene is not None:
            self._view().set_selection(person_id)
        self._refresh()

    def _on_people(self) -> None:
        session = self.session
        if session.scene is not None:
            self._view().set_people(
                {
                    i: PersonStyle(session.colour(i), i not in session.hidden)
                    for i in session.person_ids
                }
            )

    def _on_frame(self, frame: int) -> None:
        if self.session.scene is None:
            return
        view = self._view()
        if not self._moving.isActive():
            view.set_moving(True)
        self._moving.start()
        view.show_frame(frame)
        self._show_caption()

    def _on_still(self) -> None:
        if self.session.playback.playing or self.timeline.strip.scrubbing:
            self._moving.start()
        elif self.area.view is not None:
            self.area.view.set_moving(False)

    def _on_playing(self, playing: bool) -> None:
        if not playing:
            self._moving.start()

    def _on_drawn(self, seconds: float) -> None:
        self.session.steering.seconds_per_frame = seconds
        self.status.note_frame(seconds, self.area.view.gl_renderer if self.area.view else "")

    def _show_caption(self) -> None:
        session = self.session
        parts = ["y up, metres", f"frame {session.playback.frame}"]
        if self.registry["view.before"].isChecked():
            parts.append("before")
        else:
            running = session.running_sub_stage()
            if running is not None:
                parts.append(f"{TITLES[running]}, iteration {session.rows[running].iterations}")
            elif session.shown_output is not None:
                parts.append("refined")
            else:
                parts.append("as imported")
        self.area.set_caption("  ·  ".join(parts))

    def _show_losses_note(self) -> None:
        session = self.session
        running = session.running_sub_stage()
        note = ""
        if running is not None and session.rows[running].final_loss is not None:
            row = session.rows[running]
            note = f"iteration {row.iterations}: {row.final_loss:.4g}"
        self.docks["losses"].title.note.setText(note)

    def _refresh(self) -> None:
        self.registry.refresh()
        paused = self.session.activity in ("paused", "pausing")
        action = self.registry["run.pause"]
        action.setText("Go on" if paused else "&Pause")
        self._show_caption()

    # Intents of the user

    def change_display(self, **changes: Any) -> None:
        """Draw other things."""
        self._on_display(replace(self.display, **changes))
        if self.area.view is not None:
            self.area.view.set_display(self.display)

    def _on_display(self, options: DisplayOptions) -> None:
        self.display = options
        for key, _, _, field, _ in DISPLAY:
            action = self.registry[key]
            if action.isChecked() != getattr(options, field):
                action.setChecked(getattr(options, field))
        scene = self.session.scene
        there = scene is not None and scene.depth is not None and options.depth
        self.area.bar.show_confidence(options.depth_confidence, there)
        self.area.bar.colouring = options.colouring

    def set_camera_mode(self, mode: str) -> None:
        """Orbit, follow, top or side; ends looking through the camera."""
        if self.registry["view.look_through"].isChecked():
            self.registry["view.look_through"].setChecked(False)
        self._view().set_camera_mode(mode)
        self.area.bar.show_mode(mode)

    def reset_camera(self) -> None:
        """Fit everything into the view."""
        if self.registry["view.look_through"].isChecked():
            self.registry["view.look_through"].setChecked(False)
        self._view().reset_camera()

    def look_through(self, on: bool) -> None:
        """See through the frame's camera."""
        self._view().look_through(on)

    def show_before(self, on: bool) -> None:
        """Show the input's state instead of the result, or the result again."""
        session = self.session
        state = session.ghost_state if on else session.state
        if state is not None:
            self._view().show_state(state)
        self._show_caption()

    def toggle_pause(self) -> None:
        """Hold, or go on."""
        if self.session.activity in ("paused", "pausing"):
            self.session.resume()
        else:
            self.session.pause()

    # Dialogs

    def show_error(self, failure: ErrorReport) -> None:
        """A dialog with a report that can be copied; the program goes on behind it."""
        dialog = ErrorDialog(failure, self)
        self._errors.append(dialog)
        dialog.finished.connect(lambda _: self._errors.remove(dialog))
        dialog.open()

    def show_preferences(self) -> None:
        """Edit preferences."""
        dialog = PreferencesDialog(self.settings.preferences, self)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            self.settings.set_preferences(dialog.preferences)
        dialog.deleteLater()

    def show_palette(self) -> None:
        """The command palette, below the menu."""
        dialog = PaletteDialog(self.registry, self)
        top = self.mapToGlobal(self.rect().topLeft())
        dialog.move(top.x() + (self.width() - dialog.width()) // 2, top.y() + 70)
        dialog.open()

    def show_shortcuts(self) -> None:
        """All shortcuts."""
        ShortcutsDialog(self.registry, self).open()

    def show_about(self) -> None:
        """Versions and licences."""
        opened = self.session.opened
        body = str(getattr(opened.body, "name", "")) if opened else ""
        AboutDialog(self._renderer(), body, self).open()

    def copy_system_information(self) -> None:
        """Versions to the clipboard."""
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(system_information(self._renderer()))
            self.session.notice.emit("System information copied.")

    def offer_recovery(self) -> None:
        """After a crash: offer the session that was kept aside."""
        leftovers = self.autosave.leftovers()
        if not leftovers:
            return
        answer = QMessageBox.question(
            self,
            "Recover the last session?",
            "The program ended unexpectedly last time. Load the session that was kept aside?",
        )
        if answer == QMessageBox.StandardButton.Yes:
            self.files.load_session(leftovers[0])
        for path in leftovers:
            path.unlink(missing_ok=True)

    def _renderer(self) -> str:
        return str(self.area.view.gl_renderer) if self.area.view is not None else ""

    # Looks

    def apply_preferences(self, preferences: Preferences) -> None:
        """Theme, text size, autosave, body."""
        self.session.body_folder = preferences.body_folder
        self.autosave.start(preferences.autosave_seconds)
        self._apply_theme(preferences)

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
        if self.area.view is not None:
            self.area.view.set_theme(self.theme)

    def apply_theme(self, name: str) -> None:
        """Use a theme without remembering it."""
        self._apply_theme(replace(self.settings.preferences, theme=name))

    def choose_theme(self, name: str) -> None:
        """Use and remember a theme."""
        self.settings.set_preferences(replace(self.settings.preferences, theme=name))

    def _on_scheme(self) -> None:
        if self.settings.preferences.theme == "system":
            self._apply_theme(self.settings.preferences)

    def _restore_layout(self) -> None:
        self.resize(1600, 1000)
        saved = self.settings.layout()
        if saved is not None:
            self.restoreGeometry(saved[0])
            if not self.restoreState(saved[1]):
                self.settings.forget_layout()

    def reset_layout(self) -> None:
        """All docks back to their places."""
        self.settings.forget_layout()
        for dock in self.docks.values():
            dock.setFloating(False)
            dock.show()
        self.restoreState(self._default_layout)
        arrangement.size_docks(self)

    def picture(self) -> QImage:
        """The whole window as a picture, the 3-D view included on every platform."""
        image = self.grab().toImage()
        view = self.area.view
        if view is not None and view.isVisible() and not view.draws_on_screen:
            ratio = image.devicePixelRatio()
            painter = QPainter(image)
            at = view.mapTo(self, view.rect().topLeft())
            painter.drawImage(at, view.grab_image(view.size() * ratio))
            for widget in (self.area.bar, self.area.caption):
                place = widget.mapTo(self, widget.rect().topLeft())
                # Without the window's background, which would lie over the view as a band.
                widget.render(painter, place, QRegion(), QWidget.RenderFlag.DrawChildren)
            painter.end()
        return image

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
        self.session.undo.indexChanged.disconnect()
        self.settings.set_layout(self.saveGeometry(), self.saveState())
        self.exports.stop()
        self.session.shutdown()
        # After the session: what stops playing starts one of these timers.
        self._moving.stop()
        self.status.stop()
        self.autosave.finish()
        self.losses.release()
        if self.area.view is not None:
            self.area.view.shutdown()
        self.settings.sync()
        event.accept()

    def _may_close(self) -> bool:
        answer = QMessageBox.question(
            self,
            "A refinement is running",
            "A refinement is running. Stop it, discard it and quit?",
        )
        return answer == QMessageBox.StandardButton.Yes
