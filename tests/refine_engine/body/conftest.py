from __future__ import annotations

import dataclasses
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from refine_engine.body import BODY_VARIABLE, PARENTS, embedded_body


class Motion(NamedTuple):
    betas: np.ndarray
    global_orient: np.ndarray
    body_pose: np.ndarray
    transl: np.ndarray


@pytest.fixture(autouse=True)
def no_own_body(monkeypatch):
    monkeypatch.delenv(BODY_VARIABLE, raising=False)


@pytest.fixture(scope="session")
def plain_body():
    return embedded_body()


@pytest.fixture(scope="session")
def corrected_body(plain_body):
    """A body whose pose correctives are not zero (up to a few centimetres)."""
    rng = np.random.default_rng(5)
    posedirs = rng.normal(0, 0.01, size=(6890, 3, 207))
    return dataclasses.replace(plain_body, name="corrected", posedirs=posedirs)


@pytest.fixture(params=["plain_body", "corrected_body"])
def body(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def motion():
    rng = np.random.default_rng(7)
    frames = 6
    turn = Rotation.from_rotvec(rng.normal(0, 1.0, size=(frames * 24, 3))).as_matrix()
    turn = turn.reshape(frames, 24, 3, 3)
    return Motion(
        betas=rng.normal(0, 1.5, size=10),
        global_orient=turn[:, 0],
        body_pose=turn[:, 1:],
        transl=rng.normal(0, 2.0, size=(frames, 3)),
    )


@pytest.fixture(scope="session")
def smplx_reference():
    """Vertices and joints from the smplx package, float64, of one body and motion."""
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import smplx

    def evaluate(body, motion):
        frames = len(motion.transl)
        posedirs = np.zeros((6890, 3, 207)) if body.posedirs is None else body.posedirs
        struct = smplx.utils.Struct(
            v_template=np.array(body.v_template),
            shapedirs=np.array(body.shapedirs),
            posedirs=np.array(posedirs),
            J_regressor=np.array(body.J_regressor),
            weights=np.array(body.weights),
            f=body.faces.astype(np.int64),
            kintree_table=np.stack([np.array(PARENTS), np.arange(24)]),
        )
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            layer = smplx.SMPL(
                model_path="", data_struct=struct, dtype=torch.float64, batch_size=frames
            )
            out = layer(
                betas=torch.tensor(np.tile(motion.betas, (frames, 1))),
                global_orient=torch.tensor(motion.global_orient[:, None]),
                body_pose=torch.tensor(motion.body_pose),
                transl=torch.tensor(motion.transl),
                pose2rot=False,
            )
        return out.vertices.numpy(), out.joints.numpy()

    return evaluate
