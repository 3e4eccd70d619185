"""The seven sub-stages: what runs, how far it came, and the switch and cap of each."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QResizeEvent
from PyQt6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from app.actions import ActionRegistry
from app.panels.dock import (
    ScrollPanel,
    label,
    loss_text,
    number_label,
    restyle,
    row_height,
    scaled,
)
from app.runs import (
    EXPLANATIONS,
    NUMBERS,
    STATUS_MEANING,
    STATUS_TEXT,
    TITLES,
    SubStageRow,
    is_enabled,
    iteration_cap,
)
from app.session import Session
from refine_engine.config import ENABLE_KEYS, ITERATION_KEYS, RefinementConfig
from refine_engine.state import SUBSTAGES, SubStage

_HEAD = 13
"""Height of the columns' names."""
_NARROW, _WITH_LOSS, _WITH_SECONDS = 305, 348, 388
"""Widths of a row in pixels: the least, and those from which more columns are shown."""


class SubStageRowWidget(QFrame):
    """One row: switch, name, iterations of cap, seconds, loss, state; a bar shows progress."""

    menu_wanted = pyqtSignal(str, QPoint)

    def __init__(self, sub_stage: SubStage, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._sub_stage = sub_stage
        self._session = session
        self._fraction = 0.0
        self._accent = "#19b5a6"
        self.setProperty("role", "row")
        title = TITLES[sub_stage]
        row = QHBoxLayout(self)
        row.setContentsMargins(5, 0, 4, 0)
        row.setSpacing(5)
        self.check = QCheckBox(f"{title}", self)
        self.check.setObjectName(f"enable_{sub_stage}")
        self.check.setAccessibleName(f"{NUMBERS[sub_stage]} {title}")
        self.check.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.check.setEnabled(sub_stage != "init")
        self.check.setChecked(True)
        number = label(NUMBERS[sub_stage], "quiet-number")
        self.iterations = number_label("000", "quiet-number")
        self.cap = QSpinBox(self)
        self.cap.setObjectName(f"cap_{sub_stage}")
        self.cap.setRange(0, 100_000)
        self.cap.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.cap.setKeyboardTracking(False)
        self.cap.setAccessibleName(f"Iteration cap of {title}")
        self.seconds = number_label("00.0s", "quiet-number")
        self.loss = number_label("1.2e-5", "quiet-number")
        self.state = label("waiting", "pill")
        self.state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        for widget in (number, self.check, self.iterations, self.cap, self.seconds, self.loss):
            row.addWidget(widget)
        row.addWidget(self.state, 0, Qt.AlignmentFlag.AlignVCenter)
        if sub_stage == "init":
            self.cap.setVisible(False)
            self.iterations.setVisible(False)
        else:
            self.cap.setToolTip(
                f"{RefinementConfig.describe(ITERATION_KEYS[sub_stage])} "
                "It may end earlier, when it has converged."
            )
            self.check.clicked.connect(self._on_checked)
            self.cap.valueChanged.connect(self._on_cap)
        self.iterations.setToolTip(
            "Iterations done, over all its window lengths; the field beside bounds each of them"
            if sub_stage == "motion"
            else "Iterations done; the field beside it is their upper bound"
        )
        self.seconds.setToolTip("Seconds that the sub-stage took, pauses not counted")
        self.loss.setToolTip("Total weighted loss at its last accepted iteration (no unit)")
        self.setToolTip(EXPLANATIONS[sub_stage])
        self.fit_text(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(
            lambda at: self.menu_wanted.emit(sub_stage, self.mapToGlobal(at))
        )

    def fit_text(self, compact: bool) -> None:
        """Sizes for the text size in use."""
        self.setFixedHeight(row_height(compact))
        self.cap.setFixedSize(scaled(38), row_height(compact) - 3)
        self.state.setFixedSize(scaled(70), scaled(20))
        self.updateGeometry()
        self._fit_columns()

    def minimumSizeHint(self) -> QSize:
        """Without the columns that give way in a narrow dock."""
        return QSize(scaled(_NARROW), self.height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Leave out seconds, then the loss, where there is no room: tool tips have them."""
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        self.seconds.setVisible(self.width() >= scaled(_WITH_SECONDS))
        self.loss.setVisible(self.width() >= scaled(_WITH_LOSS))

    def _on_checked(self, checked: bool) -> None:
        self._session.change(ENABLE_KEYS[self._sub_stage], checked)

    def _on_cap(self, value: int) -> None:
        self._session.change(ITERATION_KEYS[self._sub_stage], value, merge=True)

    def show_config(self, config: RefinementConfig) -> None:
        """Switch and cap as the settings say."""
        cap = iteration_cap(config, self._sub_stage)
        for widget in (self.check, self.cap):
            widget.blockSignals(True)
        self.check.setChecked(is_enabled(config, self._sub_stage))
        if cap is not None:
            self.cap.setValue(cap)
        for widget in (self.check, self.cap):
            widget.blockSignals(False)

    def show_row(self, row: SubStageRow, cap: int | None, held: bool) -> None:
        """Numbers and state; ``held`` = the run is paused."""
        begun = row.status not in ("waiting", "skipped")
        self.iterations.setText(str(row.iterations) if begun and self._sub_stage != "init" else "")
        self.seconds.setText(
            _seconds_text(row.seconds) if begun and row.seconds is not None else ""
        )
        self.loss.setText(loss_text(row.final_loss) if begun else "")
        if begun and self._sub_stage != "init":
            took = f"{row.seconds:.1f} s" if row.seconds is not None else "no time yet"
            loss = loss_text(row.final_loss) or "none yet"
            done = f"{row.iterations} iterations, {took}, loss {loss}"
            self.setToolTip(f"{EXPLANATIONS[self._sub_stage]}<br>{done}.")
        else:
            self.setToolTip(EXPLANATIONS[self._sub_stage])
        held = held and row.status == "running"
        self.state.setText("paused" if held else STATUS_TEXT[row.status])
        meaning = "Holds before its next iteration." if held else STATUS_MEANING[row.status]
        self.state.setToolTip(f"{meaning} {row.message}".strip())
        restyle(self.state, state=row.status)
        restyle(self, active="true" if row.status == "running" else "false")
        fraction = row.iterations / cap if cap and row.status == "running" else 0.0
        if fraction != self._fraction:
            self._fraction = fraction
            self.update()

    def set_accent(self, colour: str) -> None:
        """Colour of the progress bar under the running row."""
        self._accent = colour
        self.update()

    def paintEvent(self, event) -> None:
        """The row, with a thin bar below while it runs."""
        super().paintEvent(event)
        if self._fraction > 0:
            painter = QPainter(self)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._accent))
            width = (self.width() - 12) * min(self._fraction, 1.0)
            painter.drawRoundedRect(QRectF(6, self.height() - 3, width, 2), 1, 1)


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
        painter = QPainter(self)
        font = self.font()
        font.setPixelSize(scaled(10))
        painter.setFont(font)
        painter.setPen(QColor(self._colour))
        bottom = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
        for column, name in (
            (row.iterations, "done"),
            (row.cap, "at most"),
            (row.seconds, "time"),
            (row.loss, "loss"),
        ):
            if not column.isHidden():
                right = column.geometry().right()
                painter.drawText(QRectF(right - 80, 0, 80, self.height()), bottom, name)


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


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
        session.rows_changed.connect(self._show_rows)
        session.activity_changed.connect(self._show_rows)
        self._show_config()
        self._show_rows()

    def _show_config(self) -> None:
        for row in self.rows.values():
            row.show_config(self._session.config)

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
            row.set_accent(theme.accent)
        self.head.set_colour(theme.quiet)
        self.set_compact(self.full_height() > self.height() > 1)

    def full_height(self) -> int:
        """Of the seven rows and the words above them."""
        return len(self.rows) * row_height(False) + scaled(_HEAD) + 6

    def set_compact(self, compact: bool) -> None:
        """Low rows, without the words above their columns."""
        super().set_compact(compact)
        self.head.setVisible(not compact)
        self.head.setFixedHeight(scaled(_HEAD))
        for row in self.rows.values():
            row.fit_text(compact)
