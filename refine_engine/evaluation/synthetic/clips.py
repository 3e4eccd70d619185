"""Motion clips as ground truth: SMPL clips and AMASS files, resampled, upright, feet locked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, RotationSpline

from refine_engine.body import BodyModel, rest_joints
from refine_engine.errors import InputError
from refine_engine.evaluation.synthetic.foot_lock import lock_feet
from refine_engine.evaluation.synthetic.motion import BodyMotion
from refine_engine.geometry.rotations import (
    exp_so3,
    matrix_from_axis_angle,
    nearest_rotation,
)
from refine_engine.safe_files import open_npz

Array = NDArray[np.float64]

_RATE_KEYS = ("fps", "mocap_framerate", "mocap_frame_rate")
_REMEDY = "give a folder of .npz clips with poses, trans and a frame rate (SMPL or AMASS)"


def load_clips(
    path: Path,
    model: BodyModel,
    betas: list[Array],
    count: int,
    fps: float,
    rng: np.random.Generator,
) -> list[tuple[BodyMotion, str]]:
    """One motion for each of ``betas``, drawn from a folder (or taken from a single file).

    Clips long enough for ``count`` frames are preferred; a shorter one means that the person is
    only there for its length.

    Raises
    ------
    InputError
        The folder has no usable clip, or a file is damaged.
    """
    files = [path] if path.is_file() else sorted(path.glob("**/*.npz"))
    if not files:
        raise InputError(path, "holds no motion clips", _REMEDY)
    order = [files[i] for i in rng.permutation(len(files))]
    chosen: list[tuple[Array, Array, str]] = []
    shorter: list[tuple[Array, Array, str]] = []
    skipped = 0
    for file in order:
        if len(chosen) == len(betas):
            break
        try:
            rotations, pelvis = read_clip(file, model, fps)
        except InputError:
            # AMASS keeps shape files beside its motions; one bad file spoils no scene.
            skipped += 1
            if path.is_file():
                raise
            continue
        entry = (rotations, pelvis, file.stem)
        (chosen if len(rotations) >= count else shorter).append(entry)
    shorter.sort(key=lambda e: -len(e[0]))
    while len(chosen) < len(betas):
        pool = shorter or chosen
        if not pool:
            raise InputError(path, f"has no usable clip ({skipped} files skipped)", _REMEDY)
        chosen.append(pool[len(chosen) % len(pool)])
    result = []
    for (rotations, pelvis, name), shape in zip(chosen, betas, strict=True):
        length = min(count, len(rotations))
        start = int(rng.integers(0, len(rotations) - length + 1))
        # Some frames around the cut, so that contacts at its ends are found as well.
        around = slice(max(0, start - 8), min(len(rotations), start + length + 8))
        motion = lock_feet(model, shape, rotations[around], pelvis[around], fps)
        inner = slice(start - around.start, start - around.start + length)
        motion = BodyMotion(
            motion.rotations[inner], motion.transl[inner], shape, motion.contacts[inner]
        )
        result.append((motion, name))
    return result


def read_clip(path: Path, model: BodyModel, fps: float) -> tuple[Array, Array]:
    """Rotations (n, 24, 3, 3) and pelvis path (n, 3) at ``fps``, Y up, of one clip.

    Understands SMPL clips (poses (n, 72), ``up`` 'y' or 'z') and AMASS (poses (n, 156) of SMPL-H,
    (n, 165) of SMPL-X, or (n, 66); Z up). Body joints 1 to 21 are shared by all of them; SMPL's
    two hand joints stay at rest where the file has none.

    Raises
    ------
    InputError
        Not a motion clip, or damaged.
    """
    with open_npz(path) as arrays:
        keys = set(arrays.keys())
        rate_key = next((k for k in _RATE_KEYS if k in keys), None)
        missing = [k for k in ("poses", "trans") if k not in keys]
        if missing or rate_key is None:
            what = ", ".join(missing) or "a frame rate"
            raise InputError(path, f"is no motion clip: {what} not found", _REMEDY)
        poses = np.asarray(arrays["poses"], dtype=np.float64)
        trans = np.asarray(arrays["trans"], dtype=np.float64)
        rate = float(np.asarray(arrays[rate_key]).reshape(()))
        betas = (
            np.asarray(arrays["betas"], dtype=np.float64).reshape(-1)[:10]
            if "betas" in keys
            else np.zeros(10)
        )
        up = str(np.asarray(arrays["up"]).reshape(())) if "up" in keys else ""
    poses = poses.reshape(len(poses), -1)
    width = poses.shape[1]
    if trans.shape != (len(poses), 3) or len(poses) < 4 or width < 66 or width % 3:
        raise InputError(
            path, f"has poses {poses.shape} and trans {trans.shape}, which is no clip", _REMEDY
        )
    if not (np.isfinite(poses).all() and np.isfinite(trans).all() and 1 <= rate <= 1000):
        raise InputError(path, "holds NaN, infinite values or a senseless frame rate", _REMEDY)
    local = np.tile(np.eye(3), (len(poses), 24, 1, 1))
    joints = 24 if width == 72 else 22
    local[:, :joints] = matrix_from_axis_angle(
        poses[:, : 3 * joints].reshape(len(poses), joints, 3)
    )
    if width == 72:
        pelvis = trans + rest_joints(model, betas)[0]
    else:
        # Another body's pelvis: its betas mean nothing here; the mean body's offset is kept.
        pelvis = trans + rest_joints(model, np.zeros(10))[0]
    if (up or ("y" if width == 72 else "z")) == "z":
        turn = exp_so3(np.array([-0.5 * np.pi, 0.0, 0.0]))
        local[:, 0] = turn @ local[:, 0]
        pelvis = pelvis @ turn.T
    local, pelvis = _without_noise(local, pelvis, rate)
    return _resampled(local, pelvis, rate, fps)


NOISE_S = 0.025
"""Standard deviation in seconds of the filter that takes marker noise out of a recording."""


def _without_noise(local: Array, pelvis: Array, rate: float) -> tuple[Array, Array]:
    """Recordings tremble; at this width the filter leaves steps and gestures as they are."""
    sigma = NOISE_S * rate
    mean = gaussian_filter1d(local, sigma, axis=0, mode="nearest")
    return nearest_rotation(mean), gaussian_filter1d(pelvis, sigma, axis=0, mode="nearest")


def _resampled(local: Array, pelvis: Array, rate: float, fps: float) -> tuple[Array, Array]:
    if abs(rate - fps) < 1e-6 * fps:
        return local, pelvis
    step = rate / fps
    if abs(step - round(step)) < 1e-9:
        every = round(step)
        return local[::every], pelvis[::every]
    known = np.arange(len(local)) / rate
    time = np.arange(int(np.floor(known[-1] * fps + 1e-9)) + 1) / fps
    result = np.empty((len(time), 24, 3, 3))
    for joint in range(24):
        spline = RotationSpline(known, Rotation.from_matrix(local[:, joint]))
        result[:, joint] = spline(time).as_matrix()
    return result, np.asarray(CubicSpline(known, pelvis)(time))
