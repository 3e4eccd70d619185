"""Training the contact head on a few examples; the tables of what the prior gives."""

import numpy as np

from refine_engine.evaluation import contact_examples, prior_gain, train_prior
from refine_engine.evaluation.contact_examples import ContactExample
from refine_engine.motion_prior.clips import is_held_out
from refine_engine.motion_prior.contact_head import load_contact_head
from tests.refine_engine.evaluation.synthetic.test_clips import recorded, write_clip
from tests.refine_engine.motion_prior.test_contact_head import GROUND, walking


def example(stage="init", seed=0):
    feet, joints, contacts = walking()
    noise = np.random.default_rng(seed).normal(0, 0.002, (60, 1, 3))
    return ContactExample(
        clip="walk",
        stage=stage,
        feet=feet + noise,
        joints=joints + noise,
        plane=GROUND,
        size=1.0,
        observed=np.ones(60, dtype=bool),
        contacts=contacts.astype(float),
    )


def test_a_fitted_head_knows_its_examples_and_survives_its_file(tmp_path):
    examples = [example(seed=s) for s in range(8)]
    head = train_prior.fit_head(examples, rounds=40)
    again = train_prior.fit_head(examples, rounds=40)
    np.testing.assert_array_equal(head.weights[0], again.weights[0])
    train_prior.write_head(tmp_path / "head.npz", head)
    read = load_contact_head(tmp_path / "head.npz")
    x, y = example(seed=99).features()
    assert ((read.logits(x) > 0) == (y > 0.5)).mean() > 0.9
    np.testing.assert_allclose(read.logits(x), head.logits(x), atol=1e-3)
    lines = train_prior.score_lines(read, [example(seed=99)])
    assert len(lines) == 2
    assert float(lines[1].split("/")[-1]) > 0.9


def test_training_says_what_is_missing(tmp_path, capsys):
    code = train_prior.main([str(tmp_path), "--output", str(tmp_path), "--only-contacts"])
    assert code == 2
    assert "no usable motion clips" in capsys.readouterr().err
    write_clip(tmp_path / "walk.npz", recorded("walk", 40, 30.0), 30.0)
    code = train_prior.main([str(tmp_path), "--output", str(tmp_path), "--only-contacts"])
    assert code == 2
    assert "too few clips" in capsys.readouterr().err


def test_examples_come_from_a_refinement(tmp_path):
    motion = recorded("walk", 40, 30.0)
    write_clip(tmp_path / "walk.npz", motion, 30.0)
    found = list(contact_examples.contact_examples([tmp_path / "walk.npz"]))
    assert {e.stage for e in found} == {"true", *contact_examples.STAGES}
    for e in found:
        assert e.feet.shape == (len(e.contacts), 4, 3)
        assert e.features()[0].shape == (2 * len(e.contacts), 264)
        assert set(np.unique(e.contacts)) == {0.0, 1.0}


def held_out_folder(folder):
    """A folder with one held-out and one training clip; returns it."""
    motion = recorded("walk", 40, 30.0)
    names = [f"walk{k}" for k in range(40)]
    for held in (True, False):
        name = next(n for n in names if is_held_out(n) == held)
        write_clip(folder / f"{name}.npz", motion, 30.0)
    return folder


def test_the_gain_is_printed_as_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(prior_gain, "SCENES", (("follow", 1, 3),))
    caps = [f"{k}_iterations=1" for k in ("root_fitting", "smpl_fitting", "environmental")]
    caps += ["scale_iterations=1", "final_iterations=1", "motion_prior_iterations=1"]
    arguments = ["--motion", str(held_out_folder(tmp_path)), "--frames", "16"]
    for cap in caps:
        arguments += ["--set", cap]
    assert prior_gain.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith("| follow, 1, 3 |")]
    assert len(rows) == 2
    cells = rows[0].split("|")
    assert abs(float(cells[4]) - float(cells[3]) / float(cells[2])) < 0.01


def test_without_held_out_clips_there_is_no_table(tmp_path, capsys):
    assert prior_gain.main(["--motion", str(tmp_path)]) == 2
    assert "held out" in capsys.readouterr().err
