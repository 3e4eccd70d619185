"""Viewpoints, looking through the scene's camera, and who is under the mouse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from made_up import (
    COLOURS,
    FRAMES,
    IMAGE,
    ONLY_MESH,
    K,
    Shown,
    looks_like,
    make_scene,
    make_state,
)
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from app.viewport.look_through import ImageWindow
from app.viewport.orbit import Margin, Viewpoint
from refine_engine.body import JOINT_INDEX, BodyModel, skin_mesh
from refine_engine.geometry.cameras import project
from refine_engine.scene import Scene
from refine_engine.state import OptimizationState

SPINE = JOINT_INDEX["spine2"]
LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
MakeView = Callable[..., Shown]


def in_camera(points_world: np.ndarray) -> np.ndarray:
    """World to the made-up camera's axes."""
    return points_world * np.array([1.0, -1.0, -1.0])


def expected_pixels(points_world: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Where the engine's projection says points are, with the picture fitted into the view."""
    pixels, _ = project(in_camera(points_world)[None], K[None])
    height, width = IMAGE
    scale = min(size[0] / width, size[1] / height)
    return pixels[0] * scale + (np.array(size) - scale * np.array([width, height])) / 2


def vertices_of(body: BodyModel, state: OptimizationState, person: int, row: int) -> np.ndarray:
    p = state.people[person]
    return skin_mesh(body, p.betas, p.R_world_root[row], p.body_pose[row], p.transl_world[row])


# Looking through


@pytest.mark.parametrize("size", [(420, 300), (300, 360)])
def test_the_silhouette_seen_through_the_camera_is_where_the_engine_projects_it(
    make_view: MakeView,
    scene: Scene,
    body: BodyModel,
    state: OptimizationState,
    size: tuple[int, int],
) -> None:
    shown = make_view(make_scene(video=False, depth=False), body, state, size=size)
    shown.view.look_through(True)
    picture = shown.pixels()
    drawn = np.argwhere(np.abs(picture - picture[1, 1]).sum(-1) > 40)[:, ::-1]
    vertices = np.concatenate([vertices_of(body, state, 1, 3), vertices_of(body, state, 4, 1)])
    expected = expected_pixels(vertices, size)
    assert np.abs(drawn.min(0) - expected.min(0)).max() <= 2.0
    assert np.abs(drawn.max(0) - expected.max(0)).max() <= 2.0
    joints = shown.view.drawing.joints(1)
    assert joints is not None
    assert shown.view.project(joints) == pytest.approx(expected_pixels(joints, size), abs=0.01)


def test_refined_bodies_are_seen_through_cameras_that_are_turned_with_them(
    make_view: MakeView, scene: Scene, body: BodyModel, state: OptimizationState
) -> None:
    shown = make_view(make_scene(video=False, depth=False), body, state)
    shown.view.look_through(True)
    spine = shown.view.drawing.joints(1)[None, SPINE]
    before = shown.view.project(spine)[0]
    drift = np.arange(FRAMES)[:, None] * np.array([0.01, -0.007])
    shift = drift[shown.view.drawing.frame]
    assert shift.all()
    people = {i: replace(p, image_shift=drift[p.frames]) for i, p in state.people.items()}
    shown.view.show_state(replace(state, people=people))
    scale = min(420 / IMAGE[1], 300 / IMAGE[0])
    moved = scale * np.array([K[0, 0], K[1, 1]]) * shift
    # A turn is not quite a shift away from the optical axis.
    np.testing.assert_allclose(shown.view.project(spine)[0] - before, moved, rtol=0.12)
    shown.view.show_state(state)
    np.testing.assert_allclose(shown.view.project(spine)[0], before, atol=1e-6)


def test_the_video_lies_behind_people_and_fits(shown: Shown) -> None:
    shown.view.look_through(True)
    picture = shown.pixels()
    assert looks_like(picture[shown.joint(1, SPINE)], COLOURS[1])
    # 320 x 240 in 420 x 300: 400 x 300 in the middle, 10 columns free on both sides.
    blue = picture[:, :, 2] == 120
    columns = np.flatnonzero(blue[20])
    assert abs(columns.min() - 10) <= 1
    assert abs(columns.max() - 409) <= 1
    assert list(picture[20, 200]) == [30, 0, 120]
    shown.view.show_frame(5)
    assert list(shown.pixels()[20, 200]) == [50, 0, 120]


def test_without_a_video_the_depth_picture_stands_behind(
    make_view: MakeView, body: BodyModel
) -> None:
    shown = make_view(make_scene(video=False), body, make_state())
    background = shown.pixels()[20, 200]
    shown.view.look_through(True)
    picture = shown.pixels()
    assert np.abs(picture[20, 200] - background).sum() > 60
    assert looks_like(picture[shown.joint(4, SPINE)], COLOURS[4])


def test_the_wheel_enlarges_the_picture_about_the_mouse(shown: Shown) -> None:
    shown.view.look_through(True)
    row, column = shown.joint(4, SPINE)
    shown.view.zoom(5.0, QPointF(column, row))
    assert shown.joint(4, SPINE) == pytest.approx((row, column), abs=2)
    assert looks_like(shown.pixels()[row, column], COLOURS[4])
    joints = shown.view.drawing.joints(4)
    assert joints is not None
    size = (shown.view.width(), shown.view.height())
    grown = np.ptp(shown.view.project(joints)[:, 1]) / np.ptp(expected_pixels(joints, size)[:, 1])
    assert grown == pytest.approx(0.88**-5, rel=1e-3)
    shown.view.look_through(False)
    shown.view.look_through(True)
    assert shown.view.project(joints) == pytest.approx(expected_pixels(joints, size), abs=0.01)


def test_zooming_out_never_leaves_the_fitted_picture() -> None:
    window = ImageWindow().zoomed(2.0, (10.0, 20.0), (320, 240), (420, 300))
    assert window.zoom == 2.0
    assert window.zoomed(0.1, (300.0, 20.0), (320, 240), (420, 300)) == ImageWindow()


# Free viewpoints


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("azimuth", [0.0, 0.7, 2.5])
def test_a_fitted_viewpoint_sees_every_point_inside_the_margin(
    azimuth: float, parallel: bool
) -> None:
    points = np.random.default_rng(3).uniform(-1, 1, (50, 3)) * [3.0, 1.0, 4.0] + [5.0, 1.0, -8.0]
    size, margin = (800, 500), Margin()
    view = Viewpoint(azimuth=azimuth, parallel=parallel).fitted(points, size, margin)
    right, up, back = view.axes()
    away = points - np.array(view.focal)
    depth = view.distance - (0.0 if parallel else away @ back)
    half = math.tan(math.radians(15.0)) * depth
    x = 400 + 250 * (away @ right) / half
    y = 250 - 250 * (away @ up) / half
    assert x.min() >= margin.sides - 1
    assert x.max() <= 800 - margin.sides + 1
    assert y.min() >= margin.top - 1
    assert y.max() <= 500 - margin.bottom + 1


def test_the_world_stands_upright_in_every_mode(shown: Shown) -> None:
    for mode in ("orbit", "follow", "side"):
        shown.view.set_camera_mode(mode)
        joints = shown.view.drawing.joints(1)
        assert joints is not None
        pixels = shown.view.project(joints)
        head, foot = pixels[JOINT_INDEX["head"]], pixels[JOINT_INDEX["left_foot"]]
        assert head[1] < foot[1] - 20


def test_from_above_keeps_distances_on_the_ground(shown: Shown) -> None:
    shown.view.set_camera_mode("top")
    points = np.array([[0.0, -1.2, -4.0], [1.0, -1.2, -4.0], [0.0, -1.2, -3.0], [0.0, 0.5, -4.0]])
    pixels = shown.view.project(points)
    east, south = pixels[1] - pixels[0], pixels[2] - pixels[0]
    assert np.linalg.norm(east) == pytest.approx(np.linalg.norm(south), rel=0.01)
    assert abs(east @ south) < 1.0
    # Height hardly shows from above.
    assert np.linalg.norm(pixels[3] - pixels[0]) < 0.05 * np.linalg.norm(east)


def test_follow_keeps_the_chosen_person_in_the_middle(shown: Shown) -> None:
    shown.view.set_selection(4)
    shown.view.set_camera_mode("follow")
    places = []
    for frame in (3, 5):
        shown.view.show_frame(frame)
        shown.settle()
        places.append(shown.joint(4, 0))
    assert places[0] == pytest.approx(places[1], abs=1)
    assert places[0] == pytest.approx((150, 210), abs=2)


def test_dragging_turns_and_the_right_button_shifts(shown: Shown, qapp: QApplication) -> None:
    canvas = shown.view.canvas
    before = shown.view.viewpoint
    for button, held in ((LEFT, False), (RIGHT, True)):
        QTest.mousePress(canvas, button, pos=QPoint(100, 100))
        move(canvas, QPoint(100, 100), QPoint(160, 120), button)
        QTest.mouseRelease(canvas, button, pos=QPoint(160, 120))
        after = shown.view.viewpoint
        assert (after.focal != before.focal) == held
        assert (after.azimuth != before.azimuth) != held
        before = after


def test_the_wheel_keeps_what_is_under_the_mouse(shown: Shown) -> None:
    row, column = shown.joint(1, SPINE)
    event = QWheelEvent(
        QPointF(column, row),
        QPointF(column, row),
        QPoint(),
        QPoint(0, 360),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    distance = shown.view.viewpoint.distance
    QApplication.sendEvent(shown.view.canvas, event)
    assert shown.view.viewpoint.distance == pytest.approx(distance * 0.88**3)
    assert shown.joint(1, SPINE) == pytest.approx((row, column), abs=12)


def test_keys_turn_and_zoom(shown: Shown) -> None:
    before = shown.view.viewpoint
    QTest.keyClick(shown.view.canvas, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert shown.view.viewpoint.azimuth != before.azimuth
    QTest.keyClick(shown.view.canvas, Qt.Key.Key_Plus)
    assert shown.view.viewpoint.distance < before.distance


def test_a_full_turn_comes_back(shown: Shown) -> None:
    first = shown.view.project(np.array([[0.3, 0.0, -4.0]]))
    for _ in range(8):
        shown.view.turn(45.0)
    assert shown.view.project(np.array([[0.3, 0.0, -4.0]])) == pytest.approx(first, abs=0.01)


# Picking


@pytest.mark.parametrize("options", [{}, {"wire": True}, {"mesh": False, "skeleton": True}])
def test_a_click_picks_the_person_under_it(shown: Shown, options: dict[str, bool]) -> None:
    shown.view.set_display(replace(ONLY_MESH, **options))
    picked: list[object] = []
    shown.view.person_picked.connect(picked.append)
    for person in (1, 4):
        row, column = shown.joint(person, SPINE)
        QTest.mouseClick(shown.view.canvas, LEFT, pos=QPoint(column, row))
    QTest.mouseClick(shown.view.canvas, LEFT, pos=QPoint(4, 4))
    assert picked == [1, 4, None]


def test_the_cloud_and_the_ground_are_never_picked(make_view: MakeView, body: BodyModel) -> None:
    options = replace(ONLY_MESH, depth=True, ground=True, camera=True, contacts=True)
    shown = make_view(make_scene(), body, make_state(), options)
    x, y = shown.view.project(np.array([[0.05, -1.2, -4.0]]))[0]
    assert shown.view.pick(float(x), float(y)) is None
    row, column = shown.joint(4, SPINE)
    assert shown.view.pick(column, row) == 4


def test_picking_works_while_looking_through(shown: Shown) -> None:
    shown.view.look_through(True)
    row, column = shown.joint(4, SPINE)
    assert shown.view.pick(column, row) == 4
    assert shown.view.pick(12, 12) is None


def test_a_drag_does_not_pick(shown: Shown) -> None:
    picked: list[object] = []
    shown.view.person_picked.connect(picked.append)
    canvas = shown.view.canvas
    QTest.mousePress(canvas, LEFT, pos=QPoint(100, 100))
    move(canvas, QPoint(100, 100), QPoint(130, 100), LEFT)
    QTest.mouseRelease(canvas, LEFT, pos=QPoint(130, 100))
    assert picked == []


def test_a_double_click_looks_at_the_person(shown: Shown) -> None:
    row, column = shown.joint(4, SPINE)
    QTest.mouseDClick(shown.view.canvas, LEFT, pos=QPoint(column, row))
    assert shown.joint(4, SPINE) == pytest.approx((150, 210), abs=14)


def move(widget: object, start: QPoint, end: QPoint, button: Qt.MouseButton) -> None:
    """Move with a button down; QTest's own moves carry no button."""
    from PyQt6.QtCore import QEvent
    from PyQt6.QtGui import QMouseEvent

    for share in (0.3, 0.6, 1.0):
        at = QPointF(start) + share * QPointF(end - start)
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            at,
            at,
            Qt.MouseButton.NoButton,
            button,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(widget, event)  # type: ignore[arg-type]
