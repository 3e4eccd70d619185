"""A thousand frames of full HD open without reading their images."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from refine_engine.importers import load_results
from tests.refine_engine.importers import folders

T, H, W = 1000, 1080, 1920


def sparse_array(path: Path, shape: tuple[int, ...], dtype: type, first: bytes = b"") -> None:
    """An ``.npy`` file of zeros that takes no room on disk."""
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        file.write(first)
        file.truncate(start + int(np.prod(shape)) * np.dtype(dtype).itemsize)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("large") / "run"
    truth = folders.write_results(root, T, depth=False, masks=False)
    scale = np.diag([W / 96, W / 96, 1.0])
    K = scale @ truth.K
    K[:, :2, 2] = W / 2, H / 2
    folders.write_cameras(truth, intrinsics=K)
    folders.dump(
        truth.cameras / "metadata.json",
        {"num_frames": T, "image_size": [H, W], "method_used": "vggt"},
    )
    for name in ("depth_maps", "depth_uncertainty", "masks"):
        (truth.cameras / name).mkdir()
    (truth.tracks / "masks").mkdir()
    ones = np.ones(64 * W, dtype=np.float32).tobytes()
    template = root / "depth.npy"
    sparse_array(template, (H, W), np.float32, ones)
    for t in range(T):
        os.link(template, truth.cameras / f"depth_maps/depth_{t:06d}.npy")
        sparse_array(truth.cameras / f"depth_uncertainty/sigma_{t:06d}.npy", (H, W), np.float32)
        sparse_array(truth.cameras / f"masks/frame_{t:06d}_dynamic.npy", (H, W), bool)
        for i in (1, 2):
            path = truth.tracks / f"masks/frame_{t:06d}_person_{i:03d}.npy"
            sparse_array(path, (H, W), bool)
    return root


def test_opening_takes_little_memory(large: Path) -> None:
    tracemalloc.start()
    try:
        scene = load_results(large)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One depth map alone is 8 MB; a thousand would be 8 GB.
    assert peak < 200e6
    assert scene.num_frames == T
    assert scene.depth is not None
    assert scene.depth.size == (H, W)
    assert all(scene.depth.has(t) for t in range(T))
    assert scene.masks is not None
    mask = scene.masks.person(2, 500)
    assert mask is not None
    assert mask.shape == (H, W)


def test_images_are_read_on_demand(large: Path) -> None:
    depth = load_results(large).depth
    assert depth is not None
    values = depth.depth(999)
    assert values[:63].min() == 1
    assert not values[65:].any()
    trust = depth.confidence(999)
    assert trust is not None
    assert not trust.any()
