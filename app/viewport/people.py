"""People: the body surface, its wire frame, the skeleton, joints, and the outline of the chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkProperty, vtkRenderer

from app.viewport.buffers import Floats, PointBuffer, ValueBuffer, cells
from app.viewport.colours import Colour, mixed
from app.viewport.skin import Skin
from refine_engine.body import PARENTS

Array = NDArray[np.float64]

BONES = np.array([[parent, joint] for joint, parent in enumerate(PARENTS) if parent >= 0])
OUTLINE_PIXELS = 2.2
DEPTH_UNIT = 16e-6
"""VTK's unit of a shift in depth, in shares of the depth buffer's range."""


@dataclass(frozen=True)
class BodyParts:
    """What is drawn of a body."""

    mesh: bool = True
    wire: bool = False
    skeleton: bool = False
    joints: bool = False


class Triangles:
    """Faces of surfaces as VTK cells, made once for everybody."""

    def __init__(self) -> None:
        self._made: dict[Skin, vtkCellArray] = {}

    def of(self, skin: Skin) -> vtkCellArray:
        """Cells of a surface."""
        found = self._made.get(skin)
        if found is None:
            found = self._made[skin] = cells(skin.faces)
        return found


class _Surface:
    """Buffers of one posed surface, and what VTK draws from them."""

    def __init__(self, count: int, triangles: vtkCellArray) -> None:
        self.vertices = PointBuffer(count)
        self.normals = ValueBuffer((count, 3), name="normals")
        self.values = ValueBuffer((count,), name="values")
        self.data = vtkPolyData()
        self.data.SetPoints(self.vertices.points)
        self.data.SetPolys(triangles)
        self.data.GetPointData().SetNormals(self.normals.array)
        self.data.GetPointData().SetScalars(self.values.array)


class BodyActors:
    """One person's props.

    Parameters
    ----------
    triangles
        Where faces come from, shared between people.
    renderer
        Where they are drawn.
    """

    def __init__(self, triangles: Triangles, renderer: vtkRenderer) -> None:
        self._renderer = renderer
        self._triangles = triangles
        self._surfaces: dict[Skin, _Surface] = {}
        self._surface: _Surface | None = None
        self.mesh, self.mesh_mapper = _actor(vtkPolyData())
        shade(self.mesh.GetProperty())

        self._joints = PointBuffer(len(PARENTS))
        bones = vtkPolyData()
        bones.SetPoints(self._joints.points)
        bones.SetLines(cells(BONES))
        self.bones, self._bone_mapper = _actor(bones)
        balls = vtkPolyData()
        balls.SetPoints(self._joints.points)
        balls.SetVerts(cells(np.arange(len(PARENTS))[:, None]))
        self.balls, self._ball_mapper = _actor(balls)
        self.balls.GetProperty().SetRenderPointsAsSpheres(True)
        for actor in (self.bones, self.balls):
            actor.GetProperty().SetLighting(False)
        self.props = (self.mesh, self.bones, self.balls)
        for prop in self.props:
            renderer.AddActor(prop)
            prop.SetVisibility(False)
        self._pushed = self._shifted = 0.0

    def remove(self) -> None:
        """Take everything out of the renderer."""
        for prop in self.props:
            self._renderer.RemoveActor(prop)

    def hide(self) -> None:
        """Draw nothing."""
        for prop in self.props:
            prop.SetVisibility(False)

    def show(self, parts: BodyParts) -> None:
        """Draw these parts."""
        self.mesh.SetVisibility(parts.mesh or parts.wire)
        self.bones.SetVisibility(parts.skeleton)
        self.balls.SetVisibility(parts.joints)
        if parts.wire:
            self.mesh.GetProperty().SetRepresentationToWireframe()
            self.mesh.GetProperty().BackfaceCullingOff()
        else:
            # A body is closed: its inside is never seen, and need not be drawn.
            self.mesh.GetProperty().SetRepresentationToSurface()
            self.mesh.GetProperty().BackfaceCullingOn()

    def place_mesh(self, skin: Skin, vertices: Floats, normals: Floats) -> None:
        """Another pose, drawn with the triangles of ``skin``."""
        surface = self._surfaces.get(skin)
        if surface is None:
            surface = self._surfaces[skin] = _Surface(len(vertices), self._triangles.of(skin))
        if surface is not self._surface:
            self._surface = surface
            self.mesh_mapper.SetInputData(surface.data)
        surface.vertices.write(vertices)
        surface.normals.write(normals)

    def place_joints(self, joints: Array) -> None:
        """New joints (24, 3)."""
        self._joints.write(joints)

    def paint(self, colour: Colour, light: Colour, ratio: float) -> None:
        """One colour for all of it; the skeleton a little towards ``light``."""
        self.mesh_mapper.SetScalarVisibility(False)
        self.mesh.GetProperty().SetColor(*colour)
        self.bones.GetProperty().SetColor(*mixed(colour, light, 0.35))
        self.balls.GetProperty().SetColor(*mixed(colour, light, 0.65))
        self.bones.GetProperty().SetLineWidth(3.0 * ratio)
        self.balls.GetProperty().SetPointSize(8.0 * ratio)

    @property
    def values(self) -> NDArray[np.floating]:
        """(V,) what the drawn surface is coloured by."""
        return np.zeros(0) if self._surface is None else self._surface.values.values

    def paint_values(self, values: NDArray[np.floating], table: vtkLookupTable) -> None:
        """Colour every vertex by a value (V,)."""
        if self._surface is None:
            return
        self._surface.values.write(values)
        self.mesh_mapper.SetLookupTable(table)
        self.mesh_mapper.SetScalarRange(*table.GetTableRange())
        self.mesh_mapper.SetScalarVisibility(True)

    def pull_forward(self, share: float) -> None:
        """Draw the skeleton in front of its own body, in which it lies.

        ``share`` of the depth buffer's range towards the eye.
        """
        self._shift_skeleton(-share / DEPTH_UNIT)

    def push_back(self, share: float) -> None:
        """Let everything nearly as far away win; ``share`` of the depth buffer's range."""
        shift = share / DEPTH_UNIT
        if _differs(shift, self._pushed):
            self._pushed = shift
            self.mesh_mapper.SetRelativeCoincidentTopologyPolygonOffsetParameters(0.0, shift)
        self._shift_skeleton(shift)

    def _shift_skeleton(self, shift: float) -> None:
        if not _differs(shift, self._shifted):
            return
        self._shifted = shift
        self._bone_mapper.SetRelativeCoincidentTopologyLineOffsetParameters(0.0, shift)
        self._ball_mapper.SetRelativeCoincidentTopologyPointOffsetParameter(1.02 * shift)


class Outline:
    """A thin line round the chosen person: the back of a body grown by a few pixels."""

    def __init__(self, triangles: Triangles, renderer: vtkRenderer) -> None:
        self._triangles = triangles
        self._grown: dict[Skin, tuple[PointBuffer, vtkPolyData]] = {}
        self._skin: Skin | None = None
        self.actor, self._mapper = _actor(vtkPolyData())
        look = self.actor.GetProperty()
        look.SetLighting(False)
        look.FrontfaceCullingOn()
        self.actor.SetPickable(False)
        self.actor.SetVisibility(False)
        renderer.AddActor(self.actor)
        self._renderer = renderer
        self._shifted = 0.0

    def remove(self) -> None:
        """Take it out of the renderer."""
        self._renderer.RemoveActor(self.actor)

    def hide(self) -> None:
        """Nobody is chosen."""
        self.actor.SetVisibility(False)

    def show(
        self,
        skin: Skin,
        mesh: tuple[Floats, Floats],
        width: float,
        colour: Colour,
        back: float,
    ) -> None:
        """Round a posed surface (vertices, normals), ``width`` metres wide.

        It is pushed ``back`` by a share of the depth range: without the push a grown inside (of
        the mouth, of an armpit) would come through the skin.
        """
        shift = back / DEPTH_UNIT
        if _differs(shift, self._shifted):
            self._shifted = shift
            self._mapper.SetRelativeCoincidentTopologyPolygonOffsetParameters(0.0, shift)
        vertices, normals = mesh
        if skin not in self._grown:
            points, data = PointBuffer(len(vertices)), vtkPolyData()
            data.SetPoints(points.points)
            data.SetPolys(self._triangles.of(skin))
            self._grown[skin] = points, data
        if skin is not self._skin:
            self._skin = skin
            self._mapper.SetInputData(self._grown[skin][1])
        length = np.sqrt(np.einsum("ij,ij->i", normals, normals))
        grown = normals * (np.float32(width) / np.maximum(length, 0.1))[:, None]
        self._grown[skin][0].write(vertices + grown)
        self.actor.GetProperty().SetColor(*colour)
        self.actor.SetVisibility(True)


def shade(look: vtkProperty) -> None:
    """Soft skin: mostly diffuse, a broad weak highlight."""
    look.SetInterpolationToPhong()
    look.SetAmbient(0.27)
    look.SetDiffuse(0.8)
    look.SetSpecular(0.12)
    look.SetSpecularPower(18.0)


def ghostly(actors: BodyActors) -> None:
    """Half transparent, front only (else limbs behind would darken those in front), unpickable."""
    look = actors.mesh.GetProperty()
    look.SetOpacity(0.5)
    look.SetAmbient(0.45)
    look.SetSpecular(0.0)
    for prop in actors.props:
        prop.SetPickable(False)
    for prop in (actors.bones, actors.balls):
        prop.GetProperty().SetOpacity(0.6)


def _differs(shift: float, present: float) -> bool:
    """Whether a shift in depth is worth setting: every change makes VTK check its shaders."""
    return abs(shift - present) > 0.25 * max(abs(shift), abs(present))


def _actor(data: vtkPolyData) -> tuple[vtkActor, vtkPolyDataMapper]:
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    mapper.SetScalarVisibility(False)
    mapper.SetResolveCoincidentTopologyToPolygonOffset()
    actor = vtkActor()
    actor.SetMapper(mapper)
    return actor, mapper
