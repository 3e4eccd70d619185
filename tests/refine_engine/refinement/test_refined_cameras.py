"""Cameras follow what everybody's image shifts share."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from refine_engine.geometry.rotations import exp_so3
from refine_engine.refinement.refined_cameras import HANDOVER, common_shift, refined_cameras
from refine_engine.scene import CameraTrack
from refine_engine.state import OptimizationState, PersonState

FRAMES = 60
DRIFT = np.stack([np.linspace(0.0, 0.004, FRAMES), np.linspace(0.0, -0.009, FRAMES)], axis=1)


def person(
    shift: np.ndarray | None, first: int = 0, last: int = FRAMES, hidden: tuple[int, int] = (0, 0)
) -> PersonState:
    n = last - first
    observed = np.ones(n, dtype=bool)
    observed[hidden[0] : hidden[1]] = False
    return PersonState(
        frames=np.arange(first, last),
        R_world_root=np.tile(np.eye(3), (n, 1, 1)),
        body_pose=np.tile(np.eye(3), (n, 23, 1, 1)),
        betas=np.zeros(10),
        transl_world=np.zeros((n, 3)),
        observed=observed,
        contacts=np.zeros((n, 4)),
        image_shift=None if shift is None else shift[first:last],
    )


def state(*people: PersonState) -> OptimizationState:
    return OptimizationState(
        dict(enumerate(people, 1)), np.array([0.0, 1.0, 0.0, 1.0]), alpha_0=1.0
    )


def cameras(seed: int = 0) -> CameraTrack:
    rng = np.random.default_rng(seed)
    K = np.array([[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]])
    return CameraTrack(
        R_cam_world=exp_so3(0.3 * rng.standard_normal((FRAMES, 3))),
        t_cam_world=rng.standard_normal((FRAMES, 3)),
        intrinsics=np.tile(K, (FRAMES, 1, 1)),
        image_size=(720, 1280),
        intrinsics_pose=K,
        chunk=np.zeros(FRAMES, dtype=np.int64),
    )


def test_a_shift_that_all_share_is_the_cameras() -> None:
    found = common_shift(state(person(DRIFT), person(DRIFT, 10, 50)), cameras().chunk)
    assert_allclose(found, DRIFT, atol=1e-9)


def test_what_people_differ_in_averages_out() -> None:
    own = np.array([0.003, 0.002])
    found = common_shift(state(person(DRIFT + own), person(DRIFT - own)), cameras().chunk)
    assert_allclose(found, DRIFT, atol=1e-9)


def test_points_in_front_of_the_camera_move_by_the_shift() -> None:
    given = cameras()
    turned = refined_cameras(given, state(person(DRIFT)))
    # On the optical axis, where a turn is the shift to second order.
    centres = -np.einsum("tji,tj->ti", given.R_cam_world, given.t_cam_world)
    points = centres + 5.0 * given.R_cam_world[:, 2]
    seen = np.einsum("tij,tj->ti", turned.R_cam_world, points) + turned.t_cam_world
    assert_allclose(seen[:, :2] / seen[:, 2:], DRIFT, atol=1e-6)
    again = -np.einsum("tji,tj->ti", turned.R_cam_world, turned.t_cam_world)
    assert_allclose(again, centres, atol=1e-12)


def test_cameras_do_not_jump_where_somebody_with_an_error_of_their_own_comes() -> None:
    own = np.array([0.006, 0.0])
    found = common_shift(state(person(DRIFT), person(DRIFT + own, 30)), cameras().chunk)
    error = found[:, 0] - DRIFT[:, 0]
    assert np.abs(np.diff(error)).max() < 0.003 / HANDOVER
    assert error[0] < 0.0006
    assert 0.0024 < error[-1] < 0.003


def test_borders_of_reconstruction_chunks_may_jump() -> None:
    shift = DRIFT.copy()
    shift[30:] += 0.02
    chunk = np.repeat([0, 1], 30)
    assert_allclose(common_shift(state(person(shift)), chunk), shift, atol=1e-9)


def test_frames_without_anybody_keep_what_was_before_and_comes_after() -> None:
    shift = np.array([0.01, 0.02])
    seen = person(np.tile(shift, (FRAMES, 1)), 5, 50, hidden=(20, 30))
    found = common_shift(state(seen), np.repeat([0, 1], [3, FRAMES - 3]))
    assert_allclose(found[3:], np.tile(shift, (FRAMES - 3, 1)), atol=1e-6)
    assert_allclose(found[:3], 0.0, atol=1e-9)


def test_the_first_camera_stays_as_it_is() -> None:
    shift = DRIFT + np.array([0.002, 0.0])
    found = common_shift(state(person(shift)), cameras().chunk)
    assert_allclose(found[0], 0.0, atol=1e-6)
    assert np.abs(np.diff(found - DRIFT, axis=0)).max() < 0.002 / HANDOVER
    assert_allclose(found[-1], shift[-1], rtol=0.05)


@pytest.mark.parametrize("shift", [None, np.zeros((FRAMES, 2))])
def test_without_shifts_cameras_stay_as_they_are(shift: np.ndarray | None) -> None:
    given = cameras()
    assert refined_cameras(given, state(person(shift))) is given


def test_a_chunk_without_anybody_is_left_alone() -> None:
    chunk = np.repeat([0, 1], 30)
    found = common_shift(state(person(DRIFT, 0, 30)), chunk)
    assert_allclose(found[:30], DRIFT[:30], atol=1e-9)
    assert_allclose(found[30:], 0.0)
