from __future__ import annotations

import pytest

from refine_engine.config import RefinementConfig
from refine_engine.resources import config_path

PRESETS = sorted(p.stem for p in config_path("presets").glob("*.yaml"))


def test_the_promised_presets_are_there() -> None:
    promised = {
        "default",
        "fast_preview",
        "static_camera",
        "no_depth",
        "metric_depth",
        "contact_heavy",
    }
    assert promised <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_loads(name: str) -> None:
    config = RefinementConfig.from_yaml(config_path("presets") / f"{name}.yaml")
    assert (config == RefinementConfig()) == (name == "default")


def test_no_depth_switches_depth_off() -> None:
    config = RefinementConfig.from_yaml(config_path("presets") / "no_depth.yaml")
    assert config.lambda_depth == 0.0
