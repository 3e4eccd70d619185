"""HuMoR's networks as a term: frozen targets, derivatives, the whole sub-stage."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from refine_engine.errors import ConfigError, InputError
from refine_engine.geometry.rotations import exp_so3, matrix_from_axis_angle
from refine_engine.motion_prior.humor.model import HumorModel
from refine_engine.refinement.frozen_targets import refresh_targets
from refine_engine.refinement.refiner import Stage5Refiner
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.levenberg import Damping, step
from refine_engine.solver.threads import people_runner
from refine_engine.terms.humor import HumorPrior, Targets, decoded_targets
from refine_engine.terms.motion import motion_terms
from refine_engine.terms.prior_files import describe_prior
from refine_engine.terms.problem import Problem
from refine_engine.terms.stance import Stance
from tests.refine_engine.motion_prior.humor.random_motion import random_networks

ALONE = {"cvae": 1.0}


def _problem(scene, term):
    state = scene.disturbed(turn=0.03, move=0.02)
    problem = Problem(scene.scene, scene.body, state, scene.config, (term,))
    return problem, problem.pack(state)


def _with_targets(scene):
    term = HumorPrior(HumorModel(random_networks()))
    problem, packed = _problem(scene, term)
    rng = np.random.default_rng(4)
    for track in problem.tracks:
        n = len(track)
        term.targets[track.id] = Targets(
            exp_so3(rng.normal(0, 0.1, (n, 22, 3))),
            rng.normal(0, 0.03, (n, 3)),
            np.zeros(n),
            np.zeros(n),
        )
    return term, problem, packed


def test_gradient_is_the_derivative(exact_scene):
    _, problem, packed = _with_targets(exact_scene(people=2, frames=6))
    rng = np.random.default_rng(0)
    direction = [rng.normal(size=(6, 69)) for _ in range(2)]
    own = rng.normal(size=(2, 10))
    model = problem.linearise(packed, ALONE, Free(pose=True, betas=True), people_runner(1, None))
    slope = sum(
        float(part.border[0][:, 0] @ d.reshape(-1) + part.own_gradient @ o)
        for part, d, o in zip(model.parts, direction, own, strict=True)
    )
    h, losses = 1e-6, []
    for s in (h, -h):
        moved = problem.moved(packed, [s * d for d in direction], s * own, np.zeros(5))
        losses.append(problem.evaluate(moved, ALONE)[0])
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-5)


def test_unlikely_latents_cost_their_nats(exact_scene):
    """In the loss of a person: the effective weight times what HuMoR's prior says of them."""
    term, problem, packed = _with_targets(exact_scene(people=1, frames=6))
    before = problem.evaluate(packed, ALONE)[0]
    target = term.targets[1]
    term.targets[1] = replace(target, surprise=np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
    problem._forget()
    after = problem.evaluate(packed, ALONE)[0]
    assert after - before == pytest.approx(15.0 * term.info.weight(1.0), rel=1e-9)


def test_a_step_goes_to_the_targets(exact_scene):
    term, problem, packed = _with_targets(exact_scene(people=1, frames=6))
    person = packed.people[0]
    state, damping = packed, Damping()
    for _ in range(12):
        result = step(problem, state, {"cvae": 1.0}, Free(pose=True), damping)
        state, damping = result.state, result.damping
    target = term.targets[1]
    away = [np.diff(p.transl, axis=0) - target.steps[1:] for p in (person, state.people[0])]
    assert np.abs(away[1]).max() < 0.05 * np.abs(away[0]).max()
    R = state.people[0].R[:, :22]
    turns = np.swapaxes(R[:-1], -1, -2) @ R[1:]
    assert np.abs(turns - target.turns[1:]).max() < 5e-3


class _Networks:
    """Stands in for HuMoR's: answers one person after the other."""

    def transitions(self, motions):
        return [self.answer(motion.states, motion.following) for motion in motions]


class _Repeats(_Networks):
    """Decodes every state to itself, moved on by its velocity."""

    def answer(self, states, following):
        past = states[:-1]
        predicted = replace(past, trans=past.trans + past.trans_vel / 30.0)
        found = type("Found", (), {})()
        found.predicted, found.nll = predicted, np.arange(len(past.trans), dtype=float)
        found.surprise = 0.5 * found.nll
        return found


@pytest.mark.parametrize("rate", [25.0, 30.0, 60.0])
def test_targets_come_back_to_the_world(exact_scene, rate):
    """Steady motion over a tilted ground is decoded to itself, at any frame rate."""
    scene = exact_scene(people=1, frames=8)
    term = HumorPrior(_Repeats())
    problem, packed = _problem(scene, term)
    person = packed.people[0]
    steady = replace(
        person,
        R=np.repeat(person.R[:1], 8, 0),
        transl=person.transl[0] + np.arange(8)[:, None] * np.array([0.02, 0.0, -0.03]),
    )
    normal = matrix_from_axis_angle(np.array([0.1, 0.0, 0.2])) @ [0.0, 1.0, 0.0]
    packed = replace(packed, people=(steady,), plane=np.append(normal, 0.3))
    posed = problem.posed(packed)[0]
    (found,) = decoded_targets(term.model, rate, [posed], problem.common(packed))
    _asks_for_nothing(found, steady)
    assert found.nats.tolist() == [0, 0, 1, 2, 3, 4, 5, 6]


def _asks_for_nothing(found, person):
    """The decoded steps are the person's own."""
    R = person.R[:, :22]
    turns = np.swapaxes(R[:-1], -1, -2) @ R[1:]
    np.testing.assert_allclose(found.turns[1:], turns, atol=1e-9)
    np.testing.assert_allclose(found.steps[1:], np.diff(person.transl, axis=0), atol=1e-9)


class _Autoencodes(_Networks):
    """As trained networks: what the encoder is shown is what the decoder gives."""

    def answer(self, states, following):
        found = type("Found", (), {})()
        found.predicted = states[1:] if following is None else following
        found.nll = found.surprise = np.zeros(len(states.trans) - 1)
        return found


@pytest.mark.parametrize("rate", [24.0, 25.0, 30.0, 50.0, 60.0])
def test_the_encoder_sees_a_thirtieth_of_a_second(exact_scene, rate):
    """What is reproduced exactly asks for nothing: its targets are the next frames."""
    scene = exact_scene(people=1, frames=8)
    problem, packed = _problem(scene, HumorPrior(_Autoencodes()))
    person = packed.people[0]
    count = np.arange(8)
    turns = exp_so3(count[:, None] * np.array([0.01, 0.03, -0.02]))
    steady = replace(
        person,
        R=person.R[:1] @ turns[:, None],
        transl=person.transl[0] + count[:, None] * np.array([0.02, 0.0, -0.03]),
    )
    packed = replace(packed, people=(steady,))
    posed = problem.posed(packed)[0]
    (found,) = decoded_targets(_Autoencodes(), rate, [posed], problem.common(packed))
    _asks_for_nothing(found, steady)


def test_random_networks_run_through_a_refresh(exact_scene):
    term = HumorPrior(HumorModel(random_networks()))
    problem, packed = _problem(exact_scene(people=2, frames=6), term)
    assert problem.evaluate(packed, ALONE)[0] == 0.0
    assert refresh_targets(problem, packed, ALONE)
    assert not refresh_targets(problem, packed, {"data": 1.0})
    assert set(term.targets) == {1, 2}
    for target in term.targets.values():
        identity = np.swapaxes(target.turns, -1, -2) @ target.turns
        np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-5)


def test_a_checkpoint_is_a_drop_in(exact_scene, tmp_path):
    path = tmp_path / "best_model.pth"
    torch.save({"model": random_networks().state_dict()}, path)
    scene = exact_scene(people=1, frames=10)
    config = scene.config.replace(motion_prior=str(path), motion_prior_iterations=2)
    refiner = Stage5Refiner(config, scene.body)
    output = refiner.refine(scene.scene)
    ran = {r.sub_stage: r for r in output.sub_stages}["motion"]
    assert ran.iterations >= 1
    assert ran.loss_curves["cvae"][0] > 0


def test_results_say_which_prior_was_used(exact_scene, tmp_path):
    """Name, file and hash; HuMoR's own nats and influence beside the calibrated likelihoods."""
    path = tmp_path / "best_model.pth"
    torch.save({"model": random_networks().state_dict()}, path)
    scene = exact_scene(people=1, frames=10)
    only_root = scene.config.replace(
        enable_smpl_fitting=False,
        enable_motion_prior=False,
        enable_environmental_constraints=False,
        enable_scale_optimization=False,
        enable_final_refinement=False,
    )
    outputs = {}
    for prior in ("", str(path)):
        config = only_root.replace(motion_prior=prior, device="cpu")
        outputs[prior] = Stage5Refiner(config, scene.body).refine(scene.scene)
    plain, with_humor = outputs[""], outputs[str(path)]
    assert plain.motion_prior["name"] == "embedded"
    assert plain.motion_prior["file"] == "motion_prior.npz"
    assert "nats" not in plain.motion_prior
    found = with_humor.motion_prior
    assert (found["name"], found["file"], found["mode"]) == ("HuMoR", str(path), "transitions")
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["initial_state"] is None
    assert found["device"] == plain.motion_prior["device"] == "CPU"
    # The same state: the calibrated likelihoods are the embedded prior's either way.
    assert with_humor.per_person_likelihoods == plain.per_person_likelihoods
    assert with_humor.likelihood_nats == plain.likelihood_nats
    assert set(found["nats"]) == {1}
    assert np.isfinite(found["nats"][1])
    assert 0.0 < with_humor.prior_influence[1] <= 1.0
    assert with_humor.prior_influence != plain.prior_influence


def test_influence_is_full_at_the_targets_and_falls_with_distance(exact_scene):
    """A tenth of a radian in one component: q = 25, so (16 + 69) / (16 + 25) is capped at 1."""
    scene = exact_scene(people=1, frames=6)
    for turn, expected in ((0.0, 1.0), (0.1, 1.0), (1.0, 85.0 / 2516.0)):
        model = _Turns(turn)
        problem, packed = _problem(scene, HumorPrior(model))
        track, posed = problem.tracks[0], problem.posed(packed)[0]
        nats, influence = HumorPrior(model).judged(track, posed, problem.common(packed))
        assert nats == pytest.approx(2.0)
        assert influence == pytest.approx(expected, rel=1e-6)


class _Turns(_Networks):
    """Decodes the next states with one joint turned away."""

    def __init__(self, angle):
        self.turn = torch.as_tensor(exp_so3(np.array([angle, 0.0, 0.0])))

    def answer(self, states, following):
        found = type("Found", (), {})()
        pose = states.pose_body[1:].clone()
        pose[:, 3] = pose[:, 3] @ self.turn
        found.predicted = replace(states[1:], pose_body=pose)
        found.nll = found.surprise = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
        return found


def test_a_wrong_file_is_refused(exact_scene, tmp_path):
    path = tmp_path / "best_model.pth"
    torch.save({"model": {"encoder.net.0.weight": torch.zeros(2, 2)}}, path)
    with pytest.raises(InputError, match="best_model"):
        motion_terms(exact_scene(people=1, frames=6).config.replace(motion_prior=str(path)))


def _with_checkpoint(scene, tmp_path, **settings):
    path = tmp_path / "best_model.pth"
    torch.save({"model": random_networks().state_dict()}, path)
    return scene.config.replace(motion_prior=str(path), **settings)


def test_the_processor_by_name_is_what_auto_means_without_a_card(
    exact_scene, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    scene = exact_scene(people=2, frames=8)
    problem, packed = _problem(scene, Stance())
    people = list(zip(problem.tracks, problem.posed(packed), strict=True))
    found = []
    for device in ("auto", "cpu"):
        term = motion_terms(_with_checkpoint(scene, tmp_path, device=device))[0]
        term.refresh(people, problem.common(packed))
        found.append(term.targets)
    for i in (1, 2):
        for name in ("turns", "steps", "nats", "surprise"):
            by_auto, by_name = (getattr(targets[i], name) for targets in found)
            np.testing.assert_array_equal(by_auto, by_name)
            assert by_auto.dtype == np.float64


def test_cuda_where_there_is_none_ends_a_run_before_it_begins(exact_scene, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    scene = exact_scene(people=1, frames=6)
    refiner = Stage5Refiner(_with_checkpoint(scene, tmp_path, device="cuda:0"), scene.body)
    with pytest.raises(ConfigError, match="device: is 'cuda:0', but"):
        next(refiner.iterate(scene.scene))


def test_a_device_without_networks_is_refused(exact_scene):
    config = exact_scene(people=1, frames=6).config
    assert motion_terms(config.replace(device="cpu"))
    with pytest.raises(ConfigError, match="device: is 'cuda', but only a HuMoR checkpoint's"):
        motion_terms(config.replace(device="cuda"))


def test_results_name_the_card(exact_scene, tmp_path, monkeypatch):
    config = _with_checkpoint(exact_scene(people=1, frames=6), tmp_path, device="auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert describe_prior(config)["device"] == "NVIDIA H200 (cuda:0)"
    assert describe_prior(config.replace(device="cpu"))["device"] == "CPU"
