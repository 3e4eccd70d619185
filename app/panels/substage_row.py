"""One sub-stage's row: its switch, its iterations, time, loss and state; the columns' names."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QPainter, QResizeEvent
from PyQt6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QSizePolicy, QSpinBox, QWidget

from app.panels.dock import label, loss_text, number_label, restyle, row_height, scaled
from app.runs import (
    EXPLANATIONS,
    NUMBERS,
    TITLES,
    SubStageRow,
    is_enabled,
    iteration_cap,
)
from app.session import Session
from refine_engine.config import ENABLE_KEYS, ITERATION_KEYS, RefinementConfig
from refine_engine.state import SubStage

_NARROW, _WITH_LOSS, _WITH_SECONDS = 305, 352, 392
"""Widths of a row in pixels: the least, and those from which more columns are shown."""
_CAP = 42
"""Width of the field of an upper bound."""


class SubStageRowWidget(QFrame):
    """One row: switch, name, iterations of cap, seconds, loss, state; a bar shows progress."""

    menu_wanted = pyqtSignal(str, QPoint)

    def __init__(self, sub_stage: SubStage, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self._sub_stage = sub_stage
        self._session = session
        self._fraction = 0.0
        self._windows = 1
        self._names_of: SubStageRowWidget | None = None
        self._quiet = "#808080"
        self._accent = "#19b5a6"
        self.setProperty("role", "row")
        title = TITLES[sub_stage]
        row = QHBoxLayout(self)
        row.setContentsMargins(5, 0, 4, 0)
        row.setSpacing(4)
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
        self.cap.setProperty("role", "cap")
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
            self.check.clicked.connect(self._on_checked)
            self.cap.valueChanged.connect(self._on_cap)
        self.iterations.setToolTip("Iterations done; the field beside it is their upper bound")
        self.seconds.setToolTip("Seconds that the sub-stage took, pauses not counted")
        self.loss.setToolTip("Total weighted loss at its last accepted iteration (no unit)")
        self.setToolTip(EXPLANATIONS[sub_stage])
        self.show_windows(1)
        self.fit_text(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(
            lambda at: self.menu_wanted.emit(sub_stage, self.mapToGlobal(at))
        )

    def fit_text(self, compact: bool) -> None:
        """Sizes for the text size in use."""
        self.setFixedHeight(row_height(compact))
        self.cap.setFixedSize(scaled(_CAP), row_height(compact) - 3)
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

    def show_windows(self, count: int) -> None:
        """How many windows of time the sub-stage goes through; the bound counts in each of them."""
        if self._sub_stage == "init":
            return
        self._windows = count
        tip = RefinementConfig.describe(ITERATION_KEYS[self._sub_stage])
        if count > 1:
            tip += f" Here there are {count} windows, one after the other."
            self.iterations.setToolTip(
                f"Iterations done, in all {count} windows together; the field beside it bounds each"
            )
        self.cap.setToolTip(f"{tip} It may end earlier, when it has converged.")
        self._show_suffix()

    def _show_suffix(self) -> None:
        times = f"×{self._windows}" if self._windows > 1 else ""
        # As much as there is room for; the tool tip has the number.
        long = len(f"{self.cap.value()}{times}") > 4
        self.cap.setSuffix(times[:1] if long else times)

    def show_config(self, config: RefinementConfig) -> None:
        """Switch and cap as the settings say."""
        cap = iteration_cap(config, self._sub_stage)
        for widget in (self.check, self.cap):
            widget.blockSignals(True)
        self.check.setChecked(is_enabled(config, self._sub_stage))
        if cap is not None:
            self.cap.setValue(cap)
            self._show_suffix()
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
        self.state.setText("paused" if held else row.text)
        meaning = "Holds before its next iteration." if held else row.meaning
        self.state.setToolTip(f"{meaning} {row.message}".strip())
        restyle(self.state, state=row.status)
        restyle(self, active="true" if row.status == "running" else "false")
        most = (cap or 0) * self._windows
        fraction = row.iterations / most if most and row.status == "running" else 0.0
        if fraction != self._fraction:
            self._fraction = fraction
            self.update()

    def set_colours(self, accent: str, quiet: str) -> None:
        """Of the progress bar under the running row, and of the columns' names."""
        self._accent, self._quiet = accent, quiet
        self.update()

    def name_columns(self, of: SubStageRowWidget | None) -> None:
        """Write the names of another row's columns, where this one has none; None = not here."""
        self._names_of = of
        self.update()

    def paintEvent(self, event) -> None:
        """The row, with a thin bar below while it runs."""
        super().paintEvent(event)
        if self._names_of is not None:
            middle = Qt.AlignmentFlag.AlignVCenter
            paint_names(self, self._names_of, self._quiet, middle, but="time")
        if self._fraction > 0:
            painter = QPainter(self)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._accent))
            width = (self.width() - 12) * min(self._fraction, 1.0)
            painter.drawRoundedRect(QRectF(6, self.height() - 3, width, 2), 1, 1)


def paint_names(
    on: QWidget, row: SubStageRowWidget, colour: str, at: Qt.AlignmentFlag, but: str = ""
) -> None:
    """Write the names of a row's columns on another widget of the same width."""
    painter = QPainter(on)
    font = on.font()
    font.setPixelSize(scaled(10))
    painter.setFont(font)
    painter.setPen(QColor(colour))
    for column, name in (
        (row.iterations, "done"),
        (row.cap, "at most"),
        (row.seconds, "time"),
        (row.loss, "loss"),
    ):
        if not column.isHidden() and name != but:
            right, wide = column.geometry().right(), scaled(80)
            place = QRectF(right - wide, 0, wide, on.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignRight | at, name)


def _seconds_text(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
