"""Opening a folder that does not say everything: its frame rate, video, keypoints, upward axis."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtWidgets import (
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
    QVBoxLayout,
    QWidget,
)

from app.reading import UP_DIRECTIONS, Reading

_UP_TEXT = {
    "": "estimated from bodies, floor and cameras",
    "x": "+x, to the right in the first picture",
    "-x": "−x, to the left",
    "y": "+y, downwards in the first picture",
    "-y": "−y, upwards in the first picture",
    "z": "+z, away from the first camera",
    "-z": "−z, towards the first camera",
}


class ReadingDialog(QDialog):
    """Folder, frame rate, video, keypoints, upward axis; empty fields are found or estimated."""

    def __init__(self, folder: Path | None, reading: Reading, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("reading_dialog")
        self.setWindowTitle("Open a folder with…")
        self.setMinimumWidth(640)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        text = QLabel("What the folder does not say itself. Leave empty what can be found.", self)
        text.setProperty("role", "quiet")
        text.setWordWrap(True)
        column.addWidget(text)
        form = QFormLayout()
        form.setVerticalSpacing(9)
        column.addLayout(form)
        self.folder = QLineEdit("" if folder is None else str(folder), self)
        self.folder.setToolTip("A results folder with its stages 1 to 4")
        self.fps = QDoubleSpinBox(self)
        self.fps.setDecimals(3)
        self.fps.setRange(0.0, 1000.0)
        self.fps.setSuffix(" frames/s")
        self.fps.setSpecialValueText("the video's, else 30 frames/s")
        self.fps.setValue(reading.fps or 0.0)
        self.fps.setToolTip(
            "Frames a second of the video, such as 29.97: speeds, the motion prior and exports"
            " depend on it"
        )
        self.video = QLineEdit(reading.video, self)
        self.video.setPlaceholderText("looked for in the folder")
        self.video.setToolTip("The video the results were made from, shown behind the bodies")
        self.keypoints = QLineEdit(reading.keypoints, self)
        self.keypoints.setPlaceholderText("looked for in the folder")
        self.keypoints.setToolTip(
            "Detected 2-D keypoints: a folder of OpenPose files, or a COCO-result, ViTPose or"
            " MMPose JSON file"
        )
        self.up = QComboBox(self)
        for direction in UP_DIRECTIONS:
            self.up.addItem(_UP_TEXT[direction], direction)
        self.up.setCurrentIndex(UP_DIRECTIONS.index(reading.up))
        self.up.setToolTip("Which way is up, in the axes of the reconstruction's first camera")
        self._row(form, "&Folder", self.folder, self._choose_folder)
        form.addRow("Frame &rate", self.fps)
        self._row(form, "&Video", self.video, self._choose_video)
        self._row(form, "&Keypoints", self.keypoints, self._choose_keypoints, self._choose_files)
        form.addRow("&Up", self.up)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel,
            parent=self,
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column.addWidget(self.buttons)
        self.folder.textChanged.connect(self._check)
        self._check()
        if folder is not None:
            self.fps.setFocus()
            self.fps.selectAll()

    def _row(self, form: QFormLayout, text: str, field: QLineEdit, *choosers) -> None:
        name = QLabel(text, self)
        name.setBuddy(field)
        plain = text.replace("&", "")
        field.setAccessibleName(plain)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(field, 1)
        for chooser, what in zip(choosers, ("Choose…", "Folder…"), strict=False):
            button = QPushButton(what, self)
            button.setAutoDefault(False)
            button.setAccessibleName(f"{what} {plain}")
            button.clicked.connect(chooser)
            row.addWidget(button)
        form.addRow(name, row)

    def _check(self) -> None:
        ok = self.buttons.button(QDialogButtonBox.StandardButton.Open)
        if ok is not None:
            ok.setEnabled(bool(self.folder.text().strip()))

    def _start(self) -> str:
        return self.folder.text() or str(Path.home())

    def _choose_folder(self) -> None:
        self._take(
            self.folder,
            QFileDialog.getExistingDirectory(self, "Open a results folder", self._start()),
        )

    def _choose_video(self) -> None:
        kinds = "Video (*.mp4 *.mov *.avi *.mkv *.webm);;All files (*)"
        self._take(
            self.video, QFileDialog.getOpenFileName(self, "The video", self._start(), kinds)[0]
        )

    def _choose_keypoints(self) -> None:
        kinds = "Keypoints (*.json);;All files (*)"
        found = QFileDialog.getOpenFileName(self, "Detected keypoints", self._start(), kinds)[0]
        self._take(self.keypoints, found)

    def _choose_files(self) -> None:
        found = QFileDialog.getExistingDirectory(self, "Folder of OpenPose files", self._start())
        self._take(self.keypoints, found)

    @staticmethod
    def _take(field: QLineEdit, chosen: str) -> None:
        if chosen:
            field.setText(chosen)

    @property
    def reading(self) -> Reading:
        """What the dialog says now."""
        return Reading(
            self.fps.value() or None,
            self.video.text().strip(),
            self.keypoints.text().strip(),
            str(self.up.currentData()),
        )
