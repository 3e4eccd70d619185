"""The 3-D view of the window: what :mod:`app.viewport.interface` promises, as a Qt widget."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QPainter, QPen
from PyQt6.QtWidgets import QVBoxLayout, QWidget
from vtkmodules.vtkRenderingCore import vtkRenderer

from app.theme import DARK, Theme
from app.viewport.annotations import Annotations, projected
from app.viewport.drawing import Drawing
from app.viewport.extent import extent_of
from app.viewport.fine_picture import FinePicture
from app.viewport.hand import Hand
from app.viewport.interface import CameraMode, DisplayOptions, PersonStyle
from app.viewport.orbit import Viewpoint
from app.viewport.picking import PeoplePicker
from app.viewport.view_camera import ViewCamera
from app.viewport.vtk_widget import is_software, make_canvas
from refine_engine.scene import Scene
from refine_engine.state import OptimizationState

Array = NDArray[np.float64]

IDLE_MS = 220
"""After so long without movement the view is drawn at full quality."""
REFINING_IDLE_MS = 1200
"""The same after another state: more are to be expected."""
SHARE_FOR_DRAWING = 0.5
"""While refining at most this share of the time is spent on drawing."""


class SceneView(QWidget):
    """People, ground, depth and cameras of one scene.

    Drag to turn, with the right button (or Shift) to shift, wheel to zoom at the mouse, click a
    person to choose them, double-click to look at them. With the keyboard: Shift and arrows turn,
    plus and minus zoom.
    """

    person_picked = pyqtSignal(object)
    frame_drawn = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("3-D view")
        self.theme = DARK
        self.vtk_renderer = vtkRenderer()
        self.drawing = Drawing(self.vtk_renderer, self.theme)
        # Smooth the edges of surfaces, but leave single points as sharp as they are.
        self.vtk_renderer.GetFXAAOptions().SetSubpixelBlendLimit(0.0)
        self._camera = ViewCamera(self.vtk_renderer, self.drawing)
        self.canvas = make_canvas(self.vtk_renderer, self)
        self.drawing.may_be_coarse = not self.canvas.on_screen
        self.canvas.before_frame = self._before_frame
        self.canvas.overlay = self._paint_overlay
        self._hand = Hand(self)
        self.canvas.installEventFilter(self._hand)
        self.canvas.drawn.connect(self._on_drawn)
        self.setFocusProxy(self.canvas)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.canvas)
        self.film = self.drawing.evidence.film
        self.film.arrived.connect(self._on_picture)
        self._picker = PeoplePicker(self.vtk_renderer, self.drawing)
        self._annotations = Annotations(self.drawing)
        self._pictures = FinePicture(self.canvas, self.vtk_renderer, self.drawing)
        self._moving = self._working = self._focused = False
        self._closed = False
        self._last_seconds = 0.0
        self._last_end = 0.0
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE_MS)
        self._idle.timeout.connect(self._on_idle)
        self._pace = QTimer(self)
        self._pace.setSingleShot(True)
        self._pace.setTimerType(Qt.TimerType.PreciseTimer)
        self._pace.timeout.connect(self.canvas.request)

    # What the window asks

    @property
    def gl_renderer(self) -> str:
        """Name of the OpenGL renderer; empty before the first frame."""
        return self.canvas.renderer_name

    @property
    def draws_on_screen(self) -> bool:
        """False on platforms without OpenGL widgets."""
        return self.canvas.on_screen

    def set_scene(
        self, scene: Scene | None, body: Any | None, state: OptimizationState | None
    ) -> None:
        """Show another scene, or none."""
        self.drawing.set_scene(scene, body, state)
        extent = None
        if scene is not None and self.drawing.bodies is not None:
            extent = extent_of(scene, self.drawing.bodies)
            self.drawing.ground.set_extent(extent.centre, extent.radius)
        self._camera.set_extent(extent)
        self.reset_camera()

    def set_people(self, styles: Mapping[int, PersonStyle]) -> None:
        """Colours and visibility by person id."""
        self.drawing.set_styles(styles)
        self.request_render()

    def show_frame(self, index: int) -> None:
        """Show a video frame."""
        self.drawing.set_frame(index)
        self._hurry()
        self.request_render()

    def show_state(self, state: OptimizationState) -> None:
        """Show another state of the same scene, paced so that drawing leaves time to refine."""
        self.drawing.set_state(state)
        self._hurry(REFINING_IDLE_MS)
        wait = self._last_end + self._last_seconds / SHARE_FOR_DRAWING - self._last_seconds
        left = math.ceil(1000.0 * (wait - time.perf_counter()))
        if left > 0:
            if not self._pace.isActive():
                self._pace.start(left)
        else:
            self.request_render()

    def set_ghost(self, state: OptimizationState | None) -> None:
        """The state that is drawn in grey beside the present one."""
        self.drawing.set_ghost(state)
        self.request_render()

    def set_selection(self, person_id: int | None) -> None:
        """Highlight one person."""
        self.drawing.set_selection(person_id)
        self._camera.follow_another()
        self.request_render()

    def set_display(self, options: DisplayOptions) -> None:
        """Draw other things."""
        self.drawing.set_options(options)
        self.request_render()

    def set_camera_mode(self, mode: CameraMode) -> None:
        """Orbit, follow, from above or from the side."""
        self._camera.set_mode(mode, self._pixels())
        self.request_render()

    def look_through(self, on: bool) -> None:
        """See through the present frame's camera."""
        self._camera.reset_window()
        self.drawing.set_through(on)
        self.request_render()

    def reset_camera(self) -> None:
        """Fit everything into view from the mode's default direction."""
        self._camera.reset(self._pixels())
        self.request_render()

    @property
    def viewpoint(self) -> Viewpoint:
        """Where the view looks at and from, when not through a camera."""
        return self._camera.viewpoint

    @property
    def mode(self) -> CameraMode:
        """How the view moves."""
        return self._camera.mode

    def turn(self, degrees: float) -> None:
        """Turn the viewpoint about the vertical through the focal point."""
        self._move_to(self.viewpoint.about_vertical(math.radians(degrees)))

    def set_moving(self, moving: bool) -> None:
        """True while scrubbing or playing: thin the point cloud."""
        self._moving = moving
        self._hurry()
        self.request_render()

    def set_working(self, working: bool) -> None:
        """True while the engine refines: pictures at rest, which take long, wait until it ends."""
        if working != self._working:
            self._working = working
            self._hurry()

    def set_theme(self, theme: Theme) -> None:
        """Background, grid and text colours."""
        self.theme = theme
        self.drawing.set_theme(theme)
        self.request_render()

    def request_render(self) -> None:
        """Ask for one repaint."""
        if not self._closed:
            self._pace.stop()
            self.canvas.request()

    def grab_image(self, size: QSize | None = None) -> QImage:
        """The view as a picture with names and scale bar, drawn now at full quality."""
        layout = self.layout()
        if layout is not None:
            layout.activate()  # a view that was not shown yet has not laid out its canvas
        ratio = self.canvas.device_ratio()
        here = self._pixels()
        if size is None:
            size = QSize(round(here[0] * ratio), round(here[1] * ratio))
        image = self._pictures.take(size, self._annotate)
        self.request_render()
        return image

    def shutdown(self) -> None:
        """Stop timers, drop props, finalise OpenGL."""
        if self._closed:
            return
        self._closed = True
        self._idle.stop()
        self._pace.stop()
        self.film.stop()
        self.canvas.before_frame = None
        self.canvas.overlay = None
        self.canvas.removeEventFilter(self._hand)
        self.drawing.set_scene(None, None, None)
        self.vtk_renderer.RemoveAllViewProps()
        self.canvas.finalise()

    # For tests and the overlay

    def project(self, points: Array) -> Array:
        """(n, 2) pixels of the view (from the upper left) of world points (n, 3)."""
        self._prepare(self._pixels())
        return projected(self.vtk_renderer.GetActiveCamera(), points, self._pixels())[0]

    def pick(self, x: float, y: float) -> int | None:
        """Person at a pixel of the view, from the upper left."""
        hit = self._hit(QPointF(x, y))
        return None if hit is None else hit[0]

    # Input, called by the hand below

    def click(self, at: QPointF) -> None:
        """Choose who is there, or nobody."""
        hit = self._hit(at)
        self.person_picked.emit(None if hit is None else hit[0])

    def look_at(self, at: QPointF) -> None:
        """Make the point under the mouse the focal point."""
        hit = self._hit(at)
        if hit is not None and not self.drawing.through:
            self._camera.look_at(hit[1])
            self._moved()

    def drag(self, dx: float, dy: float, shift: bool) -> None:
        """Turn, or shift."""
        if self._camera.drag(dx, dy, shift, self.canvas.height()):
            self._moved()

    def show_focus(self, on: bool) -> None:
        """Frame the view while keys that were brought here by keys go to it."""
        self._focused = on
        self.request_render()

    def zoom(self, steps: float, at: QPointF | None = None) -> None:
        """Nearer by some notches of the wheel, at a point of the view."""
        width, height = self._pixels()
        place = (width / 2, height / 2) if at is None else (at.x(), at.y())
        if self._camera.zoom(steps, place, (width, height)):
            self._moved()

    # Inside

    def _move_to(self, viewpoint: Viewpoint) -> None:
        self._camera.move_to(viewpoint)
        self._moved()

    def _moved(self) -> None:
        self._hurry()
        self.request_render()

    def _pixels(self) -> tuple[int, int]:
        return max(self.canvas.width(), 1), max(self.canvas.height(), 1)

    def _hurry(self, rest_ms: int = IDLE_MS) -> None:
        """Something moves: thin now, whole again once it rests."""
        if self._moving or is_software(self.gl_renderer):
            self.drawing.set_thin(True)
            self._set_smooth(False)
        if not self._closed:
            self._idle.start(max(rest_ms, self._idle.remainingTime()))

    def _on_idle(self) -> None:
        if self._moving or self._working:
            return
        self.drawing.set_thin(False)
        self._set_smooth(True)
        self.request_render()

    def _set_smooth(self, smooth: bool) -> None:
        self.vtk_renderer.SetUseFXAA(smooth)

    def _set_ratio(self, ratio: float) -> None:
        if ratio != self.drawing.ratio:
            self.drawing.ratio = ratio
            self.drawing.invalidate()

    def _on_picture(self) -> None:
        self.drawing.invalidate("camera", "cloud", "backdrop")
        self.request_render()

    def _on_drawn(self, seconds: float) -> None:
        self._last_seconds, self._last_end = seconds, time.perf_counter()
        self.frame_drawn.emit(seconds)

    def _before_frame(self) -> None:
        self._set_ratio(self._pictures.ratio or self.canvas.device_ratio())
        self._prepare(self.canvas.window_.GetSize())

    def _prepare(self, size: tuple[int, int]) -> None:
        """Bring props and camera up to date for a picture of ``size`` pixels."""
        pixels = self._pixels()
        self._camera.fit(pixels)
        self.drawing.refresh()
        self._camera.apply(size, pixels)
        self.drawing.crowd.settle()

    def _hit(self, at: QPointF) -> tuple[int, Array] | None:
        size = self._pixels()
        self._prepare(self.canvas.window_.GetSize())
        return self._picker.person_at((at.x(), at.y()), size, self.canvas.window_.GetSize())

    def _paint_overlay(self, painter: QPainter, size: QSize) -> None:
        self._annotate(painter, (float(size.width()), float(size.height())))
        if self._focused:
            painter.setPen(QPen(QColor(self.theme.accent), 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(1, 1, size.width() - 2, size.height() - 2)

    def _annotate(self, painter: QPainter, size: tuple[float, float]) -> None:
        metres = self.viewpoint.metres_per_pixel(round(size[1]))
        camera = self.vtk_renderer.GetActiveCamera()
        self._annotations.paint(painter, size, self.font(), camera, metres)
