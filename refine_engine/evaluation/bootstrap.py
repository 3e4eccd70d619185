"""Confidence intervals of pooled changes, by drawing whole scenes again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DRAWS = 10_000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate with its confidence interval."""

    value: float
    low: float
    high: float


def relative_change(
    before: Array, after: Array, groups: NDArray[np.int64] | None = None, seed: int = 0
) -> Interval:
    """Change of a pooled mean in per cent, with a paired bootstrap interval of 95 %.

    Parameters
    ----------
    before, after
        (n, 2) sum and number of samples of each scene, rows paired.
    groups
        (n,) scenes that share a number are drawn together (for example the seeds of one
        arrangement, where they are not independent); None draws every row by itself.
    seed
        Of the draws.

    Returns
    -------
    Interval
        ``100 (mean_after / mean_before - 1)``; NaN where there is nothing before.

    Notes
    -----
    Percentile interval; B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993,
    chapter 13. Pairs stay together, so that scenes of different difficulty cancel.
    """
    rows = np.concatenate([before, after], axis=1)
    if groups is not None:
        names, index = np.unique(groups, return_inverse=True)
        summed = np.zeros((len(names), rows.shape[1]))
        np.add.at(summed, index, rows)
        rows = summed
    value = _change(rows.sum(axis=0))
    picks = np.random.default_rng(seed).integers(0, len(rows), size=(DRAWS, len(rows)))
    drawn = _change(rows[picks].sum(axis=1))
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = (
        np.nanpercentile(drawn, [tail, 100.0 - tail]) if np.isfinite(value) else (value,) * 2
    )
    return Interval(float(value), float(low), float(high))


def ratio_of_medians(numerator: Array, denominator: Array, seed: int = 0) -> Interval:
    """Change of the median in per cent, ``100 (median a / median b - 1)``, drawn by scenes.

    Parameters
    ----------
    numerator, denominator
        (n, k) and (n, m) values of n scenes; NaN where a scene has fewer.
    seed
        Of the draws.
    """
    picks = np.random.default_rng(seed).integers(0, len(numerator), size=(DRAWS, len(numerator)))

    def medians(values: Array) -> Array:
        return np.asarray(np.nanmedian(values[picks].reshape(DRAWS, -1), axis=1))

    drawn = 100.0 * (medians(numerator) / medians(denominator) - 1.0)
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(drawn, [tail, 100.0 - tail])
    value = 100.0 * (np.nanmedian(numerator) / np.nanmedian(denominator) - 1.0)
    return Interval(float(value), float(low), float(high))


def _change(rows: Array) -> Array:
    """Rows (..., 4) = sum, number before; sum, number after."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            100.0 * ((rows[..., 2] / rows[..., 3]) / (rows[..., 0] / rows[..., 1]) - 1.0)
        )
