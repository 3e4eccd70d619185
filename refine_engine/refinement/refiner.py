"""``Stage5Refiner``: the seven sub-stages in a row, one snapshot an iteration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.body import BodyModel, load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.errors import Cancelled, OptimizationError
from refine_engine.motion_prior.gap_model import load_gap_model
from refine_engine.refinement.clock import Clock
from refine_engine.refinement.control import RunControl
from refine_engine.refinement.frozen import read_only
from refine_engine.refinement.initialisation import Start, initialise
from refine_engine.refinement.initialisation.gaps import refill_gaps
from refine_engine.refinement.initialisation.keypoint_trust import with_trusted_keypoints
from refine_engine.refinement.initialisation.prior_contacts import ContactSource, contact_source
from refine_engine.refinement.initialisation.start import redetect_contacts
from refine_engine.refinement.input import RefinementInput
from refine_engine.refinement.likelihood import MotionScores, motion_scores
from refine_engine.refinement.motion_scale import MotionScaleCurve, motion_scale_curve
from refine_engine.refinement.optimisation import Stopped, SubStageRun
from refine_engine.refinement.scale_report import scale_report
from refine_engine.refinement.substages import PLANS, SubStagePlan, plan_of
from refine_engine.solver.covariance import covariance
from refine_engine.state import (
    SUBSTAGES,
    CueEstimate,
    OptimizationState,
    RefinementOutput,
    ScaleReport,
    Snapshot,
    SubStage,
    SubStageResult,
)
from refine_engine.terms.motion import motion_terms
from refine_engine.terms.prior_files import describe_prior
from refine_engine.terms.problem import Problem
from refine_engine.terms.shape import REPETITION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from refine_engine.scene import Scene

_GROUNDED: tuple[SubStage, ...] = ("motion", "environmental", "scale", "final")
"""Sub-stages that hold feet still. Before the first of them contacts are found again, for the
motion has improved since ``init``; after it they would only confirm themselves."""
_GAPS_FRESH: tuple[SubStage, ...] = ("motion", "final")
"""Sub-stages before which gaps are filled again, from better poses on both sides."""
_WARM_DAMPING = 1e-6
_WARM_PATIENCE = 1
"""From a solution, the first iteration that gains next to nothing has arrived."""
LITTLE_INFLUENCE = 0.1
"""Below this share of its usual influence, the motion prior leaves a person alone."""


class Stage5Refiner:
    """Refines several people's motion, the ground and the unit of the cameras.

    Parameters
    ----------
    config
        Settings; None = the defaults.
    body
        The body model of the input's poses; None = as the input says (embedded where it says
        nothing).

    Examples
    --------
    >>> refiner = Stage5Refiner()                      # doctest: +SKIP
    >>> output = refiner.refine(RefinementInput(...))  # doctest: +SKIP
    """

    def __init__(
        self, config: RefinementConfig | None = None, body: BodyModel | None = None
    ) -> None:
        self.config = config or RefinementConfig()
        self._given_body = body
        self._output: RefinementOutput | None = None
        self._problem: Problem | None = None
        self._scene: Scene | None = None
        self._start: Start | None = None
        self._body: BodyModel | None = None
        self._lambdas = self.config.weights()
        self._alpha_sigma: float | None = None
        self._scaled = False
        self._curve: MotionScaleCurve | None = None
        self._scores = MotionScores()
        self._prior: dict[str, Any] = {}
        self._contacts: ContactSource | None = None

    @property
    def output(self) -> RefinementOutput:
        """Result of the last run, as far as it got.

        Raises
        ------
        OptimizationError
            Nothing ran yet, or the run was cancelled.
        """
        if self._output is None:
            raise OptimizationError(
                "refinement", "has no result", "run refine() or iterate() first"
            )
        return self._output

    @property
    def packed_problem(self) -> tuple[Problem, BodyModel]:
        """Evidence as packed by the last run, with the body: for benchmarks and diagnosis.

        Raises
        ------
        OptimizationError
            Nothing ran yet.
        """
        if self._problem is None or self._body is None:
            raise OptimizationError("refinement", "has no problem", "run refine() first")
        return self._problem, self._body

    def refine(
        self, refinement_input: RefinementInput | Scene, control: RunControl | None = None
    ) -> RefinementOutput:
        """Run every enabled sub-stage to its end and return the result."""
        for _ in self.iterate(refinement_input, control):
            pass
        return self.output

    def iterate(
        self,
        refinement_input: RefinementInput | Scene,
        control: RunControl | None = None,
        start: OptimizationState | None = None,
        first_substage: SubStage | None = None,
        earlier: Iterable[SubStageResult] = (),
    ) -> Iterator[Snapshot]:
        """Run sub-stage after sub-stage, yielding what the caller may watch and interrupt.

        Parameters
        ----------
        refinement_input
            What to refine.
        control
            The caller's hand: pause, step, stop, cancel, weights, switches.
        start
            An earlier state to go on from; None = what ``init`` finds.
        first_substage
            The first one to run after ``init``; None = ``root``.
        earlier
            Results of sub-stages that an earlier run finished (a checkpoint's).

        Yields
        ------
        Snapshot
            "begin", "iteration" ... and "end" of each sub-stage. :attr:`output` holds the
            result so far at every "end".

        Raises
        ------
        Cancelled
            The caller discards the run; :attr:`output` is empty.
        InputError
            The input cannot be used.
        OptimizationError
            The loss is not finite.
        """
        control = control or RunControl()
        clock = Clock()
        self._output = None
        try:
            for snapshot in self._run(
                refinement_input, control, clock, start, first_substage, earlier
            ):
                with clock.held():
                    yield snapshot
        except Cancelled:
            self._output = None
            raise

    def resolve(
        self,
        state: OptimizationState,
        weights: Mapping[str, float] | None = None,
        sub_stage: SubStage = "final",
        control: RunControl | None = None,
    ) -> OptimizationState:
        """Solve one sub-stage again from ``state``, for example after a weight changed.

        The evidence packed by the last run is used again, so this is warm: usually two to four
        iterations.

        Parameters
        ----------
        state
            Where to start; usually ``output.state``.
        weights
            Term name to its new lambda; others keep theirs.
        """
        for snapshot in self.resolving(state, weights, sub_stage, control):
            state = snapshot.state
        return state

    def resolving(
        self,
        state: OptimizationState,
        weights: Mapping[str, float] | None = None,
        sub_stage: SubStage = "final",
        control: RunControl | None = None,
    ) -> Iterator[Snapshot]:
        """As :meth:`resolve`, yielding what it does; :attr:`output` follows where there is one.

        Yields
        ------
        Snapshot
            "begin", "iteration" ... and "end" of the sub-stage.
        """
        if self._problem is None:
            raise OptimizationError("resolve", "has nothing to go on from", "run refine() first")
        self._lambdas.update(weights or {})
        plan = replace(plan_of(sub_stage), patience=_WARM_PATIENCE)
        run = self._substage_run(plan, control or RunControl(), Clock(), 10_000)
        run.damping, run.guarded = _WARM_DAMPING, False
        for snapshot in run.run(state):
            state = snapshot.state
            yield snapshot
        if self._output is not None and run.result is not None:
            results = {r.sub_stage: r for r in self._output.sub_stages}
            results[sub_stage] = run.result
            assert self._scene is not None
            assert self._body is not None
            scores = motion_scores(self._scene, self._body, state, self._problem)
            self._output = replace(
                self._output,
                state=state,
                sub_stages=tuple(results[s] for s in SUBSTAGES if s in results),
                scale=self._report(state, self._alpha_sigma),
                per_person_likelihoods=scores.likelihoods,
                likelihood_nats=scores.nats,
                prior_influence=scores.influence,
                motion_prior=self._prior_of(scores),
            )

    # ------------------------------------------------------------------ the run

    def _run(
        self,
        refinement_input: RefinementInput | Scene,
        control: RunControl,
        clock: Clock,
        given: OptimizationState | None,
        first: SubStage | None,
        earlier: Iterable[SubStageResult],
    ) -> Iterator[Snapshot]:
        if not isinstance(refinement_input, RefinementInput):
            refinement_input = RefinementInput.from_scene(refinement_input)
        scene = refinement_input.limited(self.config.max_frames).scene

        def poll() -> None:
            with clock.held():
                # Not a turn: a step that was asked for belongs to the first iteration.
                control.hold()
            if control.verdict == "cancel":
                raise Cancelled

        poll()
        self._scene, self._alpha_sigma, self._scaled = scene, None, False
        self._curve, self._scores = None, MotionScores()
        self._lambdas = self.config.weights()
        self._body = self._given_body or load_body_model(scene.gender)
        begun, ended = self._init(scene, clock, given, poll)
        yield begun
        assert self._start is not None
        results: list[SubStageResult] = [self._init_result(clock)]
        finished: dict[SubStage, SubStageResult] = {r.sub_stage: r for r in earlier}
        state = initial = self._start.state
        if given is not None:
            state = replace(given)
        control.substage_finished()
        begin = SUBSTAGES.index(first) if first is not None else 1
        used = 0
        grounded = given is not None and begin > SUBSTAGES.index(_GROUNDED[0])
        stopped = control.verdict == "stop"
        self._publish(initial, state, results, stopped=stopped, complete=False)
        yield ended
        for key in SUBSTAGES[1:]:
            plan = PLANS[key]
            reason = self._reason_to_skip(plan, control, begin)
            if stopped:
                break
            if reason:
                skipped = finished.get(key) or SubStageResult(
                    key, "skipped", 0, 0.0, None, {}, reason
                )
                results.append(skipped)
                yield self._skip_snapshot(plan, state, clock, reason)
                continue
            if key in _GAPS_FRESH:
                state = self._with_gaps_filled(scene, state, poll)
            if key in _GROUNDED and not grounded:
                grounded = True
                assert self._body is not None
                fresh = redetect_contacts(state, self._body, scene.fps, self._contacts)
                state = read_only(fresh)
            run = self._substage_run(plan, control, clock, self.config.max_total_iterations - used)
            run.coarse = self._done_again(key, control)
            for snapshot in run.run(state):
                if snapshot.event != "end":
                    yield snapshot
                    continue
                state = self._with_covariance(plan, run, snapshot.state)
                end = replace(
                    snapshot,
                    state=state,
                    alpha_sigma=self._alpha_sigma,
                    scale=self._report(state, self._alpha_sigma),
                )
            assert run.result is not None
            results.append(run.result)
            used += run.result.iterations
            stopped = run.stopped
            control.substage_finished()
            self._publish(initial, state, results, stopped=stopped, complete=False)
            yield end
        self._publish(initial, state, results, stopped=stopped, complete=True)

    def _with_gaps_filled(
        self, scene: Scene, state: OptimizationState, poll: Callable[[], None]
    ) -> OptimizationState:
        """The state, and the solver's targets, with gaps filled from the present motion."""
        gaps = any(not p.observed.all() for p in state.people.values())
        if not gaps or self.config.gap_filling != "learned":
            return state
        assert self._body is not None
        assert self._problem is not None
        chunk = np.asarray(scene.cameras.chunk)
        filled = refill_gaps(state, self._body, load_gap_model(), scene.fps, chunk, poll)
        state = read_only(filled)
        self._problem.expect_filled(state)
        return state

    def _init(
        self,
        scene: Scene,
        clock: Clock,
        given: OptimizationState | None,
        poll: Callable[[], None],
    ) -> tuple[Snapshot, Snapshot]:
        """Initialise and pack the problem; the "begin" and "end" snapshots of it."""
        assert self._body is not None
        trusted = with_trusted_keypoints(scene, self._body)
        self._scene = scene = trusted.scene
        # A file that is no prior is refused before anything is computed.
        terms = motion_terms(self.config)
        self._prior = describe_prior(self.config)
        self._contacts = contact_source(self.config)
        start = initialise(scene, self._body, self.config, self._contacts, poll)
        if trusted.exchanged or trusted.dropped:
            note = (
                f"{trusted.exchanged} limb pairs had left and right exchanged and "
                f"{trusted.dropped} keypoints are not used: they contradict the measured poses"
            )
            start = replace(start, notes=(*start.notes, note))
        if given is not None:
            # A state to go on from brings its own alpha_0; the cues are this input's.
            start = replace(start, scale=replace(start.scale, alpha_0=given.alpha_0))
        self._start = start = replace(start, state=read_only(start.state))
        state = read_only(given) if given is not None else start.state
        self._problem = Problem(
            scene,
            self._body,
            state,
            self.config,
            terms,
            floor=start.floor,
        )
        begun = Snapshot(
            event="begin",
            sub_stage="init",
            iteration=0,
            total_loss=0.0,
            terms={},
            state=state,
            alpha_sigma=start.scale.sigma,
            seconds=clock.seconds,
            message="; ".join(start.notes),
            scale=self._report(state, None),
        )
        return begun, replace(begun, event="end", status="converged")

    def _init_result(self, clock: Clock) -> SubStageResult:
        assert self._start is not None
        notes = "; ".join(self._start.notes)
        return SubStageResult("init", "converged", 0, clock.seconds, None, {}, notes)

    def _reason_to_skip(self, plan: SubStagePlan, control: RunControl, begin: int) -> str:
        if SUBSTAGES.index(plan.key) < begin:
            return "done before"
        if not control.enabled(plan.key, plan.enabled(self.config)):
            return "switched off"
        if plan.key == "motion" and not self._has_prior:
            return "no motion prior"
        if plan.key == "motion" and not {**self._lambdas, **control.asked_weights}["cvae"] > 0.0:
            return "the motion prior's weight is 0"
        return ""

    def _done_again(self, key: SubStage, control: RunControl) -> bool:
        """Whether ``final`` follows, which solves for everything again with every term."""
        final = PLANS["final"]
        return key != "final" and not self._reason_to_skip(final, control, 0)

    @property
    def _has_prior(self) -> bool:
        return self._problem is not None and any(
            term.info.name == "cvae" for term in self._problem.terms
        )

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
            alpha_sigma=self._alpha_sigma,
            seconds=clock.seconds,
            status="skipped",
            message=f"skipped: {reason}",
            scale=self._report(state, self._alpha_sigma),
        )

    def _substage_run(
        self, plan: SubStagePlan, control: RunControl, clock: Clock, iterations_left: int
    ) -> SubStageRun:
        assert self._problem is not None
        return SubStageRun(
            problem=self._problem,
            plan=plan,
            config=self.config,
            control=control,
            clock=clock,
            lambdas=self._lambdas,
            iterations_left=max(0, iterations_left),
            has_prior=self._has_prior,
            alpha_sigma=self._alpha_sigma,
            report=self._report,
            guarded=self.config.guard,
        )

    def _with_covariance(
        self, plan: SubStagePlan, run: SubStageRun, state: OptimizationState
    ) -> OptimizationState:
        """Undamped standard deviations where alpha was free."""
        free = run.free_used
        if not free.alpha or run.stopped or run.result is None:
            return state
        self._scaled = True
        if self._has_prior and self._scene is not None and self._body is not None:
            self._curve = motion_scale_curve(self._scene, self._body, state)
        try:
            found = covariance(
                run.problem, run.packed, run.weights_used, free, run.poll, joints=not run.coarse
            )
        except Stopped:
            run.stopped = True
            return state
        self._alpha_sigma = None if found.alpha_sigma is None else REPETITION * found.alpha_sigma
        cues = self._start.scale.cues_log_sigma if self._start is not None else None
        if self._alpha_sigma is not None and cues is not None:
            # More evidence than init's cues had cannot make alpha less certain.
            self._alpha_sigma = min(self._alpha_sigma, cues * state.alpha)
        people = {
            i: replace(p, joint_sigma=found.joint_sigma.get(i, p.joint_sigma))
            for i, p in state.people.items()
        }
        return replace(state, people=people)

    def _report(self, state: OptimizationState, sigma: float | None) -> ScaleReport:
        assert self._scene is not None
        assert self._start is not None
        report = scale_report(
            self._scene, self.config, self._start.scale, state, sigma, optimised=self._scaled
        )
        if self._curve is None:
            return report
        motion = CueEstimate("motion prior", self._curve.alpha, self._curve.sigma)
        return replace(report, curve=self._curve.samples(), cues=(*report.cues, motion))

    def _publish(
        self,
        initial: OptimizationState,
        state: OptimizationState,
        results: list[SubStageResult],
        *,
        stopped: bool,
        complete: bool,
    ) -> None:
        assert self._scene is not None
        assert self._body is not None
        assert self._start is not None
        ran = [r for r in results if r.sub_stage != "init" and r.status != "skipped"]
        warnings = [f"{r.sub_stage}: {r.message}" for r in ran if r.status == "rolled_back"]
        report = self._report(state, self._alpha_sigma)
        if complete or stopped:
            self._scores = motion_scores(self._scene, self._body, state, self._problem)
        scores = self._scores
        for i in sorted(i for i, share in scores.influence.items() if share < LITTLE_INFLUENCE):
            warnings.append(
                f"person {i}: unlike the motion prior's recordings; the prior has "
                f"{100 * scores.influence[i]:.0f} % of its usual influence"
            )
        if report.note:
            warnings.append(f"scale: {report.note}")
        if self._scene.fps_source == "assumed":
            warnings.append(f"fps: assumed to be {self._scene.fps:g}; give --fps if it is not")
        self._output = RefinementOutput(
            status="success" if complete and not stopped else "stopped",
            state=state,
            initial_state=initial,
            sub_stages=tuple(results),
            convergence_achieved=complete
            and not stopped
            and bool(ran)
            and all(r.status == "converged" for r in ran),
            scale=report,
            per_person_likelihoods=scores.likelihoods,
            likelihood_nats=scores.nats,
            prior_influence=scores.influence,
            motion_prior=self._prior_of(scores),
            report=self._scene.report,
            warnings=tuple(warnings),
        )

    def _prior_of(self, scores: MotionScores) -> dict[str, Any]:
        """Which prior was used, and what HuMoR's own says."""
        return {**self._prior, "nats": scores.humor_nats} if scores.humor_nats else self._prior

    # ------------------------------------------------- the document's method names

    def _optimize_root(self, state: OptimizationState) -> OptimizationState:
        """Sub-stage ``root`` alone, from ``state``, on the last input."""
        return self.resolve(state, sub_stage="root")

    def _optimize_smpl(self, state: OptimizationState) -> OptimizationState:
        """Sub-stage ``smpl`` alone."""
        return self.resolve(state, sub_stage="smpl")

    def _optimize_motion_prior(self, state: OptimizationState) -> OptimizationState:
        """Sub-stage ``motion`` alone."""
        return self.resolve(state, sub_stage="motion")

    def _optimize_environmental(self, state: OptimizationState) -> OptimizationState:
        """Sub-stage ``environmental`` alone."""
        return self.resolve(state, sub_stage="environmental")

    def _optimize_scale(self, state: OptimizationState) -> OptimizationState:
        """Sub-stage ``scale`` alone."""
        return self.resolve(state, sub_stage="scale")

    def _optimize_final(self, state: OptimizationState) -> OptimizationState:
        """Sub-stage ``final`` alone."""
        return self.resolve(state, sub_stage="final")

    def _loss(self, state: OptimizationState, terms: tuple[str, ...]) -> float:
        """Weighted loss of some terms at ``state``, on the last input."""
        if self._problem is None:
            raise OptimizationError("loss", "has no input yet", "run refine() or iterate() first")
        weights = {name: self._lambdas[name] for name in terms if self._lambdas.get(name, 0.0) > 0}
        if "cvae" in weights and not self._has_prior:
            weights.pop("cvae")
        packed = self._problem.pack(state)
        self._problem.prepare(packed, "final", weights)
        return float(self._problem.evaluate(packed, weights)[0])

    def _compute_root_loss(self, state: OptimizationState) -> float:
        return self._loss(state, PLANS["root"].terms)

    def _compute_smpl_loss(self, state: OptimizationState) -> float:
        return self._loss(state, PLANS["smpl"].terms)

    def _compute_motion_loss(self, state: OptimizationState) -> float:
        return self._loss(state, ("smooth", "cvae"))

    def _compute_environmental_loss(self, state: OptimizationState) -> float:
        return self._loss(state, ("skate", "contact"))

    def _compute_depth_consistency_loss(self, state: OptimizationState) -> float:
        return self._loss(state, ("depth",))

    def _compute_multi_person_scale_loss(self, state: OptimizationState) -> float:
        return self._loss(state, ("multi_scale", "cvae"))

    def _compute_final_loss(self, state: OptimizationState) -> float:
        return self._loss(state, PLANS["final"].terms)
