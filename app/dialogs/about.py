"""About: versions, OpenGL renderer, licences."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.errors import system_information

_TEXT = (
    "Watch and refine the SMPL motion of several people in one shared world.<br>"
    "MIT licence. The embedded body is free (CC0); the embedded motion prior was trained on motion "
    "from mocap.cs.cmu.edu, a database created with funding from NSF EIA-0196217."
)


class AboutDialog(QDialog):
    """Versions, and a button that copies them."""

    def __init__(self, gl_renderer: str, body_name: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About SMPL Refiner")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(520)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        title = QLabel("SMPL Refiner", self)
        title.setProperty("role", "title")
        text = QLabel(_TEXT, self)
        text.setWordWrap(True)
        text.setTextFormat(Qt.TextFormat.RichText)
        lines = system_information(gl_renderer)
        if body_name:
            lines += f"\nBody: {body_name}"
        self.information = QPlainTextEdit(lines, self)
        self.information.setReadOnly(True)
        self.information.setMinimumHeight(220)
        self.information.setAccessibleName("System information")
        column.addWidget(title)
        column.addWidget(text)
        column.addWidget(self.information)
        if any(name in gl_renderer.lower() for name in ("llvmpipe", "softpipe", "swiftshader")):
            warning = QLabel("Drawing in software: the 3-D view is slower than it could be.", self)
            warning.setProperty("role", "warn")
            column.addWidget(warning)
        buttons = QDialogButtonBox(self)
        copy = QPushButton("Copy system information", self)
        copy.clicked.connect(self._copy)
        close = QPushButton("Close", self)
        close.setDefault(True)
        close.clicked.connect(self.accept)
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(close, QDialogButtonBox.ButtonRole.AcceptRole)
        column.addWidget(buttons)

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.information.toPlainText())
