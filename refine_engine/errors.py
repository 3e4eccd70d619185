"""Errors that a user can act on: which file, what is wrong, what to do."""

from __future__ import annotations

from pathlib import Path


class RefinementError(Exception):
    """Base of every error that SMPL Refiner raises on purpose.

    Its text is one sentence or two, fit to be shown to a user as it stands.

    Parameters
    ----------
    where
        The file, folder, setting or array that the error is about.
    problem
        What is wrong with it.
    remedy
        What the user can do about it.
    """

    def __init__(self, where: str | Path, problem: str, remedy: str) -> None:
        self.where = str(where)
        self.problem = problem
        self.remedy = remedy
        end = "" if remedy.endswith("?") else "."
        super().__init__(f"{self.where}: {problem}; {remedy}{end}")


class InputError(RefinementError):
    """A results folder, file or array cannot be used as it is."""


class SeveralResultsError(InputError):
    """A folder holds more than one results folder; ``choices`` are their paths.

    Parameters
    ----------
    where
        The folder.
    choices
        The results folders in it.
    """

    def __init__(self, where: str | Path, choices: tuple[Path, ...]) -> None:
        self.choices = choices
        names = ", ".join(choice.name for choice in choices[:5])
        more = f" and {len(choices) - 5} more" if len(choices) > 5 else ""
        super().__init__(
            where, f"holds several results folders ({names}{more})", "open one of them"
        )


class UnsafeFileError(InputError):
    """A file asks for code to be run while it is read; it was not read."""


class BodyModelError(InputError):
    """A body model file is missing, truncated or of another kind than SMPL."""


class ConfigError(InputError):
    """A configuration key is unknown, mistyped or out of range."""


class OptimizationError(RefinementError):
    """The optimisation cannot go on (non-finite energy, singular system)."""


class ExportError(RefinementError):
    """A result cannot be written."""


class ExportChoiceError(ExportError, InputError):
    """What is asked for cannot be exported; nothing was written."""


class Cancelled(RefinementError):
    """The caller cancelled the run; nothing was kept."""

    def __init__(self) -> None:
        super().__init__("refinement", "was cancelled", "start it again when you are ready")
