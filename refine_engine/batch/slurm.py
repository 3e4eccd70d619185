"""The same on a cluster: an array job of Slurm with one task a folder."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from refine_engine.batch.record import OUTPUT_FOLDER
from refine_engine.batch.summary import SUMMARY_FILE
from refine_engine.errors import InputError, RefinementError
from refine_engine.exporters.results_json import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPT_FILE = "batch_slurm.sh"
FOLDERS_FILE = "batch_folders.txt"


def write_script(
    place: Path,
    folders: Sequence[Path],
    config_file: Path,
    *,
    fps: float | None,
    body_file: str | None,
    cpus: int,
    memory_mb: float,
    options: Sequence[str] = (),
) -> Path:
    """Write the job script and the list of its folders.

    Parameters
    ----------
    place
        Folder for both and for the logs; must be seen by the cluster's nodes.
    folders
        One task each.
    config_file
        Settings.
    fps, body_file
        As for ``refine``.
    cpus, memory_mb
        Of one task.
    options
        Further options of sbatch, such as ``--partition=long``.

    Raises
    ------
    InputError
        A folder's name has a line break, or an option is none.
    ExportError
        The files cannot be written.
    """
    place = place.resolve()
    names = [str(folder.resolve()) for folder in folders]
    for name in names:
        if "\n" in name:
            raise InputError(repr(name), "has a line break in its name", "rename the folder")
    for option in options:
        if not option.startswith("-") or "\n" in option:
            raise InputError(option, "is no option of sbatch", "give for example --partition=long")
    refine = [sys.executable, "-m", "refine_engine", "batch", "--jobs", "1"]
    refine += ["--config", str(config_file.resolve())]
    if fps is not None:
        refine += ["--fps", str(fps)]
    if body_file is not None:
        refine += ["--body", str(Path(body_file).resolve())]
    lines = [
        "#!/bin/bash",
        "#SBATCH --job-name=smpl-refiner",
        f"#SBATCH --array=0-{len(names) - 1}",
        f"#SBATCH --cpus-per-task={cpus}",
        f"#SBATCH --mem={round(memory_mb)}M",
        f"#SBATCH --output={place / 'batch_%A_%a.log'}",
        *(f"#SBATCH {option}" for option in options),
        "set -eu",
        f"export PYTHONPATH={shlex.quote(str(Path(__file__).resolve().parents[2]))}"
        "${PYTHONPATH:+:$PYTHONPATH}",
        f"list={shlex.quote(str(place / FOLDERS_FILE))}",
        'folder=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$list")',
        f'{shlex.join(refine)} --summary "$folder/{OUTPUT_FOLDER}/{SUMMARY_FILE}" -- "$folder"',
    ]
    write_bytes(place / FOLDERS_FILE, ("\n".join(names) + "\n").encode())
    write_bytes(place / SCRIPT_FILE, ("\n".join(lines) + "\n").encode())
    return place / SCRIPT_FILE


def submit(script: Path) -> str | None:
    """Hand the script to ``sbatch``; its answer, or None where this machine has no ``sbatch``.

    Raises
    ------
    RefinementError
        ``sbatch`` refused it.
    """
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        return None
    done = subprocess.run(
        [sbatch, str(script)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise RefinementError(
            script,
            f"was refused by sbatch ({reason[-1] if reason else f'code {done.returncode}'})",
            "correct the options (--sbatch) and try again",
        )
    return done.stdout.strip()
