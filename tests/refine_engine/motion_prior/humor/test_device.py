"""Where the networks work: which device a setting means, what crosses, what happens when full."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from refine_engine.errors import ConfigError, OptimizationError
from refine_engine.motion_prior.humor.device import Device
from refine_engine.motion_prior.humor.latents import Tolerance
from refine_engine.motion_prior.humor.model import HumorModel, Motion, Trajectory
from refine_engine.motion_prior.humor.networks import HumorNetworks
from tests.refine_engine.motion_prior.humor.pretend_device import PRETENDED, Pretence, There
from tests.refine_engine.motion_prior.humor.random_motion import random_networks, random_states

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def networks() -> HumorNetworks:
    """Random weights whose decoder moves little from step to step, as a trained one."""
    made = random_networks()
    last = made.decoder.net[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.weight *= 0.1
        last.bias *= 0.1
    return made


def without_cuda(monkeypatch: pytest.MonkeyPatch, version: str | None = None) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", version)


def with_cards(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card {device.index}")


def test_without_a_card_auto_is_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    without_cuda(monkeypatch)
    for setting in ("auto", "cpu"):
        device = Device.named(setting)
        assert (device.torch_device, device.name, device.wide) == (CPU, "CPU", torch.float64)


def test_with_cards_auto_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cards(monkeypatch, 2)
    for setting, expected in (("auto", 0), ("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)):
        device = Device.named(setting)
        assert device.torch_device == torch.device("cuda", expected)
        assert device.name == f"Card {expected} (cuda:{expected})"
        assert device.wide == torch.float32
    assert Device.named("cpu").torch_device == CPU


@pytest.mark.parametrize(
    ("version", "fragment"),
    [
        (None, "this PyTorch is built without CUDA; install a build of it with CUDA"),
        ("13.0", "PyTorch sees no card; see whether nvidia-smi lists one"),
    ],
)
def test_cuda_where_there_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: str | None, fragment: str
) -> None:
    without_cuda(monkeypatch, version)
    for setting in ("cuda", "cuda:1"):
        with pytest.raises(ConfigError) as caught:
            Device.named(setting)
        assert str(caught.value).startswith(f"device: is '{setting}', but {fragment}")
        assert str(caught.value).endswith("or use 'cpu', or leave it at 'auto'.")


def test_a_card_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cards(monkeypatch, 2)
    with pytest.raises(ConfigError, match=r"is 'cuda:2', but there is only cuda:0, cuda:1"):
        Device.named("cuda:2")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="is 'mps', but PyTorch sees no Apple GPU"):
        Device.named("mps")


def asked(model: HumorModel) -> list[np.ndarray]:
    """Everything that transitions of three people answer, with and without a tolerance."""
    people = [random_states(n, seed=n) for n in (3, 8, 5)]
    found = model.transitions([Motion(states) for states in people])
    found += model.transitions(
        [
            Motion(states, tolerance=Tolerance(turn=0.4, place=0.1 * k, freedom=16.0))
            for k, states in enumerate(people, 1)
        ]
    )
    return [
        np.asarray(part)
        for one in found
        for part in (one.nll, one.z, one.predicted.pack(), one.surprise, one.contacts)
    ]


def rolled(model: HumorModel) -> tuple[list[Trajectory], list[torch.Tensor]]:
    """Trajectories of people of different lengths, and derivatives by all that they depend on."""
    rng = np.random.default_rng(2)
    firsts, latents = [], []
    for k, n in enumerate((3, 6, 0, 5)):
        first = random_states(seed=k)[0]
        turned = first.pose_body.clone().requires_grad_(True)
        firsts.append(replace(first, pose_body=turned))
        latents.append(torch.as_tensor(0.5 * rng.normal(size=(n, 48))).requires_grad_(True))
    found = model.trajectories(firsts, latents)
    total = torch.zeros((), dtype=torch.float64)
    for motion in found:
        total = total + motion.nats.sum() + (motion.states.joints[-1] ** 2).sum()
        total = total + motion.states.pose_body[:, :, 0, 1].sum()
    variables = [*latents, *(first.pose_body for first in firsts)]
    return found, list(torch.autograd.grad(total, variables))


def test_transitions_cross_once_each_way_and_never_mix(networks: HumorNetworks) -> None:
    expected = asked(HumorModel(networks))
    with Pretence() as crossings:
        model = HumorModel(copy.deepcopy(networks), Device(PRETENDED))
        assert all(isinstance(p, There) for p in model.networks.parameters())
        crossings.sent = crossings.fetched = 0
        found = asked(model)
        # Two calls of three people each.
        assert (crossings.sent, crossings.fetched) == (2, 2)
    for there, here in zip(found, expected, strict=True):
        assert there.dtype == np.float64
        np.testing.assert_allclose(there, here, rtol=1e-5, atol=1e-5)


def test_a_roll_out_crosses_once_each_way_and_its_derivative_too(networks: HumorNetworks) -> None:
    motions, derivatives = rolled(HumorModel(networks))
    with Pretence() as crossings:
        model = HumorModel(copy.deepcopy(networks), Device(PRETENDED))
        crossings.sent = crossings.fetched = 0
        found, slopes = rolled(model)
        assert (crossings.sent, crossings.fetched) == (2, 2)
    for there, here in zip(found, motions, strict=True):
        assert there.states.trans.dtype == there.nats.dtype == torch.float64
        torch.testing.assert_close(there.states.pack(), here.states.pack(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(there.nats, here.nats, rtol=1e-4, atol=1e-4)
    for slope, exact in zip(slopes, derivatives, strict=True):
        assert slope.dtype == torch.float64
        assert float((slope - exact).norm()) <= 1e-3 * float(exact.norm())


def test_the_pretence_would_notice(networks: HumorNetworks) -> None:
    """It refuses a tensor left behind, double precision there, and an answer that was not sent."""
    with Pretence():
        model = HumorModel(copy.deepcopy(networks), Device(PRETENDED))
        here = torch.zeros(2, 339)
        with pytest.raises(AssertionError, match="mixes devices"):
            model.networks.prior(here)
        there = here.to(PRETENDED)
        with pytest.raises(AssertionError, match="mixes devices"):
            there + torch.ones(339)
        with pytest.raises(AssertionError, match="double precision"):
            there.double()
        assert there.cpu().tolist() == here.tolist()


def test_rows_are_halved_until_memory_suffices() -> None:
    tried: list[int] = []

    def work(rows: torch.Tensor) -> torch.Tensor:
        tried.append(len(rows))
        if len(rows) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return 2.0 * rows

    rows = torch.arange(10.0)[:, None]
    found = Device().evaluated(work, rows)
    assert found.tolist() == (2.0 * rows).tolist()
    assert found.dtype == torch.float64
    assert tried == [10, 5, 3, 2, 5, 3, 2]


def test_long_motions_are_evaluated_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refine_engine.motion_prior.humor.device.MOST_ROWS", 4)
    tried: list[int] = []

    def work(rows: torch.Tensor) -> torch.Tensor:
        tried.append(len(rows))
        return rows + 1.0

    rows = torch.arange(10.0)[:, None]
    assert Device().evaluated(work, rows).tolist() == (rows + 1.0).tolist()
    assert tried == [4, 4, 2]


def test_memory_that_does_not_suffice_for_one_row_is_a_sentence(networks: HumorNetworks) -> None:
    def work(rows: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(OptimizationError, match="device cpu: has too little free memory"):
        Device().evaluated(work, torch.zeros(5, 2))
    model = HumorModel(networks)
    model._rolled_out = lambda rows, counts: work(rows)  # type: ignore[method-assign]
    with pytest.raises(OptimizationError, match="run with device 'cpu'"):
        model.trajectories([random_states()[0]], [torch.zeros(2, 48)])


def test_a_card_that_cannot_be_used_is_a_sentence() -> None:
    """As one that the build of PyTorch has no code for."""

    def work(rows: torch.Tensor) -> torch.Tensor:
        raise torch.AcceleratorError("CUDA error: no kernel image is available\nMore to read.")

    with pytest.raises(OptimizationError) as caught:
        Device().evaluated(work, torch.zeros(5, 2))
    assert str(caught.value) == (
        "device cpu: failed (CUDA error: no kernel image is available); "
        "end other programs that use it, or run with device 'cpu'."
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; torch sees none")
def test_cuda_agrees_with_the_processor(networks: HumorNetworks) -> None:
    here, there = HumorModel(copy.deepcopy(networks)), Device.named("cuda")
    assert "cuda:0" in there.name
    model = HumorModel(copy.deepcopy(networks), there)
    assert all(p.is_cuda for p in model.networks.parameters())
    for found, expected in zip(asked(model), asked(here), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    (motions, slopes), (same, derivatives) = rolled(model), rolled(here)
    for found, expected in zip(motions, same, strict=True):
        assert found.states.trans.device == CPU
        torch.testing.assert_close(
            found.states.pack(), expected.states.pack(), rtol=1e-3, atol=1e-4
        )
        torch.testing.assert_close(found.nats, expected.nats, rtol=1e-3, atol=1e-2)
    for slope, exact in zip(slopes, derivatives, strict=True):
        assert float((slope - exact).norm()) <= 1e-2 * float(exact.norm())
