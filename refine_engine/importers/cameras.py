"""Stage 1: cameras of every era of the format, checked, as world-to-camera transforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.geometry.cameras import camera_centers
from refine_engine.geometry.rotations import geodesic_angle, nearest_rotation
from refine_engine.importers.folder import read_json
from refine_engine.importers.image_size import find_image_size
from refine_engine.safe_files import ArrayFile, find_npz, open_npz

if TYPE_CHECKING:
    from refine_engine.importers.findings import FindingList
    from refine_engine.scene import Array

_RERUN = "run Stage 1 (camera estimation) again"
_IDENTITY = 1e-6
_SHORTEST = 0.05
"""Smallest focal length as a share of the longer side of the image; it sees 168 degrees."""
_LONGEST = 1000.0
"""Largest one; it sees a twentieth of a degree."""
_OPENGL = np.diag([1.0, -1.0, -1.0])
_NO_GEOMETRY = 1.05
"""Mean VGGT confidence below which it found no reliable geometry (1 is its floor)."""


@dataclass(frozen=True)
class RawCameras:
    """Cameras as the folder gives them: reconstruction world and unit."""

    R: Array
    """(T, 3, 3) world (reconstruction) to camera."""
    t: Array
    """(T, 3) reconstruction units."""
    K: Array
    """(T, 3, 3) pixels."""
    image_size: tuple[int, int]
    """(height, width)."""
    method: str
    """"vggt", "droid", or "" where not said."""
    estimated: bool
    confidence: Array | None = None

    @property
    def num_frames(self) -> int:
        """Number of cameras T."""
        return len(self.R)


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
    return _judged(cameras, metadata, findings)


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


def static_cameras(
    num_frames: int, image_size: tuple[int, int], focal: float | None = None
) -> RawCameras:
    """Identity cameras for a folder without Stage 1; the default focal is the image diagonal."""
    height, width = image_size
    f = float(np.hypot(height, width)) if focal is None else focal
    K = np.array([[f, 0.0, width / 2], [0.0, f, height / 2], [0.0, 0.0, 1.0]])
    return RawCameras(
        np.tile(np.eye(3), (num_frames, 1, 1)),
        np.zeros((num_frames, 3)),
        np.tile(K, (num_frames, 1, 1)),
        image_size,
        "",
        estimated=False,
    )


def _judged(cameras: RawCameras, metadata: Mapping[str, Any], findings: FindingList) -> RawCameras:
    T = cameras.num_frames
    stated = metadata.get("num_frames")
    if isinstance(stated, int) and stated != T:
        findings.reported(
            "B22",
            abs(stated - T),
            f"Stage 1's metadata speaks of {stated} frames, there are {T} cameras, which count.",
        )
    if cameras.method == "droid":
        findings.discarded(
            "B20",
            T,
            "The cameras come from the DROID fallback, whose poses are written in the wrong order; "
            "they were replaced by a static camera.",
        )
        return replace(
            cameras, R=np.tile(np.eye(3), (T, 1, 1)), t=np.zeros((T, 3)), estimated=False
        )
    moving = geodesic_angle(np.eye(3), cameras.R) + np.linalg.norm(cameras.t, axis=-1)
    if (moving < _IDENTITY).all():
        if T > 1:
            findings.reported(
                "B23",
                T,
                "Every camera is exactly the identity: it was not estimated and counts as static.",
            )
            return replace(cameras, estimated=False)
        return cameras
    if geodesic_angle(_OPENGL, cameras.R[:1])[0] < 1e-3:
        findings.reported(
            "axes",
            T,
            "The first camera is turned by exactly 180 degrees about x. That is right where the "
            "world is Y up; cameras in OpenGL's axes (y up, looking along -z) look the same and "
            "have to be stored in OpenCV's: diag(1, -1, -1) times each of them.",
        )
    findings.reported(
        "B3",
        T,
        "Bodies are in metres but the cameras and depth are in the reconstruction's own unit; "
        "the scale alpha is kept apart and estimated.",
    )
    centres = camera_centers(cameras.R, cameras.t)
    off = float(np.linalg.norm(centres - cameras.t, axis=-1).max())
    if off > 1e-3:
        findings.reported(
            "B21",
            T,
            "Camera positions are -R^T t; plots that show poses[:, :3, 3] directly are off by up "
            f"to {off:.3g} units.",
        )
    ratio = float(np.median(cameras.K[:, 0, 0] / cameras.K[:, 1, 1]))
    if abs(ratio - 1) > 0.05:
        height, width = cameras.image_size
        cause = (
            " because the image was squashed to a square before the reconstruction"
            if abs(ratio * height / width - 1) < 0.1
            else ""
        )
        findings.reported(
            "B4",
            T,
            f"The focal lengths differ (fx/fy = {ratio:.2f}){cause}; the reconstruction "
            "is stretched, which no scale can undo: run Stage 1 again with the aspect ratio kept.",
        )
    confidence = cameras.confidence
    if confidence is not None and float(confidence.mean()) < _NO_GEOMETRY:
        findings.reported(
            "B13",
            int((confidence < _NO_GEOMETRY).sum()),
            f"The mean depth confidence is {float(confidence.mean()):.3f} and 1 means none: VGGT "
            "found no reliable geometry.",
        )
    return cameras


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
        f = np.broadcast_to(
            _numbers(path, arrays, "f").reshape(-1, 1)
            if arrays["f"].ndim < 2
            else _numbers(path, arrays, "f"),
            (count, 2),
        )
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


def _centre(size: tuple[int, int]) -> Array:
    height, width = size
    centre = np.zeros((3, 3))
    centre[:2, 2] = width / 2, height / 2
    return centre
