"""The bordered system and the Levenberg-Marquardt step on a small problem without bodies."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from refine_engine.solver.arrow import (
    OWN,
    eliminate_people,
    factor_bytes,
    frame_steps,
    with_gradient,
)
from refine_engine.solver.arrow_problem import Free, QuadraticModel
from refine_engine.solver.border import border_system
from refine_engine.solver.levenberg import Damping, step
from refine_engine.solver.threads import people_runner


class DensePart:
    """A random arrow block with two-frame couplings, from an explicit Jacobian."""

    def __init__(self, frames, width, shared, seed):
        rng = np.random.default_rng(seed)
        self.frames, self.width, self.reach = frames, width, 2
        n = frames * width
        rows = []
        for t in range(frames - 2):
            J = np.zeros((4 * width, n + OWN + shared))
            J[:, t * width : (t + 3) * width] = rng.standard_normal((4 * width, 3 * width))
            J[:, n:] = rng.standard_normal((4 * width, OWN + shared))
            rows.append(J)
        self.J = np.concatenate([*rows, np.eye(n, n + OWN + shared)])
        self.r = rng.standard_normal(len(self.J))
        H, g = self.J.T @ self.J, self.J.T @ self.r
        groups = -(-(1 + OWN + shared) // 16)
        flat = np.zeros((n, groups * 16))
        flat[:, 0], flat[:, 1 : 1 + OWN + shared] = g[:n], H[:n, n:]
        self.border = np.stack(np.split(flat, groups, axis=1))
        self.own_gradient = g[n : n + OWN]
        self.own_hessian = H[n : n + OWN, n : n + OWN]
        self.own_shared = H[n : n + OWN, n + OWN :]
        self.shared_gradient = g[n + OWN :]
        self.shared_hessian = H[n + OWN :, n + OWN :]
        self.H = H[:n, :n]

    def assemble(self, damping, floor, here, next1, next2, *, backward=False):
        for s in range(len(here)):
            for k, target in enumerate((here, next1, next2)):
                if s + k < self.frames:
                    first, second = s, s + k
                    if backward:
                        first, second = self.frames - 1 - first, self.frames - 1 - second
                    a, b = first * self.width, second * self.width
                    target[s] = self.H[a : a + self.width, b : b + self.width]
            here[s] += np.diag(damping * np.diag(here[s]) + floor)


@pytest.mark.parametrize("count", [6, 24, 31])
@pytest.mark.parametrize("shared", [5, 20])
def test_elimination_equals_the_dense_solution(shared, count):
    parts = [DensePart(count, 6, shared, seed) for seed in (0, 1)]
    eliminated = [eliminate_people([p], 0.0, 0.0, np.float64)[0] for p in parts]
    border = border_system(eliminated)
    moves = border.solve(np.ones(2 * OWN + shared, bool), 0.0)
    frames = [
        frame_steps([e], moves[None, OWN * p : OWN * p + OWN], moves[2 * OWN :])[0]
        for p, e in enumerate(eliminated)
    ]
    # The same least squares, dense.
    n = 6 * count
    J = np.zeros((sum(len(p.J) for p in parts), 2 * n + 2 * OWN + shared))
    row = 0
    for p, part in enumerate(parts):
        rows = slice(row, row + len(part.J))
        J[rows, p * n : p * n + n] = part.J[:, :n]
        J[rows, 2 * n + OWN * p : 2 * n + OWN * p + OWN] = part.J[:, n : n + OWN]
        J[rows, 2 * n + 2 * OWN :] = part.J[:, n + OWN :]
        row = rows.stop
    expected = -np.linalg.lstsq(J, np.concatenate([p.r for p in parts]), rcond=None)[0]
    found = np.concatenate([f.ravel() for f in frames] + [moves])
    assert np.abs(found - expected).max() < 1e-8 * np.abs(expected).max()
    # And its Schur complement is the inverse covariance of the border.
    covariance = np.linalg.inv(J.T @ J)[2 * n :, 2 * n :]
    assert np.abs(np.linalg.inv(border.matrix) - covariance).max() < 1e-8 * covariance.max()


def test_people_in_groups_move_alike(monkeypatch):
    parts = [DensePart(30, 6, 5, seed) for seed in range(5)]
    together = eliminate_people(parts, 1e-3, 1e-6, np.float64)
    two = 2 * factor_bytes(parts[0], np.float64)
    monkeypatch.setattr("refine_engine.solver.arrow.FACTOR_BYTES", two)
    asked = []

    class Asked(list):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    apart = eliminate_people(Asked(parts), 1e-3, 1e-6, np.float64)
    assert asked == [0, 1, 2, 3, 4]
    assert all(rest.factor is None for rest in apart)
    a, b = border_system(together), border_system(apart)
    assert np.allclose(a.matrix, b.matrix, rtol=1e-12, atol=1e-9)
    moves = a.solve(np.ones(55, bool), 0.0)
    own, shared = moves[:50].reshape(5, OWN), moves[50:]
    for x, y in zip(
        frame_steps(together, own, shared), frame_steps(apart, own, shared), strict=True
    ):
        assert np.allclose(x, y, rtol=1e-9, atol=1e-12)


def test_a_later_gradient_with_the_factors_of_an_earlier_state():
    parts = [DensePart(30, 6, 5, seed) for seed in (0, 1)]
    eliminated = eliminate_people(parts, 0.0, 0.0, np.float64)
    later = [DensePart(30, 6, 5, seed) for seed in (0, 1)]
    for part in later:
        part.border[0, :, 0] *= np.linspace(0.5, 2.0, len(part.border[0]))
        part.own_gradient, part.shared_gradient = 3 * part.own_gradient, -part.shared_gradient
    found, want = with_gradient(eliminated, later), eliminate_people(later, 0.0, 0.0, np.float64)
    moves = border_system(want).solve(np.ones(25, bool), 0.0)
    assert np.allclose(border_system(found).gradient, border_system(want).gradient)
    own, shared = moves[:20].reshape(2, OWN), moves[20:]
    for x, y in zip(frame_steps(found, own, shared), frame_steps(want, own, shared), strict=True):
        assert np.allclose(x, y, rtol=1e-9, atol=1e-12)


def test_frozen_variables_do_not_move():
    part = DensePart(6, 6, 5, 0)
    border = border_system(eliminate_people([part], 0.0, 0.0, np.float64))
    free = np.zeros(OWN + 5, bool)
    free[3] = True
    moves = border.solve(free, 0.0)
    assert moves[3] != 0.0
    assert not moves[~free].any()


@dataclass(frozen=True)
class Numbers:
    frames: np.ndarray
    alpha: float


class Valley:
    """Minimise a curved, bounded loss: frames follow exp(alpha), alpha wants 1."""

    threads = 1

    def __init__(self, limit=np.inf, broken=False):
        self.limit, self.broken = limit, broken

    def residuals(self, s):
        follow = s.frames.ravel() - np.exp(s.alpha)
        return np.concatenate([10 * follow, [s.alpha - 1.0]])

    def evaluate(self, state, weights, poll=None):
        loss = 0.5 * float((self.residuals(state) ** 2).sum())
        loss = np.nan if self.broken else loss
        return loss, {"valley": loss}

    def linearise(self, state, weights, free, run):
        part = DensePart(4, 6, 4, 0)
        n = 24
        part.H = 100 * np.eye(n)
        part.reach = 0
        border = np.zeros((n, 16))
        border[:, 0] = 100 * (state.frames.ravel() - np.exp(state.alpha))
        border[:, 11] = -100 * np.exp(state.alpha)
        part.border = border[None]
        part.own_gradient, part.own_hessian = np.zeros(OWN), np.eye(OWN)
        part.own_shared = np.zeros((OWN, 4))
        hessian = np.eye(4)
        hessian[0, 0] += n * 100 * np.exp(2 * state.alpha)
        gradient = np.zeros(4)
        gradient[0] = state.alpha - 1.0 - np.exp(state.alpha) * border[:, 0].sum()
        part.shared_gradient, part.shared_hessian = gradient, hessian
        return QuadraticModel([part])

    def moved(self, state, frames, own, shared):
        return Numbers(state.frames + frames[0], state.alpha + shared[0])

    def alpha_limits(self, state):
        return -self.limit - state.alpha, self.limit - state.alpha

    def joint_step(self, before, after, share):
        return float(np.abs(after.frames - before.frames).max())

    def explain(self, state, weights):
        return "term 'valley', person 7, frame 3: not finite"


def solved(problem, state, free=Free(alpha=True)):  # noqa: B008
    damping, totals = Damping(), []
    for _ in range(60):
        result = step(problem, state, {"valley": 1.0}, free, damping)
        state, damping = result.state, result.damping
        totals.append(result.total)
        if result.converged():
            break
    return state, totals, result


@pytest.fixture
def without_coupling(monkeypatch):
    """The valley's band has no couplings: fill only the diagonal blocks."""

    def assemble(self, damping, floor, here, next1, next2, *, backward=False):
        for t in range(len(here)):
            here[t] = 100 * np.eye(6) * (1 + damping) + floor * np.eye(6)

    monkeypatch.setattr(DensePart, "assemble", assemble)


@pytest.mark.usefixtures("without_coupling")
def test_the_minimum_is_found_and_the_loss_never_rises():
    state, totals, result = solved(Valley(), Numbers(np.zeros((4, 6)), 0.0))
    assert state.alpha == pytest.approx(1.0, abs=1e-4)
    assert np.allclose(state.frames, np.e, atol=1e-3)
    assert all(b <= a for a, b in itertools.pairwise(totals))
    assert not result.alpha_at_bound


@pytest.mark.usefixtures("without_coupling")
def test_alpha_stops_at_its_bound():
    state, _, _ = solved(Valley(limit=0.25), Numbers(np.zeros((4, 6)), 0.0))
    assert state.alpha == pytest.approx(0.25, abs=1e-9)
    assert np.allclose(state.frames, np.exp(0.25), atol=1e-3)


@pytest.mark.usefixtures("without_coupling")
def test_alpha_stays_where_it_is_not_free():
    state, _, _ = solved(Valley(), Numbers(np.zeros((4, 6)), 0.5), Free())
    assert state.alpha == 0.5
    assert np.allclose(state.frames, np.exp(0.5), atol=1e-3)


def test_a_loss_that_is_not_finite_is_named():
    state = Numbers(np.zeros((4, 6)), 0.0)
    result = step(Valley(broken=True), state, {"valley": 1.0}, Free(), Damping())
    assert not result.accepted
    assert result.state is state
    assert "valley" in result.message
    assert "person 7" in result.message


def test_people_run_in_order_and_the_caller_is_asked_meanwhile():
    """Each person takes until the caller was asked three times more."""
    asked = threading.Semaphore(0)

    def work(i):
        return i if all(asked.acquire(timeout=60) for _ in range(3)) else None

    assert people_runner(2, asked.release)(work, 4) == [0, 1, 2, 3]


def test_a_caller_may_abandon_an_iteration():
    class Enough(Exception):
        pass

    def poll():
        raise Enough

    with pytest.raises(Enough):
        people_runner(2, poll)(lambda i: i, 4)
    with pytest.raises(Enough):
        people_runner(1, poll)(lambda i: i, 4)
