"""The runner with small processes in place of refinements."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from refine_engine.batch import local
from refine_engine.batch.local import Job, LocalRunner
from refine_engine.batch.memory import peak_mb
from refine_engine.batch.summary import Outcome, summary_csv, summary_dict, summary_table

SUCCESS = """
import json, pathlib, sys
path = pathlib.Path(sys.argv[1]) / "5_refinement" / "refinement_results.json"
path.write_text(json.dumps({"status": "success", "num_people": 2, "scale_alpha": 1.25,
                            "convergence_achieved": True}))
"""
FAILURE = "import sys; sys.exit('smpl-refiner: cameras.npz: is damaged; copy it again.')"


def job(folder: Path, code: str) -> Job:
    folder.mkdir(exist_ok=True)
    command = (sys.executable, "-S", "-c", code, str(folder))
    return Job(folder, folder / "5_refinement", f"mark of {folder.name}", command, 1000)


def record(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "5_refinement" / "batch.json").read_text())
    return found


def test_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    seen: list[str] = []
    runner = LocalRunner(1, watch=lambda outcome: seen.append(outcome.folder.name))
    jobs = [
        job(tmp_path / "a", SUCCESS),
        job(tmp_path / "b", FAILURE),
        job(tmp_path / "c", SUCCESS),
    ]
    outcomes = runner.run(jobs)
    assert [o.status for o in outcomes] == ["success", "failed", "success"]
    assert seen == ["a", "b", "c"]
    assert outcomes[1].message == "cameras.npz: is damaged; copy it again."
    assert outcomes[0].num_people == 2
    assert outcomes[0].scale_alpha == 1.25
    assert record(tmp_path / "a")["status"] == "success"
    assert record(tmp_path / "a")["fingerprint"] == "mark of a"
    assert record(tmp_path / "b")["status"] == "failed"
    assert not runner.interrupted


def test_success_without_results_is_a_failure(tmp_path: Path) -> None:
    (outcome,) = LocalRunner(1).run([job(tmp_path / "a", "")])
    assert outcome.status == "failed"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
def test_a_killed_process_is_told_as_such(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    (outcome,) = LocalRunner(1).run([job(tmp_path / "a", code)])
    assert outcome.status == "failed"
    assert "signal 9, as happens when memory runs out" in outcome.message


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    first = job(tmp_path / "a", SUCCESS)
    (tmp_path / "a" / "5_refinement").write_text("in the way")
    outcomes = LocalRunner(2).run([first, job(tmp_path / "b", SUCCESS)])
    assert [o.status for o in outcomes] == ["failed", "success"]
    assert "cannot be written" in outcomes[0].message


# Each process stays until as many as the test expects have begun, or one too many.
TOGETHER = (
    """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / "began").touch()
end = time.monotonic() + 100
while len(list(folder.parent.glob("*/began"))) < WANTED and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.3)
"""
    + SUCCESS
)


@pytest.mark.parametrize(
    ("jobs_at_once", "memory_mb", "expected"),
    [(2, None, 2), (3, 2500.0, 2), (3, 1900.0, 1), (1, 1e6, 1)],
)
def test_processes_at_a_time_are_bounded_by_number_and_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    jobs_at_once: int,
    memory_mb: float | None,
    expected: int,
) -> None:
    monkeypatch.setattr(local, "available_mb", lambda: 1e6)
    runner = LocalRunner(jobs_at_once, memory_mb)
    # What is learned from the first ones must not change what the later ones may do.
    monkeypatch.setattr(local, "peak_mb", lambda pid: 1000.0)
    code = TOGETHER.replace("WANTED", str(expected))
    outcomes = runner.run([job(tmp_path / str(k), code) for k in range(3)])
    assert [o.status for o in outcomes] == ["success"] * 3
    assert runner.most_at_once == expected


def test_processes_that_turn_out_small_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1000 MB each were expected: one at a time. Seen were 100: then two at a time."""
    monkeypatch.setattr(local, "available_mb", lambda: 1e6)
    monkeypatch.setattr(local, "peak_mb", lambda pid: 100.0)
    jobs = [job(tmp_path / "first", SUCCESS)]
    code = TOGETHER.replace("WANTED", "2")
    jobs += [job(tmp_path / str(k), code) for k in range(2)]
    runner = LocalRunner(3, 500.0)
    assert [o.status for o in runner.run(jobs)] == ["success"] * 3
    assert runner.most_at_once == 2


WATCHED = """
import pathlib, sys, time
block = b"x" * 80_000_000
folder = pathlib.Path(sys.argv[1])
(folder / "began").touch()
end = time.monotonic() + 100
while not (folder / "seen").exists() and time.monotonic() < end:
    time.sleep(0.01)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_peaks_of_memory_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process stays until its memory was looked at."""

    def look(pid: int) -> float:
        seen = peak_mb(pid)
        if (tmp_path / "a" / "began").exists():
            # What was seen before may have been the interpreter alone.
            seen = peak_mb(pid)
            (tmp_path / "a" / "seen").touch()
        return seen

    monkeypatch.setattr(local, "peak_mb", look)
    code = WATCHED + SUCCESS
    (outcome,) = LocalRunner(1).run([job(tmp_path / "a", code)])
    assert outcome.peak_memory_mb is not None
    assert 75 < outcome.peak_memory_mb < 150


def test_little_free_memory_still_lets_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "available_mb", lambda: 0.0)
    runner = LocalRunner(4)
    outcomes = runner.run([job(tmp_path / str(k), SUCCESS) for k in range(3)])
    assert [o.status for o in outcomes] == ["success"] * 3
    assert runner.most_at_once == 1


STAYS = """
import pathlib, signal, sys, time
def stop(*args):
    sys.exit(130)
signal.signal(signal.SIGINT, stop)
(pathlib.Path(sys.argv[1]) / "began").touch()
time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_an_interruption_keeps_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    jobs = [job(tmp_path / "a", STAYS), job(tmp_path / "b", SUCCESS)]

    def interrupt() -> None:
        end = time.monotonic() + 100
        while not (tmp_path / "a" / "began").exists() and time.monotonic() < end:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    # Shells start what is in the background with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    runner = LocalRunner(1)
    try:
        outcomes = runner.run(jobs)
    finally:
        interrupter.join()
        signal.signal(signal.SIGINT, before)
    assert runner.interrupted
    assert [o.status for o in outcomes] == ["stopped", "not started"]
    assert record(tmp_path / "a")["status"] == "stopped"
    assert not (tmp_path / "b" / "5_refinement").exists()


def test_summary_counts_and_lists_everything(tmp_path: Path) -> None:
    outcomes = [
        Outcome(tmp_path / "a", "success", seconds=1.25, num_people=3, scale_alpha=0.8),
        Outcome(tmp_path / "b", "failed", "x" * 100),
        Outcome(tmp_path / "c", "failed", "no people"),
    ]
    found = summary_dict(outcomes)
    assert found["counts"] == {"success": 1, "failed": 2}
    assert found["folders"][1]["message"] == "x" * 100
    assert json.loads(json.dumps(found)) == found
    lines = summary_table(outcomes).splitlines()
    assert lines[-1] == "1 success, 2 failed"
    assert lines[2].split()[2:6] == ["–", "–", "–", "–"]
    assert "0.8000" in lines[1]
    assert lines[2].endswith("x…")
    assert len({line.index("failed") for line in lines[2:4]}) == 1


def test_summary_as_a_table_for_spreadsheets(tmp_path: Path) -> None:
    result = {
        "num_people": 2,
        "scale_alpha": 1.5,
        "before_after": {
            "ground_truth": False,
            "before": {"foot_sliding_mm": 11.0, "jitter_10m_s3": None},
            "after": {"foot_sliding_mm": 3.0, "jitter_10m_s3": 5.5},
        },
    }
    outcomes = [
        Outcome.of_result(tmp_path / "a, b", "success", result, message='said "no"'),
        Outcome(tmp_path / "c", "failed", "no people"),
    ]
    rows = list(csv.DictReader(io.StringIO(summary_csv(outcomes))))
    assert rows[0]["folder"] == str(tmp_path / "a, b")
    assert rows[0]["message"] == 'said "no"'
    assert (rows[0]["foot_sliding_mm_before"], rows[0]["foot_sliding_mm_after"]) == ("11.0", "3.0")
    assert (rows[0]["jitter_10m_s3_before"], rows[0]["jitter_10m_s3_after"]) == ("", "5.5")
    assert "pa_mpjpe_mm_after" not in rows[0]
    assert (rows[1]["status"], rows[1]["scale_alpha"]) == ("failed", "")
    assert summary_dict(outcomes)["folders"][0]["after"] == result["before_after"]["after"]


def test_names_with_line_breaks_keep_the_table_in_order(tmp_path: Path) -> None:
    outcomes = [Outcome(tmp_path / "a\nb\x1b[2J", "failed", "no\npeople"), Outcome(tmp_path, "ok")]
    lines = summary_table(outcomes).splitlines()
    assert len(lines) == 4
    assert "a?b?[2J" in lines[1]
    assert lines[1].endswith("no?people")
