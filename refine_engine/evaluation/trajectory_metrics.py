"""Errors of the motion through the world: W-MPJPE, WA-MPJPE, RTE, ERVE, jitter.

Published W- and WA-MPJPE are Sim(3)-aligned, which hides an error of scale; with
``with_scale=False`` the same metrics are SE(3)-aligned and show it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.alignment import align
from refine_engine.evaluation.pose_metrics import MM, consecutive

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

Chunking = Literal["gvhmr", "tram"]

CHUNK_FRAMES = 100
REFERENCE_FPS = 30.0
"""Rate of the published per-frame numbers; values per frame are given for this rate."""
MIN_PATH_M = 1.0
"""Shorter ground-truth paths have no meaningful relative trajectory error."""


def chunk_bounds(
    num_frames: int, length: int = CHUNK_FRAMES, style: Chunking = "gvhmr"
) -> list[tuple[int, int]]:
    """Half-open ranges of rows that are aligned together.

    Parameters
    ----------
    num_frames
        Number of rows n.
    length
        Rows of a chunk.
    style
        ``"gvhmr"`` (also WHAM's): 0, 100, 200 ... with a short last chunk, nothing dropped.
        ``"tram"``: starts ``range(0, n - 100, 100)``, the last chunk extended to n - 1, so that
        the last frame, and every clip of at most 100 frames, is dropped.
    """
    if style == "gvhmr":
        return [(s, min(s + length, num_frames)) for s in range(0, num_frames, length)]
    starts = list(range(0, num_frames - length, length))
    ends = [s + length for s in starts]
    if ends:
        ends[-1] = num_frames - 1
    return list(zip(starts, ends, strict=True))


def wa_mpjpe(
    pred_joints: Array,
    gt_joints: Array,
    *,
    with_scale: bool = True,
    length: int = CHUNK_FRAMES,
    style: Chunking = "gvhmr",
) -> Array:
    """World joint error after one alignment of each whole chunk.

    Parameters
    ----------
    pred_joints, gt_joints
        Joints (n, 24, 3), metres, each in its own world; frames without truth removed first.
    with_scale
        True: Sim(3), as published.  False: SE(3), which leaves errors of scale in.
    length, style
        See :func:`chunk_bounds`.

    Returns
    -------
    Array
        (n,) millimetres, one value a frame (fewer with ``style="tram"``).

    Notes
    -----
    WA-MPJPE100 of the WHAM and GVHMR evaluations (SLAHMR's definition, chunks of 100 frames).
    """
    return _chunked(pred_joints, gt_joints, None, with_scale, length, style)


def w_mpjpe(
    pred_joints: Array,
    gt_joints: Array,
    *,
    with_scale: bool = True,
    length: int = CHUNK_FRAMES,
    style: Chunking = "gvhmr",
) -> Array:
    """World joint error after aligning the first two frames of each chunk.

    Parameters and returned values as :func:`wa_mpjpe`.

    Notes
    -----
    W-MPJPE100 of the WHAM and GVHMR evaluations: Sim(3), scale included, fitted to all joints of
    the chunk's first two frames.
    """
    return _chunked(pred_joints, gt_joints, 2, with_scale, length, style)


def _chunked(
    pred: Array, gt: Array, fitted: int | None, with_scale: bool, length: int, style: Chunking
) -> Array:
    errors = [np.zeros(0)]
    for start, end in chunk_bounds(len(pred), length, style):
        p, g = pred[start:end], gt[start:end]
        fit = align(p[:fitted].reshape(-1, 3), g[:fitted].reshape(-1, 3), with_scale=with_scale)
        errors.append(np.linalg.norm(fit.apply(p) - g, axis=-1).mean(axis=1) * MM)
    return np.concatenate(errors)


def root_trajectory_error(pred_pelvis: Array, gt_pelvis: Array, path_m: float) -> Array:
    """Relative error of the whole root path after one SE(3) alignment.

    Parameters
    ----------
    pred_pelvis, gt_pelvis
        Pelvis joint (n, 3), metres, each in its own world.
    path_m
        Length of the true path, metres; see :func:`path_length`.

    Returns
    -------
    Array
        (n,) per cent of the path, one value a frame; empty where the path is shorter than
        :data:`MIN_PATH_M` (a person who stays in place has no relative error).

    Notes
    -----
    RTE of the WHAM, TRAM and GVHMR evaluations, with the pelvis joint as root (TRAM, GVHMR; WHAM
    takes SMPL's ``transl``).
    """
    if path_m < MIN_PATH_M or len(pred_pelvis) < 3:
        return np.zeros(0)
    moved = align(pred_pelvis, gt_pelvis, with_scale=False).apply(pred_pelvis)
    return np.asarray(np.linalg.norm(moved - gt_pelvis, axis=-1) / path_m * 100.0)


def path_length(pelvis: Array) -> float:
    """Metres travelled by a pelvis (n, 3); a gap counts as the straight line across it."""
    return float(np.linalg.norm(np.diff(pelvis, axis=0), axis=-1).sum())


def egocentric_velocity_error(
    pred_pelvis: Array,
    gt_pelvis: Array,
    pred_R_root: Array,
    gt_R_root: Array,
    frames: IntArray,
    fps: float,
) -> Array:
    """Error of the root's movement as seen from the body itself.

    Parameters
    ----------
    pred_pelvis, gt_pelvis
        Pelvis joint (n, 3), metres, each in its own world.
    pred_R_root, gt_R_root
        Global orientation (n, 3, 3) in the same worlds.
    frames
        (n,) video frame numbers; only steps between consecutive ones are used.
    fps
        Frames a second.

    Returns
    -------
    Array
        (k,) millimetres a frame at 30 Hz, one value for each step.

    Notes
    -----
    ERVE of the TRAM evaluation: ``|| v_gt(t) - R_gt(t) R_pred(t)^T v_pred(t) ||`` of root
    displacements, there at 30 Hz; other rates are converted to it.
    """
    to_gt = gt_R_root[:-1] @ np.swapaxes(pred_R_root[:-1], -1, -2)
    turned = np.einsum("tij,tj->ti", to_gt, np.diff(pred_pelvis, axis=0))
    error = np.linalg.norm(np.diff(gt_pelvis, axis=0) - turned, axis=-1)
    return np.asarray(error[consecutive(frames, 1)] * MM * fps / REFERENCE_FPS)


def jitter(joints: Array, frames: IntArray, fps: float) -> Array:
    """Third derivative of the joints' positions.

    Parameters
    ----------
    joints
        Joints (n, 24, 3), metres, world.
    frames
        (n,) video frame numbers; differences are taken over consecutive ones only.
    fps
        Frames a second.

    Returns
    -------
    Array
        (k,) in 10 m/s^3, one value for each four consecutive frames.

    Notes
    -----
    Jitter of the GVHMR evaluation: ``||x(t+3) - 3 x(t+2) + 3 x(t+1) - x(t)|| fps^3 / 10``, mean
    over joints.  Needs no truth; the best value is the truth's own, not zero.
    """
    third = joints[3:] - 3.0 * joints[2:-1] + 3.0 * joints[1:-2] - joints[:-3]
    values = np.linalg.norm(third, axis=-1).mean(axis=1) * fps**3 / 10.0
    return np.asarray(values[consecutive(frames, 3)])
