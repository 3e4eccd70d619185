"""The floor in the depth maps: its tilt, how sure that is, and what the ground term makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from refine_engine.geometry.planes import angle_between, tangent_basis, updated
from refine_engine.terms import ground
from refine_engine.terms.floor import LEAST_SIGMA, FloorTilt, floor_tilt
from refine_engine.terms.model import PersonModel
from refine_engine.terms.problem import Problem
from tests.refine_engine.terms.test_depth_samples import Maps

LEVEL = np.array([0.0, 1.0, 0.0, 0.0])
SLOPING = np.append(*(lambda n: (n / np.linalg.norm(n), 0.1))(np.array([0.05, 1.0, -0.08])))


def of_plane(scene, plane, alpha, step=0.0):
    """Depth of an endless plane in the cameras' unit; everything above the horizon is far."""

    def depth(frame, u, v):
        cameras = scene.scene.cameras
        K, R = cameras.intrinsics[frame], cameras.R_cam_world[frame]
        ray = np.stack([(2 * u + 1 - K[0, 2]) / K[0, 0], (2 * v + 1 - K[1, 2]) / K[1, 1]], -1)
        ray = np.concatenate([ray, np.ones((*u.shape, 1))], -1) @ R
        centre = -alpha * R.T @ cameras.t_cam_world[frame]
        drop, height = ray @ plane[:3], centre @ plane[:3] + plane[3]
        height = height - np.where(u > 500, step, 0.0)
        return np.where(drop < -0.03, -height / np.minimum(drop, -0.03), 60.0) / alpha

    return depth


@pytest.fixture
def seen(exact_scene):
    def make(plane, alpha=2.0, step=0.0, **kind):
        scene = exact_scene(people=1, frames=8, alpha=alpha)
        maps = Maps(scene, of_plane(scene, plane, alpha, step), **kind)
        return replace(scene.scene, depth=maps), alpha

    return make


def test_the_tilt_of_a_sloping_floor_is_found(seen) -> None:
    scene, alpha = seen(SLOPING)
    assert np.degrees(angle_between(SLOPING, LEVEL)) > 5
    found = floor_tilt(scene, LEVEL, alpha, shared_depth=True)
    assert found is not None
    assert np.degrees(angle_between(np.append(found.normal, 0), SLOPING)) < 0.02


def test_the_tilt_needs_no_unit(seen) -> None:
    scene, alpha = seen(SLOPING)
    twice = floor_tilt(scene, LEVEL + [0, 0, 0, 0.3], 1.2 * alpha, shared_depth=True)
    assert twice is not None
    assert np.degrees(angle_between(np.append(twice.normal, 0), SLOPING)) < 0.02


def test_a_poor_first_estimate_is_good_enough(seen) -> None:
    scene, alpha = seen(SLOPING)
    start = np.append(*(lambda n: (n / np.linalg.norm(n), 0.5))(np.array([-0.15, 1.0, 0.1])))
    assert np.degrees(angle_between(SLOPING, start)) > 12
    found = floor_tilt(scene, start, alpha, shared_depth=True)
    assert found is not None
    assert np.degrees(angle_between(np.append(found.normal, 0), SLOPING)) < 0.05


def test_a_box_beside_the_floor_is_left_out(seen) -> None:
    scene, alpha = seen(SLOPING, step=0.6)
    found = floor_tilt(scene, LEVEL, alpha, shared_depth=True)
    assert found is not None
    assert np.degrees(angle_between(np.append(found.normal, 0), SLOPING)) < 0.3


def test_uncertainty_is_that_of_errors_that_stay_with_the_picture(seen) -> None:
    scene, alpha = seen(SLOPING)
    found = floor_tilt(scene, LEVEL, alpha, shared_depth=True)
    assert found is not None
    assert np.linalg.norm(found.information @ found.normal) < 1e-6 * np.trace(found.information)
    # Errors of 4 % in every part of the picture count, however many pixels there are.
    values = np.linalg.eigvalsh(found.information)[1:]
    assert values[1] == pytest.approx(1 / LEAST_SIGMA**2, rel=0.2)
    assert values[0] < 0.95 * values[1]


def test_without_floor_there_is_no_answer(seen) -> None:
    scene, alpha = seen(SLOPING)
    assert floor_tilt(replace(scene, depth=None), LEVEL, alpha, shared_depth=True) is None
    walls = Maps(None, lambda frame, u, v: np.full_like(u, 2.4))
    assert floor_tilt(replace(scene, depth=walls), LEVEL, alpha, shared_depth=True) is None


def test_the_ground_is_drawn_to_the_measured_tilt(exact_scene) -> None:
    scene = exact_scene(people=2, frames=20)
    normal = SLOPING[:3]
    basis = tangent_basis(normal)
    floor = FloorTilt(normal, basis.T @ np.diag([1 / 0.01**2, 1 / 0.02**2]) @ basis)
    problem = Problem(
        scene.scene, scene.body, scene.true, scene.config, hold_out=False, floor=floor
    )
    common = problem.common(problem.pack(scene.true))
    weight = ground.CONTACT_INFO.weight(ground.CONTACT_INFO.default_weight)

    def loss(plane, model=None, floor=floor):
        there = replace(common, plane=plane, plane_basis=tangent_basis(plane[:3]), floor=floor)
        return sum(ground.lean_loss(t, there, weight, model) for t in problem.tracks)

    there = np.append(normal, 0.0)
    off = updated(there, np.array([np.tan(0.01), 0.0, 0.0]))
    extra = loss(off) - loss(off, floor=None)
    assert loss(there) == pytest.approx(loss(there, floor=None))
    assert extra == pytest.approx(0.5 * ground.FRAMES_A_STANCE, rel=1e-3)
    model = PersonModel.zeros(20, 24, 1)
    loss(off, model)
    for k in range(3):
        step = np.eye(3)[k] * 1e-6
        slope = (loss(updated(off, step)) - loss(updated(off, -step))) / 2e-6
        assert model.shared_gradient[1 + k] == pytest.approx(slope, rel=1e-4, abs=1e-5)
