"""Keeps the 3-D view in step with the session, and passes on what the user wants to see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QObject, QTimer
from PyQt6.QtGui import QImage, QPainter, QRegion
from PyQt6.QtWidgets import QWidget

from app.runs import TITLES
from app.view_commands import DISPLAY
from app.viewport.interface import DisplayOptions, PersonStyle

if TYPE_CHECKING:
    from app.main_window import MainWindow
    from app.theme import Theme

_STILL_MS = 180
"""The view counts as still so long after the last frame was asked for."""


class Viewing(QObject):
    """The 3-D view of one window.

    Parameters
    ----------
    window
        Its session, registry and view area are used once :meth:`connect` was called.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._session = window.session
        self.display = DisplayOptions()
        self.still = QTimer(self)
        """Runs out when frames have stopped changing."""
        self.still.setSingleShot(True)
        self.still.setInterval(_STILL_MS)
        self.still.timeout.connect(self._on_still)

    def connect(self) -> None:
        """Follow the session from now on (the view area must be there)."""
        session, playback = self._session, self._session.playback
        session.scene_changed.connect(self._on_scene)
        session.state_changed.connect(self._on_state)
        session.ghost_changed.connect(self._on_ghost)
        session.selection_changed.connect(self._on_selection)
        session.people_changed.connect(self._on_people)
        session.rows_changed.connect(self.show_caption)
        session.activity_changed.connect(self.show_caption)
        session.activity_changed.connect(self._on_opening)
        session.runs_changed.connect(self.show_caption)
        playback.frame_changed.connect(self._on_frame)
        playback.playing_changed.connect(self._on_playing)
        self._window.area.bar.mode_chosen.connect(self.set_camera_mode)
        self._window.area.bar.confidence_chosen.connect(
            lambda value: self.change_display(depth_confidence=value)
        )

    @property
    def renderer(self) -> str:
        """Name of the OpenGL renderer; empty before the first frame."""
        view = self._window.area.view
        return str(view.gl_renderer) if view is not None else ""

    def view(self) -> Any:
        """The 3-D view, made at its first use."""
        window = self._window
        new = window.area.view is None
        view = window.area.ensure_view()
        if new:
            view.person_picked.connect(self._session.select)
            view.frame_drawn.connect(self._on_drawn)
            view.set_theme(window.theme)
            view.set_display(self.display)
            self._session.activity_changed.connect(self._on_activity)
        return view

    def set_theme(self, theme: Theme) -> None:
        """Colours of the view, where there is one."""
        if self._window.area.view is not None:
            self._window.area.view.set_theme(theme)

    # From the session

    def _on_opening(self) -> None:
        # Two cores: the view is made while the engine's thread reads the folder.
        if self._session.activity == "opening" and self._window.area.view is None:
            QTimer.singleShot(0, self._make_view)

    def _make_view(self) -> None:
        if self._window.isVisible():
            self.view()

    def _on_scene(self) -> None:
        session, window = self._session, self._window
        opened = session.opened
        window.registry.set_checked("view.before", False)
        if opened is None:
            return
        view = self.view()
        view.set_scene(opened.scene, opened.body, session.state)
        self._on_people()
        view.set_ghost(session.ghost_state)
        view.show_frame(session.playback.frame)
        window.area.show_view(True)
        view.setFocus()
        self._show_confidence()
        self.show_caption()

    def _on_state(self) -> None:
        if self._session.state is not None and not self._before:
            self.view().show_state(self._session.state)
            self.show_caption()

    def _on_activity(self) -> None:
        self.view().set_working(self._session.activity == "running")

    def _on_ghost(self) -> None:
        if self._session.scene is not None:
            self.view().set_ghost(self._session.ghost_state)
            if self._before:
                self.show_before(True)

    def _on_selection(self, person_id: int | None) -> None:
        if self._session.scene is not None:
            self.view().set_selection(person_id)

    def _on_people(self) -> None:
        session = self._session
        if session.scene is not None:
            self.view().set_people(
                {
                    i: PersonStyle(session.colour(i), i not in session.hidden)
                    for i in session.person_ids
                }
            )

    def _on_frame(self, frame: int) -> None:
        if self._session.scene is None:
            return
        view = self.view()
        if not self.still.isActive():
            view.set_moving(True)
        self.still.start()
        view.show_frame(frame)
        self.show_caption()

    def _on_still(self) -> None:
        if self._session.playback.playing or self._window.timeline.strip.scrubbing:
            self.still.start()
        elif self._window.area.view is not None:
            self._window.area.view.set_moving(False)

    def _on_playing(self, playing: bool) -> None:
        if not playing:
            self.still.start()

    def _on_drawn(self, seconds: float) -> None:
        self._window.status.note_frame(seconds, self.renderer)

    def show_caption(self) -> None:
        """What is seen: frame, and which state."""
        session = self._session
        parts = ["y up, metres", f"frame {session.playback.frame}"]
        running = session.running_sub_stage()
        if self._before:
            compared = session.ghost_run
            parts.append("before" if compared is None else f"run {compared}, compared")
        elif running is not None:
            parts.append(f"{TITLES[running]}, iteration {session.rows[running].iterations}")
        elif session.run_active and session.state is not session.initial_state:
            parts.append("between sub-stages")
        elif session.state is session.initial_state:
            parts.append("as imported")
        else:
            parts.append("refined")
        if self.display.ghost and not self._before and session.ghost_state is not session.state:
            compared = session.ghost_run
            parts.append("grey: before" if compared is None else f"grey: run {compared}")
        self._window.area.set_caption("  ·  ".join(parts))

    @property
    def _before(self) -> bool:
        return self._window.registry["view.before"].isChecked()

    # From the user

    def change_display(self, **changes: Any) -> None:
        """Draw other things: fields of ``DisplayOptions``."""
        self._on_display(replace(self.display, **changes))
        self.show_caption()
        if self._window.area.view is not None:
            self._window.area.view.set_display(self.display)

    def _on_display(self, options: DisplayOptions) -> None:
        self.display = options
        registry = self._window.registry
        for key, _, _, field, _ in DISPLAY:
            if registry[key].isChecked() != getattr(options, field):
                registry[key].setChecked(getattr(options, field))
        registry.set_checked(f"view.colour_{options.colouring}", True)
        self._show_confidence()

    def _show_confidence(self) -> None:
        scene = self._session.scene
        there = scene is not None and scene.depth is not None and self.display.depth
        self._window.area.bar.show_confidence(self.display.depth_confidence, there)

    def _leave_camera(self) -> None:
        through = self._window.registry["view.look_through"]
        if through.isChecked():
            through.setChecked(False)

    def set_camera_mode(self, mode: str) -> None:
        """Orbit, follow, top or side; ends looking through the camera."""
        self._leave_camera()
        self.view().set_camera_mode(mode)
        self._window.area.bar.show_mode(mode)
        self._window.registry.set_checked(f"view.mode_{mode}", True)

    def reset_camera(self) -> None:
        """Fit everything into the view."""
        self._leave_camera()
        self.view().reset_camera()

    def look_through(self, on: bool) -> None:
        """See through the frame's camera."""
        self.view().look_through(on)

    def show_before(self, on: bool) -> None:
        """Show the input's state (or the compared run's) instead of the result, or it again."""
        session = self._session
        state = session.ghost_state if on else session.state
        if state is not None:
            self.view().show_state(state)
        self.show_caption()

    def picture(self) -> QImage:
        """The whole window as a picture, the 3-D view included on every platform."""
        window = self._window
        image = window.grab().toImage()
        view = window.area.view
        if view is not None and view.isVisible() and not view.draws_on_screen:
            ratio = image.devicePixelRatio()
            painter = QPainter(image)
            at = view.mapTo(window, view.rect().topLeft())
            painter.drawImage(at, view.grab_image(view.size() * ratio))
            for widget in (window.area.bar, window.area.caption):
                place = widget.mapTo(window, widget.rect().topLeft())
                # Without the window's background, which would lie over the view as a band.
                widget.render(painter, place, QRegion(), QWidget.RenderFlag.DrawChildren)
            painter.end()
        return image

    def shutdown(self) -> None:
        """Stop the timer and let the view go; called once, before the window is closed."""
        self.still.stop()
        if self._window.area.view is not None:
            self._window.area.view.shutdown()
