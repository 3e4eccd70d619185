"""The free viewpoint: it looks at a focal point from a direction, with +Y up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkCamera

Array = NDArray[np.float64]

VIEW_ANGLE = math.radians(30.0)
"""Vertical angle of view: long enough that people at the rim are not stretched."""
STEEPEST = math.radians(89.0)
NEAREST, FARTHEST = 0.3, 400.0
TURN_PER_PIXEL = math.radians(0.35)
ZOOM_PER_NOTCH = 0.88


@dataclass(frozen=True)
class Viewpoint:
    """Where the view looks at and from; metres and radians."""

    focal: tuple[float, float, float] = (0.0, 0.0, 0.0)
    azimuth: float = 0.0
    """Angle about +Y; 0 looks along -Z."""
    elevation: float = math.radians(18.0)
    """Above the horizon."""
    distance: float = 6.0
    parallel: bool = False
    """Without perspective (from above, from the side)."""

    def turned(self, dx: float, dy: float) -> Viewpoint:
        """After dragging by pixels: the scene follows the mouse."""
        elevation = self.elevation + dy * TURN_PER_PIXEL
        return replace(
            self,
            azimuth=self.azimuth - dx * TURN_PER_PIXEL,
            elevation=min(max(elevation, -STEEPEST), STEEPEST),
        )

    def about_vertical(self, angle: float) -> Viewpoint:
        """Turned about the vertical through the focal point."""
        return replace(self, azimuth=self.azimuth + angle)

    def shifted(self, dx: float, dy: float, height: int) -> Viewpoint:
        """After panning by pixels in a view ``height`` pixels high."""
        metres = self.metres_per_pixel(height)
        right, up, _ = self.axes()
        moved = np.asarray(self.focal) - right * (dx * metres) + up * (dy * metres)
        return replace(self, focal=(float(moved[0]), float(moved[1]), float(moved[2])))

    def zoomed(self, factor: float, at: tuple[float, float] = (0.0, 0.0)) -> Viewpoint:
        """Nearer (factor < 1) or further, keeping the point under ``at`` where it is.

        ``at`` is in units of half the view's height from its centre, right and up.
        """
        distance = min(max(self.distance * factor, NEAREST), FARTHEST)
        gone = (self.distance - distance) * math.tan(VIEW_ANGLE / 2)
        right, up, _ = self.axes()
        moved = np.asarray(self.focal) + gone * (right * at[0] + up * at[1])
        return replace(
            self, distance=distance, focal=(float(moved[0]), float(moved[1]), float(moved[2]))
        )

    def looking_at(self, point: Array) -> Viewpoint:
        """The same direction and distance, another focal point."""
        return replace(self, focal=(float(point[0]), float(point[1]), float(point[2])))

    def axes(self) -> tuple[Array, Array, Array]:
        """Unit vectors to the right, up and towards the eye, world."""
        sa, ca = math.sin(self.azimuth), math.cos(self.azimuth)
        se, ce = math.sin(self.elevation), math.cos(self.elevation)
        back = np.array([sa * ce, se, ca * ce])
        right = np.array([ca, 0.0, -sa])
        return right, np.cross(back, right), back

    def metres_per_pixel(self, height: int) -> float:
        """At the focal point, in a view ``height`` pixels high."""
        return 2.0 * self.distance * math.tan(VIEW_ANGLE / 2) / max(height, 1)

    def fitted(self, points: Array, size: tuple[int, int], margin: Margin) -> Viewpoint:
        """The nearest viewpoint of this direction from which all points (n, 3) are seen."""
        width, height = size
        right, up, back = self.axes()
        x, y, z = points @ right, points @ up, points @ back
        half = math.tan(VIEW_ANGLE / 2)
        # Inner rectangle, in units of half the view's height.
        left = width / height - 2.0 * margin.sides / height
        low, high = 1.0 - 2.0 * margin.bottom / height, 1.0 - 2.0 * margin.top / height
        left, low, high = max(left, 0.2), max(low, 0.2), max(high, 0.2)
        middle = np.array([(x.min() + x.max()) / 2, 0.0, (z.min() + z.max()) / 2])
        # Where the focal point goes up and down so that the unequal margins are used.
        share = low / (low + high)
        middle[1] = y.min() + share * (y.max() - y.min())
        depth = 0.0 if self.parallel else z - middle[2]
        need = np.concatenate(
            [
                np.abs(x - middle[0]) / (left * half) + depth,
                (middle[1] - y) / (low * half) + depth,
                (y - middle[1]) / (high * half) + depth,
            ]
        )
        focal = right * middle[0] + up * middle[1] + back * middle[2]
        distance = min(max(float(need.max()), 2.0), FARTHEST)
        return replace(self, distance=distance).looking_at(focal)

    def apply(self, camera: vtkCamera) -> None:
        """Set a VTK camera."""
        _, up, back = self.axes()
        eye = np.asarray(self.focal) + self.distance * back
        camera.SetUseExplicitProjectionTransformMatrix(False)
        camera.SetFocalPoint(*self.focal)
        camera.SetPosition(*eye)
        # Straight down +Y is no direction on the screen any more; the view's own axis is.
        camera.SetViewUp(*up)
        camera.SetViewAngle(math.degrees(VIEW_ANGLE))
        camera.SetParallelProjection(self.parallel)
        camera.SetParallelScale(self.distance * math.tan(VIEW_ANGLE / 2))


@dataclass(frozen=True)
class Margin:
    """Pixels that stay free of people: the toggles above, the caption below."""

    sides: float = 36.0
    top: float = 74.0
    bottom: float = 52.0
