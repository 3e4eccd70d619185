"""What the settings of a run are called in the window, where they stand, what they do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from refine_engine.config import ENABLE_KEYS, ITERATION_KEYS, RefinementConfig

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "&Scale and ground": (
        *("alpha_init", "optimize_delta_alpha", "alpha_change_threshold", "alpha_bound_sigmas"),
        "depth_scale",
        *("optimize_ground_plane", "ground_plane_init", "ground_plane_offset"),
    ),
    "&Motion prior": (
        *("motion_prior_chunk_size", "humor_horizon_max", "motion_prior_mode"),
        *("motion_prior", "motion_prior_initial_state", "device", "contact_head"),
    ),
    "&Input and run": (
        *("max_frames", "depth_stride", "gap_filling", "max_total_iterations"),
        *("convergence_threshold", "guard", "threads", "seed"),
    ),
}
"""Tab to the settings on it; a setting that is on no tab stands on the last one."""
TITLES: Mapping[str, str] = {
    "alpha_init": "First scale",
    "optimize_delta_alpha": "Bound the change of scale",
    "alpha_change_threshold": "Largest change of scale",
    "alpha_bound_sigmas": "… or so many sigmas",
    "depth_scale": "Unit of depth",
    "optimize_ground_plane": "Refine the ground plane",
    "ground_plane_init": "First ground plane",
    "ground_plane_offset": "Offset of a fixed plane",
    "motion_prior_chunk_size": "First window",
    "humor_horizon_max": "Longest window",
    "motion_prior_mode": "What is solved for",
    "motion_prior": "HuMoR checkpoint",
    "motion_prior_initial_state": "HuMoR first states",
    "device": "HuMoR runs on",
    "contact_head": "Contacts also from the motion prior",
    "max_frames": "Frames used",
    "depth_stride": "Use every n-th depth map",
    "gap_filling": "Filling of gaps",
    "max_total_iterations": "Iterations of a run",
    "convergence_threshold": "Relative tolerance",
    "guard": "Roll back what makes it worse",
    "threads": "Threads",
    "seed": "Seed",
}
UNITS: Mapping[str, str] = {
    "ground_plane_offset": " m",
    "motion_prior_chunk_size": " frames",
    "humor_horizon_max": " frames",
    "max_frames": " frames",
}
ZERO: Mapping[str, str] = {"threads": "one a core", "humor_horizon_max": "the whole clip"}
_WHEN = {"max_frames": " Takes effect when the folder is opened again."}
_SAID: tuple[tuple[str, str], ...] = (
    ("; null = the whole clip", ""),
    ("; null = all", ""),
    ("; false frees it", "; unchecked: it is free"),
    ("when optimize_delta_alpha is true", "where it is bounded"),
    ("when ground_plane_init is fixed", "when the first ground plane is “fixed”"),
)
"""Words of a configuration file, and what this dialog shows instead."""


def explained(key: str) -> str:
    """What a setting does, in this dialog's words."""
    text = RefinementConfig.describe(key)
    for said, meant in _SAID:
        text = text.replace(said, meant)
    return text + _WHEN.get(key, "")


def fields() -> dict[str, Any]:
    """The dataclass fields of the configuration by key."""
    return {f.name: f for f in dataclasses.fields(RefinementConfig)}


def sections() -> dict[str, tuple[str, ...]]:
    """The tabs; a setting that the engine got since stands on the last one."""
    placed = {key for keys in SECTIONS.values() for key in keys}
    elsewhere = {*ENABLE_KEYS.values(), *ITERATION_KEYS.values(), "stature"}
    others = tuple(
        key
        for key in fields()
        if key not in placed and key not in elsewhere and not key.startswith("lambda_")
    )
    found = dict(SECTIONS)
    last = list(found)[-1]
    found[last] = (*found[last], *others)
    return found
