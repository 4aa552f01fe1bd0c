"""What every source keeps: the same numbers, drawn at random, of trials that can be used."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from popdyn.comparison.match import match_sources
from popdyn.comparison.pipeline import compare
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import load_spec
from popdyn.errors import PopdynWarning
from tests.comparison.conftest import ROOT, tensor

DECODE = {"decode": {"n_draws": 5}}
LICKS = ["lick left", "lick right"]


@pytest.fixture
def matched(saved, spec_of):
    """Match tensors, keyed by id, as a spec with these tables says."""

    def match(tensors, **tables):
        spec = load_spec(spec_of(*(saved(name) for name in tensors), **tables))
        sources = [Prepared(name, "tensor", x) for name, x in tensors.items()]
        return {source.id: source for source in match_sources(sources, spec)}

    return match


def gappy(n_missing, n_trials=24, simultaneous=1):
    x = tensor(("left", "right") * (n_trials // 2), simultaneous=simultaneous)
    x[2, 1, :n_missing] = np.nan
    return x


def test_neurons_are_drawn_at_random_and_keep_their_order(matched):
    tensors = {"a": tensor(["left", "right"] * 3, n_neurons=40), "b": tensor(["left", "right"] * 3)}
    ids = tensors["a"]["neuron"].values
    kept = []
    for seed in range(4):
        found = matched(tensors, match={"neurons": "smallest"}, seed=seed)
        own = found["a"].tensor["neuron"].values
        assert own.size == found["b"].tensor.sizes["neuron"] == 12
        at = [int(np.flatnonzero(ids == one)[0]) for one in own]
        assert at == sorted(at)
        kept.append(tuple(at))
    assert len(set(kept)) == 4
    assert max(max(at) for at in kept) > 30  # not the first ones


def test_trials_are_drawn_at_random(matched):
    whole = {"a": tensor(["left", "right"] * 40)}
    drawn = {
        tuple(matched(whole, match={"trials": 10}, seed=seed)["a"].tensor["trial"].values)
        for seed in range(4)
    }
    assert len(drawn) == 4


def test_only_complete_trials_are_counted_and_drawn_where_they_are_decoded(matched):
    sources = {"gaps": gappy(8), "whole": tensor(("left", "right") * 12, seed=1)}
    found = matched(sources, match={"trials": "smallest"}, analyses=DECODE)
    for source in found.values():
        assert source.tensor.sizes["trial"] == 16
        assert np.isfinite(source.tensor.values).all()
    (said,) = found["gaps"].problems
    assert said.startswith("8 of 24 trials were not observed in every neuron and bin")
    assert found["gaps"].said == (said,)
    assert found["whole"].problems == ()


def test_without_decoding_a_gap_costs_no_trial(matched):
    found = matched({"gaps": gappy(8)}, match={"trials": "smallest"})
    assert found["gaps"].tensor.sizes["trial"] == 24
    assert found["gaps"].problems == ()


def test_a_source_that_cannot_be_decoded_loses_no_trial_for_it(matched):
    found = matched({"gaps": gappy(18)}, match={"trials": "smallest"}, analyses=DECODE)
    assert found["gaps"].tensor.sizes["trial"] == 24


def test_of_a_pseudo_population_only_the_repeats_of_every_neuron_are_drawn(matched):
    found = matched({"gaps": gappy(8, simultaneous=0)}, match={"trials": "smallest"})
    assert found["gaps"].tensor.sizes["trial"] == 16
    assert np.isfinite(found["gaps"].tensor.values).all()


def test_neurons_recorded_for_a_part_of_the_session_are_matched_by_what_is_decoded():
    role = {"column": "type", "values": {LICKS[0]: "left", LICKS[1]: "right"}}
    thalamus = {
        "id": "thalamus",
        "kind": "recording",
        "path": f"{ROOT}/data/mouse_thalamus_delay_anm00239123.nwb",
        "align": "cue_start_time",
        "select": {"response": ["correct", "incorrect"], "type": LICKS},
        "roles": {"choice": role},
    }
    network = {
        "id": "network",
        "kind": "network",
        "align": "stimulus_on_time",
        "network": {"n_neurons": 20},
        "task": {"name": "PerceptualDecision", "stimuli": [-0.4, 0.4], "fixation_duration": 1.0},
        "observe": {"n_neurons": 6},
        "roles": {"choice": {"column": "stimulus", "values": {"-0.4": "left", "0.4": "right"}}},
    }
    spec = {
        "alignment": {"window": [-1.0, 0.5], "bin_width": 0.5},
        "conditions": {"by": ["choice"]},
        "match": {"neurons": "smallest", "trials": "smallest"},
        "analyses": DECODE,
        "source": [thalamus, network],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PopdynWarning)
        tree = compare(spec)
    counts = [
        tree[f"sources/{name}/{node}"][variable].values.tolist()
        for name in ("thalamus", "network")
        for node, variable in (("summary", "n_trials_condition"), ("decode", "n_trials"))
    ]
    assert counts[0] == counts[1] == counts[2] == counts[3]
    problems = json.loads(tree["sources/thalamus/summary"].attrs["problems"])
    assert "212 of 255 trials were not observed in every neuron and bin" in problems[-1]
    assert int(tree["sources/thalamus/summary"]["n_unmatched"]) == 255 - sum(counts[0])
