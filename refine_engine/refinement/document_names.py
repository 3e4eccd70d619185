"""The method names that the original pipeline's document gives to sub-stages and losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from refine_engine.refinement.substages import PLANS

if TYPE_CHECKING:
    from refine_engine.state import OptimizationState, SubStage


class DocumentNames(ABC):
    """``_optimize_*``: one sub-stage alone; ``_compute_*_loss``: its weighted loss, in nats.

    All of them are about the last input of the refiner that they are mixed into.
    """

    @abstractmethod
    def resolve(
        self, state: OptimizationState, *, sub_stage: SubStage = "final"
    ) -> OptimizationState:
        """Solve one sub-stage from ``state``."""

    @abstractmethod
    def loss(self, state: OptimizationState, terms: tuple[str, ...]) -> float:
        """Weighted loss of some terms at ``state``."""

    def _optimize_root(self, state: OptimizationState) -> OptimizationState:
        return self.resolve(state, sub_stage="root")

    def _optimize_smpl(self, state: OptimizationState) -> OptimizationState:
        return self.resolve(state, sub_stage="smpl")

    def _optimize_motion_prior(self, state: OptimizationState) -> OptimizationState:
        return self.resolve(state, sub_stage="motion")

    def _optimize_environmental(self, state: OptimizationState) -> OptimizationState:
        return self.resolve(state, sub_stage="environmental")

    def _optimize_scale(self, state: OptimizationState) -> OptimizationState:
        return self.resolve(state, sub_stage="scale")

    def _optimize_final(self, state: OptimizationState) -> OptimizationState:
        return self.resolve(state, sub_stage="final")

    def _compute_root_loss(self, state: OptimizationState) -> float:
        return self.loss(state, PLANS["root"].terms)

    def _compute_smpl_loss(self, state: OptimizationState) -> float:
        return self.loss(state, PLANS["smpl"].terms)

    def _compute_motion_loss(self, state: OptimizationState) -> float:
        return self.loss(state, ("smooth", "cvae"))

    def _compute_environmental_loss(self, state: OptimizationState) -> float:
        return self.loss(state, ("skate", "contact"))

    def _compute_depth_consistency_loss(self, state: OptimizationState) -> float:
        return self.loss(state, ("depth",))

    def _compute_multi_person_scale_loss(self, state: OptimizationState) -> float:
        return self.loss(state, ("multi_scale", "cvae"))

    def _compute_final_loss(self, state: OptimizationState) -> float:
        return self.loss(state, PLANS["final"].terms)
