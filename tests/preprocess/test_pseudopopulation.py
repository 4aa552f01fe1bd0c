import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn

TIME = [0.05, 0.15]


def day(source_id, choices, n_neurons=1, values=None, time=TIME, **options):
    n_trials = len(choices)
    if values is None:  # every trial of every neuron has a number of its own
        values = np.arange(n_neurons * n_trials, dtype=float).reshape(n_neurons, 1, n_trials)
        values = np.repeat(values, len(time), axis=1)
    return pdn.make_tensor(
        values, time, {"choice": choices}, source_id=source_id, **{"units": "Hz", **options}
    )


def test_a_trial_is_a_repeat_of_a_condition_and_nan_past_a_neurons_count():
    pool = pdn.pseudopopulation([day("a", ["l", "r", "l", "l"]), day("b", ["r", "l"])], "choice")
    assert pool["trial"].values.tolist() == ["l/0", "l/1", "l/2", "r/0"]
    assert pool["repeat"].values.tolist() == [0, 1, 2, 0]
    assert pool["neuron"].values.tolist() == ["a/0", "b/0"]
    observed = np.isfinite(pool.values).all(axis=1)
    assert observed.tolist() == [[True] * 4, [True, False, False, True]]
    assert pool.attrs["simultaneous"] == 0
    assert json.loads(pool.attrs["n_trials"]) == {"a/0": {"l": 3, "r": 1}, "b/0": {"l": 1, "r": 1}}
    assert pool.attrs["source_id"] == "a+b"
    assert pdn.check(pool).identical(pool)


@given(seed=st.integers(0, 10_000), n_trials=st.integers(4, 12), n_neurons=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_every_neuron_keeps_its_own_trials_of_each_condition(seed, n_trials, n_neurons):
    choices = np.array(["l", "r"] * 6)[:n_trials]
    tensor = day("a", choices, n_neurons)
    before = tensor.copy(deep=True)
    pool = pdn.pseudopopulation(tensor, "choice", rng=seed)
    for neuron in range(n_neurons):
        for side in ("l", "r"):
            ours = np.sort(pool.values[neuron, 0, pool["choice"].values == side])
            theirs = np.sort(tensor.values[neuron, 0, choices == side])
            np.testing.assert_array_equal(ours[np.isfinite(ours)], theirs)
    assert tensor.identical(before)


def test_condition_averages_are_those_of_the_neurons_alone():
    rng = np.random.default_rng(0)
    days = [
        day(name, ["l", "r"] * n, 2, rng.normal(10, 1, size=(2, 2, 2 * n)))
        for name, n in (("a", 5), ("b", 3))
    ]
    pooled = pdn.condition_average(pdn.pseudopopulation(days, "choice"), "choice")["rate"]
    alone = [pdn.condition_average(one, "choice")["rate"].values for one in days]
    np.testing.assert_allclose(pooled.values, np.concatenate(alone))


def test_what_neurons_shared_in_a_trial_is_gone():
    rng = np.random.default_rng(0)
    shared = np.repeat(rng.normal(10, 1, size=(1, 2, 400)), 2, axis=0)
    pool = pdn.pseudopopulation(day("a", ["l", "r"] * 200, 2, shared), "choice", rng=3)
    assert abs(np.corrcoef(pool.values[:, 0])[0, 1]) < 0.15


def test_the_seed_decides_the_order():
    tensor = day("a", ["l", "r"] * 10, 2)
    first, again, other = (pdn.pseudopopulation(tensor, "choice", rng=s) for s in (1, 1, 2))
    assert first.identical(again)
    assert not np.array_equal(first.values, other.values)


def test_only_trials_observed_throughout_the_window_count():
    values = np.ones((1, 2, 4))
    values[0, 1, 0] = np.nan
    pool = pdn.pseudopopulation(day("a", ["l", "r", "l", "r"], 1, values), "choice")
    assert json.loads(pool.attrs["n_trials"]) == {"a/0": {"l": 1, "r": 2}}
    assert np.isfinite(pool.values).all()


@pytest.mark.parametrize(("n_trials", "sizes"), [("min", (1, 1)), (1, (1, 1)), (None, (3, 1))])
def test_the_number_of_repeats_can_be_chosen(n_trials, sizes):
    days = [day("a", ["l", "r", "l", "l"]), day("b", ["r", "l"])]
    pool = pdn.pseudopopulation(days, "choice", n_trials=n_trials)
    assert tuple((pool["choice"].values == side).sum() for side in ("l", "r")) == sizes


def test_labels_equal_within_rounding_are_one_condition_across_tensors():
    days = [day("a", [0.3, 1.0]), day("b", [0.1 + 0.2, 1.0])]
    assert pdn.pseudopopulation(days, "choice").sizes["trial"] == 2


def test_columns_that_all_tensors_have_are_kept():
    days = [
        day("a", ["l", "r"], neurons={"area": ["m1"], "depth": [1.0]}),
        day("b", ["l", "r"], neurons={"area": ["pfc"]}),
    ]
    pool = pdn.pseudopopulation(days, "choice")
    assert pool["area"].values.tolist() == ["m1", "pfc"]
    assert "depth" not in pool.coords
    assert pool["source_id"].values.tolist() == ["a", "b"]


MISSING = np.ones((2, 2, 2))
MISSING[1, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("days", "options", "words"),
    [
        ([], {}, r"one tensor or more; the list is empty"),
        (
            [day("a", ["l", "r"]), day("b", ["l", "l"])],
            {},
            r"'b' has no trial of condition r \(choice\), which another tensor has; select",
        ),
        (
            [day("a", ["l", "r"]), day("b", ["l", "r"], time=[0.05, 0.25])],
            {},
            r"'a' has 2 bins of 0\.1 s .* 'b' has 2 bins of 0\.2 s",
        ),
        (
            [day("a", ["l", "r"]), day("b", ["l", "r"], units="1")],
            {},
            r"different units cannot be pooled: 'Hz' in 'a', '1' in 'b'",
        ),
        (
            [day("a", ["l", "r"]), day("b", ["l", "r"], name="spike_count", units="1")],
            {},
            r"different quantities cannot be pooled: 'rate' in 'a', 'spike_count' in 'b'",
        ),
        ([day("a", ["l", "r"])] * 2, {}, r"not unique: a/0; give every tensor its own source_id"),
        (
            [day("a", ["l", "r"]), day("b", [0, 1])],
            {},
            r"'choice' holds text in 'a' and numbers in 'b'",
        ),
        (
            [day("a", ["l", "r"], 2, MISSING)],
            {},
            r"1 of 2 neurons have no trial .*: a/1 \(l\); leave them out",
        ),
        (
            [day("a", ["l", "r", "l"])],
            {"n_trials": 2},
            r"n_trials = 2, but a/0 has 1 complete trials of condition r; use n_trials='min'",
        ),
        ([day("a", ["l", "r"])], {"n_trials": 0}, r"'min' or a number of 1 or more; found 0"),
    ],
)
def test_what_cannot_be_pooled_is_refused_in_words(days, options, words):
    with pytest.raises(pdn.TensorError, match=words):
        pdn.pseudopopulation(days, "choice", **options)
