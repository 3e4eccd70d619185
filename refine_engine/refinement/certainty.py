"""How sure a run is of its answer: alpha's and the joints' standard deviations, as it goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from refine_engine.refinement.frozen import read_only
from refine_engine.refinement.motion_scale import MotionScaleCurve, motion_scale_curve
from refine_engine.refinement.optimisation import Stopped, SubStageRun
from refine_engine.refinement.scale_report import scale_report
from refine_engine.solver.chains import NotPositive
from refine_engine.solver.covariance import covariance
from refine_engine.state import CueEstimate, OptimizationState, ScaleReport
from refine_engine.terms.shape import REPETITION

if TYPE_CHECKING:
    from refine_engine.config import RefinementConfig
    from refine_engine.refinement.opening import Opened


class Certainty:
    """What is known of alpha; grows with every sub-stage that frees it.

    Parameters
    ----------
    opened, config
        The scene after ``init``, and the settings.
    """

    def __init__(self, opened: Opened, config: RefinementConfig) -> None:
        self._opened, self._config = opened, config
        self.alpha_sigma: float | None = None
        """Undamped posterior standard deviation of alpha; None before, and where it has none."""
        self._scaled = False
        self._curve: MotionScaleCurve | None = None

    def after(self, run: SubStageRun, state: OptimizationState) -> OptimizationState:
        """Learn from a sub-stage that freed alpha; its state, with the joints' deviations.

        Where nothing at all observes some variable there is no covariance, and none is told.
        """
        free = run.free_used
        if not free.alpha or run.stopped or run.result is None:
            return state
        self._scaled = True
        if run.has_prior:
            self._curve = motion_scale_curve(self._opened.scene, self._opened.body, state)
        try:
            found = covariance(
                run.problem, run.packed, run.weights_used, free, run.poll, joints=not run.coarse
            )
        except Stopped:
            run.stopped = True
            return state
        except NotPositive:
            self.alpha_sigma = None
            return state
        sigma = None if found.alpha_sigma is None else REPETITION * found.alpha_sigma
        cues = self._opened.start.scale.cues_log_sigma
        if sigma is not None and cues is not None:
            # More evidence than init's cues had cannot make alpha less certain.
            sigma = min(sigma, cues * state.alpha)
        self.alpha_sigma = sigma
        people = {
            i: replace(p, joint_sigma=found.joint_sigma.get(i, p.joint_sigma))
            for i, p in state.people.items()
        }
        return read_only(replace(state, people=people))

    def report(self, state: OptimizationState) -> ScaleReport:
        """What is known about alpha at a state."""
        report = scale_report(
            self._opened.scene,
            self._config,
            self._opened.start.scale,
            state,
            self.alpha_sigma,
            optimised=self._scaled,
        )
        if self._curve is None:
            return report
        motion = CueEstimate("motion prior", self._curve.alpha, self._curve.sigma)
        return replace(report, curve=self._curve.samples(), cues=(*report.cues, motion))
