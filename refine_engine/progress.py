"""A run's progress as text: a line rewritten on a terminal, a line per sub-stage in a log."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING, TextIO

from refine_engine.refinement.substages import PLANS
from refine_engine.state import SUBSTAGES

if TYPE_CHECKING:
    from refine_engine.state import Snapshot

# Share of the work of each sub-stage in a usual run, for the estimate of the time left.
_SHARES = {
    "init": 0.05,
    "root": 0.05,
    "smpl": 0.2,
    "motion": 0.15,
    "environmental": 0.2,
    "scale": 0.15,
    "final": 0.2,
}


class Progress:
    """Writes snapshots to a stream.

    Parameters
    ----------
    stream
        Usually ``sys.stderr``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._width = 0

    def show(self, snapshot: Snapshot) -> None:
        """Tell about one snapshot."""
        title = PLANS[snapshot.sub_stage].title
        if snapshot.event == "end":
            text = f"{title}: {snapshot.status}"
            if snapshot.status != "skipped" and snapshot.sub_stage != "init":
                text += f" after {snapshot.iteration} iterations, loss {snapshot.total_loss:.6g}"
            text += f", {snapshot.seconds:.1f} s"
            if snapshot.message:
                text += f" ({snapshot.message})"
            self._line(text, final=True)
        elif self._terminal:
            share = done_share(snapshot)
            bar = "#" * round(24 * share)
            left = eta_seconds(snapshot)
            eta = "" if left is None else f", about {left:.0f} s left"
            loss = f", loss {snapshot.total_loss:.6g}" if snapshot.iteration else ""
            self._line(
                f"[{bar:<24}] {title}, iteration {snapshot.iteration}{loss}{eta}", final=False
            )

    def close(self) -> None:
        """End the rewritten line."""
        if self._width:
            self._stream.write("\n")
            self._width = 0
        self._stream.flush()

    def _line(self, text: str, *, final: bool) -> None:
        if self._terminal:
            columns = shutil.get_terminal_size().columns
            # A line that wraps by itself cannot be written over: each one would stay.
            first, *more = (
                textwrap.wrap(text, max(columns, 40), subsequent_indent="  ")
                if final
                else [text[: columns - 1]]
            )
            self._stream.write("\r" + first.ljust(self._width))
            self._width = len(first)
            if final:
                self._stream.writelines(f"\n{line}" for line in (*more, ""))
                self._width = 0
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


def done_share(snapshot: Snapshot) -> float:
    """Estimated share of the run that is done, 0 to 1."""
    index = SUBSTAGES.index(snapshot.sub_stage)
    before = sum(_SHARES[key] for key in SUBSTAGES[:index])
    inside = 1.0 if snapshot.event == "end" else 1 - 2.0 ** (-snapshot.iteration / 4)
    if snapshot.event == "begin":
        inside = 0.0
    return min(1.0, before + _SHARES[snapshot.sub_stage] * inside)


def eta_seconds(snapshot: Snapshot) -> float | None:
    """Estimated seconds left; None where too little is done to tell."""
    share = done_share(snapshot)
    if share < 0.05 or snapshot.seconds <= 0:
        return None
    return snapshot.seconds * (1 - share) / share
