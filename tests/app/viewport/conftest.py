"""The view in a real window."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parent))

from made_up import COLOURS, ONLY_MESH, Shown, make_scene, make_state

from app.viewport import SceneView, vtk_widget
from app.viewport.interface import DisplayOptions, PersonStyle
from refine_engine.body import BodyModel, load_body_model
from refine_engine.scene import Scene
from refine_engine.state import OptimizationState


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body_model()


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def state() -> OptimizationState:
    return make_state()


@pytest.fixture
def make_view(
    qtbot: object, qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Shown]]:
    """Make shown views as on a graphics card; all are shut down and closed after the test."""
    made: list[SceneView] = []
    monkeypatch.setattr(vtk_widget, "is_software", lambda _name: False)

    def make(
        scene: Scene | None,
        body: BodyModel,
        state: OptimizationState | None,
        options: DisplayOptions = ONLY_MESH,
        size: tuple[int, int] = (420, 300),
    ) -> Shown:
        view = SceneView()
        made.append(view)
        # Smoothing comes with a delay: pictures before and after it must not be compared.
        monkeypatch.setattr(view, "_set_smooth", lambda _smooth: None)
        view.resize(*size)
        view.set_people({i: PersonStyle(colour) for i, colour in COLOURS.items()})
        view.set_display(options)
        view.set_scene(scene, body, state)
        view.show_frame(3)
        drawn: list[float] = []
        view.frame_drawn.connect(drawn.append)
        view.show()
        qtbot.waitUntil(lambda: bool(drawn))  # type: ignore[attr-defined]
        return Shown(view, qapp)

    yield make
    for view in made:
        view.shutdown()
        view.close()
        view.deleteLater()
    qapp.processEvents()


@pytest.fixture
def shown(
    make_view: Callable[..., Shown], scene: Scene, body: BodyModel, state: OptimizationState
) -> Shown:
    """Only meshes, frame 3."""
    return make_view(scene, body, state)
