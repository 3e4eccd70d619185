"""The cameras: their path, and a frustum with the video frame at the present one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer

from app.viewport.buffers import PointBuffer, cells, fresh_polydata, polyline
from app.viewport.colours import Colour
from app.viewport.look_through import FrameCamera
from app.viewport.picture import PicturePlane
from refine_engine.geometry.cameras import camera_centers
from refine_engine.scene import Scene

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]

FRUSTUM_WIDTH = 0.5
"""Metres of the picture plane's longer side: small beside a person, large enough to recognise."""
PLANE_PIXELS = 320
"""The frustum's picture is thinned to about this width."""
EDGES = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1]])


class CameraPath:
    """Path, frustum and picture plane."""

    def __init__(self, renderer: vtkRenderer) -> None:
        self._path_data = vtkPolyData()
        self._path = _line_actor(self._path_data, 1.5)
        self._frustum_points = PointBuffer(5)
        frustum = vtkPolyData()
        frustum.SetPoints(self._frustum_points.points)
        frustum.SetLines(cells(EDGES))
        self._frustum = _line_actor(frustum, 1.5)
        self.picture = PicturePlane(renderer)
        for actor in (self._path, self._frustum):
            renderer.AddActor(actor)

    def set_scene(self, scene: Scene | None) -> None:
        """Another scene's cameras."""
        self._path_data.Initialize()
        if scene is not None and scene.num_frames:
            cameras = scene.cameras
            centres = camera_centers(cameras.R_cam_world, cameras.t_cam_world)
            fresh_polydata(centres, lines=polyline(0, len(centres)), into=self._path_data)

    def set_scale(self, alpha: float) -> None:
        """Metres per reconstruction unit; the path is kept in the cameras' unit."""
        self._path.SetScale(alpha)

    def set_colour(self, colour: Colour, ratio: float) -> None:
        """Of the lines; ``ratio`` = device pixels per pixel."""
        for actor, width in ((self._path, 1.5), (self._frustum, 1.5)):
            actor.GetProperty().SetColor(*colour)
            actor.GetProperty().SetLineWidth(width * ratio)

    def place(self, camera: FrameCamera, picture: Bytes | None) -> None:
        """The present frame's camera and video frame."""
        depth = FRUSTUM_WIDTH * max(camera.K[0, 0], camera.K[1, 1]) / max(camera.image)
        corners = camera.image_corners(depth)
        self._frustum_points.write(np.concatenate([camera.centre[None], corners]))
        self.picture.place(corners)
        if picture is not None:
            step = max(1, picture.shape[1] // PLANE_PIXELS)
            picture = picture[::step, ::step]
        self.picture.set_picture(picture)

    def set_visible(self, visible: bool) -> None:
        """Draw it or not."""
        self._path.SetVisibility(visible)
        self._frustum.SetVisibility(visible)
        self.picture.set_visible(visible)


def _line_actor(data: vtkPolyData, width: float) -> vtkActor:
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    mapper.SetScalarVisibility(False)
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetLighting(False)
    actor.GetProperty().SetLineWidth(width)
    actor.SetPickable(False)
    return actor
