"""Spikes that are seen of a network have the statistics that are said, to their sampling error."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from scipy import stats

import popdyn as pdn
from popdyn.network import Rate, Spiking
from popdyn.tasks import PerceptualDecision
from popdyn.tensor.session import neuron_spikes


def flat(hertz, n_neurons, n_trials, n_bins=10, width=0.1):
    """Neurons of one rate."""
    time = (np.arange(n_bins) + 0.5) * width
    return pdn.make_tensor(np.full((n_neurons, n_bins, n_trials), hertz), time, bin_width=width)


def counts_of(session, window):
    return pdn.align(session, "start_time", window, window[1] - window[0]).values[:, 0]


@pytest.mark.parametrize("hertz", [3.0, 40.0])
@pytest.mark.parametrize("window", [(0.0, 0.1), (0.1, 1.0)])
def test_the_fano_factor_is_one(hertz, window):
    n_neurons, n_trials = 20, 1000
    counts = counts_of(pdn.observe(flat(hertz, n_neurons, n_trials), n_neurons, rng=0), window)
    mean = hertz * (window[1] - window[0])
    n = n_neurons * n_trials
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / n))
    # The sample variance of Poisson counts has the variance (m + 2 m²)/n.
    fano = counts.var(axis=1, ddof=1).mean() / mean
    assert fano == pytest.approx(1, abs=4 * np.sqrt((mean + 2 * mean**2) / n) / mean)


def test_intervals_between_spikes_are_exponential_without_refractory_time():
    session = pdn.observe(flat(25.0, 4, 1, n_bins=4000), 4, rng=1)
    for neuron in range(4):
        intervals = np.diff(neuron_spikes(session, neuron))
        assert intervals.size > 9000
        assert stats.kstest(intervals, "expon", args=(0, 1 / 25)).pvalue > 0.001
        cv = intervals.std() / intervals.mean()
        assert cv == pytest.approx(1, abs=4 / np.sqrt(intervals.size))


@pytest.mark.parametrize("drift", [0.2, 0.6])
def test_drift_adds_the_variance_of_its_factor_to_the_counts(drift):
    n_neurons, mean = 6000, 30.0
    session = pdn.observe(flat(mean, n_neurons, 1), n_neurons, rng=2, drift=drift)
    counts = counts_of(session, (0.0, 1.0))[:, 0]
    added = mean**2 * np.expm1(drift**2)
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt((mean + added) / n_neurons))
    assert counts.var() == pytest.approx(mean + added, rel=0.15)
    assert counts.var() > mean + 0.8 * added


def test_counts_do_not_depend_on_the_bins_a_network_was_recorded_in():
    net = Rate.random(40, g=0.9, rng=0)
    trials = PerceptualDecision(stimuli=(-1.0, 1.0)).sample(30, rng=0, dt=net.dt)
    lively = {"baseline": 60.0, "gain": 50.0}
    totals = {}
    for width in (0.01, 0.1):
        sim = pdn.simulate(net, trials, bin_width=width, noise_density=0.2)
        expected = (60 + 50 * sim["rate"].sel(time=slice(0, 1.0))).sum(("time", "trial")) * width
        session = pdn.observe(sim, 40, rate_map=lively, rng=3)
        counts = pdn.align(session, "start_time", (0.0, 1.0), 1.0).values[:, 0].sum(axis=1)
        z = (counts - expected.values) / np.sqrt(expected.values)
        assert (z**2).mean() == pytest.approx(1, abs=4 * np.sqrt(2 / 40))
        totals[width] = expected.values
    assert totals[0.01] == pytest.approx(totals[0.1], rel=1e-6)


def test_what_is_seen_is_the_same_bits_however_many_trials_ran_at_once():
    net = Spiking.random(30, rng=0)
    trials = PerceptualDecision(stimulus_duration=0.3).sample(6, rng=0, dt=net.dt)
    keywords = {"record": ("spikes",), "noise_density": 2.0, "rng": 1}
    lost = {"drift": 0.5, "missing_trials": 0.2, "rng": 2}
    one = pdn.observe(pdn.simulate(net, trials, n_jobs=1, **keywords), 10, **lost)
    two = pdn.observe(pdn.simulate(net, trials, n_jobs=2, **keywords), 10, **lost)
    assert one.identical(two)
    with joblib.parallel_config("threading", n_jobs=3):
        three = pdn.observe(pdn.simulate(net, trials, **keywords), 10, **lost)
    assert one.identical(three)
    assert one.sizes["spike"] > 0


def test_a_generator_draws_anew_each_time_and_one_seed_the_same():
    tensor, generator = flat(20.0, 5, 10), np.random.default_rng(0)
    first, second = (pdn.observe(tensor, 5, rng=generator)["spike_time"] for _ in range(2))
    assert first.size != second.size or not np.array_equal(first, second)
    again = pdn.observe(tensor, 5, rng=np.random.default_rng(0))["spike_time"]
    assert np.array_equal(first, again)
