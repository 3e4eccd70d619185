"""Depth and labels of triangle meshes by a z-buffer.

Pixel ``(row, column)`` covers ``[column, column + 1) x [row, row + 1)`` of the image plane; its
depth is taken at the centre, ``(column + 0.5, row + 0.5)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

NEAR_M = 0.1
"""Triangles are cut at this distance in front of the camera."""

BACKGROUND = 0
"""Label of pixels that see nothing."""


class Raster(NamedTuple):
    """What each pixel sees."""

    depth: NDArray[np.float32]
    """(h, w) z-depth in metres, infinite where nothing is seen."""
    label: NDArray[np.int16]
    """(h, w) label of the face, :data:`BACKGROUND` where nothing is seen."""
    face: NDArray[np.int32]
    """(h, w) number of the face, -1 where nothing is seen."""


def rasterise(
    vertices_cam: NDArray[np.floating],
    faces: NDArray[np.integer],
    labels: NDArray[np.integer],
    intrinsics: NDArray[np.floating],
    size: tuple[int, int],
    one_sided: int = 0,
) -> Raster:
    """Z-buffer of triangles.

    Parameters
    ----------
    vertices_cam
        (N, 3) metres, camera frame (OpenCV axes).
    faces, labels
        (F, 3) vertex numbers and (F,) labels above 0.
    intrinsics
        (3, 3) at this image size.
    size
        (height, width).
    one_sided
        The first so many faces are seen from their outside only (closed surfaces).
    """
    depth = np.full(size, np.inf, dtype=np.float32)
    label = np.zeros(size, dtype=np.int16)
    face = np.full(size, -1, dtype=np.int32)
    _fill(
        np.ascontiguousarray(vertices_cam, dtype=np.float64),
        np.ascontiguousarray(faces, dtype=np.int32),
        np.ascontiguousarray(labels, dtype=np.int16),
        float(intrinsics[0, 0]),
        float(intrinsics[1, 1]),
        float(intrinsics[0, 2]),
        float(intrinsics[1, 2]),
        one_sided,
        depth,
        label,
        face,
    )
    return Raster(depth, label, face)


@numba.njit(cache=True, nogil=True)
def _triangle(ax, ay, az, bx, by, bz, cx, cy, cz, value, number, depth, label, face):  # type: ignore[no-untyped-def]
    """Fill one triangle given in pixels and inverse depths."""
    h, w = depth.shape
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    if area == 0.0:
        return
    x0 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5)))
    x1 = min(w - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
    y0 = max(0, int(np.ceil(min(ay, by, cy) - 0.5)))
    y1 = min(h - 1, int(np.floor(max(ay, by, cy) - 0.5)))
    inverse = 1.0 / area
    for y in range(y0, y1 + 1):
        py = y + 0.5
        for x in range(x0, x1 + 1):
            px = x + 0.5
            wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
            wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
            wc = 1.0 - wa - wb
            if wa < 0.0 or wb < 0.0 or wc < 0.0:
                continue
            z = 1.0 / (wa * az + wb * bz + wc * cz)
            if z < depth[y, x]:
                depth[y, x] = z
                label[y, x] = value
                face[y, x] = number


@numba.njit(cache=True, nogil=True)
def _fill(vertices, faces, labels, fx, fy, cx, cy, one_sided, depth, label, face):  # type: ignore[no-untyped-def]
    corner = np.empty((4, 3))
    for number in range(faces.shape[0]):
        ia, ib, ic = faces[number, 0], faces[number, 1], faces[number, 2]
        za, zb, zc = vertices[ia, 2], vertices[ib, 2], vertices[ic, 2]
        if za < NEAR_M and zb < NEAR_M and zc < NEAR_M:
            continue
        if za >= NEAR_M and zb >= NEAR_M and zc >= NEAR_M:
            ax = fx * vertices[ia, 0] / za + cx
            ay = fy * vertices[ia, 1] / za + cy
            bx = fx * vertices[ib, 0] / zb + cx
            by = fy * vertices[ib, 1] / zb + cy
            dx = fx * vertices[ic, 0] / zc + cx
            dy = fy * vertices[ic, 1] / zc + cy
            if number < one_sided and (bx - ax) * (dy - ay) - (by - ay) * (dx - ax) >= 0.0:
                # Counter-clockwise from outside is clockwise in pixels, where y points down;
                # positive here means that the camera looks at the inside.
                continue
            _triangle(
                ax, ay, 1 / za, bx, by, 1 / zb, dx, dy, 1 / zc,
                labels[number], number, depth, label, face,
            )  # fmt: skip
            continue
        # Cut at the near plane: a triangle becomes a triangle or a quadrilateral.
        count = 0
        for k in range(3):
            i, j = faces[number, k], faces[number, (k + 1) % 3]
            zi, zj = vertices[i, 2], vertices[j, 2]
            if zi >= NEAR_M:
                corner[count] = vertices[i]
                count += 1
            if (zi >= NEAR_M) != (zj >= NEAR_M):
                share = (NEAR_M - zi) / (zj - zi)
                corner[count] = vertices[i] + share * (vertices[j] - vertices[i])
                corner[count, 2] = NEAR_M
                count += 1
        for k in range(1, count - 1):
            a, b, c = corner[0], corner[k], corner[k + 1]
            _triangle(
                fx * a[0] / a[2] + cx, fy * a[1] / a[2] + cy, 1 / a[2],
                fx * b[0] / b[2] + cx, fy * b[1] / b[2] + cy, 1 / b[2],
                fx * c[0] / c[2] + cx, fy * c[1] / c[2] + cy, 1 / c[2],
                labels[number], number, depth, label, face,
            )  # fmt: skip
