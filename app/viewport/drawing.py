"""Everything in the scene, brought up to date just before a frame is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from vtkmodules.vtkRenderingCore import vtkRenderer

from app.theme import Theme
from app.viewport.colours import rgb
from app.viewport.content import Content
from app.viewport.crowd import Crowd
from app.viewport.evidence import Evidence
from app.viewport.ground import GroundGrid
from app.viewport.interface import DisplayOptions, PersonStyle
from app.viewport.lighting import add_lights
from app.viewport.marks import ContactDiscs, Trails
from app.viewport.posed import PosedBodies
from app.viewport.skin import coarse_skin
from refine_engine.body import BodyModel
from refine_engine.scene import Scene
from refine_engine.state import OptimizationState

Part = Literal["people", "ground", "camera", "cloud", "marks", "backdrop"]
ALL: tuple[Part, ...] = ("people", "ground", "camera", "cloud", "marks", "backdrop")

CONTACT_FROM = 0.5
"""Probability of contact from which a disc is drawn."""


class Drawing(Content):
    """What is shown, and the props that show it.

    Setters only note what is stale; :meth:`refresh` does the work, once a frame.
    """

    def __init__(self, renderer: vtkRenderer, theme: Theme) -> None:
        super().__init__(theme)
        self.renderer = renderer
        # Sorting transparent surfaces by pixel costs another full-screen pass; nothing here needs
        # it: lines and the ghost look right in the order in which they are drawn.
        renderer.SetUseOIT(False)
        add_lights(renderer)
        self._stale: set[Part] = set(ALL)
        self.ground = GroundGrid(renderer)
        self.trails = Trails(renderer)
        self.discs = ContactDiscs(renderer)
        self.evidence = Evidence(renderer, self)
        self.crowd = Crowd(renderer, self)
        self.set_theme(theme)

    # What to show

    def set_scene(
        self, scene: Scene | None, body: BodyModel | None, state: OptimizationState | None
    ) -> None:
        """Another scene, or none."""
        self.scene, self.frame, self.selection = scene, 0, None
        self.bodies = self.before = None
        self.evidence.forget()
        self.crowd.set_body(body if scene is not None else None)
        if scene is not None and body is not None:
            coarse = coarse_skin(body) if self.may_be_coarse else None
            self.bodies, self.before = PosedBodies(body, coarse), PosedBodies(body, coarse)
        self.set_state(state if scene is not None else None)
        self.invalidate()

    def set_state(self, state: OptimizationState | None) -> None:
        """Another state of the scene."""
        self.state = state
        if self.bodies is not None:
            self.bodies.set_state(state)
        self.invalidate("people", "ground", "camera", "marks", "backdrop")

    def set_ghost(self, state: OptimizationState | None) -> None:
        """The state to compare with."""
        if self.before is not None:
            self.before.set_state(state)
        self.invalidate("people")

    def set_frame(self, frame: int) -> None:
        """Another video frame."""
        last = self.scene.num_frames - 1 if self.scene is not None else 0
        frame = min(max(int(frame), 0), max(last, 0))
        if frame != self.frame:
            self.frame = frame
            self.invalidate("people", "camera", "cloud", "marks", "backdrop")

    def set_styles(self, styles: Mapping[int, PersonStyle]) -> None:
        """Colours and visibility."""
        self.styles = dict(styles)
        self.invalidate("people", "marks")

    def set_selection(self, person_id: int | None) -> None:
        """Who is outlined."""
        self.selection = person_id
        self.invalidate("people")

    def set_options(self, options: DisplayOptions) -> None:
        """What is drawn."""
        self.options = options
        self.invalidate()

    def set_through(self, through: bool) -> None:
        """Seen through the frame's camera: the picture behind, neither cloud nor frustum."""
        self.through = through
        self.invalidate()

    def set_thin(self, thin: bool) -> None:
        """Fewer depth points, and coarser bodies where those may be."""
        if thin != self.thin:
            self.thin = thin
            self.invalidate("cloud", "backdrop", "people")

    def set_theme(self, theme: Theme) -> None:
        """Background, grid and ghost colours."""
        self.theme = theme
        # One colour: on software OpenGL a gradient costs a fifth of a frame.
        self.renderer.GradientBackgroundOff()
        self.renderer.SetBackground(*self.background())
        self.renderer.SetBackgroundAlpha(1.0)
        self.invalidate()

    def invalidate(self, *parts: Part) -> None:
        """Bring these parts (all, if none is named) up to date before the next frame."""
        self._stale.update(parts or ALL)

    # Bringing it up to date

    def refresh(self) -> None:
        """Bring up to date what is stale."""
        stale, self._stale = self._stale, set()
        if "ground" in stale:
            self._show_ground()
        if "people" in stale:
            self.crowd.show()
        if "marks" in stale:
            self._show_marks()
        if "camera" in stale:
            self.evidence.show_camera()
        if "cloud" in stale or "camera" in stale:
            self.evidence.show_cloud()
        if "backdrop" in stale:
            self.evidence.show_backdrop()

    def _show_ground(self) -> None:
        self.ground.set_visible(self.options.ground and self.state is not None)
        self.ground.set_colour(rgb(self.theme.grid))
        if self.state is not None:
            self.ground.set_plane(self.state.ground_plane)

    def _show_marks(self) -> None:
        options, bodies, state = self.options, self.bodies, self.state
        there = bodies is not None and state is not None
        self.trails.set_visible(options.trails and there)
        self.discs.set_visible(options.contacts and there)
        if bodies is None or state is None:
            return
        if options.trails:
            paths = []
            for i in sorted(state.people):
                path = bodies.pelvis_path(i) if self.style(i).visible else None
                if path is not None:
                    paths.append((*path, self.colour(i)))
            self.trails.show(
                paths,
                self.frame,
                options.trail_frames,
                state.ground_plane,
                self.background(),
                self.ratio,
            )
        if options.contacts:
            feet = []
            for i in self.person_ids():
                soles, chance = bodies.soles(i, self.frame), bodies.contacts(i, self.frame)
                if soles is not None and chance is not None:
                    touching = soles[chance > CONTACT_FROM]
                    feet.append((touching, self.colour(i)))
            self.discs.show(feet, state.ground_plane, rgb(self.theme.text))
