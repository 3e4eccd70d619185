"""Preferences."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.settings import Preferences
from app.theme import THEME_NAMES


class PreferencesDialog(QDialog):
    """Edits a copy; ``preferences`` holds the result after OK."""

    def __init__(self, preferences: Preferences, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Preferences")
        self.setMinimumWidth(560)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        form = QFormLayout()
        form.setVerticalSpacing(9)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        column.addLayout(form)
        self.theme = QComboBox(self)
        self.theme.addItems([name.capitalize() for name in THEME_NAMES])
        self.theme.setCurrentIndex(
            next((i for i, n in enumerate(THEME_NAMES) if n == preferences.theme), 0)
        )
        self.text_size = self._spin(preferences.font_px, 10, 24, " px")
        self.autosave = self._spin(preferences.autosave_seconds, 0, 3600, " s")
        self.autosave.setSpecialValueText("never")
        self.body = QLineEdit(preferences.body_folder, self)
        self.body.setPlaceholderText("the free body that ships with the program")
        choose = QPushButton("Choose…", self)
        choose.clicked.connect(self._choose_body)
        row = QHBoxLayout()
        row.addWidget(self.body, 1)
        row.addWidget(choose)
        self.confirm = QCheckBox("Ask before an export replaces files", self)
        self.confirm.setChecked(preferences.confirm_overwrite)
        self.last = QCheckBox("Open the last folder at the start", self)
        self.last.setChecked(preferences.open_last)
        form.addRow("&Theme", self.theme)
        form.addRow("Text &size", self.text_size)
        form.addRow("&Keep a copy of the session every", self.autosave)
        form.addRow("Folder of your SMPL files", row)
        form.addRow("", self.confirm)
        form.addRow("", self.last)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok
            | QDialogButtonBox.StandardButton.Cancel
            | QDialogButtonBox.StandardButton.RestoreDefaults,
            parent=self,
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        restore = buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults)
        if restore is not None:
            restore.clicked.connect(self._restore)
        column.addWidget(buttons)

    def _spin(self, value: int, low: int, high: int, unit: str) -> QSpinBox:
        spin = QSpinBox(self)
        spin.setRange(low, high)
        spin.setSuffix(unit)
        spin.setValue(value)
        return spin

    def _choose_body(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of your SMPL files")
        if folder:
            self.body.setText(str(Path(folder)))

    def _restore(self) -> None:
        default = Preferences()
        self.theme.setCurrentIndex(0)
        self.text_size.setValue(default.font_px)
        self.autosave.setValue(default.autosave_seconds)
        self.body.setText(default.body_folder)
        self.confirm.setChecked(default.confirm_overwrite)
        self.last.setChecked(default.open_last)

    @property
    def preferences(self) -> Preferences:
        """What the dialog shows now."""
        return Preferences(
            theme=THEME_NAMES[self.theme.currentIndex()],
            font_px=self.text_size.value(),
            autosave_seconds=self.autosave.value(),
            body_folder=self.body.text().strip(),
            confirm_overwrite=self.confirm.isChecked(),
            open_last=self.last.isChecked(),
        )
