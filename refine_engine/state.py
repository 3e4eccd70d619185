"""What is optimised, what an iteration reports and what a run returns. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from refine_engine.scene import ImportReport

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

SubStage = Literal["init", "root", "smpl", "motion", "environmental", "scale", "final"]
SUBSTAGES: tuple[SubStage, ...] = (
    "init",
    "root",
    "smpl",
    "motion",
    "environmental",
    "scale",
    "final",
)
"""The seven sub-stages in order, by their loss-history names."""

SubStageStatus = Literal["waiting", "running", "converged", "capped", "rolled_back", "skipped"]

CONTACT_POINTS = ("left heel", "left toe", "right heel", "right toe")


def freeze(array: NDArray[np.generic]) -> None:
    """Make an array read-only in place, so that a snapshot can be shared between threads."""
    array.flags.writeable = False


@dataclass(frozen=True)
class PersonState:
    """One person over a dense range of frames (gaps filled), in the engine's world."""

    frames: IntArray
    """(n,) consecutive video frame numbers from the first to the last measured one."""
    R_world_root: Array
    """(n, 3, 3) global orientation."""
    body_pose: Array
    """(n, 23, 3, 3) rotations of SMPL joints 1..23 relative to their parents."""
    betas: Array
    """(10,) shape coefficients."""
    transl_world: Array
    """(n, 3) smplx ``transl``, metres: pelvis = J0(betas) + transl."""
    observed: BoolArray
    """(n,) False on filled frames."""
    contacts: Array
    """(n, 4) probability of ground contact: left heel, left toe, right heel, right toe."""
    joint_sigma: Array | None = None
    """(n, 24) standard deviation of joint positions, metres (after covariance)."""
    image_shift: Array | None = None
    """(n, 2) how far this person's image is off as a whole, as the solver explains it: errors of
    the camera's rotation, in units of x/z and y/z. None = not estimated."""
    learned: BoolArray | None = None
    """(n,) filled frames that follow the motion on both sides of their gap; None = none do."""


@dataclass(frozen=True)
class OptimizationState:
    """Everything that the solver may change."""

    people: Mapping[int, PersonState]
    """By track id."""
    ground_plane: Array
    """(4,) in the engine's world: unit normal pointing up, offset: ``n . x + d = 0``."""
    alpha_0: float
    """Metres per reconstruction unit from ``init`` (1 where the input is metric)."""
    scale_delta: float = 0.0
    """Relative change of alpha since ``init``."""
    alpha_0_log_sigma: float | None = None
    """Standard deviation of log alpha_0 as ``init`` estimated it; None where it was given."""
    chunk_log_scale: Array = field(default_factory=lambda: np.zeros(1))
    """(C,) natural-log depth bias of each reconstruction chunk (nuisance)."""

    @property
    def alpha(self) -> float:
        """Metres per reconstruction unit: ``alpha_0 (1 + scale_delta)``."""
        return self.alpha_0 * (1.0 + self.scale_delta)


@dataclass(frozen=True)
class CueEstimate:
    """What one source of evidence alone says about alpha."""

    name: str
    """"depth", "motion", "body size", "contact"; "motion prior" once alpha was free."""
    alpha: float | None
    """None where the cue says nothing."""
    sigma: float | None
    """Standard deviation of ``alpha``; None where it says nothing."""


@dataclass(frozen=True)
class ScaleReport:
    """The answer about scale, with how far it can be trusted."""

    alpha: float
    alpha_0: float
    delta: float
    sigma: float | None
    """Standard deviation of alpha: of ``init``'s estimate at first, the undamped posterior's once a
    sub-stage has freed alpha; None where it was given, or is not known."""
    observable: bool
    """False where nothing measured fixes alpha (static camera and no metric cue)."""
    at_bound: bool
    """True where delta stopped at its bound."""
    cues: tuple[CueEstimate, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    """(alpha, energy) samples of the profile over alpha, when computed."""
    observable_from_motion: bool = True
    """False with a static camera: people's motion then says nothing about alpha."""
    note: str = ""
    """One sentence for the user, e.g. "not observable from motion: the camera is static"."""
    bound: tuple[float, float] | None = None
    """Least and largest delta that the run allowed; None where alpha was free, or not known."""
    bound_source: str = ""
    """The setting that gave ``bound``: "alpha_change_threshold", or "alpha_bound_sigmas" where
    alpha_0 was estimated and is less certain than that; "free"; empty where not known."""


@dataclass(frozen=True)
class Snapshot:
    """One accepted iteration, or the begin or end of a sub-stage."""

    event: Literal["begin", "iteration", "end"]
    sub_stage: SubStage
    iteration: int
    """1-based inside the sub-stage; 0 on "begin"."""
    total_loss: float
    terms: Mapping[str, float]
    """Weighted loss of each term; their sum is ``total_loss``."""
    state: OptimizationState
    alpha_sigma: float | None
    """Undamped posterior standard deviation of alpha so far; on ``init``'s that of its estimate."""
    seconds: float
    """Seconds since the run began (paused time not counted)."""
    status: SubStageStatus = "running"
    message: str = ""
    scale: ScaleReport | None = None
    max_joint_step: float = 0.0
    """Largest joint movement of this iteration, metres."""


@dataclass(frozen=True)
class SubStageResult:
    """How one sub-stage ended."""

    sub_stage: SubStage
    status: SubStageStatus
    iterations: int
    seconds: float
    final_loss: float | None
    loss_curves: Mapping[str, tuple[float, ...]]
    """Per term and "total": one value per accepted iteration."""
    message: str = ""
    interrupted: bool = False
    """True where the caller stopped it half way: a resumed run does it again."""


@dataclass(frozen=True)
class RefinementOutput:
    """What a run returns (see DESIGN: ``refinement_results.json``)."""

    status: Literal["success", "failed", "stopped"]
    state: OptimizationState
    initial_state: OptimizationState
    """The state after ``init``: what the input says, gaps filled."""
    sub_stages: tuple[SubStageResult, ...]
    convergence_achieved: bool
    scale: ScaleReport
    per_person_likelihoods: Mapping[int, float]
    """(0, 1] each."""
    likelihood_nats: Mapping[int, float] = field(default_factory=dict)
    """Raw nats per frame each, where a prior computed them."""
    prior_influence: Mapping[int, float] = field(default_factory=dict)
    """How firmly the motion prior holds each person: 1 = as ordinary motion, 0 = lets it go."""
    motion_prior: Mapping[str, Any] = field(default_factory=dict)
    """Which motion prior was used: ``name``, ``file``, ``sha256``, ``mode``, ``device``,
    ``initial_state``; with HuMoR also its ``nats`` per transition, by track id."""
    report: ImportReport = field(default_factory=ImportReport)
    warnings: tuple[str, ...] = ()

    @property
    def total_loss_history(self) -> dict[str, float]:
        """Final value of each sub-stage that ran."""
        return {
            s.sub_stage: s.final_loss
            for s in self.sub_stages
            if s.final_loss is not None and s.sub_stage != "init"
        }
