from __future__ import annotations

import pytest

from app.theme import (
    DARK,
    LIGHT,
    TERM_COLOURS,
    Theme,
    contrast_ratio,
)
from refine_engine.colours import PEOPLE_COLOURS, person_colour
from refine_engine.config import TERM_NAMES


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
@pytest.mark.parametrize("surface", ["background", "panel", "card", "field", "accent_soft"])
@pytest.mark.parametrize("text", ["text", "quiet", "accent", "warn", "error"])
def test_text_can_be_read_on_every_surface(theme: Theme, surface: str, text: str) -> None:
    assert contrast_ratio(getattr(theme, text), getattr(theme, surface)) >= 4.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
def test_white_can_be_read_on_filled_buttons(theme: Theme) -> None:
    assert contrast_ratio("#ffffff", theme.accent_fill) >= 4.5


def test_contrast_of_known_pairs() -> None:
    assert contrast_ratio("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast_ratio("#777777", "#777777") == pytest.approx(1.0)
    assert contrast_ratio("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_people_have_distinct_colours_and_terms_have_theirs() -> None:
    assert len(set(PEOPLE_COLOURS)) == len(PEOPLE_COLOURS) >= 8
    assert person_colour(len(PEOPLE_COLOURS)) == PEOPLE_COLOURS[0]
    assert set(TERM_COLOURS) == {*TERM_NAMES, "total"}
    assert len(set(TERM_COLOURS.values())) == len(TERM_COLOURS)
