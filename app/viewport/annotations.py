"""What is written over the picture: who is who, how large, which way is up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtGui import QFont, QPainter
from vtkmodules.vtkRenderingCore import vtkCamera

from app.viewport import overlay
from app.viewport.colour_bar import ColourBar, depth_bar, paint_colour_bars, value_bar
from app.viewport.drawing import Drawing
from app.viewport.text import grown
from refine_engine.body import JOINT_INDEX

Array = NDArray[np.float64]

NAME_HEIGHT = 0.24
"""Metres from the head's joint to the name over it."""


def projected(camera: vtkCamera, points: Array, size: tuple[float, float]) -> tuple[Array, Array]:
    """Where VTK's camera sees world points.

    Parameters
    ----------
    camera
        The camera as it stands.
    points
        (n, 3) metres.
    size
        Width and height of the view in pixels.

    Returns
    -------
    tuple
        Pixels (n, 2) from the upper left, and signed distances (n,) before the eye in metres.
    """
    matrix = camera.GetCompositeProjectionTransformMatrix(size[0] / size[1], -1, 1)
    composite = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    clip = np.concatenate([points, np.ones((len(points), 1))], -1) @ composite.T
    w = np.where(np.abs(clip[:, 3]) < 1e-9, 1e-9, clip[:, 3])
    pixels = np.stack([(clip[:, 0] / w + 1) / 2 * size[0], (1 - clip[:, 1] / w) / 2 * size[1]], -1)
    ahead = np.array(camera.GetDirectionOfProjection())
    return pixels, (points - np.array(camera.GetPosition())) @ ahead


class Annotations:
    """Finds out what is to be written, and lets :mod:`app.viewport.overlay` write it."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing
        self._plates = overlay.NamePlates()

    def paint(
        self,
        painter: QPainter,
        size: tuple[float, float],
        font: QFont,
        camera: vtkCamera,
        metres_per_pixel: float,
    ) -> None:
        """Paint over a picture of ``size`` pixels seen by ``camera``."""
        drawing, options, theme = self._drawing, self._drawing.options, self._drawing.theme
        if drawing.scene is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if options.labels:
            self._plates.paint(painter, theme, font, self._name_tags(camera, size))
        if options.axes and not drawing.through:
            matrix = camera.GetViewTransformMatrix()
            right, up, back = (
                np.array([matrix.GetElement(row, column) for column in range(3)])
                for row in range(3)
            )
            overlay.paint_axes(painter, theme, font, size[1], (right, up, back))
            overlay.paint_scale_bar(painter, theme, font, size, metres_per_pixel)
        bars = self._bars()
        if bars:
            corner = (size[0] - overlay.EDGE, size[1] - overlay.EDGE)
            if options.axes and not drawing.through:
                above = overlay.BAR_HEIGHT * grown(font) + overlay.bar_lift(size[0], font)
                corner = (corner[0], corner[1] - above)
            paint_colour_bars(painter, theme, font, corner, bars)

    def _bars(self) -> list[ColourBar]:
        """What the colours in the picture mean, where they stand for numbers."""
        drawing, options = self._drawing, self._drawing.options
        bars = []
        span = drawing.evidence.depth_span
        if span is not None:
            bars.append(depth_bar(*span))
        scale = drawing.crowd.value_scale
        if scale is not None and (options.mesh or options.wire):
            bars.append(value_bar(scale))
        return bars

    def _name_tags(self, camera: vtkCamera, size: tuple[float, float]) -> list[overlay.NameTag]:
        tags = []
        for i in self._drawing.person_ids():
            joints = self._drawing.joints(i)
            if joints is None:
                continue
            over = joints[JOINT_INDEX["head"]] + np.array([0.0, NAME_HEIGHT, 0.0])
            pixels, ahead = projected(camera, over[None], size)
            x, y = float(pixels[0, 0]), float(pixels[0, 1])
            if ahead[0] <= 0.05 or not (0 <= x <= size[0] and 0 <= y <= size[1] + 20):
                continue
            colour = self._drawing.style(i).colour
            chosen = i == self._drawing.selection
            tags.append(overlay.NameTag(f"Person {i}", colour, x, y, chosen, float(ahead[0])))
        return tags
