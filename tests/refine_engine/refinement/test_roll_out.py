"""The sequential mode: derivatives, start, first states, a whole sub-stage on random weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from refine_engine.errors import ConfigError
from refine_engine.motion_prior.humor.model import HumorModel
from refine_engine.refinement.refiner import Stage5Refiner
from refine_engine.refinement.roll_out import RollOut
from refine_engine.refinement.window_lengths import window_lengths
from refine_engine.terms.humor import HumorPrior
from refine_engine.terms.initial_state import InitialState, first_state
from refine_engine.terms.motion import motion_terms
from refine_engine.terms.prior_files import initial_state_file
from refine_engine.terms.problem import Problem
from refine_engine.terms.stance import Stance
from tests.refine_engine.motion_prior.humor.random_motion import random_networks
from tests.refine_engine.terms.conftest import ExactScene
from tests.refine_engine.terms.test_initial_state import mixture

WEIGHTS = {"data": 1.0, "smooth": 0.001, "pose": 0.1, "cvae": 0.1}


def quiet_networks():
    """Random weights whose decoder moves nothing by much: as a trained one between two frames."""
    networks = random_networks().double()
    last = networks.decoder.net[-1]
    with torch.no_grad():
        last.weight *= 0.02
        last.bias *= 0.02
    return networks


def rolled_out(people=1, frames=6, with_mixture=True, fps=30.0):
    scene = ExactScene(people=people, frames=frames)
    scene.scene = replace(scene.scene, fps=fps)
    state = scene.disturbed(turn=0.03, move=0.02)
    terms = [HumorPrior(HumorModel(quiet_networks())), Stance()]
    if with_mixture:
        plain = Problem(scene.scene, scene.body, state, scene.config, ())
        packed = plain.pack(state)
        around = first_state(plain.posed(packed)[0], plain.common(packed), 30.0)[0]
        terms.append(InitialState(mixture(around)))
    problem = Problem(scene.scene, scene.body, state, scene.config, terms)
    packed = problem.pack(state)
    problem.prepare(packed, "motion", WEIGHTS)
    return problem, packed, RollOut(problem, packed)


def test_the_first_state_is_the_given_one():
    _, packed, roll_out = rolled_out(people=2)
    found = roll_out.state(packed, None)
    for new, old in zip(found.people, packed.people, strict=True):
        np.testing.assert_allclose(new.R[0, :22], old.R[0, :22], atol=1e-9)
        np.testing.assert_allclose(new.transl[0], old.transl[0], atol=1e-9)
        np.testing.assert_array_equal(new.R[:, 22:], old.R[:, 22:])
    short = roll_out.state(packed, 3)
    np.testing.assert_array_equal(short.people[0].R[3:], packed.people[0].R[3:])
    np.testing.assert_allclose(short.people[0].R[:3], found.people[0].R[:3])


def test_the_bodys_joints_are_those_of_the_engine():
    problem, packed, roll_out = rolled_out()
    person = roll_out.people[0]
    posed = problem.posed(packed)[0]
    expected = posed.points[0, :22] @ person._level.T + person._lift
    np.testing.assert_allclose(person.begin().joints.detach(), expected, atol=1e-9)


@pytest.mark.parametrize(("fps", "steps"), [(25.0, 6), (30.0, 5), (50.0, 3), (60.0, 3)])
def test_steps_are_of_a_thirtieth_of_a_second(fps, steps):
    """Six frames at 60 a second are two and a half steps, not five."""
    _, packed, roll_out = rolled_out(fps=fps)
    assert len(roll_out.people[0].z) == steps
    found = roll_out.state(packed, None).people[0]
    decoded = roll_out._decoded(None)[0].states
    person = roll_out.people[0]
    level = person._level
    places = (decoded.trans.detach().numpy() + person._pelvis - person._lift) @ level
    places -= person._pelvis
    position = 30.0 / fps * np.arange(6)
    below = np.minimum(position.astype(int), steps - 1)
    part = (position - below)[:, None]
    expected = (1 - part) * places[below] + part * places[below + 1]
    np.testing.assert_allclose(found.transl, expected, atol=1e-9)
    R = level.T @ decoded.root_orient.detach().numpy()
    whole = [k for k in range(6) if abs(position[k] % 1) < 1e-9]
    np.testing.assert_allclose(found.R[whole, 0], R[position[whole].astype(int)], atol=1e-9)


def test_the_first_state_weighs_more_in_a_window():
    """It is one number beside those of the window's frames, as SLAHMR weighs it."""
    _, packed, roll_out = rolled_out()
    motion = roll_out._decoded(3)[0]
    nats = roll_out._first_nats(motion.states[0]).item()
    with_it = roll_out.loss(packed, WEIGHTS, 3)
    roll_out._mixture = None
    without = roll_out.loss(packed, WEIGHTS, 3)
    strength = roll_out._term.info.weight(WEIGHTS["cvae"])
    assert with_it - without == pytest.approx(strength * 6 / 3 * nats)


@pytest.mark.parametrize("fps", [25.0, 30.0])
def test_gradient_is_the_derivative(fps):
    _, packed, roll_out = rolled_out(fps=fps)
    roll_out.loss(packed, WEIGHTS, None, with_gradient=True)
    rng = np.random.default_rng(0)
    for variable in roll_out.people[0].variables():
        direction = torch.as_tensor(rng.normal(size=tuple(variable.shape)))
        slope = float((variable.grad * direction).sum())
        h, losses = 1e-5, []
        for s in (h, -h):
            with torch.no_grad():
                variable += s * direction
            losses.append(roll_out.loss(packed, WEIGHTS, None))
            with torch.no_grad():
                variable -= s * direction
        assert slope == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=2e-4)


def test_a_step_lowers_the_loss_and_gives_the_terms_back():
    problem, packed, roll_out = rolled_out()
    problem.set_contacts({1: np.zeros((6, 4))})
    assert problem.evaluate(packed, {"cvae": 0.1})[1]["cvae"] == 0.0
    before = roll_out.loss(packed, WEIGHTS, 4)
    result = roll_out.step(packed, WEIGHTS, 4)
    assert result.accepted
    assert result.total < before
    assert result.total == pytest.approx(sum(result.terms.values()))
    roll_out.close()
    problem._forget()
    assert problem.evaluate(packed, {"cvae": 0.1})[1]["cvae"] != 0.0


def checkpoint(folder, networks):
    path = folder / "best_model.pth"
    torch.save({"model": networks.state_dict()}, path)
    return path


def test_the_sub_stage_rolls_out(tmp_path):
    scene = ExactScene(people=1, frames=8)
    config = scene.config.replace(
        motion_prior=str(checkpoint(tmp_path, quiet_networks().float())),
        motion_prior_mode="rollout",
        motion_prior_chunk_size=4,
        motion_prior_iterations=1,
        smpl_fitting_iterations=2,
        guard=False,
        enable_environmental_constraints=False,
        enable_scale_optimization=False,
        enable_final_refinement=False,
    )
    output = Stage5Refiner(config, scene.body).refine(scene.scene)
    ran = {r.sub_stage: r for r in output.sub_stages}["motion"]
    assert ran.iterations == 2
    assert np.isfinite(ran.loss_curves["cvae"]).all()
    assert "cvae" in ran.loss_curves


def test_windows_of_a_roll_out_grow_by_steps():
    assert window_lengths(10, None, 45, rolled_out=True) == (10, 20, 30, 40, None)
    assert window_lengths(10, 30, 45, rolled_out=True) == (10, 20, 30)


def test_the_mixture_is_found_beside_the_checkpoint(tmp_path):
    folder = tmp_path / "humor"
    folder.mkdir()
    path = checkpoint(folder, random_networks())
    config = ExactScene(people=1, frames=6).config.replace(motion_prior=str(path))
    assert initial_state_file(config) is None
    assert len(motion_terms(config)) == 2
    beside = tmp_path / "init_state_prior_gmm"
    beside.mkdir()
    np.savez(
        beside / "prior_gmm.npz",
        weights=np.full(12, 1 / 12),
        means=np.zeros((12, 138)),
        covariances=np.tile(np.eye(138), (12, 1, 1)),
    )
    assert initial_state_file(config) == beside / "prior_gmm.npz"
    assert isinstance(motion_terms(config)[-1], InitialState)
    own = replace(config, motion_prior_initial_state=str(tmp_path / "other.npz"))
    assert initial_state_file(own) == tmp_path / "other.npz"


def test_the_embedded_prior_says_what_it_has_not():
    config = ExactScene(people=1, frames=6).config
    with pytest.raises(ConfigError, match="latent"):
        motion_terms(config.replace(motion_prior_mode="rollout"))
    with pytest.raises(ConfigError, match="HuMoR"):
        motion_terms(config.replace(motion_prior_initial_state="prior_gmm.npz"))
