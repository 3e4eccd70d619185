"""The ground plane as a quiet grid of 1 m squares that fades out with distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer

from app.viewport.buffers import fresh_polydata
from app.viewport.colours import Colour

Array = NDArray[np.float64]

SQUARE = 1.0
"""Metres."""
STRONG_EVERY = 5
LARGEST_RADIUS = 60.0


class GroundGrid:
    """The grid; a refined plane moves it without new geometry."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._data = vtkPolyData()
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(self._data)
        mapper.SetColorModeToDirectScalars()
        self.actor = vtkActor()
        self.actor.SetMapper(mapper)
        self.actor.GetProperty().SetLighting(False)
        self.actor.SetPickable(False)
        # The alpha fades, so VTK must not take it for opaque.
        self.actor.ForceTranslucentOn()
        renderer.AddActor(self.actor)
        self._extent: tuple[float, float, float] = (0.0, 0.0, 8.0)
        self._colour: Colour = (0.5, 0.5, 0.5)
        self._build()

    def set_extent(self, centre: Array, radius: float) -> None:
        """Lie under a scene: its centre (3,) and horizontal radius in metres."""
        radius = min(np.ceil(radius), LARGEST_RADIUS)
        extent = (round(float(centre[0])), round(float(centre[2])), float(radius))
        if extent != self._extent:
            self._extent = extent
            self._build()

    def set_colour(self, colour: Colour) -> None:
        """Of the lines."""
        if colour != self._colour:
            self._colour = colour
            self._build()

    def set_plane(self, plane: Array) -> None:
        """Lie in ``n . x + d = 0``."""
        normal = np.asarray(plane[:3], dtype=np.float64)
        along = np.array([1.0, 0.0, 0.0]) - normal[0] * normal
        length = float(np.linalg.norm(along))
        along = along / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
        across = np.cross(along, normal)
        # Keep grid lines over the same ground: only the height changes at x = z = 0.
        height = -plane[3] / normal[1] if abs(normal[1]) > 1e-6 else 0.0
        origin = np.array([0.0, height, 0.0])
        pose = np.eye(4)
        pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = along, normal, across, origin
        matrix = vtkMatrix4x4()
        matrix.DeepCopy(pose.reshape(-1).tolist())
        self.actor.SetUserMatrix(matrix)

    def set_visible(self, visible: bool) -> None:
        """Draw it or not."""
        self.actor.SetVisibility(visible)

    def _build(self) -> None:
        x0, z0, radius = self._extent
        step = 1.0 if radius <= 20 else 2.0
        reach = np.arange(-np.floor(radius), np.floor(radius) + 1)
        along = np.arange(-radius, radius + 1e-6, step / 2)
        points, strong, lines = [], [], []
        start = 0
        for axis in (0, 1):
            for offset in reach * SQUARE:
                line = np.zeros((len(along), 3))
                line[:, 0] = x0 + (along if axis else offset)
                line[:, 2] = z0 + (offset if axis else along)
                number = round(offset + (z0 if axis else x0))
                points.append(line)
                strong.append(np.full(len(along), number % STRONG_EVERY == 0))
                ids = np.arange(start, start + len(along) - 1)
                lines.append(np.stack([ids, ids + 1], -1))
                start += len(along)
        where = np.concatenate(points)
        away = np.hypot(where[:, 0] - x0, where[:, 2] - z0) / max(radius, 1e-6)
        fade = np.clip(1.25 * (1.0 - away), 0.0, 1.0)
        alpha = fade * np.where(np.concatenate(strong), 1.0, 0.72)
        colours = np.empty((len(where), 4), dtype=np.uint8)
        colours[:, :3] = np.round(np.array(self._colour) * 255)
        colours[:, 3] = np.round(alpha * 255)
        segments = np.concatenate(lines)
        seen = (alpha[segments] > 0.01).any(-1)
        fresh_polydata(where, lines=segments[seen], colours=colours, into=self._data)
