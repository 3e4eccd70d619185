"""What the motion prior does to motion that no clip holds: cartwheels, somersaults, floor work.

``python -m refine_engine.evaluation.unseen_motion --motion CLIPS`` makes such motions from two
held-out clips, refines scenes of them with and without the prior, and prints a table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from refine_engine.body import embedded_body, joint_kinematics, rest_joints
from refine_engine.config import RefinementConfig
from refine_engine.errors import InputError, RefinementError
from refine_engine.evaluation.engine_motion import motion_from_state
from refine_engine.evaluation.metrics import evaluate_motion
from refine_engine.evaluation.prior_gain import WITHOUT
from refine_engine.evaluation.sources import TRUTH_FILE, motion_from_ground_truth
from refine_engine.evaluation.synthetic.options import SampleOptions
from refine_engine.evaluation.synthetic.results_folder import write_results_folder
from refine_engine.evaluation.synthetic.scene import make_scene
from refine_engine.geometry.rotations import axis_angle_from_matrix, exp_so3
from refine_engine.importers import load_results
from refine_engine.motion_prior.clips import RATE, read_clips
from refine_engine.refinement.refiner import Stage5Refiner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.motion_prior.clips import Clip
    from refine_engine.scene import Array
    from refine_engine.state import OptimizationState

FRAMES = 100
SEED = 5
KINDS = ("cartwheel", "floor", "somersault")
SOLE_M = 0.04
"""Height of the lowest joint over the floor."""
SPEED_M_S = 0.8


def unseen_motion(kind: str, clip: Clip, frames: int = FRAMES) -> Clip:
    """A clip's limbs on a body that turns over: about its front, its side, or lying down.

    The lowest joint stays on the floor (smoothed over seven frames).
    """
    rest = rest_joints(embedded_body(), np.zeros(10))
    R, pelvis = clip.R[:frames].copy(), clip.transl[:frames] + rest[0]
    t = np.arange(len(R))
    ahead = R[0, 0][:, 2]
    heading = float(np.arctan2(ahead[0], ahead[2]))
    face = exp_so3(np.array([0.0, heading, 0.0]))
    along = np.array([np.sin(heading), 0.0, np.cos(heading)])
    if kind == "floor":
        lying = exp_so3(np.array([-0.5 * np.pi, 0.0, 0.0]))
        over = exp_so3((4 * np.pi * _eased((t - 10) / 80))[:, None] * np.array([0.0, 1.0, 0.0]))
        rocked = exp_so3(0.2 * np.sin(t / 9)[:, None] * np.array([1.0, 0.0, 0.0]))
        R[:, 0] = lying @ over @ rocked
        along = np.array([1.0, 0.0, 0.0])
    else:
        axis = np.array([0.0, 0.0, -1.0] if kind == "cartwheel" else [1.0, 0.0, 0.0])
        turn = exp_so3((2 * np.pi * _eased((t - 25) / 45))[:, None] * axis)
        R[:, 0] = face @ turn @ face.T @ R[:, 0]
        if kind == "cartwheel":
            along = np.array([np.cos(heading), 0.0, -np.sin(heading)])
    pelvis = np.where(
        [True, False, True], pelvis[0] + t[:, None] / RATE * SPEED_M_S * along, pelvis
    )
    joints = joint_kinematics(rest, R[:, 0], R[:, 1:], pelvis - rest[0]).positions
    low = np.convolve(np.pad(joints[..., 1].min(1), 3, mode="edge"), np.full(7, 1 / 7), "valid")
    pelvis[:, 1] += SOLE_M - low
    return replace(clip, name=f"{kind}_{clip.name}", R=R, transl=pelvis - rest[0])


def _eased(x: Array) -> Array:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--motion", type=Path, required=True, help="folder of motion clips (.npz)")
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    try:
        config = RefinementConfig().with_settings(options.settings)
        held = [c for c in read_clips(options.motion) if c.held_out and len(c.R) >= options.frames]
        if len(held) < 2:
            raise InputError(
                options.motion, "holds fewer than two held-out clips of that length", "give more"
            )
        _table(_lively(held), options.frames, config)
    except RefinementError as error:
        sys.stderr.write(f"unseen_motion: {error}\n")
        return 2
    return 0


def _lively(clips: Sequence[Clip]) -> list[Clip]:
    """The two clips whose poses change most."""

    def change(clip: Clip) -> float:
        return float(np.abs(np.diff(clip.R[:FRAMES, 1:22], axis=0)).mean())

    return sorted(clips, key=change)[-2:]


def _table(clips: Sequence[Clip], frames: int, config: RefinementConfig) -> None:
    sys.stdout.write(
        "| motion | WA-MPJPE100, mm: init | without prior | with | PA-MPJPE: without | with | "
        "prior_influence | likelihood |\n|---|---|---|---|---|---|---|---|\n"
    )
    for kind in KINDS:
        for number, clip in enumerate(clips, start=1):
            cells = _row(unseen_motion(kind, clip, frames), config)
            sys.stdout.write(f"| {kind}, {number} | " + " | ".join(cells) + " |\n")
            sys.stdout.flush()


def _row(motion: Clip, config: RefinementConfig) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{motion.name}.npz"
        poses = axis_angle_from_matrix(motion.R).reshape(len(motion.R), -1)
        np.savez(file, poses=poses, trans=motion.transl, fps=RATE, up="y", betas=np.zeros(10))
        made = make_scene(
            SampleOptions(
                people=1,
                frames=len(motion.R),
                level="published",
                camera="follow",
                seed=SEED,
                video=False,
                masks=False,
                motion=file,
            )
        )
        root = write_results_folder(made, Path(folder) / "scene")
        return _cells(root, config)


def _cells(root: Path, config: RefinementConfig) -> list[str]:
    scene, body = load_results(root, fps=RATE), embedded_body()
    truth = motion_from_ground_truth(root / TRUTH_FILE, body)

    def errors(state: OptimizationState) -> tuple[float, float]:
        found = evaluate_motion(motion_from_state(state, scene.fps, body, scene.cameras), truth)
        return found["wa_mpjpe100_mm"], found["pa_mpjpe_mm"]

    plain = Stage5Refiner(config.replace(**WITHOUT), body).refine(scene)
    output = Stage5Refiner(config, body).refine(scene)
    before, without, after = (errors(s) for s in (output.initial_state, plain.state, output.state))
    person = next(iter(output.state.people))
    return [
        *(f"{x:.1f}" for x in (before[0], without[0], after[0], without[1], after[1])),
        f"{output.prior_influence[person]:.2f}",
        f"{output.per_person_likelihoods[person]:.2f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
