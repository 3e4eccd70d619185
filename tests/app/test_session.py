from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE_S
from recorded import RecordedEngine

from app.interruption import Interruption
from app.session import Session
from refine_engine.config import RefinementConfig
from refine_engine.errors import ConfigError


@pytest.fixture
def session(qtbot: Any, engine: RecordedEngine, folder: Path) -> Iterator[Session]:
    made = Session(engine)
    with qtbot.waitSignal(made.scene_changed):
        made.open(folder)
    yield made
    assert made.shutdown()


def finish(qtbot: Any, session: Session) -> Any:
    with qtbot.waitSignal(session.ended) as ended:
        session.run()
    return ended.args[0]


def test_a_run_delivers_every_loss_value_and_the_last_state(qtbot: Any, session: Session) -> None:
    record = finish(qtbot, session)
    assert record.status == "finished"
    for row in record.rows.values():
        if row.sub_stage != "init":
            iterations = session.curves[row.sub_stage].iterations.values
            assert list(iterations) == list(range(1, row.iterations + 1))
    assert session.state is record.output.state
    assert session.scale is not None
    assert session.scale.sigma == 0.021
    assert session.activity == "ready"


def test_the_engine_never_runs_on_the_window_s_thread(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    finish(qtbot, session)
    assert threading.get_ident() not in engine.threads
    assert len(engine.threads) == 1


def test_what_runs_need_is_loaded_after_the_scene_is_shown(
    qtbot: Any, engine: RecordedEngine, folder: Path
) -> None:
    made = Session(engine)
    told: list[object] = []
    made.scene_changed.connect(lambda: told.append("scene"))
    made.steering.prepared.connect(told.append)
    with qtbot.waitSignal(made.steering.prepared):
        made.open(folder)
    assert told == ["scene", {"data": 2.0}]
    assert made.activity == "ready"
    assert made.shutdown()


def test_a_kernel_that_cannot_be_loaded_is_told_and_disturbs_no_run(
    qtbot: Any, engine: RecordedEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> dict[str, float]:
        raise ImportError("no place for kernels")

    monkeypatch.setattr(engine, "prepare", fail)
    made = Session(engine)
    with qtbot.waitSignal(made.scene_changed):
        made.open(folder)
    with qtbot.waitSignal(made.failed) as told:
        made.run()
        assert made.activity == "running"
    assert "could not be loaded" in told.args[0].title
    qtbot.waitUntil(lambda: made.activity == "ready")
    assert made.runs[-1].status == "finished"
    assert made.shutdown()


def test_pause_holds_the_engine_and_resume_goes_on(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    engine.wait_before("root", 6)
    session.run()
    qtbot.waitUntil(lambda: engine.waiting)
    session.pause()
    engine.go_on()
    qtbot.waitUntil(lambda: session.activity == "paused")
    qtbot.wait(60)
    assert engine.produced == 5
    session.step_iteration()
    assert session.activity == "pausing"
    qtbot.waitUntil(lambda: session.activity == "paused")
    assert engine.produced == 6
    session.step_sub_stage()
    assert session.activity == "pausing"
    qtbot.waitUntil(lambda: session.activity == "paused")
    assert session.rows["root"].status == "capped"
    assert engine.produced == RefinementConfig().root_fitting_iterations
    with qtbot.waitSignal(session.ended):
        session.resume()


def test_stepping_starts_a_run_that_holds_after_one_iteration(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    session.step_iteration()
    qtbot.waitUntil(lambda: session.activity == "paused")
    assert engine.produced == 1
    with qtbot.waitSignal(session.ended):
        session.stop()
    assert session.runs[-1].status == "stopped"
    assert session.shown_output is not None


def test_cancel_discards_and_shows_what_was_shown_before(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    before = session.state
    engine.wait_before("smpl", 3)
    session.run()
    qtbot.waitUntil(lambda: session.state is not before)
    with qtbot.waitSignal(session.ended):
        session.cancel()
    assert session.state is before
    assert session.runs[-1].status == "cancelled"
    assert session.shown_output is None
    assert all(row.status == "waiting" for row in session.rows.values())


def test_weights_reach_a_running_engine(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    engine.wait_before("root", 4)
    session.run()
    qtbot.waitUntil(lambda: engine.waiting)
    assert [w["skate"] for w in engine.weights_seen] == [session.config.lambda_skate]
    session.set_weight("skate", 7.5)
    with qtbot.waitSignal(session.ended):
        engine.go_on()
    assert [w["skate"] for w in engine.weights_seen[1:]] == [7.5]


def test_switches_and_parts(qtbot: Any, session: Session) -> None:
    session.change("enable_motion_prior", False)
    record = finish(qtbot, session)
    assert record.rows["motion"].status == "skipped"
    assert record.rows["smpl"].status == "converged"
    with qtbot.waitSignal(session.ended):
        session.run("scale", "scale")
    assert session.rows["smpl"].status == "converged", "earlier results stay on show"
    assert session.rows["scale"].iterations == 40
    assert session.rows["final"].status == "skipped"
    with qtbot.waitSignal(session.ended):
        session.run(None, "root")
    assert [s for s, r in session.rows.items() if r.status not in ("skipped",)] == ["init", "root"]
    assert session.config.enable_final_refinement, "the user's own switches are untouched"


def test_settings_can_be_undone_and_drags_melt_together(session: Session) -> None:
    for value in (2.0, 3.0, 4.0):
        session.set_weight("data", value, merge=True)
    session.change("enable_root_fitting", False)
    assert session.undo.count() == 2
    session.undo.undo()
    session.undo.undo()
    assert session.config == RefinementConfig()
    session.undo.redo()
    assert session.config.lambda_data == 4.0
    with pytest.raises(ConfigError):
        session.set_weight("data", -1.0)
    assert session.config.lambda_data == 4.0


def test_live_mode_solves_again_from_the_shown_state(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    finish(qtbot, session)
    runs, state = len(session.runs), session.state
    session.set_live(True)
    with qtbot.waitSignal(session.ended) as ended:
        session.set_weight("data", 20.0)
    assert ended.args[0].start_state is state
    assert session.state is not state
    assert len(session.runs) == runs, "live solutions do not fill the history"
    assert session.rows["root"].status == "capped", "earlier sub-stages keep their numbers"
    assert session.shown_output is not None
    assert session.shown_output.state is session.state


def test_a_drag_in_live_mode_ends_with_its_last_weight(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    finish(qtbot, session)
    session.set_live(True)
    ended: list[object] = []
    session.ended.connect(ended.append)
    engine.wait_before("final", 5)
    session.set_weight("data", 2.0)
    qtbot.waitUntil(lambda: engine.waiting)
    for step in range(1, 9):
        session.set_weight("data", 2.0 + step, merge=True)
        qtbot.wait(1)
    engine.go_on()
    qtbot.waitUntil(lambda: bool(ended) and session.activity == "ready")
    qtbot.wait(20)
    qtbot.waitUntil(lambda: session.activity == "ready")
    assert engine.weights_seen[-1]["data"] == 10.0
    assert len(ended) == 1, "a drag is one run"


def test_a_weight_that_comes_too_late_for_a_live_run_gets_another(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    finish(qtbot, session)
    session.set_live(True)
    ended: list[object] = []
    session.ended.connect(ended.append)
    engine.wait_before("final", None)
    session.set_weight("data", 2.0)
    qtbot.waitUntil(lambda: engine.waiting)
    session.set_weight("data", 3.0)
    engine.go_on()
    qtbot.waitUntil(lambda: len(ended) == 2)
    assert [w["data"] for w in engine.weights_seen[-2:]] == [2.0, 3.0]


def test_runs_can_be_shown_again_and_compared(qtbot: Any, session: Session) -> None:
    first = finish(qtbot, session)
    session.set_weight("pose", 0.7)
    second = finish(qtbot, session)
    assert session.state is second.final_state
    session.show_run(first.number)
    assert session.state is first.final_state
    assert session.config.lambda_pose == 0.1
    session.undo.undo()
    assert session.config.lambda_pose == 0.7
    session.compare_with(second.number)
    assert session.ghost_state is second.final_state
    session.reset()
    assert session.state is session.initial_state


def test_a_bad_folder_leaves_the_present_one(qtbot: Any, session: Session, tmp_path: Path) -> None:
    before = session.opened
    with qtbot.waitSignal(session.failed) as failed:
        session.open(tmp_path / "bad")
    assert "holds no people" in failed.args[0].message
    assert session.opened is before
    assert session.activity == "ready"


def test_an_engine_that_breaks_is_reported_and_the_session_goes_on(
    qtbot: Any, session: Session, engine: RecordedEngine
) -> None:
    def explode(_: int) -> None:
        raise ZeroDivisionError("a defect")

    engine.before_iteration = explode
    with qtbot.waitSignal(session.failed) as failed:
        session.run()
    assert "ZeroDivisionError" in failed.args[0].details
    engine.before_iteration = lambda _: None
    assert finish(qtbot, session).status == "finished"


def test_ending_during_a_run_joins_the_thread(
    qtbot: Any, engine: RecordedEngine, folder: Path
) -> None:
    made = Session(engine)
    with qtbot.waitSignal(made.scene_changed):
        made.open(folder)
    engine.wait_before("root", 3)
    made.run()
    qtbot.waitUntil(lambda: engine.waiting)
    assert made.shutdown()
    assert engine.produced == 2


def test_a_job_that_asks_nobody_is_left_when_the_program_ends(
    engine: RecordedEngine, tmp_path: Path
) -> None:
    made, begun, tidied = Session(engine), threading.Event(), []

    def endless() -> None:
        begun.set()
        try:
            while True:
                try:
                    time.sleep(0.01)
                except Exception:  # noqa: BLE001  (an engine that survives anything)
                    continue
        finally:
            tidied.append(True)

    made.do("sample", endless, "Working for ever …", may_be_left=True)
    assert begun.wait(PATIENCE_S)
    assert not made.steering.must_finish
    assert made.shutdown()
    assert tidied


def test_what_is_being_written_is_finished_before_the_program_ends(
    engine: RecordedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, begun, hurried = Session(engine), threading.Event(), threading.Event()
    path = tmp_path / "written.txt"
    demand = Interruption.demand

    def note_demand(self: Interruption) -> bool:
        try:
            return demand(self)
        finally:
            hurried.set()

    def write() -> None:
        begun.set()
        # Until the program has lost its patience.
        assert hurried.wait(PATIENCE_S)
        path.write_text("all of it")

    monkeypatch.setattr(Interruption, "demand", note_demand)
    made.do("export", write, "Writing …")
    assert begun.wait(PATIENCE_S)
    assert made.steering.must_finish
    assert made.shutdown()
    assert path.read_text() == "all of it"


def test_mail_on_its_way_at_the_end_starts_nothing(
    qtbot: Any, qapp: Any, engine: RecordedEngine, folder: Path
) -> None:
    made = Session(engine)
    with qtbot.waitSignal(made.scene_changed):
        made.open(folder)
    engine.wait_before("root", 2)
    made.run()
    end = time.monotonic() + PATIENCE_S
    while not engine.waiting and time.monotonic() < end:
        time.sleep(0.005)  # no event is handled meanwhile: the first mail stays queued
    assert engine.produced == 1
    assert made.shutdown()
    qapp.processEvents()
    assert not made.steering._pace.isActive()


def test_progress_grows_to_the_end(qtbot: Any, session: Session) -> None:
    seen: list[float] = []
    session.rows_changed.connect(lambda: seen.append(session.progress()[0]))
    finish(qtbot, session)
    running = [f for f in seen if f > 0]
    assert running == sorted(running)
    assert running[-1] > 0.9
