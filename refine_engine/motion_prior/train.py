"""Train the embedded prior: ``python -m refine_engine.motion_prior.train CLIPS --output FILE``.

CLIPS is a folder of SMPL or AMASS clips (``.npz``). Every fifth clip, by a hash of its name, is
held out. Prints the held-out scores of several forms and writes the chosen one. With
``--gap-filler FILE`` the networks that fill gaps are trained too, on the same clips.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import embedded_body, joint_kinematics, rest_joints
from refine_engine.errors import RefinementError
from refine_engine.geometry.rotations import nearest_rotation
from refine_engine.motion_prior.clips import RATE, read_clips
from refine_engine.motion_prior.features import NUM_JOINTS, transition_features
from refine_engine.motion_prior.fitting import (
    Mixture,
    fit_constant_velocity,
    fit_mixture,
    fit_single,
)
from refine_engine.motion_prior.gap_model import load_gap_model
from refine_engine.motion_prior.gap_scores import FORMS, LENGTHS, gap_scores
from refine_engine.motion_prior.gap_training import STEPS, train_gap_filler
from refine_engine.motion_prior.likelihood import FOOT_JOINTS, score_motion
from refine_engine.motion_prior.transition import load_transition_prior

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from refine_engine.motion_prior.clips import Clip
    from refine_engine.motion_prior.transition import TransitionPrior

    Array = NDArray[np.float64]

COMPONENTS = 4
FREEDOM = 16.0
SEED = 0
STRETCH = 60
"""Frames of a stretch whose score is one sample of the calibration."""


def features_of(clips: Sequence[Clip], mean: Array) -> tuple[Array, Array]:
    """Inputs and outputs of all transitions of clips."""
    pairs = [transition_features(mean, c.R, c.transl, 1.0, RATE) for c in clips]
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def split(clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Clips to train on and held-out ones: by name; every fifth where names hold out none or all.

    The second list is empty only where there is a single clip.
    """
    kept = [c for c in clips if not c.held_out]
    tested = [c for c in clips if c.held_out]
    if not kept or not tested:
        tested = list(clips[1::5])
        kept = [c for i, c in enumerate(clips) if i % 5 != 1]
    return kept, tested


def mean_rotations(clips: Sequence[Clip]) -> Array:
    """(21, 3, 3) mean rotation of joints 1..21."""
    return nearest_rotation(
        np.concatenate([c.R[:, 1 : NUM_JOINTS + 1] for c in clips]).mean(0)
    ).astype(np.float32, copy=False)


def clip_scores(prior: TransitionPrior, clips: Sequence[Clip]) -> Array:
    """Scores of consecutive stretches of clips; see :func:`.likelihood.score_motion`."""
    rest = rest_joints(embedded_body(), np.zeros(10))
    scores = []
    for clip in clips:
        joints = joint_kinematics(rest, clip.R[:, 0], clip.R[:, 1:], clip.transl).positions
        for first in range(0, max(len(clip.R) - STRETCH, 0) + 1, STRETCH):
            rows = slice(first, first + STRETCH)
            found = score_motion(
                prior, clip.R[rows], clip.transl[rows], joints[rows][:, FOOT_JOINTS], 1.0, RATE
            )
            if found is not None:
                scores.append(found.score)
    return np.array(scores)


def write_prior(path: Path, mean: Array, mixture: Mixture, clean: float) -> None:
    """Write the arrays that :func:`.transition.load_transition_prior` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Into the file itself: given a name, NumPy would append .npz where it lacks that.
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            mean=mean.astype(np.float32),
            weights=mixture.weights.astype(np.float32),
            maps=mixture.maps.astype(np.float32),
            scales=mixture.scales.astype(np.float32),
            freedom=np.float32(mixture.freedom),
            clean_nats=np.float32(clean),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clips", type=Path, help="folder of motion clips (.npz)")
    parser.add_argument("--output", type=Path, required=True, help="file to write (.npz)")
    parser.add_argument("--components", type=int, default=COMPONENTS)
    parser.add_argument("--freedom", type=float, default=FREEDOM)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--compare", action="store_true", help="score other forms too")
    parser.add_argument(
        "--gap-filler", type=Path, metavar="FILE", help="train the filling of gaps too (.npz)"
    )
    parser.add_argument("--gap-steps", type=int, default=STEPS, help="of each of its networks")
    options = parser.parse_args(arguments)
    left_out: list[str] = []
    try:
        clips = read_clips(options.clips, left_out)
    except RefinementError as error:
        sys.stderr.write(f"train: {error}\n")
        return 2
    if left_out:
        _say(f"{len(left_out)} files are no clips and are left out; the first: {left_out[0]}")
    kept, tested = split(clips)
    if not tested:
        sys.stderr.write(f"train: {options.clips}: holds a single clip; give at least two\n")
        return 2
    if options.gap_filler is not None:
        train_gap_filler(kept, options.gap_filler, options.seed, _say, steps=options.gap_steps)
        _show_gaps(options.gap_filler, tested)
    kept += [c.mirrored() for c in kept]
    mean = mean_rotations(kept)
    inputs, outputs = features_of(kept, mean)
    test = features_of(tested, mean)
    _say(f"{len(clips)} clips, {len(tested)} held out")
    _say(f"{len(inputs)} transitions with their mirror images, {len(test[0])} held out")
    if options.compare:
        for freedom in (8.0, 16.0, 64.0, 1e6):
            _say(f"degrees of freedom {freedom:g}")
            _compare(kept, tested, mean, freedom)
    mixture = fit_mixture(inputs, outputs, options.components, options.freedom, options.seed)
    _show(f"{options.components} linear transitions", mixture, (inputs, outputs), test)
    write_prior(options.output, mean, mixture, 1.0)
    scores = clip_scores(load_transition_prior(options.output), tested)
    clean = float(np.median(scores))
    write_prior(options.output, mean, mixture, clean)
    _say(f"median score of {len(scores)} held-out stretches of {STRETCH} frames: {clean:.1f} nats")
    _say(f"wrote {options.output}, {options.output.stat().st_size / 1e6:.2f} MB")
    return 0


def _show_gaps(path: Path, clips: Sequence[Clip]) -> None:
    """Errors in hidden frames of held-out clips: all gaps alike, and all clips alike."""
    scores = gap_scores(load_gap_model(path), clips, LENGTHS)
    for length in LENGTHS:
        here = [s for s in scores if s.length == length]
        if not here:
            continue
        names = sorted({s.clip for s in here})
        shown = []
        for form in FORMS:
            errors = np.array([s.errors[form] for s in here])
            by_clip = [np.mean([s.errors[form] for s in here if s.clip == n]) for n in names]
            shown.append(f"{form} {errors.mean():.1f} ({np.mean(by_clip):.1f})")
        _say(f"  {len(here)} gaps of {length} frames, mm (mean of clips): " + ", ".join(shown))
    _say(f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB")


def _compare(kept: Sequence[Clip], tested: Sequence[Clip], mean: Array, freedom: float) -> None:
    train, test = features_of(kept, mean), features_of(tested, mean)
    _show("constant velocity", fit_constant_velocity(*train, freedom), train, test)
    _show("one linear transition", fit_single(*train, freedom), train, test)
    if freedom == FREEDOM:
        for count in (2, 4, 8):
            fitted = fit_mixture(*train, count, freedom, SEED)
            _show(f"{count} linear transitions", fitted, train, test)
    train, test = _changes(kept, mean), _changes(tested, mean)
    _show("constant acceleration", fit_constant_velocity(*train, freedom), train, test)


def _changes(clips: Sequence[Clip], mean: Array) -> tuple[Array, Array]:
    """As :func:`features_of`, but the output is how much the acceleration changes."""
    pairs = [features_of([c], mean) for c in clips]
    changes = np.concatenate([np.diff(b, axis=0) for _, b in pairs])
    return np.concatenate([a[1:] for a, _ in pairs]), changes


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _show(
    name: str, mixture: Mixture, train: tuple[Array, Array], test: tuple[Array, Array]
) -> None:
    scores = mixture.nll(*train).mean(), mixture.nll(*test).mean()
    _say(f"  {name:26s} nats a frame: {scores[0]:8.2f} trained on, {scores[1]:8.2f} held out")


if __name__ == "__main__":
    sys.exit(main())
