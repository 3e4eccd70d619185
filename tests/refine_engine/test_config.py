from __future__ import annotations

from pathlib import Path

import pytest

from refine_engine.config import ENABLE_KEYS, ITERATION_KEYS, TERM_NAMES, RefinementConfig
from refine_engine.errors import ConfigError

DOCUMENTED = {
    "root_fitting_iterations": 30,
    "smpl_fitting_iterations": 60,
    "environmental_iterations": 100,
    "scale_iterations": 50,
    "final_iterations": 50,
    "lambda_data": 1.0,
    "lambda_beta": 0.01,
    "lambda_pose": 0.1,
    "lambda_cvae": 0.1,
    "lambda_skate": 100.0,
    "lambda_contact": 10.0,
    "lambda_depth": 1.0,
    "lambda_multi_scale": 0.5,
    "lambda_smooth": 0.001,
    "optimize_delta_alpha": True,
    "alpha_change_threshold": 0.05,
    "motion_prior_chunk_size": 10,
    "humor_horizon_max": None,
    "optimize_ground_plane": True,
    "ground_plane_init": "median",
    "convergence_threshold": 1e-4,
    "max_total_iterations": 500,
}


@pytest.mark.parametrize(("key", "value"), DOCUMENTED.items())
def test_defaults_are_the_documented_ones(key: str, value: object) -> None:
    assert getattr(RefinementConfig(), key) == value


def test_every_switch_cap_and_weight_key_exists() -> None:
    config = RefinementConfig()
    assert all(getattr(config, key) is True for key in ENABLE_KEYS.values())
    assert all(getattr(config, key) > 0 for key in ITERATION_KEYS.values())
    assert set(config.weights()) == set(TERM_NAMES)


def test_yaml_round_trip(tmp_path: Path) -> None:
    config = RefinementConfig(lambda_skate=7, humor_horizon_max=60, stature={3: 1.8})
    path = tmp_path / "vggt.yaml"
    path.write_text(config.to_yaml())
    assert RefinementConfig.from_yaml(path) == config


def test_a_pipeline_file_gives_its_stage5_section(tmp_path: Path) -> None:
    path = tmp_path / "vggt.yaml"
    path.write_text("vggt:\n  max_frames: 200\nstage5:\n  lambda_depth: 2\n")
    assert RefinementConfig.from_yaml(path) == RefinementConfig(lambda_depth=2.0)


def test_a_pipeline_file_without_the_section_gives_defaults(tmp_path: Path) -> None:
    path = tmp_path / "vggt.yaml"
    path.write_text("vggt:\n  max_frames: 200\n")
    assert RefinementConfig.from_yaml(path) == RefinementConfig()


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        ({"lamda_data": 1}, ["lamda_data", "did you mean 'lambda_data'?"]),
        ({"foo": 1}, ["stage5.foo: is not a setting", "configs/vggt.yaml lists them"]),
        ({"lambda_data": "much"}, ["lambda_data", "number"]),
        ({"lambda_data": -1}, ["lambda_data", "out of range"]),
        ({"lambda_data": float("nan")}, ["lambda_data", "number"]),
        ({"enable_root_fitting": 1}, ["enable_root_fitting", "true or false"]),
        ({"ground_plane_init": "mean"}, ["ground_plane_init", "median, ransac, fixed"]),
        ({"root_fitting_iterations": 2.5}, ["root_fitting_iterations", "whole"]),
        ({"root_fitting_iterations": True}, ["root_fitting_iterations", "number"]),
        ({"humor_horizon_max": 0}, ["humor_horizon_max", "from 2"]),
        ({"stature": {"tall": 1.9}}, ["stature", "person's number"]),
        ({"stature": {1: 19}}, ["stature.1", "2.6"]),
        ({"motion_prior": 3}, ["motion_prior", "text"]),
        ({"device": "gpu"}, ["device: is 'gpu'; use one of auto, cpu, cuda, cuda:0, mps."]),
        ({"device": "cuda:"}, ["device: is 'cuda:'"]),
        ({"device": "cuda:-1"}, ["device"]),
        ({"device": "CUDA\n"}, ["device"]),
        ({"device": 0}, ["device", "text"]),
    ],
)
def test_illegal_settings_are_named(values: dict[str, object], fragments: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        RefinementConfig.from_dict(values)
    assert all(fragment in str(caught.value) for fragment in fragments)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [("stage5: [", "not valid YAML"), ("- 1\n- 2\n", "mapping"), ("stage5: 3\n", "mapping")],
)
def test_bad_yaml_is_one_sentence_about_the_file(tmp_path: Path, text: str, fragment: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        RefinementConfig.from_yaml(path)
    assert "bad.yaml" in str(caught.value)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_yaml_cannot_build_objects(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text("stage5: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        RefinementConfig.from_yaml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        RefinementConfig.from_yaml(tmp_path / "none.yaml")


def test_command_line_settings() -> None:
    config = RefinementConfig().with_settings(["lambda_skate=5", "enable_motion_prior=false"])
    assert config.lambda_skate == 5.0
    assert config.enable_motion_prior is False
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        RefinementConfig().with_settings(["lambda_skate"])
    with pytest.raises(ConfigError, match="cannot be read"):
        RefinementConfig().with_settings(["lambda_skate=[1"])


@pytest.mark.parametrize("device", ["auto", "cpu", "mps", "cuda", "cuda:0", "cuda:12"])
def test_devices_are_named_as_torch_names_them(device: str) -> None:
    assert RefinementConfig().with_settings([f"device={device}"]).device == device


def test_numbers_with_an_exponent_need_no_decimal_point(tmp_path: Path) -> None:
    path = tmp_path / "vggt.yaml"
    path.write_text("stage5: {convergence_threshold: 1e-4}", encoding="utf-8")
    assert RefinementConfig.from_yaml(path).convergence_threshold == 1e-4
    config = RefinementConfig().with_settings(["lambda_smooth=2E-5", "max_total_iterations=1e3"])
    assert (config.lambda_smooth, config.max_total_iterations) == (2e-5, 1000)


def test_every_key_has_a_description() -> None:
    for key in RefinementConfig().to_dict():
        assert RefinementConfig.describe(key).endswith(".")
    with pytest.raises(ConfigError, match="did you mean 'max_frames'"):
        RefinementConfig.describe("max_frame")
