from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from refine_engine.motion_prior.humor.networks import LATENT_SIZE, Perceptron, apply_delta
from refine_engine.motion_prior.humor.rotations import exp_so3, log_so3
from refine_engine.motion_prior.humor.state import OUTPUT_SIZE
from tests.refine_engine.motion_prior.humor.random_motion import random_networks, random_states


def test_sizes_are_humors() -> None:
    networks = random_networks()
    counts = {
        name: sum(p.numel() for p in module.parameters())
        for name, module in networks.named_children()
    }
    assert counts == {"encoder": 3_950_688, "prior_net": 3_603_552, "decoder": 2_171_736}
    shapes = {key: tuple(value.shape) for key, value in networks.state_dict().items()}
    assert shapes["encoder.net.0.weight"] == (1024, 678)
    assert shapes["encoder.net.12.weight"] == (96, 1024)
    assert shapes["prior_net.net.0.weight"] == (1024, 339)
    assert shapes["decoder.net.0.weight"] == (1024, 387)
    assert shapes["decoder.net.3.weight"] == (1024, 1072)
    assert shapes["decoder.net.6.weight"] == (512, 1072)
    assert shapes["decoder.net.7.weight"] == (512,)
    assert shapes["decoder.net.9.weight"] == (216, 560)


def test_skip_connection_joins_the_latent_behind_the_features() -> None:
    torch.manual_seed(0)
    network = Perceptron([20, 32, 16, 4], skip=5)
    x = torch.randn(3, 20)
    weights = network.state_dict()

    def linear(k: int, v: torch.Tensor) -> torch.Tensor:
        return v @ weights[f"net.{k}.weight"].T + weights[f"net.{k}.bias"]

    def normed(k: int, v: torch.Tensor) -> torch.Tensor:
        grouped = v.reshape(3, 16, -1)
        mean = grouped.mean(-1, keepdim=True)
        var = grouped.var(-1, unbiased=False, keepdim=True)
        flat = ((grouped - mean) / torch.sqrt(var + 1e-5)).reshape(3, -1)
        return torch.relu(flat * weights[f"net.{k}.weight"] + weights[f"net.{k}.bias"])

    z = x[:, 15:]
    expected = linear(0, x)
    expected = linear(3, torch.cat([normed(1, expected), z], 1))
    expected = linear(6, torch.cat([normed(4, expected), z], 1))
    torch.testing.assert_close(network(x), expected)


def test_exp_agrees_with_scipy_and_has_a_gradient_at_zero() -> None:
    vectors = np.concatenate([np.zeros((1, 3)), np.random.default_rng(0).normal(size=(20, 3))])
    matrices = exp_so3(torch.as_tensor(vectors))
    np.testing.assert_allclose(matrices, Rotation.from_rotvec(vectors).as_matrix(), atol=1e-9)
    w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    exp_so3(w)[2, 1].backward()
    assert w.grad is not None
    np.testing.assert_allclose(w.grad, [1, 0, 0], atol=1e-12)


def test_log_undoes_exp_and_has_a_gradient_at_zero() -> None:
    vectors = np.concatenate([np.zeros((1, 3)), np.random.default_rng(1).normal(size=(20, 3))])
    vectors = 0.5 * vectors
    vectors[1] = [1e-7, 0, 0]
    back = log_so3(exp_so3(torch.as_tensor(vectors)))
    np.testing.assert_allclose(back, vectors, atol=1e-9)
    R = torch.eye(3, dtype=torch.float64, requires_grad=True)
    log_so3(R)[0].backward()
    assert R.grad is not None
    np.testing.assert_allclose(R.grad, [[0, 0, 0], [0, 0, -0.5], [0, 0.5, 0]], atol=1e-12)


def test_a_zero_output_changes_nothing() -> None:
    states = random_states()
    following, logits = apply_delta(states, torch.zeros(12, OUTPUT_SIZE, dtype=torch.float64))
    np.testing.assert_allclose(following.pack(), states.pack(), atol=1e-15)
    assert logits.shape == (12, 9)


def test_rotation_deltas_multiply_from_the_left() -> None:
    states = random_states()
    out = torch.zeros(12, OUTPUT_SIZE, dtype=torch.float64)
    out[:, 6:9] = torch.tensor([0.0, 0.0, 0.4], dtype=torch.float64)
    following, _ = apply_delta(states, out)
    turn = torch.as_tensor(Rotation.from_rotvec([0, 0, 0.4]).as_matrix())
    torch.testing.assert_close(following.root_orient, turn @ states.root_orient)


def test_decoding_is_a_residual_over_the_past_state() -> None:
    networks = random_networks()
    past = random_states().pack().float()
    following, logits = networks.decode(past, torch.zeros(12, LATENT_SIZE))
    out = networks.decoder(torch.cat([past, torch.zeros(12, LATENT_SIZE)], 1))
    torch.testing.assert_close(following.trans, past[:, :3] + out[:, :3])
    torch.testing.assert_close(logits, out[:, -9:])
