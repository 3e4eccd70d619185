from __future__ import annotations

import numpy as np
import pytest

from refine_engine.evaluation.alignment import align
from refine_engine.geometry.rotations import matrix_from_axis_angle


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def test_recovers_a_batch_of_similarities(rng: np.random.Generator) -> None:
    source = rng.normal(size=(5, 24, 3))
    R = matrix_from_axis_angle(rng.normal(size=(5, 3)))
    s = rng.uniform(0.5, 2.0, 5)
    t = rng.normal(size=(5, 3))
    target = s[:, None, None] * source @ np.swapaxes(R, -1, -2) + t[:, None]
    fit = align(source, target)
    np.testing.assert_allclose(fit.scale, s, rtol=1e-12)
    np.testing.assert_allclose(fit.R, R, atol=1e-12)
    np.testing.assert_allclose(fit.t, t, atol=1e-12)
    np.testing.assert_allclose(fit.apply(source), target, atol=1e-12)


def test_without_scale_keeps_the_size(rng: np.random.Generator) -> None:
    source = rng.normal(size=(30, 3))
    fit = align(source, 1.3 * source + 2.0, with_scale=False)
    assert fit.scale == 1.0
    np.testing.assert_allclose(fit.R, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(fit.apply(source).mean(0), (1.3 * source + 2.0).mean(0), atol=1e-12)


def test_never_mirrors(rng: np.random.Generator) -> None:
    source = rng.normal(size=(24, 3))
    mirrored = source * np.array([-1.0, 1.0, 1.0])
    fit = align(source, mirrored)
    assert np.linalg.det(fit.R) == pytest.approx(1.0)
    assert np.linalg.norm(fit.apply(source) - mirrored, axis=-1).mean() > 0.1


def test_is_the_least_squares_optimum(rng: np.random.Generator) -> None:
    source, target = rng.normal(size=(2, 24, 3))
    fit = align(source, target)
    best = np.sum((fit.apply(source) - target) ** 2)
    for _ in range(20):
        R = fit.R @ matrix_from_axis_angle(rng.normal(size=3) * 0.02)
        s = fit.scale * (1 + 0.02 * rng.normal())
        moved = s * source @ R.T + fit.t + 0.01 * rng.normal(size=3)
        assert np.sum((moved - target) ** 2) > best


def test_a_single_point_has_scale_one() -> None:
    fit = align(np.ones((24, 3)), np.zeros((24, 3)))
    assert fit.scale == 1.0
    np.testing.assert_allclose(fit.apply(np.ones((24, 3))), 0.0, atol=1e-12)
