"""A network arrives on the bins of the spec, as what it became by training."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import popdyn as pdn
from popdyn.comparison import network_source, training
from popdyn.comparison.network_bins import common_width
from popdyn.comparison.network_source import draft, run, simulate_draft
from popdyn.comparison.pipeline import compare
from popdyn.comparison.spec import load_spec
from popdyn.errors import SpecError, TensorError


@pytest.fixture
def plan_of(spec_of, network):
    """Draft the network without observation, with a fixation of so many seconds."""

    def make(fixation, window=(-0.1, 0.4), bin_width=0.05, **simulate):
        del network["observe"]
        network.pop("train")
        network["task"]["fixation_duration"] = fixation
        network["simulate"] = {"n_trials": 8, **simulate}
        when = {"window": list(window), "bin_width": bin_width}
        spec = load_spec({**spec_of(network), "alignment": when})
        return draft(spec.sources[0], spec.seed), spec

    return make


@pytest.mark.parametrize(
    ("fixation", "window", "width"),
    [(0.1, (-0.1, 0.4), 0.05), (0.12, (-0.1, 0.4), 0.01), (0.2, (-0.08, 0.42), 0.01)],
)
def test_rates_are_averaged_over_exactly_the_bins_around_the_event(
    plan_of, fixation, window, width
):
    plan, spec = plan_of(fixation, window)
    assert common_width(
        plan.net.dt, plan.trials, "stimulus_on_time", spec.alignment
    ) == pytest.approx(width)
    found = run(plan, spec).tensor
    fine = simulate_draft(plan, spec.seed, plan.net.dt)["rate"].values
    first = round((fixation + window[0]) / plan.net.dt)
    expected = fine[:, first : first + 50].reshape(fine.shape[0], 10, 5, -1).mean(axis=2)
    np.testing.assert_allclose(found.values, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["time"], window[0] + 0.025 + 0.05 * np.arange(10))
    assert found.attrs["bin_width"] == 0.05
    pdn.check(found)


def test_events_beside_the_bins_that_were_asked_for_are_refused_with_the_offset(plan_of):
    plan, spec = plan_of(0.12, bin_width=0.05)
    asked = replace(plan, source=plan.source.model_copy(update={"simulate": {"bin_width": 0.05}}))
    with pytest.raises(SpecError) as caught:
        run(asked, spec)
    message = str(caught.value)
    assert "source 'network': 'stimulus_on_time'" in message
    assert "lies up to 0.02 s beside the edges of the network's bins of 0.05 s" in message
    assert "leave simulate.bin_width out" in message


def test_a_window_between_the_steps_of_a_network_is_refused(plan_of):
    plan, spec = plan_of(0.1, window=(-0.095, 0.405))
    with pytest.raises(SpecError, match=r"lies up to 0.005 s beside the edges .* of 0.01 s"):
        run(plan, spec)


def test_the_digest_is_that_of_the_network_as_it_was_trained(spec_of, network):
    digests = set()
    for n_trials in (20, 30):
        network["train"] = {"n_trials": n_trials, "n_validation": 5, "regularization": 1.0}
        tree = compare(spec_of(network))
        digests |= set(json.loads(tree.attrs["input_digests"]).values())
    del network["train"]
    digests |= set(json.loads(compare(spec_of(network)).attrs["input_digests"]).values())
    assert len(digests) == 3


def test_a_network_is_trained_once_and_on_other_trials_than_it_is_compared_on(
    spec_of, network, monkeypatch
):
    seeds = []

    def watched(name):
        original = getattr(network_source, name)

        def call(*arguments, rng, **options):
            seeds.append((name, rng))
            return original(*arguments, rng=rng, **options)

        monkeypatch.setattr(network_source, name, call)

    for name in ("simulate", "observe"):
        watched(name)

    def fitted(*arguments, rng, **options):
        seeds.append(("reservoir", rng))
        return pdn.train.reservoir(*arguments, rng=rng, **options)

    rules = {**training.RULES, "reservoir": fitted}
    monkeypatch.setattr(training, "RULES", rules)
    sample = pdn.tasks.PerceptualDecision.sample

    def sampled(task, n_trials, rng, **options):
        if "dt" in options and n_trials == 37:
            seeds.append(("trials", rng))
        return sample(task, n_trials, rng, **options)

    monkeypatch.setattr(pdn.tasks.PerceptualDecision, "sample", sampled)
    network["simulate"] = {"n_trials": 37}
    compare(spec_of(network))
    assert sorted(name for name, _ in seeds) == ["observe", "reservoir", "simulate", "trials"]
    assert len({rng for _, rng in seeds}) == 4


@pytest.fixture
def spiking(network):
    network.pop("train")
    network["network"] = {"kind": "spiking", "n_neurons": 60, "g": 0.9, "tau_membrane": 0.02}
    network["simulate"] = {"n_trials": 8}
    network["observe"] = {"n_neurons": 10}
    return network


def test_a_spiking_network_is_compared_by_its_own_spikes(spec_of, spiking):
    spec = load_spec(spec_of(spiking))
    plan = draft(spec.sources[0], spec.seed)
    assert isinstance(plan.net, pdn.network.Spiking)
    prepared = run(plan, spec)
    assert prepared.tensor.name == "spike_count"
    del spiking["observe"]
    everybody = load_spec(spec_of(spiking))
    whole = run(draft(everybody.sources[0], everybody.seed), everybody).tensor
    assert whole.sizes["neuron"] == 60
    ids = prepared.tensor.coords["neuron"].values
    np.testing.assert_array_equal(prepared.tensor.values, whole.sel(neuron=ids).values)
    assert float(whole.sum()) > 0


def test_a_saved_spiking_network_is_the_same_source(spec_of, spiking, tmp_path):
    spec = load_spec(spec_of(spiking))
    plan = draft(spec.sources[0], spec.seed)
    pdn.save(plan.net, tmp_path / "net.nc")
    spiking["network"] = {"path": str(tmp_path / "net.nc")}
    saved = load_spec(spec_of(spiking))
    again = run(draft(saved.sources[0], saved.seed), saved)
    np.testing.assert_array_equal(again.tensor.values, run(plan, spec).tensor.values)


@pytest.mark.parametrize("kind", ["rate", "spiking"])
def test_a_network_may_lie_in_a_file_of_arrays(spec_of, spiking, tmp_path, kind):
    sizes = {"n_inputs": 2, "rng": 1}
    net = {"rate": pdn.network.Rate, "spiking": pdn.network.Spiking}[kind].random(20, **sizes)
    pdn.write_weights(tmp_path / "net.npz", net)
    spiking["network"] = {"path": str(tmp_path / "net.npz")}
    spec = load_spec(spec_of(spiking))
    assert draft(spec.sources[0], spec.seed).net.to_dataset().identical(net.to_dataset())
    np.savez(tmp_path / "net.npz", weights=np.eye(3))
    with pytest.raises(TensorError, match="source 'network': expected weights named recurrent"):
        draft(spec.sources[0], spec.seed)


def test_what_a_spiking_network_cannot_have_is_refused_by_name(spec_of, spiking):
    spiking["network"]["tau"] = 0.1
    with pytest.raises(SpecError, match=r"\.network\.tau'; did you mean .*tau_fast"):
        load_spec(spec_of(spiking))
    del spiking["network"]["tau"]
    spiking["network"] = {"kind": "spikng", "n_neurons": 60}
    with pytest.raises(SpecError, match="there is no kind 'spikng'; did you mean 'spiking'"):
        load_spec(spec_of(spiking))
