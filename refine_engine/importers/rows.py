"""Rows of one person as a file gives them, and what is put right in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.geometry.rotations import matrix_from_axis_angle, nearest_rotation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from refine_engine.importers.findings import FindingList
    from refine_engine.safe_files import ArrayFile
    from refine_engine.scene import Array, BoolArray, IntArray

TEMPORAL_WINDOW = 16
"""Frames that Stage 3's network looks at together."""
BETA_COUNT = 10
_LARGEST_BETA = 30.0
"""Betas are in standard deviations of people; poor estimates reach 10, units gone wrong more."""
_OFF_ROTATION = 1e-2
_FAR_M = 1000.0
"""Distance at which nobody is more than a pixel; one such row would outweigh everybody's others."""


@dataclass(frozen=True)
class Rows:
    """One person's motion, row by row."""

    id: int
    frames: IntArray
    """(n,) video frames."""
    global_orient: Array
    """(n, 3, 3)."""
    body_pose: Array
    """(n, 23, 3, 3)."""
    betas: Array
    """(10,)."""
    transl: Array
    """(n, 3) metres."""
    observed: BoolArray
    """(n,)."""
    source: IntArray
    """(n,) row of the file that each row comes from."""
    place: Path | None = None
    """The person's folder."""

    def taken(self, index: NDArray[Any]) -> Rows:
        """The rows that a mask or an index array selects."""
        return replace(
            self,
            frames=self.frames[index],
            global_orient=self.global_orient[index],
            body_pose=self.body_pose[index],
            transl=self.transl[index],
            observed=self.observed[index],
            source=self.source[index],
        )


class NotRows(ValueError):
    """A file's arrays are not the motion of one SMPL body; the text says why."""


def rows_from_arrays(person: int, arrays: ArrayFile) -> Rows:
    """Rows of an ``smpl_params_*.npz`` in any of the layouts in use; frames are 0..n-1.

    Accepts poses (n,23,3), (n,69), (n,72), (n,24,3), or rotation matrices of these; an
    orientation (n,3), (n,1,3) or none where the poses have 24 joints; betas (10,), (1,10), (n,10).

    Raises
    ------
    NotRows
        When a needed array is missing or has another shape.
    """
    poses = _numbers(arrays, "poses", "body_pose")
    transl = _numbers(arrays, "transl", "trans")
    if poses.ndim == 0:
        raise NotRows("'poses' are one number instead of (n, 23, 3)")
    if poses.ndim == 3 and poses.shape[1:] == (4, 4):
        raise NotRows(f"'poses' are {len(poses)} camera matrices, not body poses")
    n = len(poses)
    orient, body = _split(poses)
    if "global_orient" in arrays:
        orient = _numbers(arrays, "global_orient")
        if orient.shape not in ((n, 3), (n, 1, 3), (n, 3, 3), (n, 1, 3, 3)):
            raise NotRows(f"'global_orient' has shape {orient.shape} for {n} poses")
        orient = orient.reshape((n, 3, 3) if orient.size == 9 * n else (n, 3))
    if orient is None:
        raise NotRows("'global_orient' is missing")
    if transl.shape not in ((n, 3), (n, 1, 3)):
        raise NotRows(f"'transl' has shape {transl.shape} for {n} poses")
    return Rows(
        person,
        np.arange(n, dtype=np.int64),
        _matrices("global_orient", orient, vector_ndim=2),
        _matrices("poses", body, vector_ndim=3),
        _betas(_numbers(arrays, "betas", "shape"), n),
        transl.reshape(n, 3),
        np.ones(n, dtype=bool),
        np.arange(n, dtype=np.int64),
    )


def without_empty_rows(rows: Rows, findings: FindingList, *, doubles: bool) -> Rows:
    """Leave out rows that hold NaN, lie absurdly far, or are zeros where Stage 3 failed (B15).

    ``doubles`` says that the file's zeros are float64, as the placeholder of early writers.
    """
    finite: BoolArray = np.asarray(
        np.isfinite(rows.transl).all(-1)
        & np.isfinite(rows.global_orient).all((1, 2))
        & np.isfinite(rows.body_pose).all((1, 2, 3))
    )
    if not finite.all():
        findings.discarded(
            "non-finite",
            int((~finite).sum()),
            f"Person {rows.id}: rows with NaN or infinite values were left out.",
            rows.id,
        )
        rows = rows.taken(finite)
    near: BoolArray = np.asarray(np.abs(rows.transl).max(axis=-1, initial=0.0) < _FAR_M)
    if not near.all():
        findings.discarded(
            "far",
            int((~near).sum()),
            f"Person {rows.id}: rows more than {_FAR_M:g} m from the camera were left out; "
            "'transl' is in metres.",
            rows.id,
        )
        rows = rows.taken(near)
    identity = np.eye(3)
    zero = (
        (rows.transl == 0).all(-1)
        & (rows.global_orient == identity).all((1, 2))
        & (rows.body_pose == identity).all((1, 2, 3))
    )
    if zero.any():
        cause = " (the writer was a placeholder)" if doubles and zero.all() else ""
        findings.discarded(
            "B15",
            int(zero.sum()),
            f"Person {rows.id}: rows of zeros were left out, pose estimation failed there{cause}.",
            rows.id,
        )
        rows = rows.taken(~zero)
    return rows


def in_order(rows: Rows, findings: FindingList) -> Rows:
    """Sort rows by frame and keep the first of each frame (B12)."""
    if (np.diff(rows.frames) > 0).all():
        return rows
    order = np.argsort(rows.frames, kind="stable")
    _, first = np.unique(rows.frames[order], return_index=True)
    late = int((np.diff(rows.frames) < 0).sum())
    doubled = len(rows.frames) - len(first)
    findings.repaired(
        "B12",
        late + doubled,
        f"Person {rows.id}: frames were out of order {_times(late)} and {doubled} were there "
        "twice; they were sorted and the first of each kept.",
        rows.id,
    )
    return rows.taken(order[first])


def inside_video(rows: Rows, num_frames: int, findings: FindingList) -> Rows:
    """Leave out rows whose frame has no camera (B22)."""
    inside = (rows.frames >= 0) & (rows.frames < num_frames)
    if inside.all():
        return rows
    outside = rows.frames[~inside]
    findings.discarded(
        "B22",
        int((~inside).sum()),
        f"Person {rows.id}: rows at frames {outside.min()} to {outside.max()} were left out, there "
        f"are cameras for frames 0 to {num_frames - 1} only.",
        rows.id,
    )
    return rows.taken(inside)


def without_ghosts(rows: Rows, boxes: dict[int, Array], findings: FindingList) -> Rows:
    """Mark rows whose box repeats the one before bit by bit as not observed (B9).

    The tracker repeats a lost person's last state for up to 30 frames; such rows at the end of a
    track are left out.

    Parameters
    ----------
    rows
        One person's rows in order.
    boxes
        Video frame to box (4,) as stored.
    findings
        Receives what was found.
    """
    # A missing box is none of numbers, which equal nothing.
    missing = np.full(4, np.nan)
    stored = np.array([boxes.get(frame, missing) for frame in rows.frames.tolist()]).reshape(-1, 4)
    # Nor does one of zeros say anything, as some programs write where they have none.
    stored[~stored.any(1)] = np.nan
    ghost = np.zeros(len(rows.frames), dtype=bool)
    ghost[1:] = (stored[1:] == stored[:-1]).all(1) & (np.diff(rows.frames) == 1)
    if not ghost.any():
        return rows
    tail = int(np.argmin(ghost[::-1]))
    ended = f"; the {tail} at the end of the track were left out" if tail else ""
    findings.repaired(
        "B9",
        int(ghost.sum()),
        f"Person {rows.id}: {_rows(int(ghost.sum()))} the tracker's last box after the person was "
        f"lost and count as not observed{ended}.",
        rows.id,
    )
    rows = replace(rows, observed=rows.observed & ~ghost)
    return rows.taken(np.arange(len(rows.frames) - tail))


def note_gaps(rows: Rows, findings: FindingList) -> None:
    """Report gaps that Stage 3's temporal window ran across (B16)."""
    border = np.flatnonzero(np.diff(rows.frames) > 1)
    if len(border) == 0:
        return
    near = np.zeros(len(rows.frames), dtype=bool)
    half = TEMPORAL_WINDOW // 2
    for k in border:
        near[max(0, k + 1 - half) : k + 1 + half] = True
    gaps = "gap" if len(border) == 1 else "gaps"
    findings.reported(
        "B16",
        int(near.sum()),
        f"Person {rows.id}: pose estimation ran across {len(border)} {gaps} in the track; the "
        f"{int(near.sum())} rows within {half} rows of them may blend poses from both sides.",
        rows.id,
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _rows(count: int) -> str:
    return "1 row repeats" if count == 1 else f"{count} rows repeat"


def _numbers(arrays: ArrayFile, *names: str) -> Array:
    for name in names:
        if name in arrays:
            array = arrays[name]
            if array.dtype.kind not in "fiu":
                raise NotRows(f"'{name}' holds {array.dtype}, not numbers")
            return np.asarray(array, dtype=np.float64)
    raise NotRows(f"'{names[0]}' is missing")


def _split(poses: Array) -> tuple[Array | None, Array]:
    """Orientation, where the poses include it, and the 23 body joints."""
    n = len(poses)
    per_row = poses.shape[1:]
    if per_row in ((69,), (23, 3)):
        return None, poses.reshape(n, 23, 3)
    if per_row in ((72,), (24, 3)):
        poses = poses.reshape(n, 24, 3)
        return poses[:, 0], poses[:, 1:]
    if per_row == (23, 3, 3):
        return None, poses
    if per_row == (24, 3, 3):
        return poses[:, 0], poses[:, 1:]
    raise NotRows(f"'poses' have shape {poses.shape} instead of (n, 23, 3)")


def _matrices(name: str, values: Array, vector_ndim: int) -> Array:
    """Rotation matrices of axis-angle vectors or matrices; NaN stays NaN."""
    if values.ndim > vector_ndim:
        rotations = values.copy()
        whole = np.isfinite(values).all((-2, -1))
        rotations[whole] = nearest_rotation(values[whole])
        if np.abs(rotations[whole] - values[whole]).max(initial=0.0) > _OFF_ROTATION:
            raise NotRows(f"'{name}' hold matrices that are no rotations")
        return rotations
    finite = np.asarray(np.isfinite(values).all(-1))
    result = matrix_from_axis_angle(np.where(finite[..., None], values, 0.0))
    result[~finite] = np.nan
    return result


def _betas(betas: Array, n: int) -> Array:
    if betas.ndim == 2 and len(betas) in (1, n):
        with np.errstate(all="ignore"):
            finite = betas[np.isfinite(betas).all(-1)]
        betas = np.median(finite, axis=0) if len(finite) else np.zeros(betas.shape[1])
    if betas.ndim != 1 or not 1 <= len(betas) <= 300:
        raise NotRows(f"'betas' have shape {betas.shape} instead of (10,)")
    if not np.isfinite(betas).all():
        raise NotRows("'betas' hold NaN or infinite values")
    if np.abs(betas[:BETA_COUNT]).max() > _LARGEST_BETA:
        raise NotRows(f"'betas' reach {np.abs(betas[:BETA_COUNT]).max():.3g}, which no body has")
    result = np.zeros(BETA_COUNT)
    result[: min(BETA_COUNT, len(betas))] = betas[:BETA_COUNT]
    return result
