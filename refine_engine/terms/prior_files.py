"""Which files the motion prior of a run is read from, and how to name them in its results."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.errors import InputError
from refine_engine.motion_prior.transition import FILE
from refine_engine.resources import resource_path

if TYPE_CHECKING:
    from refine_engine.config import RefinementConfig

MIXTURE_NAME = "prior_gmm.npz"


def initial_state_file(config: RefinementConfig) -> Path | None:
    """HuMoR's ``prior_gmm.npz``: the given one, else where its release puts it, else None."""
    if config.motion_prior_initial_state:
        return Path(config.motion_prior_initial_state)
    folder = Path(config.motion_prior).parent
    usual = (folder, folder.parent / "init_state_prior_gmm")
    return next((f / MIXTURE_NAME for f in usual if (f / MIXTURE_NAME).is_file()), None)


def describe_prior(config: RefinementConfig) -> dict[str, Any]:
    """Name, file and SHA-256 of the prior that a run uses, for its results.

    ``{"name": "embedded" or "HuMoR", "file", "sha256", "mode", "device", "initial_state"}``: the
    device is ``CPU`` or the name of the card that HuMoR's networks work on, the last is
    ``{"file", "sha256"}`` of HuMoR's mixture over first states, or None without one.

    Raises
    ------
    ConfigError
        There is no such device.
    InputError
        A file cannot be read.
    """
    if not config.motion_prior:
        path = resource_path(*FILE)
        return {
            "name": "embedded",
            "file": path.name,
            "sha256": file_hash(path),
            "mode": "transitions",
            "device": "CPU",
            "initial_state": None,
        }
    # With a checkpoint torch is needed; it takes seconds to import.
    from refine_engine.motion_prior.humor.device import Device

    mixture = initial_state_file(config)
    return {
        "name": "HuMoR",
        "file": config.motion_prior,
        "sha256": file_hash(Path(config.motion_prior)),
        "mode": config.motion_prior_mode,
        "device": Device.named(config.device).name,
        "initial_state": None
        if mixture is None
        else {"file": str(mixture), "sha256": file_hash(mixture)},
    }


def file_hash(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "check the path") from None
