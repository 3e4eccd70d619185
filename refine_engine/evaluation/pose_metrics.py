"""Errors of the pose itself, frame by frame, whatever became of the trajectory.

Every function returns one value a frame, so that clips and people are pooled by concatenation
and averaged once (never a mean of means).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.alignment import align

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]

HIPS = (1, 2)
"""Left and right hip of SMPL-24; their mean stands for the pelvis."""

MM = 1000.0
"""Millimetres in a metre."""


def hip_center(joints: Array) -> Array:
    """Pelvis (n, 3) as mean of the hip joints 1 and 2 of ``joints`` (n, 24, 3)."""
    return np.asarray(joints[:, HIPS, :].mean(axis=1))


def mpjpe(pred_joints_cam: Array, gt_joints_cam: Array) -> Array:
    """Mean per-joint position error after moving the pelvis onto the true one.

    Parameters
    ----------
    pred_joints_cam, gt_joints_cam
        Joints (n, 24, 3), metres, each in its own camera's frame (only the pelvis is moved, so
        that a wrong orientation towards the camera counts).

    Returns
    -------
    Array
        (n,) millimetres, one value a frame.

    Notes
    -----
    Definition of the WHAM, TRAM and GVHMR evaluations (pelvis = mean of joints 1 and 2).
    """
    pred = pred_joints_cam - hip_center(pred_joints_cam)[:, None]
    gt = gt_joints_cam - hip_center(gt_joints_cam)[:, None]
    return np.asarray(np.linalg.norm(pred - gt, axis=-1).mean(axis=1) * MM)


def pa_mpjpe(pred_joints: Array, gt_joints: Array) -> Array:
    """Mean per-joint position error after a Sim(3) fitted to each frame's joints.

    Parameters
    ----------
    pred_joints, gt_joints
        Joints (n, 24, 3), metres, any frame of reference.

    Returns
    -------
    Array
        (n,) millimetres, one value a frame.

    Notes
    -----
    Procrustes-aligned MPJPE as in the WHAM, TRAM and GVHMR evaluations (24 joints).
    """
    moved = align(pred_joints, gt_joints).apply(pred_joints)
    return np.asarray(np.linalg.norm(moved - gt_joints, axis=-1).mean(axis=1) * MM)


def pve(
    pred_vertices_cam: Array, gt_vertices_cam: Array, pred_joints_cam: Array, gt_joints_cam: Array
) -> Array:
    """Mean per-vertex error after moving the pelvis onto the true one.

    Parameters
    ----------
    pred_vertices_cam, gt_vertices_cam
        Vertices (n, V, 3) of the same topology, metres, camera frames.
    pred_joints_cam, gt_joints_cam
        Joints (n, 24, 3) in the same frames; they give the pelvis.

    Returns
    -------
    Array
        (n,) millimetres, one value a frame.

    Notes
    -----
    Definition of the WHAM, TRAM and GVHMR evaluations.
    """
    pred = pred_vertices_cam - hip_center(pred_joints_cam)[:, None]
    gt = gt_vertices_cam - hip_center(gt_joints_cam)[:, None]
    return np.asarray(np.linalg.norm(pred - gt, axis=-1).mean(axis=1) * MM)


def acceleration_error(
    pred_joints_cam: Array, gt_joints_cam: Array, frames: IntArray, fps: float
) -> Array:
    """Error of the joints' acceleration relative to the pelvis.

    Parameters
    ----------
    pred_joints_cam, gt_joints_cam
        Joints (n, 24, 3), metres, camera frames; the pelvis is moved to the origin first.
    frames
        (n,) video frame numbers, increasing; differences are taken over consecutive ones only.
    fps
        Frames a second.

    Returns
    -------
    Array
        (k,) m/s^2, one value for each three consecutive frames.

    Notes
    -----
    Mean norm of the second difference of prediction minus truth, times fps^2: "Accel" of the
    WHAM and TRAM evaluations.
    """
    error = (pred_joints_cam - hip_center(pred_joints_cam)[:, None]) - (
        gt_joints_cam - hip_center(gt_joints_cam)[:, None]
    )
    second = error[2:] - 2.0 * error[1:-1] + error[:-2]
    values = np.linalg.norm(second, axis=-1).mean(axis=1) * fps**2
    return np.asarray(values[consecutive(frames, 2)])


def consecutive(frames: IntArray, order: int) -> NDArray[np.bool_]:
    """For each row i of ``frames`` (n,), whether rows i .. i + order are consecutive frames.

    Returns (max(n - order, 0),) bool: the mask of a difference of that order.
    """
    return np.asarray(frames[order:] - frames[: max(len(frames) - order, 0)] == order)
