"""What both canvases ask of a VTK render window: its pixels, and who draws them."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QImage, QPainter
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkRenderWindow

Overlay = Callable[[QPainter, QSize], None]
"""Paints over the picture; the size is in device-independent pixels."""


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
