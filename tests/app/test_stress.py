"""Two hundred random actions, always the same ones: no exception, no stuck thread, no lost run."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PyQt6.QtCore import Qt
from recorded import RecordedEngine

from app.main_window import MainWindow
from refine_engine.config import ENABLE_KEYS, TERM_NAMES
from refine_engine.exporters.formats import FORMATS
from refine_engine.state import SUBSTAGES

SKIPPED = {
    # These wait for the user in a dialog.
    *("file.open_with", "file.load_result", "run.settings"),
    *("file.open", "file.load_session", "file.save_session", "file.load_settings"),
    *("file.save_settings", "file.export", "file.export_losses", "file.screenshot"),
    *("file.turntable", "file.overlay"),
    *(f"file.export_{name}" for name in FORMATS),
    *("file.sample", "file.preferences", "file.quit", "help.palette"),
}


def random_actions(window: MainWindow, folder: Path, seed: int) -> list[Callable[[], object]]:
    dice = random.Random(seed)
    session = window.session
    keys = [c.key for c in window.registry.commands() if c.key not in SKIPPED]
    ids = [1, 2, 4]

    def trigger() -> None:
        action = window.registry[dice.choice(keys)]
        if action.isEnabled():
            action.trigger()

    choices: list[Callable[[], object]] = [
        *[trigger] * 6,
        lambda: session.set_weight(dice.choice(TERM_NAMES), 10 ** dice.uniform(-4, 3), True),
        lambda: session.change(dice.choice(list(ENABLE_KEYS.values())), dice.random() < 0.7),
        lambda: window.sub_stages.rows[dice.choice(SUBSTAGES[1:])].cap.setValue(
            dice.randint(0, 30)
        ),
        lambda: session.playback.seek(dice.randint(-10, 200)),
        lambda: session.playback.set_range(dice.randint(0, 59), dice.randint(0, 59)),
        lambda: session.select(dice.choice([*ids, None, 99])),
        lambda: session.set_visible(dice.choice(ids), dice.random() < 0.5),
        lambda: session.run(dice.choice(SUBSTAGES), None),
        lambda: session.run(None, dice.choice(SUBSTAGES)),
        lambda: session.show_run(dice.randint(1, 10)),
        lambda: session.compare_with(dice.choice([None, 1, 2, 3])),
        lambda: window.files.open(folder),
        lambda: window.files.open(folder.parent / "bad"),
        lambda: window.losses.toggle_term(dice.choice(TERM_NAMES)),
        lambda: window.docks[dice.choice(list(window.docks))].setFloating(dice.random() < 0.5),
        lambda: window.resize(dice.randint(700, 1700), dice.randint(500, 1100)),
        lambda: window.autosave.save_if_changed(),
        lambda: session.undo.undo(),
        lambda: session.undo.redo(),
    ]
    return [dice.choice(choices) for _ in range(200)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hundred_random_actions(
    opened: MainWindow, qtbot: Any, engine: RecordedEngine, folder: Path, seed: int
) -> None:
    engine.pace = 0.001
    with qtbot.captureExceptions() as exceptions:
        for number, action in enumerate(random_actions(opened, folder, seed)):
            action()
            if number % 3 == 0:
                qtbot.wait(2)
            for dialog in list(opened.dialogs.errors):
                dialog.accept()
        opened.session.set_live(False)
        opened.session.playback.stop()
        if opened.session.run_active:
            opened.session.cancel()
        qtbot.waitUntil(lambda: not opened.session.busy)
        opened.reset_layout()
    assert not exceptions
    # Everything still works: a whole run from the input.
    opened.session.set_config(type(opened.session.config)(), "defaults")
    with qtbot.waitSignal(opened.session.ended) as ended:
        opened.session.run()
    assert ended.args[0].status == "finished"
    qtbot.waitUntil(lambda: not opened.viewing.still.isActive())


def test_keys_pressed_without_a_folder_do_nothing_bad(window: MainWindow, qtbot: Any) -> None:
    with qtbot.captureExceptions() as exceptions:
        for command in window.registry.commands():
            if command.key not in SKIPPED:
                window.registry[command.key].trigger()
        for key in (Qt.Key.Key_Left, Qt.Key.Key_End, Qt.Key.Key_PageUp):
            qtbot.keyClick(window.timeline.strip, key)
        qtbot.wait(20)
    assert not exceptions
    assert window.session.activity == "empty"
