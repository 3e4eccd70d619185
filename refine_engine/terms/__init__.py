"""Loss terms and the problem that they make up; see :mod:`.protocol` for how to add one."""

from __future__ import annotations

from refine_engine.terms.packed import Packed, PackedPerson
from refine_engine.terms.problem import Problem
from refine_engine.terms.protocol import Common, Posed, Term, TermInfo, Track
from refine_engine.terms.registry import TERMS

__all__ = [
    "TERMS",
    "Common",
    "Packed",
    "PackedPerson",
    "Posed",
    "Problem",
    "Term",
    "TermInfo",
    "Track",
]
