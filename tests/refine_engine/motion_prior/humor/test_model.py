from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation
from scipy.stats import norm

from refine_engine.motion_prior.humor.latents import Tolerance, latent_nll, misfit
from refine_engine.motion_prior.humor.model import HumorModel, Motion, Transitions
from refine_engine.motion_prior.humor.state import MotionState, canonical_frame, pelvis_offset
from tests.refine_engine.motion_prior.humor.random_motion import (
    heading_change,
    moved,
    random_networks,
    random_states,
)


@pytest.fixture(scope="module")
def model() -> HumorModel:
    return HumorModel(random_networks().double())


def asked(
    model: HumorModel, states: MotionState, tolerance: Tolerance | None = None
) -> Transitions:
    return model.transitions([Motion(states, tolerance=tolerance)])[0]


def stepped(
    model: HumorModel, past: MotionState, z: torch.Tensor, offset: torch.Tensor
) -> tuple[MotionState, torch.Tensor]:
    """One step as HuMoR's paper has it, from a world state (1,): the next, and contact logits."""
    frame = canonical_frame(past, offset)
    decoded, logits = model.networks.decode(frame.apply(past).pack(), z)
    return frame.invert(decoded), logits


def test_latent_nll_is_the_gaussian_density() -> None:
    rng = np.random.default_rng(0)
    z, mean, log_var = rng.normal(size=(3, 5, 48))
    expected = -norm.logpdf(z, mean, np.exp(0.5 * log_var)).sum(-1)
    got = latent_nll(*(torch.as_tensor(a) for a in (z, mean, log_var)))
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_roll_out_repeats_single_steps(model: HumorModel) -> None:
    states = random_states()
    z = torch.as_tensor(np.random.default_rng(1).normal(size=(5, 48)))
    rolled = model.trajectories([states[0]], [z])[0].states
    state, offset = states[0].batched(), pelvis_offset(states[0])[None]
    for k in range(5):
        state, _ = stepped(model, state, z[k : k + 1], offset)
        np.testing.assert_allclose(rolled[k + 1].pack(), state.pack()[0], atol=1e-12)


def test_roll_outs_side_by_side_are_those_alone(model: HumorModel) -> None:
    """People of different lengths, and one without a single step."""
    firsts = [random_states(seed=k)[0] for k in range(4)]
    rng = np.random.default_rng(2)
    latents = [torch.as_tensor(rng.normal(size=(n, 48))) for n in (3, 6, 0, 5)]
    together = model.trajectories(firsts, latents)
    for first, z, found in zip(firsts, latents, together, strict=True):
        alone = model.trajectories([first], [z])[0]
        assert len(found.states.trans) == len(z) + 1
        np.testing.assert_allclose(found.states.pack(), alone.states.pack(), atol=1e-12)
        np.testing.assert_allclose(found.nats, alone.nats, atol=1e-10)


def test_nats_of_a_roll_out_are_those_of_its_own_states(model: HumorModel) -> None:
    states = random_states()
    z = torch.as_tensor(np.random.default_rng(3).normal(size=(4, 48)))
    found = model.trajectories([states[0]], [z])[0]
    frame = canonical_frame(found.states[:-1], pelvis_offset(states[0]))
    mean, log_var = model.networks.prior(frame.apply(found.states[:-1]).pack())
    expected = -norm.logpdf(z, mean, torch.exp(0.5 * log_var)).sum(-1)
    np.testing.assert_allclose(found.nats, expected, rtol=1e-9)


def test_the_batch_of_transitions_agrees_with_steps_from_the_same_states(
    model: HumorModel,
) -> None:
    states = random_states()
    batch = asked(model, states)
    offset = pelvis_offset(states[0])[None]
    for k in (0, 4, 10):
        following, logits = stepped(model, states[k].batched(), batch.z[k : k + 1], offset)
        np.testing.assert_allclose(batch.predicted[k].pack(), following.pack()[0], atol=1e-12)
        np.testing.assert_allclose(batch.contacts[k + 1], torch.sigmoid(logits)[0], atol=1e-12)
    np.testing.assert_array_equal(batch.contacts[0], batch.contacts[1])
    assert batch.nll.shape == (11,)
    assert batch.contacts.shape == (12, 9)


@pytest.mark.parametrize(("steps", "missing"), [(3, 1.0), (24, 0.1)])
def test_the_likeliest_latents_are_likelier_than_both_means(
    model: HumorModel, monkeypatch: pytest.MonkeyPatch, steps: int, missing: float
) -> None:
    """Than the posterior's and the prior's; with more steps they reach what SciPy finds."""
    monkeypatch.setattr("refine_engine.motion_prior.humor.latents.LATENT_STEPS", steps)
    states, allowed = random_states(), Tolerance(turn=0.4, place=0.3, freedom=16.0)
    plain, found = asked(model, states), asked(model, states, allowed)
    frame = canonical_frame(states[:-1], pelvis_offset(states[0]))
    x, y = frame.apply(states[:-1]).pack(), frame.apply(states[1:]).pack()
    mean, log_var = model.networks.prior(x)
    np.testing.assert_allclose(found.z, plain.z, rtol=1e-12)
    np.testing.assert_allclose(found.nll, plain.nll, rtol=1e-12)
    for k in (0, 5):
        begin = ((plain.z[k] - mean[k]) / torch.exp(0.5 * log_var[k])).numpy()

        def energy(u: np.ndarray, k: int = k) -> tuple[float, np.ndarray]:
            at = torch.as_tensor(u).requires_grad_(True)
            z = mean[k] + torch.exp(0.5 * log_var[k]) * at
            decoded, _ = model.networks.decode(x[k : k + 1], z[None])
            value = 0.5 * (at * at).sum() + misfit(decoded, y[k : k + 1], allowed).sum()
            value.backward()
            assert at.grad is not None
            return value.item(), at.grad.numpy()

        least = minimize(energy, begin, jac=True, options={"maxiter": 200}).fun
        reached = float(found.surprise[k])
        reached += _distance(frame.apply(found.predicted)[k], y[k], allowed)
        starts = [energy(begin)[0], energy(np.zeros(48))[0]]
        assert reached < min(starts)
        assert reached - least < missing * (min(starts) - least)


def _distance(decoded: MotionState, y: torch.Tensor, allowed: Tolerance) -> float:
    """A transition's energy without its latent's, with SciPy's rotations."""
    given = MotionState.unpack(y)
    q = float((decoded.trans - given.trans).square().sum()) / allowed.place**2
    pairs = [(given.root_orient, decoded.root_orient)]
    pairs += list(zip(given.pose_body, decoded.pose_body, strict=True))
    for a, b in pairs:
        q += Rotation.from_matrix((a.T @ b).numpy()).magnitude() ** 2 / allowed.turn**2
    nu = allowed.freedom
    return float(0.5 * (nu + 69) * np.log1p(q / nu))


def test_likelihood_does_not_depend_on_heading_or_place(model: HumorModel) -> None:
    states = random_states()
    elsewhere = moved(states, *heading_change(1.1, (4.0, 5.0)))
    np.testing.assert_allclose(asked(model, elsewhere).nll, asked(model, states).nll, rtol=1e-8)


def test_everybody_at_once_is_everybody_alone(model: HumorModel) -> None:
    """People of different lengths and tolerances."""
    people = [random_states(n, seed=n) for n in (2, 9, 5)]
    for allowed in (
        [None, None, None],
        [Tolerance(turn=0.4, place=0.1 * k, freedom=16.0) for k in (1, 2, 3)],
    ):
        together = model.transitions(
            [Motion(s, tolerance=t) for s, t in zip(people, allowed, strict=True)]
        )
        for states, tolerance, found in zip(people, allowed, together, strict=True):
            alone = asked(model, states, tolerance)
            assert len(found.nll) == len(states.trans) - 1
            np.testing.assert_allclose(found.predicted.pack(), alone.predicted.pack(), atol=1e-9)
            np.testing.assert_allclose(found.nll, alone.nll, atol=1e-9)
            np.testing.assert_allclose(found.surprise, alone.surprise, atol=1e-9)
            np.testing.assert_allclose(found.contacts, alone.contacts, atol=1e-12)
