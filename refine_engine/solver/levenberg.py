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
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from refine_engine.solver.arrow import (
    OWN,
    Border,
    Eliminated,
    Part,
    border_system,
    eliminate_people,
    factor_bytes,
    frame_steps,
    with_gradient,
)
from refine_engine.solver.chains import NotPositive
from refine_engine.solver.threads import single_threaded_blas, worker_count, worker_pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

S = TypeVar("S")
T = TypeVar("T")
Poll = Callable[[], None]
"""Called at least every 50 ms during an iteration, from the calling thread. It may raise (for
example ``Cancelled``) to abandon the iteration: the state passed in is untouched."""

JOINT_STEP_M = 5e-4
ALPHA_STEP = 1e-4
FLOOR = 1e-6
"""Added to every diagonal entry: keeps variables that nothing observes where they are."""
MAX_TRIES = 8
POLL_SECONDS = 0.05
LONGEST_STEP = 16.0
LONGEST_ALPHA_STEP = 0.1
LONGER_FROM = 1.2
"""A step twice as long gains more only where the true curvature is below two thirds of the model's;
then the step itself has gained a third more than the model promised."""
SHORTER_STEPS = (0.5, 0.2, 0.05)
LEAST_DAMPING = 1e-8
RAISED_DAMPING = 1e-4
LEAST_PREDICTED = 1e-9
"""A prediction smaller than this share of the loss is not worth more damping."""
USUAL_SHARE = 0.99
KEPT_BYTES = 200_000_000
"""Factors up to this size are kept for the next iteration."""
REUSED_BELOW = 0.05
"""Factors are used once more after a step that lowered the loss by a smaller share."""
GOOD_SHARE = 0.3
"""Such a step must lower the loss by this share of what it promises, or a full one is made."""


@dataclass(frozen=True)
class Free:
    """Which variables a sub-stage may change; translation and global orientation always."""

    pose: bool = False
    """Rotations of joints 1..21."""
    betas: bool = False
    plane: bool = False
    alpha: bool = False
    """Scale, together with the log depth scale of each reconstruction chunk."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Factors of an earlier iteration, with which the next gradient makes a cheap step.

    Near the minimum curvature hardly changes from one iteration to the next, and reweighted least
    squares only converges linearly anyway: such a step gains nearly as much as a full one.
    """

    model: QuadraticModel
    eliminated: list[Eliminated]
    free: Free

    @property
    def small(self) -> bool:
        """Whether there is room for these factors and the next ones."""
        lasting = self.model.lasting and all(rest.factor for rest in self.eliminated)
        return lasting and sum(factor_bytes(p, np.float32) for p in self.model.parts) < KEPT_BYTES

    def fits(self, model: QuadraticModel) -> bool:
        """Whether a model has the same variables."""
        return [(p.frames, p.width) for p in self.model.parts] == [
            (p.frames, p.width) for p in model.parts
        ]


@dataclass(frozen=True)
class Damping:
    """State of the damping between iterations; 1e-6 for a warm start."""

    value: float = 1e-4
    double: bool = False
    """Whether the band is factored in float64 (after float32 proved too coarse)."""
    kept: Kept | None = field(default=None, compare=False, repr=False)
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


@dataclass(frozen=True, eq=False)
class QuadraticModel:
    """The Gauss-Newton model of the whole problem at one state."""

    parts: Sequence[Part]
    """People. In large problems a part is made when it is asked for, and anew each time."""
    lasting: bool = True
    """Whether parts are kept."""

    @property
    def shared_gradient(self) -> Array:
        """(K,) by log alpha, the plane's three, the chunks' log scales."""
        total: Array = np.sum([part.shared_gradient for part in self.parts], axis=0)
        return total

    @property
    def shared_hessian(self) -> Array:
        """(K, K)."""
        total: Array = np.sum([part.shared_hessian for part in self.parts], axis=0)
        return total


class ArrowProblem(Protocol[S]):
    """What the solver needs of a problem."""

    threads: int
    """Worker threads asked for; 0 = one per core."""

    def evaluate(
        self, state: S, weights: Mapping[str, float], poll: Poll | None = None
    ) -> tuple[float, dict[str, float]]:
        """Total loss and the weighted loss of each active term."""
        ...

    def linearise(
        self, state: S, weights: Mapping[str, float], free: Free, run: Run
    ) -> QuadraticModel:
        """Gauss-Newton model; ``run`` maps a function over people in worker threads."""
        ...

    def moved(self, state: S, frames: Sequence[Array], own: Array, shared: Array) -> S:
        """A new state after a step: frames (n, width) per person, own (P, 10), shared (K,)."""
        ...

    def alpha_limits(self, state: S) -> tuple[float, float]:
        """Smallest and largest step of log alpha that its bounds allow."""
        ...

    def joint_step(self, before: S, after: S, share: float) -> float:
        """Movement in metres that the given share of all joints does not exceed."""
        ...

    def explain(self, state: S, weights: Mapping[str, float]) -> str:
        """Which term, person and frame is not finite; empty where all is well."""
        ...


Run = Callable[[Callable[[int], Any], int], list[Any]]


def people_runner(threads: int, poll: Poll | None) -> Run:
    """A function that maps over people in threads and polls the caller meanwhile."""

    def run(function: Callable[[int], T], count: int) -> list[T]:
        workers = worker_count(threads, count)
        if workers == 1:
            results = []
            for i in range(count):
                if poll is not None:
                    poll()
                results.append(function(i))
            return results
        futures = [worker_pool(workers).submit(function, i) for i in range(count)]
        pending = set(futures)
        try:
            while pending:
                if poll is not None:
                    poll()
                _, pending = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
        except BaseException:
            for future in futures:
                future.cancel()
            wait(futures)
            raise
        return [future.result() for future in futures]

    return run


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
            solution = _solve(model, free, value, problem.alpha_limits(state), run, kept)
            clock.lap("solve")
            found, scale = _searched(problem, state, weights, total, solution, poll)
            clock.lap("evaluate")
            if found is not None and total - found[1] > GOOD_SHARE * solution.predicted:
                return _accepted(
                    problem, state, total, found, scale, solution, Damping(value, double), clock
                )
        for _ in range(MAX_TRIES):
            try:
                fresh = Kept(
                    model,
                    eliminate_people(
                        model.parts, value, FLOOR, np.float64 if double else np.float32, run
                    ),
                    free,
                )
                solution = _solve(model, free, value, problem.alpha_limits(state), run, fresh)
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
    solution: _Solution,
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
    solution: _Solution,
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


@dataclass(frozen=True, eq=False)
class _Solution:
    frames: list[Array]
    own: Array
    shared: Array
    predicted: float
    at_bound: bool


def free_border(free: Free, people: int, shared: int) -> NDArray[np.bool_]:
    """Which of the 10 P + K border variables may move."""
    mask = np.zeros(OWN * people + shared, dtype=bool)
    mask[: OWN * people] = free.betas
    tail = mask[OWN * people :]
    tail[0] = free.alpha
    tail[1:4] = free.plane
    tail[4:] = free.alpha
    return mask


def _solve(
    model: QuadraticModel,
    free: Free,
    damping: float,
    limits: tuple[float, float],
    run: Run,
    kept: Kept,
) -> _Solution:
    """Step for the gradient of ``model`` and the curvature of ``kept`` (usually the same)."""
    eliminated = kept.eliminated
    border = border_system(eliminated)
    if kept.model is not model:
        eliminated = with_gradient(eliminated, list(model.parts), run)
        border = Border(border.matrix, border_system(eliminated).gradient)
    count = len(eliminated)
    shared_gradient = np.sum([rest.remains.shared_gradient for rest in eliminated], axis=0)
    mask = free_border(free, count, len(shared_gradient))
    moves, at_bound = _bounded(border, mask, damping, OWN * count, limits)
    own, shared = moves[: OWN * count].reshape(-1, OWN), moves[OWN * count :]
    frames = frame_steps(eliminated, own, shared, run)
    slope = float(shared_gradient @ shared)
    for p, rest in enumerate(eliminated):
        slope += float(rest.remains.own_gradient @ own[p])
        slope += float((rest.remains.gradient * frames[p]).sum())
    return _Solution(frames, own, shared, -0.5 * slope, at_bound)


def _bounded(
    border: Border,
    mask: NDArray[np.bool_],
    damping: float,
    alpha: int,
    limits: tuple[float, float],
) -> tuple[Array, bool]:
    """Border step with log alpha inside its limits (it is held at the bound that it crosses).

    A step of log alpha is also held to :data:`LONGEST_ALPHA_STEP`: while people still stand wrong,
    alpha is hardly seen, and the linear model would throw it far away.
    """
    moves = border.solve(mask, damping)
    low, high = max(limits[0], -LONGEST_ALPHA_STEP), min(limits[1], LONGEST_ALPHA_STEP)
    if not mask[alpha] or low <= moves[alpha] <= high:
        return moves, False
    fixed = np.zeros(len(moves))
    fixed[alpha] = np.clip(moves[alpha], low, high)
    held = mask.copy()
    held[alpha] = False
    return border.solve(held, damping, fixed), bool(fixed[alpha] in limits)


class _Clock:
    """Seconds by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now
