"""How far alpha may move from alpha_0, and which setting says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from refine_engine.config import RefinementConfig

LEAST_RATIO = 1e-6
"""A change of -100 % would be no scale at all."""


@dataclass(frozen=True)
class AlphaBound:
    """Limits of ``log(alpha / alpha_0)``."""

    low: float
    """At most 0; minus infinity where alpha is free."""
    high: float
    """At least 0; infinity where alpha is free."""
    source: Literal["free", "alpha_change_threshold", "alpha_bound_sigmas"]
    """The setting that gave them; "free" with ``optimize_delta_alpha: false``."""

    @property
    def delta(self) -> tuple[float, float] | None:
        """Least and largest ``delta = alpha / alpha_0 - 1``; None where alpha is free."""
        if self.source == "free":
            return None
        return float(np.expm1(self.low)), float(np.expm1(self.high))


def alpha_bound(config: RefinementConfig, log_sigma: float | None) -> AlphaBound:
    """Bound of alpha about alpha_0.

    ``alpha_change_threshold`` (``-t`` to ``+t``) guards a unit that is known. Where alpha_0 is an
    estimate of cues with a standard deviation of its own, alpha may at least move by
    ``alpha_bound_sigmas`` of these, as much up as down in the logarithm: to hold a guess that is
    known to 14 % within 5 % of itself would make the guess the answer. A threshold of 0 holds
    alpha, however uncertain alpha_0 is.

    Parameters
    ----------
    config
        ``optimize_delta_alpha``, ``alpha_change_threshold``, ``alpha_bound_sigmas``.
    log_sigma
        Standard deviation of log alpha_0 (``OptimizationState.alpha_0_log_sigma``); None where the
        unit was given, or nothing measured it.
    """
    if not config.optimize_delta_alpha:
        return AlphaBound(-np.inf, np.inf, "free")
    threshold = config.alpha_change_threshold
    low = float(np.log(max(1.0 - threshold, LEAST_RATIO)))
    high = float(np.log1p(threshold))
    room = 0.0 if log_sigma is None else config.alpha_bound_sigmas * log_sigma
    if threshold == 0.0 or room <= high:
        return AlphaBound(low, high, "alpha_change_threshold")
    return AlphaBound(min(low, -room), room, "alpha_bound_sigmas")
