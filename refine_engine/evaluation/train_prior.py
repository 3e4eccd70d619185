"""Train the whole embedded prior: ``python -m refine_engine.evaluation.train_prior CLIPS``.

Transitions (:mod:`refine_engine.motion_prior.train`), statistics of poses
(:mod:`refine_engine.motion_prior.pose_training`), the filling of gaps
(:mod:`refine_engine.motion_prior.gap_training`) and the contact head, whose examples are feet of
refinements. One split of the clips serves all four. Prints held-out scores, and writes
``motion_prior.npz``, ``pose_prior.npz``, ``gap_filler.npz`` and ``contact_head.npz`` into the
folder ``--output``.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import RefinementError
from refine_engine.evaluation.contact_examples import (
    STAGES,
    ContactExample,
    contact_examples,
)
from refine_engine.evaluation.contact_metrics import count_contacts
from refine_engine.motion_prior import train
from refine_engine.motion_prior.clips import read_clips
from refine_engine.motion_prior.contact_head import (
    INPUTS,
    OUTPUTS,
    ContactHead,
    load_contact_head,
)
from refine_engine.motion_prior.pose_training import fit_poses, poses_of, write_poses
from refine_engine.motion_prior.transition import PRIOR_RATE
from refine_engine.refinement.initialisation.contacts import detect_contacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.scene import Array

HIDDEN = (64, 32)
ROUNDS = 8
BATCH = 512
DECAY = 1e-2
DROPPED = 0.2
"""Share of the first layer's units that are left out at random while training."""
LEARNING_RATE = 4e-3
SEED = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clips", type=Path, help="folder of motion clips (.npz)")
    parser.add_argument("--output", type=Path, required=True, help="folder for the four files")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the contact head")
    parser.add_argument("--only-contacts", action="store_true", help="leave the rest as it is")
    options = parser.parse_args(arguments)
    if not options.only_contacts:
        transitions = options.output / "motion_prior.npz"
        gaps = options.output / "gap_filler.npz"
        code = train.main(
            [str(options.clips), "--output", str(transitions), "--gap-filler", str(gaps)]
        )
        if code:
            return code
    try:
        if not options.only_contacts:
            _train_poses(options.clips, options.output / "pose_prior.npz")
        return _train_contacts(options.clips, options.output / "contact_head.npz", options.rounds)
    except RefinementError as error:
        sys.stderr.write(f"train_prior: {error}\n")
        return 2


def _train_poses(clips: Path, output: Path) -> None:
    kept, tested = train.split(read_clips(clips))
    fit = fit_poses(kept)
    write_poses(output, fit)
    nats = [fit.nats(poses_of(which)).mean() for which in (kept, tested)]
    _say(f"poses: {nats[0]:.1f} nats a pose trained on, {nats[1]:.1f} held out")
    _say(f"wrote {output}, {output.stat().st_size / 1e6:.2f} MB")


def _train_contacts(clips: Path, output: Path, rounds: int) -> int:
    files = sorted(clips.glob("**/*.npz"))
    names = {c.name for c in train.split(read_clips(clips))[1]}
    tested = _gathered([f for f in files if f.stem in names], "held out")
    kept = _gathered([f for f in files if f.stem not in names], "to train on")
    if not kept or not tested:
        sys.stderr.write(f"train_prior: {clips}: too few clips give scenes; give more\n")
        return 2
    _say(f"contact head: {len(kept)} examples to train on, {len(tested)} held out")
    write_head(output, fit_head(kept, rounds))
    head = load_contact_head(output)
    for line in score_lines(head, tested):
        _say(line)
    _say(f"wrote {output}, {output.stat().st_size / 1e6:.2f} MB")
    return 0


def _gathered(files: Sequence[Path], what: str) -> list[ContactExample]:
    found: list[ContactExample] = []
    for count, file in enumerate(files, start=1):
        found += contact_examples([file], first=count)
        if count % 10 == 0:
            sys.stderr.write(f"{count} of {len(files)} clips {what}: {len(found)} examples\n")
    return found


def fit_head(examples: Sequence[ContactExample], rounds: int = ROUNDS) -> ContactHead:
    """Fit a head to examples by cross-entropy (AdamW, one cycle of learning rates)."""
    # Torch takes seconds to import.
    import torch

    pairs = [e.features() for e in examples]
    inputs = np.concatenate([x for x, _ in pairs]).astype(np.float32)
    answers = np.concatenate([y for _, y in pairs]).astype(np.float32)
    mean, spread = inputs.mean(0), inputs.std(0) + np.float32(1e-3)
    x, y = torch.as_tensor((inputs - mean) / spread), torch.as_tensor(answers)
    torch.manual_seed(SEED)
    widths = (INPUTS, *HIDDEN, OUTPUTS)
    layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    modules: list[torch.nn.Module] = [layers[0], torch.nn.ReLU(), torch.nn.Dropout(DROPPED)]
    for layer in layers[1:]:
        modules += [layer, torch.nn.ReLU()]
    network = torch.nn.Sequential(*modules[:-1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=DECAY)
    batches = max(len(x) // BATCH, 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, LEARNING_RATE, total_steps=rounds * batches + 1
    )
    for _ in range(rounds):
        order = torch.randperm(len(x))
        for k in range(batches):
            rows = order[k * BATCH : (k + 1) * BATCH]
            optimiser.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x[rows]), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return ContactHead(
        mean=mean.astype(np.float64),
        spread=spread.astype(np.float64),
        weights=tuple(layer.weight.detach().numpy().astype(np.float64) for layer in layers),
        biases=tuple(layer.bias.detach().numpy().astype(np.float64) for layer in layers),
    )


def write_head(path: Path, head: ContactHead) -> None:
    """Write the arrays that :func:`.contact_head.load_contact_head` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"mean": head.mean, "spread": head.spread}
    for k, (weight, bias) in enumerate(zip(head.weights, head.biases, strict=True)):
        arrays[f"weight_{k}"], arrays[f"bias_{k}"] = weight, bias
    with path.open("wb") as file:
        np.savez_compressed(file, **{name: a.astype(np.float32) for name, a in arrays.items()})


def score_lines(head: ContactHead, examples: Sequence[ContactExample]) -> list[str]:
    """Precision, recall and F1 of kinematics alone and of the head, for every stage."""
    lines = [f"  {'held out, after':16s} {'kinematic P / R / F1':26s} head P / R / F1"]
    for stage in ("true", *STAGES):
        chosen = [e for e in examples if e.stage == stage]
        if not chosen:
            continue
        truth = np.concatenate([e.contacts for e in chosen])
        alone = np.concatenate(
            [detect_contacts(e.feet, e.plane, PRIOR_RATE, e.observed) for e in chosen]
        )
        found = np.concatenate(
            [
                head.probabilities(e.feet, e.joints, e.standing_plane, e.size, PRIOR_RATE)
                * e.observed[:, None]
                for e in chosen
            ]
        )
        lines.append(f"  {stage:16s} {_scores(alone, truth):26s} {_scores(found, truth)}")
    return lines


def _scores(found: Array, truth: Array) -> str:
    c = count_contacts(found, truth)
    return f"{c.precision:.3f} / {c.recall:.3f} / {c.f1:.3f}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
