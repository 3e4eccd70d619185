"""Where the view looks from: free, following a person, from above or aside, through a camera."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkRenderingCore import vtkRenderer

from app.viewport.drawing import Drawing
from app.viewport.extent import Extent
from app.viewport.interface import CameraMode
from app.viewport.look_through import ImageWindow
from app.viewport.orbit import ZOOM_PER_NOTCH, Margin, Viewpoint

Array = NDArray[np.float64]
Size = tuple[int, int]

DEFAULT_TURN, DEFAULT_ELEVATION = math.radians(34.0), math.radians(19.0)


class ViewCamera:
    """The viewpoint and what moves it.

    Parameters
    ----------
    renderer
        Whose VTK camera is set.
    drawing
        What is looked at.
    """

    def __init__(self, renderer: vtkRenderer, drawing: Drawing) -> None:
        self._renderer = renderer
        self._drawing = drawing
        self.viewpoint = Viewpoint()
        self.mode: CameraMode = "orbit"
        self._extent: Extent | None = None
        self._image_window = ImageWindow()
        """The part of the picture that is seen through a camera."""
        self._followed: Array | None = None
        """Pelvis of the followed person where the view saw it last."""
        self._fitted_size: Size | None = None
        """Size of the view that everything was fitted into; None once the user moved."""

    def set_extent(self, extent: Extent | None) -> None:
        """Where people are over the whole clip."""
        self._extent = extent

    def follow_another(self) -> None:
        """Somebody else is followed from now on."""
        self._followed = None

    def set_mode(self, mode: CameraMode, size: Size) -> None:
        """Orbit, follow, from above or from the side, in a view of ``size`` pixels."""
        left_flat = self.viewpoint.parallel and mode in ("orbit", "follow")
        self.mode = mode
        self._followed = None
        if mode in ("top", "side") or left_flat:
            self.reset(size)

    def reset_window(self) -> None:
        """Through a camera: the whole picture again."""
        self._image_window = ImageWindow()

    def reset(self, size: Size) -> None:
        """Fit everything into view from the mode's default direction."""
        self.reset_window()
        extent = self._extent
        azimuth = extent.camera_azimuth if extent is not None else 0.0
        point = Viewpoint(azimuth=azimuth + DEFAULT_TURN, elevation=DEFAULT_ELEVATION)
        if self.mode == "top":
            point = Viewpoint(azimuth=azimuth, elevation=math.radians(89.0), parallel=True)
        elif self.mode == "side":
            side = azimuth + math.pi / 2
            point = Viewpoint(azimuth=side, elevation=math.radians(2.0), parallel=True)
        if extent is not None:
            self._fitted_size = size
            point = point.fitted(extent.corners, size, Margin())
        self.viewpoint = point
        self._followed = None

    def move_to(self, viewpoint: Viewpoint) -> None:
        """Look from elsewhere, and stay there when the view changes its size."""
        self.viewpoint = viewpoint
        self._fitted_size = None

    def look_at(self, point: Array) -> None:
        """Make a point (3,) of the world the focal point."""
        self._followed = None
        self.move_to(self.viewpoint.looking_at(point))

    def drag(self, dx: float, dy: float, shift: bool, height: int) -> bool:
        """Turn or shift by pixels; False where that changes nothing."""
        if self._drawing.through:
            if self._image_window.zoom <= 1.0:
                return False
            x, y = self._image_window.shift
            self._image_window = replace(self._image_window, shift=(x + dx, y + dy))
        elif shift or self.mode == "top":
            self.move_to(self.viewpoint.shifted(dx, dy, height))
        elif self.mode == "side":
            self.move_to(self.viewpoint.turned(dx, 0.0))
        else:
            self.move_to(self.viewpoint.turned(dx, dy))
        return True

    def zoom(self, steps: float, at: tuple[float, float], size: Size) -> bool:
        """Nearer by notches of the wheel at a pixel; False where that changes nothing."""
        width, height = size
        x, y = at
        if self._drawing.through:
            camera = self._drawing.frame_camera()
            if camera is None:
                return False
            self._image_window = self._image_window.zoomed(
                ZOOM_PER_NOTCH**-steps, at, camera.image, size
            )
            return True
        where = ((x - width / 2) / (height / 2), (height / 2 - y) / (height / 2))
        if self.mode == "follow":
            where = (0.0, 0.0)
        self.move_to(self.viewpoint.zoomed(ZOOM_PER_NOTCH**steps, where))
        return True

    def fit(self, size: Size) -> None:
        """The first layout comes after the scene: fit again until the user moved."""
        if self._fitted_size not in (None, size):
            self.reset(size)

    def apply(self, picture: Size, view: Size) -> None:
        """Set VTK's camera for a picture of the view, both in pixels."""
        camera = self._renderer.GetActiveCamera()
        through = self._drawing.frame_camera() if self._drawing.through else None
        if through is not None:
            window = self._image_window
            grown = picture[0] / view[0]
            x, y = window.shift
            window = replace(window, shift=(x * grown, y * grown))
            through.apply(camera, picture, window, self._drawing.evidence.far(through))
        else:
            self._follow()
            self.viewpoint.apply(camera)
            self._renderer.ResetCameraClippingRange()

    def _follow(self) -> None:
        if self.mode != "follow":
            return
        drawing = self._drawing
        people = drawing.person_ids()
        selected = drawing.selection
        joints = None
        if selected in people:
            joints = drawing.joints(selected)
        elif selected is None and people:
            joints = drawing.joints(people[0])
        if joints is None:
            return
        pelvis = joints[0]
        if self._followed is None:
            self.viewpoint = self.viewpoint.looking_at(pelvis)
        else:
            moved = np.asarray(self.viewpoint.focal) + pelvis - self._followed
            self.viewpoint = self.viewpoint.looking_at(moved)
        self._followed = pelvis.copy()
        self._fitted_size = None
