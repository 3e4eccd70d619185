"""Colours of people and floor, the same in the window and in exported files."""

from __future__ import annotations

PEOPLE_COLOURS: tuple[str, ...] = (
    "#009e9a",
    "#e69f00",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#0072b2",
    "#f0e442",
    "#7bbf6a",
    "#9f8fd8",
    "#b0875a",
)
"""Of the people in order; Okabe and Ito's colour-blind-safe ones, then three more."""

GROUND_COLOURS: tuple[str, str] = ("#8a9097", "#a4aab1")
"""Of the two shades of tiles."""


def person_colour(position: int) -> str:
    """Colour "#rrggbb" of the n-th person of a scene (ids sorted); they repeat in large groups."""
    return PEOPLE_COLOURS[position % len(PEOPLE_COLOURS)]
