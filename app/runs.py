"""What the window remembers of each run, and of each sub-stage while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from app.loss_curves import SubStageCurves
from app.mailbox import LossRecord
from refine_engine.config import ENABLE_KEYS, ITERATION_KEYS, RefinementConfig
from refine_engine.refinement.window_lengths import window_lengths
from refine_engine.state import (
    SUBSTAGES,
    OptimizationState,
    RefinementOutput,
    ScaleReport,
    SubStage,
    SubStageResult,
    SubStageStatus,
)

TITLES: Mapping[SubStage, str] = {
    "init": "Initialise",
    "root": "Root fitting",
    "smpl": "SMPL fitting",
    "motion": "Motion prior",
    "environmental": "Ground, contact",
    "scale": "Joint scale",
    "final": "Final refinement",
}
"""What people read for a sub-stage."""

NUMBERS: Mapping[SubStage, str] = {s: f"5.{i}" for i, s in enumerate(SUBSTAGES, start=1)}

EXPLANATIONS: Mapping[SubStage, str] = {
    "init": "Load, repair, fill gaps, first scale and ground, contacts. Always runs.",
    "root": "Moves and turns each body as a whole until it fits what was measured.",
    "smpl": "Also bends the joints and shapes the body.",
    "motion": "Makes the motion plausible, in growing windows of time.",
    "environmental": "Puts feet on the ground and stops them from sliding; moves the ground plane.",
    "scale": "Finds metres per reconstruction unit (alpha) from all evidence together.",
    "final": "Everything together, once more.",
}

STATUS_TEXT: Mapping[SubStageStatus, str] = {
    "waiting": "waiting",
    "running": "running",
    "converged": "converged",
    "capped": "capped",
    "rolled_back": "rolled back",
    "skipped": "skipped",
}

STATUS_MEANING: Mapping[SubStageStatus, str] = {
    "waiting": "Has not begun.",
    "running": "Iterates now.",
    "converged": "Ended by itself: further steps would move joints by less than the tolerance.",
    "capped": "Ended at its iteration cap before it converged; raise the cap to go on.",
    "rolled_back": "Held-out evidence says it made things worse; its changes were undone.",
    "skipped": "Switched off, or outside of the part that was run.",
}


_STOPPED = "The run was stopped here; “Run from” this sub-stage goes on."


@dataclass
class SubStageRow:
    """Live numbers of one sub-stage."""

    sub_stage: SubStage
    status: SubStageStatus = "waiting"
    iterations: int = 0
    seconds: float | None = None
    final_loss: float | None = None
    message: str = ""
    stopped: bool = False
    """The user ended the run in it: it neither converged nor came to its bound."""

    @property
    def text(self) -> str:
        """Its state in a word or two."""
        return "stopped" if self.stopped else STATUS_TEXT[self.status]

    @property
    def meaning(self) -> str:
        """Its state in a sentence."""
        return _STOPPED if self.stopped else STATUS_MEANING[self.status]


def fresh_rows() -> dict[SubStage, SubStageRow]:
    """Seven rows that have not begun."""
    return {s: SubStageRow(s) for s in SUBSTAGES}


class Numbers:
    """Rows and curves of the seven sub-stages, filled while they run."""

    def __init__(self) -> None:
        self.rows = fresh_rows()
        self.curves: dict[SubStage, SubStageCurves] = {}
        self._began: dict[SubStage, float] = {}

    @classmethod
    def of_run(cls, config: RefinementConfig, before: Numbers, first: SubStage | None) -> Numbers:
        """Numbers of a run that begins: what it skips is said, what was done before stays."""
        made = cls()
        for sub_stage in SUBSTAGES:
            if not is_enabled(config, sub_stage):
                made.rows[sub_stage].status = "skipped"
        for sub_stage in SUBSTAGES[: SUBSTAGES.index(first)] if first else ():
            if before.rows[sub_stage].status != "waiting":
                made.rows[sub_stage] = replace(before.rows[sub_stage])
                if sub_stage in before.curves:
                    made.curves[sub_stage] = before.curves[sub_stage]
        return made

    def note(self, record: LossRecord) -> None:
        """Take over what one snapshot says."""
        row = self.rows[record.sub_stage]
        if record.event == "end" and record.status == "skipped":
            if row.status == "waiting":
                row.status = "skipped"
            return
        if record.event == "begin":
            self._began[record.sub_stage] = record.seconds
            self.curves[record.sub_stage] = SubStageCurves()
            row.status, row.iterations, row.final_loss = "running", 0, None
        row.iterations = max(row.iterations, record.iteration)
        row.seconds = record.seconds - self._began.get(record.sub_stage, record.seconds)
        row.message = record.message
        curves = self.curves.setdefault(record.sub_stage, SubStageCurves())
        if record.event == "iteration":
            row.status, row.final_loss = "running", record.total_loss
            curves.append(record.iteration, record.total_loss, record.terms)
        elif record.event == "end":
            row.status = record.status
            row.final_loss = None if record.sub_stage == "init" else record.total_loss
            curves.rolled_back = record.status == "rolled_back"

    def take(self, results: Iterable[SubStageResult], *, stopped: bool = False) -> None:
        """Take over what the engine says at the end of a run, and whether the user ended it."""
        for result in results:
            row = self.rows[result.sub_stage]
            row.status, row.iterations = result.status, result.iterations
            row.seconds, row.message = result.seconds, result.message
            if result.sub_stage != "init":
                row.final_loss = result.final_loss
            if result.sub_stage not in self.curves and result.loss_curves:
                # A run that was loaded: its iterations were not watched.
                curves = self.curves[result.sub_stage] = SubStageCurves.of(result.loss_curves)
                curves.rolled_back = result.status == "rolled_back"
        begun = [row for row in self.rows.values() if row.status not in ("waiting", "skipped")]
        if stopped and begun and begun[-1].status == "capped":
            begun[-1].stopped = True

    def results(self) -> tuple[SubStageResult, ...]:
        """How the sub-stages that ended so far ended, as the engine would say it."""
        found = []
        for sub_stage in SUBSTAGES:
            row = self.rows[sub_stage]
            if row.status in ("waiting", "running"):
                continue
            curves = self.curves.get(sub_stage)
            losses = (
                {n: tuple(c.values.tolist()) for n, c in curves.curves.items()} if curves else {}
            )
            found.append(
                SubStageResult(
                    *(sub_stage, row.status, row.iterations, row.seconds or 0.0, row.final_loss),
                    *(losses, row.message),
                )
            )
        return tuple(found)

    def close(self, *, finished: bool) -> None:
        """The run is over: nothing is running any more."""
        for row in self.rows.values():
            if row.status == "running":
                row.status = "capped" if finished else "waiting"

    def progress(self, config: RefinementConfig) -> tuple[float, float | None]:
        """Fraction done in [0, 1], and a guess of the seconds left (None: too early)."""
        done = total = 0.0
        for sub_stage in SUBSTAGES[1:]:
            if not is_enabled(config, sub_stage):
                continue
            cap = float(iteration_cap(config, sub_stage) or 0)
            row = self.rows[sub_stage]
            total += cap
            done += min(row.iterations, cap) if row.status in ("waiting", "running") else cap
        seconds = sum(row.seconds or 0.0 for row in self.rows.values())
        fraction = done / total if total else 0.0
        left = seconds / fraction * (1 - fraction) if fraction > 0.02 else None
        return fraction, left


@dataclass
class RunRecord:
    """One run of the history."""

    number: int
    label: str
    started: str
    """Wall-clock time of the start, "14:05:09"."""
    config: RefinementConfig
    initial_state: OptimizationState
    start_state: OptimizationState
    """Where it began: the initial state, or an earlier result."""
    numbers: Numbers = field(default_factory=Numbers)
    status: Literal["running", "finished", "stopped", "cancelled", "failed"] = "running"
    final_state: OptimizationState | None = None
    output: RefinementOutput | None = None
    scale: ScaleReport | None = None
    heights: Mapping[int, float] = field(default_factory=dict)
    metrics: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Name to (before, after), where the engine computed them."""
    people: Mapping[int, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    """The same of each person alone."""
    seconds: float = 0.0
    from_file: bool = False
    """Read from where it was written: nothing is lost with this session."""

    @property
    def rows(self) -> dict[SubStage, SubStageRow]:
        """Numbers of its sub-stages."""
        return self.numbers.rows

    @property
    def total_loss(self) -> float | None:
        """Final loss of the last sub-stage that ran."""
        for sub_stage in reversed(SUBSTAGES):
            loss = self.rows[sub_stage].final_loss
            if loss is not None and sub_stage != "init":
                return loss
        return None


def differences(before: RefinementConfig, after: RefinementConfig) -> list[str]:
    """Settings that differ, as "key: old -> new"."""
    old, new = before.to_dict(), after.to_dict()
    return [f"{k}: {_short(old[k])} → {_short(new[k])}" for k in old if old[k] != new[k]]


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def is_enabled(config: RefinementConfig, sub_stage: SubStage) -> bool:
    """Whether a sub-stage is switched on (``init`` always is)."""
    return sub_stage == "init" or bool(getattr(config, ENABLE_KEYS[sub_stage]))


def iteration_cap(config: RefinementConfig, sub_stage: SubStage) -> int | None:
    """Upper bound on a sub-stage's iterations; None for ``init``."""
    return None if sub_stage == "init" else int(getattr(config, ITERATION_KEYS[sub_stage]))


def prior_windows(config: RefinementConfig, frames: int) -> int:
    """How many windows of time the motion prior goes through in a clip; its cap holds for each."""
    if frames == 0:
        return 1
    lengths = window_lengths(
        config.motion_prior_chunk_size,
        config.humor_horizon_max,
        frames,
        rolled_out=config.motion_prior_mode == "rollout",
    )
    return len(lengths)


def only_between(
    config: RefinementConfig, first: SubStage | None, last: SubStage | None
) -> RefinementConfig:
    """The configuration with every sub-stage before ``first`` or after ``last`` switched off."""
    low = SUBSTAGES.index(first) if first else 0
    high = SUBSTAGES.index(last) if last else len(SUBSTAGES)
    off = {
        ENABLE_KEYS[s]: False
        for i, s in enumerate(SUBSTAGES)
        if s != "init" and not low <= i <= high
    }
    return config.replace(**off)
