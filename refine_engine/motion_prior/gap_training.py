"""Training of the networks that fill gaps; called by :mod:`refine_engine.motion_prior.train`.

Gaps are cut out of recorded clips at random: 4 to 60 frames at 30 Hz, 0.85 to 1.2 times as fast as
recorded, mirrored or not, with less context than usual in a third of the cases. In half of them the
context carries smooth errors, as poses of a temporal network do, while the target stays the
recorded motion.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import embedded_body, joint_kinematics, rest_joints
from refine_engine.geometry.rotations import exp_so3, log_so3, nearest_rotation
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
)
from refine_engine.motion_prior.gap_windows import (
    CHANNELS,
    CONTEXT,
    JOINTS,
    NEEDED,
    OFFSETS,
    POSE,
    RATE,
    SeenMotion,
    Windows,
    channels_between,
    seen_motion,
    spline,
    windows,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from refine_engine.motion_prior.clips import Clip

    Array = NDArray[np.float64]
    Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]

NETWORKS = 2
FOLDS = 5
"""Network k is not shown every fifth clip, so that networks disagree about foreign motion."""
STEPS = 5000
"""Of the optimiser, for each network; a minute or two of one core."""
BATCH = 256
POOL, FRESH = 32_000, 2000
"""Windows to draw from, and how many are replaced after each pass."""
DOUBT = 1.0
QUANTILES = np.arange(1, 13) / 13.0
"""Fractions at which the recorded motion is compared with the cubic."""
_TO_WAVES = 2.0 / 13.0 * np.sin(np.pi * np.arange(1, MODES + 1)[:, None] * QUANTILES)
"""Discrete sine transform: amplitudes from values at the quantiles."""
_SPANS = np.geomspace(5.0, 61.0, 25)
_COMMON = (_SPANS >= 13) & (_SPANS <= 31)
_POSE_ERROR = 0.067
_LIMB_SHARE = np.array(
    [0.9, 0.9, 0.5, 1, 1, 0.5, 1.2, 1.2, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8]
    + [1.3, 1.3, 1.3, 1.3, 1, 1, 0.3, 0.3]
)
_ROOT_ERROR, _PLACE_ERROR = (0.06, 0.03, 0.03), (0.05, 0.01, 0.05)
_POSE_TIME, _PLACE_TIME = 11.0, 34.0
"""Frames over which these errors stay; sizes and times as in scenes of level published."""
_TREMBLE = 0.003


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


def fold_of(clip: Clip) -> int:
    """Which network does not see a clip, 0 .. 4; by name."""
    digest = hashlib.md5(clip.name.encode(), usedforsecurity=False).hexdigest()
    return int(digest, 16) // FOLDS % FOLDS


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
    trained = []
    for k in range(networks):
        shown = [c for c in clips if fold_of(c) != k] or list(clips)
        trained.append(_train_network(space, shown, seed + k, steps, say))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_gap_model(path, space, trained)


def write_gap_model(path: Path, space: GapSpace, networks: Sequence[Mapping[str, Array]]) -> None:
    """Write what :func:`.gap_model.load_gap_model` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.floating]] = {
        "mean": space.mean.astype(np.float32),
        "sensitivity": space.sensitivity.astype(np.float32),
        "components": space.components.astype(np.float32),
        "doubt": np.array(DOUBT, dtype=np.float32),
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
    pool = _batch(space, motion, min(POOL, BATCH * steps), rng)
    size = len(pool[0])
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
            seen, gain, waves = (v[rows] for v in pool)
            error = torch.sqrt(0.5 * ((net(seen) * gain - waves) ** 2).sum(1) + 1e-6)
            cubic = torch.sqrt(0.5 * (waves**2).sum(1))
            # Between metres and shares of the cubic's error: neither sprints nor idling decide.
            loss = (error / (cubic + 0.008) ** 0.6).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            errors.append(float(error.detach().mean() / cubic.mean()))
            step += 1
        rows_fresh = slice(fresh, fresh + FRESH)
        fresh = (fresh + FRESH) % size
        if step < steps:
            news = _batch(space, motion, len(pool[0][rows_fresh]), rng)
            for old, new in zip(pool, news, strict=True):
                old[rows_fresh] = new
        say(f"  gaps, seed {seed}: step {step}, {np.mean(errors):.3f} of the cubic's error")
    return {name: value.detach().numpy().astype(np.float64) for name, value in layers().items()}


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


def _batch(space: GapSpace, motion: SeenMotion, count: int, rng: np.random.Generator) -> Batch:
    import torch

    parts = [_some(space, motion, min(FRESH, count - done), rng) for done in range(0, count, FRESH)]
    seen, gain, waves = (
        torch.from_numpy(np.concatenate(v).astype(np.float32)) for v in zip(*parts, strict=True)
    )
    return seen, gain, waves


def _some(
    space: GapSpace, motion: SeenMotion, count: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    left, right, warp = _draw(motion, count, rng)
    around = windows(motion, left, right, warp)
    truth = channels_between(motion, around, left, right, QUANTILES)
    _shorten(around, rng)
    _disturb(around, rng)
    waves = _TO_WAVES @ space.parts(truth - spline(around, QUANTILES))
    seen, gain = space.inputs(around)
    return seen, gain, waves.reshape(count, OUTPUTS)


def _draw(motion: SeenMotion, count: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Last seen and next seen rows of random gaps, and how much faster than recorded."""
    first, where = np.unique(motion.start, return_index=True)
    last = motion.stop[where]
    share = np.maximum(last - first - 7.0, 0.0) ** 0.8
    lefts, rights, warps = [], [], []
    found = 0
    while found < count:
        k = rng.choice(len(first), 2 * count, p=share / share.sum())
        span = rng.choice(_SPANS, 2 * count, p=(1.0 + _COMMON) / (1.0 + _COMMON).sum())
        warp = rng.uniform(0.85, 1.2, 2 * count)
        margin = (OFFSETS[NEEDED] + 1.0) * warp
        room = last[k] - first[k] - span * warp - 2 * margin
        left = first[k] + margin + rng.uniform(size=2 * count) * room
        fits = room > 0
        lefts.append(left[fits])
        rights.append((left + span * warp)[fits])
        warps.append(warp[fits])
        found += int(fits.sum())
    return tuple(np.concatenate(v)[:count] for v in (lefts, rights, warps))  # type: ignore[return-value]


def _shorten(around: Windows, rng: np.random.Generator) -> None:
    """Forget the far end of some contexts."""
    for channels, known in (
        (around.before, around.known_before),
        (around.after, around.known_after),
    ):
        m = len(channels)
        kept = np.where(rng.uniform(size=m) < 0.3, rng.integers(3, CONTEXT + 1, m), CONTEXT)
        for k in range(NEEDED + 1, CONTEXT):
            gone = (k >= kept) | ~known[:, k]
            channels[gone, k] = channels[gone, k - 1]
            known[gone, k] = False


def _disturb(around: Windows, rng: np.random.Generator) -> None:
    """Add smooth errors to half of the contexts."""
    m = len(around.span)
    times = np.concatenate([np.tile(-OFFSETS, (m, 1)), around.span[:, None] + OFFSETS], axis=1)
    apart = (times[:, :, None] - times[:, None]) ** 2
    size = np.concatenate([np.repeat(_POSE_ERROR * _LIMB_SHARE, 3), _ROOT_ERROR, _PLACE_ERROR])
    errors = np.empty((m, 2 * CONTEXT, CHANNELS))
    turns = slice(0, 3 * JOINTS + 3)
    for time, which in ((_POSE_TIME, turns), (_PLACE_TIME, slice(turns.stop, CHANNELS))):
        smooth = np.exp(-apart / (2 * time**2)) + 1e-4 * np.eye(2 * CONTEXT)
        white = rng.standard_normal((m, 2 * CONTEXT, which.stop - which.start))
        errors[:, :, which] = np.linalg.cholesky(smooth) @ white * size[which]
    errors[:, :, turns] += _TREMBLE * rng.standard_normal(errors[:, :, turns].shape)
    errors *= (rng.uniform(size=m) * (rng.uniform(size=m) < 0.5))[:, None, None]
    around.before[:] += errors[:, :CONTEXT]
    around.after[:] += errors[:, CONTEXT:]


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
