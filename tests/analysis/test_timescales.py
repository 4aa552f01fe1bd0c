import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad

import popdyn as pdn
from popdyn.analysis.autocorrelation import deviations, expectation_map, trial_sums
from popdyn.analysis.timescale_fit import _pair_gain, grid, unit_autocovariance
from popdyn.analysis.timescale_rows import _bounds, _why_not, expanded_level
from popdyn.analysis.timescales import _weights
from tests.oracles import timescales as slow

DATA = Path(__file__).parents[2] / "data"
N_BINS, BIN_WIDTH = 50, 0.02
TIME = BIN_WIDTH * (np.arange(N_BINS) + 0.5)


def process(timescale, shape, seed=0, n_bins=N_BINS):
    """Ornstein-Uhlenbeck process of variance 1, (neuron, time, trial)."""
    rng = np.random.default_rng(seed)
    keep = np.exp(-BIN_WIDTH / timescale)
    values = np.empty((n_bins, *shape))
    values[0] = rng.normal(size=shape)
    for i in range(1, n_bins):
        values[i] = keep * values[i - 1] + np.sqrt(1 - keep**2) * rng.normal(size=shape)
    return np.moveaxis(values, 0, 1)


def rates(values, **columns):
    n_bins = values.shape[1]
    return pdn.make_tensor(values, TIME[:n_bins], columns or None, units="1")


def counts(values):
    return pdn.make_tensor(values.astype(float), TIME, name="spike_count", units="1")


def spikes(timescale, n_neurons=8, n_trials=300, rate=30.0, depth=0.5, seed=0):
    """Poisson spikes of a modulated rate."""
    modulation = np.maximum(1 + depth * process(timescale, (n_neurons, n_trials), seed), 0)
    rng = np.random.default_rng(seed + 1)
    return counts(rng.poisson(rate * BIN_WIDTH * modulation))


def with_holes(seed, shape=(3, 12, 9)):
    """Values of which many are missing, each trial its own."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    values[rng.random(shape) < 0.2] = np.nan
    values[0, 7:, :4] = np.nan
    return values


@pytest.mark.parametrize(
    ("true", "direct"), [(0.02, 0.0175), (0.1, 0.057), (0.3, 0.090)], ids=["20", "100", "300"]
)
def test_the_timescale_is_found_where_the_direct_fit_is_far_off(true, direct):
    result = pdn.timescale(rates(process(true, (10, 500))), n_draws=100)
    assert float(result["timescale"].mean()) == pytest.approx(true, rel=0.1)
    assert float(result["direct_fit"].mean()) == pytest.approx(direct, rel=0.05)
    assert float(result["population_timescale"]) == pytest.approx(true, rel=0.1)
    lower, upper = result["population_timescale_bound"].values
    assert lower < true < upper
    assert (result["reason"] == "").all()
    assert result["timescale"].attrs["units"] == "s"


def test_sums_over_pairs_equal_the_plain_loop():
    values = with_holes(0)
    sums = trial_sums(values, 5)
    for own, found in zip(values, sums.autocovariance(), strict=True):
        np.testing.assert_allclose(found, slow.autocovariance(own, 5), rtol=1e-12)


def test_expectations_equal_the_plain_loop_for_any_missing_bins():
    known = np.isfinite(with_holes(1)[0])
    rho = np.random.default_rng(0).normal(size=12)
    covariance = rho[np.abs(np.subtract.outer(np.arange(12), np.arange(12)))]
    np.testing.assert_allclose(
        expectation_map(known, 6) @ rho,
        slow.expected_autocovariance(known, covariance, 6),
        rtol=1e-12,
    )


def test_the_expectation_is_the_mean_of_many_samples():
    values = process(0.2, (1, 40_000), n_bins=10)
    found = trial_sums(deviations(values, np.zeros(40_000, dtype=int)), 5).autocovariance()[0]
    truth = unit_autocovariance(np.array([0.2]), 10, BIN_WIDTH, averaged=False)[0]
    expected = expectation_map(np.ones((10, 1), dtype=bool), 5) @ truth
    np.testing.assert_allclose(found, expected, atol=0.003)


@pytest.mark.parametrize("ratio", [1e-5, 0.3, 4.0])
def test_averages_over_bins_have_the_covariance_of_the_integral(ratio):
    found = unit_autocovariance(np.array([1.0]), 3, ratio, averaged=True)[0]
    for lag in range(3):
        expected, _ = dblquad(
            lambda s, t: np.exp(-ratio * abs(s - t)),  # noqa: B023
            *(0, 1),
            lag,
            lag + 1,
            epsabs=1e-9,
        )
        assert found[lag] == pytest.approx(expected, abs=1e-6)


def test_the_average_of_conditions_is_taken_out_without_a_trace_in_the_variance():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 30, 4000)) + 5 * np.sin(np.arange(30))[:, np.newaxis]
    condition = np.arange(4000) % 1000  # four trials each: a quarter of the variance is lost
    found = deviations(values, condition)
    assert found.var() == pytest.approx(1.0, abs=0.02)
    condition[:5] = -1
    assert np.isnan(deviations(values, condition)[:, :, :5]).all()


@pytest.mark.parametrize("noise", ["poisson", "free"])
def test_spike_counts_give_the_timescale_of_their_rate(noise):
    result = pdn.timescale(spikes(0.1), noise=noise, averaged=False, n_draws=100)
    assert float(result["timescale"].median()) == pytest.approx(0.1, rel=0.25)
    lower, upper = result["population_timescale_bound"].values
    assert upper / lower < 2
    assert 0.07 < lower < float(result["population_timescale"]) < upper < 0.13
    # Variance of a count: 0.6 of Poisson noise, (0.6 x 0.5)^2 of the rate; a ramp at 0 aside.
    assert float(result["population_signal_share"]) == pytest.approx(0.13, abs=0.03)


def test_noise_of_any_size_is_fitted_when_free():
    values = process(0.1, (6, 500))
    noisy = values + np.random.default_rng(9).normal(size=values.shape)
    free = pdn.timescale(rates(noisy), noise="free", n_draws=20)
    assert float(free["population_timescale"]) == pytest.approx(0.1, rel=0.1)
    assert float(free["population_signal_share"]) == pytest.approx(0.5, abs=0.05)
    none = pdn.timescale(rates(noisy), n_draws=20)
    assert float(none["population_timescale"]) < 0.06


def test_two_timescales_are_told_apart_and_one_is_preferred_where_there_is_one():
    both = np.sqrt(0.6) * process(0.03, (4, 4000)) + np.sqrt(0.4) * process(0.3, (4, 4000), 1)
    result = pdn.timescale(rates(both), n_draws=20)
    short, long = result["population_two_timescales"].values
    assert short == pytest.approx(0.03, rel=0.15)
    assert long == pytest.approx(0.3, rel=0.25)
    assert result["population_two_weights"][0] == pytest.approx(0.6, abs=0.05)
    assert float(result["population_two_timescales_error"]) < 0.3
    one = pdn.timescale(rates(process(0.1, (10, 500))), n_draws=20)
    assert float(one["two_timescales_error"].median()) >= 0.99


def test_trials_that_end_early_do_not_change_the_answer():
    values = process(0.1, (6, 600))
    stop = np.random.default_rng(0).integers(20, N_BINS, 600)
    values[:, np.arange(N_BINS)[:, np.newaxis] >= stop] = np.nan
    values[1, :, :300] = np.nan  # a neuron recorded in half of the trials
    result = pdn.timescale(rates(values), n_draws=50)
    assert float(result["population_timescale"]) == pytest.approx(0.1, rel=0.07)
    np.testing.assert_allclose(result["timescale"], 0.1, rtol=0.2)


@given(seed=st.integers(0, 100), scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
@settings(max_examples=8, deadline=None)
def test_units_offset_and_the_order_of_neurons_and_trials_do_not_matter(seed, scale, shift):
    values = process(0.1, (3, 40), seed, n_bins=20)
    order = np.random.default_rng(seed).permutation(40)
    first = pdn.timescale(rates(values), n_draws=5)
    second = pdn.timescale(rates(scale * values[::-1][..., order] + shift), n_draws=5)
    for name in ("timescale", "direct_fit"):
        np.testing.assert_allclose(second[name][::-1], first[name], rtol=1e-5)
    np.testing.assert_allclose(
        second["population_timescale"], first["population_timescale"], rtol=1e-5
    )


def test_a_drift_from_trial_to_trial_does_not_matter():
    values = process(0.1, (2, 200))
    drift = np.random.default_rng(0).normal(size=(2, 1, 200)).cumsum(axis=2)
    plain = pdn.timescale(rates(values), n_draws=5)
    found = pdn.timescale(rates(values + drift), n_draws=5)
    np.testing.assert_allclose(found["timescale"], plain["timescale"], rtol=1e-6)


def test_the_same_seed_gives_the_same_result_and_the_input_is_left_alone():
    tensor = rates(process(0.1, (2, 60)))
    before = tensor.copy(deep=True)
    first = pdn.timescale(tensor, n_draws=20, rng=3)
    assert first.identical(pdn.timescale(tensor, n_draws=20, rng=3))
    assert not first.equals(pdn.timescale(tensor, n_draws=20, rng=4))
    assert tensor.identical(before)


def test_what_cannot_be_estimated_says_why():
    rng = np.random.default_rng(0)
    values = rng.poisson(0.2, size=(4, N_BINS, 100)).astype(float)
    values[1] = 0.0
    values[2] = 0.0
    values[2, ::7, ::9] = 1.0
    values[3] = rng.poisson(0.5 * np.linspace(0.1, 6, 100), size=(N_BINS, 100))
    ramps = 20 + rng.uniform(-1, 1, 100) * np.linspace(-18, 18, N_BINS)[:, np.newaxis]
    values = np.concatenate([values, rng.poisson(ramps)[np.newaxis]])
    result = pdn.timescale(counts(values), n_draws=200)
    reason = result["reason"].values
    assert reason[0] == "no autocorrelation beyond the noise"
    assert reason[1] == "constant or not observed"
    assert reason[2].startswith("too few spikes (")
    assert reason[4] == "longer than the window (1 s)"
    assert np.isnan(result["timescale"].values[[0, 1, 2, 4]]).all()
    assert result["timescale_bound"].values[0, 4] > 0.3  # a lower limit is still known
    assert result.attrs["n_estimated"] == np.isfinite(result["timescale"]).sum()


def test_white_noise_is_shorter_than_a_bin():
    values = np.random.default_rng(0).normal(size=(3, N_BINS, 200))
    result = pdn.timescale(rates(values), n_draws=50)
    assert (result["reason"] == "shorter than a third of a bin (0.02 s)").all()


def test_a_stimulus_in_the_window_is_warned_of_unless_there_is_none():
    values = process(0.1, (5, 100))
    assert (pdn.timescale(rates(values), n_draws=5)["modulation_p"] > 0.01).all()
    values[:, 20:30] += 2.0
    with pytest.warns(pdn.PopdynWarning, match=r"in 5 of 5 neurons .* fixation or a delay"):
        result = pdn.timescale(rates(values), n_draws=5)
    assert (result["modulation_p"] <= 0.01).all()
    np.testing.assert_allclose(result["timescale"], 0.1, rtol=0.4)


def expanded(n_trials):
    """Reach of normal percentiles that is that of Student's t, a third of the trials its freedom."""
    factor = np.sqrt(n_trials / (n_trials - 1))
    return scipy.stats.norm.ppf(0.5 + expanded_level(n_trials) / 2) / factor


@pytest.mark.parametrize("n_trials", [10, 31, 400])
def test_bounds_of_few_trials_reach_as_far_as_few_squares_ask(n_trials):
    assert expanded(n_trials) == pytest.approx(scipy.stats.t((n_trials - 1) / 3).ppf(0.975))


def test_no_timescale_beyond_the_window_below_a_third_of_a_bin_or_without_amplitude():
    some = np.ones(101)
    assert _why_not(np.full(101, 0.99), some, 0.02, 1.0) == ""
    assert _why_not(np.full(101, 1.01), some, 0.02, 1.0).startswith("longer than the window")
    assert _why_not(np.full(101, 0.0066), some, 0.02, 1.0).startswith("shorter than a third")
    for n_without, words in ((1, ""), (2, "no autocorrelation beyond the noise")):
        amplitude = some.copy()
        amplitude[1 : 1 + n_without] = 0.0
        assert _why_not(np.full(101, 0.1), amplitude, 0.02, 1.0) == words


def test_bounds_at_the_ends_of_the_search_are_no_bounds():
    tried = grid(0.003, 20.0)
    found = np.concatenate([[0.1], np.geomspace(0.05, 0.2, 98), [tried[0]] * 10, [tried[-1]] * 10])
    low, high = _bounds(found, np.ones(len(found)), tried, 0.95)
    assert low == 0.0 and high == np.inf
    low, high = _bounds(found[:99], np.ones(99), tried, 0.95)
    assert 0.05 < low < 0.06 and 0.17 < high < 0.2


def test_halves_of_the_trials_take_turns():
    """First and second half would be confounded with whatever drifts."""
    first, second = _weights(6, 3, np.random.default_rng(0))[-2:]
    assert first.tolist() == [1, 0, 1, 0, 1, 0] and second.tolist() == [0, 1, 0, 1, 0, 1]


@given(seed=st.integers(0, 1000), angle=st.sampled_from([1.0, 0.03, 1e-3]))
@settings(max_examples=30, deadline=None)
def test_two_curves_are_fitted_as_by_nonnegative_least_squares(seed, angle):
    rng = np.random.default_rng(seed)
    first, away, residual = np.linalg.qr(rng.normal(size=(8, 3)))[0].T
    second = np.cos(angle) * first + np.sin(angle) * away
    weights = rng.uniform(-0.3, 1.0, size=2)
    measured = weights[0] * first + weights[1] * second + 0.1 * residual
    expected, rest = scipy.optimize.nnls(np.stack([first, second], axis=1), measured)
    gain, found = _pair_gain(measured[None], first[None], second[None])
    np.testing.assert_allclose(found[0, 0], expected, atol=1e-6)
    assert gain[0, 0] == pytest.approx(measured @ measured - rest**2, abs=1e-9)


@pytest.mark.parametrize("ratio", [9.99e-4, 1.01e-3])
def test_slow_averages_over_bins_keep_their_digits(ratio):
    found = unit_autocovariance(np.array([1.0]), 1, ratio, averaged=True)[0, 0]
    exact = sum(2 * (-ratio) ** k / math.factorial(k + 2) for k in range(8))
    assert found == pytest.approx(exact, abs=3e-10)


def test_conditions_are_averaged_apart():
    values = process(0.1, (3, 400))
    side = np.arange(400) % 2
    values[:, 25:] += np.where(side, 1.0, -1.0)
    tensor = rates(values, side=side)
    apart = pdn.timescale(tensor, by="side", n_draws=5)
    np.testing.assert_allclose(apart["timescale"], 0.1, rtol=0.25)
    assert (pdn.timescale(tensor, n_draws=5)["timescale"] > 0.15).all()
    tensor.values[:, 20:30] += 2.0
    assert (pdn.timescale(tensor, by="side", n_draws=5)["modulation_p"] <= 0.01).all()


def test_smoothed_rates_are_warned_of():
    tensor = pdn.smooth(pdn.rate(spikes(0.1, 2, 30)), sigma=0.05)
    with pytest.warns(pdn.PopdynWarning, match=r"smoothing adds its own timescale"):
        pdn.timescale(tensor, n_draws=5)


def test_poisson_noise_in_hz_is_that_of_the_counts():
    tensor = spikes(0.1, 3, 100)
    first = pdn.timescale(tensor, n_draws=5)
    second = pdn.timescale(pdn.rate(tensor), noise="poisson", averaged=True, n_draws=5)
    np.testing.assert_allclose(second["timescale"], first["timescale"], rtol=1e-5)


@pytest.mark.parametrize(
    ("tensor", "options", "words"),
    [
        (rates(process(0.1, (1, 9))), {}, r"needs 10 trials or more .* found 9 of 9"),
        (rates(process(0.1, (1, 20), n_bins=6)), {}, r"0\.048 s is 2 lags .* expected 3 to 5"),
        (rates(process(0.1, (1, 20))), {"max_lag": 1.0}, r"1 s is 51 lags .* expected 3 to 49"),
        (rates(process(0.1, (1, 20))), {"noise": "white"}, r"noise is one of poisson, free, none"),
        (rates(process(0.1, (1, 20))), {"noise": "poisson"}, r"needs spike counts or rates in Hz"),
        (rates(process(0.1, (1, 20))), {"n_draws": 0}, r"n_draws is 1 or more; found 0"),
    ],
)
def test_questions_that_cannot_be_asked_are_refused_in_words(tensor, options, words):
    with pytest.raises(pdn.TensorError, match=words):
        pdn.timescale(tensor, **options)


def test_the_result_has_the_promised_variables():
    result = pdn.timescale(rates(process(0.1, (2, 20))), n_draws=5, max_lag=0.3)
    dims = {
        "timescale": (),
        "timescale_bound": ("bound",),
        "direct_fit": (),
        "autocorrelation": ("lag",),
        "fitted_autocorrelation": ("lag",),
        "signal_share": (),
        "two_timescales": ("component",),
        "two_weights": ("component",),
        "two_timescales_error": (),
        "reason": (),
    }
    for name, own in dims.items():
        assert result[f"population_{name}"].dims == own
        assert set(result[name].dims) == {"neuron", *own}
    assert len(result.data_vars) == 2 * len(dims) + 1
    assert result["lag"].values[-1] == pytest.approx(0.3)
    assert result.attrs["method"] == "timescale"
    assert json.loads(result.attrs["parameters"])["noise"] == "none"
    assert result.attrs["n_trials"] == 20


def test_results_are_saved_and_loaded(tmp_path):
    result = pdn.timescale(rates(process(0.1, (2, 20))), n_draws=5)
    pdn.save(result, tmp_path / "timescales.nc")
    assert pdn.load(tmp_path / "timescales.nc").equals(result)


@pytest.mark.filterwarnings("ignore::popdyn.errors.PopdynWarning")
def test_a_recording_and_a_network_are_asked_alike():
    session = pdn.read_session(
        DATA / "human_mtl_boundaries_sub-4_ses-4.nwb", trials="encoding_table"
    )
    recording = pdn.timescale(pdn.align(session, "boundary1_time", (-1.0, 1.0), 0.05), n_draws=50)
    assert 0.05 < float(recording["population_timescale"]) < 0.4
    assert recording.attrs["n_estimated"] >= 10
    network, task = pdn.network.Rate.random(30, g=1.5, rng=0), pdn.tasks.PerceptualDecision()
    simulated = pdn.simulate(network, task.sample(40, rng=1), rng=2)
    found = pdn.timescale(simulated["rate"], by="stimulus", n_draws=50)
    assert found.attrs["source"] == "network"
    assert {str(name) for name in found.data_vars} == {str(name) for name in recording.data_vars}
