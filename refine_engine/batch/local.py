"""Folders refined on this machine: one process each, as many at once as cores and memory allow."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refine_engine.batch.memory import available_mb, peak_mb
from refine_engine.batch.record import (
    LOG_FILE,
    read_record,
    read_result,
    write_record,
)
from refine_engine.batch.summary import Outcome
from refine_engine.errors import RefinementError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SPARE = 0.9
"""Share of the usable memory that is used."""
_POLL_S = 0.1
_PATIENCE_S = 120.0
"""How long an interrupted run may take to keep what it has."""
_STOPPED = 130


@dataclass(frozen=True)
class Job:
    """One folder to refine."""

    folder: Path
    place: Path
    """Where its results, its log and the batch's record of it go."""
    mark: str
    """Its fingerprint."""
    command: tuple[str, ...]
    """Process to run."""
    expected_mb: float
    """Guess of the memory that it needs."""


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    started: float
    peak_mb: float = 0.0


@dataclass
class LocalRunner:
    """Runs jobs; the failure of one is an outcome, not an end.

    Parameters
    ----------
    jobs_at_once
        Most processes at a time.
    memory_mb
        Memory that all of them may use; None = what is free.
    watch
        Called with every outcome as it comes.
    """

    jobs_at_once: int
    memory_mb: float | None = None
    watch: Callable[[Outcome], None] = lambda outcome: None
    interrupted: bool = False
    """Whether Ctrl-C ended the batch before its time."""
    most_at_once: int = 0
    """How many processes ran at a time, at most."""
    _ratio: float = 0.0
    """Largest peak of a finished process, as a multiple of what was expected."""
    _running: list[_Running] = field(default_factory=list)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run all jobs; outcomes in the order of the jobs.

        After Ctrl-C the running ones are asked to keep what they have, and the others are
        reported as not started.
        """
        waiting = list(jobs)
        outcomes: dict[Path, Outcome] = {}
        try:
            while waiting or self._running:
                while waiting and self._has_room(waiting[0]):
                    self._start(waiting.pop(0), outcomes)
                self._collect(outcomes)
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            self.interrupted = True
            self._stop(outcomes)
        finally:
            # Only after a second Ctrl-C, or a defect: nothing shall go on unwatched.
            for running in self._running:
                running.process.kill()
                running.process.wait()
        for job in jobs:
            idle = Outcome(job.folder, "not started", place=job.place)
            outcomes.setdefault(job.folder, idle)
        return [outcomes[job.folder] for job in jobs]

    def _has_room(self, job: Job) -> bool:
        """Whether cores and memory allow one more; one alone is always allowed."""
        if not self._running:
            return True
        if len(self._running) >= self.jobs_at_once:
            return False
        usable = available_mb() + sum(r.peak_mb for r in self._running)
        if self.memory_mb is not None:
            usable = min(usable, self.memory_mb / _SPARE)
        ratio = self._ratio or 1.0
        taken = sum(max(r.peak_mb, ratio * r.job.expected_mb) for r in self._running)
        return taken + ratio * job.expected_mb <= _SPARE * usable

    def _start(self, job: Job, outcomes: dict[Path, Outcome]) -> None:
        try:
            write_record(job.place, job.mark, "running")
            log = job.place / LOG_FILE
            with log.open("wb") as stream:
                process = subprocess.Popen(
                    job.command,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                    env=_environment(),
                    # Ctrl-C must reach it once, from us, not a second time from the terminal.
                    start_new_session=True,
                )
        except (OSError, RefinementError) as error:
            failed = Outcome(job.folder, "failed", message=str(error), place=job.place)
            self._note(failed, outcomes)
            return
        self._running.append(_Running(job, process, time.monotonic()))
        self.most_at_once = max(self.most_at_once, len(self._running))

    def _collect(self, outcomes: dict[Path, Outcome]) -> None:
        for running in list(self._running):
            running.peak_mb = max(running.peak_mb, peak_mb(running.process.pid))
            code = running.process.poll()
            if code is None:
                continue
            self._running.remove(running)
            self._ratio = max(self._ratio, running.peak_mb / running.job.expected_mb)
            self._note(_outcome(running, code), outcomes)

    def _stop(self, outcomes: dict[Path, Outcome]) -> None:
        for running in self._running:
            running.process.send_signal(signal.SIGINT)
        end = time.monotonic() + _PATIENCE_S
        while self._running:
            self._collect(outcomes)
            if time.monotonic() > end:
                for running in self._running:
                    running.process.kill()
            time.sleep(_POLL_S)

    def _note(self, outcome: Outcome, outcomes: dict[Path, Outcome]) -> None:
        outcomes[outcome.folder] = outcome
        self.watch(outcome)


def refine_command(
    folder: Path,
    place: Path,
    config_file: Path,
    *,
    fps: float | None = None,
    body_file: str | None = None,
    resume: bool = False,
    threads: int | None = None,
) -> tuple[str, ...]:
    """The process that refines one folder into a place.

    ``threads`` is None to leave it to the settings.
    """
    command = [sys.executable, "-m", "refine_engine", "refine", str(folder)]
    command += ["--output", str(place), "--config", str(config_file)]
    if fps is not None:
        command += ["--fps", str(fps)]
    if body_file is not None:
        command += ["--body", str(body_file)]
    if threads is not None:
        command += ["--set", f"threads={threads}"]
    if resume:
        command.append("--resume")
    return tuple(command)


def _environment() -> dict[str, str]:
    """Our own variables, with this very copy of the program first."""
    home = str(Path(__file__).resolve().parents[2])
    rest = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": home if not rest else os.pathsep.join([home, rest])}


def _outcome(running: _Running, code: int) -> Outcome:
    job, seconds = running.job, time.monotonic() - running.started
    facts: dict[str, Any] = {
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(running.peak_mb) or None,
    }
    result = read_result(job.place) if code in (0, _STOPPED) else {}
    status, message = "failed", ""
    if code == 0 and result.get("status") == "success":
        status = "success"
    elif code in (_STOPPED, -signal.SIGINT, -signal.SIGTERM):
        status, message = "stopped", "interrupted; the next batch goes on from its checkpoint"
    elif code < 0:
        message = f"was ended by signal {-code}" + (
            ", as happens when memory runs out" if code == -9 else ""
        )
    else:
        message = _last_line(job.place / LOG_FILE) or f"ended with code {code}"
    try:
        write_record(job.place, job.mark, status, **facts, message=message)
    except RefinementError as error:
        status, message = "failed", str(error)
    return Outcome.of_result(job.folder, status, result, message=message, place=job.place, **facts)


def finished_outcome(folder: Path, place: Path) -> Outcome:
    """Of a folder that an earlier batch has finished."""
    record = read_record(place)
    return Outcome.of_result(
        folder,
        "skipped",
        read_result(place),
        place=place,
        message="finished earlier with the same settings and input",
        seconds=record.get("seconds"),
        peak_memory_mb=record.get("peak_memory_mb"),
    )


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].removeprefix("smpl-refiner: ") if lines else ""
