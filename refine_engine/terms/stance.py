"""What a motion prior knows about feet: one that stands does not move.

A part of ``cvae``, for the sub-stage ``motion``. The transitions of the prior see accelerations; a
body that drifts steadily over the floor has none. HuMoR's fitting has the same part (its contact
velocities, with contacts from its own head). Where ``skate`` is active it says the same with the
same weight, so this part is then absent: nothing counts twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from refine_engine.terms.ground import SKATE_INFO, Skate
from refine_engine.terms.registry import CVAE_INFO

if TYPE_CHECKING:
    from refine_engine.terms.model import PersonModel
    from refine_engine.terms.protocol import Common, Posed, Track

STANCE_INFO = replace(
    CVAE_INFO,
    unit="half square metres moved in 1/30 s",
    c_term=SKATE_INFO.weight(SKATE_INFO.default_weight) / CVAE_INFO.default_weight,
    reason="makes the default lambda of cvae mean what that of skate means: 4 mm in 1/30 s",
)


class Stance:
    """Movement of feet in contact, as :class:`.ground.Skate`, under the name ``cvae``."""

    info = STANCE_INFO

    def __init__(self) -> None:
        self._skate = Skate()

    def loss(
        self, track: Track, posed: Posed, common: Common, weight: float, model: PersonModel | None
    ) -> float:
        """See :class:`refine_engine.terms.protocol.Term`; 0 while ``skate`` is active."""
        if SKATE_INFO.name in common.active:
            return 0.0
        return self._skate.loss(track, posed, common, weight, model)
