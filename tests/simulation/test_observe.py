"""Observing a network: exact Poisson spikes, and a Session like any recording's."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import Rate
from popdyn.simulation.poisson import poisson_times
from popdyn.simulation.rate_map import RateMap
from popdyn.tasks import PerceptualDecision
from popdyn.tensor.session import is_session, neuron_spikes


@pytest.fixture(scope="module")
def sim():
    net = Rate.random(30, g=0.9, rng=0)
    task = PerceptualDecision(fixation_duration=0.3, delay_duration=(0.1, 0.4))
    return pdn.simulate(net, task.sample(24, rng=0), noise_density=0.2)


def hertz_tensor(values, **arguments):
    time = (np.arange(values.shape[1]) + 0.5) * 0.1
    return pdn.make_tensor(values, time, bin_width=0.1, **arguments)


def test_counts_have_poisson_mean_and_variance_in_every_bin():
    rates = np.array([2.0, 20.0, 55.0])
    tensor = hertz_tensor(np.broadcast_to(rates[None, :, None], (2, 3, 4000)))
    session = pdn.observe(tensor, 2, rng=1)
    counts = pdn.align(session, "start_time", (0.0, 0.3), 0.1).values
    assert np.isfinite(counts).all()
    assert counts.mean(axis=2) == pytest.approx(np.tile(rates * 0.1, (2, 1)), rel=0.05, abs=0.02)
    assert counts.var(axis=2) == pytest.approx(counts.mean(axis=2), rel=0.12)
    expected = stats.poisson.pmf(np.arange(6), 2.0)
    found = np.bincount(counts[0, 1].astype(int), minlength=6)[:6] / 4000
    assert found == pytest.approx(expected, abs=0.03)


def test_spikes_are_uniform_within_a_bin():
    tensor = hertz_tensor(np.full((1, 2, 2000), 30.0))
    session = pdn.observe(tensor, 1, rng=2)
    start = session["start_time"].values
    spikes = neuron_spikes(session, 0)
    since = spikes - start[np.searchsorted(start, spikes, side="right") - 1]
    assert since.min() >= 0
    assert since.max() < 0.2
    assert stats.kstest((since % 0.1) / 0.1, "uniform").pvalue > 0.01


def test_different_neurons_and_trials_draw_different_spikes():
    session = pdn.observe(hertz_tensor(np.full((2, 5, 200), 20.0)), 2, rng=3)
    counts = pdn.align(session, "start_time", (0.0, 0.5), 0.5).values[:, 0]
    assert abs(np.corrcoef(counts)[0, 1]) < 0.25
    assert abs(np.corrcoef(counts[0, :-1], counts[0, 1:])[0, 1]) < 0.25
    assert counts.std() > 1


def test_rates_that_change_are_followed_bin_by_bin(sim):
    neurons = pdn.observe(sim, 30, rng=0, rate_map={"baseline": 100.0, "gain": 90.0})
    counts = pdn.align(neurons, "start_time", (0.0, 1.2), 0.1)
    hertz = 100 + 90 * sim["rate"].values[:, :120].reshape(30, 12, 10, 24).mean(axis=2)
    seen = np.isfinite(counts.values) & np.isfinite(hertz)
    z = (counts.values - hertz * 0.1)[seen] / np.sqrt(hertz * 0.1)[seen]
    assert z.mean() == pytest.approx(0, abs=0.05)
    assert z.std() == pytest.approx(1, abs=0.05)


def test_a_session_of_a_network_is_a_session_like_any_other(sim, tmp_path):
    session = pdn.observe(sim, 10, rng=4, source_id="net A")
    assert is_session(session)
    said = {"source": "network", "source_id": "net A", "simultaneous": 1, "seed": "4"}
    assert said.items() <= session.attrs.items()
    assert json.loads(session.attrs["roles"])["choice"] == "choice"
    for name in ("stimulus_on_time", "decision_time", "stop_time"):
        assert np.array_equal(session[name], sim[name])
        assert session[name].attrs == {"units": "s", "clock": "session"}
    assert np.array_equal(session["stimulus"], sim["stimulus"])
    assert np.array_equal(session["trial"], sim["trial"])
    assert [step["step"] for step in json.loads(session.attrs["popdyn"])] == ["simulate", "observe"]
    pdn.save(session, tmp_path / "session.nc")
    assert pdn.load(tmp_path / "session.nc").identical(session)


def test_aligning_to_any_event_finds_every_spike_and_nan_outside_the_trial(sim):
    session = pdn.observe(sim, 10, rng=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts = pdn.align(session, "stimulus_on_time", (-0.5, 1.5), 0.01)
    lasts = (session["stop_time"] - session["stimulus_on_time"]).values
    time = counts["time"].values[:, None]
    inside = (time > -0.3) & (time < lasts)
    assert np.array_equal(np.isfinite(counts.values), np.broadcast_to(inside, counts.shape))
    assert np.nansum(counts.values) == session.sizes["spike"]


def test_neurons_keep_the_ids_of_the_network_and_are_in_its_order(sim):
    session = pdn.observe(sim, 12, rng=0)
    ids = session["neuron"].values
    assert (np.diff(ids) > 0).all()
    assert set(ids) < set(sim["neuron"].values)
    others = pdn.observe(sim, 12, rng=1)["neuron"].values
    assert not np.array_equal(ids, others)


def test_every_neuron_is_chosen_as_often_as_any_other(sim):
    chosen = np.concatenate(
        [pdn.observe(sim, 10, rng=seed, rate_map=np.zeros_like)["neuron"] for seed in range(60)]
    )
    times = np.bincount(chosen, minlength=30)
    assert stats.chisquare(times).pvalue > 0.001


def test_a_neuron_spikes_the_same_whoever_else_is_observed(sim):
    few, all_ = pdn.observe(sim, 5, rng=7), pdn.observe(sim, 30, rng=7)
    for position, neuron in enumerate(few["neuron"].values):
        assert np.array_equal(neuron_spikes(few, position), neuron_spikes(all_, int(neuron)))


def test_one_seed_one_session_and_the_simulation_is_left_alone(sim):
    before = sim.copy(deep=True)
    first, again, other = (pdn.observe(sim, 9, rng=seed) for seed in (1, 1, 2))
    assert first.identical(again)
    assert first.sizes["spike"] != other.sizes["spike"]
    assert sim.identical(before)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n_time=st.integers(1, 5),
    n_trials=st.integers(1, 5),
    width=st.floats(0.001, 1.0),
)
def test_spikes_are_sorted_and_lie_in_bins_with_a_rate(seed, n_time, n_trials, width):
    generator = np.random.default_rng(seed)
    hertz = generator.choice([0.0, 3 / width], (n_time, n_trials))
    left = np.arange(n_time)[:, None] * width + np.arange(n_trials) * (n_time + 1) * width
    times = poisson_times(hertz, left, width, generator)
    assert (np.diff(times) >= 0).all()
    edges = left.T.ravel()
    order = np.searchsorted(edges, times, side="right") - 1
    assert (hertz.T.ravel()[order] > 0).all()
    assert (times - edges[order] <= width * (1 + 1e-9)).all()


def test_default_maps_give_0_to_20_hz_and_are_remembered():
    for nonlinearity, expected in {
        "tanh": RateMap(10.0, 10.0), "sigmoid": RateMap(0.0, 20.0),
        "relu": RateMap(0.0, 20.0), "softplus": RateMap(0.0, 20.0),
    }.items():  # fmt: skip
        net = Rate.random(5, g=0.1, nonlinearity=nonlinearity)
        session = pdn.observe(pdn.simulate(net, duration=0.5), 5)
        step = json.loads(session.attrs["popdyn"])[-1]
        assert step["parameters"]["rate_map"]["gain"] == expected.gain
        assert step["parameters"]["rate_map"]["baseline"] == expected.baseline


def test_a_map_may_be_numbers_a_record_or_a_function(sim):
    numbers = pdn.observe(sim, 8, rate_map={"baseline": 1, "gain": 30, "rectify": True})
    record = pdn.observe(sim, 8, rate_map=RateMap(1.0, 30.0, rectify=True))
    function = pdn.observe(sim, 8, rate_map=lambda r: np.maximum(1 + 30 * r, 0))
    assert np.array_equal(numbers["spike_time"], record["spike_time"])
    assert np.array_equal(numbers["spike_time"], function["spike_time"])


def test_rates_in_hz_are_used_as_they_are_and_get_a_clock_of_their_own():
    tensor = hertz_tensor(
        np.full((3, 10, 40), 7.0), align="go_time", trials={"choice": [0, 1] * 20}
    )
    session = pdn.observe(tensor, 3, rng=0)
    counts = pdn.align(session, "go_time", (0.0, 1.0), 1.0)
    assert float(counts.mean()) == pytest.approx(7, rel=0.1)
    assert np.array_equal(session["choice"], tensor["choice"])


def test_a_tensor_with_time_before_the_event_keeps_its_place():
    values = np.zeros((1, 4, 30))
    values[:, 1] = 80.0
    tensor = pdn.make_tensor(values, [-0.15, -0.05, 0.05, 0.15], align="go_time")
    counts = pdn.align(pdn.observe(tensor, 1), "go_time", (-0.2, 0.2), 0.1).values[0]
    assert counts[1].mean() == pytest.approx(8, rel=0.2)
    assert counts[[0, 2, 3]].sum() == 0


def with_values(sim, change):
    rate = sim["rate"].copy(deep=True)
    change(rate.values)
    return rate


def test_nan_rates_inside_a_trial_are_refused(sim):
    def one(values):
        values[3, 20, 5] = np.nan

    with pytest.raises(
        TensorError, match=r"NaN inside 1 of 24 trials \(1 values, first in trial 5"
    ):
        pdn.observe(with_values(sim, one), 5)

    def tail(values):
        values[:, 60:, 2] = np.nan  # before its stop_time

    with pytest.raises(TensorError, match="NaN inside 1 of 24 trials .* first in trial 2"):
        pdn.observe(with_values(sim, tail), 5)

    def whole(values):
        values[:, :, 7:9] = np.nan

    with pytest.raises(TensorError, match="NaN inside 2 of 24 trials .* first in trial 7"):
        pdn.observe(with_values(sim, whole), 5)
    with pytest.raises(TensorError, match="NaN inside 1 of 2 trials"):
        values = np.full((2, 3, 2), 5.0)
        values[:, :, 1] = np.nan
        pdn.observe(hertz_tensor(values), 1)


def test_negative_rates_are_refused_with_how_many_and_how_low(sim):
    with pytest.raises(
        TensorError, match=r"cannot be negative: \d+ of .* after rate_map, the lowest"
    ):
        pdn.observe(sim, 30, rate_map={"baseline": 0.0, "gain": 10.0})
    tensor = hertz_tensor(np.full((1, 2, 2), 5.0))
    tensor.values[0, 0, 1] = -3.0
    with pytest.raises(
        TensorError, match=r"1 of 4 are, the lowest -3 Hz. Raise the baseline, or rec"
    ):
        pdn.observe(tensor, 1)


@pytest.mark.parametrize(
    ("rate_map", "words"),
    [
        (
            {"baseline": 1, "gian": 2},
            "knows baseline, gain, rectify, found 'gian'; did you mean 'gain'",
        ),
        ({"baseline": 1}, "rate_map needs baseline and gain"),
        ({"baseline": 1, "gain": "two"}, "must be finite numbers"),
        (
            {"baseline": 1, "gain": 2, "rectify": "yes"},
            "rectify of rate_map must be True or False, found 'yes'",
        ),
        (lambda _: "x", "rate_map must be a function that returns an array of .* found 'x'"),
        (lambda r: r + 0j, "rate_map must be a function that returns an array of firing rates"),
        (3.0, "rate_map must be a mapping with baseline and gain in Hz, or a function"),
        (lambda r: r[0], r"one value per rate, an array of shape \(5, \d+, 24\)"),
        (lambda r: r * np.nan, "rate_map made .* rates NaN or infinite"),
        (lambda r: np.where(r > 0.1, np.inf, 1.0), r"rate_map made \d+ of \d+ rates NaN or inf"),
        (lambda r: r * 0 + 2e4, r"above 10,000 Hz, the highest 2e\+04 Hz: no neuron fires so"),
    ],
)
def test_maps_that_make_no_rates_are_refused(sim, rate_map, words):
    with pytest.raises(TensorError, match=words):
        pdn.observe(sim, 5, rate_map=rate_map)


def test_what_is_impossible_in_hz_is_refused_without_a_map_too():
    with pytest.raises(TensorError, match=r"4 of 4 firing rates are above 10,000 Hz"):
        pdn.observe(hertz_tensor(np.full((2, 2, 2), 1e12)), 1)


@pytest.mark.parametrize("n_neurons", [0, 31, 2.5, True])
def test_more_neurons_than_there_are_cannot_be_observed(sim, n_neurons):
    with pytest.raises(TensorError, match=f"from 1 to 30, .* found {n_neurons}"):
        pdn.observe(sim, n_neurons)


def test_what_holds_no_rates_is_refused(sim):
    with pytest.raises(TensorError, match=r"variable 'rate', found .*record=\('rate',\)"):
        pdn.observe(sim.drop_vars("rate"), 5)
    for name in ("spike_count", "potential"):
        tensor = hertz_tensor(np.ones((1, 2, 2)), name=name, units="1")
        with pytest.raises(
            TensorError, match=f"found the tensor '{name}': give sim\\['rate'\\] of"
        ):
            pdn.observe(tensor, 1)
    with pytest.raises(TensorError, match="found ndarray"):
        pdn.observe(np.ones((1, 2, 2)), 1)
    with pytest.raises(TensorError, match="no default way to Hz .* give rate_map"):
        pdn.observe(pdn.simulate(Rate.random(3, nonlinearity="linear", g=0.1), duration=0.1), 1)


def test_trials_that_overlap_in_time_are_refused(sim):
    early = sim["rate"].assign_coords(align_time=sim["start_time"] * 0.5)
    with pytest.raises(TensorError, match="23 trials overlap the one before .* longer inter_trial"):
        pdn.observe(early, 5)


def test_a_tensor_that_does_not_say_where_its_zero_is_is_refused(sim):
    rate = sim["rate"].drop_vars(["align_time", "start_time"])
    with pytest.raises(TensorError, match=r"session's clock \(.*stimulus_on_time.* align_time"):
        pdn.observe(rate, 5)
