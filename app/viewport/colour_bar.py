"""What colours mean: bars with numbers and units, painted over the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPen

from app.theme import Theme
from app.viewport.colouring import ValueScale, colour_at
from app.viewport.depth_cloud import colour_of_share
from app.viewport.text import grown, small

LENGTH = 150.0
"""Of a bar, pixels beside text of 13."""
_STOPS = 17


@dataclass(frozen=True)
class ColourBar:
    """A gradient from left to right with a title above and numbers below."""

    title: str
    colour: Callable[[float], tuple[float, float, float]]
    """Red, green, blue in [0, 1] at a share of the bar in [0, 1]."""
    ticks: tuple[str, ...] = ()
    """Texts at even distances, the first at the left end, the last at the right."""
    note: str = ""
    """Instead of the bar, where there is nothing to show."""


def value_bar(scale: ValueScale) -> ColourBar:
    """Centimetres of displacement or uncertainty."""
    ticks = ("0", f"{scale.end / 2:g}", f"{scale.end:g} cm")
    return ColourBar(scale.title, colour_at, () if scale.note else ticks, scale.note)


def depth_bar(near: float, far: float) -> ColourBar:
    """Metres from the camera; colours go by inverse depth, so the middle is nearer than half."""
    middle = 2.0 / (1.0 / max(near, 1e-6) + 1.0 / max(far, 1e-6))
    ticks = (_metres(near), _metres(middle), f"{_metres(far)} m")
    return ColourBar("Depth from the camera", colour_of_share, ticks)


def _metres(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"


def paint_colour_bars(
    painter: QPainter,
    theme: Theme,
    font: QFont,
    corner: tuple[float, float],
    bars: Sequence[ColourBar],
) -> None:
    """Paint bars above each other, the last one lowest.

    Parameters
    ----------
    painter, theme, font
        What to paint with; sizes follow the font's.
    corner
        Lower right corner of the lowest bar, pixels.
    bars
        From the top down.
    """
    times = grown(font)
    painter.setFont(small(font))
    metrics = QFontMetricsF(painter.font())
    line, pad = metrics.height(), 7.0 * times
    right, lower = corner
    for bar in reversed(bars):
        width = max(LENGTH * times, metrics.horizontalAdvance(bar.title))
        if bar.note:
            width = max(width, metrics.horizontalAdvance(bar.note))
        inner = 2.0 * line + (0.0 if bar.note else 9.0 * times)
        plate = QRectF(
            right - width - 2 * pad, lower - inner - 2 * pad, width + 2 * pad, inner + 2 * pad
        )
        back = QColor(theme.panel)
        back.setAlphaF(0.86)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(back)
        painter.drawRoundedRect(plate, 5.0, 5.0)
        _paint(painter, theme, bar, plate.adjusted(pad, pad, -pad, -pad), line)
        lower = plate.top() - 6.0


def _paint(painter: QPainter, theme: Theme, bar: ColourBar, place: QRectF, line: float) -> None:
    top = QRectF(place.left(), place.top(), place.width(), line)
    below = QRectF(place.left(), place.bottom() - line, place.width(), line)
    painter.setPen(QColor(theme.text))
    painter.drawText(top, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, bar.title)
    painter.setPen(QColor(theme.quiet))
    if bar.note:
        painter.drawText(
            below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, bar.note
        )
        return
    gradient = QLinearGradient(QPointF(place.left(), 0), QPointF(place.right(), 0))
    for number in range(_STOPS):
        share = number / (_STOPS - 1)
        gradient.setColorAt(share, QColor.fromRgbF(*bar.colour(share)))
    painter.setPen(QPen(QColor(theme.line), 1.0))
    painter.setBrush(gradient)
    painter.drawRect(
        QRectF(place.left(), top.bottom() + 1.0, place.width(), below.top() - top.bottom() - 2.0)
    )
    painter.setPen(QColor(theme.quiet))
    last = len(bar.ticks) - 1
    for number, text in enumerate(bar.ticks):
        align = Qt.AlignmentFlag.AlignHCenter
        if number in (0, last):
            align = Qt.AlignmentFlag.AlignLeft if number == 0 else Qt.AlignmentFlag.AlignRight
        painter.drawText(below, align | Qt.AlignmentFlag.AlignVCenter, text)
