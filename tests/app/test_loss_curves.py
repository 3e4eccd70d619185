from __future__ import annotations

import csv
import io

import numpy as np

from app.loss_curves import Curve, SubStageCurves, as_csv, decimated, positive_floor


def test_a_curve_grows_without_losing_values() -> None:
    curve = Curve()
    for value in range(1000):
        curve.append(value)
    np.testing.assert_array_equal(curve.values, np.arange(1000.0))


def test_a_term_that_appears_late_is_nan_before_and_after_it_left() -> None:
    curves = SubStageCurves()
    curves.append(1, 3.0, {"data": 3.0})
    curves.append(2, 2.0, {"data": 1.0, "pose": 1.0})
    curves.append(3, 1.0, {"pose": 1.0})
    np.testing.assert_array_equal(curves.curves["pose"].values, [np.nan, 1.0, 1.0])
    np.testing.assert_array_equal(curves.curves["data"].values, [3.0, 1.0, np.nan])


def test_decimation_keeps_ends_and_spikes() -> None:
    x = np.arange(100_000.0)
    y = np.ones(100_000)
    y[54_321], y[12_345] = 50.0, -50.0
    short_x, short_y = decimated(x, y, 800)
    assert len(short_x) <= 1700
    assert short_x[0] == 0
    assert short_x[-1] == 99_999
    assert short_y.max() == 50.0
    assert short_y.min() == -50.0
    assert (np.diff(short_x) > 0).all()


def test_short_curves_are_left_alone() -> None:
    x, y = np.arange(10.0), np.arange(10.0)
    assert decimated(x, y, 100) == (x, y)


def test_logarithms_never_see_zero() -> None:
    floored = positive_floor(np.array([0.0, -1.0, np.nan, 2.0]))
    assert (floored[[0, 1]] > 0).all()
    assert np.isnan(floored[2])
    assert floored[3] == 2.0


def test_csv_can_be_read_back() -> None:
    root, smpl = SubStageCurves(), SubStageCurves()
    root.append(1, 0.5, {"data": 0.5})
    smpl.append(1, 0.4, {"data": 0.3, "pose": 0.1})
    text = as_csv({"root": root, "smpl": smpl}, ["root", "smpl", "final"])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [r["sub_stage"] for r in rows] == ["root", "smpl"]
    assert rows[0]["pose"] == ""
    assert float(rows[1]["pose"]) == 0.1
    assert float(rows[1]["total"]) == 0.4
