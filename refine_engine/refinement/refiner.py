"""``Stage5Refiner``: the seven sub-stages in a row, one snapshot an iteration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from refine_engine.body import load_body_model
from refine_engine.config import RefinementConfig
from refine_engine.errors import Cancelled, InputError, OptimizationError
from refine_engine.refinement.clock import Clock
from refine_engine.refinement.control import RunControl
from refine_engine.refinement.document_names import DocumentNames
from refine_engine.refinement.input import RefinementInput
from refine_engine.refinement.opening import open_scene
from refine_engine.refinement.refinement_run import RefinementRun
from refine_engine.refinement.substages import plan_of
from refine_engine.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from refine_engine.body import BodyModel
    from refine_engine.state import (
        OptimizationState,
        RefinementOutput,
        Snapshot,
        SubStage,
        SubStageResult,
    )
    from refine_engine.terms.problem import Problem


class Stage5Refiner(DocumentNames):
    """Refines several people's motion, the ground and the unit of the cameras.

    Parameters
    ----------
    config
        Settings, or the ``stage5`` mapping of a pipeline's YAML; None = the defaults.
    body
        The body model of the input's poses; None = as the input says (embedded where it says
        nothing).

    Examples
    --------
    >>> refiner = Stage5Refiner()                      # doctest: +SKIP
    >>> output = refiner.refine(RefinementInput(...))  # doctest: +SKIP
    """

    def __init__(
        self,
        config: RefinementConfig | Mapping[str, Any] | None = None,
        body: BodyModel | None = None,
    ) -> None:
        self.config = (
            RefinementConfig.from_dict(config)
            if isinstance(config, Mapping)
            else config or RefinementConfig()
        )
        self._given_body = body
        self._run: RefinementRun | None = None

    @property
    def output(self) -> RefinementOutput:
        """Result of the last run, as far as it got.

        Raises
        ------
        OptimizationError
            Nothing ran yet, or the run was cancelled.
        """
        if self._run is None or self._run.output is None:
            raise OptimizationError(
                "refinement", "has no result", "run refine() or iterate() first"
            )
        return self._run.output

    @property
    def packed_problem(self) -> tuple[Problem, BodyModel]:
        """Evidence as packed by the last run, with the body: for benchmarks and diagnosis.

        Raises
        ------
        OptimizationError
            Nothing ran yet.
        """
        opened = self._last("refinement").opened
        return opened.problem, opened.body

    def refine(
        self, refinement_input: RefinementInput | Scene, control: RunControl | None = None
    ) -> RefinementOutput:
        """Run every enabled sub-stage to its end and return the result."""
        for _ in self.iterate(refinement_input, control):
            pass
        return self.output

    def iterate(
        self,
        refinement_input: RefinementInput | Scene,
        control: RunControl | None = None,
        start: OptimizationState | None = None,
        first_substage: SubStage | None = None,
        earlier: Iterable[SubStageResult] = (),
    ) -> Iterator[Snapshot]:
        """Run sub-stage after sub-stage, yielding what the caller may watch and interrupt.

        Parameters
        ----------
        refinement_input
            What to refine.
        control
            The caller's hand: pause, step, stop, cancel, weights, switches.
        start
            An earlier state to go on from; None = what ``init`` finds.
        first_substage
            The first one to run after ``init``; None = ``root``.
        earlier
            Results of sub-stages that an earlier run finished (a checkpoint's).

        Yields
        ------
        Snapshot
            "begin", "iteration" ... and "end" of each sub-stage. :attr:`output` holds the
            result so far at every "end".

        Raises
        ------
        Cancelled
            The caller discards the run; :attr:`output` is empty.
        ConfigError
            There is no such sub-stage.
        InputError
            The input cannot be used, or ``start`` is of another one.
        OptimizationError
            The loss is not finite.
        """
        control = control or RunControl()
        clock = Clock()
        self._run = None

        def poll() -> None:
            with clock.held():
                # Not a turn: a step that was asked for belongs to the first iteration.
                control.hold()
            if control.verdict == "cancel":
                raise Cancelled

        if first_substage is not None:
            plan_of(first_substage)
        scene = _input(refinement_input).limited(self.config.max_frames).scene
        try:
            poll()
            body = self._given_body or load_body_model(scene.gender)
            opened = open_scene(scene, body, self.config, start, poll)
            self._run = run = RefinementRun(opened, self.config)
            for snapshot in run.sub_stages(
                control, clock, first_substage, earlier, poll, resumed=start is not None
            ):
                with clock.held():
                    yield snapshot
        except Cancelled:
            if self._run is not None:
                self._run.output = None
            raise

    def resolve(
        self,
        state: OptimizationState,
        weights: Mapping[str, float] | None = None,
        sub_stage: SubStage = "final",
        control: RunControl | None = None,
    ) -> OptimizationState:
        """Solve one sub-stage again from ``state``, for example after a weight changed.

        The evidence packed by the last run is used again, so this is warm: usually two to four
        iterations.

        Parameters
        ----------
        state
            Where to start; usually ``output.state``.
        weights
            Term name to its new lambda; others keep theirs.

        Raises
        ------
        ConfigError
            There is no such sub-stage or term, or a lambda is out of range.
        InputError
            The state is of another input.
        OptimizationError
            Nothing ran yet, or the loss is not finite.
        """
        for snapshot in self.resolving(state, weights, sub_stage, control):
            state = snapshot.state
        return state

    def resolving(
        self,
        state: OptimizationState,
        weights: Mapping[str, float] | None = None,
        sub_stage: SubStage = "final",
        control: RunControl | None = None,
    ) -> Iterator[Snapshot]:
        """As :meth:`resolve`, yielding what it does; :attr:`output` follows where there is one.

        Yields
        ------
        Snapshot
            "begin", "iteration" ... and "end" of the sub-stage.
        """
        run = self._last("resolve")
        yield from run.again(state, weights or {}, sub_stage, control or RunControl(), Clock())

    def loss(self, state: OptimizationState, terms: tuple[str, ...]) -> float:
        """Weighted loss, in nats, of some terms at ``state``, on the last input.

        Terms that are switched off, or that there is no prior for, count nothing.
        """
        return self._last("loss").loss(state, terms)

    def _last(self, what: str) -> RefinementRun:
        if self._run is None:
            raise OptimizationError(what, "has no input yet", "run refine() or iterate() first")
        return self._run


def _input(given: RefinementInput | Scene) -> RefinementInput:
    """What the caller gave, checked.

    Raises
    ------
    InputError
        It is neither, or cannot be used.
    """
    if isinstance(given, RefinementInput):
        return given
    if isinstance(given, Scene):
        return RefinementInput.from_scene(given)
    raise InputError(
        "the input",
        f"is a {type(given).__name__}",
        "give a RefinementInput, or the scene that load_results(folder) returns",
    )
