"""The commands of the Run menu: run, steer, run a part, start again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.actions import Command
from app.runs import TITLES
from refine_engine.state import SUBSTAGES

if TYPE_CHECKING:
    from app.main_window import MainWindow


def register_run(w: MainWindow) -> None:
    """Add them to the window's registry."""
    s, add = w.session, w.registry.add

    def ready() -> bool:
        return s.activity == "ready"

    def active() -> bool:
        return s.run_active and s.activity != "stopping"

    def steppable() -> bool:
        return ready() or (active() and s.activity in ("paused", "running"))

    add(
        Command(
            "run.all",
            "&Run all",
            "Run",
            "Run every sub-stage that is switched on, from the input",
            "F5",
            "play",
            "#ffffff",
            when=ready,
        ),
        s.run,
    )
    add(
        Command(
            "run.pause",
            "&Pause",
            "Run",
            "Hold before the next iteration, or go on",
            "F6",
            "pause",
            when=active,
        ),
        w.toggle_pause,
    )
    add(
        Command(
            "run.step_iteration",
            "Step &iteration",
            "Run",
            "One iteration, then hold",
            "F10",
            "step",
            when=steppable,
        ),
        s.step_iteration,
    )
    add(
        Command(
            "run.step_stage",
            "Step &sub-stage",
            "Run",
            "To the end of the sub-stage, then hold",
            "Shift+F10",
            "step-stage",
            when=steppable,
        ),
        s.step_sub_stage,
    )
    add(
        Command(
            "run.stop",
            "S&top, keep",
            "Run",
            "End the run and keep what was reached",
            "Shift+F5",
            "stop",
            when=active,
        ),
        s.stop,
    )
    add(
        Command(
            "run.cancel",
            "&Cancel",
            "Run",
            "End the run and discard it",
            "Ctrl+Shift+F5",
            "cancel",
            when=active,
        ),
        s.cancel,
    )
    add(
        Command(
            "run.reset",
            "R&eset",
            "Run",
            "Back to what the input says; the runs stay in the history",
            "Ctrl+R",
            "reset",
            separator_before=True,
            when=ready,
        ),
        s.reset,
    )
    add(
        Command(
            "run.live",
            "&Live mode",
            "Run",
            "A change of weights solves again at once, from the shown state",
            "Ctrl+L",
            checkable=True,
            when=lambda: s.scene is not None,
        ),
        s.set_live,
    )
    _parts(w, ready)


def _parts(w: MainWindow, ready: Callable[[], bool]) -> None:
    """Running a part of the seven, from the menu and the palette as from a row's right click."""
    s, add = w.session, w.registry.add
    for sub_stage in SUBSTAGES[1:]:
        add(
            Command(
                f"run.to_{sub_stage}",
                f"To {TITLES[sub_stage]}",
                "Run",
                "Run from the input, and end after this sub-stage",
                submenu="Run &to",
                when=ready,
            ),
            lambda last=sub_stage: s.run(None, last),
        )
    for sub_stage in SUBSTAGES[1:]:
        add(
            Command(
                f"run.from_{sub_stage}",
                f"From {TITLES[sub_stage]}",
                "Run",
                "Go on from the shown state with this sub-stage and those after it",
                submenu="Run &from",
                when=ready,
            ),
            lambda first=sub_stage: s.run(first, None),
        )
    for sub_stage in SUBSTAGES[1:]:
        add(
            Command(
                f"run.only_{sub_stage}",
                f"Only {TITLES[sub_stage]}",
                "Run",
                "Run this sub-stage alone, on the shown state",
                submenu="Run &only",
                when=ready,
            ),
            lambda only=sub_stage: s.run(only, only),
        )
