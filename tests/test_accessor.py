import importlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.tensor.session import make_session


@pytest.fixture
def result():
    choice = np.tile([0, 1], 10)
    values = np.random.default_rng(0).normal(size=(3, 2, 20)) + choice
    tensor = pdn.make_tensor(values, [0.0, 0.1], {"choice": choice}, units="1", source_id="net")
    return pdn.decode(tensor, "choice", n_draws=20)


def test_the_table_has_a_row_per_bin_and_columns_for_the_bounds(result):
    table = result.popdyn.table()
    assert table.columns.tolist() == [
        "time",
        "accuracy",
        "accuracy_lower",
        "accuracy_upper",
        "p",
        "p_corrected",
        "cluster_p",
        "cluster",
    ]
    np.testing.assert_array_equal(table["accuracy_upper"], result["accuracy_bound"][1])


def test_other_quantities_are_asked_for_by_name(result):
    window = result.popdyn.table("mean_accuracy")
    assert len(window) == 1
    assert window["mean_accuracy_lower"].item() == result["mean_accuracy_bound"][0]
    assert result.popdyn.table("null_accuracy").shape == (40, 3)
    assert result.popdyn.table("n_trials")["n_trials"].tolist() == [10, 10]
    with pytest.raises(pdn.TensorError, match=r"no variable 'acuracy'.*did you mean 'accuracy'"):
        result.popdyn.table("acuracy")


def test_the_table_of_a_session_is_its_trial_table():
    session = make_session([0.5], [0, 1], trials={"go_time": [0.0, 1.0]})
    assert session.popdyn.table()["go_time"].tolist() == [0.0, 1.0]


def test_the_summary_gives_numbers_with_intervals_and_where_they_come_from(result):
    summary = result.popdyn.summary()
    lower, upper = (f"{float(bound):.4g}" for bound in result["mean_accuracy_bound"])
    assert summary.startswith("decode\n")
    assert f"mean_accuracy  {float(result['mean_accuracy']):.4g} [{lower}, {upper}]" in summary
    first = float(result["accuracy"][0])
    at = result["time"].values[0]
    low, high = (f"{float(bound):.4g}" for bound in result["accuracy_bound"].values[:, 0])
    assert f"accuracy  (time)  {at}: {first:.4g} [{low}, {high}]" in summary
    assert "source_id  net" in summary
    assert "accuracy_bound" not in summary


def test_registering_again_does_not_warn():
    import popdyn.accessor

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(popdyn.accessor)
    assert xr.Dataset().popdyn.summary() == "result"


def test_registering_loads_neither_pandas_plots_nor_statistics():
    code = (
        "import sys, xarray; known = set(sys.modules); import popdyn.accessor; "
        "slow = {'matplotlib', 'scipy', 'sklearn', 'pynwb'}; "
        "print(sorted(slow & (set(sys.modules) - known)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_table_of_a_scorecard_has_intervals_and_nulls():
    dims = ("measure", "source")
    bounds = ("bound", *dims)
    card = xr.Dataset(
        {
            "value": (dims, [[0.8]]),
            "bound_value": (bounds, [[[0.7]], [[0.9]]]),
            "null_value": (bounds, [[[0.4]], [[0.6]]]),
        },
        coords={"measure": ["accuracy"], "source": ["mouse"], "bound": ["lower", "upper"]},
    )
    row = card.popdyn.table().iloc[0]
    assert (row["value_lower"], row["value_upper"]) == (0.7, 0.9)
    assert (row["null_value_lower"], row["null_value_upper"]) == (0.4, 0.6)
