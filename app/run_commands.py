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
    add(
        Command(
            "run.settings",
            "Se&ttings…",
            "Run",
            "Scale, ground, motion prior, known heights and what else a run depends on",
            "F8",
            separator_before=True,
        ),
        w.dialogs.show_run_settings,
    )
    _parts(w, ready)


def _parts(w: MainWindow, ready: Callable[[], bool]) -> None:
    """Running a part of the seven, from the menu and the palette as from a row's right click."""
    for part, title, does, begins_here, ends_here in (
        ("to", "To", "Run from the input, and end after this sub-stage", False, True),
        (
            "from",
            "From",
            "Go on from the shown state with this sub-stage and those after it",
            True,
            False,
        ),
        ("only", "Only", "Run this sub-stage alone, on the shown state", True, True),
    ):
        for sub_stage in SUBSTAGES[1:]:
            first = sub_stage if begins_here else None
            last = sub_stage if ends_here else None
            w.registry.add(
                Command(
                    f"run.{part}_{sub_stage}",
                    f"{title} {TITLES[sub_stage]}",
                    "Run",
                    does,
                    submenu=f"Run &{part}",
                    when=ready,
                ),
                lambda first=first, last=last: w.session.run(first, last),
            )
