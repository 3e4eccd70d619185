"""What is shown just now: scene, state, frame, options and colours, for everything that draws."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.theme import Theme
from app.viewport.colours import Colour, mixed, rgb
from app.viewport.interface import DisplayOptions, PersonStyle
from app.viewport.look_through import FrameCamera
from app.viewport.posed import PosedBodies
from refine_engine.refinement.refined_cameras import refined_cameras
from refine_engine.scene import CameraTrack, Scene
from refine_engine.state import OptimizationState

Array = NDArray[np.float64]


@dataclass
class Content:
    """Read by the drawn things, written by the view only."""

    theme: Theme
    scene: Scene | None = None
    state: OptimizationState | None = None
    bodies: PosedBodies | None = None
    before: PosedBodies | None = None
    """The ghost's bodies."""
    options: DisplayOptions = field(default_factory=DisplayOptions)
    styles: dict[int, PersonStyle] = field(default_factory=dict)
    selection: int | None = None
    frame: int = 0
    through: bool = False
    """Seen through the frame's camera."""
    thin: bool = False
    """Fewer depth points and coarser bodies, while something moves."""
    may_be_coarse: bool = False
    """Whether coarser bodies are worth it: drawing takes long without a graphics card."""
    ratio: float = 1.0
    """Device pixels per pixel."""
    _turned: tuple[Scene, OptimizationState, CameraTrack] | None = None
    """Cameras as a state turns them, and what they were made of."""

    def background(self) -> Colour:
        """The colour behind everything."""
        return mixed(rgb(self.theme.view_top), rgb(self.theme.view_bottom), 0.5)

    def style(self, person_id: int) -> PersonStyle:
        """How a person looks."""
        return self.styles.get(person_id) or PersonStyle(self.theme.quiet)

    def colour(self, person_id: int) -> Colour:
        """A person's colour."""
        return rgb(self.style(person_id).colour)

    def person_ids(self) -> list[int]:
        """People who are drawn in the present frame."""
        if self.bodies is None or self.state is None:
            return []
        return [
            i
            for i in sorted(self.state.people)
            if self.style(i).visible and self.bodies.row(i, self.frame) is not None
        ]

    @property
    def coarse(self) -> bool:
        """Whether bodies are drawn coarser just now."""
        return self.thin and self.may_be_coarse

    def joints(self, person_id: int) -> Array | None:
        """(24, 3) of the present frame, world."""
        return None if self.bodies is None else self.bodies.joints(person_id, self.frame)

    def frame_camera(self) -> FrameCamera | None:
        """The present frame's camera, turned as the shown state says."""
        scene, state = self.scene, self.state
        if scene is None or state is None or not scene.num_frames:
            return None
        if self._turned is None or self._turned[0] is not scene or self._turned[1] is not state:
            self._turned = scene, state, refined_cameras(scene.cameras, state)
        return FrameCamera.of(self._turned[2], self.frame, state.alpha)
