"""VTK inside Qt's own OpenGL widget."""

from __future__ import annotations

import time
import weakref
from typing import Any

from PyQt6.QtCore import QSize, pyqtSignal
from PyQt6.QtGui import QImage, QPainter
from PyQt6.QtOpenGL import QOpenGLFramebufferObject, QOpenGLPaintDevice
from PyQt6.QtOpenGLWidgets import QOpenGLWidget
from PyQt6.QtWidgets import QWidget
from vtkmodules.vtkRenderingCore import vtkRenderer
from vtkmodules.vtkRenderingOpenGL2 import vtkGenericOpenGLRenderWindow

from app.viewport.render_window import Canvas, read_pixels, renderer_name
from app.viewport.surface import surface_format


class GlCanvas(Canvas, QOpenGLWidget):
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
    window_: vtkGenericOpenGLRenderWindow

    def __init__(self, renderer: vtkRenderer, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFormat(surface_format())
        self._painting = False
        self._begun = 0.0
        window = vtkGenericOpenGLRenderWindow()
        window.SetFrameBlitModeToBlitToCurrent()
        # Core contexts may refuse lines wider than one pixel: VTK then draws them itself.
        window.SetForceMaximumHardwareLineWidth(1)
        self._hold(window, renderer)
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
        self.frameSwapped.connect(self._on_swapped)

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
            image = read_pixels(self.window_)
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
