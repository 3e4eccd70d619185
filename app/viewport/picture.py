"""A picture in the scene: the video frame in a frustum, or behind everything."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkTexture

from app.viewport.buffers import PointBuffer, cells

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]


class PicturePlane:
    """A quad with a texture, neither lit nor picked.

    Parameters
    ----------
    renderer
        Where it is drawn.
    opacity
        Less than 1 lets what is behind shine through.
    """

    def __init__(self, renderer: vtkRenderer, opacity: float = 1.0) -> None:
        self._corners = PointBuffer(4)
        data = vtkPolyData()
        data.SetPoints(self._corners.points)
        data.SetPolys(cells(np.array([[0, 1, 2, 3]])))
        ends = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
        data.GetPointData().SetTCoords(numpy_to_vtk(ends, deep=1))
        mapper = vtkPolyDataMapper()
        mapper.SetInputData(data)
        self._image = vtkImageData()
        self._texture = vtkTexture()
        self._texture.SetInputData(self._image)
        self._texture.InterpolateOn()
        self._texture.RepeatOff()
        self.actor = vtkActor()
        self.actor.SetMapper(mapper)
        self.actor.SetTexture(self._texture)
        self.actor.GetProperty().SetLighting(False)
        self.actor.GetProperty().SetOpacity(opacity)
        self.actor.SetPickable(False)
        self.actor.SetVisibility(False)
        renderer.AddActor(self.actor)
        self._held: Bytes | None = None

    @property
    def has_picture(self) -> bool:
        """Whether there is something to show."""
        return self._held is not None

    def set_picture(self, picture: Bytes | None) -> None:
        """Another picture (h, w, 3); None hides the plane."""
        if picture is None:
            self._held = None
            self.actor.SetVisibility(False)
            return
        # VTK counts rows from below.
        self._held = np.ascontiguousarray(picture[::-1])
        height, width = picture.shape[:2]
        self._image.SetDimensions(width, height, 1)
        self._image.GetPointData().SetScalars(numpy_to_vtk(self._held.reshape(-1, 3), deep=0))
        self._image.Modified()

    def share_picture(self, other: PicturePlane) -> None:
        """Show another plane's picture: one texture for both."""
        self._held = other._held
        self._texture = other._texture
        self.actor.SetTexture(other._texture)

    def place(self, corners: Array) -> None:
        """World corners (4, 3): lower left, then counter-clockwise as the picture is seen."""
        self._corners.write(corners)

    def set_visible(self, visible: bool) -> None:
        """Show it, where there is a picture."""
        self.actor.SetVisibility(visible and self.has_picture)
