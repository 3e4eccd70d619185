"""From sparse, measured rows to a dense range of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.geometry.rotations import interpolate_rotations

if TYPE_CHECKING:
    from refine_engine.scene import Array, BoolArray, IntArray


@dataclass(frozen=True)
class DenseMotion:
    """One person over consecutive frames, in the world."""

    frames: IntArray
    """(n,) from the first to the last observed frame, without holes."""
    R_world_root: Array
    """(n, 3, 3)."""
    body_pose: Array
    """(n, 23, 3, 3)."""
    transl_world: Array
    """(n, 3) metres."""
    observed: BoolArray
    """(n,) False where the row was filled in."""


def fill_gaps(
    frames: IntArray,
    R_world_root: Array,
    body_pose: Array,
    transl_world: Array,
    observed: BoolArray,
) -> DenseMotion:
    """Fill the frames between measured ones.

    Rotations follow the geodesic between the neighbours, translations the straight line. Rows that
    are present but not observed (a tracker's ghost repeats an old state) count as gaps. Ghost rows
    before the first and after the last observed one are dropped: nothing is extrapolated.

    Parameters
    ----------
    frames
        (n,) increasing video frame numbers.
    R_world_root, body_pose, transl_world
        (n, 3, 3), (n, 23, 3, 3), (n, 3) in the world (a person moves steadily there, not in the
        frame of a moving camera).
    observed
        (n,) which rows were measured; at least one.
    """
    seen = np.flatnonzero(observed)
    known = frames[seen]
    dense = np.arange(known[0], known[-1] + 1)
    n = len(dense)
    rows = known - known[0]
    R = np.empty((n, 24, 3, 3))
    measured = np.concatenate([R_world_root[:, None], body_pose], 1)[seen]
    R[rows] = measured
    for k in np.flatnonzero(np.diff(rows) > 1):
        a, b = int(rows[k]), int(rows[k + 1])
        fraction = np.arange(1, b - a) / (b - a)
        R[a + 1 : b] = interpolate_rotations(measured[k], measured[k + 1], fraction)
    transl = np.stack([np.interp(dense, known, transl_world[seen, i]) for i in range(3)], -1)
    filled = np.zeros(n, dtype=bool)
    filled[rows] = True
    return DenseMotion(
        frames=dense.astype(np.int64),
        R_world_root=R[:, 0],
        body_pose=R[:, 1:],
        transl_world=transl,
        observed=filled,
    )
