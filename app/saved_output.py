"""What a session file keeps of a run's output besides states and sub-stages, as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refine_engine.scene import ImportReport
from refine_engine.state import (
    CueEstimate,
    OptimizationState,
    RefinementOutput,
    ScaleReport,
    SubStageResult,
)

Pairs = Mapping[str, tuple[float, float]]


def scale_dict(scale: ScaleReport) -> dict[str, Any]:
    """The answer about scale."""
    return {
        **{k: v for k, v in vars(scale).items() if k not in ("cues", "curve")},
        "cues": [[c.name, c.alpha, c.sigma] for c in scale.cues],
        "curve": [list(point) for point in scale.curve],
    }


def scale_from(saved: Mapping[str, Any]) -> ScaleReport:
    """The answer about scale again; raises ValueError, KeyError or TypeError where it is none."""
    sigma, bound = saved["sigma"], saved.get("bound")
    return ScaleReport(
        alpha=float(saved["alpha"]),
        alpha_0=float(saved["alpha_0"]),
        delta=float(saved["delta"]),
        sigma=None if sigma is None else float(sigma),
        observable=bool(saved["observable"]),
        at_bound=bool(saved["at_bound"]),
        cues=tuple(CueEstimate(str(n), _optional(a), _optional(s)) for n, a, s in saved["cues"]),
        curve=tuple((float(a), float(e)) for a, e in saved["curve"]),
        observable_from_motion=bool(saved["observable_from_motion"]),
        note=str(saved["note"]),
        # Sessions that were saved before bounds were told have none.
        bound=None if bound is None else (float(bound[0]), float(bound[1])),
        bound_source=str(saved.get("bound_source", "")),
    )


def output_dict(output: RefinementOutput) -> dict[str, Any]:
    """An output without its states and sub-stages, which the resume point holds."""
    return {
        "status": output.status,
        "convergence_achieved": output.convergence_achieved,
        "scale": scale_dict(output.scale),
        "per_person_likelihoods": _by_name(output.per_person_likelihoods),
        "likelihood_nats": _by_name(output.likelihood_nats),
        "prior_influence": _by_name(output.prior_influence),
        "motion_prior": _prior_dict(output.motion_prior),
        "warnings": list(output.warnings),
    }


def output_from(
    saved: Mapping[str, Any],
    state: OptimizationState,
    initial_state: OptimizationState,
    results: tuple[SubStageResult, ...],
    report: ImportReport,
) -> RefinementOutput:
    """An output again; raises ValueError, KeyError or TypeError where it is none."""
    if saved["status"] not in ("success", "failed", "stopped"):
        raise ValueError(f"an output has the status {saved['status']!r}")
    return RefinementOutput(
        status=saved["status"],
        state=state,
        initial_state=initial_state,
        sub_stages=results,
        convergence_achieved=bool(saved["convergence_achieved"]),
        scale=scale_from(saved["scale"]),
        per_person_likelihoods=_by_id(saved["per_person_likelihoods"]),
        likelihood_nats=_by_id(saved["likelihood_nats"]),
        prior_influence=_by_id(saved["prior_influence"]),
        motion_prior=_prior_from(saved.get("motion_prior", {})),
        report=report,
        warnings=tuple(str(w) for w in saved["warnings"]),
    )


def pairs_from(saved: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Name to (before, after)."""
    return {str(name): (float(before), float(after)) for name, (before, after) in saved.items()}


def _prior_dict(described: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _by_name(v) if k == "nats" else v for k, v in described.items()}


def _prior_from(saved: Mapping[str, Any]) -> dict[str, Any]:
    return {str(k): _by_id(v) if k == "nats" else v for k, v in saved.items()}


def _by_name(values: Mapping[int, float]) -> dict[str, float]:
    return {str(i): float(v) for i, v in values.items()}


def _by_id(values: Mapping[str, Any]) -> dict[int, float]:
    return {int(i): float(v) for i, v in values.items()}


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)
