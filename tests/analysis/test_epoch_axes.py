from __future__ import annotations

import numpy as np
import pytest
import sklearn.discriminant_analysis
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

import popdyn as pdn
from popdyn.analysis.epoch_axes_session import axis_of
from tests.analysis.dual_task_networks import AXES, session

TWO = {"axis": "memory", "other_axis": "distractor"}
PLAIN = {"memory": ("sample", (0.0, 0.2)), "distractor": ("distractor", (0.2, 0.4))}


def planted(cosine=0.0, noise=1.0, n_neurons=20, n_repeats=10, seed=0, length=3.0):
    """Two bins of sample along one axis, two of the distractor along another."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(n_neurons, 2)))[0]
    other = cosine * basis[:, 0] + np.sqrt(1 - cosine**2) * basis[:, 1]
    sample, distractor = np.tile([0, 0, 1, 1], n_repeats), np.tile([0, 1], 2 * n_repeats)
    values = noise * rng.normal(size=(n_neurons, 4, sample.size))
    values[:, :2] += length * np.multiply.outer(basis[:, 0], sample)[:, None]
    values[:, 2:] += length * np.multiply.outer(other, distractor)[:, None]
    return pdn.make_tensor(
        values, 0.05 + 0.1 * np.arange(4), {"sample": sample, "distractor": distractor}, units="1"
    )


def run(sessions, axes=PLAIN, **kwargs):
    return pdn.epoch_axes(sessions, axes, **{"n_splits": 5, "n_draws": 50, **kwargs})


@pytest.mark.parametrize("cosine", [0.0, 0.5, -0.8])
@pytest.mark.parametrize("method", ["mean_difference", "lda"])
def test_a_planted_angle_is_found_through_noise(cosine, method):
    result = run([planted(cosine, 1.5, seed=seed) for seed in range(24)], method=method)
    found = result.sel(TWO)
    assert float(found.stage_cosine[0]) == pytest.approx(cosine, abs=0.08)
    assert float(found.stage_overlap[0]) == pytest.approx(cosine**2, abs=0.08)


def test_axes_of_all_trials_look_too_orthogonal():
    """What the quarters are for: with noise the plain cosine of one axis with itself is not 1."""
    sessions = [planted(1.0, 3.0, seed=seed, n_repeats=6) for seed in range(40)]
    plain = []
    for x in sessions:
        axes = [
            axis_of(x.values[:, bins].mean(axis=1).T, x[label].values, "mean_difference")
            for label, bins in (("sample", slice(0, 2)), ("distractor", slice(2, 4)))
        ]
        plain.append(axes[0] @ axes[1] / np.prod([np.linalg.norm(axis) for axis in axes]))
    assert np.mean(plain) < 0.8
    result = run(sessions).sel(TWO)
    low, high = result.stage_cosine_bound[:, 0]
    assert low < 1.0 < high and high - low < 0.8
    assert float(result.stage_cosine[0]) == pytest.approx(1.0, abs=0.2)


def test_the_discriminant_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    label = np.tile([0, 1], 30)
    values = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)) + label[:, None]
    ours = axis_of(values, label, "lda")
    within = values - np.array([values[label == c].mean(axis=0) for c in (0, 1)])[label]
    covariance = within.T @ within / 58
    ridge = np.trace(covariance) / 5

    class Ridge(sklearn.covariance.EmpiricalCovariance):
        def fit(self, x, y=None):  # noqa: ARG002
            # Of one class; scikit-learn averages the classes.
            self.covariance_ = np.cov(x.T, bias=True) * 60 / 58 + ridge * np.eye(5)
            return self

    theirs = sklearn.discriminant_analysis.LinearDiscriminantAnalysis(
        solver="lsqr", covariance_estimator=Ridge()
    ).fit(values, label)
    direction = theirs.coef_[0]
    cosine = ours @ direction / np.linalg.norm(ours) / np.linalg.norm(direction)
    assert cosine == pytest.approx(1.0, abs=1e-10)


def test_a_network_with_a_planted_angle_shows_it_in_the_dual_task():
    """Line attractors at cosines 0.9, 0.5 and 0: an animal that learns to protect its memory."""
    stages = ["naive"] * 4 + ["learning"] * 4 + ["expert"] * 4
    cosines = [0.9] * 4 + [0.5] * 4 + [0.0] * 4
    sessions = [session(cosine, seed=seed) for seed, cosine in enumerate(cosines)]
    result = run(sessions, AXES, stage=stages)
    found = result.sel(TWO)
    assert result.stage.values.tolist() == ["naive", "learning", "expert"]
    np.testing.assert_allclose(found.stage_overlap, [0.81, 0.25, 0.0], atol=0.1)
    low, high = found.stage_angle_bound
    truth = np.arccos([0.9, 0.5, 0.0])
    assert (low <= truth + 1e-9).all() and (truth - 1e-9 <= high).all()
    assert float(found.trend) < -0.9 and float(found.p) < 0.05
    # The memory cannot be read from the distractor's epoch while both share an axis.
    transfer = result.stage_transfer_accuracy.sel(axis="memory")
    assert (transfer.sel(epoch="memory") > 0.9).all()
    assert transfer.sel(epoch="distractor", stage="naive") < 0.8
    assert transfer.sel(epoch="distractor", stage="expert") > 0.9
    # Before the distractor comes, nothing of it lies along either axis.
    before = result.separation.sel(label="distractor", time=slice(0, 0.9))
    during = result.separation.sel(label="distractor", time=slice(1.2, 1.4))
    assert np.abs(before.mean("session")).max() < 0.2 * during.sel(axis="distractor").mean()


def test_stage_means_and_the_trend_are_those_of_their_definition():
    sessions = [planted(c, 1.0, seed=i) for i, c in enumerate([0.9, 0.7, 0.5, 0.3, 0.2, 0.0])]
    result = run(sessions, stage=[1, 1, 2, 2, 3, 3])
    overlap = result.overlap.sel(TWO).values
    mean = overlap.reshape(3, 2).mean(axis=1)
    np.testing.assert_allclose(result.stage_overlap.sel(TWO), mean, atol=0.05)
    exact = run(sessions[0])
    np.testing.assert_allclose(exact.stage_overlap[0], exact.overlap[0], rtol=1e-12)
    np.testing.assert_allclose(exact.stage_cosine[0], exact.cosine[0], rtol=1e-12)
    expected = spearmanr([1, 1, 2, 2, 3, 3], overlap).statistic
    assert float(result.trend.sel(TWO)) == pytest.approx(expected, abs=1e-12)
    one = run(sessions[0])
    assert np.isnan(one.stage_overlap_bound).all() and np.isnan(one.trend).all()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_rotation_order_and_units_change_nothing(seed, factor):
    x = planted(0.4)
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    first = run(x)
    turned = run(x.copy(data=factor * np.einsum("ij,jtn->itn", turn, x.values)))
    moved = run(x.isel(neuron=rng.permutation(20)))
    for name in ("cosine", "overlap", "transfer_accuracy"):
        np.testing.assert_allclose(turned[name], first[name], rtol=1e-6)
        np.testing.assert_allclose(moved[name], first[name], rtol=1e-6)
    np.testing.assert_allclose(turned.separation, factor * first.separation, rtol=1e-6)
    swapped = run(x.assign_coords(sample=("trial", 1 - x["sample"].values)))
    assert float(swapped.cosine.sel(TWO)[0]) * float(first.cosine.sel(TWO)[0]) < 0


def test_sessions_of_other_neurons_and_names_are_taken_as_they_are():
    named = {"mouse 1": planted(n_neurons=12), "mouse 2": planted(n_neurons=30, seed=1)}
    result = run(named, stage=["early", "late"])
    assert result.session.values.tolist() == ["mouse 1", "mouse 2"]
    assert result.n_trials.values.tolist() == [40, 40]
    assert result.separation.sizes == {"session": 2, "axis": 2, "label": 2, "time": 4}


def test_trials_with_nan_are_left_out():
    x = planted()
    values = x.values.copy()
    values[3, 1, :8] = np.nan
    with pytest.warns(pdn.PopdynWarning, match="8 of 40 trials with NaN are left out"):
        result = run(x.copy(data=values))
    np.testing.assert_allclose(result.overlap, run(x.isel(trial=slice(8, None))).overlap)
    with pytest.raises(
        pdn.FitError, match="none of 40 trials is known in every neuron and bin.*select"
    ):
        run(x * np.nan)


def test_trials_without_a_label_are_counted_by_axis():
    x = planted()
    sample = np.where(np.arange(40) < 4, np.nan, x["sample"].values)
    words = "^axis 'memory', session 1: 4 of 40 trials have no value in 'sample'"
    with pytest.warns(pdn.PopdynWarning, match=words):
        run(x.assign_coords(sample=("trial", sample)))


def test_classes_lost_with_nan_are_listed_with_what_to_do():
    x = planted()
    values = x.values.copy()
    values[3][:, x["distractor"].values == 1] = np.nan
    words = (
        "session 1: 5 folds need .* after leaving out 20 trials with NaN in "
        "axis 'distractor': distractor = 1 \\(0\\). Leave the session out"
    )
    with (
        pytest.warns(pdn.PopdynWarning, match="20 of 40 trials"),
        pytest.raises(pdn.FitError, match=words),
    ):
        run(x.copy(data=values))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"method": "svm"}, pdn.TensorError, "'mean_difference', 'lda'; found 'svm'"),
        ({"n_folds": 1}, pdn.TensorError, "n_folds >= 2"),
        (
            {"n_folds": 30},
            pdn.FitError,
            "30 folds need 30 trials or more of each value; too few in axis",
        ),
        ({"stage": ["a", "b"]}, pdn.TensorError, "for each of 1 sessions, found 2"),
        ({"axes": {"memory": ("sample", (0, 1))}}, pdn.TensorError, "two names or more"),
        (
            {"axes": {**PLAIN, "memory": ("sample", (3, 4))}},
            pdn.TensorError,
            "epoch of axis 'memory' from 3 to 4 s holds no bin",
        ),
        ({"axes": {**PLAIN, "memory": ("smple", (0, 1))}}, pdn.TensorError, "sample"),
    ],
)
def test_bad_requests_are_refused_in_plain_words(change, error, words):
    with pytest.raises(error, match=words):
        run(planted(), **change)


def test_labels_and_times_that_do_not_fit_are_refused():
    x = planted()
    with pytest.raises(pdn.TensorError, match="two values of 'sample'; session 1 has 1"):
        run(x.isel(trial=x["sample"].values == 0))
    with pytest.raises(pdn.TensorError, match="1 has 4 bins from 0.05 to 0.35 s, 2 has 3"):
        run([x, x.isel(time=slice(0, 3))])
    with pytest.raises(pdn.TensorError, match="at least one session"):
        run([])


def test_the_same_seed_gives_the_same_result_and_the_input_stays():
    x = planted()
    before = x.copy(deep=True)
    assert run(x).identical(run(x))
    assert x.identical(before)
