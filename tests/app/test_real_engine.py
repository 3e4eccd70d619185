"""The window over the real engine and the real 3-D view, on a small sample with ground truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from patience import PROGRAM_S
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtGui import QImage
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QFileDialog, QMessageBox, QToolButton

from app.engine import Engine
from app.main_window import MainWindow
from app.movies import pixels_of
from app.settings import Settings
from refine_engine.evaluation.synthetic.options import SampleOptions

pytestmark = pytest.mark.slow
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory, kernels: None) -> Path:
    options = SampleOptions(
        people=2, frames=24, image_size=(240, 320), depth_size=(60, 80), camera="static"
    )
    folder = tmp_path_factory.mktemp("sample") / "scene"
    return Engine().sample(folder, vars(options))


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
    made.resize(1400, 900)
    made.show()
    # A window that is closed meanwhile leaves loading in the middle of a module.
    with qtbot.waitSignals([made.session.scene_changed, made.session.steering.prepared]):
        made.files.open(sample)
    qtbot.waitUntil(lambda: bool(made.status.drawing.text()))
    yield made
    made.close()
    made.deleteLater()
    qapp.processEvents()


def click(qtbot: Any, window: MainWindow, key: str) -> None:
    button = window.toolbar.widgetForAction(window.registry[key])
    assert isinstance(button, QToolButton)
    assert button.isEnabled(), f"{key} cannot be clicked"
    qtbot.mouseClick(button, LEFT)


def test_refine_and_export_like_the_command_line(
    window: MainWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = window.session
    check = window.sub_stages.rows["final"].check
    qtbot.mouseClick(check, LEFT, pos=QPoint(10, check.height() // 2))
    window.sub_stages.rows["environmental"].cap.setValue(6)
    window.sub_stages.rows["smpl"].cap.setValue(6)
    slider = window.weights.rows["smooth"].slider
    QTest.mousePress(slider, LEFT, pos=QPoint(round(slider.x_of(0.001)), 10))
    QTest.mouseMove(slider, QPoint(round(slider.x_of(0.003)), 10))
    QTest.mouseRelease(slider, LEFT, pos=QPoint(round(slider.x_of(0.003)), 10))
    assert session.config.lambda_smooth == pytest.approx(0.003, rel=0.2)

    click(qtbot, window, "run.step_iteration")
    qtbot.waitUntil(lambda: session.activity == "paused")
    assert session.rows["root"].iterations == 1
    with qtbot.waitSignal(session.ended) as ended:
        click(qtbot, window, "run.pause")
    record = ended.args[0]
    assert record.status == "finished"
    assert record.rows["final"].status == "skipped"
    assert record.rows["environmental"].iterations <= 6
    assert record.scale is not None
    assert set(record.output.per_person_likelihoods) == set(session.person_ids)
    before, after = record.metrics["foot sliding, mm/frame"]
    assert after < before

    target = tmp_path / "from_app"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(target))
    with qtbot.waitSignal(session.job_done):
        click(qtbot, window, "file.export")
    written = json.loads((target / "refinement_results.json").read_text())
    assert written["status"] == "success"
    assert written["scale_alpha"] == pytest.approx(record.output.scale.alpha)
    assert written["loss_curves"].keys() == {
        s for s, c in session.curves.items() if len(c.iterations)
    }
    assert written["before_after"]["ground_truth"] is True
    for person_id in session.person_ids:
        with np.load(target / f"person_{person_id:03d}" / "smpl_params_refined.npz") as arrays:
            np.testing.assert_allclose(
                arrays["transl"], record.output.state.people[person_id].transl_world, atol=1e-5
            )

    # The command line reads what the window wrote.
    with qtbot.waitSignal(session.job_done):
        window.exports.export_format_to("csv", tmp_path / "joints.csv")
    assert (tmp_path / "joints.csv").stat().st_size > 1000


def test_live_mode_goes_on_warm(window: MainWindow, qtbot: Any) -> None:
    session = window.session
    session.set_config(
        session.config.replace(smpl_fitting_iterations=5, final_iterations=5), "shorter"
    )
    with qtbot.waitSignal(session.ended):
        session.run(None, "smpl")
    session.set_live(True)
    session.change("enable_final_refinement", False)
    before = session.state
    with qtbot.waitSignal(session.ended) as ended:
        session.set_weight("smooth", 0.1)
    assert ended.args[0].status == "finished"
    assert session.state is not before


def test_the_view_is_in_the_picture(window: MainWindow, qtbot: Any) -> None:
    view = window.area.view

    def bodies_are_shaded() -> None:
        picture = window.viewing.picture()
        at = view.mapTo(window, view.rect().topLeft())
        part = pixels_of(picture.copy(at.x(), at.y(), view.width(), view.height()))
        assert len(np.unique(part.reshape(-1, 3), axis=0)) > 200

    qtbot.waitUntil(bodies_are_shaded)


@pytest.mark.parametrize("platform", ["xcb", "offscreen"])
def test_screenshot_from_the_command_line(sample: Path, tmp_path: Path, platform: str) -> None:
    target = tmp_path / "picture.png"
    command = [sys.executable, "-m", "app", str(sample), "--screenshot", str(target)]
    environment = {"QT_QPA_PLATFORM": platform, "QT_LOGGING_RULES": "*=false"}
    import os

    done = subprocess.run(
        [*command, "--size", "1200x800"],
        env={**os.environ, **environment},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    image = QImage(str(target))
    assert (image.width(), image.height()) == (1200, 800)
    middle = pixels_of(image)[150:550, 450:800]
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 200


def test_a_bad_folder_on_the_command_line_says_why(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app", str(tmp_path), "--screenshot", str(tmp_path / "a.png")],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
    )
    assert done.returncode == 2
    assert "holds no MultiTRAM results" in done.stderr
    assert not (tmp_path / "a.png").exists()
