"""The shaded video of a synthetic scene."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av

from refine_engine.evaluation.synthetic.views import SceneViews


def write_video(views: SceneViews, path: Path) -> None:
    """Encode every frame of the scene at its image size and frame rate."""
    truth = views.truth
    height, width = truth.image_size
    temporary = path.with_name(f"{path.stem}.part{path.suffix}")
    codec = _codec()
    with av.open(str(temporary), "w") as container:
        rate = Fraction(truth.fps).limit_denominator(1001)
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec == "libx264":
            # One thread: the bits do not depend on the machine.
            stream.options = {"preset": "veryfast", "crf": "23", "threads": "1"}
        for frame in range(truth.num_frames):
            picture = av.VideoFrame.from_ndarray(views.picture(frame, (height, width)), "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    os.replace(temporary, path)


def _codec() -> Literal["libx264", "mpeg4"]:
    """H.264 where this build of FFmpeg can encode it."""
    return "libx264" if "libx264" in av.codecs_available else "mpeg4"
