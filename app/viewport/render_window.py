"""What both canvases have in common: a VTK render window, its pixels, and who draws them."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QImage, QPainter
from PyQt6.QtWidgets import QWidget
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow

Overlay = Callable[[QPainter, QSize], None]
"""Paints over the picture; the size is in device-independent pixels."""


class Canvas:
    """Mixed into the widget that shows a VTK render window."""

    window_: vtkRenderWindow
    before_frame: Callable[[], None] | None = None
    """Brings the scene up to date; called before every frame."""
    overlay: Overlay | None = None
    """Paints over every frame."""
    renderer_name = ""
    """OpenGL's, known after the first frame."""
    _closed = False
    _renderer: vtkRenderer

    def _hold(self, window: vtkRenderWindow, renderer: vtkRenderer) -> None:
        """Draw a renderer in a window, without smoothing that software OpenGL is slow at."""
        self.window_, self._renderer = window, renderer
        window.SetMultiSamples(0)
        window.AddRenderer(renderer)
        self._widget().setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def _widget(self) -> QWidget:
        assert isinstance(self, QWidget)
        return self

    def device_ratio(self) -> float:
        """Device pixels per pixel of this widget (never of the screen under the cursor)."""
        return float(self._widget().devicePixelRatioF())


def renderer_name(window: vtkRenderWindow) -> str:
    """What VTK reports as "OpenGL renderer string"."""
    for line in str(window.ReportCapabilities()).splitlines():
        if line.startswith("OpenGL renderer string:"):
            return line.partition(":")[2].strip()
    return ""


def read_pixels(window: vtkRenderWindow) -> QImage:
    """The picture that was rendered last, in device pixels."""
    width, height = window.GetSize()
    pixels = vtkUnsignedCharArray()
    window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 0, pixels)  # type: ignore[call-overload]
    rows = vtk_to_numpy(pixels)
    held = QImage(rows.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
    # OpenGL's first row is the lowest. The flipped picture owns its memory, `held` does not.
    return held.flipped(Qt.Orientation.Vertical).convertToFormat(QImage.Format.Format_RGB32)
