"""The answer about scale, written into a session and read again."""

from __future__ import annotations

import json

import pytest

from app.saved_output import scale_dict, scale_from
from refine_engine.state import CueEstimate, ScaleReport

REPORT = ScaleReport(
    alpha=1.1,
    alpha_0=1.0,
    delta=0.1,
    sigma=0.05,
    observable=True,
    at_bound=False,
    cues=(CueEstimate("motion", 1.2, 0.1), CueEstimate("depth", None, None)),
    curve=((1.0, 0.5), (1.1, 0.0)),
    bound=(-0.24, 0.32),
    bound_source="alpha_bound_sigmas",
)


def test_everything_comes_back() -> None:
    assert scale_from(json.loads(json.dumps(scale_dict(REPORT)))) == REPORT


def test_a_session_from_before_bounds_were_told_can_be_read() -> None:
    saved = scale_dict(REPORT)
    del saved["bound"], saved["bound_source"]
    found = scale_from(json.loads(json.dumps(saved)))
    assert (found.bound, found.bound_source) == (None, "")
    assert found.alpha == pytest.approx(1.1)
