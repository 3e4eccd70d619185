"""The refinement problem: people, cameras and evidence, packed once; evaluated many times.

::

    problem = Problem(scene, body, state, config, extra_terms=(...))    # once per run
    packed = problem.pack(state)                  # OptimizationState -> Packed
    state = problem.unpack(packed)                # Packed -> OptimizationState, cheap
    problem.prepare(packed, "smpl", weights)      # at the begin of a sub-stage
    total, terms = problem.evaluate(packed, weights)
    evidence = problem.evidence(packed)           # on the held-out tenth, for the guard
    result = step(problem, packed, weights, Free(...), damping, poll)     # solver.levenberg
    found = covariance(problem, packed, weights, Free(...))               # solver.covariance

``weights``: term name to lambda as in ``RefinementConfig.weights()``; where a name is missing, or
its lambda is 0, the term is exactly absent. Which terms a sub-stage has is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, overload

import numpy as np

from refine_engine.geometry.planes import tangent_basis
from refine_engine.solver.arrow_problem import QuadraticModel
from refine_engine.solver.threads import people_runner
from refine_engine.terms.alpha_bound import alpha_bound
from refine_engine.terms.depth_samples import choose_samples
from refine_engine.terms.frames import FramePart
from refine_engine.terms.held_out import held_out_evidence
from refine_engine.terms.joint_uncertainty import joint_sigma
from refine_engine.terms.model import PersonModel
from refine_engine.terms.packed import (
    Packed,
    PackedPerson,
    moved,
    packed_state,
    pose_person,
    unpacked_state,
    writable,
)
from refine_engine.terms.points import FULL_WIDTH, ROOT_WIDTH
from refine_engine.terms.protocol import Common, Posed, Term
from refine_engine.terms.registry import built_in_terms
from refine_engine.terms.tracks import build_track, with_filled

if TYPE_CHECKING:
    from refine_engine.body import BodyModel
    from refine_engine.config import RefinementConfig
    from refine_engine.scene import Array, Scene
    from refine_engine.solver.arrow_problem import Free
    from refine_engine.solver.threads import Poll, Run
    from refine_engine.state import OptimizationState
    from refine_engine.terms.floor import FloorTilt
    from refine_engine.terms.protocol import Track

FIRST_KEYPOINT_SCALE_PX = 60.0
"""Geman-McClure scale of keypoints at a 500 px person while people still stand wrong."""
LAST_KEYPOINT_SCALE_PX = 25.0
"""In the sub-stages that follow: five standard deviations; outliers count for nothing."""
MODEL_BYTES = 30_000
"""About what a frame's quadratic model takes with every term."""
LARGE_BYTES = 500_000_000
"""Models of all people together beyond this are made one after another, when they are needed."""
REMEMBERED = 3
"""Posed states kept for each person: the present one, and those that a step is chosen from."""


class Problem:
    """A scene as the solver sees it.

    Parameters
    ----------
    scene, body, config
        What to refine, with which body and settings.
    state
        After ``init``: dense frames, contacts, plane, alpha_0. Fixes which frames there are.
    extra_terms
        Terms beyond the built-in ones, such as the motion prior.
    hold_out
        Keep a tenth of the evidence aside for :meth:`evidence`.
    floor
        How the floor lies where ``init`` found that in the depth maps.
    """

    def __init__(
        self,
        scene: Scene,
        body: BodyModel,
        state: OptimizationState,
        config: RefinementConfig,
        extra_terms: Sequence[Term] = (),
        *,
        hold_out: bool = True,
        floor: FloorTilt | None = None,
    ) -> None:
        self.scene, self.body, self.config = scene, body, config
        self.floor = floor
        self.threads = config.threads
        self.ids = tuple(sorted(state.people))
        self.terms: tuple[Term, ...] = (*built_in_terms(), *extra_terms)
        self.hold_out = hold_out
        self.tracks: list[Track] = [
            build_track(
                scene, body, scene.people[i], state.people[i], state, config, hold_out=hold_out
            )
            for i in self.ids
        ]
        self.keypoint_scale = FIRST_KEYPOINT_SCALE_PX
        self.shared_depth = config.depth_scale == "shared"
        if scene.depth is not None:
            self.shared_depth = self.shared_depth and scene.depth.shares_camera_unit
        self._template = state
        self._contacts = [writable(state.people[i].contacts) for i in self.ids]
        self._posed: list[list[tuple[PackedPerson, Posed]]] = [[] for _ in self.ids]
        self._last: tuple[Packed, dict[str, float], int, float, dict[str, float]] | None = None
        self._moves: tuple[Packed, Packed, Array] | None = None
        self._version = 0
        self._sub_stage = ""

    def pack(self, state: OptimizationState) -> Packed:
        """The variables of a state; its contacts are taken over too."""
        self.set_contacts({i: state.people[i].contacts for i in self.ids})
        return packed_state(state, self.ids)

    def unpack(self, packed: Packed) -> OptimizationState:
        """A state with these variables; arrays are views and must not be written to."""
        contacts = dict(zip(self.ids, self._contacts, strict=True))
        return unpacked_state(packed, self._template, contacts)

    def set_contacts(self, contacts: Mapping[int, Array]) -> None:
        """Change the contact probabilities (n, 4) of some people."""
        for p, i in enumerate(self.ids):
            if i in contacts:
                self._contacts[p] = writable(contacts[i])
        self._forget()

    def expect_filled(self, state: OptimizationState) -> None:
        """Take the filled frames of a state for what is expected there."""
        self.tracks = [
            with_filled(track, self.scene, self.body, state.people[i], state)
            for i, track in zip(self.ids, self.tracks, strict=True)
        ]
        self._forget()

    def prepare(
        self,
        packed: Packed,
        sub_stage: str,
        weights: Mapping[str, float] | None = None,
        poll: Poll | None = None,
    ) -> None:
        """Set what is constant within a sub-stage: the keypoints' robust scale, depth samples.

        Call it at the begin of each sub-stage, and after a change of weights. Depth samples are
        chosen for the first sub-stage and again for ``scale``, when people stand where they
        should: choosing them takes longer than several iterations.
        """
        self.keypoint_scale = (
            FIRST_KEYPOINT_SCALE_PX if sub_stage == "root" else LAST_KEYPOINT_SCALE_PX
        )
        begun = sub_stage != self._sub_stage
        chosen = all(track.depth is not None for track in self.tracks)
        if self.scene.depth is not None and (not chosen or (begun and sub_stage == "scale")):
            self._choose_depth(packed, self.scene, poll)
        self._sub_stage = sub_stage
        self._forget()

    def _choose_depth(self, packed: Packed, scene: Scene, poll: Poll | None) -> None:
        found = choose_samples(
            scene,
            self.tracks,
            self.posed(packed),
            self._common(packed),
            self.config.depth_stride,
            hold_out=self.hold_out,
            poll=poll,
        )
        self.tracks = [
            replace(track, depth=evidence)
            for track, evidence in zip(self.tracks, found, strict=True)
        ]

    def evaluate(
        self, state: Packed, weights: Mapping[str, float], poll: Poll | None = None
    ) -> tuple[float, dict[str, float]]:
        """Total loss and the weighted loss of each active term."""
        key = {k: v for k, v in weights.items() if v > 0.0}
        last = self._last
        if last is not None and last[0] is state and last[1] == key and last[2] == self._version:
            return last[3], dict(last[4])
        active = self.active_terms(weights)
        common = self._common(state, weights)

        def person(p: int) -> list[float]:
            posed = self._pose(p, state)
            return [term.loss(self.tracks[p], posed, common, w, None) for term, w in active]

        table = np.array(people_runner(self.threads, poll)(person, len(self.ids)))
        terms: dict[str, float] = {}
        for k, (term, _) in enumerate(active):
            # Two terms may share a name (and its weight): body sizes and the motion likelihood.
            terms[term.info.name] = terms.get(term.info.name, 0.0) + float(table[:, k].sum())
        total = float(sum(terms.values()))
        self._last = (state, key, self._version, total, terms)
        return total, dict(terms)

    def active_terms(self, weights: Mapping[str, float]) -> list[tuple[Term, float]]:
        """Terms whose lambda is positive, with their effective weight."""
        return [
            (term, term.info.weight(weights[term.info.name]))
            for term in self.terms
            if weights.get(term.info.name, 0.0) > 0.0
        ]

    def linearise(
        self, state: Packed, weights: Mapping[str, float], free: Free, run: Run
    ) -> QuadraticModel:
        """Gauss-Newton model at a state, robust weights fixed."""
        active = self.active_terms(weights)
        common = self._common(state, weights)
        width = FULL_WIDTH if free.pose else ROOT_WIDTH
        chunks = len(state.chunk_log_scale)

        def person(p: int) -> FramePart:
            track, posed = self.tracks[p], self._pose(p, state)
            model = PersonModel.zeros(len(track), len(track.layout.points), chunks)
            for term, weight in active:
                term.loss(track, posed, common, weight, model)
            return FramePart(self.body, track, posed, model, width)

        if self._large:
            return QuadraticModel(_MadeParts(person, len(self.ids)), lasting=False)
        return QuadraticModel(run(person, len(self.ids)))

    def moved(self, state: Packed, frames: Sequence[Array], own: Array, shared: Array) -> Packed:
        """State after a step; see :class:`refine_engine.solver.arrow_problem.ArrowProblem`."""
        return moved(state, frames, own, shared)

    def alpha_limits(self, state: Packed) -> tuple[float, float]:
        """Steps of log alpha that stay within the bound about alpha_0, see :func:`alpha_bound`."""
        bound = alpha_bound(self.config, self._template.alpha_0_log_sigma)
        moved = float(np.log(state.alpha / self._template.alpha_0))
        return min(bound.low - moved, 0.0), max(bound.high - moved, 0.0)

    def joint_step(self, before: Packed, after: Packed, share: float) -> float:
        """Movement in metres that the given share of all joints does not exceed."""
        known = self._moves
        if known is None or known[0] is not before or known[1] is not after:
            known = (before, after, self._squared_moves(before, after))
        # Not in large problems: it would keep a state alive.
        self._moves = None if self._large else known
        squared = known[2]
        last = min(int(share * len(squared)), len(squared) - 1)
        return float(np.sqrt(np.partition(squared, last)[last]))

    def _squared_moves(self, before: Packed, after: Packed) -> Array:
        """Squared movements of all joints."""
        return np.concatenate(
            [
                ((self._pose(p, after).points[:, :24] - self._pose(p, before).points[:, :24]) ** 2)
                .sum(-1)
                .ravel()
                for p in range(len(self.ids))
            ]
        )

    def explain(self, state: Packed, weights: Mapping[str, float]) -> str:
        """Name what is not finite: a variable, or a term's loss, with person and frame."""
        common = self._common(state, weights)
        for p, i in enumerate(self.ids):
            posed = self._pose(p, state)
            bad = np.flatnonzero(~np.isfinite(posed.points).all((1, 2)))
            if len(bad):
                return f"person {i}, frame {self.tracks[p].frames[bad[0]]}: joints are not finite"
            for term, weight in self.active_terms(weights):
                loss = term.loss(self.tracks[p], posed, common, weight, None)
                if not np.isfinite(loss):
                    return f"term '{term.info.name}', person {i}: the loss is {loss}"
        return ""

    def evidence(self, state: Packed) -> dict[str, float]:
        """Errors on the held-out tenth; see :func:`.held_out.held_out_evidence`."""
        posed = [self._pose(p, state) for p in range(len(self.ids))]
        return held_out_evidence(self.tracks, posed, self._common(state))

    def alpha_of(self, state: Packed) -> float:
        """Metres per reconstruction unit."""
        return state.alpha

    def joint_sigma(
        self, p: int, state: Packed, frames: Array, solved: Array, border: Array
    ) -> Array:
        """See :class:`refine_engine.solver.covariance.UncertainProblem`."""
        posed, points = self._pose(p, state), self.tracks[p].layout.points
        values, vectors = np.linalg.eigh(border)
        root = np.ascontiguousarray(vectors * np.sqrt(np.maximum(values, 0.0)))
        return joint_sigma(self.body, posed, points, frames, solved, root)

    def posed(self, state: Packed) -> list[Posed]:
        """All people at a state, in the order of ``ids``; ``points[:, :24]`` are the joints."""
        return [self._pose(p, state) for p in range(len(self.ids))]

    def common(self, state: Packed) -> Common:
        """What all people share at a state."""
        return self._common(state)

    @property
    def _large(self) -> bool:
        return sum(MODEL_BYTES * len(track) for track in self.tracks) > LARGE_BYTES

    def _forget(self) -> None:
        self._version += 1
        self._posed = [[] for _ in self.ids]
        self._last = self._moves = None

    def _common(self, state: Packed, weights: Mapping[str, float] | None = None) -> Common:
        return Common(
            body=self.body,
            alpha=state.alpha,
            plane=state.plane,
            plane_basis=tangent_basis(state.plane[:3]),
            chunk_log_scale=state.chunk_log_scale,
            shared_depth=self.shared_depth,
            keypoint_scale=self.keypoint_scale,
            people=len(self.ids),
            alpha_0=self._template.alpha_0,
            alpha_0_log_sigma=self._template.alpha_0_log_sigma,
            floor=self.floor,
            active=frozenset(term.info.name for term, _ in self.active_terms(weights or {})),
        )

    def _pose(self, p: int, state: Packed) -> Posed:
        """Kinematics of a person; the last few states are remembered."""
        person = state.people[p]
        recent = self._posed[p]
        for known, posed in recent:
            if known is person:
                return posed
        # Feet of filled-in frames stand nowhere: interpolation says nothing about contact.
        contacts = self._contacts[p] * self.tracks[p].observed[:, None]
        posed = pose_person(self.body, self.tracks[p], person, contacts)
        self._posed[p] = [(person, posed), *recent[: 0 if self._large else REMEMBERED - 1]]
        return posed


class _MadeParts(Sequence[FramePart]):
    """People's models, each made when it is asked for."""

    def __init__(self, make: Callable[[int], FramePart], count: int) -> None:
        self._make, self._count = make, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> FramePart: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[FramePart]: ...

    def __getitem__(self, index: int | slice) -> FramePart | Sequence[FramePart]:
        if isinstance(index, slice):
            return [self._make(p) for p in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._make(index)
