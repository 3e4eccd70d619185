"""The body model: SMPL's arrays, checked once and then immutable."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from refine_engine.body.joints import PARENTS

if TYPE_CHECKING:
    from pathlib import Path

Array = NDArray[np.float64]

GENDERS = ("neutral", "male", "female")


@dataclass(frozen=True, eq=False)
class BodyModel:
    """A body in SMPL's layout; arrays are read-only, float64, in metres, Y up, Z forward."""

    name: str
    """What the model is called in reports, for example ``embedded neutral body``."""
    gender: str
    """``neutral``, ``male`` or ``female``."""
    source: Path
    """The file that it was read from."""
    v_template: Array
    """(6890, 3) vertices of the mean body in its T-pose."""
    shapedirs: Array
    """(6890, 3, 10) metres that each vertex moves for one unit of each beta."""
    posedirs: Array | None
    """(6890, 3, 207) pose correctives per entry of the flattened ``R_1 - I .. R_23 - I``; None
    where they are all zero."""
    J_regressor: Array
    """(24, 6890) joints as weighted means of vertices of the T-pose."""
    weights: Array
    """(6890, 24) skinning weights, rows summing to 1."""
    faces: NDArray[np.int32]
    """(13776, 3) triangles, counter-clockwise from outside."""

    def __post_init__(self) -> None:
        for array in (self.v_template, self.shapedirs, self.posedirs, self.J_regressor):
            if array is not None:
                array.flags.writeable = False
        self.weights.flags.writeable = False
        self.faces.flags.writeable = False

    @property
    def parents(self) -> tuple[int, ...]:
        """Parent of each joint."""
        return PARENTS

    @functools.cached_property
    def rest_joints_template(self) -> Array:
        """(24, 3) joints of the mean body in its T-pose."""
        return _frozen(self.J_regressor @ self.v_template)

    @functools.cached_property
    def joint_shapedirs(self) -> Array:
        """(24, 3, 10) metres that each rest joint moves for one unit of each beta.

        Joints are linear in the vertices and vertices are linear in betas, so rest joints are
        exactly ``rest_joints_template + joint_shapedirs @ betas``.
        """
        return _frozen(np.einsum("jv,vck->jck", self.J_regressor, self.shapedirs))


def _frozen(array: Array) -> Array:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
