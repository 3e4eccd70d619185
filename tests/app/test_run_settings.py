from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from modal import answer_dialog
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QCheckBox, QComboBox, QDialogButtonBox, QSpinBox

from app.dialogs.run_settings import RunSettingsDialog
from app.main_window import MainWindow
from refine_engine.config import RefinementConfig

LEFT = Qt.MouseButton.LeftButton


def edit(window: MainWindow, fill: Callable[[RunSettingsDialog], None]) -> None:
    """Open the dialog by its button in the window, fill it in, and press OK."""

    def answer(dialog: RunSettingsDialog) -> None:
        fill(dialog)
        ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert ok is not None
        QTest.mouseClick(ok, LEFT)

    answer_dialog(RunSettingsDialog, answer)
    QTest.mouseClick(window.sub_stages.settings_button, LEFT)


def test_every_setting_is_somewhere_in_the_window(opened: MainWindow) -> None:
    dialog = RunSettingsDialog(RefinementConfig(), opened.session.person_ids, opened)
    shown = {f"lambda_{term}" for term in opened.weights.rows} | set(dialog.fields) | {"stature"}
    for key in (f.name for f in dataclasses.fields(RefinementConfig)):
        switch = key.startswith("enable_") or (
            key.endswith("_iterations") and key != "max_total_iterations"
        )
        assert switch or key in shown, key
    for field in dialog.fields.values():
        assert field.widget.toolTip()
        assert field.widget.accessibleName()
    dialog.deleteLater()


def test_what_is_set_is_used_and_undone_in_one_step(opened: MainWindow) -> None:
    def fill(dialog: RunSettingsDialog) -> None:
        unit = dialog.fields["depth_scale"].widget
        assert isinstance(unit, QComboBox)
        unit.setFocus()
        QTest.keyClick(unit, Qt.Key.Key_Down)
        ground = dialog.fields["optimize_ground_plane"].widget
        assert isinstance(ground, QCheckBox)
        QTest.mouseClick(ground, LEFT, pos=QPoint(10, ground.height() // 2))
        horizon = dialog.fields["humor_horizon_max"].widget
        assert isinstance(horizon, QSpinBox)
        assert horizon.text() == "the whole clip"
        horizon.selectAll()
        QTest.keyClicks(horizon, "45")
        dialog.tabs.setCurrentIndex(dialog.tabs.count() - 1)
        height = dialog.statures[4]
        assert height.text() == "not known"
        height.selectAll()
        QTest.keyClicks(height, "1.82")

    before = opened.session.config
    edit(opened, fill)
    config = opened.session.config
    assert config.depth_scale == "metric"
    assert config.optimize_ground_plane is False
    assert config.humor_horizon_max == 45
    assert config.stature == {4: 1.82}
    assert opened.session.undo.count() == 1
    opened.registry["edit.undo"].trigger()
    assert opened.session.config == before


def test_nothing_changed_is_no_step(opened: MainWindow) -> None:
    edit(opened, lambda _: None)
    assert opened.session.undo.count() == 0
    assert opened.session.config == RefinementConfig()


def test_a_setting_that_does_not_fit_is_said_and_the_dialog_stays(opened: MainWindow) -> None:
    dialog = RunSettingsDialog(RefinementConfig(), [], opened)
    dialog.show()
    fields: dict[str, Any] = dict(dialog.fields)
    fields["depth_stride"] = dataclasses.replace(fields["depth_stride"], value=lambda: 0)
    dialog.fields = fields
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    QTest.mouseClick(ok, LEFT)
    assert dialog.isVisible()
    assert "depth_stride" in dialog.problem.text()
    assert dialog.problem.isVisible()
    dialog.close()
    dialog.deleteLater()


def test_a_device_is_chosen_or_typed(opened: MainWindow) -> None:
    dialog = RunSettingsDialog(RefinementConfig(), [], opened)
    device = dialog.fields["device"].widget
    assert isinstance(device, QComboBox)
    assert [device.itemText(k) for k in range(3)] == ["auto", "cpu", "cuda"]
    ok = dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)
    for text, message in (("gpu", "device: is 'gpu'; use one of auto, cpu"), ("cuda:1 ", "")):
        line = device.lineEdit()
        assert line is not None
        line.selectAll()
        QTest.keyClicks(line, text)
        QTest.mouseClick(ok, LEFT)
        assert message in dialog.problem.text()
        assert dialog.config.device == ("auto" if message else "cuda:1")
    dialog.deleteLater()
