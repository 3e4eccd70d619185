"""An error that says what is wrong and what to do, with details to copy."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QFontDatabase
from PyQt6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.errors import ErrorReport


class ErrorDialog(QDialog):
    """Shows one :class:`ErrorReport`; does not block the window's event loop."""

    folder_chosen = pyqtSignal(object)
    """The one of the report's folders that was meant."""

    def __init__(self, failure: ErrorReport, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.failure = failure
        self.setObjectName("error_dialog")
        self.setWindowTitle("SMPL Refiner")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setModal(True)
        self.setMinimumWidth(520)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        title = QLabel(failure.title, self)
        title.setProperty("role", "title")
        title.setWordWrap(True)
        self.message = QLabel(failure.message, self)
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details = QPlainTextEdit(failure.details, self)
        self.details.setReadOnly(True)
        self.details.setVisible(False)
        self.details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.details.setMinimumHeight(180)
        self.details.setAccessibleName("Details")
        buttons = QDialogButtonBox(self)
        copy = QPushButton("Copy report", self)
        copy.clicked.connect(self._copy)
        self.more = QPushButton("Details", self)
        self.more.setCheckable(True)
        self.more.toggled.connect(self._show_details)
        close = QPushButton("Close", self)
        close.setDefault(not failure.choices)
        close.clicked.connect(self.accept)
        buttons.addButton(self.more, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        # A box of buttons shows what is put into it.
        self.more.setVisible(bool(failure.details) and not failure.choices)
        copy.setVisible(not failure.choices)
        role = QDialogButtonBox.ButtonRole
        buttons.addButton(close, role.RejectRole if failure.choices else role.AcceptRole)
        self.choices = QListWidget(self)
        self.choices.setAccessibleName("Results folders to choose from")
        self.choices.setVisible(bool(failure.choices))
        if failure.choices:
            self.choices.addItems([choice.name for choice in failure.choices])
            self.choices.setCurrentRow(0)
            self.choices.itemDoubleClicked.connect(self._open)
            self.open_button = QPushButton("Open it", self)
            self.open_button.clicked.connect(self._open)
            buttons.addButton(self.open_button, QDialogButtonBox.ButtonRole.AcceptRole)
            self.open_button.setDefault(True)
        for widget in (title, self.message, self.choices, self.details, buttons):
            column.addWidget(widget)

    def _open(self, *_: object) -> None:
        chosen = self.failure.choices[self.choices.currentRow()]
        self.accept()
        self.folder_chosen.emit(chosen)

    def _show_details(self, on: bool) -> None:
        self.details.setVisible(on)
        self.adjustSize()

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.failure.text)
