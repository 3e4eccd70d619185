"""``--prior`` of the command line: a file that is named, and how the summary names it."""

from __future__ import annotations

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
    line = _prior_line({**described, "initial_state": None})
    assert "a/best_model.pth (SHA-256 0123456789ab), no prior_gmm.npz beside it" in line
    mixture = {"file": "b/prior_gmm.npz", "sha256": "ff"}
    assert "first states from b/prior_gmm.npz" in _prior_line(
        {**described, "initial_state": mixture}
    )
