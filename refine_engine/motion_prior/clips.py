"""Motion clips to train on: SMPL clips and AMASS files, at 30 frames a second, mirrored too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.transform import Rotation

from refine_engine.errors import InputError
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.motion_prior.resampling import resampled
from refine_engine.safe_files import open_npz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RATE = 30.0
"""Frames per second of the prior."""
MAX_RATE = 1000.0
"""No clip has more frames a second."""
SHORTEST = 12
"""Shorter clips are left out, frames."""
HELD_OUT = 5
"""Every so-manieth clip, by a hash of its name, is kept for testing."""
MIRROR = np.array(
    [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
)
"""Joint that takes each joint's place in a mirror."""
_RATE_KEYS = ("fps", "mocap_framerate", "mocap_frame_rate")
_REMEDY = "give .npz clips with poses, trans and a frame rate (SMPL or AMASS)"


@dataclass(frozen=True, eq=False)
class Clip:
    """One recorded motion in a world that is Y up."""

    name: str
    R: Array
    """(n, 24, 3, 3) root, then joints relative to their parents."""
    transl: Array
    """(n, 3) metres."""

    @property
    def held_out(self) -> bool:
        """Whether it is never trained on."""
        return is_held_out(self.name)

    def mirrored(self) -> Clip:
        """The same motion with left and right exchanged."""
        flip = np.array([-1.0, 1.0, 1.0])
        return Clip(
            self.name, self.R[:, MIRROR] * flip[:, None] * flip[None, :], self.transl * flip
        )


def is_held_out(name: str) -> bool:
    """Whether a clip of this name (its file's, without ending) is never trained on."""
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return int(digest, 16) % HELD_OUT == 0


def read_clips(folder: Path, left_out: list[str] | None = None) -> list[Clip]:
    """All usable clips below a folder, by name.

    Files that are no clips are left out, for AMASS keeps shape files beside its motions; why is
    appended to ``left_out``, a sentence each.

    Raises
    ------
    InputError
        The folder has none, or is no folder.
    """
    if not folder.is_dir():
        what = "is a file where a folder of clips is expected" if folder.exists() else "is missing"
        raise InputError(folder, what, "name the folder that holds the .npz clips")
    clips = []
    reasons: list[str] = [] if left_out is None else left_out
    for path in sorted(folder.glob("**/*.npz")):
        try:
            clip = read_clip(path)
        except InputError as error:
            reasons.append(str(error))
            continue
        if len(clip.R) >= SHORTEST:
            clips.append(clip)
        else:
            reasons.append(f"{path}: is shorter than {SHORTEST} frames at {RATE:g} a second.")
    if not clips:
        why = f" ({len(reasons)} files are none; the first: {reasons[0]})" if reasons else ""
        raise InputError(folder, f"holds no usable motion clips{why}", _REMEDY)
    return clips


def read_clip(path: Path) -> Clip:
    """One clip, resampled to 30 frames a second, turned to Y up.

    SMPL clips say ``up`` ("y" or "z"); AMASS files do not, and are Z up. Hands beyond SMPL's 24
    joints are left out.

    Raises
    ------
    InputError
        The file is no such clip.
    """
    with open_npz(path) as arrays:
        key = next((k for k in _RATE_KEYS if k in arrays), None)
        if "poses" not in arrays or "trans" not in arrays or key is None:
            raise InputError(path, "is no motion clip", _REMEDY)
        angles, transl, rate = (_numbers(path, k, arrays[k]) for k in ("poses", "trans", key))
        up = str(arrays["up"]).lower() if "up" in arrays else "z"
    if rate.size != 1 or not 1.0 <= rate.item() <= MAX_RATE:
        raise InputError(path, f"has no frame rate in '{key}'", _REMEDY)
    n = len(angles) if angles.ndim else 0
    if angles.ndim != 2 or angles.shape[1] < 66 or transl.shape != (n, 3):
        raise InputError(path, f"has poses {angles.shape} and trans {transl.shape}", _REMEDY)
    body = np.zeros((n, 24, 3))
    count = 24 if angles.shape[1] == 72 else 22
    body[:, :count] = angles[:, : 3 * count].reshape(n, count, 3)
    R = matrix_from_axis_angle(body)
    if up.startswith("z"):
        turn = Rotation.from_euler("x", -90, degrees=True).as_matrix()
        R[:, 0] = turn @ R[:, 0]
        transl = transl @ turn.T
    R, transl = resampled(R, transl, rate.item(), RATE)
    return Clip(path.stem, R, transl)


def _numbers(path: Path, name: str, array: NDArray[Any]) -> Array:
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise InputError(path, f"has '{name}' that is not finite numbers", _REMEDY)
    return array.astype(np.float64)
