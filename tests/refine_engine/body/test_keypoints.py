from __future__ import annotations

import numpy as np

from refine_engine.body import (
    BODY_25,
    COCO_17,
    LAYOUTS,
    SMPL_24,
    joint_kinematics,
    joint_positions,
    layout_points,
    place_points,
    rest_joints,
)


def place(layout, body, motion):
    placed = joint_kinematics(rest_joints(body, motion.betas), *motion[1:])
    return place_points(layout_points(body, layout), placed, motion.betas, motion.body_pose)


def test_layouts_are_found_by_their_size():
    assert LAYOUTS == {17: COCO_17, 24: SMPL_24, 25: BODY_25}
    for count, layout in LAYOUTS.items():
        assert len(layout) == count
        assert len(set(layout.names)) == count


def test_smpl_24_is_the_joints(body, motion):
    joints = joint_positions(body, *motion)
    np.testing.assert_allclose(place(SMPL_24, body, motion), joints, atol=1e-12)
    assert not any(SMPL_24.loose)


def test_landmarks_are_smplx_landmarks(body, motion, smplx_reference):
    """smplx appends its 21 landmark vertices: nose, eyes, ears, then the feet."""
    _, joints = smplx_reference(body, motion)
    coco = place(COCO_17, body, motion)
    nose_right_eye_left_eye_right_ear_left_ear = [0, 2, 1, 4, 3]
    np.testing.assert_allclose(
        coco[:, nose_right_eye_left_eye_right_ear_left_ear], joints[:, 24:29], atol=1e-6
    )
    feet = place(BODY_25, body, motion)[:, 19:25]
    np.testing.assert_allclose(feet, joints[:, 29:35], atol=1e-6)


def test_coco_and_body_25_agree_where_they_name_the_same_point(body, motion):
    coco, body_25 = place(COCO_17, body, motion), place(BODY_25, body, motion)
    shared = [name for name in COCO_17.names if name in BODY_25.names]
    assert len(shared) == 17
    for name in shared:
        np.testing.assert_allclose(
            coco[:, COCO_17.names.index(name)], body_25[:, BODY_25.names.index(name)]
        )


def test_body_25_middle_points(plain_body, motion):
    joints = joint_positions(plain_body, *motion)
    points = place(BODY_25, plain_body, motion)
    np.testing.assert_allclose(points[:, 1], joints[:, [16, 17]].mean(1), atol=1e-12)
    np.testing.assert_allclose(points[:, 8], joints[:, [1, 2]].mean(1), atol=1e-12)


def test_coco_order_is_the_published_one():
    assert COCO_17.names[:5] == ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
    assert COCO_17.names[-2:] == ("left_ankle", "right_ankle")
    assert BODY_25.names[:3] == ("nose", "neck", "right_shoulder")
    assert BODY_25.names[-1] == "right_heel"


def test_hips_are_marked_as_defined_differently():
    loose = dict(zip(COCO_17.names, COCO_17.loose, strict=True))
    assert loose["left_hip"]
    assert not loose["left_knee"]
