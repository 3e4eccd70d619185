from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from refine_engine.refinement.initialisation.keypoint_trust import with_trusted_keypoints

SceneMaker = Callable[..., Any]
LEFT_LEG, RIGHT_LEG = [1, 4, 7], [2, 5, 8]  # SMPL-24: hips, knees, ankles


def test_good_keypoints_are_left_alone(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=10)
    found = with_trusted_keypoints(scene, body)
    assert (found.exchanged, found.dropped) == (0, 0)
    for i, person in scene.people.items():
        kept = found.scene.people[i].keypoints
        np.testing.assert_array_equal(kept.pixels, person.keypoints.pixels)
        np.testing.assert_array_equal(kept.confidence, person.keypoints.confidence)


def test_swapped_legs_are_exchanged_back(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=10)
    person = scene.people[1]
    pixels = person.keypoints.pixels.copy()
    legs = [*LEFT_LEG, 10, *RIGHT_LEG, 11]
    other = [*RIGHT_LEG, 11, *LEFT_LEG, 10]
    pixels[np.ix_([3, 4], legs)] = pixels[np.ix_([3, 4], other)]
    broken = replace(person, keypoints=replace(person.keypoints, pixels=pixels))
    found = with_trusted_keypoints(replace(scene, people={1: broken}), body)
    assert found.exchanged == 2
    np.testing.assert_allclose(found.scene.people[1].keypoints.pixels, person.keypoints.pixels)


def test_a_stray_keypoint_is_not_used_and_a_doubtful_one_less(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=10)
    person = scene.people[1]
    pixels = person.keypoints.pixels.copy()
    pixels[2, 15] += 400.0
    pixels[3, 15, 0] += 60.0
    broken = replace(person, keypoints=replace(person.keypoints, pixels=pixels))
    found = with_trusted_keypoints(replace(scene, people={1: broken}), body)
    confidence = found.scene.people[1].keypoints.confidence
    assert confidence[2, 15] == 0
    assert 0 < confidence[3, 15] < 0.9
    assert confidence[4, 15] == 1
    assert found.dropped == 1


def test_projections_of_the_same_poses_are_not_judged(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=5, people=1)
    person = scene.people[1]
    circular = replace(
        person,
        keypoints=replace(person.keypoints, pixels=person.keypoints.pixels + 500, circular=True),
    )
    found = with_trusted_keypoints(replace(scene, people={1: circular}), body)
    assert found.dropped == 0
    assert found.scene.people[1] is circular


def test_poses_that_agree_with_their_keypoints_are_trusted_more(standing_scene: SceneMaker) -> None:
    scene, body = standing_scene(frames=20, people=1)
    person = scene.people[1]
    rng = np.random.default_rng(0)
    trusts = []
    for spread in (1.0, 8.0, 40.0):
        pixels = person.keypoints.pixels + rng.normal(0, spread, person.keypoints.pixels.shape)
        noisy = replace(person, keypoints=replace(person.keypoints, pixels=pixels))
        found = with_trusted_keypoints(replace(scene, people={1: noisy}), body)
        trusts.append(found.scene.people[1].pose_trust)
    assert trusts[0] > trusts[1] > trusts[2] == 1.0
