import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn
from popdyn.tensor.contract import bin_centers, bin_edges, check_average, text
from popdyn.tensor.result import digest


def tensor(shape=(2, 3, 4), **given_):
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    return pdn.make_tensor(values, 0.05 + 0.1 * np.arange(shape[1]), **given_)


def test_check_returns_the_same_object_when_it_is_canonical():
    x = tensor()
    assert pdn.check(x) is x


def test_check_puts_dims_in_order_without_touching_the_input():
    x = tensor()
    turned = x.transpose("trial", "neuron", "time")
    before = turned.copy(deep=True)
    fixed = pdn.check(turned)
    assert fixed.dims == ("neuron", "time", "trial")
    assert fixed.values.flags.c_contiguous
    np.testing.assert_array_equal(fixed.values, x.values)
    assert turned.identical(before)


def test_integers_become_floats_and_text_numpy_str():
    x = tensor().astype(int)
    x = x.assign_coords(choice=("trial", np.array(list("abcd"), dtype=object)))
    fixed = pdn.check(x)
    assert fixed.dtype == np.float32
    assert fixed.choice.dtype.kind == "U"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x.values, "found ndarray"),
        (lambda x: x.to_dataset(), "found a Dataset with rate"),
        (lambda x: x.isel(trial=0), "expected a tensor with dims"),
        (lambda x: x.rename("firing"), "name must be one of"),
        (lambda x: x.drop_attrs(), "has no units"),
        (lambda x: x.assign_attrs(units="spikes"), "found 'spikes'"),
        (lambda x: x.assign_coords(neuron=[5, 5]), "neuron ids must be unique; 1 of 2"),
        (lambda x: x.assign_coords(trial=[1, 1, 2, 2]), "trial ids must be unique; 2 of 4"),
        (lambda x: x.assign_coords(time=[0.0, 0.1, 0.3]), "equal steps"),
        (lambda x: x.assign_coords(time=[0.3, 0.2, 0.1]), "equal steps"),
        (lambda x: x.drop_vars("time"), "no time coordinate"),
        (lambda x: x.assign_attrs(bin_width=0.2), "set attrs.'bin_width'. .s. to the step"),
        (lambda x: x.assign_coords(time=1000 * x["time"]), "time seems to be in ms: divide it by"),
        (lambda x: x - 1.0, "has no units|cannot be negative"),
        (lambda x: (x * np.inf).assign_attrs(x.attrs), "infinite"),
        (lambda x: x.chunk(), "chunked"),
    ],
)
def test_what_breaks_the_contract_is_refused_in_words(change, words):
    with pytest.raises(pdn.TensorError, match=words):
        pdn.check(change(tensor()))


def test_negative_hertz_are_refused_but_a_network_may_be_negative():
    with pytest.raises(pdn.TensorError, match="cannot be negative; the lowest is -1"):
        pdn.make_tensor(-np.ones((1, 2, 1)), [0.0, 0.1])
    assert pdn.make_tensor(-np.ones((1, 2, 1)), [0.0, 0.1], units="1").min() == -1


def test_a_session_handed_to_check_is_told_to_align():
    from popdyn.tensor.session import make_session

    with pytest.raises(pdn.TensorError, match="popdyn.align"):
        pdn.check(make_session([0.1], [0, 1]))


@given(
    first=st.integers(-50, 50),
    n_bins=st.integers(1, 60),
    width=st.sampled_from([0.001, 0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 1 / 3]),
)
def test_edges_are_regular_and_centers_lie_between_them(first, n_bins, width):
    window = (first * width, (first + n_bins) * width)
    edges, centers = bin_edges(window, width), bin_centers(window, width)
    assert edges.size == n_bins + 1
    assert (edges[0], edges[-1]) == window
    np.testing.assert_allclose(np.diff(edges), width, rtol=1e-6)
    np.testing.assert_allclose(centers, (edges[1:] + edges[:-1]) / 2, atol=1e-12)


def test_equal_windows_give_the_same_bits_from_every_side():
    whole = bin_centers((-0.5, 1.0), 0.01)
    np.testing.assert_array_equal(whole[50:], bin_centers((0.0, 1.0), 0.01))


names = st.text(min_size=1, max_size=8).filter(str.strip)


@given(table=st.dictionaries(names, st.integers(0, 9), max_size=5))
@settings(max_examples=60, deadline=None)
def test_colliding_column_names_survive(table):
    columns = {name: [value, value + 1] for name, value in table.items()}
    columns |= {"trial": [3, 4], "a/b": [5, 6], "rate": [7, 8]}
    columns.pop("id", None)
    x = pdn.make_tensor(np.ones((2, 1, 2)), [0.0], trials=columns, neurons=columns, bin_width=0.1)
    for dim in ("trial", "neuron"):
        kept = {
            str(coord.attrs.get("file_name", name)): coord.values.tolist()
            for name, coord in x.coords.items()
            if coord.dims == (dim,) and name != dim
        }
        assert kept == {name: list(values) for name, values in columns.items()}


def test_a_table_of_the_wrong_length_names_the_column():
    with pytest.raises(pdn.TensorError, match="column 'choice' of the trial table has 2 values"):
        tensor(trials={"id": range(4), "choice": ["l", "r"]})
    with pytest.raises(pdn.TensorError, match="trial table has 2 rows, expected 4"):
        tensor(trials=pd.DataFrame({"choice": ["l", "r"]}))


def test_pandas_columns_become_plain_numpy():
    frame = pd.DataFrame(
        {
            "text": pd.Series(["a", None, "b", "c"]),
            "whole": pd.array([1, 2, None, 4], dtype="Int64"),
            "flag": [True, False, True, False],
            "mixed": ["a", 1, None, 2.5],
        }
    )
    x = tensor(trials=frame)
    assert x.text.values.tolist() == ["a", "", "b", "c"]
    np.testing.assert_array_equal(x.whole.values, [1, 2, np.nan, 4])
    assert x.flag.dtype == bool
    assert x.mixed.values.tolist() == ["a", "1", "", "2.5"]


def test_values_of_the_wrong_shape_say_the_order():
    with pytest.raises(pdn.TensorError, match="neuron, time, trial"):
        pdn.make_tensor(np.ones((2, 3, 4)), [0.0, 0.1])
    with pytest.raises(pdn.TensorError, match="three dims"):
        pdn.make_tensor(np.ones((2, 3)), [0.0, 0.1, 0.2])


def test_a_digest_in_parts_is_that_of_the_whole(monkeypatch):
    x = xr.DataArray(np.random.default_rng(0).random((7, 5, 3)), dims=("a", "b", "c"))
    arrays = [x, x.transpose("c", "a", "b"), x[0], x[0, 0, 0], x[:0], xr.DataArray(["u", "v"])]
    whole = [digest(each) for each in arrays]
    monkeypatch.setattr("popdyn.tensor.result._SLAB", 100)
    assert [digest(each) for each in arrays] == whole
    assert len(set(whole)) == len(whole)


def test_digest_tells_values_and_coordinates_apart():
    x = tensor()
    assert digest(x) == digest(x.copy(deep=True))
    assert digest(x) != digest(x + 1e-9)
    assert digest(x) != digest(x.assign_coords(trial=[4, 3, 2, 1]))


def test_text_decodes_bytes_and_missing():
    assert text([b"\xc3\xa9", None, float("nan"), "x"]).tolist() == ["é", "", "", "x"]


def test_check_average_accepts_a_bare_array_and_refuses_a_tensor():
    bare = xr.DataArray(np.ones((2, 3, 2)), dims=("neuron", "time", "condition"))
    assert check_average(bare.assign_coords(time=[0.0, 0.1, 0.2])).attrs["variable"] == "rate"
    with pytest.raises(pdn.TensorError, match="condition_average"):
        check_average(tensor())
