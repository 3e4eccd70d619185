"""The settings of a run that have no place in the panels, made from the configuration itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.setting_names import TITLES, UNITS, ZERO, explained, fields, sections
from refine_engine.config import RefinementConfig
from refine_engine.errors import ConfigError

_HELP = "Point at a field to read what it does."


class ShortNumber(QDoubleSpinBox):
    """A number without zeros at its end."""

    def textFromValue(self, v: float) -> str:
        """As short as it can be said."""
        return f"{v:g}"


@dataclass(frozen=True)
class _Field:
    """One setting's widget."""

    widget: QWidget
    value: Callable[[], Any]
    show: Callable[[Any], None]


class RunSettingsDialog(QDialog):
    """Edits a copy; ``config`` holds the result after OK.

    Parameters
    ----------
    config
        The settings as they are.
    people
        Ids of the people in the open folder; each may be given a standing height.
    """

    def __init__(self, config: RefinementConfig, people: list[int], parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("run_settings_dialog")
        self.setWindowTitle("Run settings")
        self.setMinimumWidth(640)
        self.config = config
        self.fields: dict[str, _Field] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        text = QLabel("For the next run. Sub-stages, caps and weights are set in their panels.")
        text.setProperty("role", "quiet")
        column.addWidget(text)
        self.tabs = QTabWidget(self)
        column.addWidget(self.tabs)
        for title, keys in sections().items():
            form = self._tab(title)
            for key in keys:
                self._add(form, key)
        self.statures: dict[int, QDoubleSpinBox] = {}
        self._add_people(sorted({*people, *config.stature}))
        self.help = QLabel(_HELP, self)
        self.help.setProperty("role", "quiet")
        self.help.setWordWrap(True)
        self.help.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.help.setMinimumHeight(2 * self.help.fontMetrics().lineSpacing())
        self.tabs.currentChanged.connect(lambda _: self.help.setText(_HELP))
        column.addWidget(self.help)
        self.problem = QLabel("", self)
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.setVisible(False)
        column.addWidget(self.problem)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(
            standard.Ok | standard.Cancel | standard.RestoreDefaults, parent=self
        )
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)
        restore = self.buttons.button(standard.RestoreDefaults)
        if restore is not None:
            restore.setToolTip("The defaults of everything in this dialog")
            restore.setAutoDefault(False)
            restore.clicked.connect(lambda: self._show(RefinementConfig()))
        column.addWidget(self.buttons)
        self._show(config)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Say what the field does that one comes to, by keys or with the pointer."""
        if event is not None and event.type() in (QEvent.Type.FocusIn, QEvent.Type.Enter):
            key = watched.objectName() if watched is not None else ""
            if key in self.fields:
                self.help.setText(explained(key))
        return super().eventFilter(watched, event)

    def _tab(self, title: str) -> QFormLayout:
        page = QWidget(self.tabs)
        form = QFormLayout(page)
        form.setContentsMargins(4, 14, 4, 4)
        form.setVerticalSpacing(9)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        self.tabs.addTab(page, title)
        return form

    def _add(self, form: QFormLayout, key: str) -> None:
        made = self._field(key)
        self.fields[key] = made
        title = TITLES.get(key, key)
        tip = f"<b>{key}</b><br>{explained(key)}"
        made.widget.setObjectName(key)
        made.widget.setAccessibleName(title)
        made.widget.setToolTip(tip)
        made.widget.installEventFilter(self)
        if isinstance(made.widget, QCheckBox):
            made.widget.setText(title)
            form.addRow("", made.widget)
            return
        name = QLabel(title, self)
        name.setToolTip(tip)
        name.setBuddy(made.widget)
        if isinstance(made.widget, QLineEdit):
            form.addRow(name, self._with_chooser(made.widget, title))
        else:
            form.addRow(name, made.widget)

    def _field(self, key: str) -> _Field:
        field = fields()[key]
        rules = field.metadata["key"]
        if rules.choices:
            choice = QComboBox(self)
            choice.addItems(list(rules.choices))
            return _Field(choice, choice.currentText, choice.setCurrentText)
        if str(field.type) == "bool":
            check = QCheckBox(self)
            return _Field(check, check.isChecked, check.setChecked)
        if str(field.type).startswith("int"):
            return self._whole(key, rules)
        if str(field.type) == "float":
            number = ShortNumber(self)
            number.setDecimals(6)
            number.setRange(max(rules.low, -1e9), min(rules.high, 1e9))
            number.setSuffix(UNITS.get(key, ""))
            number.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
            return _Field(number, number.value, number.setValue)
        if rules.examples:
            offer = QComboBox(self)
            offer.setEditable(True)
            offer.addItems(list(rules.examples))
            return _Field(offer, lambda: offer.currentText().strip(), offer.setCurrentText)
        line = QLineEdit(self)
        line.setPlaceholderText("none: what comes with the program is used")
        return _Field(line, lambda: line.text().strip(), line.setText)

    def _whole(self, key: str, rules: Any) -> _Field:
        number = QSpinBox(self)
        number.setSuffix(UNITS.get(key, ""))
        low = int(rules.low)
        number.setRange(low - 1 if rules.optional else low, min(int(rules.high), 2**31 - 1))
        if rules.optional:
            # One below the least stands for "no bound".
            number.setSpecialValueText(ZERO.get(key, "all"))
            return _Field(
                number,
                lambda: None if number.value() < low else number.value(),
                lambda value: number.setValue(low - 1 if value is None else value),
            )
        if key in ZERO:
            number.setSpecialValueText(ZERO[key])
        return _Field(number, number.value, number.setValue)

    def _with_chooser(self, line: QLineEdit, title: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(line, 1)
        choose = QPushButton("Choose…", self)
        choose.setAutoDefault(False)
        choose.setAccessibleName(f"Choose {title}")

        def ask() -> None:
            chosen, _ = QFileDialog.getOpenFileName(self, title, line.text())
            if chosen:
                line.setText(chosen)

        choose.clicked.connect(ask)
        row.addWidget(choose)
        return row

    def _add_people(self, people: list[int]) -> None:
        form = self._tab("&Heights")
        text = QLabel(
            "Standing heights that are known override what the pictures say: the surest way to"
            " metres."
            if people
            else "Open a folder first: then a height can be given for each person."
        )
        text.setProperty("role", "quiet")
        text.setWordWrap(True)
        form.addRow(text)
        for person in people:
            height = QDoubleSpinBox(self)
            height.setRange(0.39, 2.6)
            height.setDecimals(2)
            height.setSingleStep(0.01)
            height.setSuffix(" m")
            height.setSpecialValueText("not known")
            height.setObjectName(f"stature_{person}")
            height.setAccessibleName(f"Standing height of person {person}")
            height.setToolTip("Standing height in metres, without shoes")
            self.statures[person] = height
            form.addRow(f"Person {person}", height)

    def _show(self, config: RefinementConfig) -> None:
        for key, field in self.fields.items():
            field.show(getattr(config, key))
        for person, height in self.statures.items():
            height.setValue(config.stature.get(person, height.minimum()))

    def _take(self) -> None:
        changes = {key: field.value() for key, field in self.fields.items()}
        changes["stature"] = {
            person: round(height.value(), 3)
            for person, height in self.statures.items()
            if height.value() > height.minimum()
        }
        try:
            self.config = self.config.replace(**changes)
        except ConfigError as error:
            self.problem.setText(str(error))
            self.problem.setVisible(True)
            return
        self.accept()
