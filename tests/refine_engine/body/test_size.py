from __future__ import annotations

import numpy as np
import pytest

from refine_engine.body import PARENTS, body_size, embedded_body, rest_joints, stature
from refine_engine.body.size import SMALLEST_SIZE


@pytest.fixture(scope="module")
def many_betas():
    return np.random.default_rng(4).normal(size=(200, 10)).clip(-2, 2)


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_stature_is_the_height_of_the_whole_mesh(gender, many_betas):
    body = embedded_body(gender)
    heights = [np.ptp((body.v_template + body.shapedirs @ betas)[:, 1]) for betas in many_betas]
    np.testing.assert_allclose(stature(body, many_betas).value, heights, atol=5e-3)
    np.testing.assert_allclose(stature(body, np.zeros(10)).value, np.ptp(body.v_template[:, 1]))


@pytest.mark.parametrize("measure", [stature, body_size])
def test_gradients_are_the_derivatives(plain_body, many_betas, measure):
    found = measure(plain_body, many_betas)
    assert found.gradient.shape == (200, 10)
    step = 1e-4
    for k in range(10):
        shift = np.eye(10)[k] * step
        change = (
            measure(plain_body, many_betas + shift).value
            - measure(plain_body, many_betas - shift).value
        )
        np.testing.assert_allclose(found.gradient[:, k], change / (2 * step), atol=1e-8)


def test_body_size_follows_the_bones(plain_body, many_betas):
    assert body_size(plain_body, np.zeros(10)).value == 1.0
    joints = rest_joints(plain_body, many_betas)
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, np.array(PARENTS[1:])], axis=-1).sum(1)
    rest = plain_body.rest_joints_template
    mean = np.linalg.norm(rest[1:] - rest[np.array(PARENTS[1:])], axis=-1).sum()
    np.testing.assert_allclose(body_size(plain_body, many_betas).value, lengths / mean, atol=4e-3)


def test_body_size_never_reaches_zero(plain_body):
    size = body_size(plain_body, np.r_[-40.0, np.zeros(9)])
    assert size.value == SMALLEST_SIZE
    assert not size.gradient.any()


def test_first_beta_of_the_embedded_bodies_is_stature(plain_body):
    taller = stature(plain_body, np.r_[1.0, np.zeros(9)]).value
    assert taller - stature(plain_body, np.zeros(10)).value == pytest.approx(0.10, abs=0.03)
