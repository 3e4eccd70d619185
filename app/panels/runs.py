"""Every run of this session: what was different, what came out, back to it, compare with it."""

from __future__ import annotations

from html import escape

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTextBrowser,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.panels.dock import GUTTER, label, loss_text, scaled
from app.runs import RunRecord, differences
from app.session import Session
from app.theme import Theme
from app.wording import in_window_words
from refine_engine.config import RefinementConfig

_LOW = 760
"""Height of a window in which every panel has to spare, for text of the usual size."""
_COLUMNS = ("Run", "Part", "Loss", "α", "Time", "Result")


class RunsPanel(QWidget):
    """A table of runs, newest first, and the differences of the chosen one below."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._known: set[int] = set()
        column = QVBoxLayout(self)
        column.setContentsMargins(GUTTER, 0, GUTTER, 8)
        column.setSpacing(6)
        self.empty = label("Each run is kept here, with its settings and its result.", "quiet")
        self.empty.setWordWrap(True)
        column.addWidget(self.empty)
        self.table = QTreeWidget(self)
        self.table.setRootIsDecorated(False)
        self.table.setHeaderLabels(list(_COLUMNS))
        self.table.setAccessibleName("Runs")
        header = self.table.header()
        if header is not None:
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            header.setStretchLastSection(False)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.currentItemChanged.connect(self._show_chosen)
        self.table.itemActivated.connect(lambda item, _: self._return_to(item))
        column.addWidget(self.table, 1)
        self.details = QTextBrowser(self)
        self.details.setAccessibleName("The chosen run")
        self.details.setMinimumHeight(60)
        column.addWidget(self.details, 2)
        row = QHBoxLayout()
        self.back = QPushButton("Return to it", self)
        self.back.setToolTip("Show this run's result and take over its settings (undoable)")
        self.back.clicked.connect(lambda: self._return_to(self.table.currentItem()))
        self.compare = QPushButton("Compare with it", self)
        self.compare.setToolTip("Make this run the grey ghost in the 3-D view, instead of before")
        self.compare.setCheckable(True)
        self.compare.clicked.connect(self._compare)
        row.addWidget(self.back)
        row.addWidget(self.compare)
        row.addStretch(1)
        column.addLayout(row)
        session.runs_changed.connect(self.refresh)
        session.activity_changed.connect(self._show_chosen)
        self.refresh()

    def _chosen(self) -> RunRecord | None:
        item = self.table.currentItem()
        if item is None:
            return None
        return self._session.run_record(int(item.data(0, Qt.ItemDataRole.UserRole)))

    def refresh(self) -> None:
        """Fill the table anew; the chosen row stays chosen."""
        chosen = self._chosen()
        numbers = {record.number for record in self._session.runs}
        newest = max(numbers, default=None)
        # A run that just ended is what one wants to read about.
        wanted = newest if newest not in self._known or chosen is None else chosen.number
        self._known = numbers
        self.table.blockSignals(True)
        self.table.clear()
        for record in reversed(self._session.runs):
            shown = "● " if record.number == self._session.shown_run else ""
            alpha = record.final_state.alpha if record.final_state else None
            item = QTreeWidgetItem(
                [
                    f"{shown}{record.number}",
                    record.label,
                    loss_text(record.total_loss),
                    f"{alpha:.3f}" if alpha is not None else "",
                    f"{record.seconds:.1f} s",
                    record.status,
                ]
            )
            item.setData(0, Qt.ItemDataRole.UserRole, record.number)
            item.setToolTip(1, f"{record.label}, begun {record.started}")
            for at in (2, 3, 4):
                item.setTextAlignment(at, int(Qt.AlignmentFlag.AlignRight))
            self.table.addTopLevelItem(item)
            if record.number == wanted:
                self.table.setCurrentItem(item)
        self.table.blockSignals(False)
        self._fit_table()
        there = bool(self._session.runs)
        self.empty.setVisible(not there)
        self.table.setVisible(there)
        self._show_chosen()

    def _show_chosen(self, *_: object) -> None:
        record = self._chosen()
        usable = record is not None and record.final_state is not None
        self.back.setEnabled(usable and not self._session.busy)
        self.compare.setEnabled(usable)
        self.back.setVisible(bool(self._session.runs))
        self.compare.setVisible(bool(self._session.runs))
        self.details.setVisible(record is not None)
        if record is None:
            return
        self.compare.setChecked(self._session.ghost_run == record.number)
        shown = self._session.run_record(self._session.shown_run or 0)
        other = shown if shown is not None and shown.number != record.number else None
        lines = [_difference("the defaults", RefinementConfig(), record.config)]
        if other is not None:
            lines.append(_difference(f"run {other.number}, shown", other.config, record.config))
        lines += [f"Note: {escape(note)}." for note in notes_of(record)]
        head = "<td align='right'>before</td><td></td><td align='right'>after</td>"
        if other is not None:
            head += f"<td align='right'>&nbsp; run {other.number}</td>"
        rows = [f"<tr><td></td>{head}</tr>"] if record.metrics else []
        for name, (before, after) in record.metrics.items():
            cells = (
                f"<td>{escape(name)}</td><td align='right'>{before:.3g}</td>"
                f"<td align='center' width='24'>→</td><td align='right'>{after:.3g}</td>"
            )
            if other is not None:
                theirs = other.metrics.get(name)
                cells += f"<td align='right'>{f'{theirs[1]:.3g}' if theirs else ''}</td>"
            rows.append(f"<tr>{cells}</tr>")
        text = "".join(f"<p>{line}</p>" for line in lines)
        self.details.setHtml(f"{text}<table width='100%'>{''.join(rows)}</table>")

    def _return_to(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self._session.show_run(int(item.data(0, Qt.ItemDataRole.UserRole)))

    def _compare(self, on: bool) -> None:
        record = self._chosen()
        if record is not None:
            self._session.compare_with(record.number if on else None)

    def set_theme(self, _theme: Theme) -> None:
        """Nothing is painted by hand here; rows are of another height with another text."""
        self._fit_table()

    def _fit_table(self) -> None:
        """Three runs, or one where that would leave no room for the plots above."""
        window = self.window()
        low = window is not None and window.height() < scaled(_LOW)
        self.table.setMinimumHeight(scaled(56) if low else 112)


def notes_of(record: RunRecord) -> list[str]:
    """What the engine wants to be known about a run's result."""
    warnings = record.output.warnings if record.output else ()
    return [in_window_words(warning).rstrip(".") for warning in warnings]


def _difference(than: str, before: RefinementConfig, after: RefinementConfig) -> str:
    changes = differences(before, after)
    what = "; ".join(changes) if changes else "no setting differs"
    return f"Against {than}: {escape(what)}."
