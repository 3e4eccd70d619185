"""The prior's contact head: what it sees, its file, and that it tells standing from stepping."""

import itertools

import numpy as np
import pytest

from refine_engine.body import embedded_body
from refine_engine.errors import InputError
from refine_engine.evaluation.synthetic.procedural import make_procedural
from refine_engine.geometry.rotations import matrix_from_axis_angle
from refine_engine.motion_prior.contact_head import (
    INPUTS,
    ContactHead,
    foot_features,
    load_contact_head,
)
from refine_engine.refinement.initialisation.feet import pose_feet_and_joints

GROUND = np.array([0.0, 1.0, 0.0, 0.0])
MIRRORED = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, *range(12, 24)]


def walking(frames=60, fps=30.0):
    """Sole points, joints and true contacts of somebody who walks."""
    body = embedded_body()
    motion = make_procedural(body, np.zeros(10), "walk", frames, fps, np.random.default_rng(3))
    R = motion.rotations
    feet, joints = pose_feet_and_joints(body, motion.betas, R[:, 0], R[:, 1:], motion.transl)
    return feet, joints, motion.contacts


def random_head(seed=0):
    rng = np.random.default_rng(seed)
    widths = (INPUTS, 8, 2)
    return ContactHead(
        np.zeros(INPUTS),
        np.ones(INPUTS),
        tuple(rng.normal(0, 0.1, (b, a)) for a, b in itertools.pairwise(widths)),
        tuple(rng.normal(0, 0.1, b) for b in widths[1:]),
    )


@pytest.mark.parametrize("side", [0, 1])
def test_features_know_no_heading_and_no_place(side):
    feet, joints, _ = walking()
    turn = matrix_from_axis_angle(np.array([0.0, 2.0, 0.0]))
    expected = foot_features(feet, joints, GROUND, 1.0, side)
    assert expected.shape == (60, INPUTS)
    moved = foot_features(
        feet @ turn.T + [4.0, 0.3, 1.0],
        joints @ turn.T + [4.0, 0.3, 1.0],
        np.array([0.0, 1.0, 0.0, -0.3]),
        1.0,
        side,
    )
    np.testing.assert_allclose(moved, expected, atol=1e-9)


def test_features_do_not_change_with_the_size_of_the_scene():
    feet, joints, _ = walking()
    expected = foot_features(feet, joints, GROUND, 1.0, 0)
    np.testing.assert_allclose(
        foot_features(1.3 * feet, 1.3 * joints, GROUND, 1.3, 0), expected, atol=1e-9
    )


def test_a_mirror_exchanges_the_feet():
    feet, joints, _ = walking()
    flip = np.array([-1.0, 1.0, 1.0])
    head = random_head()
    found = head.probabilities(feet, joints, GROUND, 1.0, 30.0)
    mirrored = head.probabilities(
        flip * feet[:, [2, 3, 0, 1]], flip * joints[:, MIRRORED], GROUND, 1.0, 30.0
    )
    np.testing.assert_allclose(mirrored[:, [2, 3, 0, 1]], found, atol=1e-9)


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
def test_the_embedded_head_tells_steps_from_swings(fps):
    frames = round(2 * fps)
    feet, joints, truth = walking(frames, fps)
    found = load_contact_head().probabilities(feet, joints, GROUND, 1.0, fps)
    assert found.shape == (frames, 4)
    assert ((found >= 0) & (found <= 1)).all()
    assert found[truth].mean() > found[~truth].mean() + 0.5
    lifted = load_contact_head().probabilities(
        feet + [0.0, 0.4, 0.0], joints + [0.0, 0.4, 0.0], GROUND, 1.0, fps
    )
    assert lifted.mean() < 0.2


def test_short_tracks_have_no_contacts():
    feet, joints, _ = walking()
    assert not random_head().probabilities(feet[:1], joints[:1], GROUND, 1.0, 30.0).any()
    assert random_head().probabilities(feet[:2], joints[:2], GROUND, 1.0, 30.0).shape == (2, 4)


def test_a_wrong_file_is_refused(tmp_path):
    path = tmp_path / "contact_head.npz"
    np.savez(path, mean=np.zeros(INPUTS), spread=np.ones(INPUTS))
    with pytest.raises(InputError, match="0 layers"):
        load_contact_head(path)
    path = tmp_path / "other.npz"
    np.savez(path, mean=np.zeros(INPUTS), spread=np.ones(INPUTS), weight_0=np.zeros((2, 5)))
    with pytest.raises(InputError, match="weight_0"):
        load_contact_head(path)
    path = tmp_path / "third.npz"
    np.savez(path, mean=np.full(INPUTS, np.nan), spread=np.ones(INPUTS))
    with pytest.raises(InputError, match="mean"):
        load_contact_head(path)
