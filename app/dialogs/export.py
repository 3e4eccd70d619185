"""What of the shown state is exported, how, and where to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    QVBoxLayout,
    QWidget,
)

from app.dialogs.save_name import with_ending
from refine_engine.exporters.formats import ExportFormat, ExportOptions


@dataclass(frozen=True)
class Exportable:
    """What there is to choose from."""

    proposal: Path
    """Where it is written unless told otherwise."""
    people: tuple[int, ...]
    """Track ids."""
    selected: int | None
    """The selected person."""
    frames: int
    """Length of the clip."""
    loop: tuple[int, int]
    """First and last frame of the loop range."""
    floor: float
    """Height of the floor in metres, counted from the first camera."""


class _AmassFields:
    """What only AMASS files let one choose."""

    def __init__(self, form: QFormLayout, parent: QWidget) -> None:
        self.up = QComboBox(parent)
        self.up.addItem("Z, as AMASS", "z")
        self.up.addItem("Y", "y")
        self.up.setToolTip("Which axis points up")
        self.gaps = QComboBox(parent)
        self.gaps.addItem("keep filled frames", "fill")
        self.gaps.addItem("begin a new file after each", "split")
        self.gaps.setToolTip("What becomes of frames in which a person was not measured")
        self.rate = QDoubleSpinBox(parent)
        self.rate.setDecimals(3)
        self.rate.setRange(0.0, 1000.0)
        self.rate.setSuffix(" frames/s")
        self.rate.setSpecialValueText("the video's")
        self.rate.setToolTip("Frames a second to resample to")
        form.addRow("&Up", self.up)
        form.addRow("&Gaps", self.gaps)
        form.addRow("Frame r&ate", self.rate)

    def options(self) -> dict[str, Any]:
        """Of :class:`ExportOptions`."""
        return {
            "up": self.up.currentData(),
            "gaps": self.gaps.currentData(),
            "rate": self.rate.value() or None,
        }


class ExportDialog(QDialog):
    """Place, people, frames and floor of one export; ``path`` and ``options`` after Export.

    Parameters
    ----------
    target
        The format.
    what
        What there is to choose from.
    may_replace
        Asks whether what lies at a path may be replaced.
    """

    def __init__(
        self,
        target: ExportFormat,
        what: Exportable,
        may_replace: Callable[[Path], bool],
        parent: QWidget | None,
    ) -> None:
        super().__init__(parent)
        self._target, self._what, self._may_replace = target, what, may_replace
        self.setObjectName("export_dialog")
        self.setWindowTitle(f"Export {target.title}")
        self.setMinimumWidth(600)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        text = QLabel(f"{target.description[:1].upper()}{target.description[1:]}.", self)
        text.setProperty("role", "quiet")
        text.setWordWrap(True)
        column.addWidget(text)
        form = QFormLayout()
        form.setVerticalSpacing(9)
        column.addLayout(form)
        self.place = QLineEdit(str(what.proposal), self)
        self.place.setToolTip(
            "Folder of the files" if target.is_folder else f"File, ending in {target.suffix}"
        )
        name = QLabel("&Folder" if target.is_folder else "&File", self)
        name.setBuddy(self.place)
        form.addRow(name, self._with_chooser())
        self.people = self._people()
        form.addRow("&People", self.people)
        self.frames = self._frames()
        form.addRow("F&rames", self.frames)
        self.amass = _AmassFields(form, self) if target.name == "amass" else None
        self.floor = QCheckBox("Floor at &height 0", self)
        self.floor.setToolTip(
            "Move everything so that the floor is level at height 0. Otherwise the origin is the"
            f" first camera, with the floor at {what.floor:.2f} m, and cameras of all exports agree"
            " with it"
        )
        form.addRow("", self.floor)
        self.problem = QLabel("", self)
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.setVisible(False)
        column.addWidget(self.problem)
        standard = QDialogButtonBox.StandardButton
        self.buttons = QDialogButtonBox(standard.Save | standard.Cancel, parent=self)
        save = self.buttons.button(standard.Save)
        if save is not None:
            save.setText("Export")
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)
        column.addWidget(self.buttons)

    def _with_chooser(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.place, 1)
        choose = QPushButton("Choose…", self)
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose)
        row.addWidget(choose)
        return row

    def _choose(self) -> None:
        title, there = self.windowTitle(), self.place.text()
        if self._target.is_folder:
            chosen = QFileDialog.getExistingDirectory(self, title, str(Path(there).parent))
            if chosen:
                chosen = str(Path(chosen) / self._target.default_name)
        else:
            # What lies there is asked about when it is to be written.
            chosen, _ = QFileDialog.getSaveFileName(
                self,
                title,
                there,
                self._kinds(),
                options=QFileDialog.Option.DontConfirmOverwrite,
            )
        if chosen:
            self.place.setText(chosen)

    def _kinds(self) -> str:
        return f"{self._target.title} (*{self._target.suffix})"

    def _people(self) -> QComboBox:
        choice = QComboBox(self)
        choice.addItem("everybody", None)
        for person in self._what.people:
            chosen = " (selected)" if person == self._what.selected else ""
            choice.addItem(f"only person {person}{chosen}", (person,))
        choice.setToolTip("Whose motion is written")
        return choice

    def _frames(self) -> QComboBox:
        choice = QComboBox(self)
        last = self._what.frames - 1
        choice.addItem(f"all, 0 to {last}", (None, None))
        first, end = self._what.loop
        if (first, end) != (0, last):
            choice.addItem(f"the loop range, {first} to {end}", (first, end + 1))
        choice.setToolTip("The loop range is set by the keys [ and ], or in the time line")
        return choice

    @property
    def path(self) -> Path:
        """Where to, with the format's ending."""
        path = Path(self.place.text().strip()).expanduser()
        return path if self._target.is_folder else with_ending(path, self._kinds(), self._kinds())

    @property
    def options(self) -> ExportOptions:
        """What is written; replacing was agreed to."""
        return ExportOptions(
            people=self.people.currentData(),
            frames=self.frames.currentData(),
            overwrite=True,
            floor=self.floor.isChecked(),
            **(self.amass.options() if self.amass else {}),
        )

    def _take(self) -> None:
        if not self.place.text().strip():
            self._complain("Say where to.")
        elif not self.path.is_absolute():
            self._complain("Say the whole path, from the root on.")
        elif not self.path.exists() or self._may_replace(self.path):
            self.accept()

    def _complain(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.setVisible(True)
