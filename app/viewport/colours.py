"""Colours as VTK wants them."""

from __future__ import annotations

Colour = tuple[float, float, float]
"""Red, green and blue in [0, 1]."""


def rgb(colour: str) -> Colour:
    """``#rrggbb`` as numbers in [0, 1]."""
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """``a`` with a share of ``b``."""
    return (
        a[0] + share * (b[0] - a[0]),
        a[1] + share * (b[1] - a[1]),
        a[2] + share * (b[2] - a[2]),
    )
