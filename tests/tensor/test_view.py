import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.tensor.view import from_matrix, group_conditions


def tensor(trials, n_neurons=2, n_bins=3, seed=0, **given_):
    n_trials = len(next(iter(trials.values())))
    values = np.random.default_rng(seed).normal(5, 1, (n_neurons, n_bins, n_trials))
    return pdn.make_tensor(
        values, 0.1 * np.arange(n_bins), trials=trials, units="1", bin_width=0.1, **given_
    )


def test_average_standard_error_and_counts_agree_with_pandas():
    choice = ["l", "r", "l", "l", "r"]
    x = tensor({"choice": choice})
    x[0, 1, 2] = np.nan
    average = pdn.condition_average(x, "choice")
    for neuron in range(2):
        frame = pd.DataFrame(x.values[neuron].T).groupby(np.array(choice))
        for name, expected in [
            ("rate", frame.mean()),
            ("standard_error", frame.sem()),
            ("n_trials", frame.count()),
        ]:
            np.testing.assert_allclose(average[name].values[neuron].T, expected, rtol=1e-12)
    assert average.condition.values.tolist() == ["l", "r"]
    assert average.choice.values.tolist() == ["l", "r"]


def test_bins_with_too_few_trials_are_nan():
    x = tensor({"choice": ["l", "l", "r"]})
    average = pdn.condition_average(x, "choice", min_trials=2)
    assert np.isfinite(average["rate"].sel(condition="l")).all()
    assert np.isnan(average["rate"].sel(condition="r")).all()


def test_bad_requests_for_tables_and_averages_are_refused():
    with pytest.raises(pdn.TensorError, match="found ndarray"):
        pdn.trial_table(np.ones(3))
    with pytest.raises(pdn.TensorError, match="min_trials must be at least 1, found -1"):
        pdn.condition_average(tensor({"choice": ["l", "r"]}), "choice", min_trials=-1)


def test_one_trial_has_no_standard_error():
    average = pdn.condition_average(tensor({"choice": ["l", "r"]}), "choice")
    assert np.isnan(average["standard_error"]).all()


def test_labels_equal_within_rounding_are_one_condition():
    x = tensor({"coherence": [0.1 + 0.2, 0.3, 0.4, 0.4]})
    average = pdn.condition_average(x, "coherence")
    assert average.coherence.values.tolist() == [0.3, 0.4]
    single = tensor({"coherence": np.array([0.1 + 0.2, 0.3, 0.30001], dtype=np.float32)})
    assert group_conditions(single, "coherence").table.shape[0] == 2
    zero = tensor({"coherence": [1e-17, 0.0, -0.4, 0.4]})
    assert group_conditions(zero, "coherence").table.shape[0] == 3


def test_labels_that_differ_stay_apart():
    x = tensor({"coherence": [0.3, 0.3001, 0.3]})
    assert group_conditions(x, "coherence").labels == ["0.3", "0.3001"]


def test_several_variables_make_the_combinations_that_occur():
    x = tensor({"choice": ["l", "r", "l"], "context": [1, 1, 2]})
    average = pdn.condition_average(x, ["choice", "context"])
    assert average.condition.values.tolist() == [
        "choice=l, context=1",
        "choice=l, context=2",
        "choice=r, context=1",
    ]


def test_trials_without_a_value_are_left_out_and_said():
    x = tensor({"choice": ["l", "", "l"]})
    with pytest.warns(pdn.PopdynWarning, match="1 of 3 trials have no value"):
        average = pdn.condition_average(x, "choice")
    assert average["n_trials"].max() == 2
    with pytest.raises(pdn.TensorError, match="no trial has a value"):
        pdn.condition_average(tensor({"choice": ["", ""]}), "choice")


def test_an_unknown_column_names_the_nearest():
    with pytest.raises(pdn.TensorError, match="Did you mean 'choice'"):
        pdn.condition_average(tensor({"choice": ["l", "r"]}), "chioce")


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_average_does_not_depend_on_the_order_of_trials(seed):
    x = tensor({"choice": list("lrlrll")}, seed=seed)
    order = np.random.default_rng(seed).permutation(6)
    a, b = pdn.condition_average(x, "choice"), pdn.condition_average(x[..., order], "choice")
    np.testing.assert_allclose(a["rate"], b["rate"], rtol=1e-12)


def test_matrix_and_back():
    x = tensor({"choice": ["l", "r"]})
    before = x.copy(deep=True)
    matrix = pdn.as_matrix(x)
    assert matrix.shape == (6, 2)
    assert matrix.sel(
        sample=(matrix.trial == 1) & (matrix.time == 0.1)
    ).values.ravel().tolist() == (x.values[:, 1, 1].tolist())
    assert from_matrix(matrix, x).identical(x)
    assert x.identical(before)


def test_trial_table_is_in_si_units_relative_to_zero():
    x = tensor(
        {"ts": [500.0, 800.0], "go_time": [11.0, 22.0], "lick": [1.5, 2.5], "start_time": [10, 20]},
        column_attrs={
            "ts": {"units": "ms"},
            "go_time": {"units": "s", "clock": "session"},
            "lick": {"units": "s", "clock": "trial"},
            "start_time": {"units": "s", "clock": "session"},
        },
    )
    x = x.assign_coords(align_time=("trial", [11.5, 22.5]))
    table = pdn.trial_table(x, roles={"stimulus": "ts"})
    assert table["stimulus"].tolist() == [0.5, 0.8]
    assert table["go_time"].tolist() == [-0.5, -0.5]
    assert table["lick"].tolist() == [0.0, 0.0]


def test_roles_map_values_and_refuse_what_they_do_not_know():
    x = tensor({"type": ["lick left", "lick right"], "code": [0.0, 1.0]})
    role = {"column": "type", "values": {"lick left": -1, "lick right": 1}, "units": "1"}
    table = pdn.trial_table(x, roles={"choice": role})
    assert table["choice"].tolist() == [-1, 1]
    coded = pdn.trial_table(
        x, roles={"stimulus": {"column": "code", "values": {"0": "a", "1": "b"}}}
    )
    assert coded["stimulus"].tolist() == ["a", "b"]
    with pytest.raises(pdn.TensorError, match="does not know 1"):
        pdn.trial_table(x, roles={"stimulus": {"column": "code", "values": {"0": "a"}}})
    with pytest.raises(pdn.TensorError, match="unknown role 'stim'"):
        pdn.trial_table(x, roles={"stim": "type"})
    with pytest.raises(pdn.TensorError, match="Did you mean 'type'"):
        pdn.trial_table(x, roles={"choice": "tpye"})


def test_selections_take_values_lists_ranges_masks_and_ids():
    from popdyn.tensor.selection import matching

    x = tensor({"ts": [1.0, 2.0, 3.0], "choice": ["l", "r", "l"]})
    for selection, expected in [
        ({"choice": "l"}, [True, False, True]),
        ({"choice": ["l", "r"]}, [True, True, True]),
        ({"ts": slice(2, None)}, [False, True, True]),
        ({"ts": {"max": 2}}, [True, True, False]),
        ({"ts": 2}, [False, True, False]),
        ({"choice": "l", "ts": 3}, [False, False, True]),
        ([2, 0], [True, False, True]),
        (np.array([True, False, False]), [True, False, False]),
        (None, [True, True, True]),
    ]:
        assert matching(x, "trial", selection).tolist() == expected
    for selection, words in [
        ({"ts": {"maximum": 2}}, "keys min and max"),
        ({"choice": slice(0, 1)}, "holds text"),
        ({"choice": "l", "ts": 2}, "no trial is left"),
        ([5], "no trial with id 5"),
        (np.array([True]), "needs 3 entries"),
    ]:
        with pytest.raises(pdn.TensorError, match=words):
            matching(x, "trial", selection)


def test_a_chunked_tensor_is_averaged_and_stays_chunked():
    x = tensor({"choice": list("lrlr")})
    chunked = x.chunk({"trial": 2})
    average = pdn.condition_average(chunked, "choice")
    np.testing.assert_allclose(average["rate"], pdn.condition_average(x, "choice")["rate"])
    assert chunked.chunks is not None


def test_conditions_of_a_role_keep_the_order_of_its_value_map():
    from popdyn.tensor.roles import assign_roles

    x = tensor({"code": [2, 0, 1, 2]})
    role = {"column": "code", "values": {"0": "none", "1": "soft", "2": "hard"}}
    average = pdn.condition_average(assign_roles(x, {"stimulus": role}), "stimulus")
    assert average.condition.values.tolist() == ["none", "soft", "hard"]
    np.testing.assert_array_equal(average["rate"].values[..., 1], x.values[..., 2])
