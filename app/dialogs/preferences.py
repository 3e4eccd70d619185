"""Preferences: how the program looks and behaves, and its shortcuts."""

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
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.actions import ActionRegistry
from app.dialogs.shortcuts import ShortcutEditor
from app.settings import Preferences
from app.shortcuts import Shortcuts
from app.theme import THEME_NAMES


class PreferencesDialog(QDialog):
    """Edits copies; ``preferences`` and ``shortcuts.table`` hold the result after OK."""

    def __init__(
        self,
        preferences: Preferences,
        registry: ActionRegistry,
        shortcuts: Shortcuts,
        parent: QWidget | None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("preferences_dialog")
        self.setWindowTitle("Preferences")
        self.setMinimumWidth(680)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(12)
        self.tabs = QTabWidget(self)
        column.addWidget(self.tabs)
        general = QWidget(self.tabs)
        form = QFormLayout(general)
        form.setContentsMargins(4, 14, 4, 4)
        form.setVerticalSpacing(9)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        self.tabs.addTab(general, "&General")
        self.shortcuts = ShortcutEditor(registry, shortcuts, self.tabs)
        self.tabs.addTab(self.shortcuts, "&Shortcuts")
        self.theme = QComboBox(self)
        self.theme.addItems([name.capitalize() for name in THEME_NAMES])
        self.theme.setCurrentIndex(
            next((i for i, n in enumerate(THEME_NAMES) if n == preferences.theme), 0)
        )
        self.text_size = self._spin(preferences.font_px, 10, 24, " px")
        self.autosave = self._spin(preferences.autosave_seconds, 0, 3600, " s")
        self.autosave.setSpecialValueText("never")
        self.body = QLineEdit(preferences.body_folder, self)
        self.body.setPlaceholderText("none: the free body is used")
        choose = QPushButton("Choose…", self)
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose_body)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.body, 1)
        row.addWidget(choose)
        self.confirm = QCheckBox("Ask before an export replaces files", self)
        self.confirm.setChecked(preferences.confirm_overwrite)
        self.last = QCheckBox("Open the last folder at the start", self)
        self.last.setChecked(preferences.open_last)
        form.addRow("&Theme", self.theme)
        form.addRow("Te&xt size", self.text_size)
        form.addRow("&Keep a copy of the session every", self.autosave)
        files = QLabel("Folder of your SMPL &files", self)
        files.setBuddy(self.body)
        form.addRow(files, row)
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
            restore.setToolTip("The defaults of the tab that is shown")
            restore.clicked.connect(self._restore)
            restore.setAutoDefault(False)
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

    def show_tab(self, name: str) -> None:
        """Show "general" or "shortcuts"."""
        self.tabs.setCurrentIndex(1 if name == "shortcuts" else 0)

    def _restore(self) -> None:
        if self.tabs.currentIndex() == 1:
            self.shortcuts.restore()
            return
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
