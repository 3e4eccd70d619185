"""What exporters are given."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.testing import assert_array_equal

from refine_engine.exporters.content import ExportContent


def test_a_part_has_every_array_of_a_person_for_its_frames_alone(content: ExportContent) -> None:
    whole = content.people[11]
    n = len(whole.frames)
    whole = dataclasses.replace(
        whole,
        joint_sigma=np.arange(24.0 * n).reshape(n, 24),
        image_shift=np.arange(2.0 * n).reshape(n, 2),
        learned=np.arange(n) % 2 == 0,
    )
    everything = dataclasses.replace(content, people={11: whole})
    part = everything.restricted(frames=(8, 12)).people[11]
    rows = np.isin(whole.frames, (8, 9, 10, 11))
    for field in dataclasses.fields(whole):
        before, after = getattr(whole, field.name), getattr(part, field.name)
        assert_array_equal(after, before if field.name == "betas" else before[rows])
