"""The dialog of an export: place, people, frames, floor; what it asks and what is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QDialog, QDialogButtonBox

from app.dialogs.export import Exportable, ExportDialog
from app.main_window import MainWindow
from refine_engine.exporters.formats import FORMATS, ExportOptions

LEFT = Qt.MouseButton.LeftButton


def dialog_of(name: str, proposal: Path, replace: bool = True) -> ExportDialog:
    what = Exportable(proposal, (1, 2, 4), 2, 100, (20, 60), -1.4)
    return ExportDialog(FORMATS[name], what, lambda _: replace, None)


def export_button(dialog: ExportDialog) -> Any:
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Save)


def test_what_is_chosen_is_what_is_written(qtbot: Any, tmp_path: Path) -> None:
    dialog = dialog_of("bvh", tmp_path / "exports" / "bvh")
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.options == ExportOptions(overwrite=True)
    assert dialog.amass is None
    assert "-1.40 m" in dialog.floor.toolTip()
    dialog.floor.click()
    dialog.people.setCurrentIndex(2)
    assert dialog.people.currentText() == "only person 2 (selected)"
    dialog.frames.setCurrentIndex(1)
    assert dialog.options == ExportOptions(people=(2,), frames=(20, 61), overwrite=True, floor=True)
    qtbot.mouseClick(export_button(dialog), LEFT)
    assert dialog.result() == QDialog.DialogCode.Accepted
    assert dialog.path == tmp_path / "exports" / "bvh"


def test_amass_has_its_own_choices(qtbot: Any, tmp_path: Path) -> None:
    dialog = dialog_of("amass", tmp_path / "amass")
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.amass is not None
    dialog.amass.up.setCurrentIndex(1)
    dialog.amass.gaps.setCurrentIndex(1)
    dialog.amass.rate.setValue(120.0)
    options = dialog.options
    assert (options.up, options.gaps, options.rate) == ("y", "split", 120.0)


def test_it_stays_open_where_nothing_may_be_replaced(qtbot: Any, tmp_path: Path) -> None:
    there = tmp_path / "scene.glb"
    there.write_bytes(b"mine")
    dialog = dialog_of("glb", there, replace=False)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.mouseClick(export_button(dialog), LEFT)
    assert dialog.isVisible()
    for wrong in ("", "scene.glb"):
        dialog.place.setText(wrong)
        qtbot.mouseClick(export_button(dialog), LEFT)
        assert dialog.isVisible()
        assert dialog.problem.isVisible()
    dialog.place.setText(str(tmp_path / "other"))
    qtbot.mouseClick(export_button(dialog), LEFT)
    assert not dialog.isVisible()
    assert dialog.path == tmp_path / "other.glb"


def test_the_menu_asks_and_the_engine_gets_it(
    opened: MainWindow, qtbot: Any, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    got: list[Any] = []

    def export_format(*arguments: Any) -> list[str]:
        got.append(arguments)
        return ["heights count from the camera; --floor moves it to 0"]

    monkeypatch.setattr(opened.engine, "export_format", export_format, raising=False)
    notices: list[str] = []
    opened.session.notice.connect(notices.append)

    def answer(dialog: ExportDialog) -> int:
        dialog.show()
        dialog.floor.click()
        QTest.keyClick(dialog.place, Qt.Key.Key_Return)
        return dialog.result()

    monkeypatch.setattr(ExportDialog, "exec", answer)
    with qtbot.waitSignal(opened.session.job_done):
        opened.registry["file.export_csv"].trigger()
    name, path, state, *_, options = got[0]
    assert (name, path) == ("csv", folder / "exports" / "joints.csv")
    assert state is opened.session.state
    assert options.floor
    assert "--floor" not in notices[-1]
    assert "Floor at height 0" in notices[-1]
    QApplication.processEvents()
