"""Compiled visibility of skin points, and reading of depth maps."""

from __future__ import annotations

import numpy as np
from numba import njit

from refine_engine.geometry.cameras import MIN_DEPTH_M
from refine_engine.terms.skeleton import skinned_point


@njit(nogil=True, cache=True)
def _in_camera(G, X, joints, weights, offsets, R, t):  # type: ignore[no-untyped-def]
    x0, x1, x2 = skinned_point(G, X, joints, weights, offsets)
    return (
        R[0, 0] * x0 + R[0, 1] * x1 + R[0, 2] * x2 + t[0],
        R[1, 0] * x0 + R[1, 1] * x1 + R[1, 2] * x2 + t[1],
        R[2, 0] * x0 + R[2, 1] * x1 + R[2, 2] * x2 + t[2],
    )


@njit(nogil=True, cache=True)
def splat(G, X, joints, weights, offsets, R, t, K, cell, nearest):  # type: ignore[no-untyped-def]
    """Lower ``nearest`` (rows, columns) to the depth of skin points in each image cell."""
    for i in range(joints.shape[0]):
        x, y, z = _in_camera(G, X, joints[i], weights[i], offsets[i], R, t)
        if z < MIN_DEPTH_M:
            continue
        u = (K[0] * x / z + K[2]) / cell
        v = (K[1] * y / z + K[3]) / cell
        if u < 0.0 or v < 0.0 or u >= nearest.shape[1] or v >= nearest.shape[0]:
            continue
        a = int(v)
        b = int(u)
        nearest[a, b] = min(nearest[a, b], z)


@njit(nogil=True, cache=True)
def visible_candidates(  # type: ignore[no-untyped-def]
    G, X, joints, weights, offsets, normals, R, t, K, cell, nearest, facing, hidden, depth, pixel
):
    """Depths (N,) and pixels (N, 2) of candidates that the camera sees; depth 0 for the others."""
    for i in range(joints.shape[0]):
        depth[i] = 0.0
        x, y, z = _in_camera(G, X, joints[i], weights[i], offsets[i], R, t)
        if z < MIN_DEPTH_M:
            continue
        n = np.zeros(3)
        for m in range(joints.shape[1]):
            j = joints[i, m]
            for c in range(3):
                n[c] += weights[i, m] * (
                    G[j, c, 0] * normals[i, 0]
                    + G[j, c, 1] * normals[i, 1]
                    + G[j, c, 2] * normals[i, 2]
                )
        toward = 0.0
        norm = 0.0
        for c in range(3):
            toward -= (R[0, c] * x + R[1, c] * y + R[2, c] * z) * n[c]
            norm += n[c] * n[c]
        if toward < facing * np.sqrt(norm * (x * x + y * y + z * z)):
            continue
        u = K[0] * x / z + K[2]
        v = K[1] * y / z + K[3]
        b = int(u / cell)
        a = int(v / cell)
        if u < 0.0 or v < 0.0 or a >= nearest.shape[0] or b >= nearest.shape[1]:
            continue
        if z > nearest[a, b] + hidden:
            continue
        depth[i] = z
        pixel[i, 0] = u
        pixel[i, 1] = v


@njit(nogil=True, cache=True)
def read_depth(image, confidence, least, pixel, wanted, reach, ratio):  # type: ignore[no-untyped-def]
    """Bilinear depths (N,) at pixels (N, 2) of the map; 0 where unknown, untrusted or at an edge.

    Pixel centres are at whole coordinates. An edge is where depth changes by more than ``ratio``
    among the pixel and its neighbours at distance ``reach`` up, down, left and right.
    """
    out = np.zeros(pixel.shape[0])
    rows, columns = image.shape
    for i in range(pixel.shape[0]):
        if not wanted[i]:
            continue
        u = pixel[i, 0]
        v = pixel[i, 1]
        if not (u >= reach and v >= reach and u < columns - reach - 1 and v < rows - reach - 1):
            continue
        b = int(u)
        a = int(v)
        if confidence.shape[0] and confidence[a, b] < least:
            continue
        low = np.inf
        high = 0.0
        for k in range(9):
            if k < 4:
                d = image[a + k // 2, b + k % 2]
            elif k == 4:
                d = image[a - reach, b]
            elif k == 5:
                d = image[a + reach, b]
            elif k == 6:
                d = image[a, b - reach]
            elif k == 7:
                d = image[a, b + reach]
            else:
                d = image[a, b]
            # Comparisons with NaN are false, so an unknown neighbour ends here too.
            if not (d > 0.0 and d < np.inf):
                low = -1.0
                break
            low = min(low, d)
            high = max(high, d)
        if low < 0.0 or high - low > ratio * low:
            continue
        fu = u - b
        fv = v - a
        top = image[a, b] * (1.0 - fu) + image[a, b + 1] * fu
        bottom = image[a + 1, b] * (1.0 - fu) + image[a + 1, b + 1] * fu
        out[i] = top * (1.0 - fv) + bottom * fv
    return out
