"""Measure the window: how soon it shows something, how fast it follows, what it leaves the engine.

A development tool, not a test: times depend on the machine and on what else runs there. It opens
the real window with the real engine, so it needs a display (``xvfb-run -a -s "-screen 0
1600x1000x24" python scripts/measure_window.py FOLDER``). Every number comes from a process of its
own, so that none is measured beside what another left behind; the share of the engine's speed is
measured in pairs, alternately beside the window and without it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

    from app.main_window import MainWindow

Numbers = dict[str, float]

PARTS = ("scrub", "run", "pause", "live", "close")
PRESSES = 50
JUMP = 37
"""Frames between two places of a scrub that jumps."""


def seconds_alive() -> float:
    """Seconds since this process was started, the interpreter's own start included (Linux)."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    return up - ticks / os.sysconf("SC_CLK_TCK")


def peak_megabytes() -> float:
    """Largest resident memory of this process so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Window:
    """The program's window with a folder in it.

    Parameters
    ----------
    folder
        Results folder to open.
    """

    def __init__(self, folder: Path) -> None:
        import gc
        import tempfile

        from app.__main__ import prepare_opengl, spare_collections

        gc.disable()
        prepare_opengl()
        from PyQt6.QtCore import QSettings, QSize
        from PyQt6.QtWidgets import QApplication

        self.application: QApplication = QApplication(sys.argv[:1])
        from app.main_window import MainWindow
        from app.settings import Settings

        place = Path(tempfile.mkdtemp(prefix="smpl-refiner-measure-"))
        settings = Settings(QSettings(str(place / "s.ini"), QSettings.Format.IniFormat))
        self.window: MainWindow = MainWindow(settings, autosave_folder=place / "aside")
        # Whatever the screen's size is: the numbers are of this one.
        self.window.arrange(QSize(1600, 1000))
        self.session = self.window.session
        self.drawn: list[float] = []
        self.session.scene_changed.connect(self._watch)
        self.window.show()
        spare_collections()
        self.window.files.open(folder)
        self.until(lambda: bool(self.drawn))
        self.first_frame = seconds_alive()
        self.until(lambda: not self.session.busy)
        self.opened = seconds_alive()
        self.rest(1.5)

    def _watch(self) -> None:
        view = self.window.area.view
        if not self.drawn:
            view.frame_drawn.connect(self.drawn.append)

    def until(self, condition: Callable[[], bool], limit: float = 300.0) -> None:
        """Let the window live until something is so."""
        end = time.perf_counter() + limit
        while not condition():
            if time.perf_counter() > end:
                raise TimeoutError(f"waited {limit:g} s in vain")
            self.application.processEvents()
            time.sleep(0.0005)

    def rest(self, seconds: float) -> None:
        """Let the window live for some seconds."""
        end = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() >= end)

    def does(self, activity: str) -> bool:
        """Whether this is what the engine does."""
        return bool(self.session.activity == activity)

    def refine(self, heartbeat: Callable[[], None] | None = None) -> Any:
        """One whole run in the program's own event loop; its record."""
        from PyQt6.QtCore import QTimer

        ended: list[Any] = []

        def on_ended(record: Any) -> None:
            ended.append(record)
            self.application.exit()

        self.session.ended.connect(on_ended)
        timer = QTimer()
        timer.setInterval(5)
        if heartbeat is not None:
            timer.timeout.connect(heartbeat)
        timer.start()
        self.session.run()
        self.application.exec()
        timer.stop()
        self.session.ended.disconnect(on_ended)
        return ended[0]

    def close(self) -> None:
        """End the program."""
        self.session.cancel()
        self.until(lambda: not self.session.run_active)
        self.window.close()


def scrub(folder: Path) -> Numbers:
    """First frame, and pictures a second while the playhead moves."""
    window = Window(folder)
    found = {"first_frame_s": window.first_frame, "opened_s": window.opened}
    frames = window.session.playback.num_frames
    count = min(90, frames - 2)
    # The first way is for what is made once; then what the user feels.
    ways: dict[str, Sequence[int]] = {
        "scrub_there": range(1, count + 1),
        "scrub_back": range(count, 0, -1),
    }
    if frames > JUMP:
        ways["scrub_jumps"] = [k * JUMP % frames for k in range(1, 61)]
    for name, places in ways.items():
        began = time.perf_counter()
        for place in places:
            before = len(window.drawn)
            window.session.playback.seek(place)
            while len(window.drawn) == before:
                window.application.processEvents()
        found[f"{name}_fps"] = len(places) / (time.perf_counter() - began)
    window.rest(1.0)
    found["still_frame_ms"] = 1000 * window.drawn[-1]
    found["peak_mb"] = peak_megabytes()
    window.close()
    return found


def run(folder: Path) -> Numbers:
    """A whole refinement beside the window, twice; the second one counts."""
    import numpy as np

    window = Window(folder)
    window.refine()
    window.rest(1.0)
    beats: list[float] = []
    drawn = len(window.drawn)
    began = time.process_time()
    record = window.refine(lambda: beats.append(time.perf_counter()))
    processor = time.process_time() - began
    gaps = 1000 * np.diff(beats)
    found = {
        "window_s": record.seconds,
        "window_processor_s": processor,
        "heartbeat_p99_ms": float(np.percentile(gaps, 99)),
        "heartbeat_max_ms": float(gaps.max()),
        "pictures": float(len(window.drawn) - drawn),
        "run_peak_mb": peak_megabytes(),
    }
    window.close()
    return found


def headless(folder: Path) -> Numbers:
    """The same refinement by the same engine without a window, twice; the second one counts."""
    from app.engine import Engine
    from app.engine_worker import RunRequest
    from refine_engine.config import RefinementConfig
    from refine_engine.refinement.control import RunControl

    engine, config = Engine(), RefinementConfig()
    opened = engine.open(folder, config, "")
    for number in (1, 2):
        began, processor = time.perf_counter(), time.process_time()
        steps = engine.iterate(RunRequest(number, opened, config, RunControl()))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                engine.summarise(opened, end.value)
                break
    return {
        "headless_s": time.perf_counter() - began,
        "headless_processor_s": time.process_time() - processor,
    }


def pause(folder: Path) -> Numbers:
    """From the press of Pause until the window says that the engine holds."""
    import random

    import numpy as np

    window, chance = Window(folder), random.Random(0)
    session = window.session
    waits: list[float] = []
    while len(waits) < PRESSES:
        if not session.run_active:
            session.run()
            window.rest(0.5)
        window.rest(chance.uniform(0.03, 0.3))
        if not window.does("running"):
            continue
        pressed = time.perf_counter()
        session.pause()
        window.until(lambda: not window.does("pausing"))
        if window.does("paused"):
            waits.append(time.perf_counter() - pressed)
            session.resume()
    window.close()
    waited = 1000 * np.array(waits)
    return {
        "pause_median_ms": float(np.median(waited)),
        "pause_p95_ms": float(np.percentile(waited, 95)),
        "pause_max_ms": float(waited.max()),
    }


def live(folder: Path) -> Numbers:
    """From the last movement of a weight's slider until the solved view is on the screen."""
    import numpy as np

    window = Window(folder)
    session = window.session
    window.refine()
    window.rest(1.0)
    session.set_live(True)
    waits: list[float] = []
    for number in range(8):
        factor = 3.0 if number % 2 == 0 else 1.0 / 3.0
        before = session.config.lambda_smooth
        for step in range(1, 11):
            session.set_weight("smooth", before * factor ** (step / 10), merge=True)
            window.rest(0.03)
        moved = shown = time.perf_counter()
        drawn = pictures = len(window.drawn)
        busy = moved
        # The answer is the first picture after the last of the runs that the drag caused.
        while time.perf_counter() - busy < 0.4:
            window.rest(0.001)
            if not window.does("ready"):
                busy, drawn = time.perf_counter(), len(window.drawn)
            elif len(window.drawn) > drawn:
                drawn = sys.maxsize
                shown = time.perf_counter()
        assert len(window.drawn) > pictures, "nothing was solved or drawn"
        waits.append(shown - moved)
        window.rest(2.0)
    window.close()
    return {"live_median_s": float(np.median(waits)), "live_max_s": float(np.max(waits))}


def close(folder: Path) -> Numbers:
    """From closing the window in the middle of work until its last line ran."""
    window = Window(folder)
    waits = []
    window.session.run()
    window.rest(2.5)
    window.window._may_close = lambda: True  # type: ignore[method-assign]
    began = time.perf_counter()
    window.window.close()
    waits.append(time.perf_counter() - began)
    return {"close_while_refining_s": waits[0]}


ALONE: Mapping[str, Callable[[Path], Numbers]] = {
    "scrub": scrub,
    "run": run,
    "headless": headless,
    "pause": pause,
    "live": live,
    "close": close,
}


def measured(part: str, folder: Path) -> Numbers:
    """One part in a process of its own."""
    command = [sys.executable, __file__, str(folder), "--alone", part]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: Numbers = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Print the numbers that were asked for, one a line."""
    asked = argparse.ArgumentParser(description="Measure the window on a results folder.")
    asked.add_argument("folder", type=Path)
    asked.add_argument("--only", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    asked.add_argument("--pairs", type=int, default=3, help="of runs beside a window and without")
    asked.add_argument("--json", type=Path, help="also write the numbers here")
    asked.add_argument("--alone", choices=tuple(ALONE), help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.alone:
        print(json.dumps(ALONE[options.alone](options.folder)), flush=True)
        return 0
    found: dict[str, list[float]] = {}
    wanted = options.only.split(",")
    for part in wanted:
        if part not in PARTS:
            asked.error(f"there is no part {part}; use some of {','.join(PARTS)}")
    for part in wanted:
        for _ in range(options.pairs if part == "run" else 1):
            numbers = measured(part, options.folder)
            if part == "run":
                numbers |= measured("headless", options.folder)
                numbers["engine_share"] = numbers["headless_s"] / numbers["window_s"]
            for name, value in numbers.items():
                found.setdefault(name, []).append(value)
    for name, values in found.items():
        print(f"{name:26s} " + "  ".join(f"{value:9.3f}" for value in values))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
