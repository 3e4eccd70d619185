"""Motion clips to train on: SMPL clips and AMASS files, at 30 frames a second, mirrored too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

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


def read_clips(folder: Path) -> list[Clip]:
    """All usable clips below a folder, by name.

    Raises
    ------
    InputError
        The folder has none.
    """
    clips = []
    for path in sorted(folder.glob("**/*.npz")):
        try:
            clip = read_clip(path)
        except InputError:
            # AMASS keeps shape files beside its motions.
            continue
        if len(clip.R) >= SHORTEST:
            clips.append(clip)
    if not clips:
        raise InputError(folder, "holds no usable motion clips", _REMEDY)
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
        rates = [float(arrays[k]) for k in _RATE_KEYS if k in arrays]
        if "poses" not in arrays or "trans" not in arrays or not rates:
            raise InputError(path, "is no motion clip", _REMEDY)
        angles = np.asarray(arrays["poses"], dtype=np.float64)
        transl = np.asarray(arrays["trans"], dtype=np.float64)
        up = str(arrays["up"]).lower() if "up" in arrays else "z"
    n = len(angles)
    if angles.ndim != 2 or angles.shape[1] < 66 or transl.shape != (n, 3) or rates[0] <= 0:
        raise InputError(path, f"has poses {angles.shape} and trans {transl.shape}", _REMEDY)
    body = np.zeros((n, 24, 3))
    count = 24 if angles.shape[1] == 72 else 22
    body[:, :count] = angles[:, : 3 * count].reshape(n, count, 3)
    R = matrix_from_axis_angle(body)
    if up.startswith("z"):
        turn = Rotation.from_euler("x", -90, degrees=True).as_matrix()
        R[:, 0] = turn @ R[:, 0]
        transl = transl @ turn.T
    R, transl = resampled(R, transl, rates[0], RATE)
    return Clip(path.stem, R, transl)
