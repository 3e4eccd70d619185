from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refine_engine.config import RefinementConfig
from refine_engine.errors import ExportError, InputError
from refine_engine.refinement.checkpoint import read_checkpoint, write_checkpoint
from refine_engine.refinement.initialisation import initialise
from refine_engine.state import OptimizationState, SubStageResult

RESULT = SubStageResult(
    "root", "converged", 3, 0.25, 12.5, {"data": (3.0, 2.0), "total": (3.0, 2.0)}, "fine"
)


@pytest.fixture
def state(standing_scene: Callable[..., Any]) -> OptimizationState:
    scene, body = standing_scene(frames=8)
    found: OptimizationState = initialise(scene, body, RefinementConfig()).state
    return found


def test_round_trip(tmp_path: Path, state: OptimizationState) -> None:
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, state, [RESULT], {"skate": 100.0})
    found = read_checkpoint(path)
    assert found.results == (RESULT,)
    assert found.weights == {"skate": 100.0}
    assert found.next_substage == "smpl"
    assert found.state.alpha_0 == state.alpha_0
    assert state.alpha_0_log_sigma is not None
    assert found.state.alpha_0_log_sigma == state.alpha_0_log_sigma
    write_checkpoint(path, replace(state, alpha_0_log_sigma=None), [], {})
    assert read_checkpoint(path).state.alpha_0_log_sigma is None
    for i, person in state.people.items():
        for name in ("frames", "R_world_root", "body_pose", "betas", "transl_world", "contacts"):
            np.testing.assert_array_equal(
                getattr(found.state.people[i], name), getattr(person, name)
            )
        assert found.state.people[i].image_shift is None


def test_image_shifts_come_back_and_damaged_ones_are_refused(
    tmp_path: Path, state: OptimizationState
) -> None:
    path = tmp_path / "checkpoint.npz"

    def written(change: Callable[[np.ndarray], np.ndarray]) -> OptimizationState:
        people = {
            i: replace(p, image_shift=change(np.full((len(p.frames), 2), 0.003)))
            for i, p in state.people.items()
        }
        changed = replace(state, people=people)
        write_checkpoint(path, changed, [RESULT], {})
        return changed

    for i, person in written(lambda shift: shift).people.items():
        found = read_checkpoint(path).state.people[i].image_shift
        np.testing.assert_array_equal(found, person.image_shift)
    for damage in (lambda s: s[1:], lambda s: s * np.nan, lambda s: s[:, :1]):
        written(damage)
        with pytest.raises(InputError, match="is damaged"):
            read_checkpoint(path)


def test_only_numbers_inside(tmp_path: Path, state: OptimizationState) -> None:
    path = tmp_path / "checkpoint.npz"
    write_checkpoint(path, state, [RESULT], {})
    with np.load(path, allow_pickle=False) as stored:
        assert all(stored[name].dtype.kind in "fiub" for name in stored.files)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.npz")
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(InputError):
        read_checkpoint(tmp_path / "checkpoint.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="usable checkpoint"):
        read_checkpoint(tmp_path / "other.npz")


def test_a_folder_that_cannot_be_written_is_an_export_error(
    tmp_path: Path, state: OptimizationState
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("x")
    with pytest.raises(ExportError, match="cannot be written"):
        write_checkpoint(blocker / "checkpoint.npz", state, [], {})
