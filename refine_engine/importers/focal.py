"""Stage 3's one focal length, and bodies moved where the camera's own differs (B6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.importers.rows import Rows
    from refine_engine.scene import Array

_WINDOW = 15
_NOTICEABLE = 0.005
"""Relative change of the focal length below which a body is left where it is."""


def pose_intrinsics(K: Array) -> Array:
    """The (3, 3) camera that Stage 3 used for every frame: focal mean and centre of frame 0."""
    f = float(K[0, 0, 0] + K[0, 1, 1]) / 2
    return np.array([[f, 0.0, K[0, 0, 2]], [0.0, f, K[0, 1, 2]], [0.0, 0.0, 1.0]])


def follow_focal_length(
    people: Mapping[int, Rows], K: Array, pelvis_depth: Mapping[int, float], findings: FindingList
) -> tuple[dict[int, Rows], Array]:
    """Move bodies to each frame's focal length where the camera zooms.

    A body keeps X and Y and its distance becomes ``Z f_t / f``, so that its picture stays the
    same.  ``f_t`` is the median over 15 frames: estimates of a fixed lens jitter from frame to
    frame, and following them would shake everybody.

    Parameters
    ----------
    people
        Rows in the camera frame, frames below T.
    K
        (T, 3, 3) estimated intrinsics.
    pelvis_depth
        z of the rest pelvis of each person: it is ``J0 + transl`` whose distance is scaled.
    findings
        Receives B6.

    Returns
    -------
    people
        The same people, moved.
    intrinsics
        (3, 3) K for every body where nobody was moved, else (T, 3, 3).
    """
    fixed = pose_intrinsics(K)
    f = fixed[0, 0]
    estimated = (K[:, 0, 0] + K[:, 1, 1]) / 2
    smooth = _running_median(estimated, min(_WINDOW, len(K)))
    factor = smooth / f
    factor[np.abs(factor - 1) <= _NOTICEABLE] = 1.0
    moved = {}
    count = 0
    for person, rows in people.items():
        s = factor[rows.frames]
        transl = rows.transl.copy()
        transl[:, 2] = (transl[:, 2] + pelvis_depth[person]) * s - pelvis_depth[person]
        transl[s == 1.0, 2] = rows.transl[s == 1.0, 2]
        moved[person] = replace(rows, transl=transl)
        count += int((s != 1.0).sum())
    if count:
        findings.repaired(
            "B6",
            count,
            f"Stage 3 used one focal length ({f:.0f} px) although it changes from "
            f"{smooth.min():.0f} to {smooth.max():.0f} px; those rows were moved along the view.",
        )
        each = np.tile(fixed, (len(K), 1, 1))
        each[:, 0, 0] = each[:, 1, 1] = f * factor
        return moved, each
    uneven = np.abs(K[:, 0, 0] / K[:, 1, 1] - 1) > _NOTICEABLE
    if uneven.any():
        findings.reported(
            "B6",
            int(uneven.sum()),
            f"Stage 3 used the mean of fx and fy ({f:.0f} px) for bodies; depth keeps its own K.",
        )
    return moved, fixed


def _running_median(values: Array, width: int) -> Array:
    """(n,) upper median of ``width`` neighbours of each of (n,) values; the ends are repeated."""
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, width)
    return np.asarray(np.sort(around, axis=1)[:, width // 2])
