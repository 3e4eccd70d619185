"""What callers ask at the wrong time or of the wrong input, and every moment to end a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refine_engine.config import ITERATION_KEYS, RefinementConfig
from refine_engine.errors import Cancelled, ConfigError, InputError, OptimizationError
from refine_engine.geometry.rotations import exp_so3
from refine_engine.refinement.control import RunControl
from refine_engine.refinement.refiner import Stage5Refiner
from refine_engine.scene import Scene
from refine_engine.state import SUBSTAGES, OptimizationState, Snapshot

FEW = RefinementConfig(threads=1).replace(**dict.fromkeys(ITERATION_KEYS.values(), 2))


@pytest.fixture
def scene(standing_scene: Callable[..., Any]) -> Scene:
    exact, rng = standing_scene(frames=6)[0], np.random.default_rng(4)
    people = {
        i: replace(
            p,
            body_pose=p.body_pose @ exp_so3(rng.normal(0, 0.06, (6, 23, 3))),
            transl_cam=p.transl_cam * (1.0 + 0.02 * rng.normal(size=(6, 1))),
        )
        for i, p in exact.people.items()
    }
    return replace(exact, people=people)


@pytest.fixture
def done(scene: Scene) -> Stage5Refiner:
    refiner = Stage5Refiner(FEW)
    refiner.refine(scene)
    return refiner


def moments(scene: Scene) -> int:
    return len(list(Stage5Refiner(FEW).iterate(scene)))


def ended_at(scene: Scene, moment: int, how: str) -> tuple[Stage5Refiner, list[Snapshot]]:
    refiner, control, seen = Stage5Refiner(FEW), RunControl(), []
    for snapshot in refiner.iterate(scene, control):
        if len(seen) == moment:
            getattr(control, how)()
        seen.append(snapshot)
    return refiner, seen


def test_a_stop_at_any_moment_keeps_what_was_shown_last(scene: Scene) -> None:
    for moment in range(moments(scene) - 1):
        refiner, seen = ended_at(scene, moment, "stop")
        output = refiner.output
        assert output.status == "stopped"
        assert not output.convergence_achieved
        assert seen[-1].event == "end"
        for i, p in output.state.people.items():
            np.testing.assert_array_equal(p.transl_world, seen[-1].state.people[i].transl_world)


def test_a_cancel_at_any_moment_leaves_nothing(scene: Scene) -> None:
    for moment in range(moments(scene) - 1):
        refiner, control = Stage5Refiner(FEW), RunControl()
        with pytest.raises(Cancelled):  # noqa: PT012
            for k, _ in enumerate(refiner.iterate(scene, control)):
                if k == moment:
                    control.cancel()
        with pytest.raises(OptimizationError, match="has no result"):
            _ = refiner.output


@pytest.mark.parametrize("last", SUBSTAGES[:-1])
def test_a_run_goes_on_after_any_sub_stage(scene: Scene, last: Any) -> None:
    refiner = Stage5Refiner(FEW)
    for snapshot in refiner.iterate(scene):
        if snapshot.event == "end" and snapshot.sub_stage == last:
            state, earlier = refiner.output.state, refiner.output.sub_stages
    whole = refiner.output
    following = SUBSTAGES[SUBSTAGES.index(last) + 1]
    again = Stage5Refiner(FEW)
    ran = {
        s.sub_stage
        for s in again.iterate(scene, start=state, first_substage=following, earlier=earlier)
        if s.event == "iteration"
    }
    assert ran <= set(SUBSTAGES[SUBSTAGES.index(following) :])
    assert [r.sub_stage for r in again.output.sub_stages] == list(SUBSTAGES)
    by_name = {r.sub_stage: r for r in again.output.sub_stages}
    for result in earlier[1:]:
        assert by_name[result.sub_stage] == result
    # The evidence is the input's, wherever a run goes on from: the result is the same.
    assert again.output.state.alpha == whole.state.alpha
    for i, p in whole.state.people.items():
        np.testing.assert_array_equal(again.output.state.people[i].transl_world, p.transl_world)
        np.testing.assert_array_equal(again.output.state.people[i].body_pose, p.body_pose)


def others(state: OptimizationState) -> dict[str, OptimizationState]:
    """States that are of another input than ``state``."""
    one = state.people[1]
    shorter = replace(
        one,
        frames=one.frames[:4],
        R_world_root=one.R_world_root[:4],
        body_pose=one.body_pose[:4],
        transl_world=one.transl_world[:4],
        observed=one.observed[:4],
        contacts=one.contacts[:4],
        joint_sigma=None,
        image_shift=None,
    )
    lost = replace(one, transl_world=np.full_like(one.transl_world, np.nan))
    return {
        r"people \[1\]": replace(state, people={1: one}),
        "other frames of person 1": replace(state, people={**state.people, 1: shorter}),
        "3 reconstruction chunks": replace(state, chunk_log_scale=np.zeros(3)),
        "not finite": replace(state, people={**state.people, 1: lost}),
        "ground or scale": replace(state, ground_plane=np.full(4, np.nan)),
    }


def test_states_of_another_input_are_refused(scene: Scene, done: Stage5Refiner) -> None:
    for says, state in others(done.output.state).items():
        with pytest.raises(InputError, match=says):
            list(Stage5Refiner(FEW).iterate(scene, start=state))
        with pytest.raises(InputError, match=says):
            done.resolve(state)
        with pytest.raises(InputError, match=says):
            done.loss(state, ("data",))


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"date": 1.0}, "did you mean 'data'"),
        ({"data": float("nan")}, "not a number"),
        ({"data": -1.0}, "out of range"),
        ({"smooth": 2.0, "skate": "much"}, "lambda_skate"),
    ],
)
def test_wrong_weights_are_refused_and_change_nothing(
    done: Stage5Refiner, weights: dict[str, Any], says: str
) -> None:
    control = RunControl()
    with pytest.raises(ConfigError, match=says):
        control.set_weights(weights)
    assert not control.has_unread_weights
    state = done.output.state
    before = done.loss(state, ("data", "smooth"))
    with pytest.raises(ConfigError, match=says):
        done.resolve(state, weights)
    assert done.loss(state, ("data", "smooth")) == before


def test_sub_stages_that_there_are_not_are_refused(scene: Scene, done: Stage5Refiner) -> None:
    wrong: Any = "finale"
    with pytest.raises(ConfigError, match="is not a sub-stage"):
        list(Stage5Refiner(FEW).iterate(scene, first_substage=wrong))
    with pytest.raises(ConfigError, match="is not a sub-stage"):
        done.resolve(done.output.state, sub_stage=wrong)
    with pytest.raises(ConfigError, match="cannot be solved again"):
        done.resolve(done.output.state, sub_stage="init")
    with pytest.raises(ConfigError, match="use one of root, smpl"):
        RunControl().set_enabled("init", False)
    with pytest.raises(ConfigError, match="is not a term"):
        done.loss(done.output.state, ("sharpness",))


def test_before_any_input_there_is_nothing_to_ask(done: Stage5Refiner) -> None:
    fresh, state = Stage5Refiner(FEW), done.output.state
    for ask in (
        lambda: fresh.output,
        lambda: fresh.packed_problem,
        lambda: fresh.resolve(state),
        lambda: fresh.loss(state, ("data",)),
    ):
        with pytest.raises(OptimizationError, match=r"run refine\(\) or iterate\(\) first"):
            ask()


@pytest.mark.parametrize("given", [None, "results", {"people": 3}])
def test_what_is_no_input_is_named(given: Any) -> None:
    with pytest.raises(InputError, match=type(given).__name__):
        Stage5Refiner(FEW).refine(given)


def test_settings_may_be_a_pipelines_mapping() -> None:
    assert Stage5Refiner({"lambda_data": 2.0}).config.lambda_data == 2.0
    with pytest.raises(ConfigError, match="is not a setting"):
        Stage5Refiner({"lambda_date": 2.0})
