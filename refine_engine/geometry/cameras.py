"""Pinhole cameras with OpenCV axes (x right, y down, z forward), world to camera.

``x_cam = R_cam_world x_world + alpha * t_cam_world``: ``alpha`` is metres per reconstruction
unit of the cameras and never touches the bodies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_DEPTH_M = 0.1
"""Points nearer than this to the camera plane have no usable projection (metres)."""


def to_camera(points_world: Array, R_cam_world: Array, t_cam_world: Array) -> Array:
    """Move points (T, ..., 3) to the camera frame of each frame; ``t`` (T, 3) in metres."""
    shape = (len(points_world),) + (1,) * (points_world.ndim - 2)
    rotated = np.einsum("tij,t...j->t...i", R_cam_world, points_world)
    return rotated + t_cam_world.reshape(*shape, 3)


def to_world(points_cam: Array, R_cam_world: Array, t_cam_world: Array) -> Array:
    """Inverse of :func:`to_camera`: ``R^T (x - t)``."""
    shape = (len(points_cam),) + (1,) * (points_cam.ndim - 2)
    shifted = points_cam - t_cam_world.reshape(*shape, 3)
    return np.einsum("tji,t...j->t...i", R_cam_world, shifted)


def camera_centers(R_cam_world: Array, t_cam_world: Array) -> Array:
    """Camera centres (T, 3) in the world: ``-R^T t``."""
    return -np.einsum("tji,tj->ti", R_cam_world, t_cam_world)


def project(points_cam: Array, intrinsics: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Project camera-frame points to pixels.

    Parameters
    ----------
    points_cam
        Points (T, ..., 3), metres, camera frame.
    intrinsics
        (T, 3, 3) or (3, 3), pixels.

    Returns
    -------
    pixels
        (T, ..., 2); zeros where the point is not in front of the camera.
    in_front
        (T, ...) bool: depth of at least :data:`MIN_DEPTH_M`.
    """
    k = np.broadcast_to(intrinsics, (len(points_cam), 3, 3))
    in_front = points_cam[..., 2] >= MIN_DEPTH_M
    z = np.where(in_front, points_cam[..., 2], 1.0)
    shape = (len(points_cam),) + (1,) * (points_cam.ndim - 2)
    xn, yn = points_cam[..., 0] / z, points_cam[..., 1] / z
    fx, fy = k[:, 0, 0].reshape(shape), k[:, 1, 1].reshape(shape)
    cx, cy = k[:, 0, 2].reshape(shape), k[:, 1, 2].reshape(shape)
    pixels = np.stack([fx * xn + cx, fy * yn + cy], -1)
    return np.where(in_front[..., None], pixels, 0.0), in_front


def unproject(pixels: Array, depth: Array, intrinsics: Array) -> Array:
    """Camera-frame points (n, 3) of pixels (n, 2) at z-depths (n,), one ``K`` (3, 3)."""
    x = (pixels[..., 0] - intrinsics[0, 2]) / intrinsics[0, 0]
    y = (pixels[..., 1] - intrinsics[1, 2]) / intrinsics[1, 1]
    return np.stack([x * depth, y * depth, depth], -1)


def scaled_intrinsics(
    intrinsics: Array, from_size: tuple[int, int], to_size: tuple[int, int]
) -> Array:
    """Intrinsics for a resized image; sizes are (height, width)."""
    sy, sx = to_size[0] / from_size[0], to_size[1] / from_size[1]
    return np.asarray(intrinsics) * np.array([[sx, sx, sx], [sy, sy, sy], [1.0, 1.0, 1.0]])
