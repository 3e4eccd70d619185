"""Opening and closing, pacing, pictures, and platforms without OpenGL widgets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_up import COLOURS, Shown, looks_like, make_state, rgb_of
from patience import PATIENCE_MS, PROGRAM_S
from PyQt6.QtCore import QEvent, QSize, Qt
from PyQt6.QtGui import QColor, QFocusEvent
from PyQt6.QtWidgets import QApplication

from app.theme import DARK
from app.viewport import scene_view
from app.viewport.interface import SceneViewProtocol
from refine_engine.body import JOINT_INDEX, BodyModel
from refine_engine.scene import Scene

SPINE = JOINT_INDEX["spine2"]
ROOT = Path(__file__).parents[3]

PROGRAM = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
from made_up import *
from PyQt6.QtCore import QPoint, QSize, Qt
from PyQt6.QtGui import QSurfaceFormat
from PyQt6.QtTest import QTest
from app.__main__ import prepare_opengl
from app.viewport.interface import DisplayOptions, PersonStyle
from refine_engine.body import load_body_model
prepare_opengl()
application = QApplication([])
body = load_body_model()
from app.viewport import vtk_widget
if {card!r}:
    # As on a graphics card: the OpenGL widget, however slow it is here.
    vtk_widget.is_software = lambda name: False
def open_view(options=ONLY_MESH, size=(420, 300)):
    view = SceneView()
    view.resize(*size)
    view.set_people({{i: PersonStyle(c) for i, c in COLOURS.items()}})
    view.set_display(options)
    view.set_scene(make_scene(), body, make_state())
    view.show_frame(3)
    view.show()
    assert QTest.qWaitForWindowExposed(view, {patience})
    for _ in range(4):
        application.processEvents()
    return view
"""


def run(
    program: str, *, card: bool = False, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a program that begins with an application and ``open_view``."""
    merged = {**os.environ, **{k: v for k, v in environment.items() if v is not None}}
    for key in (k for k, v in environment.items() if v is None):
        merged.pop(key, None)
    here = str(Path(__file__).parent)
    head = PROGRAM.format(root=str(ROOT), here=here, card=card, patience=PATIENCE_MS)
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", head + program],
        capture_output=True,
        text=True,
        env=merged,
        timeout=PROGRAM_S,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("card", [False, True])
def test_twenty_views_open_and_close_in_one_process(card: bool) -> None:
    done = run(
        """
everything = DisplayOptions(skeleton=True, ghost=True)
for number in range(20):
    view = open_view(everything)
    view.set_ghost(make_state(shift=0.2))
    application.processEvents()
    if number % 2:
        view.shutdown()
    view.close()
    if not number % 2:
        view.shutdown()
    view.deleteLater()
    application.processEvents()
print("closed", number + 1)
""",
        card=card,
    )
    assert done.returncode == 0, done.stderr
    assert "closed 20" in done.stdout


def test_no_picture_at_rest_while_the_engine_refines(
    make_view: Callable[..., Shown], scene: Scene, body: BodyModel, qtbot: Any
) -> None:
    view = make_view(scene, body, make_state()).view
    view.drawing.may_be_coarse = True
    view.set_working(True)
    view.set_moving(True)
    with qtbot.waitSignal(view._idle.timeout):
        view.set_moving(False)
    assert view.drawing.coarse
    view.set_working(False)
    qtbot.waitUntil(lambda: not view.drawing.thin)


@pytest.mark.parametrize("card", [False, True])
def test_leaving_without_a_shutdown_does_not_crash(card: bool) -> None:
    done = run("view = open_view(); print('left')", card=card)
    assert done.returncode == 0, done.stderr
    assert "left" in done.stdout


def test_picking_and_drawing_agree_on_a_scaled_screen() -> None:
    done = run(
        """
view = open_view(size=(300, 220))
assert view.devicePixelRatioF() == 1.5, view.devicePixelRatioF()
picture = rgb_of(view.grab().toImage())
assert picture.shape[1] == 450, picture.shape
assert view.drawing.ratio == 1.5
picked = []
view.person_picked.connect(picked.append)
for person in (1, 4):
    x, y = view.project(view.drawing.joints(person)[6][None])[0]
    pixel = picture[round(1.5 * float(y)), round(1.5 * float(x))]
    assert looks_like(pixel, COLOURS[person]), pixel
    QTest.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
assert picked == [1, 4], picked
image = view.grab_image()
assert image.width() == 450, image.size()
view.shutdown()
view.close()
print("agreed")
""",
        QT_SCALE_FACTOR="1.5",
        card=True,
    )
    assert done.returncode == 0, done.stderr
    assert "agreed" in done.stdout


def test_without_a_display_the_view_draws_off_screen() -> None:
    done = run(
        """
view = open_view()
assert not view.draws_on_screen
for picture in (rgb_of(view.grab_image()), rgb_of(view.grab().toImage())):
    for person in (1, 4):
        x, y = view.project(view.drawing.joints(person)[6][None])[0]
        assert looks_like(picture[round(float(y)), round(float(x))], COLOURS[person])
assert view.gl_renderer
view.shutdown()
view.close()
print("drawn off screen")
""",
        QT_QPA_PLATFORM="offscreen",
        DISPLAY=None,
    )
    assert done.returncode == 0, done.stderr
    assert "drawn off screen" in done.stdout
    assert "bad X server" not in done.stderr


def test_on_software_opengl_the_view_is_a_picture_in_a_plain_window() -> None:
    done = run("""
from app.viewport.vtk_widget import GlCanvas, is_software, qt_renderer
view = open_view()
slow = is_software(qt_renderer())
assert isinstance(view.canvas, GlCanvas) != slow
assert view.draws_on_screen != slow
picked = []
view.person_picked.connect(picked.append)
picture = rgb_of(view.grab().toImage())
for person in (1, 4):
    x, y = view.project(view.drawing.joints(person)[6][None])[0]
    assert looks_like(picture[round(float(y)), round(float(x))], COLOURS[person])
    QTest.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
assert picked == [1, 4], picked
view.resize(500, 360)
while (view.width(), view.height()) != (500, 360):
    QTest.qWait(10)
x, y = view.project(view.drawing.joints(4)[6][None])[0]
picture = rgb_of(view.grab().toImage())
assert picture.shape[:2] == (360, 500)
assert looks_like(picture[round(float(y)), round(float(x))], COLOURS[4])
view.shutdown()
view.close()
print("software" if slow else "card")
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] in ("software", "card")


def test_a_picture_can_be_taken_before_the_view_is_shown() -> None:
    done = run("""
view = SceneView()
view.resize(420, 300)
view.set_people({i: PersonStyle(c) for i, c in COLOURS.items()})
view.set_display(ONLY_MESH)
view.set_scene(make_scene(), body, make_state())
view.show_frame(3)
picture = rgb_of(view.grab_image(QSize(420, 300)))
assert (abs(picture - picture[0, 0]).sum(-1) > 60).sum() > 1500
view.shutdown()
print("taken")
""")
    assert done.returncode == 0, done.stderr
    assert "taken" in done.stdout


def test_moving_to_another_window_keeps_the_picture(shown: Shown, qtbot: object) -> None:
    from PyQt6.QtWidgets import QVBoxLayout, QWidget

    other = QWidget()
    other.resize(420, 300)
    QVBoxLayout(other).setContentsMargins(0, 0, 0, 0)
    layout = other.layout()
    assert layout is not None
    layout.addWidget(shown.view)
    other.show()
    drawn: list[float] = []
    shown.view.frame_drawn.connect(drawn.append)
    shown.view.request_render()
    qtbot.waitUntil(lambda: bool(drawn))  # type: ignore[attr-defined]
    assert looks_like(shown.pixels()[shown.joint(1, SPINE)], COLOURS[1])
    shown.view.setParent(None)
    other.close()
    other.deleteLater()


def test_many_requests_make_few_frames(shown: Shown, qtbot: object) -> None:
    drawn: list[float] = []
    rendered: list[str] = []
    shown.settle()
    shown.view.frame_drawn.connect(drawn.append)
    shown.view.vtk_renderer.AddObserver("EndEvent", lambda _, event: rendered.append(event))
    for _ in range(10):
        for frame in (0, 1, 2, 3, 4, 5):
            shown.view.show_frame(frame)
            shown.view.request_render()
    qtbot.waitUntil(lambda: bool(drawn))  # type: ignore[attr-defined]
    # One for the 60 requests; exposure, focus and the rest may each bring one of their own.
    assert 0 < len(rendered) < 20
    assert shown.view.drawing.frame == 5


def test_states_that_follow_a_slow_frame_wait_their_turn(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = shown.view
    shown.settle()
    monkeypatch.setattr(scene_view, "time", SimpleNamespace(perf_counter=lambda: 50.05))
    # A frame that took 0.2 s was there at 50 s: the next is due at 50.2 s, in 150 ms.
    view._last_seconds, view._last_end = 0.2, 50.0
    view.show_state(make_state(0.1))
    assert view._pace.isActive()
    assert view._pace.interval() == pytest.approx(150, abs=1)
    view.request_render()  # the user's own request does not wait
    assert not view._pace.isActive()
    view._last_end = 49.0
    view.show_state(make_state(0.2))
    assert not view._pace.isActive()


@pytest.mark.parametrize("size", [None, QSize(630, 450), QSize(200, 150), QSize(1680, 1200)])
def test_pictures_have_the_asked_size_and_show_the_people(shown: Shown, size: QSize | None) -> None:
    picture = rgb_of(shown.view.grab_image(size))
    height, width = picture.shape[:2]
    assert (width, height) == ((420, 300) if size is None else (size.width(), size.height()))
    row, column = shown.joint(4, SPINE)
    # The vertical angle of view is the same at every size.
    grown = height / 300
    y, x = round(row * grown), round(width / 2 + (column - 210) * grown)
    assert looks_like(picture[y, x], COLOURS[4])


def test_nothing_is_drawn_after_the_shutdown(shown: Shown) -> None:
    view = shown.view
    view.shutdown()
    view.shutdown()
    view.request_render()
    view.show_frame(2)
    view.set_moving(True)
    shown.settle()
    assert not view._idle.isActive()
    assert not view._pace.isActive()


def test_the_view_has_all_that_the_window_asks(shown: Shown) -> None:
    names = [n for n in vars(SceneViewProtocol) if not n.startswith("_")]
    names += [n for n in SceneViewProtocol.__annotations__ if not n.startswith("_")]
    assert len(names) > 15
    for name in names:
        assert hasattr(shown.view, name), name
    assert "llvmpipe" in shown.view.gl_renderer or shown.view.gl_renderer
    assert np.isfinite(shown.view.viewpoint.distance)
    assert isinstance(shown.view.draws_on_screen, bool)
    assert callable(shown.view.turn)


def test_focus_by_keys_is_seen_and_by_the_mouse_is_not(shown: Shown) -> None:
    view, accent = shown.view, QColor(DARK.accent)
    frame = [accent.red(), accent.green(), accent.blue()]
    for reason, seen in (
        (Qt.FocusReason.TabFocusReason, True),
        (Qt.FocusReason.MouseFocusReason, False),
        (Qt.FocusReason.BacktabFocusReason, True),
    ):
        view.canvas.clearFocus()
        QApplication.sendEvent(view.canvas, QFocusEvent(QEvent.Type.FocusIn, reason))
        # Drawn at once: the window system may yet have a word of its own to say about the focus.
        corner = rgb_of(view.grab().toImage())[1, 150]
        assert (np.abs(corner - frame).max() <= 2) == seen
    QApplication.sendEvent(view.canvas, QFocusEvent(QEvent.Type.FocusOut))
    assert np.abs(rgb_of(view.grab().toImage())[1, 150] - frame).max() > 2
