"""Everybody of a scene: people, their ghosts, the outline of the chosen one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkProp, vtkRenderer

from app.viewport.colouring import (
    ValueScale,
    displacement,
    displacement_end,
    lookup_table,
    uncertainty,
    uncertainty_end,
)
from app.viewport.colours import rgb
from app.viewport.content import Content
from app.viewport.interface import Colouring
from app.viewport.people import (
    OUTLINE_PIXELS,
    BodyActors,
    BodyParts,
    Outline,
    Triangles,
    ghostly,
)
from app.viewport.posed import PosedBodies
from refine_engine.body import BodyModel
from refine_engine.state import OptimizationState

Array = NDArray[np.float64]

SAME_POSE = 5e-4
"""Metres: a ghost that lies closer than this on its person is not drawn over it."""
SKELETON_BEFORE = 0.35
"""Metres that bones come forward: out of their own body, not out of one well in front of it."""
GHOST_BEHIND = 0.4
"""Metres that the ghost gives way to bodies: it may lie round them, never veil their colours."""
OUTLINE_BEHIND = 0.08
AMBIENT, AMBIENT_ON_LIGHT = 0.27, 0.38
"""Light from everywhere; on a light ground shadows would look dirty with less."""


class Crowd:
    """Props of all people.

    Parameters
    ----------
    renderer
        Where they are drawn.
    content
        What is shown.
    """

    def __init__(self, renderer: vtkRenderer, content: Content) -> None:
        self._renderer = renderer
        self._content = content
        self.people: dict[int, BodyActors] = {}
        self._ghosts: dict[int, BodyActors] = {}
        self._outline: Outline | None = None
        self._triangles = Triangles()
        self.value_scale: ValueScale | None = None
        """What colours mean, where bodies are coloured by a number."""
        self._scale_of: (
            tuple[OptimizationState | None, OptimizationState | None, Colouring] | None
        ) = None

    def set_body(self, body: BodyModel | None) -> None:
        """Another scene's body; everybody so far is removed."""
        for actors in (*self.people.values(), *self._ghosts.values()):
            actors.remove()
        if self._outline is not None:
            self._outline.remove()
        self.people, self._ghosts, self._outline = {}, {}, None
        self._scale_of = None
        if body is not None:
            self._triangles = Triangles()
            self._outline = Outline(self._triangles, self._renderer)

    def surfaces(self) -> dict[int, vtkProp]:
        """Props that can be picked, by person."""
        options = self._content.options
        if not (options.mesh or options.wire):
            return {}
        return {i: self.people[i].mesh for i in self._content.person_ids() if i in self.people}

    def show(self) -> None:
        """Bring everybody up to date."""
        content, options = self._content, self._content.options
        parts = BodyParts(options.mesh, options.wire, options.skeleton, options.joints)
        shown = content.person_ids()
        for i, actors in self.people.items():
            if i not in shown:
                actors.hide()
        for i, actors in self._ghosts.items():
            if i not in shown or not options.ghost:
                actors.hide()
        self._choose_scale()
        light = rgb(content.theme.text)
        ambient = AMBIENT_ON_LIGHT if content.theme.name == "light" else AMBIENT
        for i in shown:
            actors = self._actors(self.people, i)
            self._place(actors, content.bodies, i, parts)
            actors.paint(content.colour(i), light, content.ratio)
            actors.mesh.GetProperty().SetAmbient(ambient)
            if self.value_scale is not None:
                self._paint_values(actors, i, self.value_scale.end)
            if options.ghost:
                self._show_ghost(i, parts)

    def settle(self) -> None:
        """What depends on where the camera stands: bones in front of skin, the outline's width."""
        content = self._content
        camera = self._renderer.GetActiveCamera()
        near, far = camera.GetClippingRange()
        eye = np.array(camera.GetPosition())
        height = max(self._renderer.GetSize()[1], 1)
        shown = content.person_ids()
        if self._outline is not None and content.selection not in shown:
            self._outline.hide()
        for i in shown:
            joints = content.joints(i)
            if joints is None or i not in self.people:
                continue
            distance = max(float(np.linalg.norm(joints[0] - eye)), near)
            if camera.GetParallelProjection():
                per_metre, pixel = 1.0 / (far - near), 2.0 * camera.GetParallelScale() / height
            else:
                matrix = camera.GetProjectionTransformMatrix(1.0, -1, 1)
                per_metre = near / distance**2
                pixel = 2.0 * distance / (matrix.GetElement(1, 1) * height)
            self.people[i].pull_forward(SKELETON_BEFORE * per_metre)
            if i in self._ghosts:
                self._ghosts[i].push_back(GHOST_BEHIND * per_metre)
            if i == content.selection:
                width = OUTLINE_PIXELS * content.ratio * pixel
                self._show_outline(i, width, OUTLINE_BEHIND * per_metre)

    def _show_outline(self, i: int, width: float, back: float) -> None:
        content = self._content
        if self._outline is None or content.bodies is None:
            return
        shaded = content.options.mesh and not content.options.wire
        coarse = content.coarse
        mesh = content.bodies.mesh(i, content.frame, coarse=coarse) if shaded else None
        if mesh is None:
            self._outline.hide()
        else:
            skin = content.bodies.skin(coarse=coarse)
            self._outline.show(skin, mesh, width, rgb(content.theme.text), back)

    def _actors(self, where: dict[int, BodyActors], person_id: int) -> BodyActors:
        found = where.get(person_id)
        if found is None:
            found = BodyActors(self._triangles, self._renderer)
            where[person_id] = found
        return found

    def _place(
        self, actors: BodyActors, bodies: PosedBodies | None, i: int, parts: BodyParts
    ) -> None:
        if bodies is None:
            return
        if parts.mesh or parts.wire:
            coarse = self._content.coarse
            mesh = bodies.mesh(i, self._content.frame, coarse=coarse)
            if mesh is not None:
                actors.place_mesh(bodies.skin(coarse=coarse), *mesh)
        if parts.skeleton or parts.joints:
            joints = bodies.joints(i, self._content.frame)
            if joints is not None:
                actors.place_joints(joints)
        actors.show(parts)

    def _show_ghost(self, i: int, parts: BodyParts) -> None:
        content, before = self._content, self._content.before
        now = content.joints(i)
        then = None if before is None else before.joints(i, content.frame)
        if now is None or then is None or np.abs(now - then).max() <= SAME_POSE:
            if i in self._ghosts:
                self._ghosts[i].hide()
            return
        actors = self._actors(self._ghosts, i)
        ghostly(actors)
        self._place(actors, before, i, parts)
        grey = rgb(content.theme.ghost)
        actors.paint(grey, grey, content.ratio)

    def _choose_scale(self) -> None:
        """What the colours mean; over the whole clip, so measured once a state."""
        bodies, before = self._content.bodies, self._content.before
        kind = self._content.options.colouring
        if kind == "person" or bodies is None or before is None:
            self.value_scale = self._scale_of = None
            return
        key = (bodies.state, before.state, kind)
        if self._scale_of is not None and all(
            a is b for a, b in zip(key, self._scale_of, strict=True)
        ):
            return
        self._scale_of = key
        if kind == "uncertainty":
            known = uncertainty_end(bodies)
            title = "Uncertainty (1 sigma)"
            note = "" if known is not None else "known after a refinement"
            self.value_scale = ValueScale(title, known or 0.0, note)
        elif before.state is None:
            self.value_scale = ValueScale("Displacement", 0.0, "nothing to compare with yet")
        else:
            end = displacement_end(bodies, before)
            self.value_scale = ValueScale("Displacement from before", end)

    def _paint_values(self, actors: BodyActors, i: int, end: float) -> None:
        content, bodies, before = self._content, self._content.bodies, self._content.before
        values: NDArray[np.floating] | None = None
        if end > 0 and bodies is not None and before is not None:
            if content.options.colouring == "uncertainty":
                values = uncertainty(bodies, i, content.frame, coarse=content.coarse)
            else:
                now, then = (
                    b.mesh(i, content.frame, coarse=content.coarse) for b in (bodies, before)
                )
                if now is not None and then is not None:
                    values = displacement(now[0], then[0])
        if values is None:
            # Grey: nothing is known of this person.
            actors.paint(rgb(content.theme.ghost), rgb(content.theme.text), content.ratio)
        else:
            actors.paint_values(values, lookup_table(end))
