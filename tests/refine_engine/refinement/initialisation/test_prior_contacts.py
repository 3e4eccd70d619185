"""Contacts from the motion prior's heads."""

import numpy as np
import pytest
import torch

from refine_engine.body import embedded_body
from refine_engine.evaluation.synthetic.procedural import make_procedural
from refine_engine.motion_prior.humor.model import HumorModel
from refine_engine.refinement.initialisation.contacts import sharpened, standing_plane
from refine_engine.refinement.initialisation.feet import feet_of
from refine_engine.refinement.initialisation.prior_contacts import (
    contact_source,
    embedded_contacts,
    humor_source,
)
from refine_engine.refinement.initialisation.start import with_contacts
from refine_engine.state import PersonState
from tests.refine_engine.motion_prior.humor.random_motion import random_networks
from tests.refine_engine.terms.conftest import ExactScene

GROUND = np.array([0.0, 1.0, 0.0, 0.0])


def walker(frames=50, lift=0.0):
    motion = make_procedural(
        embedded_body(), np.zeros(10), "walk", frames, 30.0, np.random.default_rng(5)
    )
    person = PersonState(
        frames=np.arange(frames),
        R_world_root=motion.rotations[:, 0],
        body_pose=motion.rotations[:, 1:],
        betas=motion.betas,
        transl_world=motion.transl + [0.0, lift, 0.0],
        observed=np.ones(frames, dtype=bool),
        contacts=np.zeros((frames, 4)),
    )
    return person, motion.contacts


def test_a_person_who_stands_too_high_has_the_same_contacts():
    body = embedded_body()
    low, truth = walker()
    high, _ = walker(lift=0.12)
    found = embedded_contacts(body, low, GROUND, 30.0)
    np.testing.assert_allclose(embedded_contacts(body, high, GROUND, 30.0), found, atol=1e-6)
    assert found[truth].mean() > found[~truth].mean() + 0.5
    feet = feet_of(body, high)
    assert standing_plane(feet, GROUND, 30.0, high.observed)[3] == pytest.approx(
        standing_plane(feet_of(body, low), GROUND, 30.0, low.observed)[3] - 0.12
    )


def test_filled_frames_have_no_contact():
    kinematic, head = np.full((3, 4), 0.9), np.full((3, 4), 0.9)
    found = sharpened(kinematic, head, np.array([True, False, True]))
    assert found[[0, 2]].min() > 0.9
    assert not found[1].any()
    assert sharpened(kinematic, np.full((3, 4), 0.05), np.ones(3, dtype=bool)).max() < 0.5


def test_a_source_changes_what_kinematics_say():
    body = embedded_body()
    person, _ = walker()
    feet = {1: feet_of(body, person)}
    plain = with_contacts({1: person}, feet, GROUND, 30.0, body)
    never = with_contacts(
        {1: person}, feet, GROUND, 30.0, body, lambda *_: np.zeros((len(person.frames), 4))
    )
    assert plain[1].contacts.max() > 0.9
    assert never[1].contacts.max() < 0.5


def test_humors_head_is_used_with_a_checkpoint(tmp_path):
    networks = random_networks()
    path = tmp_path / "best_model.pth"
    torch.save({"model": networks.state_dict()}, path)
    config = ExactScene(people=1, frames=6).config
    assert contact_source(config.replace(contact_head=False)) is None
    assert contact_source(config.replace(contact_head=True)) is embedded_contacts
    source = contact_source(config.replace(contact_head=True, motion_prior=str(path)))
    person, _ = walker(10)
    found = source(embedded_body(), person, GROUND, 30.0)
    assert found.shape == (10, 4)
    assert ((found > 0) & (found < 1)).all()
    assert np.ptp(found) > 1e-3
    same = humor_source(HumorModel(networks))(embedded_body(), person, GROUND, 30.0)
    np.testing.assert_allclose(found, same)
    # The two feet have logits of their own.
    assert np.abs(found[:, :2] - found[:, 2:]).max() > 1e-3
