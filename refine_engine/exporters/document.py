"""``json``: the run's own ``refinement_results.json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from refine_engine.errors import ExportChoiceError

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files


def build(content: ExportContent, options: ExportOptions) -> Files:
    """The document of the run, unchanged.

    Raises
    ------
    ExportChoiceError
        The motion was not refined, or only a part of it is asked for, or all of it moved.
    """
    if content.document is None:
        raise ExportChoiceError(
            "format json", "is the record of a refinement, there is none", "refine it first"
        )
    if options.people is not None or options.frames != (None, None) or options.floor:
        raise ExportChoiceError(
            "format json",
            "is the record of a whole run, as it stands",
            "leave out the choice of people, frames and floor, or choose the format smpl or csv",
        )
    text = json.dumps(content.document, indent=1, allow_nan=False) + "\n"
    return {"refinement_results.json": text.encode()}
