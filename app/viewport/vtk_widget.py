"""Where VTK draws: an OpenGL widget of our own, or a picture where no such widget is possible.

On a graphics card it is the widget; on software OpenGL it is the picture, because a window with an
OpenGL widget in it is put together by OpenGL for every repaint of anything, which a processor does
slower than it draws the people.

Both canvases show one ``vtkRenderWindow`` and then let the view paint its overlay with a
``QPainter``.  Nobody outside calls ``Render()``: everybody asks with :meth:`request`, and Qt makes
one frame of any number of requests.
"""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QEvent, QPointF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QGuiApplication,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QSurfaceFormat,
    QWheelEvent,
)
from PyQt6.QtOpenGL import (
    QOpenGLFramebufferObject,
    QOpenGLPaintDevice,
    QOpenGLVersionFunctionsFactory,
    QOpenGLVersionProfile,
)
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import QWidget
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
from vtkmodules.vtkRenderingOpenGL2 import vtkGenericOpenGLRenderWindow

from app.viewport.surface import surface_format

PLATFORMS_WITHOUT_GL = ("offscreen", "minimal", "vkkhrdisplay", "linuxfb")
SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swiftshader", "software", "swrast", "gdi generic")

GL_RENDERER = 0x1F01

Overlay = Callable[[QPainter, QSize], None]
"""Paints over the picture; the size is in device-independent pixels."""


def qt_renderer() -> str | None:
    """Name of the OpenGL renderer that Qt's widgets get; None where they get none.

    Empty where there is one that does not tell its name.
    """
    if QGuiApplication.platformName() in PLATFORMS_WITHOUT_GL:
        return None
    context = QOpenGLContext()
    context.setFormat(surface_format())
    if not context.create():
        return None
    surface = QOffscreenSurface()
    surface.setFormat(context.format())
    surface.create()
    if not context.makeCurrent(surface):
        return ""
    profile = QOpenGLVersionProfile()
    profile.setVersion(4, 1)
    profile.setProfile(QSurfaceFormat.OpenGLContextProfile.CoreProfile)
    # None where the driver gives less than 4.1; the stubs know neither that nor the real class.
    functions: Any = QOpenGLVersionFunctionsFactory.get(profile, context)
    name = "" if functions is None else str(functions.glGetString(GL_RENDERER) or "")
    context.doneCurrent()
    return name


def is_software(renderer: str) -> bool:
    """Whether a GL renderer's name is that of a program instead of a graphics card."""
    return any(name in renderer.lower() for name in SOFTWARE_RENDERERS)


def renderer_name(window: vtkRenderWindow) -> str:
    """What VTK reports as "OpenGL renderer string"."""
    for line in str(window.ReportCapabilities()).splitlines():
        if line.startswith("OpenGL renderer string:"):
            return line.partition(":")[2].strip()
    return ""


class Pointer:
    """Mouse, wheel and keys of a canvas, handed on to the view.

    Positions are device-independent pixels from the upper left corner, as everything in Qt; only
    the canvas' own ``device_ratio`` turns them into device pixels.
    """

    def pressed(self, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier) -> None:
        """A button went down."""

    def moved(self, at: QPointF, buttons: Qt.MouseButton) -> None:
        """The mouse moved with some button down."""

    def released(self, at: QPointF, button: Qt.MouseButton) -> None:
        """A button went up."""

    def double_clicked(self, at: QPointF) -> None:
        """Two clicks in a row."""

    def wheeled(self, at: QPointF, steps: float) -> None:
        """The wheel turned by some notches, positive away from the user."""

    def key(self, event: QKeyEvent) -> bool:
        """A key went down; True where it was used."""
        return False


def _forward(pointer: Pointer, event: QEvent) -> bool:
    """Give a Qt event to a pointer; True where it was one for it."""
    kind = event.type()
    if isinstance(event, QMouseEvent):
        if kind == QEvent.Type.MouseButtonPress:
            pointer.pressed(event.position(), event.button(), event.modifiers())
        elif kind == QEvent.Type.MouseMove:
            pointer.moved(event.position(), event.buttons())
        elif kind == QEvent.Type.MouseButtonRelease:
            pointer.released(event.position(), event.button())
        elif kind == QEvent.Type.MouseButtonDblClick:
            pointer.double_clicked(event.position())
        else:
            return False
        event.accept()
        return True
    if isinstance(event, QWheelEvent):
        pointer.wheeled(event.position(), event.angleDelta().y() / 120.0)
        event.accept()
        return True
    if isinstance(event, QKeyEvent) and kind == QEvent.Type.KeyPress:
        return pointer.key(event)
    return False


class GlCanvas(QOpenGLWidget):
    """VTK inside Qt's own OpenGL widget.

    Parameters
    ----------
    renderer
        What is drawn.
    parent
        Qt owner.
    """

    drawn = pyqtSignal(float)
    """Seconds from the begin of a frame until it was on the screen."""

    on_screen = True

    def __init__(self, renderer: vtkRenderer, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFormat(surface_format())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.before_frame: Callable[[], None] | None = None
        self.overlay: Overlay | None = None
        self.pointer = Pointer()
        self.renderer_name = ""
        self._closed = False
        self._painting = False
        self._begun = 0.0
        self._renderer = renderer
        window = vtkGenericOpenGLRenderWindow()
        window.SetMultiSamples(0)
        window.SetFrameBlitModeToBlitToCurrent()
        # Core contexts may refuse lines wider than one pixel: VTK then draws them itself.
        window.SetForceMaximumHardwareLineWidth(1)
        window.AddRenderer(renderer)
        # VTK keeps its observers alive, and a bound method would keep the widget alive with them.
        this = weakref.ref(self)

        def make_current(_source: Any, _event: str) -> None:
            canvas = this()
            # Inside paintGL the context is current, and asking again would rebind Qt's frame
            # buffer under VTK's feet.
            if canvas is not None and not canvas._painting and canvas.context() is not None:
                canvas.makeCurrent()

        # The stubs know only numbers of events.
        self._observer = window.AddObserver("WindowMakeCurrentEvent", make_current)  # type: ignore[arg-type]
        self.window_ = window
        self.frameSwapped.connect(self._on_swapped)

    def device_ratio(self) -> float:
        """Device pixels per pixel of this widget (never of the screen under the cursor)."""
        return float(self.devicePixelRatioF())

    def request(self) -> None:
        """Ask for one repaint."""
        if not self._closed:
            self.update()

    def finalise(self) -> None:
        """Release OpenGL for good; nothing is drawn afterwards."""
        if self._closed:
            return
        self._closed = True
        self._release()
        self.window_.RemoveObserver(self._observer)
        self.window_.RemoveRenderer(self._renderer)

    def grab_picture(self, size: QSize) -> QImage:
        """The scene as a picture of ``size`` device pixels, drawn now, without the overlay."""
        if not self.isValid():
            self.grabFramebuffer()  # makes the context, also of a widget that is not shown yet
        if not self.isValid() or self._closed:
            return QImage()
        self.makeCurrent()
        self._painting = True
        try:
            before = self.window_.GetSize()
            self.window_.SetSize(size.width(), size.height())
            self.window_.SetFrameBlitModeToNoBlit()
            self._render()
            image = _read_pixels(self.window_)
            self.window_.SetFrameBlitModeToBlitToCurrent()
            self.window_.SetSize(*before)
        finally:
            self._painting = False
            self.doneCurrent()
        return image

    def initializeGL(self) -> None:
        """Hand the new context to VTK; runs again when the widget moved to another window."""
        context = self.context()
        if context is None or self._closed:
            return
        context.aboutToBeDestroyed.connect(self._release)
        self._painting = True
        # VTK asks by events that Python cannot answer; these setters give the answers beforehand.
        self.window_.SetReadyForRendering(True)
        self.window_.SetIsCurrent(True)
        self.window_.SetIsDirect(True)
        self.window_.SetSupportsOpenGL(True)
        self.window_.SetMapped(True)
        self.window_.InitializeFromCurrentContext()
        self._painting = False
        self.renderer_name = renderer_name(self.window_)

    def resizeGL(self, w: int, h: int) -> None:
        """Size in device pixels."""
        ratio = self.device_ratio()
        self.window_.SetSize(round(w * ratio), round(h * ratio))

    def paintGL(self) -> None:
        """One frame: VTK, then the overlay."""
        if self._closed:
            return
        self._begun = time.perf_counter()
        self.resizeGL(self.width(), self.height())  # a picture may have been taken at another size
        self._painting = True
        try:
            self._render()
        finally:
            self._painting = False
        if self.overlay is not None:
            # VTK leaves a frame buffer of its own bound. A painter on the widget itself would be
            # redirected by QWidget.grab() and paint under the picture instead of over it.
            QOpenGLFramebufferObject.bindDefault()
            ratio = self.device_ratio()
            device = QOpenGLPaintDevice(round(self.width() * ratio), round(self.height() * ratio))
            device.setDevicePixelRatio(ratio)
            painter = QPainter(device)
            self.overlay(painter, self.size())
            painter.end()

    def event(self, e: QEvent | None) -> bool:
        """Mouse, wheel and keys go to the view."""
        if e is not None and not self._closed and _forward(self.pointer, e):
            return True
        return super().event(e)

    def _render(self) -> None:
        state = self.window_.GetState()
        state.Reset()
        state.ResetFramebufferBindings()
        if self.before_frame is not None:
            self.before_frame()
        self.window_.Render()

    def _release(self) -> None:
        if self.context() is None or not self.isValid():
            self.window_.SetReadyForRendering(False)
            return
        self.makeCurrent()
        self._painting = True
        self.window_.Finalize()
        self.window_.SetReadyForRendering(False)
        self._painting = False
        self.doneCurrent()

    def _on_swapped(self) -> None:
        if self._begun:
            self.drawn.emit(time.perf_counter() - self._begun)
            self._begun = 0.0


class ImageCanvas(QWidget):
    """VTK off screen, shown as a picture: without OpenGL widgets, or with slow ones.

    Parameters
    ----------
    renderer
        What is drawn.
    parent
        Qt owner.
    """

    drawn = pyqtSignal(float)

    on_screen = False

    def __init__(self, renderer: vtkRenderer, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.before_frame: Callable[[], None] | None = None
        self.overlay: Overlay | None = None
        self.pointer = Pointer()
        self.renderer_name = ""
        self._closed = False
        self._stale = True
        self._image = QImage()
        self._renderer = renderer
        if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
            # VTK would try X first and complain before it turned to EGL by itself.
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        self.window_ = vtkRenderWindow()
        self.window_.SetOffScreenRendering(True)
        self.window_.SetMultiSamples(0)
        self.window_.AddRenderer(renderer)

    def device_ratio(self) -> float:
        """Device pixels per pixel of this widget."""
        return float(self.devicePixelRatioF())

    def request(self) -> None:
        """Ask for one repaint."""
        if not self._closed:
            self._stale = True
            self.update()

    def finalise(self) -> None:
        """Release OpenGL for good; the last picture stays."""
        if self._closed:
            return
        self._closed = True
        self.window_.RemoveRenderer(self._renderer)
        self.window_.Finalize()

    def grab_picture(self, size: QSize) -> QImage:
        """The scene as a picture of ``size`` device pixels, drawn now, without the overlay."""
        if self._closed:
            return self._image
        self.window_.SetSize(size.width(), size.height())
        if self.before_frame is not None:
            self.before_frame()
        self.window_.Render()
        if not self.renderer_name:
            self.renderer_name = renderer_name(self.window_)
        return _read_pixels(self.window_)

    def resizeEvent(self, a0: QResizeEvent | None) -> None:
        """Another size needs another picture."""
        self._stale = True
        super().resizeEvent(a0)

    def paintEvent(self, a0: QPaintEvent | None) -> None:
        """Draw off screen where needed, then show the picture and the overlay."""
        began = time.perf_counter()
        fresh = self._stale and not self._closed
        if fresh:
            ratio = self.device_ratio()
            size = QSize(round(self.width() * ratio), round(self.height() * ratio))
            self._image = self.grab_picture(size)
            self._image.setDevicePixelRatio(ratio)
            self._stale = False
            if self.overlay is not None:
                # Into the picture: whatever floats over the view has it shown again now and then.
                painter = QPainter(self._image)
                self.overlay(painter, self.size())
                painter.end()
        painter = QPainter(self)
        painter.drawImage(0, 0, self._image)
        painter.end()
        if fresh:
            self.drawn.emit(time.perf_counter() - began)

    def event(self, a0: QEvent | None) -> bool:
        """Mouse, wheel and keys go to the view."""
        if a0 is not None and not self._closed and _forward(self.pointer, a0):
            return True
        return super().event(a0)


def make_canvas(renderer: vtkRenderer, parent: QWidget) -> GlCanvas | ImageCanvas:
    """The canvas that is best here."""
    name = qt_renderer()
    picture = name is None or is_software(name)
    return (ImageCanvas if picture else GlCanvas)(renderer, parent)


def _read_pixels(window: vtkRenderWindow) -> QImage:
    width, height = window.GetSize()
    pixels = vtkUnsignedCharArray()
    window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)  # type: ignore[call-overload]
    rows = vtk_to_numpy(pixels)
    held = QImage(rows.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
    # OpenGL's first row is the lowest. The flipped picture owns its memory, `held` does not.
    return held.flipped(Qt.Orientation.Vertical).convertToFormat(QImage.Format.Format_RGB32)
