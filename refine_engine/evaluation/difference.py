"""Two refinements of one video side by side: settings, scale, metrics, how far people moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body import load_body_model
from refine_engine.errors import InputError
from refine_engine.evaluation.metric_list import METRICS
from refine_engine.evaluation.sources import motion_from_results, read_results
from refine_engine.evaluation.table import ABSENT, aligned, change, number
from refine_engine.exporters.stored_results import results_place

if TYPE_CHECKING:
    from refine_engine.evaluation.motion_set import MotionSet

SCHEMA_VERSION = 1
_NAN = float("nan")
_SHOWN = {
    "scale_alpha": ("alpha", "m/unit", 4),
    "scale_sigma": ("sigma of alpha", "m/unit", 4),
    "scale_delta": ("alpha / alpha_0 - 1", "", 4),
    "alpha_0": ("alpha_0", "m/unit", 4),
    "seconds": ("time of all sub-stages", "s", 1),
}
"""Key of a result to its label, unit and decimals in the table."""
_SCALE_KEYS = ("scale_alpha", "scale_sigma", "scale_delta", "alpha_0")


@dataclass(frozen=True)
class PersonDifference:
    """How far one person's joints lie apart in two results, millimetres."""

    frames: int
    """Frames that both have."""
    placed_mm: float
    """Mean distance of joints as placed, in the frame of the first camera."""
    farthest_mm: float
    """The largest of these distances."""
    posed_mm: float
    """Mean distance after the pelvises are laid on each other, in each frame's camera."""


@dataclass(frozen=True)
class Difference:
    """What ``compare`` found."""

    first: Path
    second: Path
    settings: Mapping[str, tuple[Any, Any]]
    """Settings that differ; None where a version does not know one."""
    values: Mapping[str, tuple[float | None, float | None]]
    """Scale, status of convergence and likelihoods."""
    metrics: Mapping[str, tuple[float | None, float | None]]
    """Metrics after refinement, of those that either run has."""
    people: Mapping[int, PersonDifference]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain types for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "first": str(self.first),
            "second": str(self.second),
            "settings": {key: list(pair) for key, pair in self.settings.items()},
            "values": {key: list(pair) for key, pair in self.values.items()},
            "metrics": {key: list(pair) for key, pair in self.metrics.items()},
            "people": {
                str(i): {
                    "frames": p.frames,
                    "placed_mm": p.placed_mm,
                    "farthest_mm": p.farthest_mm,
                    "posed_mm": p.posed_mm,
                }
                for i, p in self.people.items()
            },
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
        }


def compare_results(
    first: str | Path, second: str | Path, *, body_file: str | Path | None = None
) -> Difference:
    """Compare two refined folders of the same video.

    Parameters
    ----------
    first, second
        Results folders that were refined, or folders that refinements were written to.
    body_file
        SMPL model file that both were refined with; None takes the embedded body.

    Raises
    ------
    InputError
        A folder holds no usable results, or they have nobody in common.
    """
    places = results_place(first), results_place(second)
    documents = read_results(places[0]), read_results(places[1])
    motions = []
    for place, document in zip(places, documents, strict=True):
        stated = document.get("body") or {}
        body = load_body_model(stated.get("gender"), search=(body_file,))
        if stated.get("name") not in (None, body.name):
            raise InputError(
                place,
                f"was refined with the {stated['name']}, not with the {body.name}",
                "name that body (--body)",
            )
        motions.append(motion_from_results(place, body))
    a, b = motions
    people = {i: _apart(a, b, i) for i in sorted(set(a.people) & set(b.people))}
    people = {i: p for i, p in people.items() if p.frames}
    if not people:
        raise InputError(
            second, f"has nobody in common with {first}", "name two results of one video"
        )
    return Difference(
        places[0],
        places[1],
        _settings(*documents),
        _values(*documents),
        _metrics(*documents),
        people,
        tuple(sorted(set(a.people) - set(people))),
        tuple(sorted(set(b.people) - set(people))),
    )


def difference_table(found: Difference) -> str:
    """Everything as text for a terminal."""
    parts = [f"A  {found.first}\nB  {found.second}"]
    if found.settings:
        rows = [["settings that differ", "A", "B"]]
        rows += [[key, str(a), str(b)] for key, (a, b) in found.settings.items()]
        parts.append(aligned(rows, left=1))
    else:
        parts.append("The settings are the same.")
    rows = [["", "unit", "A", "B", "change"]]
    for key, pair in found.values.items():
        label, unit, decimals = _SHOWN.get(key, (key, "", 4))
        cells = _line(label, decimals, *pair)
        rows.append([cells[0], unit, *cells[1:]])
    parts.append(aligned(rows, left=2))
    rows = [["after refinement", "unit", "", "A", "B", "change"]]
    for metric in METRICS:
        if metric.key in found.metrics:
            cells = _line(metric.label, metric.decimals, *found.metrics[metric.key])
            rows.append([cells[0], metric.unit, metric.arrow, *cells[1:]])
    if len(rows) > 1:
        parts.append(aligned(rows, left=3))
    rows = [["joints apart, mm", "frames", "as placed", "farthest", "poses alone"]]
    for i, p in found.people.items():
        values = [f"{value:.1f}" for value in (p.placed_mm, p.farthest_mm, p.posed_mm)]
        rows.append([f"person {i}", str(p.frames), *values])
    parts.append(aligned(rows, left=1))
    for name, ids in (("A", found.only_first), ("B", found.only_second)):
        if ids:
            parts.append(f"Only in {name}: people {', '.join(map(str, ids))}.")
    return "\n\n".join(parts)


def _apart(a: MotionSet, b: MotionSet, person: int) -> PersonDifference:
    frames, rows_a, rows_b = np.intersect1d(
        a.people[person].frames, b.people[person].frames, return_indices=True
    )
    if not len(frames):
        return PersonDifference(0, _NAN, _NAN, _NAN)
    joints = [s.people[person].joints_world[rows] for s, rows in ((a, rows_a), (b, rows_b))]
    # Each result has its own direction of gravity; the first camera is the same.
    placed = [s.to_first_camera(points) for s, points in zip((a, b), joints, strict=True)]
    posed = [s.to_own_camera(points, frames) for s, points in zip((a, b), joints, strict=True)]
    posed = [points - points[:, :1] for points in posed]
    distance = 1000 * np.linalg.norm(placed[0] - placed[1], axis=-1)
    pose = 1000 * np.linalg.norm(posed[0] - posed[1], axis=-1)
    return PersonDifference(
        len(frames), float(distance.mean()), float(distance.max()), float(pose.mean())
    )


def _settings(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    one, two = a.get("config") or {}, b.get("config") or {}
    keys = [*one, *(key for key in two if key not in one)]
    return {key: (one.get(key), two.get(key)) for key in keys if one.get(key) != two.get(key)}


def _values(
    a: Mapping[str, Any], b: Mapping[str, Any]
) -> dict[str, tuple[float | None, float | None]]:
    found = {key: (a.get(key), b.get(key)) for key in _SCALE_KEYS}
    one, two = (d.get("per_person_likelihoods") or {} for d in (a, b))
    for i in sorted({*one, *two}, key=int):
        found[f"likelihood of person {i}"] = (one.get(i), two.get(i))
    seconds = [
        float(sum(s.get("seconds", 0.0) for s in d.get("sub_stages", []))) or None for d in (a, b)
    ]
    found["seconds"] = (seconds[0], seconds[1])
    return {key: pair for key, pair in found.items() if pair != (None, None)}


def _metrics(
    a: Mapping[str, Any], b: Mapping[str, Any]
) -> dict[str, tuple[float | None, float | None]]:
    one, two = ((d.get("before_after") or {}).get("after") or {} for d in (a, b))
    found = {m.key: (one.get(m.key), two.get(m.key)) for m in METRICS}
    return {key: pair for key, pair in found.items() if pair != (None, None)}


def _line(label: str, decimals: int, a: float | None, b: float | None) -> list[str]:
    one, two = (_NAN if value is None else float(value) for value in (a, b))
    shown = change(one, two) if None not in (a, b) else ABSENT
    return [label, number(one, decimals), number(two, decimals), shown]
