"""Everything in the scene, brought up to date just before a frame is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonDataModel import vtkCellArray
from vtkmodules.vtkRenderingCore import vtkLight, vtkProp, vtkRenderer

from app.theme import Theme
from app.viewport.buffers import cells
from app.viewport.camera_path import CameraPath
from app.viewport.colouring import (
    ValueScale,
    displacement,
    displacement_end,
    lookup_table,
    uncertainty,
    uncertainty_end,
)
from app.viewport.depth_cloud import (
    FULL_POINTS,
    THIN_POINTS,
    CloudPoints,
    DepthCloud,
    depth_colours,
    depth_picture,
    read_cloud,
)
from app.viewport.ground import GroundGrid
from app.viewport.interface import DisplayOptions, PersonStyle
from app.viewport.look_through import NEAR, FrameCamera
from app.viewport.marks import ContactDiscs, Trails
from app.viewport.people import (
    OUTLINE_PIXELS,
    BodyActors,
    BodyParts,
    Colour,
    Outline,
    ghostly,
    mixed,
    rgb,
)
from app.viewport.picture import PicturePlane
from app.viewport.posed import PosedBodies, SkinnedNormals
from refine_engine.body import BodyModel
from refine_engine.errors import RefinementError
from refine_engine.scene import Scene
from refine_engine.state import OptimizationState

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Part = Literal["people", "ground", "camera", "cloud", "marks", "backdrop"]
ALL: tuple[Part, ...] = ("people", "ground", "camera", "cloud", "marks", "backdrop")

SAME_POSE = 5e-4
"""Metres: a ghost that lies closer than this on its person is not drawn over it."""
CONTACT_FROM = 0.5
GHOST_BEHIND = 0.4
"""Metres that the ghost gives way to bodies: it may lie round them, never veil their colours."""
AMBIENT, AMBIENT_ON_LIGHT = 0.27, 0.38
"""Light from everywhere; on a light ground shadows would look dirty with less."""
VEIL = 0.24
"""How far the video shines through bodies over it: they should cover the people in it."""
VEIL_DEPTH = 1.2 * NEAR
QUIET = 0.38
"""Share of the background in the depth points' colours."""


class Drawing:
    """The props of one renderer and what they show.

    Setters only note what is stale; :meth:`refresh` does the work, once a frame.
    """

    def __init__(self, renderer: vtkRenderer, theme: Theme) -> None:
        self.renderer = renderer
        # Sorting transparent surfaces by pixel costs another full-screen pass; nothing here needs
        # it: lines and the ghost look right in the order in which they are drawn.
        renderer.SetUseOIT(False)
        self.theme = theme
        self.scene: Scene | None = None
        self.state: OptimizationState | None = None
        self.bodies: PosedBodies | None = None
        self.before: PosedBodies | None = None
        """The ghost's bodies."""
        self.options = DisplayOptions()
        self.styles: dict[int, PersonStyle] = {}
        self.selection: int | None = None
        self.frame = 0
        self.through = False
        self.thin = False
        """Fewer depth points, while something moves."""
        self.ratio = 1.0
        """Device pixels per pixel."""
        self.value_scale: ValueScale | None = None
        self._stale: set[Part] = set(ALL)
        self._people: dict[int, BodyActors] = {}
        self._ghosts: dict[int, BodyActors] = {}
        self._outline: Outline | None = None
        self._triangles = vtkCellArray()
        self._cloud_key: tuple[int, bool, bool, str] | None = None
        self._video_frame: tuple[int, Bytes | None] | None = None
        self.ground = GroundGrid(renderer)
        self.trails = Trails(renderer)
        self.discs = ContactDiscs(renderer)
        self.cloud = DepthCloud(renderer)
        self.camera = CameraPath(renderer)
        self.backdrop = PicturePlane(renderer)
        # Transparent bodies would show their own other sides. A thin layer of the same picture in
        # front of everything has the wanted effect alone.
        self._veil = PicturePlane(renderer, VEIL)
        self._lights()
        self.set_theme(theme)

    # What to show

    def set_scene(
        self, scene: Scene | None, body: BodyModel | None, state: OptimizationState | None
    ) -> None:
        """Another scene, or none."""
        for actors in (*self._people.values(), *self._ghosts.values()):
            actors.remove()
        if self._outline is not None:
            self._outline.remove()
        self._people, self._ghosts, self._outline = {}, {}, None
        self.scene, self.frame, self._video_frame, self._cloud_key = scene, 0, None, None
        self.bodies = self.before = None
        self.selection = None
        self.camera.set_scene(scene)
        self.cloud.set_cloud(None, None)
        if scene is not None and body is not None:
            normals = SkinnedNormals(body)
            self.bodies, self.before = PosedBodies(body, normals), PosedBodies(body, normals)
            self._triangles = cells(body.faces)
            self._outline = Outline(body, self._triangles, self.renderer)
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
        """Fewer depth points."""
        if thin != self.thin:
            self.thin = thin
            self.invalidate("cloud", "backdrop")

    def set_theme(self, theme: Theme) -> None:
        """Background, grid and ghost colours."""
        self.theme = theme
        # One colour: on software OpenGL a gradient costs a fifth of a frame.
        self.renderer.GradientBackgroundOff()
        self.renderer.SetBackground(*self.background())
        self.renderer.SetBackgroundAlpha(1.0)
        self.invalidate()

    def background(self) -> Colour:
        """The colour behind everything."""
        return mixed(rgb(self.theme.view_top), rgb(self.theme.view_bottom), 0.5)

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
            self._show_people()
        if "marks" in stale:
            self._show_marks()
        if "camera" in stale:
            self._show_camera()
        if "cloud" in stale or "camera" in stale:
            self._show_cloud()
        if "backdrop" in stale:
            self._show_backdrop()

    def frame_camera(self) -> FrameCamera | None:
        """The present frame's camera."""
        if self.scene is None or self.state is None or not self.scene.num_frames:
            return None
        return FrameCamera.of(self.scene, self.frame, self.state.alpha)

    def person_ids(self) -> list[int]:
        """People who are drawn in the present frame."""
        if self.bodies is None or self.state is None:
            return []
        return [
            i
            for i in sorted(self.state.people)
            if self._style(i).visible and self.bodies.row(i, self.frame) is not None
        ]

    def surfaces(self) -> dict[int, vtkProp]:
        """Props that can be picked, by person."""
        if not (self.options.mesh or self.options.wire):
            return {}
        return {i: self._people[i].mesh for i in self.person_ids() if i in self._people}

    def joints(self, person_id: int) -> Array | None:
        """(24, 3) of the present frame, world."""
        return None if self.bodies is None else self.bodies.joints(person_id, self.frame)

    def settle(self) -> None:
        """What depends on where the camera stands: bones in front of skin, the outline's width."""
        camera = self.renderer.GetActiveCamera()
        near, far = camera.GetClippingRange()
        eye = np.array(camera.GetPosition())
        height = max(self.renderer.GetSize()[1], 1)
        shown = self.person_ids()
        if self._outline is not None and self.selection not in shown:
            self._outline.hide()
        for i in shown:
            joints = self.joints(i)
            if joints is None or i not in self._people:
                continue
            distance = max(float(np.linalg.norm(joints[0] - eye)), near)
            if camera.GetParallelProjection():
                per_metre, pixel = 1.0 / (far - near), 2.0 * camera.GetParallelScale() / height
            else:
                matrix = camera.GetProjectionTransformMatrix(1.0, -1, 1)
                per_metre = near / distance**2
                pixel = 2.0 * distance / (matrix.GetElement(1, 1) * height)
            self._people[i].pull_forward(0.35 * per_metre)
            if i in self._ghosts:
                self._ghosts[i].push_back(GHOST_BEHIND * per_metre)
            if i == self.selection:
                self._show_outline(i, OUTLINE_PIXELS * self.ratio * pixel, 0.08 * per_metre)

    def _show_outline(self, i: int, width: float, back: float) -> None:
        assert self._outline is not None
        assert self.bodies is not None
        mesh = self.bodies.mesh(i, self.frame) if self.options.mesh else None
        if mesh is None or self.options.wire:
            self._outline.hide()
        else:
            self._outline.show(*mesh, width, rgb(self.theme.text), back)

    def _style(self, person_id: int) -> PersonStyle:
        return self.styles.get(person_id) or PersonStyle(self.theme.quiet)

    def _show_people(self) -> None:
        options = self.options
        parts = BodyParts(options.mesh, options.wire, options.skeleton, options.joints)
        shown = set(self.person_ids())
        for i, actors in self._people.items():
            if i not in shown:
                actors.hide()
        for i, actors in self._ghosts.items():
            if i not in shown or not options.ghost:
                actors.hide()
        table_end = self._choose_scale()
        light = rgb(self.theme.text)
        for i in sorted(shown):
            actors = self._actors(self._people, i)
            self._place(actors, self.bodies, i, parts)
            actors.paint(rgb(self._style(i).colour), light, self.ratio)
            look = actors.mesh.GetProperty()
            look.SetAmbient(AMBIENT_ON_LIGHT if self.theme.name == "light" else AMBIENT)
            self._paint_values(actors, i, table_end)
            if options.ghost:
                self._show_ghost(i, parts)

    def _actors(self, where: dict[int, BodyActors], person_id: int) -> BodyActors:
        found = where.get(person_id)
        if found is None:
            assert self.bodies is not None
            found = BodyActors(self.bodies.body, self._triangles, self.renderer)
            where[person_id] = found
        return found

    def _place(
        self, actors: BodyActors, bodies: PosedBodies | None, i: int, parts: BodyParts
    ) -> None:
        assert bodies is not None
        if parts.mesh or parts.wire:
            mesh = bodies.mesh(i, self.frame)
            if mesh is not None:
                actors.place_mesh(*mesh)
        if parts.skeleton or parts.joints:
            joints = bodies.joints(i, self.frame)
            if joints is not None:
                actors.place_joints(joints)
        actors.show(parts)

    def _show_ghost(self, i: int, parts: BodyParts) -> None:
        assert self.bodies is not None
        assert self.before is not None
        now, then = self.bodies.joints(i, self.frame), self.before.joints(i, self.frame)
        moved = now is not None and then is not None and np.abs(now - then).max() > SAME_POSE
        if not moved:
            if i in self._ghosts:
                self._ghosts[i].hide()
            return
        actors = self._actors(self._ghosts, i)
        ghostly(actors)
        self._place(actors, self.before, i, parts)
        grey = rgb(self.theme.ghost)
        actors.paint(grey, grey, self.ratio)

    def _choose_scale(self) -> float | None:
        self.value_scale = None
        kind = self.options.colouring
        if kind == "person" or self.bodies is None or self.before is None:
            return None
        if kind == "displacement":
            if self.before.state is None:
                self.value_scale = ValueScale("Displacement", 0.0, "nothing to compare with yet")
                return None
            end = displacement_end(self.bodies, self.before)
            self.value_scale = ValueScale("Displacement from before", end)
            return end
        known = uncertainty_end(self.bodies)
        if known is None:
            self.value_scale = ValueScale("Uncertainty", 0.0, "known after a refinement")
            return None
        self.value_scale = ValueScale("Uncertainty (1 sigma)", known)
        return known

    def _paint_values(self, actors: BodyActors, i: int, end: float | None) -> None:
        if self.options.colouring == "person":
            return
        values: NDArray[np.floating] | None = None
        if end is not None and self.bodies is not None and self.before is not None:
            if self.options.colouring == "uncertainty":
                values = uncertainty(self.bodies, i, self.frame)
            else:
                now, then = self.bodies.mesh(i, self.frame), self.before.mesh(i, self.frame)
                if now is not None and then is not None:
                    values = displacement(now[0], then[0])
        if values is None:
            actors.paint(rgb(self.theme.ghost), rgb(self.theme.text), self.ratio)
        else:
            actors.paint_values(values, lookup_table(end or 1.0))

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
                path = bodies.pelvis_path(i) if self._style(i).visible else None
                if path is not None:
                    paths.append((*path, rgb(self._style(i).colour)))
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
                    feet.append((touching, rgb(self._style(i).colour)))
            self.discs.show(feet, state.ground_plane, rgb(self.theme.text))

    def _show_camera(self) -> None:
        camera = self.frame_camera()
        visible = camera is not None and self.options.camera and not self.through
        if camera is not None and self.state is not None:
            self.camera.set_scale(self.state.alpha)
            self.camera.set_colour(mixed(rgb(self.theme.text), self.background(), 0.25), self.ratio)
            if visible:
                self.camera.place(camera, self._video(self.frame))
        self.camera.set_visible(visible)

    def _show_cloud(self) -> None:
        scene, state = self.scene, self.state
        wanted = self.options.depth and not self.through
        if scene is None or state is None or scene.depth is None or not wanted:
            self.cloud.set_visible(False)
            return
        coloured = self.options.depth_image_colours
        key = (self.frame, self.thin, coloured, self.theme.name)
        if key != self._cloud_key:
            points = read_cloud(scene, self.frame, THIN_POINTS if self.thin else FULL_POINTS)
            self.cloud.set_cloud(points, None if points is None else self._cloud_colours(points))
            self._cloud_key = key
        self.cloud.set_confidence(self.options.depth_confidence)
        shift = -state.alpha * (
            scene.cameras.R_cam_world[self.frame].T @ scene.cameras.t_cam_world[self.frame]
        )
        self.cloud.set_scale(state.alpha, scene.depth.shares_camera_unit, shift)
        self.cloud.set_point_size((2.4 if self.thin else 1.6) * self.ratio)
        self.cloud.set_visible(True)

    def _cloud_colours(self, points: CloudPoints) -> Bytes:
        picture = self._video(self.frame) if self.options.depth_image_colours else None
        if picture is None:
            colours = depth_colours(points.depth)
        else:
            height, width = points.size
            rows = points.rows * picture.shape[0] // height
            columns = points.columns * picture.shape[1] // width
            colours = picture[rows, columns]
        # Towards the background: the cloud is what people stand in, not what is looked at.
        quiet = np.array(self.background()) * (255.0 * QUIET)
        table = (np.arange(256)[:, None] * (1.0 - QUIET) + quiet).astype(np.uint8)
        return np.stack([table[colours[:, k], k] for k in range(3)], -1)

    def _show_backdrop(self) -> None:
        camera = self.frame_camera()
        if not self.through or camera is None or self.scene is None:
            self.backdrop.set_visible(False)
            self._veil.set_visible(False)
            return
        picture = self._video(self.frame)
        if picture is None:
            picture = depth_picture(self.scene, self.frame)
        if picture is not None and self.thin and picture.shape[1] > 900:
            picture = picture[::2, ::2]
        self.backdrop.set_picture(picture)
        self.backdrop.place(camera.image_corners(0.98 * self.far(camera)))
        self.backdrop.set_visible(True)
        self._veil.share_picture(self.backdrop)
        self._veil.place(camera.image_corners(VEIL_DEPTH))
        self._veil.set_visible(True)

    def far(self, camera: FrameCamera) -> float:
        """Metres behind which nothing is drawn when looking through a camera."""
        centre = camera.centre
        farthest = 20.0
        for i in self.person_ids():
            joints = self.joints(i)
            if joints is not None:
                farthest = max(farthest, 4.0 * float(np.linalg.norm(joints[0] - centre)))
        return farthest

    def _video(self, frame: int) -> Bytes | None:
        video = self.scene.video if self.scene is not None else None
        if video is None or frame >= video.num_frames:
            return None
        if self._video_frame is None or self._video_frame[0] != frame:
            try:
                picture = video.frame(frame)
            except (RefinementError, OSError):
                # One damaged frame: the depth's own colours stand in, as without a video.
                picture = None
            self._video_frame = frame, picture
        return self._video_frame[1]

    def _lights(self) -> None:
        """A soft key from the upper left, a weak fill from the right, a rim from behind."""
        self.renderer.SetAutomaticLightCreation(False)
        self.renderer.RemoveAllLights()
        for at, strength, colour in (
            ((-0.55, 0.85, 1.0), 0.78, (1.0, 0.985, 0.96)),
            ((1.0, 0.1, 0.7), 0.34, (0.92, 0.96, 1.0)),
            ((0.25, 0.9, -1.0), 0.3, (1.0, 1.0, 1.0)),
        ):
            light = vtkLight()
            light.SetLightTypeToCameraLight()
            light.SetPosition(*at)
            light.SetFocalPoint(0.0, 0.0, 0.0)
            light.SetIntensity(strength)
            light.SetColor(*colour)
            self.renderer.AddLight(light)
