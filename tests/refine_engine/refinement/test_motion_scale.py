"""The energy of everybody's motion as a function of alpha, and the scores of a run."""

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.body import embedded_body
from refine_engine.motion_prior.transition import load_transition_prior
from refine_engine.refinement.likelihood import NOT_SCORED, motion_scores
from refine_engine.refinement.motion_scale import motion_scale_curve
from refine_engine.scene import CameraTrack, Scene
from refine_engine.state import OptimizationState, PersonState

ALPHA = 2.0
FRAMES = 60


def _standing(person, lift=0.0):
    mean = load_transition_prior().mean
    R = np.concatenate([np.eye(3)[None], mean, np.eye(3)[None].repeat(2, 0)])
    return PersonState(
        frames=np.arange(FRAMES),
        R_world_root=np.repeat(R[None, 0], FRAMES, 0),
        body_pose=np.repeat(R[None, 1:], FRAMES, 0),
        betas=np.zeros(10),
        transl_world=np.tile([person, 0.9 + lift, 0.0], (FRAMES, 1)),
        observed=np.ones(FRAMES, dtype=bool),
        contacts=np.ones((FRAMES, 4)),
    )


def _scene(moving=True):
    """A camera that shakes sideways by decimetres, five times a second."""
    t = np.arange(FRAMES) / 30.0
    shake = 0.1 * np.sin(2 * np.pi * 2.5 * t) * moving
    R_cam = np.repeat(np.diag([1.0, -1.0, -1.0])[None], FRAMES, 0)
    centre = np.stack([shake, 1.2 + 0 * t, 5.0 + 0.5 * shake], -1)
    t_cam = -np.einsum("tij,tj->ti", R_cam, centre) / ALPHA
    K = np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]])
    cameras = CameraTrack(
        R_cam_world=R_cam,
        t_cam_world=t_cam,
        intrinsics=np.repeat(K[None], FRAMES, 0),
        image_size=(720, 1280),
        intrinsics_pose=K,
        chunk=np.zeros(FRAMES, dtype=np.int64),
    )
    return Scene(people={}, cameras=cameras, fps=30.0, fps_source="user")


def _state(scene, people, wrong=1.0):
    """People who stand still at the true alpha, placed with a wrong one."""
    ride = np.einsum("tji,tj->ti", scene.cameras.R_cam_world, scene.cameras.t_cam_world)
    states = {}
    for i in range(people):
        p = _standing(float(i))
        states[i] = replace(p, transl_world=p.transl_world - (wrong - 1.0) * ALPHA * ride)
    return OptimizationState(
        people=states, ground_plane=np.array([0.0, 1.0, 0.0, 0.0]), alpha_0=wrong * ALPHA
    )


@pytest.mark.parametrize("wrong", [1.0, 0.9, 1.15])
def test_the_minimum_is_where_the_cameras_motion_cancels(wrong):
    scene = _scene()
    curve = motion_scale_curve(scene, embedded_body(), _state(scene, 2, wrong))
    assert curve.alpha == pytest.approx(ALPHA, rel=0.02)
    assert curve.nats.min() == 0.0
    assert curve.sigma is not None
    assert curve.sigma < 0.1 * ALPHA


def test_more_people_know_more():
    scene = _scene()
    one = motion_scale_curve(scene, embedded_body(), _state(scene, 1))
    four = motion_scale_curve(scene, embedded_body(), _state(scene, 4))
    assert one.sigma is not None
    assert four.sigma == pytest.approx(one.sigma / 2, rel=0.05)
    np.testing.assert_allclose(four.nats, 4 * one.nats, rtol=1e-6, atol=1e-9)


def test_a_static_camera_says_nothing():
    scene = _scene(moving=False)
    curve = motion_scale_curve(scene, embedded_body(), _state(scene, 3))
    assert curve.alpha is None
    assert curve.sigma is None
    assert curve.nats.max() < 1e-6


def test_cuts_between_chunks_do_not_count():
    scene = _scene()
    state = _state(scene, 1)
    whole = motion_scale_curve(scene, embedded_body(), state)
    cameras = replace(scene.cameras, chunk=np.arange(FRAMES) // 2)
    cut = motion_scale_curve(replace(scene, cameras=cameras), embedded_body(), state)
    assert whole.nats.max() > 1
    assert cut.nats.max() == 0.0


def test_scores_of_a_run():
    scene = _scene()
    state = _state(scene, 2)
    hidden = replace(state.people[1], observed=np.arange(FRAMES) % 3 == 0)
    state = replace(state, people={0: state.people[0], 1: hidden})
    scores = motion_scores(scene, embedded_body(), state)
    assert 0.9 < scores.likelihoods[0] <= 1.0
    assert scores.likelihoods[1] == NOT_SCORED
    assert set(scores.nats) == {0}
    assert scores.influence[0] == pytest.approx(1.0)
