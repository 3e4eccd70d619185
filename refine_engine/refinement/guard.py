"""Whether a sub-stage made things worse, judged on evidence that it did not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

FLOORS: Mapping[str, float] = {"keypoints": 3.0, "depth": 0.03, "slide": 0.001}
"""Below these (pixels; log depth; metres a frame) a difference is noise of the evidence itself.

Depth maps are off by 5 to 7 % even after one scale (VGGT's AbsRel on laboratory sets), in fields as
large as a person: putting feet on the ground may cost a percent of agreement with them."""
TOLERANCE = 0.05
"""Relative worsening, averaged over the kinds of evidence, that is still accepted."""
LARGEST = 0.30
"""Relative worsening of any single kind that is not accepted, whatever the others gain."""


@dataclass(frozen=True)
class Verdict:
    """What the comparison says."""

    worse: bool
    message: str
    """One sentence; empty where there was nothing to compare."""
    change: float = 0.0
    """Mean relative change of the evidence, negative = better."""


UNITS: Mapping[str, tuple[float, str, str]] = {
    "keypoints": (1.0, "px", "held-out keypoints"),
    "depth": (100.0, "%", "held-out depth"),
    "slide": (1000.0, "mm/frame", "foot slide"),
}


def compare(
    before: Mapping[str, float],
    after: Mapping[str, float],
    judged_by: Collection[str] = tuple(UNITS),
) -> Verdict:
    """Compare held-out evidence before and after a sub-stage.

    Parameters
    ----------
    before, after
        Kind of evidence to its error (smaller is better), as ``Problem.evidence`` gives it. Kinds
        that are not in both are left out.
    judged_by
        Kinds that count; the others are only told.
    """
    kinds = [k for k in before if k in after and np.isfinite([before[k], after[k]]).all()]
    if not kinds:
        return Verdict(False, "")
    text = ", ".join(_phrase(k, before[k], after[k]) for k in kinds)
    logs = {
        k: float(np.log((after[k] + FLOORS.get(k, 0.0)) / (before[k] + FLOORS.get(k, 0.0))))
        if before[k] + FLOORS.get(k, 0.0) > 0
        else 0.0
        for k in kinds
        if k in judged_by
    }
    if not logs:
        return Verdict(False, text)
    mean = float(np.mean(list(logs.values())))
    worst = max(logs, key=lambda k: logs[k])
    worse = mean > np.log1p(TOLERANCE) or (logs[worst] > np.log1p(LARGEST) and mean > -0.5)
    return Verdict(worse, text, float(np.expm1(mean)))


def _phrase(kind: str, before: float, after: float) -> str:
    factor, unit, name = UNITS.get(kind, (1.0, "", kind))
    return f"{name} {before * factor:.1f} -> {after * factor:.1f} {unit}".rstrip()
