"""Stage 1: cameras of every era of the format, checked, as world-to-camera transforms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.geometry.rotations import nearest_rotation
from refine_engine.importers.camera_findings import judged_cameras
from refine_engine.importers.folder import read_json
from refine_engine.importers.image_size import find_image_size
from refine_engine.importers.raw_cameras import RawCameras
from refine_engine.safe_files import ArrayFile, find_npz, open_npz

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.scene import Array

_RERUN = "run Stage 1 (camera estimation) again"
_SHORTEST = 0.05
"""Smallest focal length as a share of the longer side of the image; it sees 168 degrees."""
_LONGEST = 1000.0
"""Largest one; it sees a twentieth of a degree."""


def read_cameras(stage: Path, findings: FindingList) -> RawCameras:
    """Read Stage 1 of any era.

    Raises
    ------
    InputError
        When the cameras are missing, damaged, not finite or no cameras at all.
    """
    path = next(p for n in ("cameras.npz", "camera_data.npz") if (p := find_npz(stage / n)))
    metadata = _metadata(stage / "metadata.json", findings)
    with open_npz(path) as arrays:
        if "poses" in arrays:
            R, t = _from_poses(path, _numbers(path, arrays, "poses"))
        elif "R" in arrays and ("T" in arrays or "t" in arrays):
            R = _numbers(path, arrays, "R")
            t = _numbers(path, arrays, "T" if "T" in arrays else "t")
            R, t = _checked_rigid(path, R, t.reshape(len(t), -1) if t.ndim > 1 else t)
            findings.reported(
                "era",
                len(R),
                "The cameras are in the early R/T layout; they were read as world to camera.",
            )
        else:
            raise InputError(
                path, f"holds neither 'poses' nor 'R' and 'T' (it holds {_listed(arrays)})", _RERUN
            )
        K = _intrinsics(path, arrays, len(R))
        confidence = _numbers(path, arrays, "confidence") if "confidence" in arrays else None
        stored_size = arrays["original_size"].ravel() if "original_size" in arrays else None
    if confidence is not None and confidence.shape != (len(R),):
        raise InputError(
            f"{path}:confidence", f"has shape {confidence.shape} for {len(R)} cameras", _RERUN
        )
    if confidence is not None and not np.isfinite(confidence).all():
        bad = ~np.isfinite(confidence)
        findings.repaired(
            "non-finite", int(bad.sum()), "Depth confidence that is not finite counts as none (1)."
        )
        confidence = np.where(bad, 1.0, confidence)
    size = find_image_size(stage, metadata, stored_size, K, findings)
    if np.isnan(K).any():
        # The early layout stores no principal point: the image centre, as every writer uses.
        K = np.where(np.isnan(K), _centre(size), K)
    _check_focal(path, K, size)
    method = str(metadata.get("method_used", "")).lower()
    cameras = RawCameras(R, t, K, size, method, True, confidence)
    return judged_cameras(cameras, metadata, findings)


def _check_focal(path: Path, K: Array, size: tuple[int, int]) -> None:
    """Refuse focal lengths that no lens has, before everything rests on them."""
    focals = K[:, (0, 1), (0, 1)]
    strange = (focals < _SHORTEST * max(size)) | (focals > _LONGEST * max(size))
    if not strange.any():
        return
    frame, axis = (int(k) for k in np.argwhere(strange)[0])
    divided = np.abs(K[:, :2]).max() < 10
    raise InputError(
        f"{path}:intrinsics",
        f"have a focal length of {focals[frame, axis]:.3g} pixels at frame {frame} in an image of "
        f"{size[1]} x {size[0]}" + (", as after division by the image's size" if divided else ""),
        "give them in pixels of the video",
    )


def _metadata(path: Path, findings: FindingList) -> Mapping[str, Any]:
    try:
        return read_json(path) or {}
    except InputError as error:
        findings.reported("unreadable", 1, f"Stage 1's metadata was not used: {error}")
        return {}


def _numbers(path: Path, arrays: ArrayFile, name: str) -> Array:
    array = arrays[name]
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}:{name}", f"holds {array.dtype}, not numbers", _RERUN)
    return np.asarray(array, dtype=np.float64)


def _listed(arrays: ArrayFile) -> str:
    return ", ".join(sorted(arrays)[:8]) or "nothing"


def _from_poses(path: Path, poses: Array) -> tuple[Array, Array]:
    where = f"{path}:poses"
    if poses.ndim == 3 and poses.shape[1:] == (23, 3):
        raise InputError(
            where, "are body poses (n, 23, 3), not cameras", "put Stage 1's file there"
        )
    if poses.ndim != 3 or poses.shape[1:] not in ((4, 4), (3, 4)):
        raise InputError(where, f"have shape {poses.shape} instead of (T, 4, 4)", _RERUN)
    if poses.shape[1] == 4 and len(poses) and np.isfinite(poses).all():
        off = np.abs(poses[:, 3] - (0.0, 0.0, 0.0, 1.0)).max(-1)
        if (off > 1e-3).any():
            frame = int(np.argmax(off > 1e-3))
            raise InputError(where, f"have a last row other than 0 0 0 1 at frame {frame}", _RERUN)
    return _checked_rigid(path, poses[:, :3, :3], poses[:, :3, 3])


def _checked_rigid(path: Path, R: Array, t: Array) -> tuple[Array, Array]:
    if R.ndim != 3 or R.shape[1:] != (3, 3) or t.shape != (len(R), 3):
        raise InputError(
            path,
            f"has rotations {R.shape} and translations {t.shape}, not (T, 3, 3), (T, 3)",
            _RERUN,
        )
    if len(R) == 0:
        raise InputError(path, "holds no cameras", _RERUN)
    bad = ~(np.isfinite(R).all((1, 2)) & np.isfinite(t).all(1))
    if bad.any():
        first = int(np.argmax(bad))
        raise InputError(
            path,
            f"has {int(bad.sum())} cameras with NaN or infinite values (first: frame {first})",
            _RERUN,
        )
    proper = nearest_rotation(R)
    off = np.abs(R - proper).max((1, 2)) > 1e-2
    if off.any():
        first = int(np.argmax(off))
        mirrored = np.linalg.det(R[first]) < 0
        raise InputError(
            path,
            f"has {int(off.sum())} cameras whose rotation is none (first: frame {first}, "
            + ("which mirrors: an axis has the wrong sign)" if mirrored else "which stretches)"),
            _RERUN,
        )
    return proper, t


def _intrinsics(path: Path, arrays: ArrayFile, count: int) -> Array:
    if "intrinsics" in arrays:
        K = _numbers(path, arrays, "intrinsics")
        if K.shape == (3, 3):
            K = np.tile(K, (count, 1, 1))
    elif "f" in arrays:
        f = _focals(path, _numbers(path, arrays, "f"), count)
        K = np.tile(np.eye(3), (count, 1, 1))
        K[:, 0, 0], K[:, 1, 1] = f[:, 0], f[:, 1]
        K[:, :2, 2] = np.nan
    else:
        raise InputError(path, "holds no 'intrinsics'", _RERUN)
    where = f"{path}:intrinsics"
    if K.shape != (count, 3, 3):
        raise InputError(where, f"have shape {K.shape} for {count} cameras", _RERUN)
    focals = K[:, (0, 1), (0, 1)]
    centres = K[:, :2, 2]
    if not np.isfinite(focals).all() or (focals <= 0).any() or np.isinf(centres).any():
        bad = int(np.argmax(~(np.isfinite(focals) & (focals > 0)).all(1)))
        raise InputError(where, f"are not positive finite numbers at frame {bad}", _RERUN)
    return K


def _focals(path: Path, f: Array, count: int) -> Array:
    """(count, 2) focal lengths of the early layout: one, one a frame, or one an axis and frame."""
    if f.size == 1 or f.shape == (2,) != (count,):
        f = f.reshape(1, -1)
    elif f.shape == (count,):
        f = f[:, None]
    if f.ndim != 2 or len(f) not in (1, count) or f.shape[1] not in (1, 2):
        raise InputError(f"{path}:f", f"has shape {f.shape} for {count} cameras", _RERUN)
    return np.broadcast_to(f, (count, 2))


def _centre(size: tuple[int, int]) -> Array:
    height, width = size
    centre = np.zeros((3, 3))
    centre[:2, 2] = width / 2, height / 2
    return centre
