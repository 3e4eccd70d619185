from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from recorded import make_scene, make_state, moved

from app.autosave import Autosave
from app.session_file import SavedRun, SavedSession, read_session, run_record, write_session
from refine_engine.config import RefinementConfig
from refine_engine.errors import ExportError, InputError
from refine_engine.state import SubStageResult


@pytest.fixture
def saved(tmp_path: Path) -> SavedSession:
    state = make_state(make_scene(12))
    result = SubStageResult("root", "converged", 7, 0.25, 0.5, {"total": (1.0, 0.5)}, "well")
    config = RefinementConfig(lambda_data=3.5, enable_motion_prior=False)
    run = SavedRun(3, "all", "12:00:00", "finished", 1.5, config, moved(state, 0.5), (result,))
    failed = SavedRun(4, "all", "12:01:00", "failed", 0.1, config, None, ())
    return SavedSession(tmp_path / "results", config, 5, moved(state, 0.25), (run, failed), 3)


def test_a_session_comes_back(tmp_path: Path, saved: SavedSession) -> None:
    path = tmp_path / "deep" / "a.smplsession"
    write_session(path, saved)
    found = read_session(path)
    assert (found.folder, found.config, found.frame) == (saved.folder, saved.config, 5)
    assert found.shown_run == 3
    for person_id, person in saved.state.people.items():
        np.testing.assert_array_equal(
            found.state.people[person_id].transl_world, person.transl_world
        )
    assert found.runs[0].results == saved.runs[0].results
    assert found.runs[1].state is None
    record = run_record(found.runs[0], saved.state)
    assert record.rows["root"].status == "converged"
    assert record.rows["root"].final_loss == 0.5
    assert record.numbers.curves["root"].iterations.values.tolist() == [1, 2]
    assert record.numbers.curves["root"].curves["total"].values.tolist() == [1.0, 0.5]
    assert not [p for p in path.parent.iterdir() if p != path], "no temporary file is left"


def test_it_is_replaced_as_a_whole_or_not_at_all(
    tmp_path: Path, saved: SavedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.smplsession"
    write_session(path, saved)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ExportError, match="No space left"):
        write_session(path, saved)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(b"no zip"),
        lambda p: p.unlink(),
        lambda p: _rewrite(p, lambda c: c.update(format=9)),
        lambda p: _rewrite(p, lambda c: c.pop("config")),
        lambda p: _rewrite(p, lambda c: c["config"].update(lambda_data="much")),
        lambda p: _rewrite(p, lambda c: c["runs"][0].update(status="dancing")),
        lambda p: _rewrite(p, lambda c: c["runs"][0].update(number=77)),
    ],
)
def test_damaged_files_explain_themselves(
    tmp_path: Path, saved: SavedSession, damage: object
) -> None:
    path = tmp_path / "a.smplsession"
    write_session(path, saved)
    damage(path)  # type: ignore[operator]
    with pytest.raises(InputError):
        read_session(path)


def _rewrite(path: Path, change: object) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    content = json.loads(members["session.json"])
    change(content)  # type: ignore[operator]
    members["session.json"] = json.dumps(content).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_autosave_writes_only_changes_and_leaves_nothing_behind(
    tmp_path: Path, saved: SavedSession, qtbot: object
) -> None:
    autosave = Autosave(lambda: saved, tmp_path / "unfinished")
    autosave.save_if_changed()
    assert not autosave.path.exists()
    autosave.note_change()
    with qtbot.waitSignal(autosave.saved):  # type: ignore[attr-defined]
        autosave.save_if_changed()
    assert read_session(autosave.path).frame == 5
    assert autosave.leftovers() == []
    autosave.finish()
    assert not autosave.path.exists()


def test_a_crashed_program_leaves_a_copy_that_is_found(
    tmp_path: Path, saved: SavedSession, qapp: object
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    folder = tmp_path / "unfinished"
    left = folder / f"{ended.pid}.smplsession"
    write_session(left, saved)
    write_session(folder / f"{os.getppid()}.smplsession", saved)
    assert Autosave(lambda: None, folder).leftovers() == [left]
