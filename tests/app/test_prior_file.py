"""A motion prior of the user's own, with the real engine behind the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from patience import PROGRAM_S
from PyQt6.QtWidgets import QApplication, QLineEdit, QMessageBox

from app.engine import Engine
from app.main_window import MainWindow
from app.settings import Settings
from refine_engine.evaluation.synthetic.options import SampleOptions
from tests.refine_engine.motion_prior.humor.random_motion import random_networks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, kernels: None) -> Path:
    options = SampleOptions(
        people=1, frames=20, image_size=(240, 320), depth_size=(60, 80), camera="static"
    )
    return Engine().sample(tmp_path_factory.mktemp("sample") / "scene", vars(options))


@pytest.fixture
def window(
    qtbot: Any,
    qapp: QApplication,
    settings: Settings,
    sample: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MainWindow]:
    monkeypatch.setattr(QMessageBox, "question", lambda *_, **__: QMessageBox.StandardButton.Yes)
    made = MainWindow(settings, autosave_folder=tmp_path / "unfinished")
    qtbot.patience_ms = round(1000 * PROGRAM_S)
    made.show()
    with qtbot.waitSignal(made.session.scene_changed):
        made.files.open(sample)
    yield made
    made.close()
    made.deleteLater()
    qapp.processEvents()


def test_a_wrong_file_is_said_in_a_sentence_and_a_checkpoint_is_used(
    window: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    from app.dialogs.run_settings import RunSettingsDialog

    session = window.session
    wrong, right = tmp_path / "wrong.pth", tmp_path / "best_model.pth"
    torch.save({"model": {"encoder.net.0.weight": torch.zeros(2, 2)}}, wrong)
    torch.save({"model": random_networks().state_dict()}, right)

    def choose(path: Path) -> None:
        dialog = RunSettingsDialog(session.config, [1], window)
        field = dialog.findChild(QLineEdit, "motion_prior")
        assert field is not None
        field.setText(str(path))
        dialog.buttons.accepted.emit()
        session.set_config(dialog.config, "run settings")
        dialog.deleteLater()

    choose(wrong)
    assert session.config.motion_prior == str(wrong)
    with qtbot.waitSignal(session.failed) as failed:
        session.run(None, "motion")
    (failure,) = failed.args
    assert "encoder.net.0.weight" in failure.message
    assert "(2, 2), not (1024, 678)" in failure.message
    for dialog in list(window.dialogs.errors):
        dialog.accept()
    qtbot.waitUntil(lambda: session.activity == "ready")
    choose(right)
    with qtbot.waitSignal(session.ended):
        session.run(None, "motion")
    output = session.shown_output
    assert output is not None
    assert output.motion_prior["name"] == "HuMoR"
    assert output.motion_prior["file"] == str(right)
