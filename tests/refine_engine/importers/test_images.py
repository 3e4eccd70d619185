"""Depth maps and masks: lazy, checked, and their defects B13, B14, B25."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refine_engine.importers import load_results
from refine_engine.importers.depth import smeared_edges
from refine_engine.scene import Finding, Scene
from tests.refine_engine.importers import folders


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", world=False)


def found(scene: Scene, code: str) -> Finding:
    (finding,) = (f for f in scene.report.findings if f.code == code)
    return finding


def depth_file(truth: folders.Truth, frame: int) -> Path:
    return truth.cameras / f"depth_maps/depth_{frame:06d}.npy"


def test_depth_is_the_file_s(truth: folders.Truth) -> None:
    depth = load_results(truth.root).depth
    assert depth is not None
    assert depth.size == folders.SIZE
    assert depth.shares_camera_unit
    for frame in (0, 11, 23):
        assert depth.has(frame)
        np.testing.assert_array_equal(depth.depth(frame), np.load(depth_file(truth, frame)))
    assert not depth.has(24)
    assert depth.depth(0).dtype == np.float32


def test_unknown_depth_is_zero(truth: folders.Truth) -> None:
    values = np.load(depth_file(truth, 3))
    values[0, :4] = [np.nan, np.inf, -1, 0]
    np.save(depth_file(truth, 3), values)
    depth = load_results(truth.root).depth
    assert depth is not None
    np.testing.assert_array_equal(depth.depth(3)[0, :4], 0)
    assert depth.depth(3)[0, 4] == values[0, 4]


def test_b13_sigma_becomes_trust(truth: folders.Truth) -> None:
    sigma = np.zeros(folders.SIZE, dtype=np.float32)
    sigma[0, 0], sigma[0, 1] = -2.5, np.nan
    np.save(truth.cameras / "depth_uncertainty/sigma_000004.npy", sigma)
    scene = load_results(truth.root)
    assert scene.depth is not None
    trust = scene.depth.confidence(4)
    assert trust is not None
    assert trust[0, 0] == np.float32(2.5)
    assert not trust[0, 1:].any()
    np.testing.assert_allclose(scene.depth.confidence(0), 0.8)
    finding = found(scene, "B13")
    assert (finding.count, finding.action) == (24, "repaired")


def test_b13_positive_uncertainties_are_something_else(truth: folders.Truth) -> None:
    for path in (truth.cameras / "depth_uncertainty").iterdir():
        np.save(path, np.full(folders.SIZE, 0.3, dtype=np.float32))
    scene = load_results(truth.root)
    assert found(scene, "B13").action == "discarded"
    assert scene.depth is not None
    assert scene.depth.confidence(0) is None


def test_b14_masks_mean_that_people_were_blacked_out(truth: folders.Truth) -> None:
    scene = load_results(truth.root)
    assert found(scene, "B14").count == 24
    assert scene.depth is not None
    assert scene.depth.people_masked_out
    folders.remove(truth.cameras / "masks")
    scene = load_results(truth.root)
    assert "B14" not in scene.report.codes()
    assert scene.depth is not None
    assert not scene.depth.people_masked_out
    assert any("No dynamic masks" in text for text in scene.report.missing)


def test_b25_depth_between_two_surfaces_is_left_out(truth: folders.Truth) -> None:
    near_far = np.full((530, 540), 2.0, dtype=np.float32)
    near_far[:, 300:] = 6.0
    near_far[:, 297:300] = [3.0, 4.0, 5.0]
    for frame in range(24):
        np.save(depth_file(truth, frame), near_far)
    folders.remove(truth.cameras / "depth_uncertainty")
    scene = load_results(truth.root)
    assert found(scene, "B25").count == 24
    assert scene.depth is not None
    row = scene.depth.depth(7)[100]
    np.testing.assert_array_equal(row[296:301], 0)
    np.testing.assert_array_equal(row[:296], 2)
    np.testing.assert_array_equal(row[301:], 6)
    assert any("No depth confidence" in text for text in scene.report.missing)


def test_b25_a_floor_is_no_edge() -> None:
    v = np.arange(60, 540, dtype=np.float32)[:, None]
    floor = np.broadcast_to(1500.0 * 1.5 / v, (480, 640)).astype(np.float32)
    assert not smeared_edges(floor).any()


def test_small_maps_are_not_upsampled_ones(truth: folders.Truth) -> None:
    assert "B25" not in load_results(truth.root).report.codes()


def test_the_first_writer_s_names_and_axes(truth: folders.Truth) -> None:
    for frame in range(24):
        values = np.load(depth_file(truth, frame))
        depth_file(truth, frame).unlink()
        np.save(truth.cameras / f"depth_maps/depth_{frame:04d}.npy", values[..., None])
    depth = load_results(truth.root).depth
    assert depth is not None
    assert depth.depth(23).shape == folders.SIZE


def test_one_damaged_map_is_reported_and_the_others_are_used(truth: folders.Truth) -> None:
    path = depth_file(truth, 5)
    path.write_bytes(path.read_bytes()[:1000])
    np.save(depth_file(truth, 6), np.zeros((3, 4), dtype=np.float32))
    scene = load_results(truth.root)
    assert scene.depth is not None
    assert [scene.depth.has(f) for f in (4, 5, 6, 7)] == [True, False, False, True]
    finding = found(scene, "unreadable")
    assert finding.count == 2
    assert "depth_000005.npy" in finding.message
    assert found(scene, "B22").count == 2


def test_no_depth_and_empty_depth_are_missing(truth: folders.Truth) -> None:
    for frame in range(24):
        np.save(depth_file(truth, frame), np.zeros(folders.SIZE, dtype=np.float32))
    scene = load_results(truth.root)
    assert scene.depth is None
    assert found(scene, "depth").count == 24
    folders.remove(truth.cameras / "depth_maps")
    scene = load_results(truth.root)
    assert scene.depth is None
    assert any(text.startswith("No depth maps") for text in scene.report.missing)


def test_masks_are_joined_by_person_and_frame(truth: folders.Truth) -> None:
    masks = load_results(truth.root).masks
    assert masks is not None
    stored = np.load(truth.tracks / "masks/frame_000005_person_002.npy")
    np.testing.assert_array_equal(masks.person(2, 5), stored)
    assert masks.person(2, 0) is None
    assert masks.person(9, 5) is None
    assert masks.dynamic(99) is None


def test_the_dynamic_mask_includes_people_that_it_missed(truth: folders.Truth) -> None:
    np.save(truth.cameras / "masks/frame_000005_dynamic.npy", np.zeros(folders.SIZE, dtype=bool))
    masks = load_results(truth.root).masks
    assert masks is not None
    union = masks.dynamic(5)
    assert union is not None
    people = [np.load(truth.tracks / f"masks/frame_000005_person_00{i}.npy") for i in (1, 2)]
    np.testing.assert_array_equal(union, people[0] | people[1])


def test_masks_by_list_position_cannot_be_joined(truth: folders.Truth) -> None:
    for path in (truth.tracks / "masks").iterdir():
        np.save(path, np.load(path).astype(np.uint8))
    scene = load_results(truth.root)
    assert found(scene, "era").count == 42
    assert scene.masks is not None
    assert scene.masks.person(1, 5) is None


def test_a_damaged_mask_does_not_prevent_opening(truth: folders.Truth) -> None:
    path = truth.tracks / "masks/frame_000005_person_002.npy"
    path.write_bytes(path.read_bytes()[:500])
    scene = load_results(truth.root)
    assert found(scene, "unreadable").count == 1
    assert scene.masks is not None
    assert scene.masks.person(2, 5) is None
    assert scene.masks.person(2, 6) is not None


def test_no_masks_at_all(truth: folders.Truth) -> None:
    folders.remove(truth.cameras / "masks")
    folders.remove(truth.tracks / "masks")
    scene = load_results(truth.root)
    assert scene.masks is None
    assert any("No masks of people" in text for text in scene.report.missing)
