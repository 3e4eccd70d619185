"""``json``: the run's own ``refinement_results.json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from refine_engine.errors import ExportError

if TYPE_CHECKING:
    from refine_engine.exporters.content import ExportContent
    from refine_engine.exporters.formats import ExportOptions, Files


def build(content: ExportContent, options: ExportOptions) -> Files:
    """The document of the run, unchanged.

    Raises
    ------
    ExportError
        The motion was not refined, or only a part of it is asked for.
    """
    if content.document is None:
        raise ExportError(
            "format json", "is the record of a refinement, there is none", "refine it first"
        )
    if options.people is not None or options.frames != (None, None):
        raise ExportError(
            "format json",
            "is the record of a whole run",
            "leave out the choice of people and frames, or choose the format smpl or csv",
        )
    text = json.dumps(content.document, indent=1, allow_nan=False) + "\n"
    return {"refinement_results.json": text.encode()}
