"""Targets that a network decodes: fixed within an iteration, new before the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refine_engine.terms.humor import HumorPrior

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refine_engine.terms.packed import Packed
    from refine_engine.terms.problem import Problem


def refresh_targets(problem: Problem, packed: Packed, weights: Mapping[str, float]) -> bool:
    """Run the networks of an active HuMoR term; True where there is one (losses have changed)."""
    active = [term for term, _ in problem.active_terms(weights) if isinstance(term, HumorPrior)]
    if not active:
        return False
    common = problem.common(packed)
    people = list(zip(problem.tracks, problem.posed(packed), strict=True))
    active[0].refresh(people, common)
    return True
