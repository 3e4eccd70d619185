"""The embedded prior: features, training, densities, likelihoods."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_t

from refine_engine.body import embedded_body, joint_kinematics, rest_joints
from refine_engine.errors import InputError
from refine_engine.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from refine_engine.motion_prior import train
from refine_engine.motion_prior.clips import Clip, read_clip, read_clips
from refine_engine.motion_prior.features import INPUTS, OUTPUTS, transition_features
from refine_engine.motion_prior.fitting import fit_constant_velocity, fit_mixture, fit_single
from refine_engine.motion_prior.gap_model import load_gap_model
from refine_engine.motion_prior.gap_training import NETWORKS
from refine_engine.motion_prior.likelihood import (
    FOOT_JOINTS,
    likelihood_of_score,
    score_motion,
)
from refine_engine.motion_prior.resampling import resampled
from refine_engine.motion_prior.transition import load_transition_prior


def swaying(frames: int, rate: float = 30.0, seed: int = 0, amount: float = 0.15):
    """A smooth motion near the mean pose: R (n, 24, 3, 3) and transl (n, 3)."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames)[:, None, None] / rate
    speed, phase = rng.uniform(1, 3, (24, 3)), rng.uniform(0, 6, (24, 3))
    turn = amount * np.sin(speed * t + phase)
    turn[:, 22:] = 0
    R = matrix_from_axis_angle(turn)
    R[:, 1:22] = load_transition_prior().mean @ R[:, 1:22]
    s = t[:, 0]
    transl = np.concatenate([0.3 * np.sin(s), 0.9 + 0 * s, 0.8 * s], 1)
    return R, transl


def feet_of(R, transl):
    rest = rest_joints(embedded_body(), np.zeros(10))
    return joint_kinematics(rest, R[:, 0], R[:, 1:], transl).positions[:, FOOT_JOINTS]


def write_clip(path, R, transl, rate=30.0, up="y"):
    arrays = {"poses": axis_angle_from_matrix(R).reshape(len(R), -1), "trans": transl}
    np.savez(path, **arrays, fps=np.float32(rate), up=np.array(up))


def test_features_are_the_same_in_every_heading_and_place():
    R, transl = swaying(20)
    mean = load_transition_prior().mean
    turn = matrix_from_axis_angle(np.array([0.0, 2.0, 0.0]))
    turned = R.copy()
    turned[:, 0] = turn @ R[:, 0]
    first = transition_features(mean, R, transl, 1.0, 30.0)
    second = transition_features(mean, turned, transl @ turn.T + [5.0, 1.0, 2.0], 1.0, 30.0)
    assert first[0].shape == (18, INPUTS)
    assert first[1].shape == (18, OUTPUTS)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


def test_features_of_steady_motion_have_no_output():
    mean = load_transition_prior().mean
    turn = np.zeros((6, 24, 3))
    turn[:, 4, 0] = 0.02 * np.arange(6)
    transl = np.arange(6)[:, None] * [0.0, 0.0, 0.05]
    inputs, outputs = transition_features(mean, matrix_from_axis_angle(turn), transl, 1.0, 30.0)
    np.testing.assert_allclose(outputs, 0, atol=1e-9)
    assert inputs[0, 63 + 9] == pytest.approx(0.6)
    np.testing.assert_allclose(inputs[0, 129:135], [0, 0, 1.5, 0, 0, 0], atol=1e-9)


def test_energies_are_the_mixture_density():
    prior = load_transition_prior()
    R, transl = swaying(8)
    inputs, outputs = transition_features(prior.mean, R, transl, 1.0, 30.0)
    density = sum(
        w * multivariate_t(f @ inputs[2], s, df=prior.freedom).pdf(outputs[2])
        for w, f, s in zip(prior.weights, prior.maps, prior.scales, strict=True)
    )
    energies, _ = prior.energies(R, transl, 1.0, 30.0)
    assert energies[2] + prior.least_energy == pytest.approx(-np.log(density))
    assert energies.min() >= 0


def test_the_form_at_another_rate_costs_about_the_same_over_time():
    """The same motion at 25, 30 and 60 frames a second: energy per second within 15 %."""
    from refine_engine.terms.motion import mixture_energies
    from refine_engine.terms.transition_kernel import all_features

    prior = load_transition_prior()
    costs = []
    for rate in (25.0, 30.0, 60.0):
        R, transl = swaying(int(3 * rate), rate)
        z = np.empty((len(R) - 2, 205))
        all_features(R, transl, prior.mean, 1.0, rate, z)
        energies, _ = mixture_energies(prior.forms(rate), z)
        costs.append(energies.mean())
    assert max(costs) < 1.15 * min(costs)


def test_clean_motion_is_likelier_than_jitter_and_sliding():
    prior = load_transition_prior()
    rng = np.random.default_rng(2)
    R, _ = swaying(60, amount=0.03)
    still = np.zeros((60, 3))
    clean = score_motion(prior, R, still, feet_of(R, still), 1.0, 30.0)
    noise = matrix_from_axis_angle(rng.normal(0, 0.02, (60, 24, 3)))
    shaken = score_motion(prior, R @ noise, still, feet_of(R @ noise, still), 1.0, 30.0)
    glide = np.arange(60)[:, None] * [0.02, 0.0, 0.0]
    sliding = score_motion(prior, R, glide, feet_of(R, glide), 1.0, 30.0)
    assert clean is not None
    assert shaken is not None
    assert sliding is not None
    assert clean.likelihood > 0.85
    assert sliding.likelihood < 0.75
    assert shaken.likelihood < 0.4
    assert shaken.nats > clean.nats + 50
    assert shaken.influence < clean.influence


def test_unobserved_frames_do_not_count():
    prior = load_transition_prior()
    R, transl = swaying(30)
    feet = feet_of(R, transl)
    broken = R.copy()
    broken[10] = broken[10] @ matrix_from_axis_angle(np.full((24, 3), 0.5))
    observed = np.arange(30) != 10
    a = score_motion(prior, broken, transl, feet, 1.0, 30.0, observed)
    b = score_motion(prior, R, transl, feet, 1.0, 30.0, observed)
    assert a is not None
    assert a == b
    assert score_motion(prior, R[:2], transl[:2], feet[:2], 1.0, 30.0) is None


def test_the_calibration_is_0_9_at_the_clean_median():
    assert likelihood_of_score(66.0, 66.0) == pytest.approx(0.9)
    assert likelihood_of_score(0.0, 66.0) == 1.0
    assert likelihood_of_score(1e9, 66.0) == pytest.approx(1e-6)


@pytest.mark.parametrize("rate", [24.0, 60.0, 120.0])
def test_resampling_keeps_the_motion(rate):
    R, transl = swaying(int(2 * rate) + 1, rate)
    wanted = swaying(61, 30.0)
    found = resampled(R, transl, rate, 30.0)
    assert len(found[0]) == 61
    np.testing.assert_allclose(found[0], wanted[0], atol=2e-3)
    np.testing.assert_allclose(found[1], wanted[1], atol=2e-3)


def test_mixtures_find_their_regimes():
    """Two regimes of opposite reaction: a mixture explains them, one transition cannot."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(3000, INPUTS - 1)), np.ones((3000, 1))], 1)
    calm = np.arange(3000) < 1500
    # The calm half moves little; k-means starts from how active the speeds are.
    x[calm, 63:126] *= 0.1
    y = 40.0 * np.where(calm, 1.0, -1.0)[:, None] * x[:, :1] + rng.normal(0, 4.0, (3000, OUTPUTS))
    single = fit_single(x, y, 16.0).nll(x, y).mean()
    steady = fit_constant_velocity(x, y, 16.0).nll(x, y).mean()
    mixed = fit_mixture(x, y, 2, 16.0, seed=0, rounds=10)
    assert mixed.nll(x, y).mean() < single - 5
    assert single < steady + 1
    assert mixed.weights == pytest.approx([0.5, 0.5], abs=0.1)


def test_clips_are_read_mirrored_and_split(tmp_path):
    R, transl = swaying(40)
    write_clip(tmp_path / "one.npz", R, transl)
    back = read_clip(tmp_path / "one.npz")
    np.testing.assert_allclose(back.R, R, atol=1e-6)
    twice = back.mirrored().mirrored()
    np.testing.assert_allclose(twice.R, back.R, atol=1e-12)
    np.testing.assert_allclose(twice.transl, back.transl)
    # Mirrored joints are the joints' mirror image.
    rest = rest_joints(embedded_body(), np.zeros(10))
    rest = 0.5 * (rest + rest[back_order()] * [-1, 1, 1])
    a = joint_kinematics(rest, R[:, 0], R[:, 1:], transl).positions
    m = back.mirrored()
    b = joint_kinematics(rest, m.R[:, 0], m.R[:, 1:], m.transl).positions
    np.testing.assert_allclose(b, a[:, back_order()] * [-1, 1, 1], atol=1e-6)
    names = [Clip(f"clip{i}", R, transl).held_out for i in range(200)]
    assert 20 < sum(names) < 60


def back_order():
    from refine_engine.motion_prior.clips import MIRROR

    return MIRROR


def test_z_up_clips_are_turned(tmp_path):
    R, transl = swaying(40)
    to_z = matrix_from_axis_angle(np.array([np.pi / 2, 0, 0]))
    turned = R.copy()
    turned[:, 0] = to_z @ R[:, 0]
    write_clip(tmp_path / "amass.npz", turned, transl @ to_z.T, 60.0, "z")
    back = read_clip(tmp_path / "amass.npz")
    np.testing.assert_allclose(back.transl[0], transl[0], atol=1e-6)
    np.testing.assert_allclose(back.R[0], R[0], atol=1e-6)
    assert len(back.R) == 20


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"mocap_framerate": np.array([60.0, 60.0])}, "has no frame rate in 'mocap_framerate'"),
        ({"mocap_framerate": np.array("fast")}, "has 'mocap_framerate' that is not finite numbers"),
        ({"mocap_framerate": np.array(0.0)}, "has no frame rate"),
        ({"poses": np.full((50, 156), np.nan)}, "has 'poses' that is not finite numbers"),
        ({"poses": np.array(3.0)}, r"has poses \(\) and trans"),
        ({"trans": np.zeros((49, 3))}, r"trans \(49, 3\)"),
        ({"poses": np.array([{}] * 50)}, "Python objects"),
    ],
)
def test_odd_clips_are_refused_in_a_sentence(tmp_path, change, fragment):
    good = {
        "poses": np.zeros((50, 156)),
        "trans": np.zeros((50, 3)),
        "mocap_framerate": np.array(60.0),
    }
    np.savez(tmp_path / "odd.npz", **{**good, **change})
    with pytest.raises(InputError, match=fragment):
        read_clip(tmp_path / "odd.npz")


def test_files_that_are_no_clips_are_named(tmp_path, capsys):
    with pytest.raises(InputError, match="is missing"):
        read_clips(tmp_path / "nowhere")
    np.savez(tmp_path / "shape.npz", betas=np.zeros(16))
    (tmp_path / "text.npz").write_text("hello")
    assert train.main([str(tmp_path), "--output", str(tmp_path / "x.npz")]) == 2
    told = capsys.readouterr().err
    assert "2 files are none" in told
    assert "shape.npz: is no motion clip" in told
    write_clip(tmp_path / "a.npz", *swaying(40))
    left_out: list[str] = []
    assert [c.name for c in read_clips(tmp_path, left_out)] == ["a"]
    assert len(left_out) == 2


@pytest.mark.parametrize("rate", [60.0, 120.0])
def test_amass_rates_come_to_thirty(tmp_path, rate):
    """AMASS holds 156 numbers a pose, at 60 or 120 frames a second, Z up."""
    steps = round(rate / 30.0)
    R, transl = swaying(40 * steps)
    to_z = matrix_from_axis_angle(np.array([np.pi / 2, 0, 0]))
    turned = R.copy()
    turned[:, 0] = to_z @ R[:, 0]
    poses = axis_angle_from_matrix(turned)[:, :22].reshape(len(R), 66)
    np.savez(
        tmp_path / "walk_poses.npz",
        poses=np.concatenate([poses, np.zeros((len(R), 90))], 1),
        trans=transl @ to_z.T,
        betas=np.zeros(16),
        gender="female",
        mocap_framerate=rate,
        dmpls=np.zeros((len(R), 8)),
    )
    back = read_clip(tmp_path / "walk_poses.npz")
    assert len(back.R) == 40
    np.testing.assert_allclose(back.R[:, :22], R[::steps, :22], atol=1e-6)
    np.testing.assert_allclose(back.transl, transl[::steps], atol=1e-6)
    np.testing.assert_array_equal(back.R[:, 22:], np.broadcast_to(np.eye(3), (40, 2, 3, 3)))


def test_training_writes_a_prior_that_loads_and_says_its_scores(tmp_path, capsys):
    for i in range(12):
        R, transl = swaying(80, seed=i)
        write_clip(tmp_path / f"clip{i}.npz", R, transl)
    output = tmp_path / "made" / "prior.npz"
    gaps = tmp_path / "gaps.npz"
    options = ["--components", "2", "--gap-filler", str(gaps), "--gap-steps", "2"]
    assert train.main([str(tmp_path), "--output", str(output), *options]) == 0
    assert len(load_gap_model(gaps).layers["w1"]) == NETWORKS
    told = capsys.readouterr().out
    assert "held out" in told
    prior = load_transition_prior(output)
    assert prior.maps.shape == (2, OUTPUTS, INPUTS)
    assert prior.clean_nats > 0
    _, held = train.split(read_clips(tmp_path))
    mixed = np.concatenate([prior.energies(c.R, c.transl, 1.0, 30.0)[0] for c in held])
    shown = next(line for line in told.splitlines() if "2 linear transitions" in line)
    said = float(shown.split(",")[1].split()[0])
    assert np.mean(mixed) + prior.least_energy == pytest.approx(said, abs=0.1)


def test_a_folder_without_clips_is_refused(tmp_path, capsys):
    assert train.main([str(tmp_path), "--output", str(tmp_path / "x.npz")]) == 2
    assert "motion clips" in capsys.readouterr().err


def test_a_file_that_is_no_prior_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", mean=np.zeros(3))
    with pytest.raises(InputError, match="no motion prior"):
        load_transition_prior(tmp_path / "other.npz")


def test_the_shipped_prior_is_small_and_numeric():
    from refine_engine.resources import resource_path

    path = resource_path("prior", "motion_prior.npz")
    assert path.stat().st_size < 4e6
    with np.load(path, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype == np.float32 for name in arrays)
