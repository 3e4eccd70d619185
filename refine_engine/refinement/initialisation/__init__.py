"""The sub-stage ``init``: gaps, scale, ground and contacts, in closed form."""

from __future__ import annotations

from refine_engine.refinement.initialisation.start import Start, initialise

__all__ = ["Start", "initialise"]
