"""Two people, a moving camera, a sloping ground; and joints computed without the engine."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.body import PARENTS, BodyModel, embedded_body
from refine_engine.exporters.content import ExportContent
from refine_engine.state import PersonState

FRAMES = 24
FPS = 24.0


def _person(rng: np.random.Generator, first: int, count: int, hidden: slice) -> PersonState:
    steps = rng.normal(0, 0.08, size=(count, 24, 3))
    start = rng.normal(0, 0.5, size=(1, 24, 3))
    R = Rotation.from_rotvec((start + steps.cumsum(axis=0)).reshape(-1, 3)).as_matrix()
    R = R.reshape(count, 24, 3, 3)
    observed = np.ones(count, dtype=bool)
    observed[hidden] = False
    return PersonState(
        frames=first + np.arange(count),
        R_world_root=R[:, 0],
        body_pose=R[:, 1:],
        betas=rng.normal(0, 1.2, size=10),
        transl_world=rng.normal(0, 1, 3) + rng.normal(0, 0.03, (count, 3)).cumsum(axis=0),
        observed=observed,
        contacts=rng.uniform(size=(count, 4)),
    )


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return embedded_body("neutral")


@pytest.fixture(scope="session")
def content(body: BodyModel) -> ExportContent:
    rng = np.random.default_rng(5)
    normal = np.array([0.05, 1.0, -0.03])
    normal /= np.linalg.norm(normal)
    turn = Rotation.from_euler(
        "yx", np.stack([np.linspace(0, 0.6, FRAMES), np.full(FRAMES, 0.1)], 1)
    )
    R = np.diag([1.0, -1.0, -1.0]) @ turn.as_matrix()
    K = np.array([[820.0, 0, 333], [0, 790, 171], [0, 0, 1]])
    return ExportContent(
        people={
            2: _person(rng, 0, FRAMES, slice(9, 12)),
            11: _person(rng, 5, 13, slice(0, 0)),
        },
        body=body,
        fps=FPS,
        R_cam_world=R,
        t_cam_world=np.array([0.1, 0.4, 5.0]) + 0.02 * np.arange(FRAMES)[:, None],
        intrinsics=np.tile(K, (FRAMES, 1, 1)),
        image_size=(360, 640),
        ground_plane=np.append(normal, 0.9),
        alpha=1.7,
    )


@pytest.fixture(scope="session")
def reference_joints():
    """Joints (24, 3) from the body's arrays, a pose (24, 3) in axis-angle, betas and transl."""

    def joints(body: BodyModel, betas: np.ndarray, pose: np.ndarray, transl: np.ndarray):
        rest = body.J_regressor @ (body.v_template + body.shapedirs @ betas)
        turns: list[np.ndarray] = []
        places: list[np.ndarray] = []
        for joint, parent in enumerate(PARENTS):
            local = Rotation.from_rotvec(pose[joint]).as_matrix()
            if parent < 0:
                turns.append(local)
                places.append(rest[0] + transl)
            else:
                turns.append(turns[parent] @ local)
                places.append(places[parent] + turns[parent] @ (rest[joint] - rest[parent]))
        return np.array(places)

    return joints
