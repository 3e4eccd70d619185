"""Seeing through a frame's camera: VTK's camera from R, t and K, the picture far behind."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import vtkCamera

from refine_engine.geometry.cameras import camera_centers
from refine_engine.scene import CameraTrack

Array = NDArray[np.float64]

NEAR = 0.05
"""Metres; nothing of a scene is nearer to its camera."""


@dataclass(frozen=True)
class ImageWindow:
    """How the camera's picture lies in the view: fitted, then zoomed and moved by the user."""

    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    """Pixels of the view, right and down."""

    def placed(self, image: tuple[int, int], view: tuple[int, int]) -> tuple[float, float, float]:
        """Scale and upper left corner (x, y) of the image in a view, sizes (width, height)."""
        scale = min(view[0] / image[0], view[1] / image[1]) * self.zoom
        x = (view[0] - scale * image[0]) / 2 + self.shift[0]
        y = (view[1] - scale * image[1]) / 2 + self.shift[1]
        return scale, x, y

    def zoomed(
        self,
        factor: float,
        at: tuple[float, float],
        image: tuple[int, int],
        view: tuple[int, int],
    ) -> ImageWindow:
        """Enlarged about a point of the view, which stays where it is."""
        zoom = min(max(self.zoom * factor, 1.0), 20.0)
        if zoom == 1.0:
            return ImageWindow()
        scale, x, y = self.placed(image, view)
        after = replace(self, zoom=zoom, shift=(0.0, 0.0))
        new_scale, new_x, new_y = after.placed(image, view)
        return replace(
            after,
            shift=(
                at[0] - (at[0] - x) / scale * new_scale - new_x,
                at[1] - (at[1] - y) / scale * new_scale - new_y,
            ),
        )


@dataclass(frozen=True)
class FrameCamera:
    """The pinhole camera of one video frame, metric."""

    R_cam_world: Array
    t_cam_world: Array
    """(3,) metres."""
    K: Array
    """(3, 3) pixels; projects bodies."""
    image: tuple[int, int]
    """(width, height) pixels."""

    @classmethod
    def of(cls, cameras: CameraTrack, frame: int, alpha: float) -> FrameCamera:
        """The camera of a frame with ``alpha`` metres per reconstruction unit."""
        height, width = cameras.image_size
        return cls(
            cameras.R_cam_world[frame],
            alpha * cameras.t_cam_world[frame],
            cameras.pose_intrinsics(np.array([frame]))[0],
            (width, height),
        )

    @property
    def centre(self) -> Array:
        """(3,) in the world, metres."""
        return camera_centers(self.R_cam_world[None], self.t_cam_world[None])[0]

    def image_corners(self, depth: float) -> Array:
        """(4, 3) world points of the picture at a z-depth: lower left, counter-clockwise."""
        width, height = self.image
        pixels = np.array([[0, height], [width, height], [width, 0], [0, 0]], dtype=np.float64)
        x = (pixels[:, 0] - self.K[0, 2]) / self.K[0, 0] * depth
        y = (pixels[:, 1] - self.K[1, 2]) / self.K[1, 1] * depth
        in_camera = np.stack([x, y, np.full(4, depth)], -1)
        return (in_camera - self.t_cam_world) @ self.R_cam_world

    def apply(
        self, camera: vtkCamera, view: tuple[int, int], window: ImageWindow, far: float
    ) -> None:
        """Set a VTK camera so that a pixel of the image falls where ``window`` places it.

        OpenGL's camera looks along -z with y up, OpenCV's along +z with y down; the projection
        matrix is written out because VTK's own knows neither a principal point nor ``fx != fy``.
        """
        scale, left, top = window.placed(self.image, view)
        width, height = view
        fx, fy = scale * self.K[0, 0], scale * self.K[1, 1]
        cx, cy = scale * self.K[0, 2] + left, scale * self.K[1, 2] + top
        matrix = np.zeros((4, 4))
        matrix[0, 0], matrix[0, 2] = 2 * fx / width, 1 - 2 * cx / width
        matrix[1, 1], matrix[1, 2] = 2 * fy / height, 2 * cy / height - 1
        matrix[2, 2] = -(far + NEAR) / (far - NEAR)
        matrix[2, 3] = -2 * far * NEAR / (far - NEAR)
        matrix[3, 2] = -1.0
        projection = vtkMatrix4x4()
        projection.DeepCopy(matrix.reshape(-1).tolist())
        centre = self.centre
        camera.SetPosition(*centre)
        camera.SetFocalPoint(*(centre + self.R_cam_world[2]))
        camera.SetViewUp(*(-self.R_cam_world[1]))
        camera.SetParallelProjection(False)
        camera.SetClippingRange(NEAR, far)
        camera.SetExplicitProjectionTransformMatrix(projection)
        camera.SetUseExplicitProjectionTransformMatrix(True)
