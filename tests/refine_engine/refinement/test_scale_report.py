from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refine_engine.config import RefinementConfig
from refine_engine.refinement.initialisation import initialise
from refine_engine.refinement.scale_report import scale_report

SceneMaker = Callable[..., Any]


def static(scene: Any) -> Any:
    cameras = scene.cameras
    n = cameras.num_frames
    return replace(
        scene,
        cameras=replace(
            cameras,
            R_cam_world=np.tile(cameras.R_cam_world[:1], (n, 1, 1)),
            t_cam_world=np.tile(cameras.t_cam_world[:1], (n, 1)),
        ),
    )


def test_a_static_camera_is_said_to_be_unobservable(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=20)
    scene = static(scene)
    config = RefinementConfig()
    start = initialise(scene, body, config)
    report = scale_report(scene, config, start.scale, start.state, 0.1, optimised=True)
    assert not report.observable
    assert "not observable from motion: the camera is static" in report.note
    assert {c.name: c.alpha for c in report.cues}["motion"] is None


def test_a_moving_camera_is_observable(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=40)
    config = RefinementConfig()
    start = initialise(scene, body, config)
    report = scale_report(scene, config, start.scale, start.state, 0.02, optimised=True)
    assert report.observable
    assert report.sigma == pytest.approx(0.02)
    assert report.note == ""
    before = scale_report(scene, config, start.scale, start.state, None, optimised=False)
    assert before.sigma == start.scale.sigma


def test_a_bound_that_was_hit_is_said(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=40)
    config = RefinementConfig()
    start = initialise(scene, body, config)
    stuck = replace(start.state, scale_delta=0.05, alpha_0_log_sigma=None)
    report = scale_report(scene, config, start.scale, stuck, 0.02, optimised=True)
    assert report.at_bound
    assert "bound of 5 %: raise alpha_change_threshold" in report.note
    assert report.alpha == pytest.approx(1.05 * report.alpha_0)
    assert report.bound == pytest.approx((-0.05, 0.05))
    assert report.bound_source == "alpha_change_threshold"
    free = config.replace(optimize_delta_alpha=False)
    report = scale_report(scene, free, start.scale, stuck, 0.02, optimised=True)
    assert not report.at_bound
    assert (report.bound, report.bound_source) == (None, "free")


def test_the_bound_about_an_estimate_follows_its_certainty(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=40)
    config = RefinementConfig()
    start = initialise(scene, body, config)

    def report(delta: float) -> Any:
        state = replace(start.state, scale_delta=delta, alpha_0_log_sigma=0.14)
        return scale_report(scene, config, start.scale, state, 0.02, optimised=True)

    assert not report(0.05).at_bound
    assert report(0.05).bound == pytest.approx((np.exp(-0.28) - 1, np.exp(0.28) - 1))
    assert report(0.05).bound_source == "alpha_bound_sigmas"
    above, below = report(np.exp(0.28) - 1), report(np.exp(-0.28) - 1)
    assert above.at_bound
    assert below.at_bound
    assert "+32.3 % (2 sigma of alpha_0): raise alpha_bound_sigmas" in above.note
    assert "-24.4 % (2 sigma of alpha_0): raise alpha_bound_sigmas" in below.note
