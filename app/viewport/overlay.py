"""What is painted over the picture: names, axes, the scale bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, QSizeF, Qt
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QImage,
    QPainter,
    QPen,
)

from app.theme import Theme
from app.viewport.text import grown, small

Array = NDArray[np.float64]

EDGE = 16.0
"""Pixels between the view's rim and what is painted."""
BAR_HEIGHT = 34.0
"""The scale bar with its number takes so much above the rim."""
BAR_LENGTHS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
BAR_PIXELS = 130.0
"""The scale bar is at most this long."""
CAPTION_HEIGHT = 30.0
"""The window writes a line into the lower left corner."""
CAPTION_WIDTH = 320.0
"""In a view that has no room for so much beside the scale bar, the bar stands above that line."""


@dataclass(frozen=True)
class NameTag:
    """A name over a head."""

    text: str
    colour: str
    x: float
    y: float
    """Where its lower middle is, pixels of the view."""
    chosen: bool = False
    distance: float = 0.0
    """From the eye, metres: nearer names are painted over farther ones."""


class NamePlates:
    """Small plates with a dot in the person's colour, each painted once and kept.

    The painter of an OpenGL widget smooths no edges; pictures made beforehand are smooth.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], QImage] = {}

    def paint(self, painter: QPainter, theme: Theme, font: QFont, tags: Sequence[NameTag]) -> None:
        """Paint names; those that would overlap a nearer one move up."""
        taken: list[QRectF] = []
        placed: list[tuple[QImage, QRectF]] = []
        ratio = _device_ratio(painter)
        for tag in sorted(tags, key=lambda t: t.distance):
            image = self._plate(tag, theme, font, ratio)
            width, height = image.width() / ratio, image.height() / ratio
            # On whole pixels, or the text would be blurred.
            plate = QRectF(round(tag.x - width / 2), round(tag.y - height - 1), width, height)
            while any(plate.intersects(other) for other in taken):
                plate.translate(0.0, -height - 1.0)
            taken.append(plate)
            placed.append((image, plate))
        for image, plate in reversed(placed):
            painter.drawImage(plate, image)

    def _plate(self, tag: NameTag, theme: Theme, font: QFont, ratio: float) -> QImage:
        times = grown(font)
        key = (tag.text, tag.colour, tag.chosen, theme.name, font.family(), times, ratio)
        found = self._made.get(key)
        if found is not None:
            return found
        letters = small(font)
        height = round(19 * times)
        dot = height / 2
        advance = QFontMetricsF(letters).horizontalAdvance(tag.text)
        width = math.ceil(advance) + round(27 * times)
        image, painter = _picture(width, height, ratio)
        back = QColor(theme.panel)
        back.setAlphaF(0.86)
        painter.setPen(QPen(QColor(theme.text), 1.0) if tag.chosen else Qt.PenStyle.NoPen)
        painter.setBrush(back)
        painter.drawRoundedRect(QRectF(0.5, 0.5, width - 1.0, height - 1.0), 5.0, 5.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tag.colour))
        painter.drawEllipse(QPointF(dot + 1.0, dot), 3.8 * times, 3.8 * times)
        painter.setPen(QColor(theme.text))
        painter.setFont(letters)
        room = QRectF(height, 0, width, height - 0.5)
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, tag.text)
        painter.end()
        if len(self._made) > 200:
            self._made.clear()
        self._made[key] = image
        return image


def paint_axes(
    painter: QPainter, theme: Theme, font: QFont, height: float, axes: tuple[Array, Array, Array]
) -> None:
    """The world's axes as they lie on the screen, lower left; ``axes`` = right, up, towards eye."""
    times = grown(font)
    arm, side = 22.0 * times, round(76 * times)
    image, on_image = _picture(side, side, _device_ratio(painter))
    on_image.setFont(small(font, 10))
    centre = QPointF(side / 2, side / 2)
    world = np.eye(3)
    right, up, back = axes
    order = sorted(range(3), key=lambda k: float(world[k] @ back))
    for k in order:
        away = float(world[k] @ back) < -0.3
        way = QPointF(float(world[k] @ right), -float(world[k] @ up))
        length = arm * math.hypot(way.x(), way.y())
        # The vertical is the one that matters here; the others are told by their letters.
        colour = QColor(theme.accent if k == 1 else theme.quiet)
        colour.setAlphaF(0.6 if away else 1.0)
        on_image.setPen(QPen(colour, 1.6, cap=Qt.PenCapStyle.RoundCap))
        on_image.drawLine(centre, centre + arm * way)
        if length < 7.0 * times:
            continue
        at = centre + (arm + 8.0 * times * arm / length) * way
        letter = QRectF(at.x() - 8, at.y() - 8, 16, 16)
        on_image.drawText(letter, Qt.AlignmentFlag.AlignCenter, "XYZ"[k])
    on_image.end()
    corner = QPointF(EDGE - 16.0, height - times * (CAPTION_HEIGHT + 34.0) - side / 2)
    painter.drawImage(QRectF(corner, QSizeF(side, side)), image)


def bar_length(metres_per_pixel: float) -> float:
    """Length in metres of the longest round bar that fits."""
    fitting = [length for length in BAR_LENGTHS if length / metres_per_pixel <= BAR_PIXELS]
    return fitting[-1] if fitting else BAR_LENGTHS[0]


def bar_lift(width: float, font: QFont) -> float:
    """How much higher than usual the scale bar stands in a view of this width, pixels."""
    narrow = width < CAPTION_WIDTH * grown(font) + BAR_PIXELS + 2 * EDGE
    return CAPTION_HEIGHT * grown(font) if narrow else 0.0


def paint_scale_bar(
    painter: QPainter,
    theme: Theme,
    font: QFont,
    size: tuple[float, float],
    metres_per_pixel: float,
) -> None:
    """A bar of a round length at the focal point's distance, lower right."""
    metres = bar_length(metres_per_pixel)
    pixels = metres / metres_per_pixel
    below = round(16 * grown(font))
    bottom = size[1] - EDGE - bar_lift(size[0], font)
    x1, y = round(size[0] - EDGE) + 0.5, round(bottom - below + 2) + 0.5
    x0 = x1 - round(pixels)
    painter.setPen(QPen(QColor(theme.quiet), 1.2))
    painter.drawLine(QPointF(x0, y), QPointF(x1, y))
    for x in (x0, x1):
        painter.drawLine(QPointF(x, y - 4.0), QPointF(x, y + 0.5))
    painter.setFont(small(font))
    text = f"{metres:g} m" if metres >= 1 else f"{100 * metres:g} cm"
    painter.setPen(QColor(theme.quiet))
    painter.drawText(
        QRectF(x1 - 120, y + 1, 120, below),
        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
        text,
    )


def _device_ratio(painter: QPainter) -> float:
    device = painter.device()
    return 1.0 if device is None else device.devicePixelRatioF()


def _picture(width: int, height: int, ratio: float) -> tuple[QImage, QPainter]:
    """A transparent picture and a painter on it that smooths edges."""
    image = QImage(
        math.ceil(width * ratio),
        math.ceil(height * ratio),
        QImage.Format.Format_ARGB32_Premultiplied,
    )
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return image, painter
