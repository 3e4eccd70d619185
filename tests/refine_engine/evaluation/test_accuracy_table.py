from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from refine_engine.errors import InputError
from refine_engine.evaluation.accuracy import write_between_markers
from refine_engine.evaluation.accuracy_table import accuracy_markdown
from refine_engine.evaluation.records import Run, read_records, write_records
from refine_engine.evaluation.sweep import arrangements, in_unit

BEFORE = {
    "wa_mpjpe100_mm": (8000.0, 100),
    "w_mpjpe100_mm": (20000.0, 100),
    "w_mpjpe100_se3_mm": (30000.0, 100),
    "pa_mpjpe_mm": (4000.0, 100),
    "jitter_10m_s3": (2500.0, 100),
    "gt_jitter_10m_s3": (500.0, 100),
    "foot_sliding_mm": (1200.0, 100),
    "ground_angle_deg": (2.0, 1),
    "ground_offset_cm": (5.0, 1),
}
AFTER = BEFORE | {
    "wa_mpjpe100_mm": (6000.0, 100),
    "w_mpjpe100_mm": (18000.0, 100),
    "jitter_10m_s3": (600.0, 100),
    "foot_sliding_mm": (400.0, 100),
    "ground_angle_deg": (0.5, 1),
}


def run(seed: int, **change: object) -> Run:
    base = Run(
        scene=f"published-handheld-3p-100f-s{seed}",
        people=3,
        camera="handheld",
        level="published",
        seed=seed,
        arm="full",
        person=None,
        before=BEFORE,
        after=AFTER,
        alpha_true=2.0,
        alpha_before=2.1,
        alpha=2.0 * math.exp(0.02),
        alpha_sigma=0.05,
        observable=True,
        seconds=1.5,
    )
    return replace(base, **change)  # type: ignore[arg-type]


def line(text: str, start: str) -> list[str]:
    found = next(row for row in text.splitlines() if row.startswith(f"| {start}"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_pooled_table_says_what_was_reached() -> None:
    text = accuracy_markdown([run(s) for s in range(4)], "the command")
    assert "`the command`" in text
    assert line(text, "WA-MPJPE100, Sim(3)")[2:] == [
        "80.0", "60.0", "-25.0 %", "-25.0 to -25.0 %", "-15 %", "yes",
    ]  # fmt: skip
    assert line(text, "W-MPJPE100, Sim(3)")[-3:] == ["-10.0 to -10.0 %", "-15 %", "**no**"]
    assert line(text, "foot sliding")[-1] == "yes"
    assert line(text, "ground offset")[-1] == "**no**"
    assert "1.20 times the truth's (target 1 to 1.5): yes" in text


def test_one_bad_scene_shows() -> None:
    worse = AFTER | {"wa_mpjpe100_mm": (8800.0, 100), "pa_mpjpe_mm": (4200.0, 100)}
    text = accuracy_markdown([run(0), run(1, after=worse)], "x")
    assert "WA-MPJPE100: +10.0 % (target at most +3 %): **no**" in text
    assert "PA-MPJPE: +2.00 mm (target at most +1 mm): **no**" in text


def test_scale_table() -> None:
    off = [run(s, arm="off", alpha=2.0 * math.exp(0.01 * (s + 1))) for s in range(3)]
    alone = [run(s, arm="alone", person=1, alpha=2.0 * math.exp(-0.04 * (s + 1))) for s in range(3)]
    text = accuracy_markdown([run(0), *off, *alone], "x")
    assert line(text, "alpha error, started 15 % off, 3 people")[1:] == [
        "3", "2.00 %", "2.80 %", "<= 3 %", "yes",
    ]  # fmt: skip
    assert line(text, "alpha error, started 15 % off, one of the 3")[2] == "8.00 %"
    assert "median -75 %" in text
    # sigma is 2.5 % of alpha: 1 % and 2 % are inside, 3 % is not.
    assert "(started 15 % off) covers the truth in 67 % of 3 runs (target 60 to 76 %): yes" in text


def test_failures_are_counted_and_checks_reported() -> None:
    extra = [
        run(7, level="easy", after=BEFORE | {"wa_mpjpe100_mm": (8400.0, 100)}),
        run(8, camera="static", observable=False),
        run(9, problem="singular", after=BEFORE),
    ]
    text = accuracy_markdown([run(0), *extra], "x")
    assert "Failed runs: 1" in text
    assert "Level easy, 1 scenes, worst WA-MPJPE100: +5.0 % (target at most +2 %): **no**" in text
    assert "not observable from motion: 1 of 1" in text
    # Only moving cameras at level published are pooled: (60 + 80) / 2.
    assert line(text, "WA-MPJPE100, Sim(3)")[3] == "70.0"


def test_sweep_covers_what_the_table_promises() -> None:
    scenes = arrangements(3)
    others = arrangements(2, first=3)
    assert not {s.name for s in scenes} & {s.name for s in others}
    assert len(others) == 2 * len(arrangements(1))
    main = [a for a in scenes if a.level == "published" and a.camera != "static"]
    assert len(main) == 36
    assert {a.people for a in main} == {1, 2, 3, 5}
    assert len({a.name for a in scenes}) == len(scenes)
    for camera in ("handheld", "orbit", "follow"):
        assert {a.seed % 2 for a in main if a.camera == camera} == {0, 1}


def test_records_survive(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    write_records(path, [run(3)])
    write_records(path, [run(3, arm="off"), run(4)])
    assert read_records(path) == {
        run(3).scene: [run(3), run(3, arm="off")],
        run(4).scene: [run(4)],
    }
    assert read_records(tmp_path / "none.jsonl") == {}
    path.write_text('{"scene": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match="no record"):
        read_records(path)


def test_markers(tmp_path: Path) -> None:
    path = tmp_path / "evaluation.md"
    path.write_text("# Title\n\n<!-- accuracy -->\nold\n<!-- /accuracy -->\n\nrest\n", "utf-8")
    write_between_markers(path, "new")
    text = path.read_text("utf-8")
    assert text == "# Title\n\n<!-- accuracy -->\nnew\n<!-- /accuracy -->\n\nrest\n"
    write_between_markers(path, "new")
    assert path.read_text("utf-8") == text


def test_another_unit_scales_cameras_and_depth_alike() -> None:
    from refine_engine.refinement.maps_in_memory import DepthArrays
    from refine_engine.scene import CameraTrack, Scene

    cameras = CameraTrack(
        R_cam_world=np.tile(np.eye(3), (2, 1, 1)),
        t_cam_world=np.ones((2, 3)),
        intrinsics=np.tile(np.eye(3), (2, 1, 1)),
        image_size=(4, 6),
        intrinsics_pose=np.eye(3),
        chunk=np.zeros(2, dtype=np.int64),
    )
    scene = Scene({}, cameras, 30.0, "user", depth=DepthArrays(np.full((2, 4, 6), 3.0)))
    scaled = in_unit(scene, 2.0)
    assert scaled.cameras.metric
    assert scaled.depth is not None
    np.testing.assert_allclose(scaled.cameras.t_cam_world, 2.0)
    np.testing.assert_allclose(scaled.depth.depth(1), 6.0)
    assert scaled.depth.shares_camera_unit
