"""The block-band factor against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest

from refine_engine.solver.blocks import (
    LANES,
    factor_blocks,
    inverse_blocks,
    solve_lower,
    solve_upper,
)


def band(frames, width, reach, seed=0):
    """Blocks of a random positive definite band matrix, and the dense matrix."""
    rng = np.random.default_rng(seed)
    size = frames * width
    root = np.zeros((size, size))
    for t in range(frames):
        rows = slice(t * width, (t + 1) * width)
        end = min((t + 1 + reach) * width, size)
        root[rows, t * width : end] = (
            0.7 / np.sqrt(3 * width) * rng.standard_normal((width, end - t * width))
        )
        root[rows, rows] += 2 * np.eye(width)
    H = root.T @ root  # couples frames up to `reach` apart
    blocks = [np.zeros((frames if k <= reach else 0, width, width)) for k in range(3)]
    for t in range(frames):
        for k in range(min(reach, frames - 1 - t) + 1):
            rows = slice(t * width, (t + 1) * width)
            columns = slice((t + k) * width, (t + k + 1) * width)
            blocks[k][t] = H[rows, columns]
    return blocks, H


@pytest.mark.parametrize("width", [6, 69])
@pytest.mark.parametrize("reach", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_solutions_and_inverse(width, reach, dtype):
    frames = 7
    blocks, H = band(frames, width, reach)
    here, next1, next2 = (b.astype(dtype) for b in blocks)
    assert factor_blocks(here, next1, next2, reach, frames) == -1
    rng = np.random.default_rng(1)
    right = rng.standard_normal((frames, width, LANES)).astype(dtype)
    x = right.copy()
    solve_lower(here, next1, next2, reach, x, frames)
    flat, exact = x.reshape(-1, LANES), right.reshape(-1, LANES).astype(float)
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    # L^-1 B gives B^T H^-1 B as its square.
    expected = exact.T @ np.linalg.solve(H, exact)
    assert np.abs(flat.T @ flat - expected).max() < tolerance * np.abs(expected).max()
    solve_upper(here, next1, next2, reach, x, frames)
    expected = np.linalg.solve(H, exact)
    assert np.abs(x.reshape(-1, LANES) - expected).max() < tolerance * np.abs(expected).max()
    diagonal = np.empty((frames, width, width), dtype)
    inverse_blocks(here, next1, next2, reach, diagonal)
    inverse = np.linalg.inv(H)
    for t in range(frames):
        block = inverse[t * width : (t + 1) * width, t * width : (t + 1) * width]
        assert np.abs(diagonal[t] - block).max() < tolerance * np.abs(inverse).max()


def test_a_matrix_that_is_not_positive_is_found():
    (here, next1, next2), _ = band(6, 6, 2)
    here[3] -= 40 * np.eye(6)
    assert factor_blocks(here, next1, next2, 2, 6) == 3


def test_not_a_number_is_found():
    (here, next1, next2), _ = band(6, 6, 2)
    here[2, 0, 0] = np.nan
    assert factor_blocks(here, next1, next2, 2, 6) == 2
