"""The 3-D view of the window: what :mod:`app.viewport.interface` promises, as a Qt widget."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QImage, QPainter
from PyQt6.QtWidgets import QVBoxLayout, QWidget
from vtkmodules.vtkRenderingCore import vtkRenderer

from app.theme import DARK, Theme
from app.viewport.annotations import Annotations, projected
from app.viewport.drawing import Drawing
from app.viewport.extent import Extent, extent_of
from app.viewport.hand import Hand
from app.viewport.interface import CameraMode, DisplayOptions, PersonStyle
from app.viewport.look_through import ImageWindow
from app.viewport.orbit import ZOOM_PER_NOTCH, Margin, Viewpoint
from app.viewport.people import BONES
from app.viewport.picking import PeoplePicker, nearest_skeleton
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
DEFAULT_TURN, DEFAULT_ELEVATION = math.radians(34.0), math.radians(19.0)
PICTURE_OVERSAMPLING = 2
FINE_PICTURE = 1_300_000
"""Pixels up to which a picture is drawn twice as large and scaled down; larger ones (of films,
above all) have their edges smoothed like the view at rest, in a quarter of the time."""


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
        self.viewpoint = Viewpoint()
        self.mode: CameraMode = "orbit"
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
        self._extent: Extent | None = None
        self._image_window = ImageWindow()
        self._picker = PeoplePicker()
        self._annotations = Annotations(self.drawing)
        self._followed: Array | None = None
        self._fitted_size: tuple[int, int] | None = None
        self._picture_ratio: float | None = None
        self._moving = self._working = False
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
        self._extent = self._followed = None
        self._image_window = ImageWindow()
        if scene is not None and self.drawing.bodies is not None:
            self._extent = extent_of(scene, self.drawing.bodies)
            self.drawing.ground.set_extent(self._extent.centre, self._extent.radius)
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
        self._followed = None
        self.request_render()

    def set_display(self, options: DisplayOptions) -> None:
        """Draw other things."""
        self.drawing.set_options(options)
        self.request_render()

    def set_camera_mode(self, mode: CameraMode) -> None:
        """Orbit, follow, from above or from the side."""
        left_flat = self.viewpoint.parallel and mode in ("orbit", "follow")
        self.mode = mode
        self._followed = None
        if mode in ("top", "side") or left_flat:
            self.reset_camera()
        self.request_render()

    def look_through(self, on: bool) -> None:
        """See through the present frame's camera."""
        self._image_window = ImageWindow()
        self.drawing.set_through(on)
        self.request_render()

    def reset_camera(self) -> None:
        """Fit everything into view from the mode's default direction."""
        self._image_window = ImageWindow()
        extent = self._extent
        azimuth = extent.camera_azimuth if extent is not None else 0.0
        point = Viewpoint(azimuth=azimuth + DEFAULT_TURN, elevation=DEFAULT_ELEVATION)
        if self.mode == "top":
            point = Viewpoint(azimuth=azimuth, elevation=math.radians(89.0), parallel=True)
        elif self.mode == "side":
            side = azimuth + math.pi / 2
            point = Viewpoint(azimuth=side, elevation=math.radians(2.0), parallel=True)
        if extent is not None:
            self._fitted_size = self._pixels()
            point = point.fitted(extent.corners, self._fitted_size, Margin())
        self.viewpoint = point
        self._followed = None
        self.request_render()

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
        # Painted things keep their size beside the picture: a larger picture is a finer one.
        points = max(1.0, min(size.width() / 640.0, size.height() / 400.0, ratio))
        finer = size.width() * size.height() <= FINE_PICTURE
        times = PICTURE_OVERSAMPLING if finer else 1
        thin = self.drawing.thin
        smooth = bool(self.vtk_renderer.GetUseFXAA())
        self.drawing.set_thin(False)
        self.film.at_once = True
        self._on_picture()
        self._picture_ratio = points * times
        self._set_smooth(not finer)
        fine = self.canvas.grab_picture(size * times)
        self._set_smooth(smooth)
        self._picture_ratio = None
        self.film.at_once = False
        self.drawing.set_thin(thin)
        image = fine.scaled(
            size,
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        image = image.convertToFormat(QImage.Format.Format_RGB32)
        if not image.isNull():
            image.setDevicePixelRatio(points)
            painter = QPainter(image)
            self._annotate(painter, (size.width() / points, size.height() / points))
            painter.end()
            image.setDevicePixelRatio(1.0)
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
            self._followed = None
            self._move_to(self.viewpoint.looking_at(hit[1]))

    def drag(self, dx: float, dy: float, shift: bool) -> None:
        """Turn, or shift."""
        if self.drawing.through:
            if self._image_window.zoom > 1.0:
                x, y = self._image_window.shift
                self._image_window = replace(self._image_window, shift=(x + dx, y + dy))
                self._hurry()
                self.request_render()
        elif shift or self.mode == "top":
            self._move_to(self.viewpoint.shifted(dx, dy, self.canvas.height()))
        elif self.mode == "side":
            self._move_to(self.viewpoint.turned(dx, 0.0))
        else:
            self._move_to(self.viewpoint.turned(dx, dy))

    def zoom(self, steps: float, at: QPointF | None = None) -> None:
        """Nearer by some notches of the wheel, at a point of the view."""
        width, height = self._pixels()
        x, y = (width / 2, height / 2) if at is None else (at.x(), at.y())
        if self.drawing.through:
            camera = self.drawing.frame_camera()
            if camera is not None:
                self._image_window = self._image_window.zoomed(
                    ZOOM_PER_NOTCH**-steps, (x, y), camera.image, (width, height)
                )
                self._hurry()
                self.request_render()
            return
        where = ((x - width / 2) / (height / 2), (height / 2 - y) / (height / 2))
        if self.mode == "follow":
            where = (0.0, 0.0)
        self._move_to(self.viewpoint.zoomed(ZOOM_PER_NOTCH**steps, where))

    # Inside

    def _move_to(self, viewpoint: Viewpoint) -> None:
        self.viewpoint = viewpoint
        self._fitted_size = None
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
        self._set_ratio(self._picture_ratio or self.canvas.device_ratio())
        self._prepare(self.canvas.window_.GetSize())

    def _prepare(self, size: tuple[int, int]) -> None:
        """Bring props and camera up to date for a picture of ``size`` pixels."""
        pixels = self._pixels()
        if self._fitted_size not in (None, pixels):
            # The first layout comes after the scene: fit again until the user moved.
            self.reset_camera()
        self.drawing.refresh()
        camera = self.vtk_renderer.GetActiveCamera()
        through = self.drawing.frame_camera() if self.drawing.through else None
        if through is not None:
            window = self._image_window
            grown = size[0] / pixels[0]
            x, y = window.shift
            window = replace(window, shift=(x * grown, y * grown))
            through.apply(camera, size, window, self.drawing.evidence.far(through))
        else:
            self._follow()
            self.viewpoint.apply(camera)
            self.vtk_renderer.ResetCameraClippingRange()
        self.drawing.crowd.settle()

    def _follow(self) -> None:
        if self.mode != "follow":
            return
        people = self.drawing.person_ids()
        selected = self.drawing.selection
        joints = None
        if selected in people:
            joints = self.drawing.joints(selected)
        elif selected is None and people:
            joints = self.drawing.joints(people[0])
        if joints is None:
            return
        pelvis = joints[0]
        if self._followed is None:
            self.viewpoint = self.viewpoint.looking_at(pelvis)
        else:
            moved = np.asarray(self.viewpoint.focal) + pelvis - self._followed
            self.viewpoint = self.viewpoint.looking_at(moved)
        self._followed = pelvis.copy()
        self._fitted_size = None

    def _hit(self, at: QPointF) -> tuple[int, Array] | None:
        size = self._pixels()
        self._prepare(self.canvas.window_.GetSize())
        surfaces = self.drawing.crowd.surfaces()
        if surfaces:
            ratio = self.canvas.device_ratio()
            x, y = at.x() * ratio, self.canvas.window_.GetSize()[1] - 1 - at.y() * ratio
            return self._picker.surface_at(x, y, surfaces, self.vtk_renderer)
        skeletons = {}
        if self.drawing.options.skeleton or self.drawing.options.joints:
            for i in self.drawing.person_ids():
                joints = self.drawing.joints(i)
                if joints is not None:
                    skeletons[i] = projected(self.vtk_renderer.GetActiveCamera(), joints, size)
        found = nearest_skeleton((at.x(), at.y()), skeletons, BONES)
        joints = None if found is None else self.drawing.joints(found)
        return None if found is None or joints is None else (found, joints[0])

    def _paint_overlay(self, painter: QPainter, size: QSize) -> None:
        self._annotate(painter, (float(size.width()), float(size.height())))

    def _annotate(self, painter: QPainter, size: tuple[float, float]) -> None:
        metres = self.viewpoint.metres_per_pixel(round(size[1]))
        camera = self.vtk_renderer.GetActiveCamera()
        self._annotations.paint(painter, size, self.font(), camera, metres)
