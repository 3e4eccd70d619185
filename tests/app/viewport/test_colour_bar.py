"""Colours that stand for numbers are explained, in metres or centimetres, beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from made_up import ALPHA, ONLY_MESH, Shown, make_scene, make_state
from numpy.typing import NDArray
from PyQt6.QtGui import QFont

from app.viewport.colour_bar import depth_bar, value_bar
from app.viewport.colouring import ValueScale, colour_at
from app.viewport.depth_cloud import (
    FAR_COLOUR,
    NEAR_COLOUR,
    clip_span,
    colour_of_share,
    depth_colours,
)
from refine_engine.body import BodyModel
from refine_engine.refinement.maps_in_memory import DepthArrays
from refine_engine.scene import Scene

MakeView = Callable[..., Shown]
DEPTH = replace(ONLY_MESH, depth=True, depth_image_colours=False)


def bar_ends(picture: NDArray[np.int64], first: object, last: object) -> tuple[int, int] | None:
    """Columns of a gradient's first and last colours in the lower right quarter."""
    height, width = picture.shape[:2]
    corner = picture[height // 2 :, width // 3 :]
    left = np.argwhere(np.abs(corner - np.array(first)).max(-1) <= 6)
    right = np.argwhere(np.abs(corner - np.array(last)).max(-1) <= 6)
    rows = set(left[:, 0]) & set(right[:, 0])
    if len(rows) < 3:
        return None
    return int(left[:, 1].min()), int(right[:, 1].max())


def test_ticks_are_metres_at_their_places_on_the_bar() -> None:
    bar = depth_bar(2.0, 8.0)
    assert bar.ticks == ("2.0", "3.2", "8.0 m")
    shades = depth_colours(np.array([2.0, 3.2, 8.0], dtype=np.float32), (2.0, 8.0)) / 255.0
    for share, shade in zip((0.0, 0.5, 1.0), shades, strict=True):
        assert colour_of_share(share) == pytest.approx(tuple(shade), abs=0.01)
    assert value_bar(ValueScale("Displacement", 5.0)).ticks == ("0", "2.5", "5 cm")
    assert value_bar(ValueScale("Uncertainty", 0.0, "after a run")).ticks == ()


def deepening(scene: Scene) -> Scene:
    """Each map a slope from 1 to 3 units, one unit deeper a frame."""
    slope = np.linspace(1.0, 3.0, 160, dtype=np.float32)
    maps = np.stack([np.tile(slope + f, (120, 1)) for f in range(scene.num_frames)])
    return replace(scene, depth=DepthArrays(maps))


def test_the_span_is_the_clips_not_the_frames() -> None:
    near, far = clip_span(deepening(make_scene()))
    # 2 % and 95 % of what lies between 1 and 8.
    assert 1.0 < near < 1.5
    assert 7.0 < far < 8.0
    assert clip_span(make_scene(depth=False)) == (0.0, 1.0)


def set_text(shown: Shown, pixels: int) -> None:
    font = QFont(shown.view.font())
    font.setPixelSize(pixels)
    shown.view.setFont(font)
    shown.view.request_render()


def test_depth_colours_are_explained_where_they_are_shown(
    make_view: MakeView, body: BodyModel
) -> None:
    scene, state = deepening(make_scene()), make_state()
    shown = make_view(scene, body, state, DEPTH, size=(700, 500))
    set_text(shown, 13)
    ends = bar_ends(shown.pixels(), NEAR_COLOUR, FAR_COLOUR)
    assert ends is not None
    assert 140 <= ends[1] - ends[0] <= 156
    near, far = clip_span(scene)
    assert shown.view.drawing.evidence.depth_span == pytest.approx((near * ALPHA, far * ALPHA))
    shown.view.set_display(replace(DEPTH, depth=False))
    assert bar_ends(shown.pixels(), NEAR_COLOUR, FAR_COLOUR) is None
    shown.view.set_display(replace(DEPTH, depth_image_colours=True))
    assert bar_ends(shown.pixels(), NEAR_COLOUR, FAR_COLOUR) is None
    shown.view.look_through(True)
    assert bar_ends(shown.pixels(), NEAR_COLOUR, FAR_COLOUR) is None


def test_the_depth_picture_behind_people_is_explained_too(
    make_view: MakeView, body: BodyModel
) -> None:
    shown = make_view(make_scene(video=False), body, make_state(), size=(700, 500))
    shown.view.look_through(True)
    assert bar_ends(shown.pixels(), NEAR_COLOUR, FAR_COLOUR) is not None


def test_displacement_and_depth_stand_above_each_other(
    make_view: MakeView, body: BodyModel
) -> None:
    shown = make_view(make_scene(), body, make_state(), DEPTH, size=(700, 500))
    shown.view.set_ghost(make_state(shift=0.1))
    shown.view.set_display(replace(DEPTH, colouring="displacement"))
    picture = shown.pixels()
    assert bar_ends(picture, NEAR_COLOUR, FAR_COLOUR) is not None
    dark, bright = (tuple(255 * np.array(colour_at(s))) for s in (0.0, 1.0))
    assert bar_ends(picture, dark, bright) is not None


def test_names_and_bars_grow_with_the_text(make_view: MakeView, body: BodyModel) -> None:
    options = replace(DEPTH, labels=True)
    shown = make_view(make_scene(), body, make_state(), options, size=(900, 640))
    set_text(shown, 13)
    small = bar_ends(shown.pixels(), NEAR_COLOUR, FAR_COLOUR)
    plates = shown.view._annotations._plates._made
    low = max(image.height() for image in plates.values())
    set_text(shown, 20)
    large = bar_ends(shown.pixels(), NEAR_COLOUR, FAR_COLOUR)
    assert small is not None
    assert large is not None
    assert (large[1] - large[0]) / (small[1] - small[0]) == pytest.approx(20 / 13, rel=0.05)
    assert max(image.height() for image in plates.values()) >= 1.4 * low
