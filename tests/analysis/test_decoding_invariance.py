"""Decoding does not depend on the order of trials or neurons, nor on what levels are called."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn

N_TRIALS = 48
FUNCTIONS = {
    "decode": (pdn.decode, "choice"),
    "generalization": (pdn.temporal_generalization, "choice"),
    "number": (pdn.decode_quantity, "number"),
}
each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_grouping = pytest.mark.parametrize("groups", [None, "block", "whole"])


def tensor_of(seed):
    """Three classes and a number; blocks that mix them, and blocks that hold one of each."""
    rng = np.random.default_rng(seed)
    whole = np.arange(N_TRIALS) // 4
    choice = rng.permutation(np.arange(N_TRIALS) % 3)
    of_whole = np.arange(12) % 3
    table = {
        "choice": choice,
        "number": rng.normal(size=N_TRIALS),
        "block": np.arange(N_TRIALS) // 6,
        "whole": whole,
        "choice of whole": of_whole[whole],
        "number of whole": rng.normal(size=12)[whole],
    }
    values = rng.normal(size=(5, 3, N_TRIALS))
    values[0] += 0.7 * choice + table["number"]
    values[1] += 0.7 * table["choice of whole"] + table["number of whole"]
    return pdn.make_tensor(values, 0.1 * np.arange(3), table, units="1")


def answer(tensor, name, groups, seed):
    function, label = FUNCTIONS[name]
    label = f"{label} of whole" if groups == "whole" else label
    return function(tensor, label, n_folds=4, n_draws=21, groups=groups, rng=seed)


def assert_same(found, expected):
    assert set(found.data_vars) == set(expected.data_vars)
    for variable in expected.data_vars:
        np.testing.assert_allclose(
            found[variable], expected[variable], atol=1e-9, err_msg=str(variable)
        )


@each_function
@each_grouping
@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_the_order_of_trials_and_neurons_does_not_matter(name, groups, seed):
    tensor = tensor_of(seed)
    rng = np.random.default_rng(seed + 1)
    order = rng.permutation(N_TRIALS)
    other = tensor[rng.permutation(5)][..., order]
    expected, found = (answer(x, name, groups, seed) for x in (tensor, other))
    if "trial" in expected.dims:
        # Trials come back in the order in which they were given.
        assert found["trial"].values.tolist() == other["trial"].values.tolist()
        found = found.sel(trial=expected["trial"])
    assert_same(found, expected)


@each_grouping
@pytest.mark.parametrize("name", ["decode", "generalization"])
@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_what_classes_and_groups_are_called_does_not_matter(name, groups, seed):
    tensor = tensor_of(seed)
    names = np.array(["right", "left", "none"])
    other = tensor.assign_coords({
        **{
            key: ("trial", names[tensor[key].values]) for key in ("choice", "choice of whole")
        },
        **{key: ("trial", 99 - tensor[key].values) for key in ("block", "whole")},
    })  # fmt: skip
    expected, found = (answer(x, name, groups, seed) for x in (tensor, other))
    assert found["condition"].values.tolist() == sorted(names)
    counts = dict(zip(found["condition"].values, found["n_trials"].values, strict=True))
    assert [counts[own] for own in names] == expected["n_trials"].values.tolist()
    assert_same(found.drop_vars("n_trials"), expected.drop_vars("n_trials"))


@given(seed=st.integers(0, 1000))
@settings(max_examples=5, deadline=None)
def test_what_groups_are_called_does_not_matter_for_numbers(seed):
    tensor = tensor_of(seed)
    other = tensor.assign_coords(block=("trial", 99 - tensor["block"].values))
    expected, found = (answer(x, "number", "block", seed) for x in (tensor, other))
    assert_same(found, expected)


def test_trials_are_taken_in_the_order_of_their_numbers():
    # As text, 10 would come before 2: what is dealt to the first trials may not depend on it.
    tensor = tensor_of(0)
    result = pdn.decode(tensor, "choice", n_draws=2)
    renamed = tensor.assign_coords(trial=[f"{100 + int(name)}" for name in tensor["trial"].values])
    assert_same(pdn.decode(renamed, "choice", n_draws=2), result)
