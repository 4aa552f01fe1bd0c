"""Silences that all neurons share: found where they are, and not where chance makes them."""

import numpy as np
import pytest

import popdyn as pdn
from popdyn.tensor.silence import shared_silences, silence_problems
from tests.io.recordings import ALM, HUMAN, THALAMUS, described


def poisson(n_neurons, rate, stop, rng, gaps=()):
    trains = [np.sort(rng.uniform(0, stop, rng.poisson(rate * stop))) for _ in range(n_neurons)]
    for start, end in gaps:
        trains = [t[(t < start) | (t > end)] for t in trains]
    starts = np.concatenate([[0], np.cumsum([t.size for t in trains])])
    obs = (np.zeros(n_neurons), np.full(n_neurons, stop), np.arange(n_neurons))
    return np.concatenate(trains), starts, obs


@pytest.mark.parametrize("seed", range(5))
def test_gaps_are_found_to_the_bin_and_no_others(seed):
    gaps = [(100.0, 104.0), (300.0, 340.0)]
    found = shared_silences(*poisson(10, 8.0, 500.0, np.random.default_rng(seed), gaps))
    np.testing.assert_allclose(found, gaps, atol=0.15)


@pytest.mark.parametrize(("n_neurons", "rate"), [(3, 0.2), (10, 0.5), (50, 5.0), (4, 10.0)])
def test_chance_makes_none_in_ten_thousand_seconds(n_neurons, rate):
    rng = np.random.default_rng(1)
    assert len(shared_silences(*poisson(n_neurons, rate, 10_000.0, rng))) == 0


def test_neurons_that_were_not_observed_do_not_count():
    times, starts, _ = poisson(4, 10.0, 200.0, np.random.default_rng(0), [(50.0, 90.0)])
    start = np.concatenate([np.zeros(4), np.full(4, 90.0)])
    stop = np.concatenate([np.full(4, 50.0), np.full(4, 200.0)])
    assert len(shared_silences(times, starts, (start, stop, np.tile(np.arange(4), 2)))) == 0
    assert len(shared_silences(times, starts, (np.zeros(4), np.full(4, 200.0), np.arange(4)))) == 1
    two = starts[:3], (np.zeros(2), np.full(2, 200.0), np.arange(2))
    assert len(shared_silences(times[: starts[2]], *two)) == 0


@pytest.mark.parametrize(("gap", "n_found"), [(5.0, 0), (9.0, 1)])
def test_a_gap_counts_where_thirty_spikes_are_missing(gap, n_found):
    # Four neurons at 1 Hz, never silent together for 2 s: 19 spikes are missing, or 33.
    trains = [np.arange(0.1 + k / 4, 100.0, 1.0) for k in range(4)]
    trains = [t[(t < 50.0) | (t >= 50.0 + gap)] for t in trains]
    starts = np.concatenate([[0], np.cumsum([t.size for t in trains])])
    obs = (np.zeros(4), np.full(4, 100.0), np.arange(4))
    assert len(shared_silences(np.concatenate(trains), starts, obs)) == n_found


def test_a_session_without_spikes_has_none():
    obs = (np.zeros(1), np.ones(1), np.arange(1))
    assert shared_silences(np.zeros(0), np.zeros(2, dtype=int), obs).shape == (0, 2)
    assert silence_problems(np.zeros((0, 2)), 0.0) == []


def test_the_thalamus_recording_has_spikes_around_trials_only_and_says_so():
    said = described(THALAMUS)
    assert "all neurons are silent together for 2 s and more" in said
    with pytest.warns(pdn.PopdynWarning, match="taken as recorded from first to last spike"):
        tensor = pdn.read_nwb(THALAMUS, "start_time", (-0.5, 0.5), 0.5)
    assert tensor.sum(("neuron", "trial")).values.tolist() == [1.0, 4086.0]
    for file in (HUMAN, *ALM.values()):
        assert "silent together" not in described(file)
