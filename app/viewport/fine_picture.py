"""Pictures of the view at full quality, whatever it shows just now in a hurry."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QImage, QPainter
from vtkmodules.vtkRenderingCore import vtkRenderer

from app.viewport.drawing import Drawing
from app.viewport.gl_canvas import GlCanvas
from app.viewport.image_canvas import ImageCanvas

OVERSAMPLING = 2
FINE_PICTURE = 1_300_000
"""Pixels up to which a picture is drawn twice as large and scaled down; larger ones (of films,
above all) have their edges smoothed like the view at rest, in a quarter of the time."""
Annotate = Callable[[QPainter, tuple[float, float]], None]


class FinePicture:
    """Takes pictures.

    Parameters
    ----------
    canvas
        Where is drawn.
    renderer
        Whose edges are smoothed.
    drawing
        What is drawn.
    """

    def __init__(
        self, canvas: GlCanvas | ImageCanvas, renderer: vtkRenderer, drawing: Drawing
    ) -> None:
        self._canvas, self._renderer, self._drawing = canvas, renderer, drawing
        self.ratio: float | None = None
        """Device pixels per pixel of the picture that is being taken; None between pictures."""

    def take(self, size: QSize, annotate: Annotate) -> QImage:
        """The scene drawn now, with names and scale bar.

        Parameters
        ----------
        size
            Pixels.
        annotate
            Paints over a picture of so many pixels.
        """
        # Painted things keep their size beside the picture: a larger picture is a finer one.
        own = self._canvas.device_ratio()
        points = max(1.0, min(size.width() / 640.0, size.height() / 400.0, own))
        image = self._drawn(size, points)
        if not image.isNull():
            image.setDevicePixelRatio(points)
            painter = QPainter(image)
            annotate(painter, (size.width() / points, size.height() / points))
            painter.end()
            image.setDevicePixelRatio(1.0)
        return image

    def _drawn(self, size: QSize, points: float) -> QImage:
        drawing, film = self._drawing, self._drawing.evidence.film
        finer = size.width() * size.height() <= FINE_PICTURE
        times = OVERSAMPLING if finer else 1
        thin, smooth = drawing.thin, bool(self._renderer.GetUseFXAA())
        drawing.set_thin(False)
        film.at_once = True
        # The frame's own picture, not the one before it that is good enough while playing.
        drawing.invalidate("camera", "cloud", "backdrop")
        self.ratio = points * times
        self._renderer.SetUseFXAA(not finer)
        fine = self._canvas.grab_picture(size * times)
        self._renderer.SetUseFXAA(smooth)
        self.ratio = None
        film.at_once = False
        drawing.set_thin(thin)
        image = fine.scaled(
            size,
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        return image.convertToFormat(QImage.Format.Format_RGB32)
