"""Each drawn thing is where its projection says, in its colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up import (
    ALPHA,
    COLOURS,
    DEPTH_SIZE,
    GROUND,
    ONLY_MESH,
    Shown,
    looks_like,
    make_scene,
    make_state,
    soles_of,
)

from app.theme import DARK, LIGHT
from app.viewport.colours import rgb
from app.viewport.interface import PersonStyle
from refine_engine.body import JOINT_INDEX, BodyModel
from refine_engine.scene import Scene
from refine_engine.state import OptimizationState

SPINE, NECK = JOINT_INDEX["spine2"], JOINT_INDEX["neck"]
MakeView = Callable[..., Shown]


@pytest.mark.parametrize("person", [1, 4])
def test_a_projected_joint_lands_on_a_pixel_of_that_persons_colour(
    shown: Shown, person: int
) -> None:
    assert looks_like(shown.pixels()[shown.joint(person, SPINE)], COLOURS[person])


def test_a_person_is_only_drawn_where_visible_and_present(shown: Shown) -> None:
    at = shown.joint(4, SPINE)
    shown.view.set_people({1: PersonStyle(COLOURS[1]), 4: PersonStyle(COLOURS[4], visible=False)})
    assert not looks_like(shown.pixels()[at], COLOURS[4])
    shown.view.set_people({i: PersonStyle(c) for i, c in COLOURS.items()})
    assert looks_like(shown.pixels()[at], COLOURS[4])
    shown.view.show_frame(1)  # before person 4 comes
    assert not looks_like(shown.pixels()[at], COLOURS[4])
    assert looks_like(shown.pixels()[shown.joint(1, SPINE)], COLOURS[1])


def test_another_state_moves_the_people(shown: Shown) -> None:
    before = shown.joint(1, SPINE)
    shown.view.show_state(make_state(shift=0.5))
    shown.view.request_render()
    after = shown.joint(1, SPINE)
    assert abs(after[1] - before[1]) > 15
    assert looks_like(shown.pixels()[after], COLOURS[1])


def test_surface_wire_skeleton_and_joints_differ(shown: Shown) -> None:
    row, column = shown.joint(1, SPINE)
    body_pixels = {}
    for name, changes in {
        "surface": {},
        "wire": {"wire": True},
        "bones": {"mesh": False, "skeleton": True},
        "balls": {"mesh": False, "joints": True},
        "nothing": {"mesh": False},
    }.items():
        shown.view.set_display(replace(ONLY_MESH, **changes))
        picture = shown.pixels()
        body_pixels[name] = int((np.abs(picture - picture[2, 2]).sum(-1) > 60).sum())
        if name in ("bones", "balls"):
            assert picture[row, column].sum() > picture[2, 2].sum() + 60
    assert body_pixels["nothing"] == 0
    assert body_pixels["surface"] > 2 * body_pixels["bones"] > 0
    assert body_pixels["surface"] > 2 * body_pixels["balls"] > 0
    assert body_pixels["wire"] != body_pixels["surface"]


def test_bones_are_seen_through_their_own_skin(shown: Shown) -> None:
    at = shown.joint(1, SPINE)
    plain = shown.pixels()[at]
    shown.view.set_display(replace(ONLY_MESH, skeleton=True, joints=True))
    assert shown.pixels()[at].sum() > plain.sum() + 60


def test_the_chosen_person_has_an_outline(shown: Shown) -> None:
    text = np.round(np.array(rgb(DARK.text)) * 255)

    def outline() -> np.ndarray:
        near = np.abs(shown.pixels() - text).max(-1) < 12
        return np.argwhere(near)

    assert len(outline()) == 0
    shown.view.set_selection(4)
    found = outline()
    assert len(found) > 60
    row, column = shown.joint(4, SPINE)
    assert np.abs(found.mean(0) - [row, column]).max() < 40
    shown.view.set_selection(None)
    assert len(outline()) == 0


def test_the_grid_lies_where_the_plane_is_and_moves_with_it(
    shown: Shown, state: OptimizationState
) -> None:
    crossing = np.array([[0.0, -GROUND, -4.0]])

    def brightness(point: np.ndarray) -> int:
        x, y = shown.view.project(point)[0]
        row, column = round(float(y)), round(float(x))
        picture = shown.pixels().sum(-1)
        return int(picture[row - 1 : row + 2, column - 1 : column + 2].max())

    empty = brightness(crossing)
    shown.view.set_display(replace(ONLY_MESH, ground=True))
    assert brightness(crossing) > empty + 25
    between = crossing + [[0.5, 0.0, 0.5]]
    assert brightness(between) < brightness(crossing) - 20
    lower = replace(state, ground_plane=np.array([0.0, 1.0, 0.0, GROUND + 0.3]))
    shown.view.show_state(lower)
    shown.view.request_render()
    assert brightness(crossing + [[0.0, -0.3, 0.0]]) > empty + 25


def test_the_ghost_is_grey_beside_the_person_and_gone_where_nothing_moved(shown: Shown) -> None:
    view = shown.view
    view.set_ghost(make_state(shift=-0.45))
    without = shown.pixels()
    view.set_display(replace(ONLY_MESH, ghost=True))
    with_ghost = shown.pixels()
    changed = np.abs(with_ghost - without).sum(-1) > 30
    assert changed.sum() > 500
    joints = view.drawing.joints(1)
    assert joints is not None
    x, y = view.project(joints[NECK][None] + [[-0.45, 0.0, 0.0]])[0]
    pixel = with_ghost[round(float(y)), round(float(x))]
    assert pixel.sum() > without[round(float(y)), round(float(x))].sum() + 60
    assert np.ptp(pixel) < 30
    assert looks_like(with_ghost[shown.joint(1, SPINE)], COLOURS[1])
    view.set_ghost(make_state())
    assert np.abs(shown.pixels() - without).max() < 3


def test_the_depth_wall_is_alpha_times_its_depth_away(make_view: MakeView, body: BodyModel) -> None:
    scene, state = make_scene(), make_state()
    options = replace(ONLY_MESH, depth=True, depth_confidence=0.0, mesh=False)
    shown = make_view(scene, body, state, options)
    shown.view._move_to(
        replace(shown.view.viewpoint, azimuth=np.pi / 2, elevation=0.0, distance=24, parallel=True)
    )
    for alpha in (ALPHA, 1.25 * ALPHA):
        shown.view.show_state(replace(state, alpha_0=alpha))
        shown.view.request_render()
        columns = np.flatnonzero((np.ptp(shown.pixels(), axis=-1) > 40).any(0))
        x, _ = shown.view.project(np.array([[0.0, 0.0, -3.0 * alpha]]))[0]
        assert abs(columns.min() - x) <= 3
        assert abs(columns.max() - x) <= 3


def test_the_cloud_has_the_videos_colours_or_those_of_depth(
    make_view: MakeView, body: BodyModel
) -> None:
    options = replace(ONLY_MESH, depth=True, mesh=False)
    shown = make_view(make_scene(), body, make_state(), options)
    picture = shown.pixels()
    cloud = picture[np.ptp(picture, axis=-1) > 30]
    assert len(cloud) > 1000
    assert (cloud[:, 2] > cloud[:, 0] + 20).mean() > 0.9  # the video is blue
    shown.view.set_display(replace(options, depth_image_colours=False))
    assert np.abs(shown.pixels() - picture).max() > 30


def test_the_cloud_is_thin_while_moving_and_whole_again_at_rest(
    make_view: MakeView, body: BodyModel, qtbot: Any
) -> None:
    options = replace(ONLY_MESH, depth=True, depth_confidence=0.0)
    shown = make_view(make_scene(), body, make_state(), options)
    cloud = shown.view.drawing.evidence.cloud
    whole = DEPTH_SIZE[0] * DEPTH_SIZE[1]
    shown.view.set_moving(True)
    qtbot.waitUntil(lambda: 0 < cloud.drawn_points <= whole / 4)
    shown.view.set_moving(False)
    qtbot.waitUntil(lambda: cloud.drawn_points == whole)
    shown.view.set_display(replace(options, depth_confidence=0.75))
    trusted = pytest.approx(0.25 * whole, rel=0.05)
    qtbot.waitUntil(lambda: cloud.drawn_points == trusted)


def test_the_frustum_shows_the_video_where_the_camera_stands(
    make_view: MakeView, body: BodyModel
) -> None:
    shown = make_view(make_scene(), body, make_state(), replace(ONLY_MESH, camera=True))
    view = shown.view
    view._move_to(replace(view.viewpoint.looking_at(np.zeros(3)), azimuth=1.1, distance=3.0))
    camera = view.drawing.frame_camera()
    assert camera is not None
    corners = camera.image_corners(0.5 * 300 / 320)
    middle = view.project(corners.mean(0)[None])[0]
    pixel = shown.pixels()[round(float(middle[1])), round(float(middle[0]))]
    assert list(pixel) == pytest.approx([30, 0, 120], abs=6)


def test_contact_discs_lie_under_the_sole_that_touches(
    make_view: MakeView, body: BodyModel, state: OptimizationState
) -> None:
    options = replace(ONLY_MESH, mesh=False, contacts=True)
    shown = make_view(make_scene(), body, state, options)
    person = state.people[1]
    heel = soles_of(body, person, 3)[0]
    heel[1] = -GROUND
    x, y = shown.view.project(heel[None])[0]
    assert looks_like(shown.pixels()[round(float(y)), round(float(x))], COLOURS[1])
    nobody = {i: replace(p, contacts=np.zeros_like(p.contacts)) for i, p in state.people.items()}
    shown.view.show_state(replace(state, people=nobody))
    shown.view.request_render()
    assert not looks_like(shown.pixels()[round(float(y)), round(float(x))], COLOURS[1])


def test_trails_run_on_the_ground(make_view: MakeView, body: BodyModel) -> None:
    state = make_state()
    options = replace(ONLY_MESH, mesh=False, trails=True)
    shown = make_view(make_scene(), body, state, options)
    path = shown.view.drawing.bodies.pelvis_path(1)  # type: ignore[union-attr]
    assert path is not None
    feet = path[1].copy()
    feet[:, 1] = -GROUND
    x, y = shown.view.project(feet[2:3])[0]
    picture = shown.pixels()
    near = picture[round(float(y)) - 2 : round(float(y)) + 3, round(float(x))]
    assert any(looks_like(pixel, COLOURS[1]) for pixel in near)


def test_names_stand_over_heads(make_view: MakeView, body: BodyModel) -> None:
    shown = make_view(make_scene(), body, make_state())
    without = shown.pixels()
    shown.view.set_display(replace(ONLY_MESH, labels=True))
    changed = np.argwhere(np.abs(shown.pixels() - without).sum(-1) > 60)
    row, column = shown.joint(1, JOINT_INDEX["head"])
    near = changed[(np.abs(changed[:, 1] - column) < 40) & (changed[:, 0] < row)]
    assert len(near) > 50
    assert abs(near[:, 1].mean() - column) < 12


def test_axes_and_scale_bar_are_painted_in_the_corners(shown: Shown) -> None:
    without = shown.pixels()
    shown.view.set_display(replace(ONLY_MESH, axes=True))
    changed = np.argwhere(np.abs(shown.pixels() - without).sum(-1) > 60)
    height, width = without.shape[:2]
    assert (changed[:, 0] > height / 2).all()
    bar = changed[changed[:, 1] > width - 160]
    assert len(bar) > 60
    assert len(changed[changed[:, 1] < 90]) > 20


def test_displacement_is_coloured_by_centimetres_from_the_ghost(shown: Shown) -> None:
    view = shown.view
    view.set_ghost(make_state(shift=0.1))
    view.set_display(replace(ONLY_MESH, colouring="displacement"))
    picture = shown.pixels()
    assert not looks_like(picture[shown.joint(1, SPINE)], COLOURS[1])
    scale = view.drawing.crowd.value_scale
    assert scale is not None
    assert scale.end == 10
    values = view.drawing.crowd.people[1].values
    assert values == pytest.approx(np.full(len(values), 10.0), abs=1e-3)


def test_uncertainty_is_coloured_once_it_is_known(shown: Shown, state: OptimizationState) -> None:
    view = shown.view
    view.set_display(replace(ONLY_MESH, colouring="uncertainty"))
    shown.settle()
    assert view.drawing.crowd.value_scale is not None
    assert view.drawing.crowd.value_scale.note
    people = {
        i: replace(p, joint_sigma=np.full((len(p.frames), 24), 0.03))
        for i, p in state.people.items()
    }
    view.show_state(replace(state, people=people))
    view.request_render()
    shown.settle()
    values = view.drawing.crowd.people[4].values
    assert values == pytest.approx(np.full(len(values), 3.0), abs=1e-3)
    assert view.drawing.crowd.value_scale is not None
    assert view.drawing.crowd.value_scale.end == 5


def test_themes_change_the_background(shown: Shown) -> None:
    dark = shown.pixels()[3, 3].sum()
    shown.view.set_theme(LIGHT)
    assert shown.pixels()[3, 3].sum() > dark + 400


def test_damaged_or_missing_depth_and_video_draw_nothing(
    make_view: MakeView, body: BodyModel
) -> None:
    scene = make_scene(video=False, depth=False)
    shown = make_view(scene, body, make_state(), replace(ONLY_MESH, depth=True, camera=True))
    shown.settle()
    assert shown.view.drawing.evidence.cloud.drawn_points == 0
    shown.view.look_through(True)
    assert looks_like(shown.pixels()[shown.joint(1, SPINE)], COLOURS[1])


def test_no_scene_is_an_empty_view(shown: Shown, scene: Scene, body: BodyModel) -> None:
    shown.view.set_scene(None, None, None)
    picture = shown.pixels()
    assert np.abs(picture - picture[0, 0]).max() == 0
    shown.view.set_scene(scene, body, make_state())
    shown.view.show_frame(3)
    assert looks_like(shown.pixels()[shown.joint(4, SPINE)], COLOURS[4])
