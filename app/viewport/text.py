"""Sizes of what is written over the picture: they grow with the window's text."""

from __future__ import annotations

from PyQt6.QtGui import QFont, QFontInfo

_NORMAL = 13
_SMALL = 11


def grown(font: QFont) -> float:
    """How much larger the window's text is than usual."""
    return max(QFontInfo(font).pixelSize(), 9) / _NORMAL


def small(font: QFont, pixels: int = _SMALL) -> QFont:
    """The font of names and numbers; ``pixels`` beside text of the usual size."""
    found = QFont(font)
    found.setPixelSize(round(pixels * grown(font)))
    return found
