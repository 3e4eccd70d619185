"""VTK off screen, shown as a picture."""

from __future__ import annotations

import os
import sys
import time

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QWidget
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

from app.viewport.render_window import Canvas, read_pixels, renderer_name


class ImageCanvas(Canvas, QWidget):
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
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._stale = True
        self._image = QImage()
        if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
            # VTK would try X first and complain before it turned to EGL by itself.
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        window = vtkRenderWindow()
        window.SetOffScreenRendering(True)
        self._hold(window, renderer)

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
        return read_pixels(self.window_)

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
