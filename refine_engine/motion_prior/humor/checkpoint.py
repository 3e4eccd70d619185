"""Reading HuMoR's own files: ``best_model.pth`` and ``prior_gmm.npz``. Runs no code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from refine_engine.errors import InputError
from refine_engine.motion_prior.humor.initial_state import InitialStatePrior
from refine_engine.motion_prior.humor.networks import HumorNetworks
from refine_engine.safe_files import load_torch, open_npz

_IGNORED_PREFIXES = ("male_bm.", "female_bm.", "neutral_bm.")
_REMEDY = "use best_model.pth of the HuMoR release"


def load_networks(path: str | Path, dtype: torch.dtype = torch.float32) -> HumorNetworks:
    """Networks with the weights of a HuMoR checkpoint, in evaluation mode, without gradients.

    A ``module.`` prefix (DataParallel) is stripped, body-model keys are ignored, optimiser
    state is not used.

    Raises
    ------
    InputError
        The file is missing, is no weights-only torch file, or its keys or shapes differ; the
        first mismatch is named.
    UnsafeFileError
        The file asks for code to be run.
    """
    loaded = load_torch(path)
    weights = loaded.get("model", loaded) if isinstance(loaded, dict) else None
    if not isinstance(weights, dict):
        raise InputError(path, "holds no dictionary of weights", _REMEDY)
    weights = {
        str(key).removeprefix("module."): value
        for key, value in weights.items()
        if not str(key).removeprefix("module.").startswith(_IGNORED_PREFIXES)
    }
    networks = HumorNetworks()
    expected = networks.state_dict()
    for key, parameter in expected.items():
        if key not in weights:
            raise InputError(path, f"lacks the weights '{key}'", _REMEDY)
        found = weights[key]
        if not isinstance(found, torch.Tensor) or found.shape != parameter.shape:
            shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise InputError(path, f"has '{key}' as {shape}, not {tuple(parameter.shape)}", _REMEDY)
        if not found.is_floating_point() or found.layout != torch.strided or found.is_meta:
            kind = str(found.dtype).removeprefix("torch.")
            raise InputError(path, f"has '{key}' as {kind} numbers of another layout", _REMEDY)
        if not torch.isfinite(found).all():
            raise InputError(path, f"has non-finite numbers in '{key}'", _REMEDY)
    extra = sorted(set(weights) - set(expected))
    if extra:
        raise InputError(path, f"has the unknown weights '{extra[0]}'", _REMEDY)
    networks.load_state_dict(weights)
    return networks.to(dtype).eval().requires_grad_(False)


def load_initial_state_prior(path: str | Path) -> InitialStatePrior:
    """The mixture over first states from ``prior_gmm.npz`` (12 components of 138 dimensions).

    Raises
    ------
    InputError
        The file is missing, damaged or of another shape.
    """
    remedy = "use prior_gmm.npz of the HuMoR release"
    shapes = {"weights": (12,), "means": (12, 138), "covariances": (12, 138, 138)}
    with open_npz(path) as file:
        absent = [key for key in shapes if key not in file]
        if absent:
            raise InputError(path, f"lacks the array '{absent[0]}'", remedy)
        raw = {key: file[key] for key in shapes}
    for key, shape in shapes.items():
        if raw[key].shape != shape:
            raise InputError(path, f"has '{key}' as {raw[key].shape}, not {shape}", remedy)
        if raw[key].dtype.kind not in "fiu":
            raise InputError(path, f"has '{key}' as {raw[key].dtype}, not numbers", remedy)
        if not np.isfinite(raw[key]).all():
            raise InputError(path, f"has non-finite numbers in '{key}'", remedy)
    arrays = {key: value.astype(np.float64) for key, value in raw.items()}
    if (arrays["weights"] <= 0.0).any():
        raise InputError(path, "has 'weights' that are not all positive", remedy)
    try:
        return InitialStatePrior(arrays["weights"], arrays["means"], arrays["covariances"])
    except np.linalg.LinAlgError:
        raise InputError(path, "has a covariance that is not positive", remedy) from None
