"""Losses written again in torch, straight from their definitions: gradients and Gauss-Newton."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from refine_engine.body import (
    BODY_25,
    PARENTS,
    SOLE_POINTS,
    body_size,
    layout_points,
    named_points,
)
from refine_engine.geometry.planes import tangent_basis
from refine_engine.solver.arrow import OWN
from refine_engine.solver.arrow_problem import Free
from refine_engine.terms import data, ground
from refine_engine.terms.problem import Problem
from refine_engine.terms.smooth import joint_weights

FREE = 22
WIDTH = 71


@pytest.fixture(autouse=True)
def _double_by_default():
    """Only here: HuMoR's networks, tested in the same process, are float32."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def tensor(a):
    return torch.from_numpy(np.array(a, dtype=np.float64))


def exponential(v):
    zero = torch.zeros_like(v[..., 0])
    x, y, z = v.unbind(-1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1)
    return torch.linalg.matrix_exp(skew.reshape(*v.shape[:-1], 3, 3))


class TorchPerson:
    """One person of a problem as functions of one flat vector of its steps."""

    def __init__(self, problem, packed):
        self.track, self.person = problem.tracks[0], packed.people[0]
        self.body, self.packed = problem.body, packed
        self.n = len(self.track)
        self.contacts = tensor(problem._contacts[0])
        soles, keypoints = named_points(self.body, SOLE_POINTS), layout_points(self.body, BODY_25)
        self.soles, self.keypoints = soles, keypoints
        # frames (n, 69 and the image shift), betas, log alpha and plane, in the solver's order
        self.size = self.n * WIDTH + OWN + 4

    def split(self, x):
        n = self.n * WIDTH
        return x[:n].reshape(self.n, WIDTH), x[n : n + OWN], x[n + OWN :]

    def points(self, x):
        frames, own, shared = self.split(x)
        betas = tensor(self.person.betas) + own
        rest = tensor(self.body.rest_joints_template) + tensor(self.body.joint_shapedirs) @ betas
        delta = torch.cat([frames[:, 3:69].reshape(-1, FREE, 3), torch.zeros(self.n, 2, 3)], 1)
        R = tensor(self.person.R) @ exponential(delta)
        G, X = [R[:, 0]], [rest[0] + tensor(self.person.transl) + frames[:, :3]]
        for j in range(1, 24):
            p = PARENTS[j]
            G.append(G[p] @ R[:, j])
            X.append(X[p] + G[p] @ (rest[j] - rest[p]))
        G, X = torch.stack(G, 1), torch.stack(X, 1)

        def place(points):
            offsets = tensor(points.offsets) + tensor(points.offset_shapedirs) @ betas
            carried = X[:, points.joints] + (G[:, points.joints] @ offsets[..., None])[..., 0]
            return (tensor(points.weights)[..., None] * carried).sum(2)

        gradient = tensor(body_size(self.body, self.person.betas).gradient)
        size = 1.0 + betas @ gradient
        alpha = self.packed.alpha * torch.exp(shared[0])
        basis = tensor(tangent_basis(self.packed.plane[:3]))
        normal = tensor(self.packed.plane[:3]) + shared[1] * basis[0] + shared[2] * basis[1]
        normal = normal / normal.norm()
        return R, X, place(self.soles), place(self.keypoints), size, alpha, normal, shared[3]

    def keypoint_residuals(self, x):
        _, _, _, keypoints, _, alpha, _, _ = self.points(x)
        t = self.track
        camera = torch.einsum("tij,tkj->tki", tensor(t.R_cam), keypoints)
        camera = camera + alpha * tensor(t.t_cam)[:, None]
        focal, centre = tensor(t.intrinsics)[:, None, :2], tensor(t.intrinsics)[:, None, 2:]
        shift = tensor(self.person.shift) + self.split(x)[0][:, 69:]
        pixels = (camera[..., :2] / camera[..., 2:] + shift[:, None]) * focal + centre
        return (pixels - tensor(t.pixels)) * tensor(t.pixel_scale)[:, None, None]

    def smooth_residuals(self, x):
        _, X, *_, size, _, _, _ = self.points(x)
        weights, _ = joint_weights(self.track.fps)
        return ((X[2:] - 2 * X[1:-1] + X[:-2]) / size) * tensor(np.sqrt(weights))[:, None]

    def turn_residuals(self, x):
        R = self.points(x)[0]
        _, weights = joint_weights(self.track.fps)
        second = R[2:] - 2 * R[1:-1] + R[:-2]
        return second * tensor(np.sqrt(weights / 2))[:, None, None]

    def heights(self, x):
        _, _, soles, _, size, _, normal, up = self.points(x)
        return (soles @ normal + self.packed.plane[3] + up) / size

    def lean(self, x):
        *_, normal, _ = self.points(x)
        stances = self.n / ground.FRAMES_A_STANCE
        scale = (ground.HEIGHT_SIGMA_M / ground.TILT_SIGMA) ** 2 * stances
        return scale * (1.0 - normal @ tensor(ground.UP))


@pytest.fixture
def person(exact_scene):
    scene = exact_scene(people=1, frames=5, layout="body25")
    problem = Problem(scene.scene, scene.body, scene.true, scene.config, hold_out=False)
    packed = problem.pack(scene.disturbed(turn=0.05, move=0.05, shape=0.2))
    packed.people[0].shift[:] = scene.rng.normal(0, 0.003, (5, 2))
    return problem, packed, TorchPerson(problem, packed)


def analytic(problem, packed, weights):
    """Gradient and dense Gauss-Newton matrix over all variables of the only person."""
    model = problem.linearise(
        packed, weights, Free(pose=True), lambda f, n: [f(i) for i in range(n)]
    )
    part = model.parts[0]
    n, v, w = part.frames, part.width, WIDTH
    band = [np.zeros((n, v, v)) for _ in range(3)]
    part.assemble(0.0, 0.0, *band)
    size = n * w + OWN + 4
    H = np.zeros((size, size))
    border = np.zeros((n, w, 16))
    border[:, :v] = part.border[0].reshape(n, v, 16)
    border = border.reshape(n * w, 16)
    for t in range(n):
        a = slice(t * w, t * w + v)
        H[a, a] = np.triu(band[0][t]) + np.triu(band[0][t], 1).T
        for k in range(1, part.reach + 1):
            if t + k < n:
                b = slice((t + k) * w, (t + k) * w + v)
                H[a, b] = band[k][t]
                H[b, a] = band[k][t].T
    own, shared = slice(n * w, n * w + OWN), slice(n * w + OWN, size)
    H[: n * w, own], H[: n * w, shared] = border[:, 1:11], border[:, 11:15]
    H[own, : n * w], H[shared, : n * w] = border[:, 1:11].T, border[:, 11:15].T
    H[own, own], H[own, shared] = part.own_hessian, part.own_shared[:, :4]
    H[shared, own], H[shared, shared] = part.own_shared[:, :4].T, model.shared_hessian[:4, :4]
    gradient = np.concatenate([border[:, 0], part.own_gradient, model.shared_gradient[:4]])
    return gradient, H


def autograd(loss, size):
    x = torch.zeros(size, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(x), x)
    return gradient.numpy()


def same(a, b, tolerance=1e-7):
    # Skinning weights come as float32: rows sum to 1 within 1e-8, and the solver normalises them.
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


def shift_prior(torch_person, x):
    shift = tensor(torch_person.person.shift) + torch_person.split(x)[0][:, 69:]
    small = 0.5 * (shift**2 / tensor(torch_person.track.shift_sigma**2)[:, None]).sum()
    return small + 0.5 * ((shift[1:] - shift[:-1]) ** 2).sum() / data.SHIFT_STEP**2


def test_gradient_of_keypoints(person):
    problem, packed, torch_person = person
    problem.tracks[0].root_trust[:] = 0.0
    problem.tracks[0].distance_link[:] = 0.0
    problem.tracks[0].rotation_trust[:] = 0.0
    gm2 = problem.keypoint_scale**2
    w = tensor(problem.tracks[0].keypoint_weight) / data.KEYPOINT_SIGMA_PX**2

    def loss(x):
        r2 = (torch_person.keypoint_residuals(x) ** 2).sum(-1)
        return (0.5 * w * gm2 * r2 / (gm2 + r2)).sum() + shift_prior(torch_person, x)

    gradient, _ = analytic(problem, packed, {"data": 1.0})
    same(gradient, autograd(loss, torch_person.size))


def test_gradient_of_measured_turns(person):
    problem, packed, torch_person = person
    track = problem.tracks[0]
    track.root_trust[:] = 0.0
    track.distance_link[:] = 0.0
    track.keypoint_weight[:] = 0.0
    sigma = np.full(24, data.POSE_SIGMA)
    sigma[0] = data.ROOT_SIGMA
    gm2 = data.ROTATION_SCALE**2

    def loss(x):
        off = torch_person.points(x)[0] - tensor(track.R_measured)
        r2 = 0.5 * (off**2).sum((-1, -2))
        weight = tensor(track.rotation_trust / sigma**2)
        loss = (0.5 * weight * gm2 * r2 / (gm2 + r2)).sum()
        return loss + shift_prior(torch_person, x)

    gradient, _ = analytic(problem, packed, {"data": 1.0})
    same(gradient, autograd(loss, torch_person.size))


def test_gradient_and_curvature_of_smoothness(person):
    problem, packed, torch_person = person
    lam = 1.0 / problem.terms[-1].info.c_term
    gradient, H = analytic(problem, packed, {"smooth": lam})

    def residuals(x):
        joints, turns = torch_person.smooth_residuals(x), torch_person.turn_residuals(x)
        return torch.cat([joints.reshape(-1), turns.reshape(-1)])

    J = torch.func.jacrev(residuals)(torch.zeros(torch_person.size)).numpy()
    r = residuals(torch.zeros(torch_person.size)).numpy()
    same(gradient, J.T @ r)
    same(H, J.T @ J)


def test_gradient_and_curvature_of_skate(person):
    problem, packed, torch_person = person
    lam = 1.0 / problem.terms[3].info.c_term
    at = [SOLE_POINTS.index(f"{s}_sole_{p}") for s in ("left", "right") for p in ("heel", "ball")]
    weight = torch_person.contacts[1:] * torch_person.contacts[:-1]

    def loss(x):
        _, _, soles, _, size, *_ = torch_person.points(x)
        moved = (soles[1:, at] - soles[:-1, at]) / size
        r = moved.norm(dim=-1)
        h = ground.SLIDE_HUBER_M
        return (weight * torch.where(r > h, h * (r - 0.5 * h), 0.5 * r**2)).sum()

    gradient, H = analytic(problem, packed, {"skate": lam})
    same(gradient, autograd(loss, torch_person.size))
    assert np.linalg.eigvalsh(H)[0] > -1e-9 * np.abs(H).max()


def test_gradient_and_curvature_of_contact(person):
    problem, packed, torch_person = person
    lam = 1.0 / problem.terms[4].info.c_term
    at = [SOLE_POINTS.index(f"{s}_sole_{p}") for s in ("left", "right") for p in ("heel", "ball")]
    sink = (ground.HEIGHT_SIGMA_M / ground.SINK_SIGMA_M) ** 2

    def loss(x):
        h = torch_person.heights(x)
        above = torch.clamp(h[:, at], min=0.0)
        u = ground.HEIGHT_HUBER_M
        up = torch.where(above > u, u * (above - 0.5 * u), 0.5 * above**2)
        sunk = 0.5 * sink * (torch.clamp(h, max=0) ** 2).sum()
        return (torch_person.contacts * up).sum() + sunk + torch_person.lean(x)

    gradient, H = analytic(problem, packed, {"contact": lam})
    same(gradient, autograd(loss, torch_person.size))
    assert np.linalg.eigvalsh(H)[0] > -1e-9 * np.abs(H).max()


def test_curvature_of_small_heights_is_exact(person):
    problem, packed, torch_person = person
    # No contact: only what sinks counts. Raise the ground until the lowest point is 2 cm in it.
    heights = torch_person.heights(torch.zeros(torch_person.size)).detach().numpy()
    problem.set_contacts({1: np.zeros((5, 4))})
    size = body_size(problem.body, packed.people[0].betas).value
    plane = packed.plane.copy()
    plane[3] -= heights.min() * size + 0.02
    packed = type(packed)(packed.people, plane, packed.alpha, packed.chunk_log_scale)
    torch_person = TorchPerson(problem, packed)
    lam = 1.0 / problem.terms[4].info.c_term
    scale = ground.HEIGHT_SIGMA_M / ground.SINK_SIGMA_M

    def residuals(x):
        return scale * torch.clamp(torch_person.heights(x), max=0.0).reshape(-1)

    J = torch.func.jacrev(residuals)(torch.zeros(torch_person.size)).numpy()
    gradient, H = analytic(problem, packed, {"contact": lam})
    r = residuals(torch.zeros(torch_person.size)).numpy()
    assert (r < 0).any()
    lean = autograd(torch_person.lean, torch_person.size)
    same(gradient, J.T @ r + lean, 1e-6)
    # What the lean and the nearly touching points add is positive and small.
    extra = np.linalg.eigvalsh(H - J.T @ J)
    assert extra[0] > -1e-7 * np.abs(H).max()


def test_curvature_of_keypoints_at_zero_residual(exact_scene):
    scene = exact_scene(people=1, frames=4, layout="body25")
    problem = Problem(scene.scene, scene.body, scene.true, scene.config, hold_out=False)
    track = problem.tracks[0]
    track.root_trust[:] = 0.0
    track.distance_link[:] = 0.0
    track.rotation_trust[:] = 0.0
    packed = problem.pack(scene.true)
    torch_person = TorchPerson(problem, packed)
    gradient, H = analytic(problem, packed, {"data": 1.0})

    def residuals(x):
        w = tensor(np.sqrt(track.keypoint_weight)) / data.KEYPOINT_SIGMA_PX
        shift = tensor(packed.people[0].shift) + torch_person.split(x)[0][:, 69:]
        return torch.cat(
            [
                (torch_person.keypoint_residuals(x) * w[..., None]).reshape(-1),
                (shift / tensor(track.shift_sigma)[:, None]).reshape(-1),
                (shift[1:] - shift[:-1]).reshape(-1) / data.SHIFT_STEP,
            ]
        )

    J = torch.func.jacrev(residuals)(torch.zeros(torch_person.size)).numpy()
    assert np.abs(gradient).max() < 1e-6 * np.abs(J).max()
    same(H, J.T @ J)


@pytest.mark.parametrize(
    "name", ["data", "beta", "pose", "skate", "contact", "multi_scale", "smooth"]
)
def test_curvature_is_positive(person, name):
    problem, packed, _ = person
    _, H = analytic(problem, packed, {name: 1.0})
    same(H, H.T, 1e-12)
    assert np.linalg.eigvalsh(H)[0] > -1e-9 * np.abs(H).max()
