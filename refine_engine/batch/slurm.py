"""The same on a cluster: an array job of Slurm with one task a folder."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from refine_engine.batch.plan import own_name
from refine_engine.batch.summary import SUMMARY_FILE
from refine_engine.errors import InputError, RefinementError
from refine_engine.safe_files import write_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refine_engine.batch.plan import Task

SCRIPT_FILE = "batch_slurm.sh"
FOLDERS_FILE = "batch_folders.txt"
PLACES_FILE = "batch_places.txt"


def write_script(
    place: Path,
    tasks: Sequence[Task],
    config_file: Path,
    *,
    elsewhere: bool,
    again: bool,
    fps: float | None,
    body_file: str | None,
    cpus: int,
    memory_mb: float,
    options: Sequence[str] = (),
) -> Path:
    """Write the job script, the list of its folders and that of the places of their results.

    Parameters
    ----------
    place
        Folder for both and for the logs; must be seen by the cluster's nodes.
    tasks
        One each of the array.
    config_file
        Settings.
    elsewhere
        Whether results go to places outside of the folders (``--output``).
    again
        Whether what is finished is refined once more (``--force``).
    fps, body_file
        As for ``refine``; a file by its full path.
    cpus, memory_mb
        Of one task.
    options
        Further options of sbatch, such as ``--partition=long``.

    Raises
    ------
    InputError
        A path has a line break, or an option is none.
    ExportError
        The files cannot be written.
    """
    place = place.resolve()
    names = [str(_absolute(task.folder)) for task in tasks]
    places = [str(task.place.absolute()) for task in tasks]
    for name in (*names, *places):
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
        refine += ["--body", body_file]
    if again:
        refine.append("--force")
    # Slurm takes quotes there, and reads % as the beginning of a pattern.
    log = shlex.quote(str(place).replace("%", "%%") + "/batch_%A_%a.log")
    lines = [
        "#!/bin/bash",
        "#SBATCH --job-name=smpl-refiner",
        f"#SBATCH --array=0-{len(names) - 1}",
        f"#SBATCH --cpus-per-task={cpus}",
        f"#SBATCH --mem={round(memory_mb)}M",
        f"#SBATCH --output={log}",
        *(f"#SBATCH {option}" for option in options),
        "set -eu",
        f"export PYTHONPATH={shlex.quote(str(Path(__file__).resolve().parents[2]))}"
        "${PYTHONPATH:+:$PYTHONPATH}",
        "line=$((SLURM_ARRAY_TASK_ID + 1))p",
        f'folder=$(sed -n "$line" {shlex.quote(str(place / FOLDERS_FILE))})',
        f'place=$(sed -n "$line" {shlex.quote(str(place / PLACES_FILE))})',
        # A folder that is a root itself goes to --output and its name, which is that of its place.
        f"{shlex.join(refine)}"
        + (' --output "$(dirname "$place")"' if elsewhere else "")
        + f' --summary "$place/{SUMMARY_FILE}" -- "$folder"',
    ]
    write_files(
        {
            place / FOLDERS_FILE: ("\n".join(names) + "\n").encode(),
            place / PLACES_FILE: ("\n".join(places) + "\n").encode(),
            place / SCRIPT_FILE: ("\n".join(lines) + "\n").encode(),
        }
    )
    return place / SCRIPT_FILE


def _absolute(folder: Path) -> Path:
    """The path that a task gets; its last part is the name that its place goes by."""
    return folder.absolute() if folder.name == own_name(folder) else folder.resolve()


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
