"""``smpl-refiner inspect``: text for people, JSON for programs, the same content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from refine_engine import cli
from refine_engine.importers import load_results
from tests.refine_engine.importers import folders


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    truth = folders.write_results(tmp_path / "run")
    folders.ghost_rows(truth, 1, [7, 8])
    return truth


def test_json_says_what_the_scene_holds(
    truth: folders.Truth, capsys: pytest.CaptureFixture[str]
) -> None:
    folders.write_video(truth.root / "video.mp4", 24)
    assert cli.main(["inspect", str(truth.root), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["num_frames"] == 24
    assert content["image_size"] == {"height": 64, "width": 96}
    assert (content["fps"], content["fps_source"]) == (25.0, "video")
    assert content["body_model"] == "embedded neutral body"
    assert content["cameras"]["kind"] == "moving"
    true = -np.einsum("tji,tj->ti", truth.R_recon, truth.t_recon)
    path = np.linalg.norm(np.diff(true, axis=0), axis=-1).sum()
    assert content["cameras"]["path_length"] == pytest.approx(path, rel=1e-4)
    assert content["cameras"]["unit"] == "reconstruction units"
    assert content["depth"]["maps"] == 24
    assert content["depth"]["people_masked_out"]
    assert content["masks"] == {"dynamic": 24, "person": 42}
    first, second = content["people"]
    assert (first["id"], first["rows"], first["observed"]) == (1, 24, 22)
    assert (second["first_frame"], second["last_frame"]) == (3, 20)
    assert first["keypoints"]["source"] == "Stage-3 projections"
    scene = load_results(truth.root)
    assert content["report"] == scene.report.as_dict()
    assert scene.video is not None
    scene.video.close()


def test_text_fits_the_terminal_and_names_everything(
    truth: folders.Truth, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["inspect", str(truth.root), "--fps", "24"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(truth.root)
    assert max(map(len, lines[1:])) <= 80
    text = "\n".join(lines)
    for part in (
        "24 frames of 96 x 64 pixels, 2 people",
        "24 a second, as given",
        "moving, path",
        "24 maps of 96 x 64, with confidence, people blacked out",
        "embedded neutral body",
        "Repaired",
        "B9 x2",
        "Not used",
        "B1 x42",
        "To know",
        "B3 x24",
        "Missing",
        "No video",
    ):
        assert part in text, part
    row = next(line.split() for line in lines if line.split()[:1] == ["1"])
    assert row[1:5] == ["0-23", "24", "2", "none"]


def test_long_codes_keep_the_sentences_in_one_column(
    truth: folders.Truth, capsys: pytest.CaptureFixture[str]
) -> None:
    path = truth.root / "3_pose_estimation" / "person_001" / "smpl_params_camera.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["transl"][3:15] = np.nan
    np.savez(path, **arrays)
    assert cli.main(["inspect", str(truth.root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    column = next(
        line.index("Person 1: rows with NaN") for line in lines if "non-finite x12" in line
    )
    assert next(line.index("Bodies are in") for line in lines if "B3 x" in line) == column


def test_gaps_are_listed(truth: folders.Truth, capsys: pytest.CaptureFixture[str]) -> None:
    frames = np.delete(np.arange(29), [4, 6, 8, 9, 12])
    folders.list_frames(truth, 1, frames)
    folders.remove(truth.tracks)
    assert cli.main(["inspect", str(truth.root)]) == 0
    assert "4, 6, 8-9 and 1 more" in capsys.readouterr().out
    cli.main(["inspect", str(truth.root), "--json"])
    people = json.loads(capsys.readouterr().out)["people"]
    assert people[0]["gaps"] == [[4, 4], [6, 6], [8, 9], [12, 12]]
    assert people[1]["gaps"] == []


def test_a_static_and_an_unknown_camera(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = folders.write_results(tmp_path / "still", moving=False, depth=False, masks=False)
    cli.main(["inspect", str(truth.root)])
    assert "not estimated" in capsys.readouterr().out
    # What an estimate of a camera at rest looks like: the identity but for noise.
    truth.t_recon += 1e-4 * np.sin(np.arange(24))[:, None]
    folders.write_cameras(truth)
    cli.main(["inspect", str(truth.root)])
    assert "camera      static" in capsys.readouterr().out


def test_a_wrong_body_is_bad_input(
    truth: folders.Truth, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(truth.root), "--body", str(truth.root / "gone.npz")]) == 2
    assert "gone.npz" in capsys.readouterr().err
