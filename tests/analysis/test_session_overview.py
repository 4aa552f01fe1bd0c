"""What a session looks like, held to plain formulas, planted truths and the shipped files."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

import popdyn as pdn
from popdyn.analysis.stability import drift_index, drift_p
from popdyn.tensor.session import make_session, neuron_spikes

DATA = Path(__file__).parents[2] / "data"
HUMAN = DATA / "human_mtl_boundaries_sub-4_ses-4.nwb"
THALAMUS = DATA / "mouse_thalamus_delay_anm00239123.nwb"


def session_of(spikes, obs=None, trials=None, **attrs):
    starts = np.cumsum([0] + [len(own) for own in spikes])
    return make_session(np.concatenate([[], *spikes]), starts, obs=obs, trials=trials, attrs=attrs)


def poisson(rates, duration, seed=0):
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0, duration, rng.poisson(rate * duration))) for rate in rates]


def problems(result):
    return "\n".join(json.loads(result.attrs["problems"]))


@pytest.fixture(scope="module")
def thalamus():
    with pytest.warns(pdn.PopdynWarning):
        return pdn.read_session(THALAMUS)


@given(
    spikes=st.lists(st.integers(0, 160), max_size=40).map(sorted),
    cuts=st.lists(st.tuples(st.integers(0, 160), st.integers(1, 60)), min_size=1, max_size=4),
    n_bins=st.integers(1, 12),
)
@settings(max_examples=80, deadline=None)
def test_rates_are_spikes_in_observed_time_by_observed_time(spikes, cuts, n_bins):
    # Eighths are exact, so that both ways of counting can be held to the spike.
    times = np.array(spikes) / 8
    start, stop = np.array([(a / 8, (a + b) / 8) for a, b in cuts]).T
    session = session_of([times], obs=(start, stop, np.zeros(len(cuts), dtype=int)))
    result = pdn.session_overview(session, n_bins=n_bins)
    low, high = (
        min(times.min(initial=start.min()), start.min()),
        max(times.max(initial=0), stop.max()),
    )
    edges = np.linspace(low, high, n_bins + 1)
    fine = low + (np.arange(20_000) + 0.5) / 20_000 * (high - low)
    seen = ((fine[:, None] >= start) & (fine[:, None] <= stop)).any(axis=1)
    share = seen.reshape(-1)[np.argsort(fine)]
    place = np.clip(np.searchsorted(edges, fine, side="right") - 1, 0, n_bins - 1)
    seconds = np.bincount(place, weights=share, minlength=n_bins) * (high - low) / 20_000
    inside = times[((times[:, None] >= start) & (times[:, None] <= stop)).any(axis=1)]
    assert float(result["observed_time"][0]) == pytest.approx(seconds.sum(), abs=0.05)
    rate, clear = result["rate"].values[0], np.isfinite(result["rate"].values[0])
    assert clear[seconds > 0.15 * np.diff(edges)].all()
    assert not clear[seconds < 0.05 * np.diff(edges)].any()
    if clear.all():
        np.testing.assert_allclose(
            rate * seconds, np.histogram(inside, edges)[0], atol=0.2, rtol=0.02
        )
    assert float(result["mean_rate"][0] * result["observed_time"][0]) == pytest.approx(inside.size)


def test_of_a_neuron_always_observed_the_counts_are_those_of_a_histogram():
    session = pdn.read_session(HUMAN, "encoding_table")
    result = pdn.session_overview(session)
    width = result.attrs["bin_width"]
    assert 100 <= result.sizes["time"] <= 300
    edges = np.append(result["time"] - width / 2, result["time"][-1] + width / 2)
    assert edges[1] % width == pytest.approx(0)
    for neuron in range(0, 35, 7):
        counts = np.histogram(neuron_spikes(session, neuron), edges)[0]
        inner = slice(1, -1)  # the session starts and stops within a bin
        np.testing.assert_allclose((result["rate"][neuron] * width)[inner], counts[inner])
    np.testing.assert_allclose(
        result["population_rate"][1:-1], result["rate"].mean("neuron")[1:-1], rtol=1e-12
    )


@given(span=st.floats(0.01, 1e6), start=st.floats(-1e3, 1e6))
@example(span=1.0, start=1.9)
@settings(max_examples=100, deadline=None)
def test_there_are_100_to_300_bins_whatever_the_length(span, start):
    result = pdn.session_overview(session_of([[start, start + span]]))
    assert 100 <= result.sizes["time"] <= 300
    assert int(result["n_spikes"][0]) == 2
    assert float(result["mean_rate"][0] * result["observed_time"][0]) == pytest.approx(2)


def test_what_was_not_observed_has_no_rate(thalamus):
    result = pdn.session_overview(thalamus).sel(neuron=2)
    seen = result["time"][np.isfinite(result["rate"])]
    assert 1870 < float(seen.min()) < 1900
    assert 2390 < float(seen.max()) < 2415
    assert float(result["observed_time"]) == pytest.approx(2405 - 1880, abs=2)
    whole = pdn.session_overview(thalamus)
    np.testing.assert_array_equal(whole["n_observed"], np.isfinite(whole["rate"]).sum("neuron"))


def test_a_spike_on_the_edge_of_an_interval_gives_no_absurd_rate():
    spikes = np.arange(100) * 0.1
    obs = ([0.0], [5.0001], [0])
    result = pdn.session_overview(session_of([spikes], obs=obs), n_bins=10)
    assert np.nanmax(result["rate"]) < 12
    assert np.isfinite(result["rate"]).sum() == 5


def test_short_intervals_are_counted_with_the_number_of_intervals():
    spikes = np.cumsum(np.r_[0.5, np.full(50, 0.010), np.full(10, 0.001), np.full(5, 0.0015)])
    result = pdn.session_overview(session_of([spikes, [0.1]]))
    assert result["n_intervals"].values.tolist() == [65, 0]
    assert float(result["short_interval_share"][0]) == pytest.approx(10 / 65)
    assert np.isnan(result["short_interval_share"][1])
    assert "1 of 2 neurons have more than 1 % of intervals between spikes below 1.5 ms" in problems(
        result
    )
    assert "(0: 15.4 %)" in problems(result)


def test_a_neuron_that_fades_is_named_and_a_stable_one_is_not():
    rng = np.random.default_rng(1)
    fading = np.sort(900 * rng.beta(1, 3, 6000))
    result = pdn.session_overview(session_of([*poisson([5.0], 900), fading]))
    assert abs(float(result["drift"][0])) < 0.1
    assert float(result["drift"][1]) < -0.6
    first, _, last = result["third_rate"].values[:, 1]
    assert float(result["drift"][1]) == pytest.approx((last - first) / (last + first))
    assert first == pytest.approx((fading < 300).sum() / 300, rel=0.01)
    assert "rate of 1 of 2 neurons at least doubles or halves" in problems(result)


def test_thirds_are_of_the_time_observed_not_of_the_session():
    obs = ([0.0, 800.0], [100.0, 1000.0], [0, 0])
    spikes = np.r_[np.linspace(0.01, 99.9, 1000), np.linspace(800.01, 999.9, 2000)]
    result = pdn.session_overview(session_of([spikes], obs=obs))
    np.testing.assert_allclose(result["third_rate"][:, 0], 10, rtol=0.02)
    assert abs(float(result["drift"][0])) < 0.01


def test_the_interval_of_the_drift_misses_zero_as_often_as_it_says():
    result = pdn.session_overview(session_of(poisson(np.full(600, 2.0), 600, seed=3)))
    lower, upper = result["drift_bound"].values
    missed = ((lower > 0) | (upper < 0)).mean()
    # 5 % of 600 with a binomial error of 0.9 %.
    assert 0.02 < missed < 0.08
    assert problems(result) == ""


def test_the_drift_is_that_of_a_ratio_of_means():
    counts = np.r_[np.full(6, 10), np.full(6, 20), np.full(6, 40)]
    index, lower, upper = drift_index(counts, np.full(18, 2.0))
    assert index == pytest.approx(0.6)
    assert -1 < lower < 0.6 < upper < 1
    assert np.isnan(drift_index(np.zeros(18, dtype=int), np.ones(18))[0])


def test_trials_are_told_by_duration_gap_and_events_after_the_start():
    trials = {
        "start_time": [10.0, 0.0, 25.0],
        "stop_time": [14.0, 8.0, 29.0],
        "go_time": [11.0, 0.5, np.nan],
        "cue_time": [500.0, 250.0, 750.0],
        "side": ["l", "r", "l"],
        "reward": [1.0, 2.0, 3.0],
    }
    session = session_of([[0.0, 30.0]], trials=trials)
    session["cue_time"].attrs.update(units="ms", clock="trial")
    result = pdn.session_overview(session)
    assert result["event"].values.tolist() == ["go_time", "cue_time", "stop_time"]
    assert result["event_clock"].values.tolist() == ["session", "trial", "session"]
    np.testing.assert_allclose(result["event_time"][0], [1.0, 0.5, np.nan])
    np.testing.assert_allclose(result["event_time"][1], [0.5, 0.25, 0.75])
    np.testing.assert_allclose(result["duration"], [4, 8, 4])
    np.testing.assert_allclose(result["gap"], [11, 2, np.nan])


def test_one_spike_after_a_silent_third_is_no_drift():
    counts, seconds = np.zeros(18, dtype=int), np.full(18, 60.0)
    counts[8], counts[-1] = 40, 1
    index, lower, upper = drift_index(counts, seconds)
    assert index == 1.0
    assert lower < -0.9
    assert upper == 1.0
    assert drift_p(counts, seconds) > 0.3
    moments = np.r_[8 * 60 + np.linspace(1, 59, 40), 1079.0]
    result = pdn.session_overview(session_of([moments], obs=([0.0], [1080.0], [0])))
    assert float(result["drift"][0]) == 1.0
    assert float(result["drift_p"][0]) == drift_p(counts, seconds)
    assert problems(result) == ""


def test_p_of_the_drift_is_the_share_of_all_ways_to_choose_the_thirds():
    counts = np.r_[np.zeros(6), 5, 9, 7, 8, 6, 4, 9, 12, 4, 8, 0, 7].astype(int)
    # Six of 18 first, six of the rest last: every pair of sums, by counting.
    ways = {(0, 0, 0, 0): 1}
    for count in counts:
        new = {}
        for (n, m, first, last), many in ways.items():
            choices = [(n + 1, m, first + count, last), (n, m + 1, first, last + count)]
            for key in [(n, m, first, last), *choices]:
                if max(key[:2]) <= 6:
                    new[key] = new.get(key, 0) + many
        ways = new
    sums = {key[2:]: many for key, many in ways.items() if key[:2] == (6, 6)}
    observed = counts[-6:].sum() - counts[:6].sum()
    extreme = sum(many for (first, last), many in sums.items() if abs(last - first) >= observed)
    exact = extreme / sum(sums.values())
    assert 0.001 < exact < 0.05
    assert drift_p(counts, np.full(18, 0.1)) == pytest.approx(exact, abs=4 * (exact / 1e4) ** 0.5)


def test_blocks_of_unequal_length_at_one_rate_do_not_drift():
    seconds = np.r_[np.full(9, 1.0), np.full(9, 7.0)]
    counts = (10 * seconds).astype(int)
    index, lower, upper = drift_index(counts, seconds)
    assert index == 0.0
    assert lower < 0 < upper
    assert drift_p(counts, seconds) == 1.0


def test_bounds_need_trials_that_differ():
    late = np.arange(50) / 10 + 20
    trials = {"start_time": [5.0, 25.0], "go_time": [7.0, np.nan]}
    found = pdn.session_overview(session_of([late], obs=([0.0], [30.0], [0]), trials=trials))
    bound = found["event_rate_bound"].sel(around="start_time")
    differ = (found["event_rate"].sel(around="start_time") > 0).values
    np.testing.assert_array_equal(np.isfinite(bound), [differ, differ])
    assert differ.any()
    assert not differ.all()
    assert np.isnan(found["event_rate_bound"].sel(around="go_time")).all()


def test_event_rates_are_those_of_align():
    session = pdn.read_session(HUMAN, "encoding_table")
    result = pdn.session_overview(session)
    counts = pdn.align(session, "boundary1_time", (-1.0, 2.0), 0.05)
    expected = (counts / 0.05).mean("neuron")
    found = result.sel(around="boundary1_time")
    np.testing.assert_allclose(found["event_rate"], expected.mean("trial"), rtol=1e-6)
    half = stats.t.ppf(0.975, 89) * expected.std("trial", ddof=1) / np.sqrt(90)
    np.testing.assert_allclose(
        found["event_rate_bound"].sel(bound="upper") - found["event_rate"], half, rtol=1e-4
    )
    response = found["event_rate"].sel(lag=slice(0.1, 0.4)).mean()
    assert float(response) > 1.2 * float(found["event_rate"].sel(lag=slice(-1, 0)).mean())


def test_the_stretch_lies_where_all_neurons_were_observed(thalamus):
    result = pdn.session_overview(thalamus)
    start, stop = result.attrs["raster_start"], result.attrs["raster_stop"]
    assert 1880 <= start < stop <= 2405
    starts = thalamus["start_time"].values
    assert start in starts
    for row, neuron in enumerate(result["raster_neuron"].values):
        own = neuron_spikes(thalamus, list(thalamus["neuron"].values).index(neuron))
        np.testing.assert_array_equal(
            result["spike_time"][result["spike_row"] == row], own[(own >= start) & (own < stop)]
        )
    rates = result["mean_rate"].sel(neuron=result["raster_neuron"].values)
    assert (np.diff(rates) <= 0).all()


def test_a_raster_holds_at_most_20000_spikes_and_the_rows_asked_for():
    session = session_of(poisson(np.linspace(1, 80, 60), 60))
    result = pdn.session_overview(session)
    assert 19_000 < result.sizes["spike"] <= 20_000
    assert result.attrs["raster_stop"] == pytest.approx(float(result["spike_time"].max()), abs=0.01)
    few = pdn.session_overview(session, n_raster_neurons=5)["raster_neuron"].values
    assert few.size == 5
    assert few[0] == 59
    assert few[-1] == 0


def test_without_trials_there_is_still_a_raster_and_no_trial():
    result = pdn.session_overview(session_of(poisson([5.0, 2.0], 100)))
    assert (result.sizes["trial"], result.sizes["event"], result.sizes["around"]) == (0, 0, 0)
    assert result.attrs["raster_stop"] - result.attrs["raster_start"] == pytest.approx(10)
    assert result.sizes["spike"] > 20


def test_a_session_with_trials_and_no_neurons_is_summed_up():
    trials = {"start_time": [0.0, 10.0], "stop_time": [5.0, 15.0]}
    result = pdn.session_overview(make_session([], [0], trials=trials))
    assert result.sizes["neuron"] == 0
    assert result["duration"].values.tolist() == [5.0, 5.0]


def test_an_absurd_stop_does_not_stretch_the_session():
    start = np.arange(20) * 10.0
    stop = start + 5.0
    stop[7] = 1e7
    trials = {"start_time": start, "stop_time": stop}
    result = pdn.session_overview(session_of(poisson([5.0], 200), trials=trials))
    assert float(result["time"].max()) < 210


@pytest.mark.parametrize("n_bins", [None, 7])
@pytest.mark.parametrize("stop", [np.inf, 101.3])
def test_the_time_observed_ends_where_the_session_does(stop, n_bins):
    duration = 101.3
    spikes = np.arange(duration * 100) / 100 + 0.005
    session = session_of([spikes], obs=([-np.inf], [stop], [0]))
    result = pdn.session_overview(session, n_bins=n_bins)
    np.testing.assert_allclose(result["rate"][0], 100, rtol=0.02)
    np.testing.assert_allclose(result["population_rate"], 100, rtol=0.02)
    assert float(result["observed_time"][0]) == pytest.approx(duration, abs=0.02)
    np.testing.assert_allclose(result["third_rate"][:, 0], 100, rtol=0.01)


def test_around_the_last_event_there_is_no_rate_past_the_end():
    trials = {"start_time": [10.0, 50.0, 99.5]}
    session = session_of([np.arange(10_000) / 100 + 0.005], trials=trials)
    found = pdn.session_overview(session)["event_rate"].sel(around="start_time")
    np.testing.assert_allclose(found, 100, rtol=0.25)  # 4 to 6 spikes in a bin of 50 ms


def test_the_input_is_left_alone_and_the_result_is_saved_and_loaded(thalamus, tmp_path):
    before = thalamus.copy(deep=True)
    result = pdn.session_overview(thalamus)
    assert thalamus.identical(before)
    assert result.attrs["method"] == "session_overview"
    assert result.attrs["input_digest"] == thalamus.attrs["input_digest"]
    pdn.save(result, tmp_path / "overview.nc")
    xr.testing.assert_identical(pdn.load(tmp_path / "overview.nc"), result)


@pytest.mark.parametrize(
    ("thing", "options", "words"),
    [
        (make_session([], [0]), {}, "holds no spikes and no trials: there is nothing to look at"),
        (make_session([0.5], [0, 1]), {"n_bins": 0}, "n_bins must be a whole number of at least 1"),
        (make_session([0.5], [0, 1]), {"n_raster_neurons": 2.5}, r"at least 1, found 2\.5"),
        (xr.Dataset(), {}, "expected a Session"),
    ],
)
def test_what_cannot_be_summed_up_is_refused_in_words(thing, options, words):
    with pytest.raises(pdn.TensorError, match=words):
        pdn.session_overview(thing, **options)
