"""Levenberg-Marquardt on the arrow system: one step, its acceptance, its convergence.

The refinement loop is written on this::

    damping = Damping()
    while True:
        result = step(problem, state, weights, free, damping, poll=control_callback)
        state, damping = result.state, result.damping
        if result.converged(threshold):
            break

``problem`` is anything with the methods of :class:`ArrowProblem`; this package knows no body and
no term. Robust weights are fixed within an iteration (iteratively reweighted least squares); a
step is accepted only when the robust loss itself falls, so the loss never rises.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from refine_engine.solver.chains import NotPositive
from refine_engine.solver.solution import Factors, Solution, factored, solve
from refine_engine.solver.threads import people_runner, single_threaded_blas

if TYPE_CHECKING:
    from refine_engine.solver.arrow_problem import ArrowProblem, Free
    from refine_engine.solver.threads import Poll

S = TypeVar("S")
JOINT_STEP_M = 5e-4
"""Joints that move less than this, metres, stand still."""
ALPHA_STEP = 1e-4
"""The same for log alpha."""
USUAL_SHARE = 0.99
"""Share of the joints that must stand still: single ones may swing between contradictions."""
MAX_TRIES = 8
"""How often an iteration raises the damping before it gives up."""
LONGEST_STEP = 16.0
"""The longest multiple of the model's step that is tried."""
LONGER_FROM = 1.2
"""A step twice as long gains more only where the true curvature is below two thirds of the model's;
then the step itself has gained a third more than the model promised."""
SHORTER_STEPS = (0.5, 0.2, 0.05)
"""What is tried where the whole step raises the loss, before the damping is raised."""
LEAST_DAMPING = 1e-8
RAISED_DAMPING = 1e-4
"""The least damping after a step that had to be shortened or given up."""
LEAST_PREDICTED = 1e-9
"""A prediction smaller than this share of the loss is not worth more damping."""
REUSED_BELOW = 0.05
"""Factors are used once more after a step that lowered the loss by a smaller share."""
GOOD_SHARE = 0.3
"""Such a step must lower the loss by this share of what it promises, or a full one is made."""


@dataclass(frozen=True)
class Damping:
    """State of the damping between iterations; 1e-6 for a warm start."""

    value: float = 1e-4
    double: bool = False
    """Whether the band is factored in float64 (after float32 proved too coarse)."""
    kept: Factors | None = field(default=None, compare=False, repr=False)
    """The last factors, where they may serve for one more step."""


@dataclass(frozen=True)
class StepResult(Generic[S]):
    """What one iteration did."""

    state: S
    """The new state, or the old one where nothing was accepted."""
    total: float
    terms: Mapping[str, float]
    """Weighted loss of each active term at ``state``; sums to ``total``."""
    damping: Damping
    accepted: bool
    max_joint_step: float = 0.0
    """Largest movement of a joint, metres."""
    usual_joint_step: float = 0.0
    """What 99 of 100 joints moved less than, metres."""
    alpha_step: float = 0.0
    """Change of log alpha."""
    relative_decrease: float = 0.0
    alpha_at_bound: bool = False
    message: str = ""
    """Why nothing was accepted, naming term, person and frame of a non-finite value."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Where the time went."""

    def converged(self, threshold: float = 1e-5) -> bool:
        """Whether another iteration would hardly change anything.

        Alpha moved by less than 1e-4, the loss fell by less than ``threshold``, and either 99 of
        100 joints moved less than 0.5 mm or the loss fell by less than a tenth of that: the loss
        alone is almost flat along scale, and single joints may swing between contradicting
        keypoints for tens of iterations. A step that was not accepted has converged as far as it
        can.
        """
        if not self.accepted:
            return True
        still = self.usual_joint_step < JOINT_STEP_M or self.relative_decrease < 0.1 * threshold
        return still and self.alpha_step < ALPHA_STEP and self.relative_decrease < threshold


def step(
    problem: ArrowProblem[S],
    state: S,
    weights: Mapping[str, float],
    free: Free,
    damping: Damping,
    poll: Poll | None = None,
) -> StepResult[S]:
    """One accepted Levenberg-Marquardt iteration, or the old state where none lowers the loss."""
    run = people_runner(problem.threads, poll)
    clock = _Clock()
    with single_threaded_blas():
        total, terms = problem.evaluate(state, weights, poll)
        if not np.isfinite(total):
            message = problem.explain(state, weights)
            return StepResult(state, total, terms, damping, accepted=False, message=message)
        clock.lap("evaluate")
        value, double, message = damping.value, damping.double, ""
        kept, damping = damping.kept, Damping(value, double)
        model = problem.linearise(state, weights, free, run)
        clock.lap("linearise")
        if kept is not None and kept.free == free and kept.fits(model):
            solution = solve(model, free, value, problem.alpha_limits(state), run, kept)
            clock.lap("solve")
            found, scale = _searched(problem, state, weights, total, solution, poll)
            clock.lap("evaluate")
            if found is not None and total - found[1] > GOOD_SHARE * solution.predicted:
                return _accepted(
                    problem, state, total, found, scale, solution, Damping(value, double), clock
                )
        for _ in range(MAX_TRIES):
            try:
                fresh = factored(model, free, value, np.float64 if double else np.float32, run)
                solution = solve(model, free, value, problem.alpha_limits(state), run, fresh)
            except NotPositive as failure:
                message = f"the system is not positive definite at frame {failure.frame}"
                value, double = (_raised(value) if double else value), True
                continue
            finally:
                clock.lap("solve")
            found, scale = _searched(problem, state, weights, total, solution, poll)
            clock.lap("evaluate")
            if found is None:
                message = "no step lowers the loss any more"
                if solution.predicted <= LEAST_PREDICTED * abs(total):
                    break
                value = _raised(value)
                continue
            decrease = total - found[1]
            ratio = decrease / max(solution.predicted, 1e-300)
            after = Damping(
                _next_damping(value, ratio) if scale >= 1.0 else _raised(value),
                double,
                fresh if decrease < REUSED_BELOW * abs(total) and fresh.small else None,
            )
            return _accepted(problem, state, total, found, scale, solution, after, clock)
        return StepResult(
            state,
            total,
            terms,
            Damping(value, double),
            accepted=False,
            message=message,
            seconds=clock.laps,
        )


def _accepted(
    problem: ArrowProblem[S],
    state: S,
    total: float,
    found: tuple[S, float, dict[str, float]],
    scale: float,
    solution: Solution,
    damping: Damping,
    clock: _Clock,
) -> StepResult[S]:
    new, new_total, new_terms = found
    return StepResult(
        state=new,
        total=new_total,
        terms=new_terms,
        damping=damping,
        accepted=True,
        max_joint_step=problem.joint_step(state, new, 1.0),
        usual_joint_step=problem.joint_step(state, new, USUAL_SHARE),
        alpha_step=scale * abs(float(solution.shared[0])),
        relative_decrease=(total - new_total) / max(abs(total), 1e-300),
        alpha_at_bound=solution.at_bound,
        seconds=clock.laps,
    )


def _raised(value: float) -> float:
    return max(10.0 * value, RAISED_DAMPING)


def _next_damping(value: float, ratio: float) -> float:
    return max(value * (0.1 if ratio > 0.7 else 0.5 if ratio > 0.3 else 3.0), LEAST_DAMPING)


def _searched(
    problem: ArrowProblem[S],
    state: S,
    weights: Mapping[str, float],
    total: float,
    solution: Solution,
    poll: Poll | None,
) -> tuple[tuple[S, float, dict[str, float]] | None, float]:
    """The best of a few lengths of the step, and its length; None where none lowers the loss.

    An evaluation costs a twentieth of a solution. Reweighted least squares overestimates curvature
    where a robust loss flattens, and then creeps in one direction: where a step gained more than
    the model promised, longer ones are tried while the loss falls. A step that is too long (a foot
    through the floor) is shortened before the damping is raised.
    """
    low, high = problem.alpha_limits(state)

    def at(scale: float) -> tuple[S, float, dict[str, float]]:
        new = problem.moved(
            state,
            [scale * f for f in solution.frames],
            scale * solution.own,
            scale * solution.shared,
        )
        return (new, *problem.evaluate(new, weights, poll))

    best, scale = at(1.0), 1.0
    if best[1] < total:
        promising = total - best[1] > LONGER_FROM * solution.predicted
        while (
            promising
            and 2.0 * scale <= LONGEST_STEP
            and low <= 2.0 * scale * solution.shared[0] <= high
        ):
            longer = at(2.0 * scale)
            if not longer[1] < best[1]:
                break
            best, scale = longer, 2.0 * scale
        return best, scale
    for scale in SHORTER_STEPS:
        best = at(scale)
        if best[1] < total:
            return best, scale
    return None, 0.0


class _Clock:
    """Seconds by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now
