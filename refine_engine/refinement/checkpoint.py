"""``checkpoint.npz``: a run's state and history as numeric arrays, written at every sub-stage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refine_engine.errors import InputError
from refine_engine.safe_files import npz_bytes, open_npz, write_files
from refine_engine.state import (
    SUBSTAGES,
    OptimizationState,
    PersonState,
    SubStage,
    SubStageResult,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FORMAT = 2
_PERSON_ARRAYS = (
    "frames",
    "R_world_root",
    "body_pose",
    "betas",
    "transl_world",
    "observed",
    "contacts",
)


@dataclass(frozen=True)
class Checkpoint:
    """Where a run stood."""

    state: OptimizationState
    results: tuple[SubStageResult, ...]
    """Of the sub-stages that had ended."""
    weights: dict[str, float]
    """Term name to lambda at that time."""

    @property
    def next_substage(self) -> SubStage | None:
        """The first sub-stage that has not ended; None where all have."""
        done = {r.sub_stage for r in self.results}
        for key in SUBSTAGES[1:]:
            if key not in done:
                return key
        return None


def write_checkpoint(
    path: Path,
    state: OptimizationState,
    results: Sequence[SubStageResult],
    weights: Mapping[str, float],
) -> None:
    """Write a resume point, to a temporary name first.

    Raises
    ------
    ExportError
        The file cannot be written.
    """
    history = [
        {
            "sub_stage": r.sub_stage,
            "status": r.status,
            "iterations": r.iterations,
            "seconds": r.seconds,
            "final_loss": r.final_loss,
            "loss_curves": {k: list(v) for k, v in r.loss_curves.items()},
            "message": r.message,
        }
        for r in results
    ]
    text = json.dumps({"results": history, "weights": dict(weights)}).encode()
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array(FORMAT),
        "person_ids": np.array(sorted(state.people), dtype=np.int64),
        "ground_plane": state.ground_plane,
        "alpha_0": np.array(state.alpha_0),
        "scale_delta": np.array(state.scale_delta),
        # An empty array where it was given, not estimated.
        "alpha_0_log_sigma": np.array(
            [] if state.alpha_0_log_sigma is None else [state.alpha_0_log_sigma]
        ),
        "chunk_log_scale": state.chunk_log_scale,
        # JSON as bytes: an array of text would need no pickle either, but fixes a length.
        "history": np.frombuffer(text, dtype=np.uint8),
    }
    for i, p in state.people.items():
        for name in _PERSON_ARRAYS:
            arrays[f"person_{i}_{name}"] = getattr(p, name)
        if p.joint_sigma is not None:
            arrays[f"person_{i}_joint_sigma"] = p.joint_sigma
        if p.image_shift is not None:
            arrays[f"person_{i}_image_shift"] = p.image_shift
    # Rotations in double precision are noise to a packer: it takes fifty times as long as writing
    # them, for 7 % (measured), and the window's end waits for it.
    write_npz(path, arrays, compressed=False)


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]], *, compressed: bool = True) -> None:
    """Write arrays to ``path``, which appears whole or not at all.

    Raises
    ------
    ExportError
        The folder or file cannot be written.
    """
    write_files({path: npz_bytes(arrays, compressed=compressed)})


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a resume point.

    Raises
    ------
    InputError
        The file is missing, damaged or of another version.
    """
    if not path.is_file():
        raise InputError(path, "there is no checkpoint to resume", "run without --resume")
    with open_npz(path) as stored:
        try:
            if int(stored["format"]) != FORMAT:
                raise InputError(path, "is a checkpoint of another version", "start a new run")
            people = {}
            for i in stored["person_ids"].tolist():
                values = {name: stored[f"person_{i}_{name}"] for name in _PERSON_ARRAYS}
                people[int(i)] = PersonState(
                    **values,
                    joint_sigma=stored.get(f"person_{i}_joint_sigma"),
                    image_shift=stored.get(f"person_{i}_image_shift"),
                )
            sigmas = stored["alpha_0_log_sigma"]
            state = OptimizationState(
                people=people,
                ground_plane=stored["ground_plane"],
                alpha_0=float(stored["alpha_0"]),
                scale_delta=float(stored["scale_delta"]),
                alpha_0_log_sigma=float(sigmas[0]) if len(sigmas) else None,
                chunk_log_scale=stored["chunk_log_scale"],
            )
            history = json.loads(stored["history"].tobytes().decode())
            lengths = {i: len(p.frames) for i, p in people.items()}
        except (KeyError, ValueError, TypeError) as error:
            raise InputError(
                path, f"is not a usable checkpoint ({error})", "start a new run"
            ) from None
    for i, p in people.items():
        n = lengths[i]
        shapes = {
            "R_world_root": (n, 3, 3),
            "body_pose": (n, 23, 3, 3),
            "betas": (10,),
            "transl_world": (n, 3),
            "observed": (n,),
            "contacts": (n, 4),
        }
        if p.image_shift is not None:
            shapes["image_shift"] = (n, 2)
        arrays = [(getattr(p, name), shape) for name, shape in shapes.items()]
        whole = p.frames.dtype.kind in "iu" and p.frames.shape == (n,)
        if (
            not whole
            or any(a.shape != s or a.dtype.kind not in "bf" for a, s in arrays)
            or any(not np.isfinite(a).all() for a, _ in arrays)
        ):
            raise InputError(path, f"person {i} is damaged", "start a new run")
    results = tuple(
        SubStageResult(
            sub_stage=r["sub_stage"],
            status=r["status"],
            iterations=int(r["iterations"]),
            seconds=float(r["seconds"]),
            final_loss=r["final_loss"],
            loss_curves={k: tuple(v) for k, v in r["loss_curves"].items()},
            message=str(r["message"]),
        )
        for r in history["results"]
    )
    return Checkpoint(state, results, {k: float(v) for k, v in history["weights"].items()})
