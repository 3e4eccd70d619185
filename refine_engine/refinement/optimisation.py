"""One sub-stage as a generator: iterate, obey the caller, stop on the step, ask the guard."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from refine_engine.errors import Cancelled, OptimizationError
from refine_engine.refinement.frozen import read_only
from refine_engine.refinement.frozen_targets import refresh_targets
from refine_engine.refinement.guard import compare
from refine_engine.refinement.windows import Windows
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.levenberg import Damping, StepResult, step
from refine_engine.state import Snapshot, SubStageResult, SubStageStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from refine_engine.config import RefinementConfig
    from refine_engine.refinement.clock import Clock
    from refine_engine.refinement.control import RunControl
    from refine_engine.refinement.roll_out import RollOut
    from refine_engine.refinement.substages import SubStagePlan
    from refine_engine.state import OptimizationState, ScaleReport
    from refine_engine.terms.packed import Packed
    from refine_engine.terms.problem import Problem


SLOW_FACTOR = 10.0
"""An iteration is slow when the loss falls by less than this times ``convergence_threshold``."""
COARSE_FACTOR = 50.0
"""The same for a sub-stage whose variables a later one, with more terms, will solve for again."""
SLOW_ALPHA = 3e-4
"""...and log alpha changes by less than this."""


class Stopped(Exception):
    """The caller asked to stop in the middle of an iteration; the last state is kept."""


@dataclass
class SubStageRun:
    """Everything one sub-stage needs, and what it left behind."""

    problem: Problem
    plan: SubStagePlan
    config: RefinementConfig
    control: RunControl
    clock: Clock
    lambdas: dict[str, float]
    """Term name to lambda; live changes are written back here."""
    iterations_left: int
    has_prior: bool
    alpha_sigma: float | None
    report: Callable[[OptimizationState], ScaleReport]
    damping: float = 1e-4
    guarded: bool = True
    coarse: bool = False
    """Whether a later sub-stage does it again, so that the last digits would be wasted."""
    result: SubStageResult | None = None
    stopped: bool = False
    _version: int = -1
    _curves: dict[str, list[float]] = field(default_factory=dict)

    def run(self, state: OptimizationState) -> Iterator[Snapshot]:
        """Yield "begin", every accepted iteration and "end"; the last snapshot has the result.

        Raises
        ------
        Cancelled
            The caller discards the run.
        OptimizationError
            The loss is not finite at the state that the sub-stage starts from.
        """
        began = self.clock.seconds
        problem = self.problem
        packed = problem.pack(state)
        self._take_weights()
        weights = self._weights()
        frames = max((len(p.frames) for p in state.people.values()), default=0)
        windows = Windows(problem, self.plan.key, self.config, frames)
        roll_out = self._roll_out(packed, weights)
        refresh_targets(problem, packed, weights)
        with contextlib.suppress(Stopped):
            # What a stop leaves unprepared is not needed: no iteration follows.
            problem.prepare(packed, self.plan.key, weights, self.poll)
        total, terms = problem.evaluate(packed, weights)
        if not total < float("inf"):
            raise OptimizationError(
                f"sub-stage {self.plan.key}",
                f"starts from a loss that is not finite ({problem.explain(packed, weights)})",
                "look at the input report for damaged rows",
            )
        before = problem.evidence(packed) if self.guarded else {}
        yield self._snapshot("begin", 0, total, terms, state, message=self.plan.does)
        status: SubStageStatus = "capped"
        message, iteration, slow = "", 0, 0
        cap = min(len(windows.lengths) * self.plan.cap(self.config), self.iterations_left)
        free = self.plan.free_in(self.config) or Free()
        damping, current = Damping(self.damping), state
        while iteration < cap:
            if not self._may_go_on():
                break
            if self._take_weights():
                weights = self._weights()
                problem.prepare(packed, self.plan.key, weights, self.poll)
                damping, slow = Damping(self.damping), 0
            if refresh_targets(problem, packed, weights):
                problem.prepare(packed, self.plan.key, weights, self.poll)
            try:
                if roll_out is None:
                    result = step(problem, packed, weights, free, damping, poll=self.poll)
                else:
                    result = roll_out.step(packed, weights, windows.horizon, self.poll)
            except Stopped:
                self.stopped = True
                break
            damping = result.damping
            if not result.accepted and windows.grow():
                problem.prepare(packed, self.plan.key, weights, self.poll)
                continue
            if not result.accepted:
                if self.control.has_unread_weights:
                    continue
                status, message = "converged", result.message
                break
            iteration += 1
            packed, total, terms = result.state, result.total, dict(result.terms)
            current = read_only(problem.unpack(packed))
            for name, value in (*terms.items(), ("total", total)):
                self._curves.setdefault(name, []).append(float(value))
            yield self._snapshot(
                "iteration", iteration, total, terms, current, step_m=result.max_joint_step
            )
            if windows.settled(result):
                windows.grow()
                problem.prepare(packed, self.plan.key, weights, self.poll)
                continue
            slow = slow + 1 if self._is_slow(result) else 0
            converged = result.converged(self.config.convergence_threshold)
            if (converged or slow >= self.plan.patience) and not self.control.has_unread_weights:
                status = "converged"
                break
        windows.close()
        if roll_out is not None:
            roll_out.close()
        if iteration or not self.stopped:
            problem.prepare(packed, self.plan.key, weights)
        if self.stopped:
            message = "stopped by the user; what was reached is kept"
        if iteration and self.guarded:
            verdict = compare(before, problem.evidence(packed), self.plan.judged_by)
            if verdict.worse:
                status, current = "rolled_back", state
                worse = f"made held-out evidence worse ({verdict.message}): rolled back"
                message = f"{message}; {worse}" if self.stopped else worse
                packed = problem.pack(state)
                total, terms = problem.evaluate(packed, weights)
            elif verdict.message and not message:
                message = verdict.message
        self._after(packed, weights, free)
        yield self._end(current, status, iteration, total, terms, began, message)

    def _roll_out(self, packed: Packed, weights: Mapping[str, float]) -> RollOut | None:
        """The sequential mode, where the settings ask for it in ``motion``."""
        if self.config.motion_prior_mode != "rollout" or self.plan.key != "motion":
            return None
        if not weights.get("cvae", 0.0) > 0.0:
            return None
        # Torch takes seconds to import, and only this mode needs it here.
        from refine_engine.refinement.roll_out import RollOut

        return RollOut(self.problem, packed)

    def _is_slow(self, result: StepResult[Packed]) -> bool:
        """Whether an iteration gained next to nothing, in loss and in alpha.

        A limb that nothing sees may wander by centimetres while nothing else changes; waiting for
        it to rest would double a run. Alpha has a say of its own: the loss is almost flat along it.
        """
        factor = COARSE_FACTOR if self.coarse else SLOW_FACTOR
        return (
            result.relative_decrease < factor * self.config.convergence_threshold
            and result.alpha_step < SLOW_ALPHA
        )

    def _after(self, packed: Packed, weights: Mapping[str, float], free: Free) -> None:
        """Keep where the sub-stage ended, for the covariance."""
        self.packed, self.weights_used, self.free_used = packed, dict(weights), free

    def _end(
        self,
        state: OptimizationState,
        status: SubStageStatus,
        iteration: int,
        total: float,
        terms: Mapping[str, float],
        began: float,
        message: str,
    ) -> Snapshot:
        self.result = SubStageResult(
            sub_stage=self.plan.key,
            status=status,
            iterations=iteration,
            seconds=self.clock.seconds - began,
            final_loss=float(total),
            loss_curves={name: tuple(values) for name, values in self._curves.items()},
            message=message,
            interrupted=self.stopped,
        )
        snapshot = self._snapshot("end", iteration, total, terms, state, message=message)
        return replace(snapshot, status=status)

    def _snapshot(
        self,
        event: str,
        iteration: int,
        total: float,
        terms: Mapping[str, float],
        state: OptimizationState,
        *,
        message: str = "",
        step_m: float = 0.0,
    ) -> Snapshot:
        return Snapshot(
            event=event,  # type: ignore[arg-type]
            sub_stage=self.plan.key,
            iteration=iteration,
            total_loss=float(total),
            terms=dict(terms),
            state=state,
            alpha_sigma=self.alpha_sigma,
            seconds=self.clock.seconds,
            message=message,
            scale=self.report(state),
            max_joint_step=step_m,
        )

    def _weights(self) -> dict[str, float]:
        return self.plan.weights(self.lambdas, has_prior=self.has_prior)

    def _take_weights(self) -> bool:
        """Adopt the caller's changed weights; True where something changed."""
        version, changed = self.control.weights()
        if version == self._version:
            return False
        first = self._version < 0
        self._version = version
        different = any(self.lambdas.get(name) != value for name, value in changed.items())
        self.lambdas.update(changed)
        return different and not first

    def _may_go_on(self) -> bool:
        with self.clock.held():
            verdict = self.control.wait_for_turn()
        if verdict == "cancel":
            raise Cancelled
        self.stopped = verdict == "stop"
        return not self.stopped

    def poll(self) -> None:
        """Hold, or leave what is being computed, where the caller asks for it.

        Raises
        ------
        Cancelled, Stopped
            The caller discards the run, or keeps what there is.
        """
        if self.control.holds_inside:
            with self.clock.held():
                self.control.hold()
        if self.control.verdict == "cancel":
            raise Cancelled
        if self.control.verdict == "stop":
            raise Stopped
