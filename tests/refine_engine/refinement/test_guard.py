from __future__ import annotations

from refine_engine.refinement.guard import compare
from refine_engine.refinement.substages import PLANS


def test_better_evidence_is_accepted() -> None:
    verdict = compare({"keypoints": 12.0, "depth": 0.05}, {"keypoints": 9.0, "depth": 0.04})
    assert not verdict.worse
    assert verdict.change < 0
    assert "12.0 -> 9.0 px" in verdict.message


def test_worse_evidence_is_rolled_back() -> None:
    assert compare({"keypoints": 9.0}, {"keypoints": 14.0}).worse


def test_a_gain_does_not_buy_a_large_loss() -> None:
    before = {"keypoints": 9.0, "slide": 0.012}
    assert compare(before, {"keypoints": 14.0, "slide": 0.010}).worse


def test_a_little_keypoint_error_for_much_less_sliding_is_accepted() -> None:
    before = {"keypoints": 9.0, "slide": 0.012}
    assert not compare(before, {"keypoints": 9.4, "slide": 0.004}).worse


def test_noise_near_the_floor_decides_nothing() -> None:
    assert not compare({"slide": 0.0002}, {"slide": 0.0002 + 4e-5}).worse


def test_without_evidence_nothing_is_judged() -> None:
    verdict = compare({}, {"keypoints": 3.0})
    assert not verdict.worse
    assert verdict.message == ""
    assert not compare({"depth": float("nan")}, {"depth": 1.0}).worse


def test_only_the_evidence_that_judges_counts() -> None:
    before = {"keypoints": 16.0, "slide": 0.010}
    after = {"keypoints": 15.0, "slide": 0.020}
    assert compare(before, after).worse
    told = compare(before, after, ("keypoints", "depth"))
    assert not told.worse
    assert "foot slide" in told.message
    assert not compare({"slide": 0.01}, {"slide": 0.02}, ("keypoints",)).worse


def test_motion_may_part_from_depth_that_it_does_not_see() -> None:
    """Standing feet move people along the ray; the sub-stages after it see depth and judge it."""
    before = {"keypoints": 4.9, "depth": 0.024, "slide": 0.0071}
    after = {"keypoints": 5.1, "depth": 0.046, "slide": 0.0030}
    assert compare(before, after, PLANS["scale"].judged_by).worse
    assert not compare(before, after, PLANS["motion"].judged_by).worse
    shifted = {**after, "keypoints": 9.0}
    assert compare(before, {**shifted, "slide": 0.0071}, PLANS["motion"].judged_by).worse
