"""What every format of skinned people needs: weights, normals, quaternions, linear colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.scene import Array


def four_weights(weights: Array) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Joints (V, 4) and weights (V, 4) of the four strongest, summing to 1.

    SMPL's own vertices have no more than four; nine of the embedded body have a fifth (0.06 at
    most), for which glTF has a second set. VTK draws nothing of a mesh that has one, and many
    programs ignore it.
    """
    order = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    values = np.take_along_axis(weights, order, axis=1)
    values = values / values.sum(axis=1, keepdims=True)
    # A joint without weight must be number 0, or validators complain.
    return np.where(values > 0, order, 0).astype(np.uint8), values.astype(np.float32)


def quaternions(R: Array) -> Array:
    """Quaternions (n, K, 4) ``xyzw`` of rotations (n, K, 3, 3), without sign flips over time."""
    n, K = R.shape[:2]
    q = Rotation.from_matrix(R.reshape(-1, 3, 3)).as_quat().reshape(n, K, 4)
    # q and -q are one rotation, but between them a linear interpolation goes the long way.
    flips = np.where((q[1:] * q[:-1]).sum(-1) < 0, -1.0, 1.0)
    q[1:] *= np.cumprod(flips, axis=0)[..., None]
    return np.asarray(q)


def vertex_normals(vertices: NDArray[Any], faces: NDArray[np.int32]) -> Array:
    """Unit normals (V, 3), means of the triangles around a vertex by their area."""
    corners = np.asarray(vertices, dtype=np.float64)[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for k in range(3):
        np.add.at(total, faces[:, k], across)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))


def linear_colour(colour: str) -> list[float]:
    """Linear red, green, blue of an sRGB ``#rrggbb``, as glTF wants them."""
    srgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return [round(float(value), 5) for value in linear]
