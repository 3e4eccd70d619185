"""The answer about scale, with how far it can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.state import CueEstimate, OptimizationState, ScaleReport
from refine_engine.terms.alpha_bound import AlphaBound, alpha_bound

if TYPE_CHECKING:
    from refine_engine.config import RefinementConfig
    from refine_engine.refinement.initialisation.scale import InitialScale
    from refine_engine.scene import Scene

_NEARLY = 1 - 1e-3
"""So much of the bound counts as having reached it."""


def scale_report(
    scene: Scene,
    config: RefinementConfig,
    initial: InitialScale,
    state: OptimizationState,
    sigma: float | None,
    *,
    optimised: bool,
) -> ScaleReport:
    """Put together what is known about alpha.

    Parameters
    ----------
    scene, config
        The input and its settings.
    initial
        What ``init`` found, with each cue's separate answer.
    state
        The present state.
    sigma
        Undamped posterior standard deviation of alpha; None before ``scale`` ran.
    optimised
        Whether a sub-stage that frees alpha has run.
    """
    bound = alpha_bound(config, state.alpha_0_log_sigma)
    moved = float(np.log1p(state.scale_delta))
    at_bound = bool(
        optimised
        and bound.delta is not None
        and (moved >= bound.high * _NEARLY or moved <= bound.low * _NEARLY)
    )
    metric_depth = scene.depth is not None and (
        not scene.depth.shares_camera_unit or config.depth_scale == "metric"
    )
    answers = {c.name for c in initial.cues if c.alpha is not None}
    # Typed-in heights or depth that shares the unit fix alpha through the bodies' size; a camera
    # that moves fixes it through standing feet. With neither, alpha is a guess.
    from_bodies = bool({"depth", "body size", "contact"} & answers)
    observable = from_bodies or not initial.static_camera
    return ScaleReport(
        alpha=state.alpha,
        alpha_0=state.alpha_0,
        delta=state.scale_delta,
        sigma=sigma if optimised else initial.sigma,
        observable=observable,
        observable_from_motion=not initial.static_camera,
        at_bound=at_bound,
        cues=_cues(initial.cues, initial.static_camera),
        note="; ".join(
            [
                *_what_is_observed(initial, observable, from_bodies, metric_depth),
                *([_at_bound(bound, state, config)] if at_bound else []),
            ]
        ),
        bound=bound.delta,
        bound_source=bound.source,
    )


def _cues(cues: tuple[CueEstimate, ...], static: bool) -> tuple[CueEstimate, ...]:
    return tuple(
        CueEstimate(c.name, None, None) if static and c.name == "motion" else c for c in cues
    )


def _what_is_observed(
    initial: InitialScale, observable: bool, from_bodies: bool, metric_depth: bool
) -> list[str]:
    parts = []
    if initial.static_camera:
        parts.append("not observable from motion: the camera is static")
        if from_bodies:
            parts.append("alpha rests on the bodies' measured size")
        elif metric_depth:
            parts.append("the depth is metric, so people's distances do not need alpha")
    if not observable:
        parts.append("nothing measured fixes alpha")
    return parts


def _at_bound(bound: AlphaBound, state: OptimizationState, config: RefinementConfig) -> str:
    where = f"{100 * config.alpha_change_threshold:g} %"
    if bound.delta is not None and bound.source == "alpha_bound_sigmas":
        end = bound.delta[int(state.scale_delta > 0.0)]
        where = f"{100 * end:+.1f} % ({config.alpha_bound_sigmas:g} sigma of alpha_0)"
    return (
        f"delta stopped at its bound of {where}: raise {bound.source} or "
        "set optimize_delta_alpha to false if the evidence should decide"
    )
