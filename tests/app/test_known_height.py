"""A height that is entered in the window: alpha and that person's height follow in a real run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from modal import answer_dialog
from patience import PROGRAM_S
from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QFocusEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QDialogButtonBox

from app.dialogs.run_settings import RunSettingsDialog
from app.main_window import MainWindow
from app.settings import Settings
from refine_engine.config import RefinementConfig

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, kernels: None) -> Path:
    from refine_engine.evaluation.synthetic.options import SampleOptions
    from refine_engine.evaluation.synthetic.results_folder import write_results_folder
    from refine_engine.evaluation.synthetic.scene import make_scene

    options = SampleOptions(people=2, frames=40, video=False)
    return write_results_folder(make_scene(options), tmp_path_factory.mktemp("known") / "two")


@pytest.fixture
def real(qtbot: Any, settings: Settings, tmp_path: Path, sample: Path) -> Any:
    qtbot.patience_ms = round(1000 * PROGRAM_S)
    window = MainWindow(settings, autosave_folder=tmp_path / "unfinished")
    window.show()
    with qtbot.waitSignal(window.session.scene_changed):
        window.files.open(sample)
    yield window
    window.close()
    window.deleteLater()
    QApplication.processEvents()


def enter_height(window: MainWindow, person: int, metres: str) -> None:
    def answer(dialog: RunSettingsDialog) -> None:
        dialog.tabs.setCurrentIndex(dialog.tabs.count() - 1)
        field = dialog.statures[person]
        field.selectAll()
        QTest.keyClicks(field, metres)
        ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert ok is not None
        QTest.mouseClick(ok, LEFT)

    answer_dialog(RunSettingsDialog, answer)
    QTest.mouseClick(window.sub_stages.settings_button, LEFT)


def run(window: MainWindow, qtbot: Any) -> Any:
    with qtbot.waitSignal(window.session.ended) as ended:
        window.session.run()
    record = ended.args[0]
    assert record.status == "finished"
    return record


@pytest.mark.slow
def test_alpha_and_height_follow_the_known_height(real: MainWindow, qtbot: Any) -> None:
    session = real.session
    person = session.person_ids[0]
    # What is looked at is what the height does; nothing else is to hold it back.
    quick = session.config.replace(enable_motion_prior=False, enable_final_refinement=False)
    session.set_config(quick.replace(optimize_delta_alpha=False), "free")
    free = run(real, qtbot)
    before = free.heights[person]
    wanted = round(before * 1.12, 2)
    enter_height(real, person, f"{wanted:.2f}")
    assert session.config.stature == {person: wanted}
    known = run(real, qtbot)
    assert known.heights[person] == pytest.approx(wanted, rel=0.03)
    assert known.heights[person] > 1.06 * before
    grown = known.output.scale.alpha / free.output.scale.alpha
    assert grown > 1.04, "who is taller stands in a larger world"
    assert real.people.rows[person].height_.text() == f"{known.heights[person]:.2f} m"
    session.undo.undo()
    assert session.config.stature == {}


def test_the_dialog_says_what_a_field_does(qtbot: Any) -> None:
    dialog = RunSettingsDialog(RefinementConfig(), [1], None)
    qtbot.addWidget(dialog)
    dialog.show()
    for key, field in dialog.fields.items():
        QApplication.sendEvent(field.widget, QFocusEvent(QEvent.Type.FocusIn))
        assert dialog.help.text(), key
        for word in ("null", "false", "optimize_", "ground_plane_"):
            assert word not in dialog.help.text()
    dialog.tabs.setCurrentIndex(1)
    assert dialog.help.text().startswith("Point at a field")
