"""``--prior`` of the command line: a file that is named, and how the summary names it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from refine_engine.cli import main
from refine_engine.refine_command import _prior_line


@pytest.mark.parametrize("given", ["", " "])
def test_an_empty_name_is_not_the_embedded_prior(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    """As a shell makes of a variable that is not set."""
    assert main(["refine", str(tmp_path), "--prior", given]) == 2
    assert "--prior: names no file" in capsys.readouterr().err


def test_the_summary_names_checkpoint_and_mixture() -> None:
    described = {"name": "HuMoR", "file": "a/best_model.pth", "sha256": "0123456789abcdef" * 4}
    described["device"] = "CPU"
    line = _prior_line({**described, "initial_state": None})
    assert "a/best_model.pth (SHA-256 0123456789ab), no prior_gmm.npz beside it" in line
    assert line.endswith("beside it")
    described["device"] = "NVIDIA H200 (cuda:0)"
    line = _prior_line({**described, "initial_state": None})
    assert line.endswith("beside it, on NVIDIA H200 (cuda:0)")
    mixture = {"file": "b/prior_gmm.npz", "sha256": "ff"}
    assert "first states from b/prior_gmm.npz" in _prior_line(
        {**described, "initial_state": mixture}
    )


def test_without_a_checkpoint_torch_is_not_loaded() -> None:
    """It takes seconds. A setting of the device is no reason for it."""
    script = """
import sys
import refine_engine.run, refine_engine.refinement.refiner
from refine_engine.config import RefinementConfig
from refine_engine.refinement.initialisation.prior_contacts import contact_source
from refine_engine.terms.motion import motion_terms
from refine_engine.terms.prior_files import describe_prior
for device in ("auto", "cpu"):
    config = RefinementConfig(device=device, contact_head=True)
    assert motion_terms(config) and contact_source(config)
    assert describe_prior(config)["device"] == "CPU"
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)
