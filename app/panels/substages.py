"""The seven sub-stages: what runs, how far it came, and the switch and cap of each."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QMenu, QPushButton, QWidget

from app.actions import ActionRegistry
from app.panels.dock import ScrollPanel, row_height, scaled
from app.panels.substage_row import SubStageRowWidget, paint_names
from app.runs import TITLES, iteration_cap, prior_windows
from app.session import Session
from refine_engine.state import SUBSTAGES, SubStage

_HEAD = 13
"""Height of the columns' names."""


class ColumnNames(QWidget):
    """What the numbers of the rows are, above their columns."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._row: SubStageRowWidget | None = None
        self._colour = "#808080"

    def follow(self, row: SubStageRowWidget) -> None:
        """Stand above this row's columns."""
        self._row = row

    def set_colour(self, colour: str) -> None:
        """Of the words."""
        self._colour = colour
        self.update()

    def paintEvent(self, event) -> None:
        """Each name right-aligned over its column."""
        row = self._row
        if row is None:
            return
        paint_names(self, row, self._colour, Qt.AlignmentFlag.AlignBottom)


class SubStagesPanel(ScrollPanel):
    """Seven rows; a right click on one offers to run to here or from here."""

    def __init__(
        self, session: Session, registry: ActionRegistry, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._registry = registry
        self.part_button = QPushButton("Run a part ▾", self)
        self.part_button.setProperty("role", "link")
        self.part_button.setToolTip(
            "Run up to a sub-stage, from one on, or one alone; also by a right click on its row"
        )
        self.part_button.clicked.connect(self._show_parts)
        self.settings_button = QPushButton("Settings…", self)
        self.settings_button.setProperty("role", "link")
        self.settings_button.setToolTip(
            "Scale, ground, motion prior, known heights and what else a run depends on"
        )
        self.settings_button.clicked.connect(lambda: registry["run.settings"].trigger())
        self.head = ColumnNames(self.content)
        self.column.addWidget(self.head)
        self.rows: dict[SubStage, SubStageRowWidget] = {}
        for sub_stage in SUBSTAGES:
            row = SubStageRowWidget(sub_stage, session, self.content)
            row.menu_wanted.connect(self._show_menu)
            self.rows[sub_stage] = row
            self.column.addWidget(row)
        self.head.follow(self.rows["root"])
        self.column.addStretch(1)
        session.config_changed.connect(self._show_config)
        session.scene_changed.connect(self._show_config)
        session.rows_changed.connect(self._show_rows)
        session.activity_changed.connect(self._show_rows)
        self._show_config()
        self._show_rows()

    def _show_config(self) -> None:
        for row in self.rows.values():
            row.show_config(self._session.config)
        self.rows["motion"].show_windows(self._windows())

    def _windows(self) -> int:
        """How many windows the motion prior goes through in the open folder."""
        state = self._session.initial_state
        frames = [len(p.frames) for p in state.people.values()] if state is not None else []
        return prior_windows(self._session.config, max(frames, default=0))

    def _show_rows(self) -> None:
        for sub_stage, widget in self.rows.items():
            row = self._session.rows[sub_stage]
            cap = iteration_cap(self._session.config, sub_stage)
            widget.show_row(row, cap, self._session.activity == "paused")

    def menu_of(self, sub_stage: SubStage) -> QMenu:
        """The menu of a row's right click."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        if sub_stage == "init":
            only_it = menu.addAction(f"To {TITLES['init']}")
            if only_it is not None:
                only_it.setEnabled(self._session.activity == "ready")
                only_it.triggered.connect(lambda: self._session.run(None, "init"))
            return menu
        for part in ("to", "from", "only"):
            menu.addAction(self._registry[f"run.{part}_{sub_stage}"])
        return menu

    def part_menu(self) -> QMenu:
        """Every part of the seven that can be run, as in the Run menu."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for part in ("to", "from", "only"):
            inner = menu.addMenu(f"Run {part}")
            for sub_stage in SUBSTAGES[1:]:
                if inner is not None:
                    inner.addAction(self._registry[f"run.{part}_{sub_stage}"])
        return menu

    def _show_parts(self) -> None:
        menu = self.part_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.part_button.mapToGlobal(self.part_button.rect().bottomLeft()))

    def _show_menu(self, sub_stage: SubStage, at: QPoint) -> None:
        menu = self.menu_of(sub_stage)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def set_theme(self, theme) -> None:
        """Colours of what is painted by hand."""
        for row in self.rows.values():
            row.set_colours(theme.accent, theme.quiet)
        self.head.set_colour(theme.quiet)
        self.set_compact(self.full_height() > self.height() > 1)

    def full_height(self) -> int:
        """Of the seven rows and the words above them."""
        return len(self.rows) * row_height(False) + scaled(_HEAD) + 6

    def low_height(self) -> int:
        """Of the seven rows alone."""
        return len(self.rows) * row_height(True) + 6

    def set_compact(self, compact: bool) -> None:
        """Low rows; the columns' names then stand in the first row, which has no such columns."""
        super().set_compact(compact)
        self.head.setVisible(not compact)
        self.rows["init"].name_columns(self.rows["root"] if compact else None)
        self.head.setFixedHeight(scaled(_HEAD))
        for row in self.rows.values():
            row.fit_text(compact)
