"""Data and shuffles are treated alike when demixed components are tested."""

from dataclasses import replace

import numpy as np
import pytest

import popdyn as pdn
from popdyn.analysis import dpca_significance
from popdyn.analysis.dpca_lambda import strengths
from popdyn.analysis.dpca_trials import Trials
from popdyn.analysis.dpca_variance import _bound

LEVELS, N_EACH = np.array([0, 1, 2]), 4


def noise(seed, n_neurons=10, n_times=4):
    """White noise on 3 x 2 conditions with 4 trials each."""
    stimulus = np.repeat(np.tile(LEVELS, 2), N_EACH)
    decision = np.repeat([0, 1], 3 * N_EACH)
    values = np.random.default_rng(seed).normal(size=(n_neurons, n_times, stimulus.size))
    table = {"stimulus": stimulus, "decision": decision}
    return pdn.make_tensor(values, 0.1 * np.arange(n_times), table, units="1")


def significance_of(tensor, name, n_components, **options):
    dpca = pdn.DPCA(n_components={name: n_components}).fit(tensor)
    return dpca.significance(tensor, n_components=n_components, **options)


@pytest.mark.parametrize("seed", range(6))
def test_a_shuffle_is_as_accurate_as_it_would_be_as_data(seed, monkeypatch):
    tensor = noise(seed)
    order = np.arange(24)
    for decision in (0, 1):
        own = np.flatnonzero(tensor["decision"].values == decision)
        order[own] = np.random.default_rng(seed).permutation(own)
    other = tensor.assign_coords(stimulus=("trial", tensor["stimulus"].values[order]))
    drawn = Trials.chosen
    monkeypatch.setattr(Trials, "chosen", lambda self, _: drawn(self, np.random.default_rng(3)))
    monkeypatch.setattr(Trials, "shuffled", lambda self, *_: replace(self, cell=self.cell[order]))
    shuffle = significance_of(tensor, "stimulus", 3, n_folds=1, n_draws=1).null_accuracy[0]
    as_data = significance_of(other, "stimulus", 3, n_folds=1, n_draws=1).accuracy
    np.testing.assert_array_equal(shuffle, as_data)


def test_components_of_folds_keep_the_order_of_those_of_all_trials():
    # A pattern in each bin, of an axis of its own, whose size varies from trial to trial: which of
    # the two is larger changes with the trials held out.
    rng = np.random.default_rng(0)
    tensor = noise(1, n_times=2)
    tensor.values *= 0.05
    stimulus = tensor["stimulus"].values
    axes = np.linalg.qr(rng.normal(size=(10, 2)))[0]
    patterns = np.stack([(stimulus - 1) * np.sqrt(3), np.where(stimulus == 1, -2.0, 1.0)])
    gains = 1 + 0.2 * rng.normal(size=patterns.shape)
    tensor.values += axes[:, :, np.newaxis] * (gains * patterns)
    accuracy = significance_of(tensor, "stimulus", 2, n_folds=20, n_draws=1).accuracy.values
    # One of the two tells the levels of the first bin apart, in every fold.
    assert sorted(accuracy.argmax(axis=0)) == [0, 1]
    assert sorted(accuracy[:, 0] > 0.98) == [False, True]


def test_shuffling_an_interaction_leaves_everything_else_of_the_averages_alone(monkeypatch):
    tensor = noise(0)
    tensor.values[0] += 3.0 * tensor["stimulus"].values
    tensor.values[1] += 3.0 * tensor["decision"].values
    seen = []
    measure = dpca_significance._accuracy

    def record(one, trials, *rest):
        seen.append(trials.averages() + one.rest)
        return measure(one, trials, *rest)

    monkeypatch.setattr(dpca_significance, "_accuracy", record)
    significance_of(tensor, "stimulus x decision", 1, n_folds=1, n_draws=5)
    grids = [whole.reshape(10, 4, 3, 2) for whole in seen]
    assert len(grids) == 6
    for axis in (2, 3):
        for grid in grids[1:]:
            np.testing.assert_allclose(grid.mean(axis=axis), grids[0].mean(axis=axis))
    assert all(np.abs(grid - grids[0]).max() > 0.1 for grid in grids[1:])


def test_equal_accuracies_are_put_in_random_order():
    rng = np.random.default_rng(0)
    found = dpca_significance._p_values(np.full((1, 500), 0.5), np.full((99, 1, 500), 0.5), 30, rng)
    p, corrected = found["p"][1], found["p_corrected"][1]
    # Uniform: neither all small (only the data given a chance) nor all 1.
    assert p.mean() == pytest.approx(0.5, abs=0.05)
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert corrected.mean() > 0.99
    # Their order is all that changes: a step of one trial in thirty counts for more.
    better = dpca_significance._p_values(
        np.full((1, 5), 0.5 + 1 / 30), np.full((99, 1, 5), 0.5), 30, rng
    )
    assert (better["p_corrected"][1] == 0.01).all()


def test_bounds_from_groups_left_out_are_those_of_the_mean():
    # The jackknife of a mean is its standard error, and Student's interval follows.
    from scipy import stats

    values = np.random.default_rng(0).normal(size=10)
    left_out = [np.array([np.delete(values, k).mean()]) for k in range(10)]
    expected = stats.t.interval(0.95, 9, values.mean(), stats.sem(values))
    np.testing.assert_allclose(_bound(np.array([values.mean()]), left_out)[:, 0], expected)


def test_regularizations_are_tried_from_1e_8_to_1_of_the_variance():
    tried = strengths(None, 50.0)
    ridges = (tried * 50.0) ** 2 / 50.0
    assert tried.size == 26
    np.testing.assert_allclose(ridges[[0, -1]], [1e-8, 1.0])
    np.testing.assert_allclose(np.diff(np.log10(ridges)), 8 / 25)
