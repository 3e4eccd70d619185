"""What a synthetic scene is asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from refine_engine.errors import InputError

Level = Literal["easy", "published", "hard"]
CameraKind = Literal["static", "pan", "handheld", "orbit", "follow"]
LEVELS: tuple[str, ...] = get_args(Level)
CAMERA_KINDS: tuple[str, ...] = get_args(CameraKind)

MAX_PEOPLE = 10
MIN_FRAMES = 2


@dataclass(frozen=True)
class SampleOptions:
    """Everything that decides a scene; the same options give the same scene, bit by bit."""

    people: int = 3
    """1 to 10."""
    frames: int = 100
    seed: int = 0
    level: Level = "published"
    """How large the errors of the pipeline are."""
    camera: CameraKind = "handheld"
    fps: float = 30.0
    image_size: tuple[int, int] = (720, 1280)
    """(height, width) of the video, in pixels."""
    depth_size: tuple[int, int] = (168, 294)
    """(height, width) of depth maps and masks."""
    alpha: float | None = None
    """Metres per reconstruction unit; None draws it from the level's range."""
    motion: Path | None = None
    """Folder of motion clips, or one clip; None uses the embedded motions."""
    kinds: tuple[str, ...] = ()
    """Embedded motions to draw from; empty means all, locomotion more often."""
    clean: bool = False
    """No errors at all: the estimate equals the truth (for tests of other parts)."""
    keypoints: bool = True
    masks: bool = True
    """Write person masks."""
    blackout: bool = False
    """Black people out before depth, as the pipeline does when its masking works: dynamic masks
    are written, and depth inside them says nothing about people."""
    video: bool = True
    chunk: int = 200
    """Frames per reconstruction chunk; 0 means one chunk for all frames."""

    def __post_init__(self) -> None:
        def check(ok: bool, name: str, problem: str, remedy: str) -> None:
            if not ok:
                raise InputError(f"--{name}", problem, remedy)

        check(
            1 <= self.people <= MAX_PEOPLE,
            "people",
            f"is {self.people}",
            f"give a number from 1 to {MAX_PEOPLE}",
        )
        check(
            self.frames >= MIN_FRAMES,
            "frames",
            f"is {self.frames}",
            f"give at least {MIN_FRAMES}",
        )
        check(self.seed >= 0, "seed", f"is {self.seed}", "give a number that is not negative")
        check(
            self.level in LEVELS, "level", f"is {self.level!r}", f"use one of {', '.join(LEVELS)}"
        )
        check(
            self.camera in CAMERA_KINDS,
            "camera",
            f"is {self.camera!r}",
            f"use one of {', '.join(CAMERA_KINDS)}",
        )
        check(1 <= self.fps <= 240, "fps", f"is {self.fps:g}", "give a rate from 1 to 240")
        for name, size in (("image-size", self.image_size), ("depth-size", self.depth_size)):
            check(
                min(size) >= 16 and max(size) <= 4096,
                name,
                f"is {size[0]}x{size[1]}",
                "give height x width, each from 16 to 4096",
            )
        check(
            not self.video or (self.image_size[0] % 2 == 0 and self.image_size[1] % 2 == 0),
            "image-size",
            f"is {self.image_size[0]}x{self.image_size[1]}",
            "give even numbers, or --no-video: video codecs cannot store odd sizes",
        )
        check(
            self.alpha is None or 1e-3 <= self.alpha <= 1e3,
            "alpha",
            f"is {self.alpha}",
            "give metres per unit from 0.001 to 1000",
        )
        check(self.chunk >= 0, "chunk", f"is {self.chunk}", "give a number of frames, or 0")
