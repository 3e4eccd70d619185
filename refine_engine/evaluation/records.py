"""What each run of a sweep came to, in memory and in a JSON-lines file."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from refine_engine.errors import InputError

Arm = Literal["full", "off", "alone"]
"""full: the folder as it is. off: cameras said to be metric, but 15 % off. alone: the same with
one of the people only."""
ARMS: tuple[Arm, ...] = get_args(Arm)


@dataclass(frozen=True)
class Run:
    """What one refinement of one scene came to."""

    scene: str
    people: int
    camera: str
    level: str
    seed: int
    arm: Arm
    person: int | None
    """Whose scene it is in the arm "alone"."""
    before: dict[str, tuple[float, int]]
    """Sum and number of samples by metric key, of the state that the refinement started from."""
    after: dict[str, tuple[float, int]]
    alpha_true: float
    alpha_before: float
    alpha: float
    alpha_sigma: float | None
    observable: bool
    """Whether alpha is observable from motion."""
    seconds: float
    problem: str = ""
    """Why the run failed; a failed run keeps its "before" as "after"."""
    settings: str = ""
    """Mark of the settings and clips that it was made with; empty in old files."""

    @property
    def key(self) -> tuple[str, str, int | None]:
        """Identity inside a sweep."""
        return self.scene, self.arm, self.person

    @property
    def log_alpha_error(self) -> float:
        """``log(alpha / alpha*)`` after refinement."""
        return math.log(self.alpha / self.alpha_true)


def write_records(path: Path, runs: Iterable[Run]) -> None:
    """Append runs to a records file."""
    with path.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(dataclasses.asdict(run)) + "\n" for run in runs)


def read_records(path: Path | None, settings: str = "") -> dict[str, list[Run]]:
    """Runs of a records file by scene name; empty where there is no file.

    Parameters
    ----------
    path
        The file.
    settings
        Mark of the settings that all runs must have been made with; empty = any.

    Raises
    ------
    InputError
        A line is no record of this version, or of a run with other settings.
    """
    found: dict[str, list[Run]] = {}
    if path is None or not path.is_file():
        return found
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            run = _run_from(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}:{number}", f"is no record ({error})", "delete it") from None
        if settings and run.settings and run.settings != settings:
            raise InputError(
                f"{path}:{number}",
                "is of a run with other settings or motion clips",
                "name another file for these",
            )
        found.setdefault(run.scene, []).append(run)
    return found


def _run_from(values: dict[str, Any]) -> Run:
    for side in ("before", "after"):
        values[side] = {k: (float(s), int(n)) for k, (s, n) in values[side].items()}
    return Run(**values)
