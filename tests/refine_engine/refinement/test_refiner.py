from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refine_engine.config import ENABLE_KEYS, TERM_NAMES, RefinementConfig
from refine_engine.errors import Cancelled, OptimizationError
from refine_engine.geometry.rotations import exp_so3
from refine_engine.refinement import certainty, clock
from refine_engine.refinement.control import RunControl, Verdict
from refine_engine.refinement.input import RefinementInput
from refine_engine.refinement.refiner import Stage5Refiner
from refine_engine.refinement.substages import PLANS
from refine_engine.scene import Scene
from refine_engine.solver.chains import NotPositive
from refine_engine.state import SUBSTAGES, Snapshot
from refine_engine.terms.problem import Problem

QUICK = RefinementConfig(
    root_fitting_iterations=3,
    smpl_fitting_iterations=4,
    environmental_iterations=4,
    scale_iterations=4,
    final_iterations=4,
    threads=1,
)


@pytest.fixture
def noisy(standing_scene: Callable[..., Any]) -> tuple[Scene, Scene]:
    """The exact scene, and one as a pose network would see it."""
    exact, _ = standing_scene(frames=24, alpha=2.0, people=2)
    rng = np.random.default_rng(5)
    people = {}
    for i, p in exact.people.items():
        n = len(p.frames)
        turned = exp_so3(rng.normal(0, 0.06, (n, 23, 3)))
        along = 1.0 + 0.02 * rng.normal() + 0.02 * rng.normal(size=(n, 1))
        people[i] = replace(
            p,
            body_pose=p.body_pose @ turned,
            R_cam_root=p.R_cam_root @ exp_so3(rng.normal(0, 0.04, (n, 3))),
            transl_cam=p.transl_cam * along,
        )
    return exact, replace(exact, people=people)


def run(scene: Scene, config: RefinementConfig = QUICK, **more: Any) -> tuple[Any, list[Snapshot]]:
    refiner = Stage5Refiner(config)
    snapshots = list(refiner.iterate(RefinementInput.from_scene(scene), **more))
    return refiner, snapshots


def test_events_come_in_order_and_losses_add_up(noisy: tuple[Scene, Scene]) -> None:
    refiner, snapshots = run(noisy[1])
    assert [s.sub_stage for s in snapshots if s.event == "end"] == list(SUBSTAGES)
    for sub_stage in SUBSTAGES:
        own = [s for s in snapshots if s.sub_stage == sub_stage]
        assert own[-1].event == "end"
        if own[-1].status == "skipped":
            assert len(own) == 1
            continue
        assert own[0].event == "begin"
        numbers = [s.iteration for s in own if s.event == "iteration"]
        assert numbers == list(range(1, len(numbers) + 1))
        for s in own:
            if s.terms:
                assert sum(s.terms.values()) == pytest.approx(s.total_loss, rel=1e-9)
    seconds = [s.seconds for s in snapshots]
    assert seconds == sorted(seconds)
    assert refiner.output.status == "success"
    assert set(refiner.output.total_loss_history) <= set(SUBSTAGES[1:])
    assert all(0 < v <= 1 for v in refiner.output.per_person_likelihoods.values())


def test_the_loss_never_rises_inside_a_sub_stage(noisy: tuple[Scene, Scene]) -> None:
    # One window: where the motion prior's window grows, more transitions count than before.
    refiner, _ = run(noisy[1], RefinementConfig(threads=1, motion_prior_chunk_size=1000))
    curves = [s.loss_curves["total"] for s in refiner.output.sub_stages if s.loss_curves]
    assert sum(len(c) for c in curves) > 8
    for curve in curves:
        assert (np.diff(curve) <= 0).all()


def test_people_come_nearer_to_the_truth(noisy: tuple[Scene, Scene]) -> None:
    exact, measured = noisy
    config = RefinementConfig(threads=1, alpha_init="auto")
    refiner, _ = run(measured, config)
    from refine_engine.body import embedded_body, joint_positions
    from refine_engine.refinement.initialisation import initialise

    body = embedded_body()
    goal = initialise(exact, body, config).state

    def error(state: Any) -> float:
        errors = []
        for i, p in state.people.items():
            g = goal.people[i]
            ours, wanted = (
                joint_positions(body, q.betas, q.R_world_root, q.body_pose, q.transl_world)
                for q in (p, g)
            )
            # Relative to the pelvis: pose and orientation, whatever the unit.
            errors.append(np.abs((ours - ours[:, :1]) - (wanted - wanted[:, :1])).mean())
        return float(np.mean(errors))

    before, after = error(refiner.output.initial_state), error(refiner.output.state)
    assert after < 0.7 * before


@pytest.mark.parametrize("sub_stage", list(ENABLE_KEYS))
def test_a_disabled_sub_stage_does_not_run(sub_stage: Any, noisy: tuple[Scene, Scene]) -> None:
    config = QUICK.replace(**{ENABLE_KEYS[sub_stage]: False})
    refiner, snapshots = run(noisy[1], config)
    own = [s for s in snapshots if s.sub_stage == sub_stage]
    assert [s.event for s in own] == ["end"]
    assert own[0].status == "skipped"
    assert sub_stage not in refiner.output.total_loss_history
    before = snapshots[snapshots.index(own[0]) - 1]
    assert own[0].state is before.state


@pytest.mark.parametrize("term", TERM_NAMES)
def test_a_weight_of_zero_removes_the_term(term: str, noisy: tuple[Scene, Scene]) -> None:
    _, with_it = run(noisy[1])
    _, without = run(noisy[1], QUICK.replace(**{f"lambda_{term}": 0.0}))
    assert all(term not in s.terms for s in without)
    if term not in ("cvae", "depth", "multi_scale"):  # this scene has no depth and no prior
        assert any(term in s.terms for s in with_it)


def test_a_scale_that_is_bounded_stays_in_its_bounds(noisy: tuple[Scene, Scene]) -> None:
    narrow = {"alpha_change_threshold": 0.001, "alpha_bound_sigmas": 0.0}
    refiner, _ = run(noisy[1], QUICK.replace(**narrow))
    assert abs(refiner.output.scale.delta) <= 0.001 + 1e-9
    assert refiner.output.scale.alpha == pytest.approx(
        refiner.output.scale.alpha_0 * (1 + refiner.output.scale.delta)
    )


def test_stop_keeps_what_was_reached(noisy: tuple[Scene, Scene]) -> None:
    control = RunControl()
    refiner = Stage5Refiner(QUICK)
    last = None
    for s in refiner.iterate(RefinementInput.from_scene(noisy[1]), control):
        if s.sub_stage == "smpl" and s.event == "iteration":
            control.stop()
            last = s
    assert last is not None
    assert refiner.output.status == "stopped"
    assert not refiner.output.convergence_achieved
    moved = refiner.output.state.people[1].transl_world
    np.testing.assert_array_equal(moved, last.state.people[1].transl_world)


@pytest.mark.parametrize("where", ["prepare", "covariance"])
def test_a_stop_between_iterations_keeps_too(
    noisy: tuple[Scene, Scene], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = RunControl()
    original = Problem.prepare if where == "prepare" else certainty.covariance

    def stopping(*args: Any, **options: Any) -> Any:
        if where == "covariance" or args[2] == "scale":
            control.stop()
        poll = args[4]
        if poll is not None:
            poll()
        return original(*args, **options)

    if where == "prepare":

        def prepare(
            self: Problem, packed: Any, key: str, weights: Any = None, poll: Any = None
        ) -> None:
            stopping(self, packed, key, weights, poll)

        monkeypatch.setattr(Problem, "prepare", prepare)
    else:
        monkeypatch.setattr(certainty, "covariance", stopping)
    refiner = Stage5Refiner(QUICK)
    last = list(refiner.iterate(RefinementInput.from_scene(noisy[1]), control))[-1]
    assert refiner.output.status == "stopped"
    assert last.sub_stage == "scale"
    assert np.isfinite(last.total_loss)


def test_a_run_without_a_covariance_keeps_its_result(
    noisy: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    def singular(*_: Any, **__: Any) -> Any:
        raise NotPositive(3)

    monkeypatch.setattr(certainty, "covariance", singular)
    refiner, _ = run(noisy[1])
    assert refiner.output.status == "success"
    assert refiner.output.scale.sigma is None
    assert refiner.output.state.people[1].joint_sigma is None


def test_cancel_discards(noisy: tuple[Scene, Scene]) -> None:
    control = RunControl()
    refiner = Stage5Refiner(QUICK)
    snapshots = refiner.iterate(RefinementInput.from_scene(noisy[1]), control)
    while next(snapshots).event != "iteration":
        pass
    control.cancel()
    with pytest.raises(Cancelled):
        next(snapshots)
    with pytest.raises(OptimizationError, match="has no result"):
        _ = refiner.output


def test_weights_change_while_it_runs(noisy: tuple[Scene, Scene]) -> None:
    control = RunControl()
    refiner = Stage5Refiner(QUICK)
    seen = []
    for s in refiner.iterate(RefinementInput.from_scene(noisy[1]), control):
        if s.sub_stage == "smpl" and s.event == "iteration":
            seen.append(set(s.terms))
            control.set_weights({"smooth": 0.0})
    assert "smooth" in seen[0]
    assert "smooth" not in seen[-1]


def test_it_goes_on_with_weights_that_changed_in_the_last_iteration(
    noisy: tuple[Scene, Scene],
) -> None:
    refiner = Stage5Refiner(QUICK)
    state = refiner.refine(RefinementInput.from_scene(noisy[1])).state
    alone = list(refiner.resolving(state, {"smooth": 0.01}, "smpl"))
    last = alone[-1].iteration
    control = RunControl()
    seen: list[tuple[str, int, set[str]]] = []
    for s in refiner.resolving(state, {"smooth": 0.01}, "smpl", control):
        seen.append((s.event, s.iteration, set(s.terms)))
        if (s.event, s.iteration) == ("iteration", last):
            control.set_weights({"smooth": 0.0})
    assert seen[-1][1] > last
    assert "smooth" in seen[last][2]
    assert "smooth" not in seen[-1][2]


def test_a_sub_stage_can_be_switched_off_before_it_begins(noisy: tuple[Scene, Scene]) -> None:
    control = RunControl()
    refiner = Stage5Refiner(QUICK)
    for s in refiner.iterate(RefinementInput.from_scene(noisy[1]), control):
        if s.sub_stage == "root":
            control.set_enabled("environmental", False)
    status = {s.sub_stage: s.status for s in refiner.output.sub_stages}
    assert status["environmental"] == "skipped"


class WatchedControl(RunControl):
    """Tells when the engine has come to where it must wait."""

    def __init__(self) -> None:
        super().__init__()
        self._arrivals = threading.Semaphore(0)

    def wait_for_turn(self) -> Verdict:
        if self.paused and self.verdict == "go":
            self._arrivals.release()
        return super().wait_for_turn()

    def hold(self) -> None:
        if self.holds_inside:
            self._arrivals.release()
        super().hold()

    def settle(self) -> None:
        """Wait until the engine waits."""
        assert self._arrivals.acquire(timeout=100)


def test_stepping_does_one_iteration_at_a_time(
    noisy: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    jumped = 0.0
    readings = SimpleNamespace(perf_counter=lambda: time.perf_counter() + jumped)
    monkeypatch.setattr(clock, "time", readings)
    control = WatchedControl()
    control.pause()
    refiner = Stage5Refiner(QUICK)
    seen: list[Snapshot] = []

    def work() -> None:
        for snapshot in refiner.iterate(RefinementInput.from_scene(noisy[1]), control):
            seen.append(snapshot)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    control.settle()
    assert seen == []
    control.step_substage()
    control.settle()
    assert {s.sub_stage for s in seen if s.event == "end"} == {"init"}
    control.step_iteration()
    control.settle()
    assert sum(s.event == "iteration" for s in seen) == 1
    control.step_iteration()
    control.settle()
    assert sum(s.event == "iteration" for s in seen) == 2
    jumped = 1e5
    control.stop()
    thread.join(100)
    assert not thread.is_alive()
    assert refiner.output.status == "stopped"
    assert sum(s.seconds for s in refiner.output.sub_stages) < 1e4, (
        "paused time is not working time"
    )


def test_a_run_goes_on_from_an_earlier_state(noisy: tuple[Scene, Scene]) -> None:
    first, snapshots = run(noisy[1])
    middle = next(s for s in snapshots if s.sub_stage == "motion" and s.event == "end")
    again, later = run(noisy[1], start=middle.state, first_substage="environmental")
    status = {s.sub_stage: s.status for s in again.output.sub_stages}
    assert status["root"] == "skipped"
    assert status["smpl"] == "skipped"
    begun = next(s for s in later if s.sub_stage == "environmental")
    np.testing.assert_allclose(
        begun.state.people[1].transl_world, middle.state.people[1].transl_world
    )
    np.testing.assert_allclose(
        again.output.state.people[1].transl_world,
        first.output.state.people[1].transl_world,
        # Along the viewing ray the loss is flat: both runs end where iterations change nothing,
        # which is not the same millimetre.
        atol=1e-2,
    )


def test_resolving_after_a_weight_change_is_warm(noisy: tuple[Scene, Scene]) -> None:
    refiner, _ = run(noisy[1])
    state = refiner.output.state
    smoother = refiner.resolve(state, {"smooth": 1.0})

    def roughness(s: Any) -> float:
        return float(np.abs(np.diff(s.people[1].transl_world, n=2, axis=0)).mean())

    assert roughness(smoother) < roughness(state)


def test_the_documents_loss_methods(noisy: tuple[Scene, Scene]) -> None:
    refiner, _ = run(noisy[1])
    state = refiner.output.state
    whole = refiner._compute_smpl_loss(state)
    assert whole > refiner._compute_root_loss(state) > 0
    assert refiner._compute_environmental_loss(state) >= 0
    assert refiner._compute_depth_consistency_loss(state) == 0.0  # no depth in this scene
    worse = replace(
        state,
        people={
            i: replace(p, transl_world=p.transl_world + [0.3, 0, 0])
            for i, p in state.people.items()
        },
    )
    assert refiner._compute_root_loss(worse) > refiner._compute_root_loss(state)


@pytest.mark.parametrize(
    ("name", "sub_stage"),
    [
        ("root", "root"),
        ("smpl", "smpl"),
        ("motion_prior", "motion"),
        ("environmental", "environmental"),
        ("scale", "scale"),
        ("final", "final"),
    ],
)
def test_the_documents_sub_stage_methods(
    noisy: tuple[Scene, Scene], name: str, sub_stage: Any
) -> None:
    refiner, _ = run(noisy[1], QUICK.replace(**dict.fromkeys(ENABLE_KEYS.values(), False)))
    state = refiner.output.initial_state
    better = getattr(refiner, f"_optimize_{name}")(state)
    terms = PLANS[sub_stage].terms
    assert refiner.loss(better, terms) < 0.9 * refiner.loss(state, terms)
    assert [r.sub_stage for r in refiner.output.sub_stages if r.iterations] == [sub_stage]


def test_snapshots_cannot_be_written_to(noisy: tuple[Scene, Scene]) -> None:
    _, snapshots = run(noisy[1])
    assert snapshots[-1].state.people[1].joint_sigma is not None
    for snapshot in snapshots:
        state = snapshot.state
        shared = [state.ground_plane, state.chunk_log_scale]
        for person in state.people.values():
            shared += [a for a in vars(person).values() if a is not None]
        assert not any(array.flags.writeable for array in shared)
    with pytest.raises(ValueError, match="read-only"):
        snapshots[-1].state.people[1].transl_world[0] = 0


def test_without_keypoints_it_still_refines(noisy: tuple[Scene, Scene]) -> None:
    blind = replace(
        noisy[1], people={i: replace(p, keypoints=None) for i, p in noisy[1].people.items()}
    )
    refiner, _ = run(blind)
    assert refiner.output.status == "success"
    assert all(np.isfinite(p.transl_world).all() for p in refiner.output.state.people.values())
