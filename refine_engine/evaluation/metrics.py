"""All metrics of a motion, with or without ground truth, pooled and for each person.

Per-frame values of all people are concatenated before they are averaged, as in the published
evaluations.  A metric that cannot be computed (no ground truth, no plane, one person only) is
NaN under its key, so that the keys are always the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation import contact_metrics as feet
from refine_engine.evaluation import scene_metrics as scene
from refine_engine.evaluation import trajectory_metrics as path
from refine_engine.evaluation.metric_list import METRICS
from refine_engine.evaluation.metric_samples import Samples, collect_samples

if TYPE_CHECKING:
    from refine_engine.evaluation.motion_set import MotionSet

Array = NDArray[np.float64]


def evaluate_motion(
    pred: MotionSet, gt: MotionSet | None = None, *, chunking: path.Chunking = "gvhmr"
) -> dict[str, float]:
    """Every metric of ``pred``, pooled over people and frames.

    Parameters
    ----------
    pred
        The motion to judge.
    gt
        The truth; people are joined by id and frames by number.  None: only the metrics that need
        none (jitter; foot sliding, floating and stance height by ``pred``'s own contacts;
        penetration).
    chunking
        How W- and WA-MPJPE cut the frames; see :func:`.trajectory_metrics.chunk_bounds`.

    Returns
    -------
    dict
        Every key of :data:`.metric_list.METRICS` in that order; NaN where not computable.

    Raises
    ------
    InputError
        The frame rates differ, or no person of ``gt`` is in ``pred``.
    """
    samples = collect_samples(pred, gt, chunking)
    pooled = _pool(samples.values(), pred, gt)
    return {metric.key: pooled.get(metric.key, float("nan")) for metric in METRICS}


def metric_sums(
    pred: MotionSet, gt: MotionSet, *, chunking: path.Chunking = "gvhmr"
) -> dict[str, tuple[float, int]]:
    """Sum and number of the samples behind each mean of :func:`evaluate_motion`.

    For pooling over scenes as over frames: add sums and numbers, then divide. Errors of the scene
    (scale, ground) are one sample each. Precision, recall and F1 are ratios of counts, given as
    such; stance height is neither and is left out. Arguments as :func:`evaluate_motion`.
    """
    totals: dict[str, tuple[float, int]] = {}
    contacts = feet.ContactCounts(0, 0, 0)
    for entry in collect_samples(pred, gt, chunking).values():
        for key, values in entry.values.items():
            total, count = totals.get(key, (0.0, 0))
            totals[key] = (total + float(values.sum()), count + len(values))
        contacts += entry.contacts or feet.ContactCounts(0, 0, 0)
    hits, found, true = contacts.hits, contacts.found, contacts.true
    if found + true:
        totals["contact_precision"] = (float(hits), found)
        totals["contact_recall"] = (float(hits), true)
        totals["contact_f1"] = (2.0 * hits, found + true)
    totals.update({key: (value, 1) for key, value in _scene_errors(pred, gt).items()})
    return totals


def evaluate_people(
    pred: MotionSet, gt: MotionSet | None = None, *, chunking: path.Chunking = "gvhmr"
) -> dict[int, dict[str, float]]:
    """The same for each person alone; arguments as :func:`evaluate_motion`.

    A person who is in ``gt`` and not in ``pred`` has a coverage of 0 and no other value.  Pair
    errors count for both; scale and ground belong to the scene and are NaN here.
    """
    samples = collect_samples(pred, gt, chunking)
    ids = sorted(gt.people if gt is not None else pred.people)
    result: dict[int, dict[str, float]] = {}
    for person_id in ids:
        own = [s for key, s in samples.items() if person_id in key]
        pooled = _pool(own, None, None)
        result[person_id] = {m.key: pooled.get(m.key, float("nan")) for m in METRICS}
    return result


def _pool(
    samples: Iterable[Samples], pred: MotionSet | None, gt: MotionSet | None
) -> dict[str, float]:
    entries = list(samples)
    gathered: dict[str, list[Array]] = {}
    for entry in entries:
        for key, values in entry.values.items():
            gathered.setdefault(key, []).append(values)
    pooled = {key: _mean(np.concatenate(parts)) for key, parts in gathered.items()}
    counts = [entry.contacts for entry in entries if entry.contacts is not None]
    if counts:
        total = sum(counts, feet.ContactCounts(0, 0, 0))
        pooled["contact_precision"] = total.precision
        pooled["contact_recall"] = total.recall
        pooled["contact_f1"] = total.f1
    stance = [float(e.stance.mean()) for e in entries if e.stance is not None and len(e.stance)]
    if len(stance) >= 2:
        pooled["stance_height_std_cm"] = float(np.std(stance)) * 100.0
    if pred is not None and gt is not None:
        pooled.update(_scene_errors(pred, gt))
    return pooled


def _scene_errors(pred: MotionSet, gt: MotionSet) -> Mapping[str, float]:
    errors: dict[str, float] = {}
    if pred.alpha is not None and gt.alpha is not None:
        errors["alpha_error_percent"] = scene.alpha_error(pred.alpha, gt.alpha)
    if (
        pred.ground_plane is not None
        and gt.ground_plane is not None
        and pred.R_cam_world is not None
        and gt.R_cam_world is not None
    ):
        points = np.concatenate([p.joints_world.reshape(-1, 3) for p in gt.people.values()])
        errors["ground_angle_deg"], errors["ground_offset_cm"] = scene.ground_error(
            pred.plane_in_first_camera(), gt.plane_in_first_camera(), gt.to_first_camera(points)
        )
    if pred.ground_plane is not None and gt.ground_plane is not None:
        joints, gt_joints = _common_joints(pred, gt)
        if len(joints):
            errors["ground_offset_fitted_cm"] = scene.fitted_ground_offset(
                pred.ground_plane, gt.ground_plane, joints, gt_joints
            )
    return errors


def _common_joints(pred: MotionSet, gt: MotionSet) -> tuple[Array, Array]:
    """Joints (k, 3) of everybody in the frames that both have, each in its own world."""
    found: list[tuple[Array, Array]] = [(np.zeros((0, 3)), np.zeros((0, 3)))]
    for i in sorted(pred.people.keys() & gt.people.keys()):
        p, g = pred.people[i], gt.people[i]
        _, rows, gt_rows = np.intersect1d(p.frames, g.frames, True, True)
        found.append((p.joints_world[rows].reshape(-1, 3), g.joints_world[gt_rows].reshape(-1, 3)))
    ours, true = zip(*found, strict=True)
    return np.concatenate(ours), np.concatenate(true)


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else float("nan")
