"""The seven sub-stages as data: what each frees, which terms are in it, how long it may run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from refine_engine.config import ENABLE_KEYS, ITERATION_KEYS
from refine_engine.errors import ConfigError
from refine_engine.solver.arrow_problem import Free
from refine_engine.state import SUBSTAGES, SubStage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refine_engine.config import RefinementConfig

_FIT = ("data", "beta", "pose", "smooth")
_GROUND = ("skate", "contact")


@dataclass(frozen=True)
class SubStagePlan:
    """One row of the table."""

    key: SubStage
    title: str
    does: str
    """One line for people."""
    free: Free | None
    """What the solver may change; None = nothing (``init``)."""
    terms: tuple[str, ...]
    """Names of the loss terms in it, before switched-off weights."""

    patience: int = 2
    """So many iterations in a row that gain next to nothing end it."""

    judged_by: tuple[str, ...] = ("keypoints", "depth", "slide")
    """Kinds of held-out evidence that the guard compares."""

    def enabled(self, config: RefinementConfig) -> bool:
        """Whether the settings want it; ``init`` always runs."""
        return self.key == "init" or bool(getattr(config, ENABLE_KEYS[self.key]))

    def cap(self, config: RefinementConfig) -> int:
        """Upper bound on its iterations."""
        return 1 if self.key == "init" else int(getattr(config, ITERATION_KEYS[self.key]))

    def weights(self, lambdas: Mapping[str, float], *, has_prior: bool) -> dict[str, float]:
        """Term name to lambda for this sub-stage; a weight of 0 is left out: the term is absent.

        Without a motion prior there is no ``cvae`` to count. In ``scale`` and ``final`` the sum
        over people of ``cvae`` is the multi-person likelihood of motion, and ``multi_scale`` that
        of people's sizes: nothing is counted twice.
        """
        chosen = {name: float(lambdas.get(name, 0.0)) for name in self.terms}
        if not has_prior:
            chosen.pop("cvae", None)
        return {name: value for name, value in chosen.items() if value > 0}

    def free_in(self, config: RefinementConfig) -> Free | None:
        """What it frees under these settings (a fixed ground stays fixed)."""
        if self.free is None or config.optimize_ground_plane:
            return self.free
        f = self.free
        return Free(pose=f.pose, betas=f.betas, plane=False, alpha=f.alpha)


PLANS: Mapping[SubStage, SubStagePlan] = {
    plan.key: plan
    for plan in (
        SubStagePlan(
            "init",
            "Initialisation",
            "fills gaps; first scale, ground and contacts",
            None,
            (),
        ),
        SubStagePlan(
            "root",
            "Root fitting",
            "turns and moves people",
            Free(),
            ("data", "smooth"),
            # Poses stay as measured: feet of wrong poses slide wherever the body is put.
            judged_by=("keypoints", "depth"),
        ),
        SubStagePlan(
            "smpl",
            "SMPL fitting",
            "fits poses and shapes",
            Free(pose=True, betas=True),
            _FIT,
        ),
        SubStagePlan(
            "motion",
            "Motion prior",
            "makes motion likely",
            Free(pose=True, betas=True),
            (*_FIT, "cvae"),
            # No term here sees depth, and standing feet move people along the ray by more than
            # its noise; the sub-stages after this one bring both together.
            judged_by=("keypoints", "slide"),
        ),
        SubStagePlan(
            "environmental",
            "Ground and contacts",
            "plants feet on the ground",
            Free(pose=True, betas=True, plane=True),
            (*_FIT, "cvae", *_GROUND),
        ),
        SubStagePlan(
            "scale",
            "Joint scale",
            "finds the unit of the cameras from all people at once",
            Free(pose=True, betas=True, plane=True, alpha=True),
            (*_FIT, "cvae", *_GROUND, "depth", "multi_scale"),
        ),
        SubStagePlan(
            "final",
            "Final refinement",
            "everything together",
            Free(pose=True, betas=True, plane=True, alpha=True),
            (*_FIT, "cvae", *_GROUND, "depth", "multi_scale"),
            patience=3,
        ),
    )
}
"""The sub-stages in their order."""


def plan_of(key: str) -> SubStagePlan:
    """The plan of a sub-stage.

    Raises
    ------
    ConfigError
        The name is none of the seven.
    """
    for plan in PLANS.values():
        if plan.key == key:
            return plan
    raise ConfigError(key, "is not a sub-stage", f"use one of {', '.join(SUBSTAGES)}")
