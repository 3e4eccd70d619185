"""The command line, ``smpl-refiner``: finds the sub-command, runs it, words its failure.

Each sub-command lives in a module of its own with ``add_command(subparsers)``, which adds its
parser and sets ``run`` (arguments -> exit code) as a default. Such modules import what is slow to
import inside ``run``, so that ``--help`` stays quick.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from refine_engine.errors import Cancelled, InputError, RefinementError

COMMAND_MODULES: tuple[str, ...] = (
    "refine_engine.evaluation.synthetic.command",
    "refine_engine.importers.inspect_command",
    "refine_engine.refine_command",
    "refine_engine.evaluation.evaluate_command",
    "refine_engine.evaluation.compare_command",
    "refine_engine.exporters.export_command",
    "refine_engine.batch.batch_command",
    "refine_engine.evaluation.bench_command",
)
"""Modules with ``add_command``, in the order in which ``--help`` lists them."""

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """Bad usage is one line, as every other error; sub-commands get this kind of parser too."""

    def error(self, message: str) -> NoReturn:
        message = message.removeprefix("argument ")
        self.exit(BAD_INPUT, f"{self.prog}: {message}; see {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of ``smpl-refiner`` with every sub-command."""
    parser = _Parser(
        prog="smpl-refiner",
        description="Refine the SMPL motion of several people in one shared world.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show versions and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMAND_MODULES:
        importlib.import_module(name).add_command(subparsers)
    for command in set(subparsers.choices.values()):
        command.add_argument(
            "--debug", action="store_true", help="show where in the program a failure arose"
        )
    return parser


class _Version(argparse.Action):
    """Prints what computes the results, which results name too."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> None:
        # Slow to import, and not needed otherwise.
        from refine_engine.exporters.results_json import versions

        known = versions()
        own = known.pop("smpl-refiner")
        others = ", ".join(f"{name} {version}" for name, version in known.items())
        sys.stdout.write(f"smpl-refiner {own} ({others})\n")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        Arguments without the program's name; None takes those of the process.

    Returns
    -------
    int
        0 done; 1 ran and failed; 2 bad usage or bad input; 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # A terminal without UTF-8 shows "?" for a sign that it lacks; the command goes on.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    args = build_parser().parse_args(_joined_axis(sys.argv[1:] if argv is None else argv))
    try:
        return int(args.run(args))
    except RefinementError as error:
        _report(error, args.debug)
        bad_input = isinstance(error, InputError)
        return BAD_INPUT if bad_input else INTERRUPTED if isinstance(error, Cancelled) else FAILED
    except KeyboardInterrupt:
        sys.stderr.write("smpl-refiner: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (a pager, head) has seen enough. Without this, Python would
        # complain once more when it flushes at exit.
        sys.stdout = None
        return DONE
    except MemoryError as error:
        if args.debug:
            raise
        reason = str(error).splitlines()[0] if str(error) else "none is left"
        sys.stderr.write(
            f"smpl-refiner: there is not enough memory ({reason}); close other programs, use fewer "
            "frames (--max-frames), or check what the files claim to hold.\n"
        )
        return FAILED
    except Exception as error:
        if args.debug:
            raise
        if "cannot cache function" in str(error):
            sys.stderr.write(
                "smpl-refiner: compiled kernels have no place to be kept: neither the program's "
                "folder nor a home folder can be written; set the variable NUMBA_CACHE_DIR to a "
                "folder that can.\n"
            )
            return FAILED
        sys.stderr.write(
            f"smpl-refiner: a defect of the program ({type(error).__name__}: {error}); "
            "run it again with --debug and report what it prints.\n"
        )
        return FAILED


def _joined_axis(argv: Sequence[str]) -> list[str]:
    """``--up -y`` as ``--up=-y``: what begins with a dash is taken for an option otherwise."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] == "--up" and re.fullmatch("-[xyzXYZ]", word):
            joined[-1] = f"--up={word}"
        else:
            joined.append(word)
    return joined


def _report(error: RefinementError, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    sys.stderr.write(f"smpl-refiner: {error}\n")
