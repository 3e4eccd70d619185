"""Compile every kernel once, so that nobody waits at the first refinement.

``python -m refine_engine.warm``: refines a tiny made-up scene with every term and both widths of
frames, in both precisions. What numba compiles for it is kept beside the sources
(``__pycache__``), or in ``NUMBA_CACHE_DIR``.
"""

from __future__ import annotations

import time

import numpy as np

from refine_engine.body import embedded_body
from refine_engine.config import RefinementConfig
from refine_engine.scene import CameraTrack, Keypoints, Person, Scene
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.covariance import covariance
from refine_engine.solver.levenberg import Damping, step
from refine_engine.state import OptimizationState, PersonState
from refine_engine.terms.motion import motion_terms
from refine_engine.terms.problem import Problem

_FRAMES = 5
_SIZE = (96, 128)


class _FlatDepth:
    """A wall three units away."""

    size = _SIZE
    shares_camera_unit = True

    def __init__(self, *, people_masked_out: bool) -> None:
        self.people_masked_out = people_masked_out

    def has(self, frame: int) -> bool:
        return frame >= 0

    def depth(self, frame: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.full(_SIZE, 3.0, dtype=np.float32)

    def confidence(self, frame: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return np.ones(_SIZE, dtype=np.float32)


def _tiny(*, people_masked_out: bool) -> tuple[Scene, OptimizationState]:
    """One person who stands three metres in front of a camera that does not move."""
    n, still = _FRAMES, np.repeat(np.eye(3)[None], _FRAMES, 0)
    K = np.array([[100.0, 0, 64], [0, 100.0, 48], [0, 0, 1]])
    turn = np.repeat(np.diag([1.0, -1.0, -1.0])[None], n, 0)
    pose = np.repeat(still[:, None], 23, 1)
    transl = np.tile([0.0, 0.3, -3.0], (n, 1))
    person = Person(
        id=1,
        frames=np.arange(n),
        R_cam_root=turn,
        body_pose=pose,
        betas=np.zeros(10),
        transl_cam=transl * [1.0, -1.0, -1.0],
        observed=np.ones(n, dtype=np.bool_),
        keypoints=Keypoints("smpl24", np.full((n, 24, 2), 50.0), np.ones((n, 24)), "detections"),
    )
    cameras = CameraTrack(
        R_cam_world=turn,
        t_cam_world=np.zeros((n, 3)),
        intrinsics=np.repeat(K[None], n, 0),
        image_size=_SIZE,
        intrinsics_pose=K,
        chunk=np.zeros(n, dtype=np.int64),
    )
    state = OptimizationState(
        people={
            1: PersonState(
                frames=np.arange(n),
                R_world_root=still,
                body_pose=pose,
                betas=np.zeros(10),
                transl_world=transl,
                observed=np.ones(n, dtype=np.bool_),
                contacts=np.ones((n, 4)),
            )
        },
        ground_plane=np.array([0.0, 1.0, 0.0, 0.7]),
        alpha_0=1.0,
    )
    depth = _FlatDepth(people_masked_out=people_masked_out)
    scene = Scene({1: person}, cameras, fps=30.0, fps_source="user", depth=depth)
    return scene, state


def compile_kernels() -> float:
    """Run every compiled function of the solver and the terms once; returns seconds."""
    began = time.perf_counter()
    config = RefinementConfig(depth_stride=1, threads=1)
    everything = Free(pose=True, betas=True, plane=True, alpha=True)
    for people_masked_out in (False, True):
        scene, state = _tiny(people_masked_out=people_masked_out)
        problem = Problem(scene, embedded_body(), state, config, motion_terms(config))
        packed = problem.pack(state)
        problem.prepare(packed, "final")
        problem.evidence(packed)
        for double in (False, True):
            for free, terms in ((Free(), ("data",)), (everything, tuple(config.weights()))):
                weights = {name: config.weights()[name] for name in terms}
                done = step(problem, packed, weights, free, Damping(1e-4, double))
                # Again, with what was factored for the first one.
                step(problem, done.state, weights, free, done.damping)
        covariance(problem, packed, config.weights(), everything)
    return time.perf_counter() - began


if __name__ == "__main__":
    print(f"kernels ready in {compile_kernels():.1f} s")
