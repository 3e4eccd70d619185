"""Compiled: from the covariance of variables to that of joint positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from refine_engine.terms.skeleton import point_jacobian, shape_jacobian

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.scene import Array
    from refine_engine.terms.points import PointSet
    from refine_engine.terms.protocol import Posed


@njit(nogil=True, cache=True)
def joint_spread(  # type: ignore[no-untyped-def]
    pose, points, shape, frames, solved, border_root, out
):
    """Root mean square distance (n, 24) of joints from their true positions.

    ``frames`` (n, width, width) covariance for a fixed border; ``solved`` (n, width, B) minus the
    derivative of the frames by the border; ``border_root`` (B, B) a root of its covariance
    (``root root^T``), betas first; ``shape`` (n, 24, 3, 10) derivative of joints by betas.
    """
    G, X = pose
    joints, weights, offsets, chain, length = points
    n, width, size = solved.shape
    free = (width - 3) // 3
    J = np.zeros((chain.shape[1], 3, 3))
    row = np.zeros(width)
    effect = np.zeros(size)
    column = np.zeros(3 + 3 * chain.shape[1], dtype=np.int64)
    for t in range(n):
        rooted = np.dot(solved[t], border_root)
        for j in range(24):
            cut = 0
            while cut < length[j] and chain[j, cut] < free:
                cut += 1
            point_jacobian(G[t], X[t], joints[j], weights[j], offsets[j], chain[j], cut, J)
            for c in range(3):
                column[c] = c
            for i in range(cut):
                for c in range(3):
                    column[3 + 3 * i + c] = 3 + 3 * chain[j, i] + c
            used = 3 + 3 * cut
            variance = 0.0
            for r in range(3):
                for k in range(3):
                    row[k] = 1.0 if k == r else 0.0
                for i in range(cut):
                    for c in range(3):
                        row[3 + 3 * i + c] = J[i, r, c]
                for a in range(used):
                    s = 0.0
                    for b in range(used):
                        s += frames[t, column[a], column[b]] * row[b]
                    variance += s * row[a]
                for m in range(size):
                    s = 0.0
                    for k in range(10):
                        s += shape[t, j, r, k] * border_root[k, m]
                    for a in range(used):
                        s -= row[a] * rooted[column[a], m]
                    effect[m] = s
                for m in range(size):
                    variance += effect[m] * effect[m]
            out[t, j] = np.sqrt(max(variance, 0.0))


def joint_sigma(
    body: BodyModel,
    posed: Posed,
    points: PointSet,
    frames: Array,
    solved: Array,
    border_root: Array,
) -> Array:
    """Root mean square distance (n, 24) of joints; arguments as :func:`joint_spread`."""
    n = len(posed.points)
    shape, out = np.zeros((n, 24, 3, 10)), np.zeros((n, 24))
    lead = slice(0, 24)
    for t in range(n):
        shape_jacobian(
            posed.rotations[t],
            np.array(body.joint_shapedirs),
            points.joints[lead],
            points.weights[lead],
            points.dirs[lead],
            shape[t],
        )
    joint_spread(
        (posed.rotations, np.ascontiguousarray(posed.points[:, :24])),
        (points.joints, points.weights, points.offsets(posed.betas), points.chain, points.length),
        shape,
        frames,
        np.ascontiguousarray(solved),
        border_root,
        out,
    )
    return out
