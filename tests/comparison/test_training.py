"""A spec trains by any rule, with its arguments, and says which rule an argument belongs to."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.comparison.network_source import draft, simulate_draft, spikes_of, train_draft
from popdyn.comparison.pipeline import compare
from popdyn.comparison.seeds import derive_seed
from popdyn.comparison.spec import load_model, load_spec
from popdyn.comparison.training import read_seeds
from popdyn.errors import SpecError

FEW = {"n_trials": 4, "n_validation": 2, "validate_every": 2}
RECIPE = {
    "kind": "spiking",
    "n_neurons": 40,
    "g": 0.0,
    "inhibition": 60.0,
    "bias": 0.0,
    "threshold": 0.0,
    "reset": -10.0,
    "refractory": 0.0,
}


def _model(rule, network=None, **train):
    fast = {"tau": 0.01, "dt": 0.001, "n_neurons": 30}
    return {
        "network": fast if network is None else network,
        "task": {"name": "Oscillation", "sines": [[2, 1.0]]},
        "train": {"rule": rule, **FEW, **train},
    }


def _trained(tables):
    spec = load_model(tables)
    return train_draft(draft(spec, spec.seed), spec.seed)


@pytest.mark.parametrize("rule", ["force", "full_force"])
@pytest.mark.parametrize("kind", ["rate", "spiking"])
def test_a_spec_trains_as_the_function_does(rule, kind):
    tables = _model(rule, RECIPE if kind == "spiking" else None, regularization=2.0)
    net, history = _trained(tables)
    assert history.attrs["method"] == rule
    sizes = {"n_inputs": 1, "n_outputs": 1, "rng": derive_seed(0, "network", "network")}
    arguments = {key: value for key, value in tables["network"].items() if key != "kind"}
    random = {"rate": pdn.network.Rate, "spiking": pdn.network.Spiking}[kind].random
    task = pdn.tasks.Oscillation(sines=[(2, 1.0)])
    seed = derive_seed(0, "network", "train")
    learn = getattr(pdn.train, rule)
    same, _ = learn(random(**arguments, **sizes), task, **FEW, regularization=2.0, rng=seed)
    assert net.to_dataset().identical(same.to_dataset())


def test_all_neurons_inhibit_all_others():
    plan = draft(load_model(_model("full_force", RECIPE)), 0)
    assert np.allclose(plan.net.recurrent_fast, -60.0 / 40 * (1 - np.eye(40)))


def test_a_target_network_is_drawn_as_the_table_says():
    tables = _model("full_force", RECIPE, target={"g": 0.5})
    plain, _ = _trained(_model("full_force", RECIPE))
    other, history = _trained(tables)
    again, _ = _trained(tables)
    assert other.to_dataset().identical(again.to_dataset())
    assert not other.to_dataset().identical(plain.to_dataset())
    seed = {key: derive_seed(0, "network", key) for key in ("target", "train", "network")}
    task = pdn.tasks.Oscillation(sines=[(2, 1.0)])
    target = pdn.train.target_network(task, 40, g=0.5, dt=0.001, rng=seed["target"])
    net = draft(load_model(tables), 0).net
    same, _ = pdn.train.full_force(net, task, target=target, **FEW, rng=seed["train"])
    assert other.to_dataset().identical(same.to_dataset())


@pytest.mark.parametrize(
    ("rule", "own", "words"),
    [
        ("full_forse", {}, "'train.rule': there is no rule 'full_forse'; did you mean 'full_force'?"),
        ("force", {"hints": {}}, "'train.hints' is an argument of the rule full_force, found rule 'force'"),
        ("reservoir", {"update_every": 2}, "is an argument of the rule force, found rule 'reservoir'"),
        ("force", {"updat_every": 2}, "'train.updat_every'; did you mean 'update_every'?"),
        ("full_force", {"n_trials": 1.5}, "'train.n_trials' should be a whole number, found 1.5"),
        ("full_force", {"target": 3}, "'train.target' should be a table, found 3"),
        ("full_force", {"target": {"n_neuron": 3}}, "'train.target.n_neuron'; did you mean 'n_neurons'?"),
        ("full_force", {"checkpoint": "a.npz"}, "unknown key 'train.checkpoint'"),
    ],
)  # fmt: skip
def test_a_misspelled_rule_or_argument_is_refused(rule, own, words):
    with pytest.raises(SpecError) as caught:
        load_model({**_model("reservoir"), "train": {"rule": rule, **own}})
    assert words in str(caught.value)


def test_without_a_rule_the_readout_is_fitted():
    tables = _model("reservoir")
    tables["train"] = {"n_trials": 10, "n_validation": 2}
    assert _trained(tables)[1].attrs["method"] == "reservoir"


@pytest.mark.parametrize(
    ("rule", "words"),
    [("force", "trained by FORCE on"), ("full_force", "trained by full-FORCE on")],
)
def test_a_source_that_is_trained_says_by_what(spec_of, network, rule, words):
    network["network"] = {"n_neurons": 30, "tau": 0.02, "dt": 0.01}
    network["train"] = {"rule": rule, **FEW}
    tree = compare(spec_of(network))
    assert words in str(tree.attrs) + str([node.attrs for node in tree.subtree])


def test_a_spiking_source_is_compared_by_its_spikes_after_training():
    tables = {**_model("full_force", RECIPE), "observe": {"n_neurons": 5}}
    spec = load_model(tables)
    plan = draft(spec, 0)
    assert not simulate_draft(plan, 0).identical(spikes_of(plan, 0))


def test_seeds_are_read_and_mistakes_named():
    assert read_seeds("0-4") == [0, 1, 2, 3, 4]
    assert read_seeds(" 7 , 3") == [7, 3]
    for text in ("4-0", "a", "", "0-5000", "1,,2", "-1"):
        with pytest.raises(SpecError, match="seeds are whole numbers such as 0-4"):
            read_seeds(text)
    with pytest.raises(SpecError, match="a seed is named twice"):
        read_seeds("0-4,3")


def test_specs_of_comparisons_name_the_source(spec_of, network):
    network["train"] = {"rule": "ful_force"}
    with pytest.raises(SpecError, match=r"train\.rule': there is no rule 'ful_force'"):
        load_spec(spec_of(network))
