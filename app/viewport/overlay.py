"""What is painted over the picture: names, axes, the scale bar, the colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPen

from app.theme import Theme
from app.viewport.colouring import ValueScale, colour_at

Array = NDArray[np.float64]

EDGE = 16.0
"""Pixels between the view's rim and what is painted."""
BAR_LENGTHS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
BAR_PIXELS = 130.0
"""The scale bar is at most this long."""
CAPTION_HEIGHT = 30.0
"""The window writes a line into the lower left corner."""


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


def paint_names(painter: QPainter, theme: Theme, font: QFont, tags: Sequence[NameTag]) -> None:
    """Small plates with a dot in the person's colour; those that would overlap move up."""
    font = QFont(font)
    font.setPixelSize(max(10, font.pixelSize() - 2 if font.pixelSize() > 0 else 11))
    metrics = QFontMetricsF(font)
    painter.setFont(font)
    taken: list[QRectF] = []
    placed: list[tuple[NameTag, QRectF]] = []
    for tag in sorted(tags, key=lambda t: t.distance):
        width = metrics.horizontalAdvance(tag.text) + 26.0
        plate = QRectF(tag.x - width / 2, tag.y - 20.0, width, 18.0)
        while any(plate.intersects(other) for other in taken):
            plate.translate(0.0, -20.0)
        taken.append(plate)
        placed.append((tag, plate))
    back = QColor(theme.panel)
    back.setAlphaF(0.82)
    for tag, plate in reversed(placed):
        painter.setPen(QPen(QColor(theme.text), 1.2) if tag.chosen else Qt.PenStyle.NoPen)
        painter.setBrush(back)
        painter.drawRoundedRect(plate, 5.0, 5.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tag.colour))
        painter.drawEllipse(QPointF(plate.left() + 10.0, plate.center().y()), 3.6, 3.6)
        painter.setPen(QColor(theme.text))
        painter.drawText(
            plate.adjusted(18.0, 0.0, 0.0, -0.5),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            tag.text,
        )


def paint_axes(
    painter: QPainter, theme: Theme, font: QFont, height: float, axes: tuple[Array, Array, Array]
) -> None:
    """The world's axes as they lie on the screen, lower left; ``axes`` = right, up, towards eye."""
    font = QFont(font)
    font.setPixelSize(10)
    painter.setFont(font)
    centre = QPointF(EDGE + 22.0, height - CAPTION_HEIGHT - 34.0)
    world = np.eye(3)
    right, up, back = axes
    order = sorted(range(3), key=lambda k: float(world[k] @ back))
    for k in order:
        towards = float(world[k] @ back)
        tip = QPointF(
            centre.x() + 22.0 * float(world[k] @ right), centre.y() - 22.0 * float(world[k] @ up)
        )
        # The vertical is the one that matters here; the others are told by their letters.
        colour = QColor(theme.accent if k == 1 else theme.quiet)
        colour.setAlphaF(1.0 if towards > -0.3 else 0.6)
        painter.setPen(QPen(colour, 1.6, cap=Qt.PenCapStyle.RoundCap))
        painter.drawLine(centre, tip)
        length = float(np.hypot(tip.x() - centre.x(), tip.y() - centre.y()))
        if length < 7.0:
            continue
        out = 1.0 + 8.0 / length
        at = QPointF(
            centre.x() + (tip.x() - centre.x()) * out, centre.y() + (tip.y() - centre.y()) * out
        )
        painter.drawText(
            QRectF(at.x() - 8, at.y() - 8, 16, 16), Qt.AlignmentFlag.AlignCenter, "XYZ"[k]
        )


def bar_length(metres_per_pixel: float) -> float:
    """Length in metres of the longest round bar that fits."""
    fitting = [length for length in BAR_LENGTHS if length / metres_per_pixel <= BAR_PIXELS]
    return fitting[-1] if fitting else BAR_LENGTHS[0]


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
    x1, y = size[0] - EDGE, size[1] - EDGE - 14.0
    x0 = x1 - pixels
    painter.setPen(QPen(QColor(theme.quiet), 1.2))
    painter.drawLine(QPointF(x0, y), QPointF(x1, y))
    for x in (x0, x1):
        painter.drawLine(QPointF(x, y - 4.0), QPointF(x, y + 0.5))
    painter.setFont(_small(font))
    text = f"{metres:g} m" if metres >= 1 else f"{100 * metres:g} cm"
    painter.setPen(QColor(theme.quiet))
    painter.drawText(
        QRectF(x1 - 120, y + 1, 120, 16),
        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
        text,
    )


def paint_value_scale(
    painter: QPainter, theme: Theme, font: QFont, size: tuple[float, float], scale: ValueScale
) -> None:
    """The meaning of the colours, over the scale bar."""
    painter.setFont(_small(font))
    width = 150.0
    x, y = size[0] - EDGE - width, size[1] - EDGE - 76.0
    painter.setPen(QColor(theme.text))
    painter.drawText(
        QRectF(x - 100, y - 20, width + 100, 16), Qt.AlignmentFlag.AlignRight, scale.title
    )
    if scale.note:
        painter.setPen(QColor(theme.quiet))
        painter.drawText(
            QRectF(x - 250, y - 2, width + 250, 16), Qt.AlignmentFlag.AlignRight, scale.note
        )
        return
    gradient = QLinearGradient(QPointF(x, 0), QPointF(x + width, 0))
    for number in range(9):
        gradient.setColorAt(number / 8, QColor.fromRgbF(*colour_at(number / 8)))
    painter.setPen(QPen(QColor(theme.line), 1.0))
    painter.setBrush(gradient)
    painter.drawRoundedRect(QRectF(x, y, width, 9.0), 2.5, 2.5)
    painter.setPen(QColor(theme.quiet))
    for share in (0.0, 0.5, 1.0):
        text = f"{scale.end * share:g}" + (" cm" if share == 1.0 else "")
        line = QRectF(x + share * width - 40, y + 11, 80, 14)
        align = Qt.AlignmentFlag.AlignHCenter
        if share in (0.0, 1.0):
            line = QRectF(x, y + 11, width, 14)
            align = Qt.AlignmentFlag.AlignLeft if share == 0.0 else Qt.AlignmentFlag.AlignRight
        painter.drawText(line, align, text)


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPixelSize(11)
    return small
