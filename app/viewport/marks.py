"""What lies on the ground: the pelvis' trails and discs where feet touch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer

from app.viewport.buffers import fresh_polydata, polyline
from app.viewport.colours import Colour, mixed
from refine_engine.geometry.planes import heights, tangent_basis

Array = NDArray[np.float64]

ABOVE_GROUND = 0.004
"""Metres: marks lie just over the grid."""
DISC_RADIUS = 0.075
DISC_CORNERS = 20


class Trails:
    """Where people walk, past and future, as a line on the ground in their colour."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._data = vtkPolyData()
        self.actor = _flat_actor(self._data)
        self.actor.GetProperty().SetLineWidth(3.0)
        renderer.AddActor(self.actor)

    def show(
        self,
        paths: Sequence[tuple[NDArray[np.int64], Array, Colour]],
        frame: int,
        reach: int,
        plane: Array,
        background: Colour,
        ratio: float,
    ) -> None:
        """Draw paths (frames (n,), pelvis (n, 3), colour) within ``reach`` of a frame."""
        points, lines, colours, start = [], [], [], 0
        for frames, pelvis, colour in paths:
            near = np.flatnonzero(np.abs(frames - frame) <= reach)
            if len(near) < 2:
                continue
            at = pelvis[near]
            at = at - (heights(at, plane) - ABOVE_GROUND)[:, None] * plane[:3]
            ahead = frames[near] - frame
            # The past is solid, the future faint; both run out gently at their ends. Mixed with the
            # background, because transparent pieces of a wide line would show where they overlap.
            fade = np.clip((reach - np.abs(ahead)) / (0.35 * max(reach, 1)), 0.0, 1.0)
            strength = (np.where(ahead <= 0, 0.95, 0.4) * (0.15 + 0.85 * fade))[:, None]
            shades = strength * np.array(colour) + (1.0 - strength) * np.array(background)
            points.append(at)
            colours.append(shades)
            lines.append(polyline(start, len(near)))
            start += len(near)
        self.actor.GetProperty().SetLineWidth(3.0 * ratio)
        if not points:
            self._data.Initialize()
            return
        fresh_polydata(
            np.concatenate(points),
            lines=np.concatenate(lines),
            colours=np.round(np.concatenate(colours) * 255).astype(np.uint8),
            into=self._data,
        )

    def set_visible(self, visible: bool) -> None:
        """Draw them or not."""
        self.actor.SetVisibility(visible)


class ContactDiscs:
    """A disc under each heel and ball that touches the ground."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._data = vtkPolyData()
        self.actor = _flat_actor(self._data)
        renderer.AddActor(self.actor)
        around = np.linspace(0, 2 * np.pi, DISC_CORNERS, endpoint=False)
        self._circle = np.stack([np.cos(around), np.sin(around)], -1)

    def show(self, feet: Sequence[tuple[Array, Colour]], plane: Array, light: Colour) -> None:
        """Draw discs at points (n, 3) in a colour each; ``light`` makes their rim."""
        centres = np.concatenate([np.zeros((0, 3)), *(soles for soles, _ in feet)])
        if not len(centres):
            self._data.Initialize()
            return
        centres = centres - heights(centres, plane)[:, None] * plane[:3]
        ring = self._circle @ tangent_basis(plane[:3])
        # The rim is the larger disc below, in a lighter shade.
        lifted = ABOVE_GROUND * plane[:3]
        rims = centres[:, None] + (DISC_RADIUS * ring + 0.5 * lifted)
        inner = centres[:, None] + (0.78 * DISC_RADIUS * ring + lifted)
        shades = np.array([c for soles, c in feet for _ in soles])
        rim_shades = np.array([mixed(c, light, 0.5) for soles, c in feet for _ in soles])
        colours = np.repeat(np.concatenate([rim_shades, shades]), DISC_CORNERS, axis=0)
        fresh_polydata(
            np.concatenate([rims, inner]).reshape(-1, 3),
            polys=np.arange(2 * len(centres) * DISC_CORNERS).reshape(-1, DISC_CORNERS),
            colours=np.round(255 * colours).astype(np.uint8),
            into=self._data,
        )

    def set_visible(self, visible: bool) -> None:
        """Draw them or not."""
        self.actor.SetVisibility(visible)


def _flat_actor(data: vtkPolyData) -> vtkActor:
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    mapper.SetColorModeToDirectScalars()
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetLighting(False)
    actor.SetPickable(False)
    return actor
