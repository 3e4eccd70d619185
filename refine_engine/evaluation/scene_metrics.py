"""Errors of what the people share: the unit, the ground, their places relative to each other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.alignment import align
from refine_engine.evaluation.pose_metrics import MM
from refine_engine.geometry.planes import angle_between, heights, moved

Array = NDArray[np.float64]
IntArray = NDArray[np.int64]


def alpha_error(alpha: float, gt_alpha: float) -> float:
    """Error of the scale, ``100 |log(alpha / alpha*)|`` in per cent (symmetric in both)."""
    return 100.0 * abs(math.log(alpha / gt_alpha))


def ground_error(plane: Array, gt_plane: Array, gt_points: Array) -> tuple[float, float]:
    """Angle and offset between two ground planes in one frame of reference.

    Parameters
    ----------
    plane, gt_plane
        (4,) ``[n, d]``, unit normals pointing up, metres.
    gt_points
        (k, 3) true points near the ground (soles, pelvises) in the same frame, metres: the offset
        is taken where the people are, not at the origin, which may be far away.

    Returns
    -------
    angle
        Degrees between the normals.
    offset
        Centimetres, unsigned: distance from the plane of the true ground point under the centre
        of ``gt_points``.
    """
    center = gt_points.mean(axis=0)
    on_ground = center - heights(center, gt_plane) * gt_plane[:3]
    angle = math.degrees(angle_between(plane, gt_plane))
    return angle, abs(float(heights(on_ground, plane))) * 100.0


def fitted_ground_offset(plane: Array, gt_plane: Array, joints: Array, gt_joints: Array) -> float:
    """Offset of the ground from where it is under the people, whatever their scale and place.

    Parameters
    ----------
    plane, gt_plane
        (4,) ``[n, d]`` in the world of each.
    joints, gt_joints
        (k, 3) corresponding joints of everybody in the world of each, metres.

    Returns
    -------
    float
        Centimetres, unsigned: as the offset of :func:`ground_error`, after the one Sim(3) that
        takes all joints to the true ones has taken the plane along. What is left is how the ground
        lies to the people, without the scene's scale times the height of the camera.
    """
    fit = align(joints, gt_joints)
    scaled = np.append(plane[:3], float(fit.scale) * plane[3])
    return ground_error(moved(scaled, fit.R, fit.t), gt_plane, gt_joints)[1]


def pair_distance_error(pred_a: Array, pred_b: Array, gt_a: Array, gt_b: Array) -> Array:
    """Error of the distance between two people, ``| ||a - b|| - ||a* - b*|| |``.

    Parameters
    ----------
    pred_a, pred_b, gt_a, gt_b
        Pelvises (n, 3) of the two people at the same frames, metres; prediction and truth each in
        its own world (distances need no alignment).

    Returns
    -------
    Array
        (n,) millimetres.

    Notes
    -----
    RPE_multi of the multi-person evaluation: mean over all pairs and frames, no alignment.
    """
    pred = np.linalg.norm(pred_a - pred_b, axis=-1)
    gt = np.linalg.norm(gt_a - gt_b, axis=-1)
    return np.asarray(np.abs(pred - gt) * MM)


def pair_vector_error(pred_a: Array, pred_b: Array, gt_a: Array, gt_b: Array) -> Array:
    """Error of the vector from one person to the other.

    Parameters as :func:`pair_distance_error`, but all in the camera's frame of each frame, so
    that the directions are comparable.  Returns (n,) millimetres.
    """
    return np.asarray(np.linalg.norm((pred_a - pred_b) - (gt_a - gt_b), axis=-1) * MM)


def coverage(pred_frames: IntArray, gt_frames: IntArray) -> Array:
    """For each true frame (n,) whether it was found: 100 or 0 (per cent when averaged)."""
    return np.where(np.isin(gt_frames, pred_frames), 100.0, 0.0)
