"""What the contact term says about the plane itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.geometry.planes import tangent_basis, updated
from refine_engine.terms import ground
from refine_engine.terms.problem import Problem

UNIT = 1.0 / ground.HEIGHT_SIGMA_M**2


@pytest.fixture
def lean(exact_scene):
    scene = exact_scene(people=1, frames=20)
    problem = Problem(scene.scene, scene.body, scene.true, scene.config, hold_out=False)
    packed = problem.pack(scene.true)
    common = problem.common(packed)

    def of(plane, weight=UNIT):
        there = replace(common, plane=plane, plane_basis=tangent_basis(plane[:3]))
        return ground.lean_loss(problem.tracks[0], there, weight, None)

    return of


def test_a_level_ground_costs_nothing(lean) -> None:
    assert lean(np.array([0.0, 1.0, 0.0, 0.3])) == 0.0


def test_one_sigma_of_tilt_costs_half_a_nat_a_stance(lean) -> None:
    tilted = updated(np.array([0.0, 1.0, 0.0, 0.3]), np.array([np.tan(ground.TILT_SIGMA), 0, 0]))
    stances = 20 / ground.FRAMES_A_STANCE
    assert lean(tilted) == pytest.approx(0.5 * stances, rel=1e-3)
    assert lean(tilted, weight=0.0) == 0.0


def test_a_wall_costs_more_than_any_slope(lean) -> None:
    slopes = [np.array([np.sin(a), np.cos(a), 0.0, 0.0]) for a in np.radians([5, 30, 90, 150])]
    losses = [lean(plane) for plane in slopes]
    assert losses == sorted(losses)
    assert losses[0] > 0
