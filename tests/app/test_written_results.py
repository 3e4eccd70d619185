"""A folder that was refined before: its result is found, shown, compared with, and gone on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt6.QtCore import QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent
from PyQt6.QtTest import QTest

from app.main_window import MainWindow
from refine_engine.refinement.checkpoint import write_checkpoint

LEFT = Qt.MouseButton.LeftButton


def write(window: MainWindow, qtbot: Any, folder: Path) -> Path:
    """Run, and write what the command line writes; returns the JSON."""
    session = window.session
    with qtbot.waitSignal(session.ended):
        session.run(None, "smpl")
    with qtbot.waitSignal(session.job_done):
        window.exports.export_to(folder)
    output = session.shown_output
    assert output is not None
    write_checkpoint(
        folder / "checkpoint.npz", output.state, output.sub_stages, session.config.weights()
    )
    return folder / "refinement_results.json"


def drop(window: MainWindow, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(500, 500), copy, data, LEFT, none))


@pytest.fixture
def refined(opened: MainWindow, folder: Path, qtbot: Any) -> MainWindow:
    """The folder open again, with results of an earlier run in it."""
    opened.session.set_weight("smooth", 0.02)
    (folder / "1_camera_estimation").mkdir()
    write(opened, qtbot, folder / "5_refinement")
    opened.session.undo.undo()
    with qtbot.waitSignal(opened.session.scene_changed):
        opened.files.open(folder)
    assert opened.session.runs == []
    qtbot.waitUntil(lambda: len(opened.session.runs) == 1)
    return opened


def test_it_stands_among_the_runs_and_can_be_returned_to(refined: MainWindow) -> None:
    session, runs = refined.session, refined.runs
    assert session.state is session.initial_state
    assert session.shown_run is None
    assert "Run 1 is the result written to 5_refinement" in refined.status.notice.toolTip()
    assert runs.table.topLevelItem(0).text(1) == "5_refinement"
    assert not session.worth_keeping
    refined.docks["runs"].raise_()
    QTest.mouseClick(runs.back, LEFT)
    assert session.shown_run == 1
    assert session.config.lambda_smooth == 0.02
    assert session.rows["smpl"].status == "converged"
    assert session.rows["smpl"].final_loss is not None
    assert session.curves["root"].curves["total"].values.size > 0
    assert session.scale is not None
    assert session.scale.sigma == 0.021
    assert session.scale.bound == (-0.2, 0.25)
    assert "-20.0% to +25.0% (alpha_bound_sigmas)" in refined.scale.delta.toolTip()
    assert refined.registry["file.export"].isEnabled()


def test_another_run_can_be_compared_with_it(refined: MainWindow, qtbot: Any) -> None:
    session = refined.session
    with qtbot.waitSignal(session.ended):
        session.run(None, "root")
    assert [r.number for r in session.runs] == [1, 2]
    session.compare_with(1)
    assert session.ghost_state is session.runs[0].final_state


def test_a_dropped_json_opens_its_folder_and_is_shown(
    refined: MainWindow, folder: Path, tmp_path: Path, qtbot: Any
) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    with qtbot.waitSignal(refined.session.scene_changed):
        refined.files.open(other)
    drop(refined, folder / "5_refinement" / "refinement_results.json")
    qtbot.waitUntil(lambda: refined.session.shown_run == 1)
    session = refined.session
    assert session.opened is not None
    assert session.opened.folder == folder
    assert len(session.runs) == 1
    assert session.state is session.runs[0].final_state


def test_a_json_from_elsewhere_is_shown_over_the_open_folder(
    opened: MainWindow, tmp_path: Path, qtbot: Any
) -> None:
    path = write(opened, qtbot, tmp_path / "variant")
    wanted = opened.session.state
    assert wanted is not None
    opened.session.reset()
    drop(opened, path)
    qtbot.waitUntil(lambda: len(opened.session.runs) == 2)
    assert opened.session.shown_run == 2
    shown = opened.session.state
    assert shown is not None
    for i, person in wanted.people.items():
        np.testing.assert_allclose(shown.people[i].transl_world, person.transl_world, atol=1e-9)


def failures_of(window: MainWindow) -> list[Any]:
    found: list[Any] = []
    window.session.failed.connect(found.append)
    return found


def test_what_belongs_to_something_else_is_refused_with_a_reason(
    opened: MainWindow, tmp_path: Path, qtbot: Any
) -> None:
    path = write(opened, qtbot, tmp_path / "variant")
    failures = failures_of(opened)
    for number, (spoil, reason) in enumerate(
        (
            (lambda d: (d / "cameras_refined.npz").unlink(), "cameras_refined.npz"),
            (_turn_cameras, "cameras differ"),
            (_other_alpha, "does not belong to the checkpoint.npz"),
            (lambda d: (d / "checkpoint.npz").unlink(), "checkpoint"),
            (lambda d: (d / "refinement_results.json").write_text("{"), "cannot be read"),
        )
    ):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(path.parent, copy)
        spoil(copy)
        opened.files.open(copy / path.name)
        qtbot.waitUntil(lambda n=number: len(failures) == n + 1)
        assert reason in failures[-1].message
        opened.dialogs.errors[0].accept()
    assert len(opened.session.runs) == 1


def _turn_cameras(folder: Path) -> None:
    path = folder / "cameras_refined.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.01), -np.sin(0.01)], [np.sin(0.01), np.cos(0.01)]]
    arrays["poses"] = arrays["poses"] @ turn
    np.savez(path, **arrays)


def _other_alpha(folder: Path) -> None:
    path = folder / "refinement_results.json"
    document = json.loads(path.read_text())
    document["scale_alpha"] *= 1.01
    path.write_text(json.dumps(document))


def test_without_an_open_folder_the_json_says_what_it_lacks(
    window: MainWindow, tmp_path: Path
) -> None:
    failures = failures_of(window)
    path = tmp_path / "a" / "refinement_results.json"
    path.parent.mkdir()
    path.write_text("{}")
    window.files.open(path)
    assert "without its results folder" in failures[0].message
    window.dialogs.errors[0].accept()


def test_a_spoilt_earlier_result_does_not_disturb_opening(
    refined: MainWindow, folder: Path, qtbot: Any
) -> None:
    failures = failures_of(refined)
    (folder / "5_refinement" / "checkpoint.npz").write_bytes(b"nothing")
    with qtbot.waitSignal(refined.session.job_done):
        refined.files.open(folder)
    assert failures == []
    assert refined.session.runs == []
    assert "An earlier result is not shown" in refined.status.notice.toolTip()
