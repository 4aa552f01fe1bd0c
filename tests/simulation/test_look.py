"""A network looked at as experiments look: own spikes, sessions apart, drift, missing trials."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.errors import PopdynWarning, TensorError
from popdyn.network import Rate, Spiking
from popdyn.resample import spawn
from popdyn.simulation.loss import Drift, drop_time, keep_time
from popdyn.tasks import PerceptualDecision
from popdyn.tensor.session import is_session, neuron_spikes


@pytest.fixture(scope="module")
def sim():
    net = Rate.random(30, g=0.9, rng=0)
    task = PerceptualDecision(fixation_duration=0.3, delay_duration=(0.1, 0.4))
    return pdn.simulate(net, task.sample(24, rng=0), noise_density=0.2)


@pytest.fixture(scope="module")
def spiking():
    net = Spiking.random(30, rng=0)
    trials = PerceptualDecision(stimulus_duration=0.3).sample(10, rng=0, dt=net.dt)
    return pdn.simulate(net, trials, record=("spikes",), rng=1, source_id="lif")


@pytest.fixture(scope="module")
def stream():
    net = Spiking.random(30, rng=0)
    trials = PerceptualDecision(stimulus_duration=0.3).sample(10, rng=0, dt=net.dt)
    return pdn.simulate(net, trials, record=("spikes",), rng=1, continuous=True)


def test_own_spikes_of_a_spiking_network_are_taken_as_they_are(spiking):
    seen = pdn.observe(spiking, 12, rng=3)
    assert is_session(seen)
    assert seen.sizes["neuron"] == 12
    for position, neuron in enumerate(seen["neuron"].values):
        assert np.array_equal(neuron_spikes(seen, position), neuron_spikes(spiking, int(neuron)))
    assert seen.sizes["interval"] == 12 * 10
    assert (seen.attrs["source_id"], seen.attrs["source"]) == ("lif", "network")
    steps = [step["step"] for step in json.loads(seen.attrs["popdyn"])]
    assert steps == ["simulate", "observe"]
    assert {"choice", "correct", "stimulus_on_time"} <= set(seen.coords)
    others = pdn.observe(spiking, 12, rng=4)
    assert not np.array_equal(seen["neuron"], others["neuron"])


def test_rates_counted_from_spikes_are_doubted_unless_they_were_smoothed():
    net = Spiking.random(10, rng=0)
    trials = PerceptualDecision(stimulus_duration=0.3).sample(4, rng=0, dt=net.dt)
    rates = pdn.simulate(net, trials, rng=1)
    with pytest.warns(PopdynWarning, match=r"own spikes: spikes drawn from them vary twice. Obs"):
        assert is_session(pdn.observe(rates, 5))
    assert is_session(pdn.observe(pdn.smooth(rates["rate"], sigma=0.05), 5))


def test_spikes_that_are_given_need_no_map(spiking):
    with pytest.raises(TensorError, match="rate_map makes spikes from rates: these spikes are"):
        pdn.observe(spiking, 5, rate_map={"baseline": 1.0, "gain": 1.0})


@pytest.mark.parametrize("which", ["sim", "spiking", "stream"])
def test_sessions_apart_share_neither_neurons_nor_trials(request, which):
    source = request.getfixturevalue(which)
    sessions = pdn.observe_sessions(source, 4, 7, rng=0, source_id="area")
    assert list(sessions) == ["area_1", "area_2", "area_3", "area_4"]
    assert [each.attrs["source_id"] for each in sessions.values()] == list(sessions)
    neurons = np.concatenate([each["neuron"].values for each in sessions.values()])
    trials = np.concatenate([each["trial"].values for each in sessions.values()])
    assert len(set(neurons.tolist())) == 28
    assert sorted(trials.tolist()) == sorted(source["trial"].values.tolist())
    assert {each.attrs["simultaneous"] for each in sessions.values()} == {1}
    last = -np.inf
    for each in sessions.values():
        assert each["spike_time"].min() >= each["start_time"].min()
        assert each["start_time"].min() > last
        last = each["stop_time"].max()
        assert each["obs_start"].min() >= each["start_time"].min()
        counts = pdn.align(each, "stimulus_on_time", (0.0, 0.3), 0.1)
        assert np.isfinite(counts.values).all()


def test_own_spikes_in_sessions_apart_are_those_of_the_network(stream):
    sessions = pdn.observe_sessions(stream, 3, 10, rng=0)
    for each in sessions.values():
        whole = pdn.align(stream, "stimulus_on_time", (0.0, 0.3), 0.01)
        part = pdn.align(each, "stimulus_on_time", (0.0, 0.3), 0.01)
        expected = whole.sel(neuron=each["neuron"].values, trial=each["trial"].values)
        assert np.array_equal(part.values, expected.values)
    assert sum(each.sizes["interval"] for each in sessions.values()) == 30


def test_one_look_and_many_draw_from_the_same_streams(sim):
    one = pdn.observe(sim, 5, rng=7)
    assert one.identical(pdn.observe(sim, 5, rng=7, drift=0.0, missing_trials=0.0, drift_time=9.0))
    again = pdn.observe_sessions(sim, 2, 5, rng=7)
    assert again["network_1"].identical(pdn.observe_sessions(sim, 2, 5, rng=7)["network_1"])


def test_the_factor_of_drift_has_the_stated_size_and_time():
    times = np.arange(400) * 10.0
    generators = [np.random.default_rng(seed) for seed in range(500)]
    gains = Drift(0.3, 200.0).gains(times, generators)
    assert gains.mean() == pytest.approx(1.0, rel=0.02)
    log = np.log(gains) + 0.3**2 / 2
    assert log.std() == pytest.approx(0.3, rel=0.03)
    assert log[:, 0].std() == pytest.approx(0.3, rel=0.1)
    for lag in (1, 20, 60):
        both = (log[:, lag:] * log[:, :-lag]).mean() / (log**2).mean()
        assert both == pytest.approx(np.exp(-lag * 10.0 / 200.0), abs=0.04)


def test_the_factor_follows_time_whatever_the_order_of_trials():
    generators = [np.random.default_rng(3)]
    straight = Drift(0.3, 50.0).gains(np.array([0.0, 5.0, 30.0, 31.0]), generators)
    mixed = Drift(0.3, 50.0).gains(np.array([30.0, 0.0, 31.0, 5.0]), [np.random.default_rng(3)])
    assert np.array_equal(mixed[0], straight[0][[2, 0, 3, 1]])


def test_drift_changes_rates_slowly_and_not_their_mean():
    flat = pdn.make_tensor(
        np.full((60, 4, 200), 40.0),
        (np.arange(4) + 0.5) * 0.25,
        bin_width=0.25,
    )
    steady = pdn.align(pdn.observe(flat, 60, rng=1), "start_time", (0.0, 1.0), 1.0).values[:, 0]
    session = pdn.observe(flat, 60, rng=1, drift=0.4, drift_time=100.0)
    drifting = pdn.align(session, "start_time", (0.0, 1.0), 1.0).values[:, 0]
    assert drifting.mean() == pytest.approx(40.0, rel=0.06)
    assert steady.var(axis=1).mean() == pytest.approx(40.0, rel=0.1)  # Poisson
    # Within 200 trials of 2 s a part of the variance is seen; Poisson noise is on top.
    assert drifting.var() == pytest.approx(40.0 + (0.4 * 40.0) ** 2 * 1.1, rel=0.25)
    near = np.mean([np.corrcoef(x[:-1], x[1:])[0, 1] for x in drifting])
    far = np.mean([np.corrcoef(x[:-100], x[100:])[0, 1] for x in drifting])
    assert near > 0.5
    assert far < 0.3
    step = json.loads(session.attrs["popdyn"])[-1]["parameters"]
    assert (step["drift"], step["drift_time"]) == (0.4, 100.0)


def test_spikes_that_are_given_can_only_be_lost_to_drift(stream):
    whole = pdn.observe(stream, 10, rng=2)
    part = pdn.observe(stream, 10, rng=2, drift=0.5, drift_time=5.0)
    assert 0 < part.sizes["spike"] < whole.sizes["spike"]
    for position in range(10):
        assert np.isin(neuron_spikes(part, position), neuron_spikes(whole, position)).all()
    assert np.array_equal(part["obs_start"], whole["obs_start"])
    # Of each neuron the share of its factor's largest value.
    generators = spawn(spawn(np.random.default_rng(2), 4)[2], 30)
    own = [generators[neuron] for neuron in part["neuron"].values]
    gains = Drift(0.5, 5.0).gains(whole["start_time"].values, own)
    begin = whole["start_time"].values
    counts = [
        np.diff(np.searchsorted(neuron_spikes(whole, i), [*begin, np.inf])) for i in range(10)
    ]
    kept = (np.array(counts) * gains / gains.max(axis=1, keepdims=True)).sum()
    assert part.sizes["spike"] == pytest.approx(kept, abs=4 * kept**0.5)
    assert kept < 0.8 * whole.sizes["spike"]


@pytest.mark.parametrize("which", ["sim", "spiking", "stream"])
def test_missing_trials_are_stretches_that_were_not_observed(request, which):
    source = request.getfixturevalue(which)
    n_trials = source.sizes["trial"]
    whole = pdn.observe(source, 20, rng=1)
    session = pdn.observe(source, 20, rng=1, missing_trials=0.3)
    window = ("stimulus_on_time", (0.0, 0.3), 0.1)
    counts, before = pdn.align(session, *window), pdn.align(whole, *window)
    gone = np.isnan(counts.values).all(axis=1)
    assert np.array_equal(gone, np.isnan(counts.values).any(axis=1))
    assert (gone.sum(axis=1) == round(0.3 * n_trials)).all()
    assert (np.abs(np.diff(gone.astype(int), axis=1)).sum(axis=1) <= 2).all()  # one stretch
    assert np.unique(gone, axis=0).shape[0] > 3
    seen = np.isfinite(counts.values)
    assert np.array_equal(counts.values[seen], before.values[seen])


def test_a_look_with_everything_survives_nwb(sim, tmp_path):
    sessions = pdn.observe_sessions(
        sim, 2, 6, drift=0.3, drift_time=20.0, missing_trials=0.25, rng=5
    )
    for name, session in sessions.items():
        file = pdn.write_nwb(tmp_path / f"{name}.nwb", session)
        cut = {"window": (-0.2, 0.6), "bin_width": 0.05}
        there = pdn.read_nwb(file, "stimulus_on_time", **cut)
        here = pdn.align(session, "stimulus_on_time", **cut)
        assert np.isnan(here.values).any()
        assert np.array_equal(there.values, here.values, equal_nan=True)
        assert np.array_equal(there["choice"], here["choice"], equal_nan=True)
        assert np.array_equal(there["neuron"], here["neuron"])


def test_own_spikes_survive_nwb(stream, tmp_path):
    session = pdn.observe(stream, 8, rng=0, missing_trials=0.2)
    file = pdn.write_nwb(tmp_path / "lif.nwb", session)
    cut = {"window": (-0.3, 0.3), "bin_width": 0.05}
    here = pdn.align(session, "stimulus_on_time", **cut)
    there = pdn.read_nwb(file, "stimulus_on_time", **cut)
    assert np.array_equal(there.values, here.values, equal_nan=True)


def test_a_continuous_run_with_time_around_is_observed_during_its_trials():
    net = Rate.random(10, g=0.9, rng=0)
    trials = PerceptualDecision(inter_trial=1.0).sample(4, rng=0)
    plain = pdn.simulate(net, trials, continuous=True)
    around = pdn.simulate(net, trials, continuous=True, around=(0.5, 0.8))
    one, other = pdn.observe(plain, 5, rng=1), pdn.observe(around, 5, rng=1)
    assert np.array_equal(one["obs_start"], other["obs_start"])
    assert one["spike_time"].values == pytest.approx(other["spike_time"].values)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), start=st.floats(-1, 12), length=st.floats(0, 5))
def test_time_dropped_and_time_kept_make_the_whole(seed, start, length):
    drawn = np.random.default_rng(seed)
    times = [np.sort(drawn.uniform(0, 10, drawn.integers(0, 30))) for _ in range(3)]
    edges = np.sort(drawn.uniform(0, 10, 6))
    session = pdn.make_session(
        np.concatenate(times), np.concatenate([[0], np.cumsum([len(t) for t in times])]),
        trials={"start_time": [0.0, 5.0]},
        obs=(np.tile(edges[::2], 3), np.tile(edges[1::2], 3), np.repeat(np.arange(3), 3)),
    )  # fmt: skip
    stop = start + length
    dropped = drop_time(session, np.full(3, start), np.full(3, stop))
    kept = keep_time(session, start, stop)
    both = np.sort(np.concatenate([dropped["spike_time"], kept["spike_time"]]))
    assert np.array_equal(both, np.sort(np.concatenate(times)))

    def lasts(x):
        return float((x["obs_stop"] - x["obs_start"]).sum())

    assert lasts(dropped) + lasts(kept) == pytest.approx(lasts(session))


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"drift": -0.1}, "drift must be zero to 3: .*; found -0.1"),
        ({"drift": 3.1}, r"median of the factor is exp\(-drift²/2\), about 0.01 .*; found 3.1"),
        ({"drift": float("nan")}, "drift must be zero to 3: .*; found nan"),
        ({"drift": "strong"}, "drift must be zero to 3: .*; found 'strong'"),
        ({"drift_time": 0}, "drift_time must be a positive number of seconds; found 0"),
        ({"missing_trials": 1.0}, "missing_trials must be a share of at least 0 and below 1"),
        ({"missing_trials": None}, "missing_trials must be a share .*; found None"),
    ],
)
def test_looks_that_cannot_be_are_refused(sim, spiking, keywords, words):
    for source in (sim, spiking):
        with pytest.raises(TensorError, match=words):
            pdn.observe(source, 10, **keywords)


@pytest.mark.parametrize("number", [0, None, True, 2.0])
def test_a_number_of_sessions_that_is_none_is_refused(sim, number):
    with pytest.raises(TensorError, match="n_sessions must be a whole number of at least 1, found"):
        pdn.observe_sessions(sim, number, 10)


def test_sessions_that_need_more_neurons_than_there_are_are_refused(sim, spiking):
    words = r"4 sessions of 10 neurons of their own need 40, the network has 30.*7"
    for source in (sim, spiking):
        with pytest.raises(TensorError, match=words):
            pdn.observe_sessions(source, 4, 10)


def test_one_session_recorded_apart_is_still_named_and_numbered(sim):
    apart, alone = pdn.observe_sessions(sim, 1, 10, rng=3), pdn.observe(sim, 10, rng=3)
    assert list(apart) == ["network_1"]
    assert np.array_equal(apart["network_1"]["spike_time"], alone["spike_time"])


def test_more_sessions_than_trials_are_refused(sim):
    with pytest.raises(TensorError, match="25 sessions need a trial each at least, found 24"):
        pdn.observe_sessions(sim, 25, 1)


def test_losses_need_to_know_when_trials_start(spiking):
    bare = spiking.drop_vars("start_time")
    words = "need to know when trials start: .* no column start"
    for keywords in ({"missing_trials": 0.2}, {"drift": 0.1}):
        with pytest.raises(TensorError, match=words):
            pdn.observe(bare, 5, **keywords)
    with pytest.raises(TensorError, match=words):
        pdn.observe_sessions(bare, 2, 5)
