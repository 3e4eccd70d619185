"""The plain way to do the same: full smplx skinning, autograd, torch's L-BFGS; measured.

What such a solver costs is evaluations times seconds an evaluation. Both are measured, the product
is extrapolated: at half a second an evaluation and hundreds of evaluations nobody waits for it.

- *Seconds an evaluation*: forward and backward through smplx's ``lbs`` for every person and frame
  with losses on its joints and soles, as programs of this kind do.
- *Evaluations*: torch's L-BFGS with strong-Wolfe line search on the very energy that the engine
  minimised, with the engine's own exact gradient, from the same start, over axis-angle variables,
  until it is within 1 % of the engine's final energy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from smplx.lbs import lbs

from refine_engine.body import joint_positions
from refine_engine.geometry.planes import tangent_basis
from refine_engine.geometry.rotations import axis_angle_from_matrix, skew
from refine_engine.solver.arrow_problem import Free
from refine_engine.solver.threads import people_runner
from refine_engine.terms.packed import turn_width

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refine_engine.body import BodyModel
    from refine_engine.scene import Array, Scene
    from refine_engine.state import OptimizationState
    from refine_engine.terms.packed import Packed
    from refine_engine.terms.problem import Problem

WITHIN = 0.01
"""Of the engine's final energy."""
MOST_EVALUATIONS = 6000
"""L-BFGS is given up after so many; they are the engine's own cheap ones, two minutes of them."""
MEASURED_FRAMES = 60
"""Person-frames that one measured evaluation covers; the cost is linear in them."""


@dataclass(frozen=True)
class PlainCost:
    """What the plain way would have cost."""

    seconds_per_evaluation: float
    """Of all people and frames, scaled up from what was measured."""
    evaluations: int
    reached: bool
    """False where L-BFGS gave up before it was within 1 %: then the cost is a lower bound."""
    off_by: float
    """How far over the engine's final energy it ended, as a share."""

    @property
    def seconds(self) -> float:
        """Extrapolated total."""
        return self.seconds_per_evaluation * self.evaluations


def plain_cost(
    problem: Problem,
    scene: Scene,
    body: BodyModel,
    start: OptimizationState,
    final: OptimizationState,
    weights: Mapping[str, float],
    *,
    max_evaluations: int = MOST_EVALUATIONS,
) -> PlainCost:
    """Measure both factors; ``problem`` must be prepared for ``weights``."""
    per_frame = seconds_per_person_frame(scene, body, start)
    frames = sum(len(p.frames) for p in start.people.values())
    energy = problem.evaluate(problem.pack(final), weights)[0]
    count, least = evaluations_needed(
        problem, problem.pack(start), weights, (1.0 + WITHIN) * energy, max_evaluations
    )
    off_by = least / energy - 1.0
    return PlainCost(per_frame * frames, count, off_by <= WITHIN, off_by)


def seconds_per_person_frame(
    scene: Scene, body: BodyModel, state: OptimizationState, repeats: int = 3
) -> float:
    """Seconds of one forward and backward pass through the full mesh, for each person-frame."""
    person = state.people[min(state.people)]
    rows = np.arange(min(len(person.frames), MEASURED_FRAMES))
    single = torch.float32
    pose = np.concatenate(
        [
            axis_angle_from_matrix(person.R_world_root[rows])[:, None],
            axis_angle_from_matrix(person.body_pose[rows]),
        ],
        1,
    ).reshape(len(rows), 72)
    c = scene.cameras
    at = person.frames[rows]
    R = torch.as_tensor(c.R_cam_world[at], dtype=single)
    t = torch.as_tensor(state.alpha * c.t_cam_world[at], dtype=single)
    K = torch.as_tensor(c.pose_intrinsics(at), dtype=single)
    transl = person.transl_world[rows]
    joints = joint_positions(
        body, person.betas, person.R_world_root[rows], person.body_pose[rows], transl
    )
    seen = torch.as_tensor(joints, dtype=single)
    aimed = _project(seen, R, t, K)
    model = _torch_body(body)
    variables = [
        torch.tensor(a, dtype=single).requires_grad_() for a in (pose, person.betas, transl)
    ]
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        vertices, posed = lbs(
            variables[1][None].expand(len(rows), -1), variables[0], *model, pose2rot=True
        )
        posed = posed + variables[2][:, None]
        vertices = vertices + variables[2][:, None]
        r2 = ((_project(posed, R, t, K) - aimed) ** 2).sum(-1)
        feet = vertices[:, [3216, 3387, 6617, 6787]]
        loss = (r2 / (1.0 + r2 / 1e4)).sum() + ((feet[1:] - feet[:-1]) ** 2).sum()
        loss = loss + ((posed[2:] - 2 * posed[1:-1] + posed[:-2]) ** 2).sum()
        torch.autograd.grad(loss, variables)
        best = min(best, time.perf_counter() - began)
    return best / len(rows)


def evaluations_needed(
    problem: Problem,
    start: Packed,
    weights: Mapping[str, float],
    target: float,
    limit: int,
) -> tuple[int, float]:
    """How many energies and gradients torch's L-BFGS asks for until it is at ``target``.

    Returns
    -------
    tuple
        The number, and the least energy found: over the target where it gave up.
    """
    free = Free(pose=True, betas=True, plane=True, alpha=True)
    shapes = [len(p.transl) for p in start.people]
    x = torch.zeros(
        variable_count(problem, start, weights, free), dtype=torch.float64, requires_grad=True
    )
    optimizer = torch.optim.LBFGS(
        [x], lr=1.0, max_iter=20, max_eval=25, history_size=100, line_search_fn="strong_wolfe"
    )
    count, best = 0, float("inf")

    def closure() -> torch.Tensor:
        nonlocal count, best
        count += 1
        energy, gradient = energy_and_gradient(
            problem, start, weights, free, x.detach().numpy(), shapes
        )
        best = min(best, energy)
        x.grad = torch.as_tensor(gradient)
        return torch.tensor(energy, dtype=torch.float64)

    while count < limit:
        before = best
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        if best <= target:
            break
        if not np.isfinite(best) or best >= before:
            break
    return count, best


def variable_count(
    problem: Problem, start: Packed, weights: Mapping[str, float], free: Free
) -> int:
    """How many variables there are."""
    model = problem.linearise(start, weights, free, people_runner(1, None))
    own = sum(part.frames * part.width + 10 for part in model.parts)
    return own + len(model.shared_gradient)


def energy_and_gradient(
    problem: Problem,
    start: Packed,
    weights: Mapping[str, float],
    free: Free,
    x: Array,
    frames: list[int],
) -> tuple[float, Array]:
    """Energy and its gradient by ``x``, a tangent vector at ``start``."""
    width = (len(x) - 10 * len(frames)) // sum(frames)
    steps, own, position = [], [], 0
    for n in frames:
        steps.append(x[position : position + n * width].reshape(n, width))
        position += n * width
    for _ in frames:
        own.append(x[position : position + 10])
        position += 10
    state = problem.moved(start, steps, np.array(own), x[position:])
    energy = float(problem.evaluate(state, weights)[0])
    model = problem.linearise(state, weights, free, people_runner(1, None))
    parts = []
    for part, step in zip(model.parts, steps, strict=True):
        g = np.array(part.border[0, :, 0]).reshape(part.frames, part.width)
        # The engine's gradient is for a further turn R exp(e); x holds the whole turn.
        last = turn_width(step)
        turns = step[:, 3:last].reshape(part.frames, -1, 3)
        g[:, 3:last] = np.einsum(
            "tjki,tjk->tji", _right_jacobian(turns), g[:, 3:last].reshape(turns.shape)
        ).reshape(part.frames, -1)
        parts.append(g.ravel())
    parts += [part.own_gradient for part in model.parts]
    shared = model.shared_gradient.copy()
    # The plane's gradient is by tangents at its present normal, x is by those at the first one.
    first, present = tangent_basis(start.plane[:3]), tangent_basis(state.plane[:3])
    length = np.linalg.norm(start.plane[:3] + x[position + 1 : position + 3] @ first)
    shared[1:3] = first @ (present.T @ shared[1:3]) / length
    return energy, np.concatenate([*parts, shared])


def _right_jacobian(w: Array) -> Array:
    """``exp(w + d) = exp(w) exp(J_r d)`` for small d; w (..., 3)."""
    angle2 = (w * w).sum(-1)
    small = angle2 < 1e-10
    safe = np.where(small, 1.0, angle2)
    angle = np.sqrt(safe)
    a = np.where(small, 0.5 - angle2 / 24, (1 - np.cos(angle)) / safe)
    b = np.where(small, 1 / 6 - angle2 / 120, (angle - np.sin(angle)) / (safe * angle))
    k = skew(w)
    return np.eye(3) - a[..., None, None] * k + b[..., None, None] * (k @ k)


def _project(points: Any, R: Any, t: Any, K: Any) -> Any:
    cam = torch.einsum("tij,tkj->tki", R, points) + t[:, None]
    return (torch.einsum("tij,tkj->tki", K, cam))[..., :2] / cam[..., 2:]


def _torch_body(body: BodyModel) -> tuple[Any, ...]:
    single = torch.float32
    posedirs = body.posedirs if body.posedirs is not None else np.zeros((6890, 3, 207))
    parents = np.array(body.parents)
    return (
        torch.tensor(body.v_template, dtype=single)[None],
        torch.tensor(body.shapedirs, dtype=single),
        torch.tensor(posedirs, dtype=single).reshape(-1, 207).T.contiguous(),
        torch.tensor(body.J_regressor, dtype=single),
        torch.tensor(parents),
        torch.tensor(body.weights, dtype=single),
    )
