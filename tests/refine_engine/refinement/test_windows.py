"""The motion prior's growing windows."""

import pytest

from refine_engine.config import RefinementConfig
from refine_engine.refinement.window_lengths import window_lengths
from refine_engine.refinement.windows import Windows
from refine_engine.solver.levenberg import Damping, StepResult
from refine_engine.terms.motion import motion_terms


@pytest.mark.parametrize(
    ("first", "longest", "frames", "expected"),
    [
        (10, None, 100, (10, 80, None)),
        (10, None, 8, (None,)),
        (10, 40, 100, (10, 40)),
        (10, 400, 100, (10, 80, None)),
        (200, None, 100, (None,)),
    ],
)
def test_windows_grow_to_the_longest(first, longest, frames, expected):
    assert window_lengths(first, longest, frames) == expected


class _Problem:
    def __init__(self, terms):
        self.terms = terms


def _result(decrease):
    return StepResult(None, 1.0, {}, Damping(), accepted=True, relative_decrease=decrease)


def test_the_term_follows_and_is_released():
    config = RefinementConfig(motion_prior_iterations=3)
    terms = motion_terms(config)
    windows = Windows(_Problem(terms), "motion", config, 100)
    assert terms[0].horizon == 10
    assert not windows.settled(_result(0.5))
    assert windows.settled(_result(0.001))
    assert windows.grow()
    assert terms[0].horizon == 80
    assert [windows.settled(_result(0.5)) for _ in range(3)] == [False, False, True]
    assert windows.grow()
    assert terms[0].horizon is None
    assert not windows.settled(_result(0.0))
    assert not windows.grow()
    windows.grow()
    windows.close()
    assert terms[0].horizon is None


def test_other_sub_stages_have_no_windows():
    config = RefinementConfig()
    terms = motion_terms(config)
    Windows(_Problem(terms), "final", config, 100)
    assert terms[0].horizon is None
