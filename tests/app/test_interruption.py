"""Jobs that are left in the middle, and those that end just before."""

from __future__ import annotations

import sys
import threading
import time

from patience import PATIENCE_S

from app.interruption import Interruption, ProgramEnds


def test_a_job_is_left_in_the_middle() -> None:
    interruption, begun, tidied = Interruption(), threading.Event(), threading.Event()

    def endless() -> None:
        begun.set()
        try:
            while True:
                time.sleep(0.001)
        finally:
            tidied.set()

    thread = threading.Thread(target=interruption.around, args=(endless,), daemon=True)
    thread.start()
    assert begun.wait(PATIENCE_S)
    assert interruption.demand()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert tidied.is_set()
    assert not interruption.demand(), "nothing is done that could be left"


def test_what_is_demanded_too_late_goes_no_further() -> None:
    """However a job's end and the demand meet, nothing is raised outside of the job."""
    interruption, end = Interruption(), threading.Event()
    escaped: list[BaseException] = []

    def short_jobs() -> None:
        try:
            for _ in range(20_000):
                try:
                    interruption.around(lambda: sum(range(30)))
                except ProgramEnds as error:
                    escaped.append(error)
        except ProgramEnds as error:  # between two of them
            escaped.append(error)
        finally:
            end.set()

    usual = sys.getswitchinterval()
    thread = threading.Thread(target=short_jobs, daemon=True)
    # The threads take turns as often as they can.
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        while not end.is_set():
            interruption.demand()
        thread.join(PATIENCE_S)
    finally:
        sys.setswitchinterval(usual)
    assert not escaped
