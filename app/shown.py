"""What is open and shown: scene, state, numbers, the history of runs, selection, ghost."""

from __future__ import annotations

from collections.abc import Mapping

from PyQt6.QtCore import QObject, pyqtSignal

from app.edited_config import EditedConfig
from app.engine_worker import OpenedScene
from app.loss_curves import SubStageCurves
from app.playback import Playback
from app.runs import Numbers, RunRecord, SubStageRow
from refine_engine.colours import person_colour
from refine_engine.config import RefinementConfig
from refine_engine.scene import Scene
from refine_engine.state import (
    SUBSTAGES,
    OptimizationState,
    RefinementOutput,
    ScaleReport,
    SubStage,
)


class Shown(EditedConfig):
    """What all views show; nothing here runs the engine.

    Parameters
    ----------
    parent
        Qt owner.
    """

    scene_changed = pyqtSignal()
    state_changed = pyqtSignal()
    """The shown state is another one."""
    ghost_changed = pyqtSignal()
    rows_changed = pyqtSignal()
    """Numbers of the sub-stages moved on."""
    losses_reset = pyqtSignal()
    losses_changed = pyqtSignal()
    scale_changed = pyqtSignal()
    runs_changed = pyqtSignal()
    selection_changed = pyqtSignal(object)
    people_changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.playback = Playback(self)
        self.opened: OpenedScene | None = None
        self.state: OptimizationState | None = None
        self.scale: ScaleReport | None = None
        self.ghost_run: int | None = None
        """Run whose result is the ghost; None = the state before."""
        self.heights: Mapping[int, float] = {}
        self.selection: int | None = None
        self.hidden: set[int] = set()
        self.numbers = Numbers()
        """Rows and curves of the shown run."""
        self.runs: list[RunRecord] = []
        self.shown_run: int | None = None
        self._live_output: RefinementOutput | None = None
        self._number = 0

    # What is open

    @property
    def scene(self) -> Scene | None:
        """The opened scene."""
        return self.opened.scene if self.opened else None

    @property
    def initial_state(self) -> OptimizationState | None:
        """What the input says: the state before any refinement."""
        return self.opened.state if self.opened else None

    @property
    def ghost_state(self) -> OptimizationState | None:
        """What is compared with: another run's result, else the state before."""
        if self.ghost_run is not None:
            record = self.run_record(self.ghost_run)
            if record is not None and record.final_state is not None:
                return record.final_state
        return self.initial_state

    @property
    def shown_output(self) -> RefinementOutput | None:
        """What the engine returned for the shown state; None where it is not a result."""
        if self._live_output is not None:
            return self._live_output
        record = self.run_record(self.shown_run) if self.shown_run is not None else None
        return record.output if record else None

    @property
    def shown_config(self) -> RefinementConfig:
        """Settings that led to the shown state."""
        if self._live_output is not None:
            return self.config
        record = self.run_record(self.shown_run) if self.shown_run is not None else None
        return record.config if record else self.config

    @property
    def rows(self) -> dict[SubStage, SubStageRow]:
        """Numbers of the seven sub-stages."""
        return self.numbers.rows

    @property
    def curves(self) -> dict[SubStage, SubStageCurves]:
        """Losses of the sub-stages that ran."""
        return self.numbers.curves

    @property
    def person_ids(self) -> list[int]:
        """Ids of all people, in order."""
        return sorted(self.scene.people) if self.scene else []

    def colour(self, person_id: int) -> str:
        """A person's colour, ``#rrggbb``, the same everywhere."""
        return person_colour(self.person_ids.index(person_id))

    def running_sub_stage(self) -> SubStage | None:
        """The sub-stage that iterates now."""
        running = [s for s in SUBSTAGES if self.rows[s].status == "running"]
        return running[-1] if running else None

    def show_scene(self, opened: OpenedScene) -> None:
        """Another scene: nothing of the one before stays."""
        self.opened = opened
        self.state = opened.state
        self.heights = opened.heights
        self.runs, self.shown_run, self.ghost_run = [], None, None
        self.selection, self.hidden, self.scale = None, set(), None
        self._number, self._live_output = 0, None
        self._reset_rows()
        self.playback.set_clip(opened.scene.num_frames, opened.scene.fps)
        self.scene_changed.emit()
        self.ghost_changed.emit()
        self.scale_changed.emit()
        self.runs_changed.emit()

    def show_input(self) -> None:
        """Show the input's state again; the history of runs stays."""
        if self.opened is None:
            return
        self.shown_run, self.scale, self._live_output = None, None, None
        self.heights = self.opened.heights
        self._reset_rows()
        self._show(self.opened.state)
        self.scale_changed.emit()
        self.runs_changed.emit()

    # Runs, selection, people

    def run_record(self, number: int) -> RunRecord | None:
        """A run of the history by its number."""
        return next((r for r in self.runs if r.number == number), None)

    def show_run(self, number: int) -> None:
        """Return to a run: its result, its numbers, its settings (undoable)."""
        record = self.run_record(number)
        if record is None or record.final_state is None:
            return
        self.shown_run, self._live_output = number, None
        self.numbers = record.numbers
        self.scale, self.heights = record.scale, record.heights
        self.set_config(record.config, f"settings of run {number}")
        self._show(record.final_state)
        self.rows_changed.emit()
        self.losses_reset.emit()
        self.scale_changed.emit()
        self.runs_changed.emit()

    def compare_with(self, number: int | None) -> None:
        """Make another run's result the ghost (None: the state before)."""
        self.ghost_run = number
        self.ghost_changed.emit()
        self.runs_changed.emit()

    def select(self, person_id: int | None) -> None:
        """Select a person everywhere."""
        if person_id is not None and person_id not in self.person_ids:
            person_id = None
        if person_id != self.selection:
            self.selection = person_id
            self.selection_changed.emit(person_id)

    def set_visible(self, person_id: int, visible: bool) -> None:
        """Show or hide a person."""
        if visible:
            self.hidden.discard(person_id)
        else:
            self.hidden.add(person_id)
        self.people_changed.emit()

    def restore(
        self,
        runs: list[RunRecord],
        state: OptimizationState,
        config: RefinementConfig,
        frame: int,
        shown_run: int | None,
    ) -> None:
        """Put back what a session file holds, after its folder was opened."""
        self.runs = runs
        self._number = max((r.number for r in runs), default=0)
        self.apply_config(config)
        self.undo.clear()
        self._show(state)
        self.playback.seek(frame)
        record = self.run_record(shown_run) if shown_run is not None else None
        if record is not None:
            self.shown_run, self.numbers = shown_run, record.numbers
            self.scale, self.heights = record.scale, record.heights or self.heights
            self.rows_changed.emit()
            self.losses_reset.emit()
            self.scale_changed.emit()
        self.runs_changed.emit()

    def _show(self, state: OptimizationState) -> None:
        self.state = state
        self.state_changed.emit()

    def _reset_rows(self) -> None:
        self.numbers = Numbers()
        self.rows_changed.emit()
        self.losses_reset.emit()
