"""Samples of every metric, person by person and pair by pair, before they are pooled."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from refine_engine.errors import InputError
from refine_engine.evaluation import contact_metrics as feet
from refine_engine.evaluation import pose_metrics as pose
from refine_engine.evaluation import scene_metrics as scene
from refine_engine.evaluation import trajectory_metrics as path

if TYPE_CHECKING:
    from refine_engine.evaluation.motion_set import MotionSet, PersonMotion

Array = NDArray[np.float64]


@dataclass
class Samples:
    """Values of one person or pair, waiting to be pooled."""

    values: dict[str, Array] = field(default_factory=dict)
    """Metric key to (k,) values in the metric's unit."""
    contacts: feet.ContactCounts | None = None
    stance: Array | None = None
    """(k,) metres, heights of feet in contact."""


def collect_samples(
    pred: MotionSet, gt: MotionSet | None, chunking: path.Chunking
) -> dict[tuple[int, ...], Samples]:
    """Samples by person ``(id,)`` and by pair ``(id, id)``.

    Parameters
    ----------
    pred, gt
        The motion to judge, and the truth where there is one.
    chunking
        See :func:`.trajectory_metrics.chunk_bounds`.

    Raises
    ------
    InputError
        The frame rates differ, or no person of ``gt`` is in ``pred``.
    """
    samples: dict[tuple[int, ...], Samples] = {}
    if gt is None:
        for person_id, person in sorted(pred.people.items()):
            samples[person_id,] = _without_truth(person, pred)
        return samples
    _check_comparable(pred, gt)
    for person_id, truth in sorted(gt.people.items()):
        own = pred.people.get(person_id)
        found = np.zeros(0, dtype=np.int64) if own is None else own.frames
        entry = Samples({"coverage_percent": scene.coverage(found, truth.frames)})
        if own is not None:
            p, g = _matched(own, truth)
            if len(p.frames):
                entry = _with_truth(p, g, pred, gt, chunking, entry)
        samples[person_id,] = entry
    both = sorted(set(pred.people) & set(gt.people))
    for a, b in itertools.combinations(both, 2):
        samples[a, b] = _pair(a, b, pred, gt)
    return samples


def _check_comparable(pred: MotionSet, gt: MotionSet) -> None:
    if abs(pred.fps - gt.fps) > 1e-3 * gt.fps:
        raise InputError(
            pred.label or "motion",
            f"runs at {pred.fps:g} frames a second, the ground truth at {gt.fps:g}",
            "open it with the ground truth's rate (--fps)",
        )
    if not set(pred.people) & set(gt.people):
        raise InputError(
            pred.label or "motion",
            f"has people {sorted(pred.people)}, the ground truth has {sorted(gt.people)}",
            "give the ground truth of this very scene",
        )


def _matched(pred: PersonMotion, gt: PersonMotion) -> tuple[PersonMotion, PersonMotion]:
    _, rows_pred, rows_gt = np.intersect1d(
        pred.frames, gt.frames, assume_unique=True, return_indices=True
    )
    return pred.rows(rows_pred), gt.rows(rows_gt)


def _without_truth(person: PersonMotion, pred: MotionSet) -> Samples:
    entry = Samples({"jitter_10m_s3": path.jitter(person.joints_world, person.frames, pred.fps)})
    if person.soles_world is not None and person.contacts is not None:
        points = feet.heels_and_toes(person.soles_world)
        steps = feet.labelled_steps(person.contacts, person.frames)
        entry.values["foot_sliding_mm"] = feet.foot_sliding(points, steps, pred.fps)
    _add_ground(entry, person, person.contacts, pred.ground_plane)
    return entry


def _add_ground(
    entry: Samples, person: PersonMotion, contacts: Array | None, plane: Array | None
) -> None:
    """Heights over the motion's own plane: what the result itself claims to be the floor."""
    if person.soles_world is None or plane is None:
        return
    depth = feet.penetration_depth(person.soles_world, plane)
    entry.values["penetration_mm"] = depth
    deep = depth > feet.PENETRATION_M * pose.MM
    entry.values["penetration_frames_percent"] = np.where(deep, 100.0, 0.0)
    if contacts is not None:
        entry.stance = feet.stance_heights(person.soles_world, plane, contacts)
        entry.values["floating_percent"] = np.where(feet.floating(entry.stance), 100.0, 0.0)


def _with_truth(
    p: PersonMotion,
    g: PersonMotion,
    pred: MotionSet,
    gt: MotionSet,
    chunking: path.Chunking,
    entry: Samples,
) -> Samples:
    values, fps = entry.values, gt.fps
    for suffix, with_scale in (("", True), ("_se3", False)):
        for name, metric in (("wa", path.wa_mpjpe), ("w", path.w_mpjpe)):
            values[f"{name}_mpjpe100{suffix}_mm"] = metric(
                p.joints_world, g.joints_world, with_scale=with_scale, style=chunking
            )
    length = path.path_length(g.pelvis_world)
    values["rte_percent"] = path.root_trajectory_error(p.pelvis_world, g.pelvis_world, length)
    values["erve_mm"] = path.egocentric_velocity_error(
        p.pelvis_world, g.pelvis_world, p.R_world_root, g.R_world_root, g.frames, fps
    )
    values["pa_mpjpe_mm"] = pose.pa_mpjpe(p.joints_world, g.joints_world)
    values["jitter_10m_s3"] = path.jitter(p.joints_world, p.frames, fps)
    values["gt_jitter_10m_s3"] = path.jitter(g.joints_world, g.frames, fps)
    if pred.R_cam_world is not None and gt.R_cam_world is not None:
        _add_camera_errors(values, p, g, pred, gt)
    if p.soles_world is not None and g.soles_world is not None:
        planted = feet.planted_steps(feet.heels_and_toes(g.soles_world), g.frames, fps)
        points = feet.heels_and_toes(p.soles_world)
        values["foot_sliding_mm"] = feet.foot_sliding(points, planted, fps)
        _add_foot_heights(values, p, g, pred, gt)
    _add_ground(entry, p, g.contacts, pred.ground_plane)
    if p.contacts is not None and g.contacts is not None:
        entry.contacts = feet.count_contacts(p.contacts, g.contacts)
    return entry


def _add_camera_errors(
    values: dict[str, Array], p: PersonMotion, g: PersonMotion, pred: MotionSet, gt: MotionSet
) -> None:
    p_cam = pred.to_own_camera(p.joints_world, p.frames)
    g_cam = gt.to_own_camera(g.joints_world, g.frames)
    values["mpjpe_mm"] = pose.mpjpe(p_cam, g_cam)
    values["accel_m_s2"] = pose.acceleration_error(p_cam, g_cam, g.frames, gt.fps)
    if p.vertices_world is not None and g.vertices_world is not None:
        values["pve_mm"] = pose.pve(
            pred.to_own_camera(p.vertices_world, p.frames),
            gt.to_own_camera(g.vertices_world, g.frames),
            p_cam,
            g_cam,
        )


def _add_foot_heights(
    values: dict[str, Array], p: PersonMotion, g: PersonMotion, pred: MotionSet, gt: MotionSet
) -> None:
    """Absolute heights over the true plane, mapped through the first camera of each."""
    if (
        pred.R_cam_world is None
        or gt.R_cam_world is None
        or gt.ground_plane is None
        or g.contacts is None
        or p.soles_world is None
        or g.soles_world is None
    ):
        return
    plane = gt.plane_in_first_camera()
    p_height = feet.stance_heights(pred.to_first_camera(p.soles_world), plane, g.contacts)
    g_height = feet.stance_heights(gt.to_first_camera(g.soles_world), plane, g.contacts)
    values["foot_height_error_mm"] = np.abs(p_height - g_height) * pose.MM


def _pair(a: int, b: int, pred: MotionSet, gt: MotionSet) -> Samples:
    frames = gt.people[a].frames
    for motion in (pred.people[a], pred.people[b], gt.people[b]):
        frames = np.intersect1d(frames, motion.frames, assume_unique=True)
    pelvis = {
        (name, i): source.people[i].pelvis_world[np.isin(source.people[i].frames, frames)]
        for name, source in (("pred", pred), ("gt", gt))
        for i in (a, b)
    }
    entry = Samples()
    entry.values["pair_distance_mm"] = scene.pair_distance_error(
        pelvis["pred", a], pelvis["pred", b], pelvis["gt", a], pelvis["gt", b]
    )
    if pred.R_cam_world is not None and gt.R_cam_world is not None:
        cam = {
            (name, i): (pred if name == "pred" else gt).to_own_camera(points[:, None], frames)[:, 0]
            for (name, i), points in pelvis.items()
        }
        entry.values["pair_vector_mm"] = scene.pair_vector_error(
            cam["pred", a], cam["pred", b], cam["gt", a], cam["gt", b]
        )
    return entry
