from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from refine_engine.errors import InputError, UnsafeFileError
from refine_engine.motion_prior.humor.checkpoint import load_initial_state_prior, load_networks
from refine_engine.motion_prior.humor.initial_state import initial_vector
from tests.refine_engine.motion_prior.humor.random_motion import random_networks, random_states


@functools.cache
def _weights() -> dict[str, torch.Tensor]:
    return random_networks().state_dict()


def _save(path: Path, weights: dict[str, torch.Tensor], prefix: str = "") -> Path:
    model = {prefix + key: value for key, value in weights.items()}
    torch.save({"model": model, "optim": {}, "epoch": 3, "min_val_loss": 0.5}, path)
    return path


def test_loads_the_released_layout_with_prefix_and_body_models(tmp_path: Path) -> None:
    weights = _weights()
    weights = {**weights, "male_bm.v_template": torch.zeros(3), "neutral_bm.f": torch.zeros(2)}
    loaded = load_networks(_save(tmp_path / "best_model.pth", weights, "module."))
    for key, value in loaded.state_dict().items():
        torch.testing.assert_close(value, weights[key], rtol=0, atol=0)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda w: w.pop("decoder.net.9.weight"), "lacks the weights 'decoder.net.9.weight'"),
        (
            lambda w: w.update({"encoder.net.0.weight": torch.zeros(1024, 600)}),
            "'encoder.net.0.weight' as (1024, 600), not (1024, 678)",
        ),
        (lambda w: w.update({"vposer.fc": torch.zeros(2)}), "unknown weights 'vposer.fc'"),
        (
            lambda w: w.update({"decoder.net.12.weight": torch.zeros(216, 560)}),
            "unknown weights 'decoder.net.12.weight'",
        ),
        (
            lambda w: w.update({"encoder.net.12.weight": torch.zeros(64, 1024)}),
            "'encoder.net.12.weight' as (64, 1024), not (96, 1024)",
        ),
        (
            lambda w: w.update({"encoder.net.0.bias": torch.zeros(1024, dtype=torch.int64)}),
            "'encoder.net.0.bias' as int64",
        ),
        (
            lambda w: w.update({"encoder.net.0.bias": torch.zeros(1024).to_sparse()}),
            "'encoder.net.0.bias' as float32 numbers of another layout",
        ),
        (lambda w: w.update({"encoder.net.0.bias": 3.0}), "'encoder.net.0.bias' as float"),
        (
            lambda w: w.update({"prior_net.net.12.bias": torch.full((96,), float("nan"))}),
            "non-finite numbers in 'prior_net.net.12.bias'",
        ),
    ],
)
def test_the_first_mismatch_is_named(tmp_path: Path, change: object, fragment: str) -> None:
    weights = dict(_weights())
    change(weights)  # type: ignore[operator]
    path = _save(tmp_path / "other.pth", weights)
    with pytest.raises(InputError) as caught:
        load_networks(path)
    assert fragment in str(caught.value)
    assert "other.pth" in str(caught.value)


class _Exploit:
    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.mkdir, (self.target,)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    sentinel = tmp_path / "ran"
    path = tmp_path / "evil.pth"
    torch.save({"model": _Exploit(str(sentinel))}, path)
    with pytest.raises(UnsafeFileError, match="could run code"):
        load_networks(path)
    assert not sentinel.exists()


def test_text_missing_and_truncated_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.pth"
    text.write_text("version https://git-lfs.github.com/spec/v1")
    whole = _save(tmp_path / "whole.pth", _weights())
    cut = tmp_path / "cut.pth"
    cut.write_bytes(whole.read_bytes()[:5000])
    for path in (text, cut, tmp_path / "none.pth"):
        with pytest.raises(InputError, match=path.name):
            load_networks(path)


@pytest.mark.parametrize("content", [[1, 2], 7, {"model": [torch.zeros(2)]}])
def test_a_file_without_a_dictionary_of_weights_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "best_model.pth"
    torch.save(content, path)
    with pytest.raises(InputError, match="holds no dictionary of weights"):
        load_networks(path)


def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Cut at the end (no zip directory), and with bytes of the middle overwritten."""
    path = _save(tmp_path / "best_model.pth", _weights())
    whole = path.read_bytes()
    for content in (whole[:-2000], whole[:1500] + bytes(1000) + whole[2500:]):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            load_networks(path)
        text = str(caught.value)
        assert "\n" not in text
        # Overwritten instructions look like foreign ones: refused as such, and nothing is run.
        assert "is no readable PyTorch file (" in text or "was not read" in text
        assert len(text) < len(str(path)) + 200


def test_another_kind_of_archive_is_called_one(tmp_path: Path) -> None:
    path = tmp_path / "prior_gmm.npz"
    np.savez(path, **_gmm_arrays())
    with pytest.raises(InputError, match="another kind of ZIP archive"):
        load_networks(path)


def _gmm_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    factors = 0.1 * rng.normal(size=(12, 138, 138)) + np.eye(138)
    weights = rng.uniform(0.5, 1, 12)
    return {
        "weights": weights / weights.sum(),
        "means": rng.normal(size=(12, 138)),
        "covariances": factors @ factors.transpose(0, 2, 1),
    }


def test_initial_state_likelihood_equals_its_formula(tmp_path: Path) -> None:
    arrays = _gmm_arrays()
    np.savez(tmp_path / "prior_gmm.npz", **arrays)
    prior = load_initial_state_prior(tmp_path / "prior_gmm.npz")
    state = random_states()[3]
    vector = np.concatenate(
        [
            state.joints.reshape(-1),
            state.joints_vel.reshape(-1),
            state.trans_vel,
            state.root_orient_vel,
        ]
    )
    logs = [
        np.log(w) + multivariate_normal.logpdf(vector, m, c)
        for w, m, c in zip(*arrays.values(), strict=True)
    ]
    assert initial_vector(state).tolist() == vector.tolist()
    assert prior.quadratic(vector)[0] == pytest.approx(-np.logaddexp.reduce(logs))


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda a: a.pop("means"), "lacks the array"),
        (lambda a: a.update(means=np.zeros((12, 100))), "'means' as"),
        (lambda a: a["covariances"].__imul__(-1), "not positive"),
        (lambda a: a["covariances"].__setitem__((3, 5, 5), np.nan), "non-finite .* 'covariances'"),
        (lambda a: a["weights"].__setitem__(2, 0.0), "'weights' that are not all positive"),
        (lambda a: a.update(weights=np.array(["x"] * 12)), "'weights' as <U1, not numbers"),
        (lambda a: a.update(weights=np.array([{}] * 12)), "Python objects"),
    ],
)
def test_a_wrong_mixture_is_refused(tmp_path: Path, change: object, fragment: str) -> None:
    arrays = _gmm_arrays()
    change(arrays)  # type: ignore[operator]
    np.savez(tmp_path / "prior_gmm.npz", **arrays)
    with pytest.raises(InputError, match=fragment):
        load_initial_state_prior(tmp_path / "prior_gmm.npz")
