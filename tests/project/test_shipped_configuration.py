"""``configs/vggt.yaml`` says what the program does when nothing is said."""

from __future__ import annotations

import dataclasses

from refine_engine.config import RefinementConfig, read_yaml, stage5_section
from refine_engine.resources import config_path


def test_every_key_is_listed_with_its_default() -> None:
    path = config_path("vggt.yaml")
    section = stage5_section(read_yaml(path), path)
    assert list(section) == [f.name for f in dataclasses.fields(RefinementConfig)]
    assert RefinementConfig.from_yaml(path) == RefinementConfig()


def test_every_key_is_explained_in_its_line() -> None:
    lines = config_path("vggt.yaml").read_text(encoding="utf-8").splitlines()
    for field in dataclasses.fields(RefinementConfig):
        (line,) = (text for text in lines if text.startswith(f"  {field.name}: "))
        assert RefinementConfig.describe(field.name) in line
