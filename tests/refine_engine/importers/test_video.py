"""Video frames by number, in any order; which video is taken; the frame rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refine_engine.errors import InputError
from refine_engine.importers import load_results
from refine_engine.importers.video import ImageFolder, VideoFile
from tests.refine_engine.importers import folders

FRAMES = 24


@pytest.fixture
def truth(tmp_path: Path) -> folders.Truth:
    return folders.write_results(tmp_path / "run", depth=False, masks=False, world=False)


def grey(image: np.ndarray) -> float:
    return float(image.mean()) / 10


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [23, 0, 12, 11, 12, 5, 22], [7] * 3])
def test_frames_come_in_any_order(tmp_path: Path, order: list[int]) -> None:
    folders.write_video(tmp_path / "v.mp4", FRAMES)
    video = VideoFile(tmp_path / "v.mp4")
    assert (video.num_frames, video.size, video.fps) == (FRAMES, folders.SIZE, 25.0)
    for k in order:
        image = video.frame(k)
        assert image.shape == (*folders.SIZE, 3)
        assert image.dtype == np.uint8
        assert grey(image) == pytest.approx(k, abs=0.4)
    video.close()


@pytest.mark.parametrize("name", ["v.mp4", "v.ts", "v.mkv"])
def test_frames_are_exact_where_seeking_is_not(tmp_path: Path, name: str) -> None:
    # Frames stored out of order; seeking lands behind the wanted frame in some containers.
    folders.write_video(tmp_path / name, FRAMES, options={"bf": "2"})
    video = VideoFile(tmp_path / name)
    assert video.num_frames == FRAMES
    for k in np.random.default_rng(0).integers(0, FRAMES, 60).tolist():
        assert grey(video.frame(k)) == pytest.approx(k, abs=0.45)
    video.close()


def test_a_long_film_is_known_only_as_far_as_asked(tmp_path: Path) -> None:
    folders.write_video(tmp_path / "v.mp4", FRAMES, options={"bf": "2"})
    video = VideoFile(tmp_path / "v.mp4", limit=10)
    assert video.num_frames == 10
    assert grey(video.frame(9)) == pytest.approx(9, abs=0.45)
    video.close()


def test_a_frame_outside_the_video_is_refused(tmp_path: Path) -> None:
    folders.write_video(tmp_path / "v.mp4", 3)
    video = VideoFile(tmp_path / "v.mp4")
    for k in (-1, 3):
        with pytest.raises(InputError, match="frames 0 to 2"):
            video.frame(k)
    video.close()


@pytest.mark.parametrize("content", [b"", b"not a video at all", b"\0" * 4096])
def test_other_files_are_no_videos(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"v\.mp4"):
        VideoFile(tmp_path / "v.mp4")
    with pytest.raises(InputError, match="does not exist"):
        VideoFile(tmp_path / "w.mp4")


def test_a_video_beside_the_stages_gives_picture_and_rate(truth: folders.Truth) -> None:
    folders.write_video(truth.root / "video.mp4", FRAMES)
    scene = load_results(truth.root)
    assert scene.video is not None
    assert scene.video.path == truth.root / "video.mp4"
    assert (scene.fps, scene.fps_source) == (25.0, "video")
    assert grey(scene.video.frame(9)) == pytest.approx(9, abs=0.4)
    scene.video.close()


def test_the_given_rate_wins(truth: folders.Truth) -> None:
    folders.write_video(truth.root / "video.mp4", FRAMES)
    scene = load_results(truth.root, fps=59.94)
    assert (scene.fps, scene.fps_source) == (59.94, "user")
    assert scene.video is not None
    scene.video.close()


@pytest.mark.parametrize("fps", [0, -3, np.nan, np.inf])
def test_a_wrong_rate_is_refused(truth: folders.Truth, fps: float) -> None:
    with pytest.raises(InputError, match="fps"):
        load_results(truth.root, fps=fps)


def test_without_a_video_30_is_assumed_and_said(truth: folders.Truth) -> None:
    scene = load_results(truth.root)
    assert scene.video is None
    assert (scene.fps, scene.fps_source) == (30.0, "assumed")
    assert any(text.startswith("No frame rate: 30") for text in scene.report.missing)
    assert any(text.startswith("No video") for text in scene.report.missing)


def test_the_pipeline_s_summary_names_the_video(truth: folders.Truth, tmp_path: Path) -> None:
    folders.write_video(tmp_path / "elsewhere" / "film.mp4", FRAMES)
    for named in (tmp_path / "elsewhere/film.mp4", "elsewhere/film.mp4"):
        folders.dump(truth.root / "pipeline_summary.json", {"video_path": str(named)})
        scene = load_results(truth.root)
        assert scene.video is not None
        assert scene.video.path.samefile(tmp_path / "elsewhere/film.mp4")
        scene.video.close()
    folders.dump(truth.root / "pipeline_summary.json", {"video_path": "gone.mp4"})
    assert load_results(truth.root).video is None


def test_the_tracker_s_copy_shows_pictures_but_its_rate_is_made_up(truth: folders.Truth) -> None:
    folders.write_video(truth.tracks / "_tmp/phalp_input.mp4", FRAMES, fps=30)
    scene = load_results(truth.root)
    assert scene.video is not None
    assert scene.fps_source == "assumed"
    scene.video.close()


def test_left_over_frames_of_stage_3(truth: folders.Truth) -> None:
    place = truth.poses / "_tmp_frames"
    place.mkdir()
    for k in range(FRAMES):
        image = np.full((*folders.SIZE, 3), 10 * k, dtype=np.uint8)
        Image.fromarray(image).save(place / f"frame_{k:06d}.jpg")
    scene = load_results(truth.root)
    assert isinstance(scene.video, ImageFolder)
    assert scene.video.num_frames == FRAMES
    assert grey(scene.video.frame(13)) == pytest.approx(13, abs=0.2)
    assert scene.fps_source == "assumed"
    (place / "frame_000004.jpg").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"frame_000004\.jpg"):
        scene.video.frame(4)


def test_a_video_of_another_size_is_not_shown_and_given_is_refused(truth: folders.Truth) -> None:
    folders.write_video(truth.root / "video.mp4", FRAMES, size=(32, 48))
    scene = load_results(truth.root)
    assert scene.video is None
    (finding,) = (f for f in scene.report.findings if f.code == "video")
    assert "48 x 32 pixels, the results 96 x 64" in finding.message
    with pytest.raises(InputError, match="48 x 32 pixels, the results 96 x 64"):
        load_results(truth.root, video=truth.root / "video.mp4")


def test_a_short_video_is_reported(truth: folders.Truth) -> None:
    folders.write_video(truth.root / "video.mp4", 20)
    scene = load_results(truth.root)
    assert scene.video is not None
    (finding,) = (f for f in scene.report.findings if f.code == "video")
    assert finding.count == 4
    scene.video.close()


def test_a_damaged_video_does_not_prevent_opening(truth: folders.Truth) -> None:
    (truth.root / "video.mp4").write_bytes(b"garbage" * 100)
    scene = load_results(truth.root)
    assert scene.video is None
    assert "video" in scene.report.codes()


def rotated(path: Path) -> None:
    """Write a rotation by a quarter turn into the display matrix of an MP4 track header."""
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    version = content[header + 4]
    matrix = header + 4 + (40 if version == 0 else 52)
    values = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    for k, value in enumerate(values):
        content[matrix + 4 * k : matrix + 4 * k + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(content)


def halves(path: Path, size: tuple[int, int]) -> None:
    """A video whose left half is black and right half white."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        image = np.zeros((*size, 3), dtype=np.uint8)
        image[:, size[1] // 2 :] = 255
        for _ in range(FRAMES):
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def test_rotation_is_applied_as_players_do(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    halves(path, (64, 96))
    rotated(path)
    video = VideoFile(path)
    assert video.size == (96, 64)
    # This matrix turns the picture clockwise: its left side comes to the top.
    image = video.frame(0)
    assert image[:40].mean() < 30
    assert image[56:].mean() > 225
    video.close()


def test_results_made_without_the_rotation_get_the_picture_they_know(
    truth: folders.Truth,
) -> None:
    path = truth.root / "video.mp4"
    halves(path, folders.SIZE)
    rotated(path)
    scene = load_results(truth.root)
    assert scene.video is not None
    assert scene.video.size == folders.SIZE
    assert scene.video.frame(0)[:, :40].mean() < 30
    scene.video.close()
