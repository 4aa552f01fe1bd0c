"""The numbers behind the figures, as CSV."""

import io

import numpy as np
import pandas as pd

from popdyn.reporting.tables import csv, tables
from tests.reporting.conftest import decode, pca, raster, scorecard

LABELS = ["0", "1", "2"]


def test_uncertainty_becomes_columns_beside_the_value():
    result = decode(np.random.default_rng(0), LABELS)
    table = tables(result)["time"]
    assert {"time", "accuracy", "accuracy_lower", "accuracy_upper"} <= set(table.columns)
    np.testing.assert_array_equal(table["accuracy_lower"], result["accuracy_bound"][0])
    np.testing.assert_array_equal(table["accuracy_upper"], result["accuracy_bound"][1])
    expected = np.quantile(result["null_accuracy"], 0.975, axis=0)
    np.testing.assert_allclose(table["null_accuracy_upper"], expected)


def test_every_variable_of_a_result_is_in_some_table():
    result = pca(np.random.default_rng(0), LABELS)
    columns = {column for table in tables(result).values() for column in table.columns}
    stems = {str(name).removesuffix("_bound") for name in result.data_vars}
    assert all(any(column.startswith(stem) for column in columns) for stem in stems)


def test_rows_follow_the_values():
    result = pca(np.random.default_rng(0), LABELS)
    table = tables(result)["component, time, condition"]
    row = table[(table["component"] == 2) & (table["condition"] == "1")].iloc[3]
    assert row["trajectory"] == result["trajectory"].values[1, 3, 1]


def test_numbers_without_dims_make_one_row():
    assert len(tables(decode(np.random.default_rng(0), LABELS))["values"]) == 1


def test_a_scorecard_keeps_unit_and_analysis():
    table = tables(scorecard(["a", "b"]))["measure, source"]
    assert len(table) == 8
    assert {"unit", "analysis", "value_lower", "null_value_upper", "reason"} <= set(table.columns)


def test_text_with_commas_and_quotes_comes_back():
    result = raster(np.random.default_rng(0), ['a,"b"\n<c>', "日本"])
    table = tables(result)["trial"]
    back = pd.read_csv(io.BytesIO(csv(table)), dtype=str)
    assert back["condition"].tolist() == table["condition"].tolist()


def test_draws_that_are_all_missing_stay_missing_without_a_warning():
    result = decode(np.random.default_rng(0), LABELS)
    result["null_accuracy"][:] = np.nan
    assert tables(result)["time"]["null_accuracy_median"].isna().all()
