"""Trials without reset: one stretch of time through all of them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.errors import TensorError
from popdyn.network import Rate, Spiking
from popdyn.tasks import PerceptualDecision
from popdyn.tensor.session import neuron_spikes


@pytest.fixture(scope="module")
def net():
    return Rate.random(25, g=1.2, rng=0)


@pytest.fixture(scope="module")
def trials():
    task = PerceptualDecision(delay_duration=(0.1, 0.5), inter_trial=(0.2, 0.9))
    return task.sample(7, rng=0)


def chain(n_neurons=12):
    """A network that forgets: what goes in has left the chain after `n_neurons` steps."""
    return Rate(
        np.eye(n_neurons, k=-1), np.eye(n_neurons, 1), np.ones((1, n_neurons)),
        np.zeros(n_neurons), tau=0.01, dt=0.01,
    )  # fmt: skip


def test_where_the_state_is_reset_between_trials_the_stream_is_the_run_with_reset(trials):
    forgetful = chain()
    stream = pdn.simulate(forgetful, trials, continuous=True, record=("rate", "state"))
    anew = pdn.simulate(forgetful, trials, tile=1, record=("rate", "state"))
    assert float(abs(anew["rate"]).max()) > 0.1
    for name in ("rate", "potential", "output", "response", "choice", "correct", "time", "trial"):
        assert np.array_equal(stream[name].values, anew[name].values, equal_nan=True)


def test_without_forgetting_the_stream_is_another(net, trials):
    stream = pdn.simulate(net, trials, continuous=True, initial_state=np.ones(25))
    anew = pdn.simulate(net, trials, tile=1, initial_state=np.ones(25))
    first = np.argmin(trials["start_time"].values)
    same = (stream["rate"] == anew["rate"]) | np.isnan(anew["rate"])
    assert same.all(dim=("neuron", "time")).values.tolist() == [i == first for i in range(7)]


def loop_over_the_stream(net, trials, state):
    """Rates at every step of the session's clock, one step at a time."""
    dt, start, stop = net.dt, trials["start_time"].values, trials["stop_time"].values
    inputs = trials["inputs"].values
    rates = [np.tanh(state)]
    for step in range(round((stop.max() - start.min()) / dt)):
        now = start.min() + (step + 0.5) * dt
        inside = np.flatnonzero((now > start) & (now < stop))
        u = np.zeros(net.n_inputs)
        if inside.size:
            u = inputs[:, int((now - start[inside[0]]) / dt), inside[0]]
        drive = net.recurrent @ rates[-1] + net.input @ u + net.bias
        state = state + dt / net.tau * (-state + drive)
        rates.append(np.tanh(state))
    return np.array(rates)


def test_the_stream_is_cut_where_the_trials_are_on_the_clock(net, trials):
    state = np.random.default_rng(1).standard_normal(25)
    rates = loop_over_the_stream(net, trials, state)
    ends = (rates[1:] + rates[:-1]) / 2
    sim = pdn.simulate(net, trials, continuous=True, initial_state=state, bin_width=0.02)
    for trial, (start, stop) in enumerate(
        zip(trials["start_time"].values, trials["stop_time"].values, strict=True)
    ):
        first, n_bins = round(start / 0.01), int((stop - start) / 0.02 + 1e-6)
        expected = ends[first : first + 2 * n_bins].reshape(n_bins, 2, 25).mean(axis=1)
        found = sim["rate"].values[:, :n_bins, trial]
        assert found == pytest.approx(expected.T, rel=1e-5, abs=1e-6)
        assert np.isnan(sim["rate"].values[:, n_bins:, trial]).all()
        outputs = net.output @ expected.T
        assert sim["output"].values[:, :n_bins, trial] == pytest.approx(outputs, rel=1e-9)


def test_time_around_trials_is_that_of_their_neighbors(net, trials):
    state = np.random.default_rng(1).standard_normal(25)
    rates = loop_over_the_stream(net, trials, state)
    ends = (rates[1:] + rates[:-1]) / 2
    sim = pdn.simulate(
        net, trials, continuous=True, initial_state=state, around=(0.5, 0.3), bin_width=0.02
    )
    rate = pdn.check(sim["rate"])
    assert rate["time"].values[0] == pytest.approx(-0.49)
    for trial, start in enumerate(trials["start_time"].values):
        bins = rate["time"].values + start
        held = np.flatnonzero(np.isfinite(rate.values[0, :, trial]))
        lasts = float(trials["stop_time"][trial] - start)
        assert rate["time"].values[held[-1]] == pytest.approx(lasts + 0.3, abs=0.031)
        assert bins[held[0]] == pytest.approx(max(start - 0.49, 0.01), abs=0.0201)
        for at in held:
            step = round((bins[at] - 0.01) / 0.01)
            if step + 2 <= len(ends):
                mean = ends[step : step + 2].mean(axis=0)
                assert rate.values[:, at, trial] == pytest.approx(mean, rel=1e-5, abs=1e-6)


def test_bins_before_the_stream_of_a_second_trial_are_on_its_own_grid(net):
    """The second trial starts half a bin off the first one's grid, and reaches before it."""
    inputs = np.random.default_rng(0).standard_normal((1, 10, 2))
    data = xr.Dataset(
        {"inputs": (("channel", "step_time", "trial"), inputs)},
        coords={"start_time": ("trial", [0.0, 0.13]), "stop_time": ("trial", [0.1, 0.23])},
        attrs={"dt": 0.01},
    )
    how = {"continuous": True, "bin_width": 0.02}
    wide = pdn.simulate(net, data, around=(0.2, 0.0), **how)["rate"]
    narrow = pdn.simulate(net, data, around=(0.12, 0.0), **how)["rate"]
    seen = np.isfinite(wide.values[0, :, 1])
    # From -0.2 s on bins begin at 0.07 s before the stream, the first whole one at 0.01 s in it.
    assert wide["time"].values[seen][0] == pytest.approx(-0.11)
    both = wide.isel(trial=1, time=np.flatnonzero(seen)).values
    np.testing.assert_array_equal(both, narrow.isel(trial=1).values)


def test_tensors_with_time_around_can_be_aligned_beyond_the_trial(net, trials):
    sim = pdn.simulate(net, trials, continuous=True, around=(1.0, 1.0))
    rate = pdn.align(sim["rate"], "stimulus_on_time", (-0.8, 1.2))
    assert np.isfinite(rate.values[:, :, 1:]).all()
    plain = pdn.simulate(net, trials, continuous=True)
    said = r"in 7 of 7 trials .* past what was simulated of the trial.*continuous=True and around="
    with pytest.warns(pdn.PopdynWarning, match=said):
        cut = pdn.align(plain["rate"], "stimulus_on_time", (-0.8, 1.2))
    seen = np.isfinite(cut.values)
    assert 0.2 < seen.mean() < 0.8
    assert np.array_equal(cut.values[seen], rate.values[seen])


def alone(n_neurons=200, tau=0.1, dt=0.01):
    return Rate(
        np.zeros((n_neurons, n_neurons)), np.ones((n_neurons, 1)), np.ones((1, n_neurons)),
        np.zeros(n_neurons), tau=tau, dt=dt, nonlinearity="linear",
    )  # fmt: skip


def test_within_a_trial_the_noise_is_that_of_the_run_with_reset(trials):
    net = alone()
    keywords = {"noise_density": 0.5, "input_noise_density": 0.2, "rng": 4}
    stream = pdn.simulate(net, trials, continuous=True, **keywords)["rate"].values
    anew = pdn.simulate(net, trials, tile=1, **keywords)["rate"].values
    carried = (stream - anew)[:, :60]  # what is left of the state at the trial's start
    decay = 0.9 ** np.arange(60)
    assert carried[:, :, 0] == pytest.approx(0, abs=1e-6)
    assert abs(carried[:, 0, 1:]).max() > 0.1
    assert carried == pytest.approx(carried[:, :1] * decay[:, None], abs=1e-5)


@pytest.mark.parametrize(
    ("noise", "variance"),
    [
        ({"noise_density": 0.8}, 0.8**2 * 0.01 / (1 - 0.9**2)),
        ({"input_noise_density": 0.8}, (0.1 * 0.8) ** 2 / 0.01 / (1 - 0.9**2)),
    ],
)
def test_noise_goes_on_between_trials(noise, variance):
    task = PerceptualDecision(
        stimuli=(1e-9,), stimulus_noise=0, stimulus_duration=0.05, inter_trial=0.6
    )
    trials = task.sample(400, rng=0)
    sim = pdn.simulate(alone(1), trials, continuous=True, rng=1, bin_width=0.01, **noise)
    start = sim["rate"].values[0, 0, 1:].astype(float)
    # A bin is the mean of two ends of a step, of which each keeps 0.9 of the one before.
    assert start.var() == pytest.approx(variance * 0.95, rel=0.25)


def test_trials_may_stand_in_any_order_in_the_table(net, trials):
    order = [3, 0, 6, 1, 5, 2, 4]
    straight = pdn.simulate(net, trials, continuous=True)
    mixed = pdn.simulate(net, trials.isel(trial=order), continuous=True)
    assert np.array_equal(mixed["trial"], order)
    assert np.array_equal(mixed["rate"], straight["rate"].isel(trial=order), equal_nan=True)
    assert np.array_equal(mixed["correct"], straight["correct"].isel(trial=order))


def test_the_result_says_that_it_is_continuous(net, trials):
    sim = pdn.simulate(net, trials, continuous=True)
    assert '"continuous": true' in sim.attrs["parameters"]
    assert "continuous" not in pdn.simulate(net, trials).attrs["parameters"]
    assert np.array_equal(sim["align_time"], trials["start_time"])


def test_trials_that_make_no_stream_are_refused_in_plain_words(net, trials):
    back = xr.DataArray(np.arange(7.0), dims="trial")
    early = trials.assign_coords(
        start_time=trials["start_time"] - back, stop_time=trials["stop_time"] - back
    )
    with pytest.raises(
        TensorError, match=r"6 trials start before .* first trial 1, .* s too early"
    ):
        pdn.simulate(net, early, continuous=True)
    shift = xr.DataArray([0, 0.003] + [0] * 5, dims="trial")
    beside = trials.assign_coords(
        start_time=trials["start_time"] + shift, stop_time=trials["stop_time"] + shift
    )
    with pytest.raises(TensorError, match=r"must start on steps .* 1 of 7 do not, first trial 1"):
        pdn.simulate(net, beside, continuous=True)
    with pytest.raises(TensorError, match=r"shape \(25,\) with continuous=True"):
        pdn.simulate(net, trials, continuous=True, initial_state=np.zeros((25, 7)))


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"around": (0.1, 0.1)}, "around needs continuous=True: trials that start anew have"),
        ({"around": (0.015, 0), "continuous": True}, "around must be whole bins of 0.01 s"),
        ({"around": (-0.1, 0), "continuous": True}, "around must be two durations in seconds"),
        ({"around": 0.1, "continuous": True}, "around must be two durations in seconds"),
    ],
)
def test_time_around_trials_that_cannot_be_kept_is_refused(net, trials, keywords, words):
    with pytest.raises(TensorError, match=words):
        pdn.simulate(net, trials, **keywords)


@pytest.fixture(scope="module")
def spiking():
    return Spiking.random(40, n_inputs=1, rng=0)


@pytest.fixture(scope="module")
def spiking_trials(spiking):
    task = PerceptualDecision(stimulus_duration=0.3, inter_trial=(0.1, 0.3))
    return task.sample(4, rng=0, dt=spiking.dt)


def as_one_trial(trials, dt):
    """All trials and what lies between them as the inputs of one."""
    start, stop = trials["start_time"].values, trials["stop_time"].values
    inputs = np.zeros((1, round((stop.max() - start.min()) / dt), 1))
    for trial, (first, last) in enumerate(zip(start, stop, strict=True)):
        n_steps = round((last - first) / dt)
        at = round((first - start.min()) / dt)
        inputs[:, at : at + n_steps, 0] = trials["inputs"].values[:, :n_steps, trial]
    return xr.Dataset({"inputs": (("channel", "step_time", "trial"), inputs)}, attrs={"dt": dt})


def test_a_stream_of_spikes_is_that_of_one_long_trial(spiking, spiking_trials):
    state = np.linspace(0.1, 0.9, 40) * (spiking.threshold - spiking.reset) + spiking.reset
    keywords = {"record": ("spikes",), "initial_state": state}
    stream = pdn.simulate(spiking, spiking_trials, continuous=True, **keywords)
    long = pdn.simulate(spiking, as_one_trial(spiking_trials, spiking.dt), **keywords)
    assert stream.sizes["spike"] == long.sizes["spike"] > 100
    for neuron in range(40):
        assert neuron_spikes(stream, neuron) == pytest.approx(neuron_spikes(long, neuron))
    assert stream.sizes["interval"] == 40
    assert (stream["obs_stop"] == spiking_trials["stop_time"].max()).all()


def test_bins_of_a_stream_count_its_spikes(spiking, spiking_trials):
    keywords = {"continuous": True, "rng": 2, "noise_density": 1.0, "input_noise_density": 0.1}
    session = pdn.simulate(spiking, spiking_trials, record=("spikes",), **keywords)
    binned = pdn.simulate(spiking, spiking_trials, record=("spike_count",), **keywords)
    lasts = binned.sizes["time"] * 0.01
    counts = pdn.align(session, "start_time", (0.0, lasts), 0.01)
    seen = np.isfinite(binned["spike_count"].values)
    assert seen.any()
    assert np.array_equal(counts.values[seen], binned["spike_count"].values[seen])
    for name in ("response", "choice", "correct"):
        assert np.array_equal(session[name], binned[name], equal_nan=True)
    before = pdn.align(session, "stimulus_on_time", (-0.3, 0.2), 0.1).isel(trial=slice(1, None))
    assert np.isfinite(before.values).all()


def test_currents_and_outputs_are_carried_from_trial_to_trial(spiking):
    task = PerceptualDecision(stimulus_duration=0.3, inter_trial=0.05)
    spiking_trials = task.sample(4, rng=0, dt=spiking.dt)
    state = np.full(40, float(np.mean(spiking.reset)))
    keywords = {"record": ("potential", "current"), "initial_state": state, "bin_width": 0.01}
    stream = pdn.simulate(spiking, spiking_trials, continuous=True, **keywords)
    long = pdn.simulate(spiking, as_one_trial(spiking_trials, spiking.dt), **keywords)
    for trial, start in enumerate(spiking_trials["start_time"].values):
        at = round(start / 0.01)
        assert start == pytest.approx(at * 0.01)
        for name in ("potential", "current", "output"):
            own = stream[name].values[:, :, trial]
            n_bins = int(np.isfinite(own[0]).sum())
            expected = long[name].values[:, at : at + n_bins, 0]
            assert n_bins > 30
            assert own[:, :n_bins] == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.fixture
def in_pieces(monkeypatch):
    """Pieces of a few hundred steps, so that bins lie on both sides of their edges."""
    monkeypatch.setattr("popdyn.simulation.spiking_around._SHORTEST", 101)
    monkeypatch.setattr("popdyn.simulation.spiking_around._PIECE", 1)


def test_spikes_around_trials_are_those_of_the_session(spiking, spiking_trials, in_pieces):
    keywords = {"continuous": True, "rng": 2, "noise_density": 1.0, "input_noise_density": 0.1}
    session = pdn.simulate(spiking, spiking_trials, record=("spikes",), **keywords)
    around = {"around": (0.5, 0.4), **keywords}
    binned = pdn.simulate(spiking, spiking_trials, record=("spike_count", "rate"), **around)
    plain = pdn.simulate(spiking, spiking_trials, record=("spike_count",), **keywords)
    counts = binned["spike_count"]
    time = counts["time"].values
    window = (round(time[0] - 0.005, 9), round(time[-1] + 0.005, 9))
    assert window[0] == -0.5
    expected = pdn.align(session, "start_time", window, 0.01).values
    # The session ends with the last trial, the run 0.4 s later.
    seen = np.isfinite(expected) & np.isfinite(counts.values)
    assert seen.mean() > 0.7
    assert np.array_equal(counts.values[seen], expected[seen])
    assert counts.values[seen].sum() > 500
    assert np.array_equal(binned["rate"], counts * np.float32(100), equal_nan=True)
    # In trials, and what is said of them, nothing changes.
    inside = plain["spike_count"].values
    own = counts.values[:, 50 : 50 + inside.shape[1]]
    assert np.array_equal(own[np.isfinite(inside)], inside[np.isfinite(inside)])
    for name in ("response", "choice", "correct"):
        assert np.array_equal(plain[name], binned[name], equal_nan=True)
    # NaN is only what the run does not reach: before the first trial.
    unknown = np.isnan(counts.values).all(axis=0)
    assert unknown[:50, 0].all()
    assert not unknown[50:90, 0].any()
    assert not unknown[:90, 1:].any()
    middle = pdn.align(counts, "stop_time", (-0.1, 0.4)).isel(trial=slice(1, None))
    assert np.isfinite(middle.values).all()


def test_potentials_and_currents_around_trials_are_those_of_one_long_trial(spiking, in_pieces):
    task = PerceptualDecision(stimulus_duration=0.3, inter_trial=0.05)
    drawn = task.sample(4, rng=0, dt=spiking.dt)
    state = np.full(40, float(np.mean(spiking.reset)))
    keywords = {"record": ("potential", "current"), "initial_state": state, "bin_width": 0.01}
    stream = pdn.simulate(spiking, drawn, continuous=True, around=(0.2, 0.3), **keywords)
    long = pdn.simulate(spiking, as_one_trial(drawn, spiking.dt), **keywords)
    for trial, start in enumerate(drawn["start_time"].values):
        at = round((start - 0.2) / 0.01) + np.arange(stream.sizes["time"])
        known = (at >= 0) & (at < long.sizes["time"])
        assert known.sum() > 50
        for name in ("potential", "current", "output"):
            own, expected = stream[name].values[:, known, trial], long[name].values[:, at[known], 0]
            seen = np.isfinite(own)
            assert seen.mean() > 0.9
            assert own[seen] == pytest.approx(expected[seen], rel=1e-5, abs=1e-6)
        assert np.isnan(stream["potential"].values[:, at < 0, trial]).all()


def test_time_around_spikes_is_in_the_session_anyway(spiking, spiking_trials):
    with pytest.raises(TensorError, match="around belongs to tensors: .* leave around out"):
        pdn.simulate(
            spiking, spiking_trials, continuous=True, around=(0.1, 0.0), record=("spikes",)
        )


def test_trials_that_end_within_a_window_are_counted_as_those_past_the_tensor(net):
    trials = PerceptualDecision(delay_duration=(0.1, 0.9)).sample(6, rng=0)
    rate = pdn.simulate(net, trials)["rate"]
    lasts = (trials["stop_time"] - trials["start_time"]).values
    # Ends within the tensor, but for the longest trial's.
    stop = float(np.sort(lasts)[2]) + 0.02
    said = rf"in {(lasts < stop - 0.01).sum()} of 6 trials .*past what was simulated"
    with pytest.warns(pdn.PopdynWarning, match=said):
        pdn.align(rate, "start_time", (0.0, round(stop, 2)))
    pdn.align(rate, "start_time", (0.0, round(float(lasts.min()), 2)))
    with pytest.raises(TensorError, match=r"outside the tensor's time. Simulate with continuous="):
        pdn.align(rate, "start_time", (-0.5, -0.2))
