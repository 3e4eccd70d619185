from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.body import (
    ANCESTORS,
    JOINT_NAMES,
    LEVELS,
    MIRROR,
    PARENTS,
    joint_kinematics,
    joint_positions,
    move_rigidly,
    rest_joints,
    skin_subset,
)


def test_joints_equal_smplx(body, motion, smplx_reference):
    _, joints = smplx_reference(body, motion)
    np.testing.assert_allclose(joint_positions(body, *motion), joints[:, :24], atol=1e-6, rtol=0)


def test_identity_pose_is_the_rest_pose(plain_body, motion):
    still = np.broadcast_to(np.eye(3), (23, 3, 3))
    joints = rest_joints(plain_body, motion.betas)
    placed = joint_kinematics(joints, np.eye(3), still, np.array([1.0, 2, 3]))
    np.testing.assert_allclose(placed.positions, joints + [1, 2, 3], atol=1e-12)
    np.testing.assert_allclose(placed.rotations, np.broadcast_to(np.eye(3), (24, 3, 3)))


def test_batches_equal_single_frames(plain_body, motion):
    joints = rest_joints(plain_body, motion.betas)
    together = joint_kinematics(joints, *motion[1:])
    for t in range(len(motion.transl)):
        alone = joint_kinematics(
            joints, motion.global_orient[t], motion.body_pose[t], motion.transl[t]
        )
        np.testing.assert_allclose(alone.positions, together.positions[t], atol=1e-12)
        np.testing.assert_allclose(alone.rotations, together.rotations[t], atol=1e-12)
    deep = joint_kinematics(
        joints,
        motion.global_orient.reshape(2, 3, 3, 3),
        motion.body_pose.reshape(2, 3, 23, 3, 3),
        motion.transl.reshape(2, 3, 3),
    )
    np.testing.assert_allclose(deep.positions.reshape(6, 24, 3), together.positions, atol=1e-12)


def test_bone_lengths_do_not_depend_on_the_pose(plain_body, motion):
    joints = rest_joints(plain_body, motion.betas)
    posed = joint_positions(plain_body, *motion)
    parents = np.array(PARENTS[1:])
    rest_lengths = np.linalg.norm(joints[1:] - joints[parents], axis=-1)
    lengths = np.linalg.norm(posed[:, 1:] - posed[:, parents], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(rest_lengths, lengths.shape), atol=1e-12)


def test_a_joint_turns_only_what_hangs_on_it(plain_body, motion):
    joints = rest_joints(plain_body, motion.betas)
    before = joint_kinematics(joints, *motion[1:])
    turn = Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix()
    for joint in range(1, 24):
        pose = motion.body_pose.copy()
        pose[:, joint - 1] = pose[:, joint - 1] @ turn
        after = joint_kinematics(joints, motion.global_orient, pose, motion.transl)
        turned = np.abs(after.rotations - before.rotations).max((0, 2, 3)) > 1e-9
        np.testing.assert_array_equal(turned, ANCESTORS[:, joint])


def test_rest_joints_are_regressed_from_the_shaped_surface(plain_body, motion):
    surface = plain_body.v_template + plain_body.shapedirs @ motion.betas
    np.testing.assert_allclose(
        rest_joints(plain_body, motion.betas), plain_body.J_regressor @ surface, atol=1e-12
    )
    several = np.stack([motion.betas, np.zeros(10)])
    assert rest_joints(plain_body, several).shape == (2, 24, 3)
    np.testing.assert_allclose(
        rest_joints(plain_body, motion.betas[:3]),
        rest_joints(plain_body, np.r_[motion.betas[:3], np.zeros(7)]),
    )
    with pytest.raises(ValueError, match="16 betas"):
        rest_joints(plain_body, np.zeros(16))


def test_rigid_motion_moves_every_point(body, motion):
    turn = Rotation.from_rotvec([0.4, 2.0, -0.7]).as_matrix()
    shift = np.array([3.0, -1.0, 0.5])
    orient, transl = move_rigidly(
        body, motion.betas, motion.global_orient, motion.transl, turn, shift
    )
    joints = joint_positions(body, *motion)
    moved = joint_positions(body, motion.betas, orient, motion.body_pose, transl)
    np.testing.assert_allclose(moved, joints @ turn.T + shift, atol=1e-12)
    vertices = [3, 500, 6789]
    skin = skin_subset(body, vertices, *motion)
    skin_moved = skin_subset(body, vertices, motion.betas, orient, motion.body_pose, transl)
    # The skinning weights of the file sum to 1 within 1.2e-7.
    np.testing.assert_allclose(skin_moved, skin @ turn.T + shift, atol=2e-6)


def test_rigid_motion_without_the_pelvis_term_would_be_wrong(plain_body, motion):
    half_turn = Rotation.from_rotvec([0, 0, np.pi]).as_matrix()
    _, transl = move_rigidly(
        plain_body, motion.betas, motion.global_orient, motion.transl, half_turn, np.zeros(3)
    )
    naive = motion.transl @ half_turn.T
    pelvis = rest_joints(plain_body, motion.betas)[0]
    np.testing.assert_allclose(
        np.linalg.norm(transl - naive, axis=-1), 2 * np.linalg.norm(pelvis[:2]), atol=1e-9
    )


def test_rigid_motion_differs_by_frame(plain_body, motion):
    turns = Rotation.random(6, rng=np.random.default_rng(1)).as_matrix()
    shifts = np.random.default_rng(2).normal(size=(6, 3))
    orient, transl = move_rigidly(
        plain_body, motion.betas, motion.global_orient, motion.transl, turns, shifts
    )
    moved = joint_positions(plain_body, motion.betas, orient, motion.body_pose, transl)
    joints = joint_positions(plain_body, *motion)
    expected = np.einsum("tij,tnj->tni", turns, joints) + shifts[:, None]
    np.testing.assert_allclose(moved, expected, atol=1e-12)


def test_tree_tables_agree():
    assert len(JOINT_NAMES) == 24
    assert all(parent < joint for joint, parent in enumerate(PARENTS))
    assert sorted(joint for level in LEVELS for joint in level) == list(range(24))
    for joint, image in enumerate(MIRROR):
        assert MIRROR[image] == joint
        parent = PARENTS[joint]
        assert PARENTS[image] == (MIRROR[parent] if parent >= 0 else -1)
    assert sum(joint == image for joint, image in enumerate(MIRROR)) == 6
    assert ANCESTORS[23, [0, 3, 6, 9, 14, 17, 19, 21, 23]].all()
    assert ANCESTORS[23].sum() == 9
