"""Motions that no clip holds: how they are made, and their table."""

import numpy as np
import pytest

from refine_engine.body import embedded_body, joint_kinematics, rest_joints
from refine_engine.evaluation import unseen_motion
from refine_engine.motion_prior.clips import is_held_out, read_clip
from tests.refine_engine.evaluation.synthetic.test_clips import recorded, write_clip


@pytest.mark.parametrize("kind", unseen_motion.KINDS)
def test_the_body_turns_over_and_stays_on_the_floor(tmp_path, kind):
    write_clip(tmp_path / "walk.npz", recorded("walk", 100, 30.0), 30.0)
    clip = read_clip(tmp_path / "walk.npz")
    made = unseen_motion.unseen_motion(kind, clip)
    np.testing.assert_array_equal(made.R[:, 1:], clip.R[:100, 1:])
    up = made.R[:, 0, 1, 1]
    if kind == "floor":
        assert np.abs(up).max() < 0.5
    else:
        assert up.min() < -0.9
        assert up[0] > 0.9
        assert up[-1] > 0.9
    steps = np.linalg.norm(np.diff(made.transl, axis=0), axis=1)
    assert steps.max() < 0.15
    rest = rest_joints(embedded_body(), np.zeros(10))
    low = joint_kinematics(rest, made.R[:, 0], made.R[:, 1:], made.transl).positions[..., 1].min(1)
    assert abs(low.mean() - unseen_motion.SOLE_M) < 0.01


def test_the_table_has_a_row_a_motion(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(unseen_motion, "KINDS", ("cartwheel",))
    names = [n for n in (f"walk{k}" for k in range(40)) if is_held_out(n)][:2]
    for name in names:
        write_clip(tmp_path / f"{name}.npz", recorded("walk", 40, 30.0), 30.0)
    arguments = ["--motion", str(tmp_path), "--frames", "20"]
    for key in ("root_fitting", "smpl_fitting", "environmental", "scale", "final", "motion_prior"):
        arguments += ["--set", f"{key}_iterations=1"]
    assert unseen_motion.main(arguments) == 0
    rows = [r for r in capsys.readouterr().out.splitlines() if r.startswith("| cartwheel")]
    assert len(rows) == 2
    assert all(len(row.split("|")) == 10 for row in rows)
    assert all(float(cell) > 0 for cell in rows[0].split("|")[2:-1])


def test_too_few_clips_are_said(tmp_path, capsys):
    write_clip(tmp_path / "walk.npz", recorded("walk", 40, 30.0), 30.0)
    assert unseen_motion.main(["--motion", str(tmp_path)]) == 2
    assert "fewer than two held-out clips" in capsys.readouterr().err
