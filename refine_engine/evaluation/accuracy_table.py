"""The accuracy table in Markdown: before, after, change with its interval, target, reached."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refine_engine.evaluation.bootstrap import ratio_of_medians, relative_change
from refine_engine.evaluation.metric_list import METRIC_BY_KEY, METRICS
from refine_engine.evaluation.records import Run
from refine_engine.evaluation.table import number

Array = NDArray[np.float64]

YES, NO = "yes", "**no**"


@dataclass(frozen=True)
class Target:
    """What a pooled metric should come to."""

    text: str
    reached: Callable[[float, float, float], bool]
    """(before, after, change in per cent) -> whether."""


TARGETS: dict[str, Target] = {
    "wa_mpjpe100_mm": Target("-15 %", lambda b, a, c: c <= -15.0),
    "w_mpjpe100_mm": Target("-15 %", lambda b, a, c: c <= -15.0),
    "w_mpjpe100_se3_mm": Target("-25 %", lambda b, a, c: c <= -25.0),
    "foot_sliding_mm": Target("<= 5", lambda b, a, c: a <= 5.0),
    "ground_angle_deg": Target("<= 1", lambda b, a, c: a <= 1.0),
    "ground_offset_cm": Target("<= 2", lambda b, a, c: a <= 2.0),
}


def accuracy_markdown(runs: Sequence[Run], command: str) -> str:
    """The whole report.

    Parameters
    ----------
    runs
        Records of a sweep, in any order.
    command
        The command that produced them, to be shown.
    """
    runs = sorted(runs, key=lambda r: (r.level, r.camera, r.people, r.seed, r.arm, r.person or 0))
    main = [r for r in runs if r.arm == "full" and _moving(r)]
    if not main:
        raise ValueError("no run at level published with a moving camera")
    failed = [r for r in runs if r.problem]
    parts = [
        f"Command: `{command}`",
        f"{len(main)} scenes at level published with moving cameras, "
        f"{sum(r.people for r in main)} people, pooled over frames; intervals: paired bootstrap "
        f"over scenes, 95 %. Failed runs: {len(failed)} (counted as unchanged).",
        _pooled(main),
        _jitter_line(main),
        _scale(runs),
        _guards(runs, main),
        "\n".join(f"- Failed: {r.scene}, {r.arm}: {r.problem}" for r in failed),
        _scenes(main),
    ]
    return "\n\n".join(part for part in parts if part)


def _moving(run: Run) -> bool:
    return run.level == "published" and run.camera != "static"


def pooled(runs: Sequence[Run], key: str) -> tuple[Array, Array]:
    """(n, 2) sums and numbers before and after, of the runs that have the metric."""
    having = [r for r in runs if key in r.before and key in r.after]
    before = np.array([r.before[key] for r in having], dtype=np.float64).reshape(-1, 2)
    after = np.array([r.after[key] for r in having], dtype=np.float64).reshape(-1, 2)
    return before, after


def _mean(sums: Array) -> float:
    total, count = sums.sum(axis=0)
    return float(total / count) if count else math.nan


def _pooled(main: Sequence[Run]) -> str:
    rows = [["metric", "unit", "before", "after", "change", "95 % interval", "target", "reached"]]
    for metric in METRICS:
        before, after = pooled(main, metric.key)
        if not len(before) or not before[:, 1].sum():
            continue
        first, second = _mean(before), _mean(after)
        change = relative_change(before, after)
        target = TARGETS.get(metric.key)
        finite = math.isfinite(change.value)
        rows.append(
            [
                f"{metric.label} {metric.arrow}",
                metric.unit,
                number(first, metric.decimals),
                number(second, metric.decimals),
                f"{change.value:+.1f} %" if finite else "",
                f"{change.low:+.1f} to {change.high:+.1f} %" if finite else "",
                target.text if target else "",
                _said(target.reached(first, second, change.value)) if target else "",
            ]
        )
    return markdown(rows)


def _jitter_line(main: Sequence[Run]) -> str:
    _, after = pooled(main, "jitter_10m_s3")
    truth, _ = pooled(main, "gt_jitter_10m_s3")
    ratio = _mean(after) / _mean(truth)
    return (
        f"Jitter after refinement is {ratio:.2f} times the truth's "
        f"(target 1 to 1.5): {_said(1.0 <= ratio <= 1.5)}."
    )


def _scale(runs: Sequence[Run]) -> str:
    rows = [["scale", "runs", "median", "90th percentile", "target", "reached"]]
    moving = [r for r in runs if _moving(r)]
    off = [r for r in moving if r.arm == "off"]
    three = [r for r in off if r.people == 3]
    one = [r for r in moving if r.arm == "alone"]
    named: list[tuple[str, list[Run], float | None]] = [
        ("unit unknown, before", [r for r in moving if r.arm == "full"], None),
        ("unit unknown, after", [r for r in moving if r.arm == "full"], None),
        ("started 15 % off, all scenes", off, None),
        ("started 15 % off, 3 people", three, 3.0),
        ("started 15 % off, one of the 3 alone", one, None),
    ]
    for name, chosen, limit in named:
        if not chosen:
            continue
        if name.endswith("before"):
            errors = np.array([abs(math.log(r.alpha_before / r.alpha_true)) for r in chosen]) * 100
        else:
            errors = _alpha_errors(chosen)
        median = float(np.median(errors))
        rows.append(
            [
                f"alpha error, {name}",
                str(len(chosen)),
                f"{median:.2f} %",
                f"{np.percentile(errors, 90):.2f} %",
                "" if limit is None else f"<= {limit:g} %",
                "" if limit is None else _said(median <= limit),
            ]
        )
    text = [markdown(rows)]
    if three and one:
        text.append(_three_against_one(three, one))
    text.append(_coverage([r for r in moving if r.arm == "full"], "unit unknown"))
    text.append(_coverage(off, "started 15 % off"))
    return "\n\n".join(part for part in text if part)


def _three_against_one(three: list[Run], one: list[Run]) -> str:
    singles = [[abs(o.log_alpha_error) for o in one if o.scene == r.scene] for r in three]
    width = max(len(errors) for errors in singles)
    padded = np.array([errors + [math.nan] * (width - len(errors)) for errors in singles])
    together = np.array([[abs(r.log_alpha_error)] for r in three])
    median = ratio_of_medians(together, padded)
    rms = 100.0 * (_rms(three) / _rms(one) - 1.0)
    return (
        f"Alpha error with 3 people against each of them alone: median {median.value:+.0f} % "
        f"({median.low:+.0f} to {median.high:+.0f} %), root mean square {rms:+.0f} % "
        f"(target -25 %; the limit for independent people is -42 %): "
        f"{_said(median.value <= -25.0)}."
    )


def _coverage(runs: list[Run], name: str) -> str:
    known = [r for r in runs if r.alpha_sigma]
    if not known:
        return ""
    inside = [abs(r.log_alpha_error) <= (r.alpha_sigma or 0.0) / r.alpha for r in known]
    share = 100.0 * float(np.mean(inside))
    return (
        f"The 1-sigma interval of alpha ({name}) covers the truth in {share:.0f} % of "
        f"{len(known)} runs (target 60 to 76 %): {_said(60.0 <= share <= 76.0)}."
    )


def _guards(runs: Sequence[Run], main: Sequence[Run]) -> str:
    worst_wa = max(_own_change(r, "wa_mpjpe100_mm") for r in main)
    worst_pa = max(_own_step(r, "pa_mpjpe_mm") for r in main)
    angle, offset = (
        float(np.median([_own(r.after, key) for r in main if key in r.after]))
        for key in ("ground_angle_deg", "ground_offset_cm")
    )
    lines = [
        f"Ground after refinement, median of scenes: {angle:.2f} deg, {offset:.2f} cm.",
        f"Worst scene, WA-MPJPE100: {worst_wa:+.1f} % (target at most +3 %): "
        f"{_said(worst_wa <= 3.0)}.",
        f"Worst scene, PA-MPJPE: {worst_pa:+.2f} mm (target at most +1 mm): "
        f"{_said(worst_pa <= 1.0)}.",
    ]
    easy = [r for r in runs if r.arm == "full" and r.level == "easy"]
    if easy:
        worst = max(_own_change(r, "wa_mpjpe100_mm") for r in easy)
        lines.append(
            f"Level easy, {len(easy)} scenes, worst WA-MPJPE100: {worst:+.1f} % "
            f"(target at most +2 %): {_said(worst <= 2.0)}."
        )
    still = [r for r in runs if r.arm == "full" and r.camera == "static"]
    if still:
        said = sum(not r.observable for r in still)
        lines.append(
            f"Static camera reported as not observable from motion: {said} of {len(still)} scenes."
        )
    seconds = [r.seconds for r in main]
    lines.append(
        f"Seconds of a refinement: median {np.median(seconds):.2f}, longest {max(seconds):.2f}."
    )
    return "\n".join(f"- {line}" for line in lines)


def _scenes(main: Sequence[Run]) -> str:
    keys = ("wa_mpjpe100_mm", "w_mpjpe100_mm", "w_mpjpe100_se3_mm", "foot_sliding_mm")
    rows = [["scene", *(METRIC_BY_KEY[k].label for k in keys), "alpha error before", "after"]]
    for run in main:
        cells = [run.scene]
        for key in keys:
            first, second = _own(run.before, key), _own(run.after, key)
            cells.append(f"{number(first, 1)} -> {number(second, 1)}")
        cells.append(f"{abs(math.log(run.alpha_before / run.alpha_true)) * 100:.1f} %")
        cells.append(f"{abs(run.log_alpha_error) * 100:.1f} %")
        rows.append(cells)
    return markdown(rows)


def _alpha_errors(runs: Sequence[Run]) -> Array:
    return np.array([abs(r.log_alpha_error) for r in runs]) * 100.0


def _rms(runs: Sequence[Run]) -> float:
    return float(np.sqrt(np.mean(_alpha_errors(runs) ** 2)))


def _own(sums: dict[str, tuple[float, int]], key: str) -> float:
    total, count = sums.get(key, (0.0, 0))
    return total / count if count else math.nan


def _own_change(run: Run, key: str) -> float:
    return 100.0 * (_own(run.after, key) / _own(run.before, key) - 1.0)


def _own_step(run: Run, key: str) -> float:
    return _own(run.after, key) - _own(run.before, key)


def _said(reached: bool) -> str:
    return YES if reached else NO


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
