"""The ground as a chequered floor under the people: tiles of one metre tell the scale."""

from __future__ import annotations

import numpy as np

from refine_engine.geometry.planes import heights, tangent_basis

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Triangles = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

_MARGIN_M = 1.5
_MOST = 80
"""Tiles along one side; a larger floor gets tiles of 2, 4, ... metres."""


def tiles(plane: Array, points: Array) -> list[tuple[Array, Triangles]]:
    """Dark and light tiles below some points.

    Parameters
    ----------
    plane
        (4,) ground plane.
    points
        (n, 3) what shall stand on it, metres.

    Returns
    -------
    list of tuple
        For each of the two shades vertices (v, 3) and triangles (m, 3), their front up.
    """
    b1, b2 = tangent_basis(plane[:3])
    origin = -plane[3] * plane[:3]
    flat = points - heights(points, plane)[:, None] * plane[:3] - origin
    place = np.stack([flat @ b1, flat @ b2], axis=1)
    size = 1.0
    while True:
        low = np.floor((place.min(axis=0) - _MARGIN_M) / size).astype(int)
        high = np.ceil((place.max(axis=0) + _MARGIN_M) / size).astype(int)
        if (high - low).max() <= _MOST:
            break
        size *= 2.0
    a, b = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]), indexing="ij")
    cells = np.stack([a.ravel(), b.ravel()], axis=1)
    shade = cells.sum(axis=1) % 2
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    found = []
    for wanted in (0, 1):
        uv = size * (cells[shade == wanted][:, None] + corners).reshape(-1, 2)
        vertices = origin + uv[:, :1] * b1 + uv[:, 1:] * b2
        first = 4 * np.arange(len(uv) // 4)[:, None]
        two = np.array([[0, 1, 2], [0, 2, 3]])
        found.append((vertices, (first[:, None] + two).reshape(-1, 3)))
    return found
