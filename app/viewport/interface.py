"""What the window asks of the 3-D view, and what the view tells the window.

``app.viewport.SceneView`` (a ``QWidget``) implements :class:`SceneViewProtocol`.  Everything here
is called on the GUI thread only.  No call draws by itself: each one marks the view dirty and asks
Qt for one repaint, so that ten calls in a row cost one frame.

Units: metres, radians, pixels.  World: the engine's, Y up.  Frames are video frame numbers,
``0 .. scene.num_frames - 1``; a person who is absent in a frame is not drawn in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from PyQt6.QtCore import QSize, pyqtBoundSignal
from PyQt6.QtGui import QImage

from app.theme import Theme
from refine_engine.scene import Scene
from refine_engine.state import OptimizationState

Colouring = Literal["person", "displacement", "uncertainty"]
CameraMode = Literal["orbit", "follow", "top", "side"]


@dataclass(frozen=True)
class DisplayOptions:
    """What is drawn; the toggles that float over the view, and the View menu."""

    mesh: bool = True
    """The skinned body surface."""
    wire: bool = False
    """Draw the surface as a wire frame instead of shaded."""
    skeleton: bool = False
    """Bones between SMPL-24 joints."""
    joints: bool = False
    """A small ball at each SMPL-24 joint."""
    trails: bool = True
    """The pelvis' path on the ground, ``trail_frames`` before and after the present frame."""
    trail_frames: int = 60
    labels: bool = True
    """"Person 3" over each head, in the person's colour."""
    ground: bool = True
    """The ground plane as a quiet grid of 1 m squares; it moves when it is refined."""
    depth: bool = True
    """The frame's depth map as a point cloud, in metres (times alpha where depth shares it)."""
    depth_confidence: float = 0.3
    """Fraction in [0, 1] of least trusted depth points left out (a quantile of confidence)."""
    depth_image_colours: bool = True
    """Colour points by the video where there is one, else (or when False) by depth."""
    camera: bool = True
    """The camera's path, a frustum at the present frame, the frame's picture in it."""
    ghost: bool = False
    """The state of :meth:`SceneViewProtocol.set_ghost` in grey, half transparent."""
    contacts: bool = True
    """A disc at heel and toe where the contact probability is above one half."""
    colouring: Colouring = "person"
    """By person; by distance from the ghost in centimetres; by the joints' sigma."""
    axes: bool = True
    """Orientation axes and the scale bar in metres."""


@dataclass(frozen=True)
class PersonStyle:
    """How one person looks everywhere in the window."""

    colour: str
    """``#rrggbb``."""
    visible: bool = True


class SceneViewProtocol(Protocol):
    """The 3-D view as the window sees it (in truth a ``QWidget`` as well)."""

    person_picked: pyqtBoundSignal
    """``(object)``: the id of the person clicked on, or None for empty space."""
    frame_drawn: pyqtBoundSignal
    """``(float)``: seconds that the last frame took to draw; the window paces itself by it."""

    @property
    def gl_renderer(self) -> str:
        """Name of the OpenGL renderer ("llvmpipe ..."); empty before the first frame."""
        ...

    @property
    def draws_on_screen(self) -> bool:
        """False on platforms without OpenGL widgets; :meth:`grab_image` works all the same."""
        ...

    def set_scene(
        self, scene: Scene | None, body: Any | None, state: OptimizationState | None
    ) -> None:
        """Show another scene (None: the empty view); ``body`` is the engine's body model.

        The camera mode and display options stay; the view angle is reset.
        """
        ...

    def set_people(self, styles: Mapping[int, PersonStyle]) -> None:
        """Colours and visibility by person id."""
        ...

    def show_frame(self, index: int) -> None:
        """Show a video frame (of the present state)."""
        ...

    def show_state(self, state: OptimizationState) -> None:
        """Show another state of the same scene, at the present frame."""
        ...

    def set_ghost(self, state: OptimizationState | None) -> None:
        """The state that is drawn in grey beside the present one (usually: before)."""
        ...

    def set_selection(self, person_id: int | None) -> None:
        """Highlight one person; ``follow`` follows that person."""
        ...

    def set_display(self, options: DisplayOptions) -> None:
        """Draw other things."""
        ...

    def set_camera_mode(self, mode: CameraMode) -> None:
        """Orbit freely, follow the selected (or first) person, look from above or from the side."""
        ...

    def look_through(self, on: bool) -> None:
        """See through the present frame's camera, bodies over the video (or the depth picture)."""
        ...

    def reset_camera(self) -> None:
        """Fit everything into view from the default direction."""
        ...

    def turn(self, degrees: float) -> None:
        """Turn the viewpoint about the vertical through the focal point (turntable)."""
        ...

    def set_moving(self, moving: bool) -> None:
        """True while scrubbing or playing: thin the point cloud, then draw it whole again."""
        ...

    def set_working(self, working: bool) -> None:
        """True while the engine refines: drawing takes as little time as it can."""
        ...

    def set_theme(self, theme: Theme) -> None:
        """Background, grid and text colours."""
        ...

    def request_render(self) -> None:
        """Ask for one repaint."""
        ...

    def grab_image(self, size: QSize | None = None) -> QImage:
        """The view as a picture, drawn now (off screen where need be), without the toggles.

        Parameters
        ----------
        size
            Pixels of the picture; None = the widget's size times its device pixel ratio.
        """
        ...

    def shutdown(self) -> None:
        """Stop timers, drop props, finalise OpenGL; called once, before the widget is closed."""
        ...
