"""Writers of results: one file a target format; :func:`export` writes any of them."""

from __future__ import annotations

from refine_engine.exporters.formats import FORMATS, ExportFormat, ExportOptions, caveats, export

__all__ = ["FORMATS", "ExportFormat", "ExportOptions", "caveats", "export"]
