"""One scene on its way through the sub-stages, and what is known about it so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.config import checked_weights
from refine_engine.errors import ConfigError
from refine_engine.motion_prior.gap_model import load_gap_model
from refine_engine.refinement.certainty import Certainty
from refine_engine.refinement.checked_scene import check_state
from refine_engine.refinement.frozen import read_only
from refine_engine.refinement.initialisation.gaps import refill_gaps
from refine_engine.refinement.initialisation.start import redetect_contacts
from refine_engine.refinement.likelihood import MotionScores, motion_scores
from refine_engine.refinement.optimisation import SubStageRun
from refine_engine.refinement.outcome import outcome, prior_of
from refine_engine.refinement.substages import PLANS, SubStagePlan, plan_of
from refine_engine.state import (
    SUBSTAGES,
    OptimizationState,
    RefinementOutput,
    Snapshot,
    SubStage,
    SubStageResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from refine_engine.config import RefinementConfig
    from refine_engine.refinement.clock import Clock
    from refine_engine.refinement.control import RunControl
    from refine_engine.refinement.opening import Opened

_GROUNDED: tuple[SubStage, ...] = ("motion", "environmental", "scale", "final")
"""Sub-stages that hold feet still. Before the first of them contacts are found again, for the
motion has improved since ``init``; after it they would only confirm themselves."""
_GAPS_FRESH: tuple[SubStage, ...] = ("motion", "final")
"""Sub-stages before which gaps are filled again, from better poses on both sides."""
_WARM_DAMPING = 1e-6
_WARM_PATIENCE = 1
"""From a solution, the first iteration that gains next to nothing has arrived."""
_WARM_ITERATIONS = 10_000
"""A sub-stage that is solved again has only its own cap: the run's budget is not for it."""


class RefinementRun:
    """The sub-stages in a row over one opened scene; afterwards any of them again.

    Parameters
    ----------
    opened
        The scene after ``init``.
    config
        Settings; its weights are where the run begins.
    """

    def __init__(self, opened: Opened, config: RefinementConfig) -> None:
        self.opened, self.config = opened, config
        self.lambdas = config.weights()
        self.output: RefinementOutput | None = None
        """The answer so far; None before ``init`` was shown, and after the run was discarded."""
        self._certainty = Certainty(opened, config)
        self._scores = MotionScores()

    @property
    def has_prior(self) -> bool:
        """Whether there is a motion prior."""
        return any(term.info.name == "cvae" for term in self.opened.problem.terms)

    def sub_stages(
        self,
        control: RunControl,
        clock: Clock,
        first: SubStage | None,
        earlier: Iterable[SubStageResult],
        poll: Callable[[], None],
        *,
        resumed: bool,
    ) -> Iterator[Snapshot]:
        """All sub-stages that are wanted; :attr:`output` is up to date at every "end".

        Parameters
        ----------
        control, clock
            The caller's hand, and the time that counts.
        first
            The first one to run after ``init``; None = ``root``.
        earlier
            Results of sub-stages that an earlier run finished.
        poll
            Called in what lies between sub-stages; may raise to leave it.
        resumed
            Whether the state is an earlier run's.
        """
        start, state = self.opened.start, self.opened.state
        notes = "; ".join(start.notes)
        begun = Snapshot(
            event="begin",
            sub_stage="init",
            iteration=0,
            total_loss=0.0,
            terms={},
            state=state,
            alpha_sigma=start.scale.sigma,
            seconds=clock.seconds,
            message=notes,
            scale=self._certainty.report(state),
        )
        yield begun
        results = [SubStageResult("init", "converged", 0, clock.seconds, None, {}, notes)]
        finished: dict[SubStage, SubStageResult] = {r.sub_stage: r for r in earlier}
        control.substage_finished()
        begin = SUBSTAGES.index(plan_of(first).key) if first is not None else 1
        used = 0
        grounded = resumed and begin > SUBSTAGES.index(_GROUNDED[0])
        if resumed and begin > SUBSTAGES.index(_GAPS_FRESH[0]):
            # The run that is gone on with had filled its gaps anew by then.
            self.opened.problem.expect_filled(state)
        stopped = control.verdict == "stop"
        self._publish(state, results, stopped=stopped, complete=False)
        yield replace(begun, event="end", status="converged")
        for key in SUBSTAGES[1:]:
            plan = PLANS[key]
            reason = self._reason_to_skip(plan, control, begin)
            if stopped:
                break
            if reason:
                skipped = SubStageResult(key, "skipped", 0, 0.0, None, {}, reason)
                results.append(finished.get(key) or skipped)
                yield self._skip_snapshot(plan, state, clock, reason)
                continue
            if key in _GAPS_FRESH:
                state = self._with_gaps_filled(state, poll)
            if key in _GROUNDED and not grounded:
                grounded = True
                state = self._with_contacts_found(state)
            run = self._sub_stage(plan, control, clock, self.config.max_total_iterations - used)
            run.coarse = self._done_again(key, control)
            for snapshot in run.run(state):
                if snapshot.event != "end":
                    yield snapshot
                    continue
                state = self._certainty.after(run, snapshot.state)
                end = replace(
                    snapshot,
                    state=state,
                    alpha_sigma=self._certainty.alpha_sigma,
                    scale=self._certainty.report(state),
                )
            assert run.result is not None
            results.append(run.result)
            used += run.result.iterations
            stopped = run.stopped
            control.substage_finished()
            self._publish(state, results, stopped=stopped, complete=False)
            yield end
        self._publish(state, results, stopped=stopped, complete=True)

    def again(
        self,
        state: OptimizationState,
        weights: Mapping[str, float],
        sub_stage: SubStage,
        control: RunControl,
        clock: Clock,
    ) -> Iterator[Snapshot]:
        """One sub-stage from a solution, unguarded; :attr:`output` follows where there is one.

        Raises
        ------
        ConfigError
            There is no such sub-stage or term, or a lambda is out of range.
        InputError
            The state is of another input.
        """
        check_state(state, self.opened.start.state)
        if sub_stage == "init":
            raise ConfigError("init", "cannot be solved again", "refine the input once more")
        self.lambdas.update(checked_weights(weights))
        plan = replace(plan_of(sub_stage), patience=_WARM_PATIENCE)
        run = self._sub_stage(plan, control, clock, _WARM_ITERATIONS)
        run.damping, run.guarded = _WARM_DAMPING, False
        for snapshot in run.run(state):
            state = snapshot.state
            yield snapshot
        if self.output is None or run.result is None:
            return
        results = {r.sub_stage: r for r in self.output.sub_stages}
        results[sub_stage] = run.result
        scores = self._scored(state)
        self.output = replace(
            self.output,
            state=state,
            sub_stages=tuple(results[s] for s in SUBSTAGES if s in results),
            scale=self._certainty.report(state),
            per_person_likelihoods=scores.likelihoods,
            likelihood_nats=scores.nats,
            prior_influence=scores.influence,
            motion_prior=prior_of(self.opened.prior, scores),
        )

    def loss(self, state: OptimizationState, terms: tuple[str, ...]) -> float:
        """Weighted loss of some terms at ``state``; those that are switched off count nothing.

        Raises
        ------
        ConfigError
            There is no such term.
        InputError
            The state is of another input.
        """
        check_state(state, self.opened.start.state)
        checked_weights({name: self.lambdas.get(name, 0.0) for name in terms})
        problem = self.opened.problem
        weights = {name: self.lambdas[name] for name in terms if self.lambdas.get(name, 0.0) > 0}
        if not self.has_prior:
            weights.pop("cvae", None)
        packed = problem.pack(state)
        problem.prepare(packed, "final", weights)
        return float(problem.evaluate(packed, weights)[0])

    # ------------------------------------------------------- which, and from where

    def _reason_to_skip(self, plan: SubStagePlan, control: RunControl, begin: int) -> str:
        if SUBSTAGES.index(plan.key) < begin:
            return "done before"
        if not control.enabled(plan.key, plan.enabled(self.config)):
            return "switched off"
        if plan.key == "motion" and not self.has_prior:
            return "no motion prior"
        if plan.key == "motion" and not {**self.lambdas, **control.asked_weights}["cvae"] > 0.0:
            return "the motion prior's weight is 0"
        return ""

    def _done_again(self, key: SubStage, control: RunControl) -> bool:
        """Whether ``final`` follows, which solves for everything again with every term."""
        final = PLANS["final"]
        return key != "final" and not self._reason_to_skip(final, control, 0)

    def _skip_snapshot(
        self, plan: SubStagePlan, state: OptimizationState, clock: Clock, reason: str
    ) -> Snapshot:
        return Snapshot(
            event="end",
            sub_stage=plan.key,
            iteration=0,
            total_loss=0.0,
            terms={},
            state=state,
            alpha_sigma=self._certainty.alpha_sigma,
            seconds=clock.seconds,
            status="skipped",
            message=f"skipped: {reason}",
            scale=self._certainty.report(state),
        )

    def _with_gaps_filled(
        self, state: OptimizationState, poll: Callable[[], None]
    ) -> OptimizationState:
        """The state, and the solver's targets, with gaps filled from the present motion."""
        gaps = any(not p.observed.all() for p in state.people.values())
        if not gaps or self.config.gap_filling != "learned":
            return state
        scene = self.opened.scene
        chunk = np.asarray(scene.cameras.chunk)
        model, threads = load_gap_model(), self.config.threads
        state = read_only(
            refill_gaps(state, self.opened.body, model, scene.fps, chunk, poll, threads)
        )
        self.opened.problem.expect_filled(state)
        return state

    def _with_contacts_found(self, state: OptimizationState) -> OptimizationState:
        opened = self.opened
        return read_only(redetect_contacts(state, opened.body, opened.scene.fps, opened.contacts))

    def _sub_stage(
        self, plan: SubStagePlan, control: RunControl, clock: Clock, iterations_left: int
    ) -> SubStageRun:
        return SubStageRun(
            problem=self.opened.problem,
            plan=plan,
            config=self.config,
            control=control,
            clock=clock,
            lambdas=self.lambdas,
            iterations_left=max(0, iterations_left),
            has_prior=self.has_prior,
            alpha_sigma=self._certainty.alpha_sigma,
            report=self._certainty.report,
            guarded=self.config.guard,
        )

    def _scored(self, state: OptimizationState) -> MotionScores:
        opened = self.opened
        return motion_scores(opened.scene, opened.body, state, opened.problem)

    def _publish(
        self,
        state: OptimizationState,
        results: list[SubStageResult],
        *,
        stopped: bool,
        complete: bool,
    ) -> None:
        if complete or stopped:
            self._scores = self._scored(state)
        self.output = outcome(
            self.opened.scene,
            self.opened.start.state,
            state,
            results,
            self._certainty.report(state),
            self._scores,
            self.opened.prior,
            stopped=stopped,
            complete=complete,
        )
