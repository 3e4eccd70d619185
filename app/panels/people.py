"""Who is there: colour, visibility, coverage, height, likelihood."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QMouseEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from app.actions import icon
from app.panels.dock import ScrollPanel, label, number_label, restyle, row_height, scaled
from app.session import Session
from app.theme import DARK, Theme

_SHOWN = ("jitter,", "foot sliding", "penetration", "contacts above", "WA-MPJPE100, SE")
"""Metrics that fit here; the Runs panel has all of them."""

_FEW = 3
"""People of whom one wants to see all rows."""

_TRUE_JITTER = "jitter of the truth"


class PersonRow(QFrame):
    """One person; a click selects, the eye hides."""

    chosen = pyqtSignal(int)
    eye_clicked = pyqtSignal(int)

    def __init__(self, person_id: int, colour: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.person_id = person_id
        self.setObjectName(f"person_{person_id}")
        self.setProperty("role", "row")
        self.setFixedHeight(row_height(False))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"Person {person_id}")
        row = QHBoxLayout(self)
        row.setContentsMargins(5, 0, 4, 0)
        row.setSpacing(8)
        self.swatch = QWidget(self)
        self.swatch.setFixedSize(11, 11)
        self.swatch.setStyleSheet(f"background: {colour}; border-radius: 3px;")
        self.name = label(f"Person {person_id}")
        self.name.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.frames = number_label("0000 / 0000", "quiet-number")
        self.height_ = number_label("1.75 m", "quiet-number")
        self.likelihood = number_label("0.00", "quiet-number")
        self.eye = QToolButton(self)
        self.frames.setToolTip("Frames with a measurement, of all frames of the clip")
        self.height_.setToolTip("Standing height in metres, from the shape coefficients")
        self.likelihood.setToolTip(
            "Likelihood of the refined motion under the motion prior, (0, 1]; after a run"
        )
        for widget in (self.swatch, self.name, self.frames, self.height_, self.likelihood):
            row.addWidget(widget)
        row.addWidget(self.eye)
        self.eye.clicked.connect(lambda: self.eye_clicked.emit(person_id))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Select."""
        self.chosen.emit(self.person_id)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter or Space selects."""
        if event is not None and event.key() in (
            Qt.Key.Key_Return,
            Qt.Key.Key_Enter,
            Qt.Key.Key_Space,
        ):
            self.chosen.emit(self.person_id)
            return
        super().keyPressEvent(event)


class PeoplePanel(ScrollPanel):
    """A row a person, in the order of ids."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._theme: Theme = DARK
        self.rows: dict[int, PersonRow] = {}
        self.empty = label("Nobody yet: open a results folder.", "quiet")
        self.numbers = label("", "small")
        self.numbers.setContentsMargins(6, 8, 6, 0)
        self.numbers.setWordWrap(True)
        self.numbers.setTextFormat(Qt.TextFormat.RichText)
        self.numbers.setToolTip(
            "Before and after the shown run: of the selected person, else of everybody.<br>"
            "The Runs panel has all metrics."
        )
        self.column.addWidget(self.empty)
        self.column.addWidget(self.numbers)
        self.column.addStretch(1)
        session.scene_changed.connect(self._rebuild)
        session.selection_changed.connect(self._show)
        session.people_changed.connect(self._show)
        session.runs_changed.connect(self._show)
        self._show()

    def _rebuild(self) -> None:
        for row in self.rows.values():
            self.column.removeWidget(row)
            row.setParent(None)
            row.deleteLater()
        self.rows = {}
        for position, person_id in enumerate(self._session.person_ids):
            row = PersonRow(person_id, self._session.colour(person_id), self.content)
            row.chosen.connect(self._on_chosen)
            row.eye_clicked.connect(self._on_eye)
            self.column.insertWidget(position, row)
            self.rows[person_id] = row
        # New widgets would be last in the window's order of Tab.
        before: QWidget = self
        for row in self.rows.values():
            for widget in (row, row.eye):
                QWidget.setTabOrder(before, widget)
                before = widget
        self.set_theme(self._theme)
        self._show()
        self.updateGeometry()

    def _on_chosen(self, person_id: int) -> None:
        already = self._session.selection == person_id
        self._session.select(None if already else person_id)

    def _on_eye(self, person_id: int) -> None:
        self._session.set_visible(person_id, person_id in self._session.hidden)

    def _show(self, _selection: object = None) -> None:
        session = self._session
        self.empty.setVisible(not self.rows)
        record = session.run_record(session.shown_run) if session.shown_run else None
        output = record.output if record else None
        for person_id, row in self.rows.items():
            person = session.scene.people[person_id] if session.scene else None
            if person is None or session.scene is None:
                continue
            observed = int(person.observed.sum())
            row.frames.setText(f"{observed} / {session.scene.num_frames}")
            height = session.heights.get(person_id)
            row.height_.setText(f"{height:.2f} m" if height is not None else "")
            found = output.per_person_likelihoods.get(person_id) if output else None
            row.likelihood.setText(f"{found:.2f}" if found is not None else "")
            restyle(row, active="true" if session.selection == person_id else "false")
            visible = person_id not in session.hidden
            row.eye.setIcon(icon("eye" if visible else "eye-off", self._theme, self._theme.quiet))
            what = "Hide" if visible else "Show"
            row.eye.setToolTip(f"{what} person {person_id}")
            row.eye.setAccessibleName(f"{what} person {person_id}")
        self._show_numbers()

    def _show_numbers(self) -> None:
        """Before and after of the selected person, else of everybody, where it was computed."""
        session, theme = self._session, self._theme
        record = session.run_record(session.shown_run) if session.shown_run else None
        chosen = session.selection
        metrics = record.metrics if record else {}
        who = "all people"
        if record is not None and chosen is not None and chosen in record.people:
            metrics, who = record.people[chosen], f"person {chosen}"
        if not metrics:
            self.numbers.setVisible(False)
            return
        truth = next((v[0] for n, v in metrics.items() if n.startswith(_TRUE_JITTER)), None)
        lines = []
        for name, (before, after) in metrics.items():
            if not name.startswith(_SHOWN):
                continue
            if name.startswith("jitter") and truth is not None:
                name = f"{name} (truth {truth:.3g})"
            change = f"{(after - before) / before:+.0%}" if before else ""
            lines.append(
                f"<tr><td>{name}</td><td align='right'>{before:.3g}</td>"
                f"<td align='center'>&nbsp;→&nbsp;</td>"
                f"<td align='right' style='color:{theme.text}'>{after:.3g}</td>"
                f"<td align='right'>&nbsp;&nbsp;{change}</td></tr>"
            )
        head = f"<tr><td>{who}</td><td align='right'>before</td><td></td>"
        head += "<td align='right'>after</td><td></td></tr>"
        self.numbers.setText(f"<table width='100%'>{head}{''.join(lines)}</table>")
        self.numbers.setVisible(True)
        self.fit_rows()

    def set_theme(self, theme: Theme) -> None:
        """Icons in the theme's colours."""
        self._theme = theme
        for row in self.rows.values():
            row.eye.setFixedSize(scaled(22), scaled(22))
            row.eye.setIconSize(QSize(scaled(15), scaled(15)))
        self._show()
        self.set_compact(self.full_height() > self.height() > 1)

    def full_height(self) -> int:
        """Of the rows and the numbers below them."""
        numbers = 0 if self.numbers.isHidden() else self.numbers.sizeHint().height()
        return len(self.rows) * row_height(False) + numbers + 6

    def low_height(self) -> int:
        """Of a few rows: the others, and the numbers, can be scrolled to."""
        return max(min(len(self.rows), _FEW), 1) * row_height(True) + 6

    def set_compact(self, compact: bool) -> None:
        """Low rows."""
        super().set_compact(compact)
        for row in self.rows.values():
            row.setFixedHeight(row_height(compact))
