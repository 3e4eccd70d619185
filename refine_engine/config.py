"""The settings of a refinement: names and defaults of the ``stage5`` section of ``vggt.yaml``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from refine_engine.config_keys import Key, checked, suggestion
from refine_engine.errors import ConfigError


def _key(default: Any, doc: str, **kind: Any) -> Any:
    return field(default=default, metadata={"key": Key(doc, **kind)})


def _switch(name: str) -> Any:
    return _key(True, f"Run the sub-stage {name}.")


def _cap(default: int, name: str) -> Any:
    return _key(default, f"Upper bound on iterations of {name}.", low=0, high=100_000)


def _weight(default: float, doc: str) -> Any:
    return _key(default, f"Weight of {doc}; 0 removes the term.", low=0.0, high=1e9)


@dataclass(frozen=True)
class RefinementConfig:
    """Every setting of a refinement; immutable, validated on construction.

    Raises
    ------
    ConfigError
        A value has the wrong type or is out of range.
    """

    enable_root_fitting: bool = _switch("root")
    enable_smpl_fitting: bool = _switch("smpl")
    enable_motion_prior: bool = _switch("motion")
    enable_environmental_constraints: bool = _switch("environmental")
    enable_scale_optimization: bool = _switch("scale")
    enable_final_refinement: bool = _switch("final")

    root_fitting_iterations: int = _cap(30, "root")
    smpl_fitting_iterations: int = _cap(60, "smpl")
    motion_prior_iterations: int = _cap(10, "motion, for each window length")
    environmental_iterations: int = _cap(100, "environmental")
    scale_iterations: int = _cap(50, "scale")
    final_iterations: int = _cap(50, "final")
    max_total_iterations: int = _cap(500, "the whole run")

    lambda_data: float = _weight(1.0, "the 2-D keypoints and the measured poses")
    lambda_beta: float = _weight(0.01, "the body-shape prior")
    lambda_pose: float = _weight(0.1, "the pose prior")
    lambda_cvae: float = _weight(0.1, "the motion prior")
    lambda_skate: float = _weight(100.0, "sliding of feet in contact")
    lambda_contact: float = _weight(10.0, "height of feet in contact, and penetration")
    lambda_depth: float = _weight(1.0, "agreement with the depth maps")
    lambda_multi_scale: float = _weight(0.5, "the multi-person scale likelihood")
    lambda_smooth: float = _weight(0.001, "acceleration of joints")

    optimize_delta_alpha: bool = _key(
        True, "Keep alpha within a bound about alpha_0; false frees it."
    )
    alpha_change_threshold: float = _key(
        0.05,
        "Largest |delta alpha| when optimize_delta_alpha is true; 0 holds alpha at alpha_0.",
        low=0.0,
        high=1.0,
    )
    alpha_bound_sigmas: float = _key(
        2.0,
        "Widens the bound to so many sigmas of alpha_0 where that was estimated; 0 never does.",
        low=0.0,
        high=100.0,
    )
    motion_prior_chunk_size: int = _key(
        10, "First window of the motion prior, in frames.", low=2, high=100_000
    )
    humor_horizon_max: int | None = _key(
        None,
        "Longest window of the motion prior, in frames; null = the whole clip.",
        low=2,
        high=1_000_000,
        optional=True,
    )
    optimize_ground_plane: bool = _key(True, "Let the ground plane tilt and move.")
    ground_plane_init: Literal["median", "ransac", "fixed"] = _key(
        "median", "How the ground plane is first found.", choices=("median", "ransac", "fixed")
    )
    convergence_threshold: float = _key(
        1e-4, "Relative change of the loss below which a sub-stage may end.", low=0.0, high=1.0
    )

    # Ours, beside the keys of the original document.
    depth_scale: Literal["shared", "metric"] = _key(
        "shared",
        "Whether depth shares the cameras' unit (VGGT) or is metric on its own.",
        choices=("shared", "metric"),
    )
    alpha_init: Literal["auto", "metric"] = _key(
        "auto",
        "auto: estimate alpha_0 where the unit is unknown; metric: trust it as metres.",
        choices=("auto", "metric"),
    )
    ground_plane_offset: float = _key(
        0.0, "Offset d of the plane when ground_plane_init is fixed, metres.", low=-1e3, high=1e3
    )
    gap_filling: Literal["learned", "geodesic"] = _key(
        "learned",
        "Fill gaps of up to two seconds from the motion on both sides, or by straight lines.",
        choices=("learned", "geodesic"),
    )
    stature: dict[int, float] = field(
        default_factory=dict,
        metadata={"key": Key("Known standing heights: person id to metres.", low=0.4, high=2.6)},
    )
    max_frames: int | None = _key(
        None,
        "Use only the first so many frames; null = all.",
        low=1,
        high=10_000_000,
        optional=True,
    )
    depth_stride: int = _key(
        4, "Read every n-th depth map (accuracy against time and memory).", low=1, high=1000
    )
    guard: bool = _key(True, "Roll back a sub-stage that held-out evidence says made it worse.")
    motion_prior: str = _key("", "Path of a HuMoR checkpoint; empty = the embedded prior.")
    motion_prior_mode: Literal["transitions", "rollout"] = _key(
        "transitions",
        "transitions: states are the variables; rollout: first states and HuMoR's latents (slow).",
        choices=("transitions", "rollout"),
    )
    motion_prior_initial_state: str = _key(
        "", "Path of HuMoR's prior_gmm.npz; empty = the one beside the checkpoint, if any."
    )
    device: str = _key(
        "auto",
        "Where HuMoR's networks run: auto (the first CUDA card, if any), cpu, cuda, cuda:N or mps.",
        pattern=r"auto|cpu|mps|cuda(:\d{1,3})?",
        examples=("auto", "cpu", "cuda", "cuda:0", "mps"),
    )
    contact_head: bool = _key(
        False, "Let the motion prior's contact head decide with kinematics which feet stand."
    )
    threads: int = _key(
        0,
        "Worker threads of the solver; 0 = one per core, at most one per person.",
        low=0,
        high=256,
    )
    seed: int = _key(0, "Seed of every random choice.", low=0, high=2**31)

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            value = checked(f.name, getattr(self, f.name), str(f.type), f.metadata["key"])
            object.__setattr__(self, f.name, value)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "stage5") -> RefinementConfig:
        """Build from plain keys.

        Raises
        ------
        ConfigError
            A key is unknown (names the nearest valid one) or a value does not fit.
        """
        names = [f.name for f in dataclasses.fields(cls)]
        for key in values:
            if key not in names:
                raise ConfigError(f"{where}.{key}", "is not a setting", suggestion(key, names))
        return cls(**dict(values))

    @classmethod
    def from_yaml(cls, path: str | Path) -> RefinementConfig:
        """Read the ``stage5`` section of a YAML file, or a file that holds only its keys.

        Raises
        ------
        ConfigError
            The file cannot be read, is not YAML, or holds an unknown or illegal key.
        """
        return cls.from_dict(stage5_section(read_yaml(path), path), where=f"{path}: stage5")

    def replace(self, **changes: Any) -> RefinementConfig:
        """A copy with some settings changed, validated again."""
        return type(self).from_dict({**self.to_dict(), **changes})

    def with_settings(self, settings: list[str]) -> RefinementConfig:
        """Apply ``KEY=VALUE`` texts as the command line gives them (values in YAML).

        Raises
        ------
        ConfigError
            A text has no '=', its value is no YAML, or the key or value is refused.
        """
        changes: dict[str, Any] = {}
        for text in settings:
            key, sign, value = text.partition("=")
            if not sign:
                raise ConfigError(f"--set {text}", "has no '='", "write --set KEY=VALUE")
            try:
                changes[key.strip()] = yaml.safe_load(value)
            except yaml.YAMLError:
                raise ConfigError(
                    f"--set {text}", "has a value that cannot be read", "write it as in YAML"
                ) from None
        return self.replace(**changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for YAML and JSON."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def to_yaml(self) -> str:
        """Text of a YAML file with one ``stage5`` section."""
        return yaml.safe_dump({"stage5": self.to_dict()}, sort_keys=False)

    def weights(self) -> dict[str, float]:
        """Term name to lambda: the nine sliders."""
        return {name: float(getattr(self, f"lambda_{name}")) for name in TERM_NAMES}

    def with_weights(self, weights: Mapping[str, float]) -> RefinementConfig:
        """A copy with other lambdas."""
        return self.replace(**{f"lambda_{name}": value for name, value in weights.items()})

    @classmethod
    def describe(cls, key: str) -> str:
        """One-line meaning of a key, for tooltips and ``--help``."""
        for f in dataclasses.fields(cls):
            if f.name == key:
                return str(f.metadata["key"].doc)
        raise ConfigError(
            key, "is not a setting", suggestion(key, [f.name for f in dataclasses.fields(cls)])
        )


TERM_NAMES: tuple[str, ...] = (
    "data",
    "beta",
    "pose",
    "cvae",
    "skate",
    "contact",
    "depth",
    "multi_scale",
    "smooth",
)
"""The nine weighted terms, in the order in which interfaces list them."""

ENABLE_KEYS: Mapping[str, str] = {
    "root": "enable_root_fitting",
    "smpl": "enable_smpl_fitting",
    "motion": "enable_motion_prior",
    "environmental": "enable_environmental_constraints",
    "scale": "enable_scale_optimization",
    "final": "enable_final_refinement",
}
ITERATION_KEYS: Mapping[str, str] = {
    "root": "root_fitting_iterations",
    "smpl": "smpl_fitting_iterations",
    "motion": "motion_prior_iterations",
    "environmental": "environmental_iterations",
    "scale": "scale_iterations",
    "final": "final_iterations",
}


def checked_weights(weights: Mapping[str, float]) -> dict[str, float]:
    """Term name to lambda, each term known and each lambda in its range.

    Raises
    ------
    ConfigError
        Names the term, what is wrong with its weight and what to write.
    """
    for name in weights:
        if name not in TERM_NAMES:
            raise ConfigError(str(name), "is not a term", suggestion(name, TERM_NAMES))
    known = RefinementConfig().with_weights(weights).weights()
    return {name: known[name] for name in weights}


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A YAML file's top-level mapping.

    Raises
    ------
    ConfigError
        The file cannot be read or is not a YAML mapping.
    """
    try:
        loaded = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            str(path), f"cannot be read ({error.strerror})", "check the path"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(str(path), f"is not valid YAML ({problem})", "correct the file") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(str(path), "is not a mapping of keys", "write 'stage5:' and its keys")
    return loaded


def stage5_section(loaded: Mapping[str, Any], where: str | Path) -> dict[str, Any]:
    """The ``stage5`` mapping of a whole pipeline file, or the file's own keys."""
    section = loaded.get("stage5", loaded if _looks_like_stage5(loaded) else {})
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise ConfigError(f"{where}: stage5", "is not a mapping", "write one key per line under it")
    return dict(section)


def _looks_like_stage5(loaded: Mapping[str, Any]) -> bool:
    return bool(loaded) and not any(
        isinstance(v, Mapping) for k, v in loaded.items() if k != "stature"
    )
