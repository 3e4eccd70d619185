from __future__ import annotations

import numpy as np
import pytest

from refine_engine.body import (
    LANDMARK_VERTICES,
    SOLE_POINTS,
    embedded_body,
    joint_kinematics,
    joint_positions,
    mean_points,
    named_points,
    place_points,
    rest_joints,
    skin_subset,
    surface_vertices,
    vertex_points,
)


def place(points, body, motion):
    placed = joint_kinematics(rest_joints(body, motion.betas), *motion[1:])
    return place_points(points, placed, motion.betas, motion.body_pose)


def test_named_points_are_joints_and_vertices(body, motion):
    points = named_points(body, ["left_knee", "nose", "left_sole_ball", "head_top"])
    assert points.names == ("left_knee", "nose", "left_sole_ball", "head_top")
    found = place(points, body, motion)
    ids = [surface_vertices(body)[name] for name in points.names[1:]]
    np.testing.assert_allclose(found[:, 0], joint_positions(body, *motion)[:, 4], atol=1e-12)
    np.testing.assert_allclose(found[:, 1:], skin_subset(body, ids, *motion), atol=1e-12)


def test_mean_of_joints(body, motion):
    points = mean_points(body, {"mid_hip": ("left_hip", "right_hip"), "nose": ("nose",)})
    joints = joint_positions(body, *motion)
    np.testing.assert_allclose(
        place(points, body, motion)[:, 0], joints[:, 1:3].mean(1), atol=1e-12
    )


def test_unknown_name_is_a_key_error(plain_body):
    with pytest.raises(KeyError):
        named_points(plain_body, ["left_elbow", "tail"])


def test_points_with_correctives_ask_for_the_pose(corrected_body, plain_body, motion):
    placed = joint_kinematics(rest_joints(corrected_body, motion.betas), *motion[1:])
    points = vertex_points(corrected_body, [1, 2])
    assert points.needs_pose
    with pytest.raises(ValueError, match="body_pose"):
        place_points(points, placed, motion.betas)
    assert not vertex_points(plain_body, [1, 2]).needs_pose
    assert not named_points(corrected_body, ["left_knee"]).needs_pose


def test_weights_of_points_sum_to_one(plain_body):
    points = vertex_points(plain_body, np.arange(0, 6890, 13))
    np.testing.assert_allclose(points.weights.sum(1), 1.0, atol=1e-6)


@pytest.mark.parametrize("gender", ["neutral", "male", "female"])
def test_sole_points_lie_where_their_names_say(gender):
    body = embedded_body(gender)
    vertices = surface_vertices(body)
    where = {name: body.v_template[number] for name, number in vertices.items()}
    ground = body.v_template[:, 1].min()
    for side, sign in (("left", 1), ("right", -1)):
        part = {name: where[f"{side}_sole_{name}"] for name in ("heel", "ball", "big_toe")}
        small = where[f"{side}_sole_small_toe"]
        for name in SOLE_POINTS:
            assert where[name][1] - ground < 0.006, name
        # Along the foot: heel, ball, toes.
        assert part["heel"][2] + 0.10 < part["ball"][2] < part["big_toe"][2] - 0.02
        assert part["ball"][2] < small[2]
        # Across: the big toe is the inner one.
        assert sign * part["big_toe"][0] < sign * small[0] - 0.02
        assert sign * part["heel"][0] > 0
        assert part["heel"][2] > where[f"{side}_heel"][2]


def test_left_and_right_soles_mirror_each_other(plain_body):
    where = {name: plain_body.v_template[n] for name, n in surface_vertices(plain_body).items()}
    for name in [*SOLE_POINTS, *LANDMARK_VERTICES]:
        if name.startswith("left_"):
            image = where["right_" + name.removeprefix("left_")]
            np.testing.assert_allclose(where[name] * [-1, 1, 1], image, atol=1e-6)


def test_head_top_is_the_highest_vertex(plain_body):
    top = surface_vertices(plain_body)["head_top"]
    assert plain_body.v_template[top, 1] == plain_body.v_template[:, 1].max()


def test_surface_vertices_cannot_be_changed_by_a_caller(plain_body):
    surface_vertices(plain_body)["nose"] = 0
    assert surface_vertices(plain_body)["nose"] == 332
