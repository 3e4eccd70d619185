"""Runs of what is hardly a scene, with settings that hardly make sense: numbers stay numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refine_engine.config import ENABLE_KEYS, ITERATION_KEYS, TERM_NAMES, RefinementConfig
from refine_engine.geometry.rotations import exp_so3
from refine_engine.refinement.maps_in_memory import DepthArrays
from refine_engine.refinement.refiner import Stage5Refiner
from refine_engine.scene import Person, Scene
from refine_engine.state import OptimizationState, RefinementOutput

FRAMES = 8
FEW = RefinementConfig(threads=1).replace(**dict.fromkeys(ITERATION_KEYS.values(), 2))


@pytest.fixture
def scene(standing_scene: Callable[..., Any]) -> Scene:
    """Two people for eight frames, as a pose network would see them, with depth maps."""
    exact, _ = standing_scene(frames=FRAMES)
    rng = np.random.default_rng(5)
    people = {
        i: replace(
            p,
            body_pose=p.body_pose @ exp_so3(rng.normal(0, 0.06, (FRAMES, 23, 3))),
            transl_cam=p.transl_cam * (1.0 + 0.02 * rng.normal(size=(FRAMES, 1))),
        )
        for i, p in exact.people.items()
    }
    maps = 2.4 + 0.02 * rng.normal(size=(FRAMES, 45, 80))
    return replace(exact, people=people, depth=DepthArrays(maps))


def refined(scene: Scene, config: RefinementConfig = FEW) -> RefinementOutput:
    """The result, every number of it checked to be one."""
    output = Stage5Refiner(config).refine(scene)
    for state in (output.initial_state, output.state):
        check_numbers(state)
    assert output.scale.sigma is None or np.isfinite(output.scale.sigma)
    assert all(0.0 < v <= 1.0 for v in output.per_person_likelihoods.values())
    assert set(output.per_person_likelihoods) == set(output.state.people)
    return output


def check_numbers(state: OptimizationState) -> None:
    assert np.isfinite(state.ground_plane).all()
    assert np.isfinite(state.alpha)
    assert state.alpha > 0.0
    for p in state.people.values():
        for array in (p.R_world_root, p.body_pose, p.betas, p.transl_world, p.contacts):
            assert np.isfinite(array).all()
        assert p.joint_sigma is None or np.isfinite(p.joint_sigma).all()


def with_rows(scene: Scene, i: int, rows: Any) -> Scene:
    """Only some rows of one person."""
    return replace(scene, people={**scene.people, i: scene.people[i].taken(np.asarray(rows))})


def with_person(scene: Scene, change: Callable[[Person], Person]) -> Scene:
    return replace(scene, people={**scene.people, 2: change(scene.people[2])})


ODD: dict[str, Callable[[Scene], Scene]] = {
    "one frame": lambda s: with_rows(s, 2, [3]),
    "two frames": lambda s: with_rows(s, 2, [3, 4]),
    "two frames apart": lambda s: with_rows(s, 2, [1, 6]),
    "never together": lambda s: with_rows(with_rows(s, 1, [0, 1, 2]), 2, [5, 6, 7]),
    "observed once": lambda s: with_person(
        s, lambda p: replace(p, observed=np.arange(FRAMES) == 3)
    ),
    "behind the camera": lambda s: with_person(s, lambda p: replace(p, transl_cam=-p.transl_cam)),
    "in the camera": lambda s: with_person(s, lambda p: replace(p, transl_cam=0 * p.transl_cam)),
    "odd shape": lambda s: with_person(s, lambda p: replace(p, betas=np.full(10, 8.0))),
    "no keypoints": lambda s: with_person(s, lambda p: replace(p, keypoints=None)),
    "no confidence": lambda s: with_person(
        s, lambda p: replace(p, keypoints=replace(p.keypoints, confidence=np.zeros((FRAMES, 24))))
    ),
    "wild keypoints": lambda s: with_person(
        s, lambda p: replace(p, keypoints=replace(p.keypoints, pixels=1e7 * p.keypoints.pixels))
    ),
    "no depth": lambda s: replace(s, depth=None),
    "empty depth": lambda s: replace(s, depth=DepthArrays(np.zeros((FRAMES, 45, 80)))),
    "depth of nothing": lambda s: replace(s, depth=DepthArrays(np.full((FRAMES, 45, 80), np.nan))),
    "far depth": lambda s: replace(s, depth=DepthArrays(np.full((FRAMES, 45, 80), 1e9))),
    "small depth": lambda s: replace(s, depth=DepthArrays(np.full((FRAMES, 2, 3), 2.4))),
    "depth without people": lambda s: replace(
        s, depth=DepthArrays(np.full((FRAMES, 45, 80), 2.4), people_masked_out=True)
    ),
    "five a second": lambda s: replace(s, fps=5.0),
    "240 a second": lambda s: replace(s, fps=240.0),
    "a chunk a frame": lambda s: replace(s, cameras=replace(s.cameras, chunk=np.arange(FRAMES))),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_scenes_are_refined(scene: Scene, odd: str) -> None:
    changed = ODD[odd](scene)
    output = refined(changed)
    assert output.status == "success"
    assert set(output.state.people) == set(changed.people)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_videos_of_a_few_frames_are_refined(scene: Scene, frames: int) -> None:
    cameras = replace(
        scene.cameras,
        R_cam_world=scene.cameras.R_cam_world[:frames],
        t_cam_world=scene.cameras.t_cam_world[:frames],
        intrinsics=scene.cameras.intrinsics[:frames],
        chunk=scene.cameras.chunk[:frames],
    )
    for i in (1, 2):
        scene = with_rows(scene, i, np.arange(frames))
    output = refined(replace(scene, cameras=cameras))
    assert all(len(p.frames) == frames for p in output.state.people.values())


def test_the_first_frames_keep_whoever_is_seen_in_one_of_them(scene: Scene) -> None:
    output = refined(with_rows(scene, 2, np.arange(2, FRAMES)), FEW.replace(max_frames=3))
    assert {i: len(p.frames) for i, p in output.state.people.items()} == {1: 3, 2: 1}


def test_one_frame_alone_is_refined(scene: Scene) -> None:
    output = refined(scene, FEW.replace(max_frames=1))
    assert {i: len(p.frames) for i, p in output.state.people.items()} == {1: 1, 2: 1}


def test_the_first_frames_drop_whoever_is_only_guessed_in_them(scene: Scene) -> None:
    guessed = with_person(scene, lambda p: replace(p, observed=np.arange(FRAMES) > 3))
    assert set(refined(guessed, FEW.replace(max_frames=3)).state.people) == {1}


EXTREME: dict[str, dict[str, Any]] = {
    **{f"huge {name}": {f"lambda_{name}": 1e6} for name in TERM_NAMES},
    **{f"tiny {name}": {f"lambda_{name}": 1e-12} for name in ("data", "beta", "cvae", "smooth")},
    "no term": dict.fromkeys((f"lambda_{name}" for name in TERM_NAMES), 0.0),
    "no iteration": dict.fromkeys(ITERATION_KEYS.values(), 0),
    "no budget": {"max_total_iterations": 0},
    "nothing to do": dict.fromkeys(ENABLE_KEYS.values(), False),
    "scale held": {"alpha_change_threshold": 0.0},
    "ground held": {"ground_plane_init": "fixed"},
}


@pytest.mark.parametrize("settings", EXTREME)
def test_extreme_settings_give_numbers(scene: Scene, settings: str) -> None:
    output = refined(scene, FEW.replace(**EXTREME[settings]))
    assert output.status == "success"
    if settings in ("no iteration", "no budget", "nothing to do"):
        for i, p in output.state.people.items():
            np.testing.assert_array_equal(
                p.transl_world, output.initial_state.people[i].transl_world
            )
        assert not output.convergence_achieved
    if settings == "scale held":
        assert output.state.alpha == pytest.approx(output.initial_state.alpha_0, rel=1e-9)


def test_a_crowd_is_refined(standing_scene: Callable[..., Any]) -> None:
    crowd, _ = standing_scene(frames=4, people=30)
    assert len(refined(crowd).state.people) == 30
