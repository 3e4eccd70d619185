"""What a batch has to do: which folders are left, and where the files of each go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from refine_engine.batch.local import finished_outcome
from refine_engine.batch.memory import expected_mb
from refine_engine.batch.record import (
    can_resume,
    fingerprint,
    is_finished,
)
from refine_engine.batch.summary import Outcome
from refine_engine.errors import InputError
from refine_engine.exporters.results_json import OUTPUT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from refine_engine.batch.folders import FoundFolder
    from refine_engine.batch.record import BatchSettings


@dataclass(frozen=True)
class Task:
    """One folder that is to be refined."""

    folder: Path
    place: Path
    """Where its results go."""
    mark: str
    """Its fingerprint."""
    resumes: bool
    """Whether it goes on from the checkpoint of an interrupted run."""
    expected_mb: float
    """Guess of the memory that it needs."""


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what is settled without doing anything."""

    order: tuple[Path, ...]
    """All folders, as they were found."""
    tasks: tuple[Task, ...]
    settled: Mapping[Path, Outcome]
    """Folders that are finished or cannot be used."""

    def rehearsed(self) -> list[Outcome]:
        """Every folder in order, those to be refined as "to do" or "to resume"."""
        found = dict(self.settled)
        for task in self.tasks:
            found[task.folder] = Outcome(
                task.folder,
                "to resume" if task.resumes else "to do",
                place=task.place,
                peak_memory_mb=round(task.expected_mb),
            )
        return [found[folder] for folder in self.order]


def make_plan(
    found: Sequence[FoundFolder],
    settings: BatchSettings,
    output: Path | None = None,
    *,
    again: bool = False,
) -> Plan:
    """Look into every folder and into what earlier batches left of it; writes nothing.

    Parameters
    ----------
    found
        The folders.
    settings
        How they are to be refined.
    output
        See :func:`result_places`.
    again
        Also refine what is finished, and begin anew what was interrupted.

    Raises
    ------
    InputError
        ``output`` cannot hold these folders' results.
    """
    places = result_places(found, output)
    tasks: list[Task] = []
    settled: dict[Path, Outcome] = {}
    for entry in found:
        folder, place = entry.folder, places[entry.folder]
        if entry.problem:
            settled[folder] = Outcome(folder, "failed", entry.problem)
            continue
        mark = fingerprint(folder, settings, output)
        if not again and is_finished(place, mark):
            settled[folder] = finished_outcome(folder, place)
            continue
        resumes = not again and can_resume(place, mark)
        memory = expected_mb(folder, settings.config.max_frames)
        tasks.append(Task(folder, place, mark, resumes, memory))
    return Plan(tuple(entry.folder for entry in found), tuple(tasks), settled)


def result_places(found: Sequence[FoundFolder], output: Path | None) -> dict[Path, Path]:
    """Where the results of each folder go.

    Without ``output`` that is ``5_refinement`` in the folder. With it nothing is written among the
    data: the results of ``ROOT/a/b`` go to ``output/a/b``, those of a ROOT that is a results folder
    itself to ``output`` and its name.

    Raises
    ------
    InputError
        Two folders would share a place, or a place is one of the folders.
    """
    if output is None:
        return {entry.folder: entry.folder / OUTPUT_FOLDER for entry in found}
    places: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    data = {entry.folder.resolve() for entry in found}
    for entry in found:
        inside = entry.folder.relative_to(entry.root)
        place = output / inside if inside.parts else output / own_name(entry.folder)
        if place.resolve() in data:
            raise InputError(
                f"--output {output}",
                f"would put results among the data of {place}",
                "name another folder, or leave it out for 5_refinement in each folder",
            )
        if place in taken:
            raise InputError(
                f"--output {output}",
                f"has one place for {taken[place]} and {entry.folder}",
                "name one ROOT above both, or run them one after the other",
            )
        taken[place] = entry.folder
        places[entry.folder] = place
    return places


def own_name(folder: Path) -> str:
    """A folder's name, also where it is given as ``.`` or ``..``."""
    return folder.name if folder.name not in ("", "..") else folder.resolve().name or "results"
