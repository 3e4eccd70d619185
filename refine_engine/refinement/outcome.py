"""What a run answers: the state it reached, how sure it is of it, and what to know about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refine_engine.state import RefinementOutput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from refine_engine.refinement.likelihood import MotionScores
    from refine_engine.scene import Scene
    from refine_engine.state import OptimizationState, ScaleReport, SubStageResult

LITTLE_INFLUENCE = 0.1
"""Below this share of its usual influence, the motion prior leaves a person alone."""


def outcome(
    scene: Scene,
    initial: OptimizationState,
    state: OptimizationState,
    results: Sequence[SubStageResult],
    scale: ScaleReport,
    scores: MotionScores,
    prior: Mapping[str, Any],
    *,
    stopped: bool,
    complete: bool,
) -> RefinementOutput:
    """Put the answer together.

    Parameters
    ----------
    scene
        What was refined.
    initial, state
        Where the run started and where it is.
    results
        Of the sub-stages so far, ``init`` first.
    scale
        What is known about alpha.
    scores
        How likely each person's motion is; empty before the end.
    prior
        Which motion prior was used.
    stopped
        Whether the caller ended the run.
    complete
        Whether no sub-stage is left.
    """
    done = complete and not stopped
    ran = [r for r in results if r.sub_stage != "init" and r.status != "skipped"]
    return RefinementOutput(
        status="success" if done else "stopped",
        state=state,
        initial_state=initial,
        sub_stages=tuple(results),
        convergence_achieved=done and bool(ran) and all(r.status == "converged" for r in ran),
        scale=scale,
        per_person_likelihoods=scores.likelihoods,
        likelihood_nats=scores.nats,
        prior_influence=scores.influence,
        motion_prior=prior_of(prior, scores),
        report=scene.report,
        warnings=_warnings(scene, ran, scale, scores),
    )


def prior_of(prior: Mapping[str, Any], scores: MotionScores) -> Mapping[str, Any]:
    """Which prior was used, and what HuMoR's own says."""
    return {**prior, "nats": scores.humor_nats} if scores.humor_nats else prior


def _warnings(
    scene: Scene, ran: Sequence[SubStageResult], scale: ScaleReport, scores: MotionScores
) -> tuple[str, ...]:
    warnings = [f"{r.sub_stage}: {r.message}" for r in ran if r.status == "rolled_back"]
    for i in sorted(i for i, share in scores.influence.items() if share < LITTLE_INFLUENCE):
        warnings.append(
            f"person {i}: unlike the motion prior's recordings; the prior has "
            f"{100 * scores.influence[i]:.0f} % of its usual influence"
        )
    if scale.note:
        warnings.append(f"scale: {scale.note}")
    if scene.fps_source == "assumed":
        warnings.append(f"fps: assumed to be {scene.fps:g}; give --fps if it is not")
    return tuple(warnings)
