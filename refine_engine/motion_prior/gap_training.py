"""Training of the networks that fill gaps; called by :mod:`refine_engine.motion_prior.train`.

Each network sees the same clips and gaps of its own, cut by :mod:`.gap_examples`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import embedded_body, joint_kinematics, rest_joints
from refine_engine.geometry.rotations import exp_so3, log_so3, nearest_rotation
from refine_engine.motion_prior.gap_examples import (
    QUANTILES,
    GapExamples,
    gap_examples,
    moved_joints,
)
from refine_engine.motion_prior.gap_model import (
    HIDDEN,
    INPUTS,
    LAYERS,
    LINEAR,
    MODES,
    OUTPUTS,
    PARTS,
    POSE_PARTS,
    GapSpace,
    waves_at,
)
from refine_engine.motion_prior.gap_windows import (
    CHANNELS,
    JOINTS,
    POSE,
    RATE,
    SeenMotion,
    seen_motion,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from refine_engine.motion_prior.clips import Clip

    Array = NDArray[np.float64]

NETWORKS = 2
STEPS = 5000
"""Of the optimiser, for each network; about two minutes of one core."""
BATCH = 256
POOL, FRESH = 32_000, 2000
"""Gaps to draw from, and how many are replaced after each pass."""
UNHURT = 0.008
"""Metres that are added to the cubic's error where errors are divided by it."""


def gap_space(clips: Sequence[Clip]) -> GapSpace:
    """Mean pose, what each channel moves, and the principal components of poses."""
    R = np.concatenate([c.R[:, 1:] for c in clips])
    mean = nearest_rotation(R.mean(0))
    sensitivity = _sensitivity(mean) + 0.01
    logs = np.concatenate(
        [
            log_so3(np.swapaxes(mean, -1, -2) @ c.R[::5, 1:]).reshape(-1, POSE)
            for clip in clips
            for c in (clip, clip.mirrored())
        ]
    )
    scaled = logs * sensitivity[:POSE]
    _, _, axes = np.linalg.svd(scaled - scaled.mean(0), full_matrices=False)
    components = np.zeros((CHANNELS, PARTS))
    components[:POSE, :POSE_PARTS] = axes[:POSE_PARTS].T
    components[POSE:, POSE_PARTS:] = np.eye(6)
    return GapSpace(mean, sensitivity, components)


def train_gap_filler(
    clips: Sequence[Clip],
    path: Path,
    seed: int,
    say: Callable[[str], None],
    *,
    networks: int = NETWORKS,
    steps: int = STEPS,
) -> None:
    """Train on clips (none of them held out) and write the file of :func:`.load_gap_model`."""
    space = gap_space(clips)
    trained: list[dict[str, Array]] = []
    for k in range(networks):
        trained.append(_train_network(space, clips, seed + k, steps, say))
        # What is done is kept if somebody ends the training early.
        write_gap_model(path, space, trained)


def write_gap_model(path: Path, space: GapSpace, networks: Sequence[Mapping[str, Array]]) -> None:
    """Write what :func:`.gap_model.load_gap_model` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.floating]] = {
        "mean": space.mean.astype(np.float32),
        "sensitivity": space.sensitivity.astype(np.float32),
        "components": space.components.astype(np.float32),
    }
    for name in LAYERS:
        arrays[name] = np.stack([net[name] for net in networks]).astype(np.float16)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def joined_clips(space: GapSpace, clips: Sequence[Clip]) -> SeenMotion:
    """Clips one after the other, each a run of its own."""
    ends = np.cumsum([len(c.R) for c in clips])
    joined = np.ones(ends[-1] - 1, dtype=bool)
    joined[ends[:-1] - 1] = False
    R, transl = np.concatenate([c.R for c in clips]), np.concatenate([c.transl for c in clips])
    return seen_motion(space.mean, R, transl, 1.0, RATE, joined)


def _train_network(
    space: GapSpace,
    clips: Sequence[Clip],
    seed: int,
    steps: int,
    say: Callable[[str], None],
) -> dict[str, Array]:
    import torch

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    motion = joined_clips(space, [m for c in clips for m in (c, c.mirrored())])
    pool = gap_examples(space, motion, min(POOL, BATCH * steps), rng)
    size = len(pool.seen)
    waves = torch.from_numpy(waves_at(QUANTILES).astype(np.float32))
    to_channels = torch.from_numpy(space.channels(np.eye(PARTS)).astype(np.float32))
    net, layers = _network()
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.05)
    step, fresh = 0, 0
    while step < steps:
        errors = []
        for rows in torch.split(torch.randperm(size), BATCH):
            if step >= steps:
                break
            decay = 0.5 * (1.0 + np.cos(np.pi * step / steps)) + 0.003
            optimiser.param_groups[0]["lr"] = 1.5e-3 * min(1.0, (step + 1) / 100) * decay
            shown = GapExamples(*(v[rows] for v in pool))
            found = (net(shown.seen) * shown.gain).reshape(-1, MODES, PARTS)
            change = torch.einsum("mqk,mkp->mqp", waves[shown.when], found) @ to_channels
            levers = shown.axes.float(), shown.bones.float()
            error = _distance(moved_joints(shown.lacking - change, *levers))
            cubic = _distance(moved_joints(shown.lacking, *levers))
            # Shares of the cubic's error: neither sprints nor idling decide.
            loss = (error / (cubic + UNHURT)).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            errors.append(float(error.detach().mean() / cubic.mean()))
            step += 1
        rows_fresh = slice(fresh, fresh + FRESH)
        fresh = (fresh + FRESH) % size
        if step < steps:
            news = gap_examples(space, motion, len(pool.seen[rows_fresh]), rng)
            for old, new in zip(pool, news, strict=True):
                old[rows_fresh] = new
        say(f"  gaps, seed {seed}: step {step}, {np.mean(errors):.3f} of the cubic's error")
    return {name: value.detach().numpy().astype(np.float64) for name, value in layers().items()}


def _distance(moved: torch.Tensor) -> torch.Tensor:
    """(m,) mean distance of the joints, metres."""
    return ((moved**2).sum(-1) + 1e-6).sqrt().mean((1, 2))


def _network() -> tuple[torch.nn.Module, Callable[[], dict[str, torch.Tensor]]]:
    """The perceptron of :mod:`.gap_model` with drop-out, and a way to read its layers."""
    from torch import nn

    class Perceptron(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
            self.last = nn.Linear(HIDDEN, OUTPUTS)
            self.past = nn.Linear(INPUTS, LINEAR, bias=False)
            self.past_out = nn.Linear(LINEAR, OUTPUTS, bias=False)
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)
            nn.init.normal_(self.past_out.weight, std=1e-3)

        def forward(self, seen: torch.Tensor) -> torch.Tensor:
            drop = nn.functional.dropout
            seen = drop(seen, 0.1, self.training)
            hidden = drop(nn.functional.gelu(self.first(seen)), 0.2, self.training)
            hidden = drop(hidden + nn.functional.gelu(self.second(hidden)), 0.2, self.training)
            return self.last(hidden) + self.past_out(self.past(seen))

    net = Perceptron()

    def layers() -> dict[str, torch.Tensor]:
        return {
            "w1": net.first.weight.T,
            "b1": net.first.bias,
            "w2": net.second.weight.T,
            "b2": net.second.bias,
            "w3": net.last.weight.T,
            "b3": net.last.bias,
            "s1": net.past.weight.T,
            "s2": net.past_out.weight.T,
        }

    return net, layers


def _sensitivity(mean: Array) -> Array:
    """(75,) root mean square joint displacement, metres per unit of each channel, mean pose."""
    rest = rest_joints(embedded_body(), np.zeros(10))
    small = 0.01
    turned = np.concatenate([np.eye(3)[None], mean])

    def joints(R: Array) -> Array:
        return joint_kinematics(rest, R[None, 0], R[None, 1:], np.zeros((1, 3))).positions[0]

    found = np.ones(CHANNELS)
    still = joints(turned)
    for j in range(JOINTS + 1):
        # The root's channels come after those of the joints.
        column = POSE if j == 0 else 3 * (j - 1)
        for axis in range(3):
            R = turned.copy()
            R[j] = R[j] @ exp_so3(small * np.eye(3)[axis])
            found[column + axis] = np.sqrt(((joints(R) - still) ** 2).sum() / 24) / small
    return found
