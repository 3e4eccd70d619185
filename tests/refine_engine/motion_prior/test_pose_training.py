"""Statistics of poses: the fit is what the clips hold, and what is written is what is read."""

import numpy as np

from refine_engine.geometry.rotations import exp_so3, log_so3
from refine_engine.motion_prior.clips import Clip
from refine_engine.motion_prior.pose_training import fit_poses, poses_of, write_poses
from refine_engine.safe_files import open_npz


def clips(count=6, frames=200, spread=0.3, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Clip(f"c{k}", exp_so3(spread * rng.normal(size=(frames, 24, 3))), np.zeros((frames, 3)))
        for k in range(count)
    ]


def test_poses_are_fitted_and_scored():
    fit = fit_poses(clips())
    assert np.abs(log_so3(fit.mean)).max() < 0.08
    expected = 0.3**2 + 0.1**2
    np.testing.assert_allclose(np.diag(fit.covariance), expected, rtol=0.35)
    # Independent normal numbers: nearly Gaussian, which is many degrees of freedom.
    assert fit.freedom > 30
    usual = fit.nats(poses_of(clips(seed=1))).mean()
    assert fit.nats(poses_of(clips(spread=0.9, seed=1))).mean() > usual + 20


def test_left_and_right_are_alike():
    fit = fit_poses(clips(count=3, frames=60))
    np.testing.assert_allclose(fit.joint_acceleration[4], fit.joint_acceleration[5])
    np.testing.assert_allclose(fit.turn_acceleration[18], fit.turn_acceleration[19])


def test_the_file_holds_what_was_fitted(tmp_path):
    fit = fit_poses(clips(count=2, frames=40))
    write_poses(tmp_path / "pose_prior.npz", fit)
    with open_npz(tmp_path / "pose_prior.npz") as arrays:
        found = arrays.read_all()
    np.testing.assert_allclose(found["covariance"], fit.covariance, rtol=1e-6)
    np.testing.assert_array_equal(found["mean"], fit.mean)
    assert float(found["degrees_of_freedom"]) == fit.freedom
    assert "mocap.cs.cmu.edu" in str(found["credit"])
