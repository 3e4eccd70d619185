"""``csv``: joints and contacts, one row a person and frame."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from refine_engine.body import JOINT_NAMES
from refine_engine.state import CONTACT_POINTS

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files

HEADER: tuple[str, ...] = (
    "person",
    "frame",
    "time_s",
    "observed",
    *(f"{joint}_{axis}_m" for joint in JOINT_NAMES for axis in "xyz"),
    *(f"contact_{point.replace(' ', '_')}" for point in CONTACT_POINTS),
)


def build(content: ExportContent, options: ExportOptions) -> Files:
    """One table; metres in the Y-up world, time zero at video frame 0, contacts 0 to 1."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(HEADER)
    for i, person in content.people.items():
        joints = content.joints(person).reshape(len(person.frames), -1)
        for row, frame in enumerate(person.frames.tolist()):
            table.writerow(
                [
                    i,
                    frame,
                    f"{frame / content.fps:.6f}",
                    int(person.observed[row]),
                    *(f"{value:.6f}" for value in joints[row]),
                    *(f"{value:.4f}" for value in person.contacts[row]),
                ]
            )
    return {"joints.csv": stream.getvalue().encode()}
