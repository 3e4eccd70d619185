"""Readers that never run what they read: arrays, restricted pickles, torch files; whole writing."""

from __future__ import annotations

from refine_engine.safe_files.joblibs import load_joblib
from refine_engine.safe_files.npz import ArrayFile, find_npz, open_npz, read_array, read_header
from refine_engine.safe_files.pickles import load_object_array, load_pickle
from refine_engine.safe_files.signatures import file_kind
from refine_engine.safe_files.torch_files import load_torch
from refine_engine.safe_files.writing import npz_bytes, only_writer, write_files

__all__ = [
    "ArrayFile",
    "file_kind",
    "find_npz",
    "load_joblib",
    "load_object_array",
    "load_pickle",
    "load_torch",
    "npz_bytes",
    "only_writer",
    "open_npz",
    "read_array",
    "read_header",
    "write_files",
]
