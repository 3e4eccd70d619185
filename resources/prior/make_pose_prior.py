"""Rebuild pose_prior.npz from motion clips: python resources/prior/make_pose_prior.py FOLDER.

FOLDER holds clips as .npz with `poses` (T, 72) axis-angle in SMPL's joint order, `trans` (T, 3)
and `fps` (30). Statistics of poses: mean rotation of each joint and the covariance of the
rotations' logarithms about it, over joints 1 to 21, left and right mirrored. Statistics of motion:
root mean square acceleration of each joint and of each joint's turn. Every clip counts alike up to
ten seconds, so that long clips do not outvote the rest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from refine_engine.body import MIRROR, embedded_body, joint_kinematics, rest_joints
from refine_engine.geometry.rotations import (
    geodesic_angle,
    log_so3,
    matrix_from_axis_angle,
    nearest_rotation,
)

JOINTS = 21
LONGEST = 300


def main(folder: Path) -> None:
    """Read the clips and write the statistics beside this script."""
    poses, joint_squares, turn_squares, weights = [], [], [], []
    body = embedded_body()
    rest = rest_joints(body, np.zeros(10))
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as clip:
            angles = clip["poses"].reshape(-1, 24, 3).astype(float)
            transl = clip["trans"].astype(float)
            assert float(clip["fps"]) == 30.0
        R = matrix_from_axis_angle(angles)
        X = joint_kinematics(rest, R[:, 0], R[:, 1:], transl).positions
        a = np.diff(X, 2, axis=0) * 900.0
        turn = np.diff(R, 2, axis=0) * 900.0
        count = min(len(R), LONGEST)
        weights.append(count)
        joint_squares.append(np.median((a**2).sum(-1), 0) / 0.4549 / 3.0)
        turn_squares.append(np.median((turn**2).sum((-1, -2)) / 2.0, 0) / 0.4549 / 3.0)
        picked = R[np.linspace(0, len(R) - 1, max(count // 5, 2)).astype(int), 1:]
        mirrored = angles[:, MIRROR] * [1.0, -1.0, -1.0]
        flipped = matrix_from_axis_angle(mirrored)[
            np.linspace(0, len(R) - 1, max(count // 5, 2)).astype(int), 1:
        ]
        poses += [picked[:, :JOINTS], flipped[:, :JOINTS]]
    R = np.concatenate(poses)
    mean = nearest_rotation(R.mean(0))
    for _ in range(10):
        logs = log_so3(np.swapaxes(mean, -1, -2) @ R)
        mean = mean @ matrix_from_axis_angle(logs.mean(0))
    logs = log_so3(np.swapaxes(mean, -1, -2) @ R).reshape(len(R), -1)
    # The clips are few against all that people do: a floor of 0.1 rad on every direction.
    covariance = logs.T @ logs / len(logs) + 0.1**2 * np.eye(3 * JOINTS)
    precision = np.linalg.inv(covariance)
    distance = np.einsum("ni,ij,nj->n", logs, precision, logs)
    w = np.array(weights, float)[:, None] / sum(weights)
    joint = np.sqrt((np.stack(joint_squares) * w).sum(0))
    turn = np.sqrt((np.stack(turn_squares) * w).sum(0))
    pair = np.array(MIRROR)
    joint, turn = (
        np.sqrt((joint**2 + joint[pair] ** 2) / 2),
        np.sqrt((turn**2 + turn[pair] ** 2) / 2),
    )
    np.savez_compressed(
        Path(__file__).with_name("pose_prior.npz"),
        mean=mean,
        covariance=covariance.astype(np.float32),
        degrees_of_freedom=np.array(_student(distance, 3 * JOINTS)),
        joint_acceleration=joint,
        turn_acceleration=turn,
        credit=np.array(
            "The data used in this project was obtained from mocap.cs.cmu.edu. "
            "The database was created with funding from NSF EIA-0196217."
        ),
    )
    spread = np.degrees(geodesic_angle(mean, R).mean(0))
    print(f"{len(R)} poses, mean distance {distance.mean():.1f} of {3 * JOINTS} dimensions")
    print("mean angle from the mean pose, degrees:", np.round(spread, 0))
    print("joint acceleration, m/s^2:", np.round(joint, 1))
    print("turn acceleration, rad/s^2:", np.round(turn, 0))


def _student(distance: np.ndarray, d: int) -> float:
    """Degrees of freedom of a multivariate Student-t by maximum likelihood."""

    def nll(log_nu: float) -> float:
        nu = np.exp(log_nu)
        scale = (nu - 2.0) / nu
        return float(
            -gammaln((nu + d) / 2)
            + gammaln(nu / 2)
            + d / 2 * np.log(nu * np.pi * scale)
            + (nu + d) / 2 * np.log1p(distance / (nu * scale)).mean()
        )

    return float(
        np.exp(minimize_scalar(nll, bounds=(np.log(2.5), np.log(500.0)), method="bounded").x)
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
