"""What the sample scene shall be, and where it is written."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtWidgets import (
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
    QVBoxLayout,
    QWidget,
)

LEVELS = ("published", "easy", "hard")
CAMERAS = ("handheld", "static", "pan", "orbit", "follow")


class SampleDialog(QDialog):
    """People, frames, errors, camera, folder."""

    def __init__(self, folder: Path, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("New sample scene")
        self.setMinimumWidth(560)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        text = QLabel("A results folder with known ground truth, to try things on.", self)
        text.setProperty("role", "quiet")
        text.setWordWrap(True)
        column.addWidget(text)
        form = QFormLayout()
        form.setVerticalSpacing(9)
        column.addLayout(form)
        self.people = self._spin(3, 1, 10)
        self.frames = self._spin(100, 10, 2000)
        self.seed = self._spin(0, 0, 1_000_000)
        self.level = QComboBox(self)
        self.level.addItems(LEVELS)
        self.camera = QComboBox(self)
        self.camera.addItems(CAMERAS)
        self.folder = QLineEdit(str(folder), self)
        choose = QPushButton("Choose…", self)
        choose.clicked.connect(self._choose)
        for widget, tip in (
            (self.people, "How many people walk about, 1 to 10"),
            (self.frames, "Length of the clip in frames, at 30 frames a second"),
            (self.seed, "Another number, another scene; the same number, the same scene"),
            (
                self.level,
                "How large the errors are that refinement is to undo: as published for such"
                " pipelines, smaller, or larger",
            ),
            (
                self.camera,
                "How the camera moves; from a static one the scale cannot be found by motion",
            ),
            (self.folder, "A new folder, or one whose files may be replaced"),
        ):
            widget.setToolTip(tip)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.folder, 1)
        row.addWidget(choose)
        form.addRow("&People", self.people)
        form.addRow("&Frames (30 a second)", self.frames)
        form.addRow("Size of &errors", self.level)
        form.addRow("&Camera", self.camera)
        form.addRow("&Seed", self.seed)
        place = QLabel("F&older", self)
        place.setBuddy(self.folder)
        form.addRow(place, row)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, parent=self
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def _spin(self, value: int, low: int, high: int) -> QSpinBox:
        spin = QSpinBox(self)
        spin.setRange(low, high)
        spin.setValue(value)
        return spin

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of the sample")
        if folder:
            self.folder.setText(folder)
