import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import popdyn as pdn

TIME = 0.02 * np.arange(5)


def some_rates(seed=0, units="Hz", **options):
    values = np.random.default_rng(seed).gamma(2.0, 10.0, size=(3, 5, 4))
    return pdn.make_tensor(values, TIME, {"choice": [0, 1, 0, 1]}, units=units, **options)


def test_rate_divides_counts_by_the_bin_width():
    counts = np.array([[[0.0, 1.0], [2.0, np.nan]]], dtype=np.float32)
    tensor = pdn.make_tensor(counts, [0.0, 0.02], name="spike_count")
    rates = pdn.rate(tensor)
    np.testing.assert_allclose(rates.values, [[[0.0, 50.0], [100.0, np.nan]]])
    assert (rates.name, rates.attrs["units"], rates.dtype) == ("rate", "Hz", np.float32)
    assert json.loads(rates.attrs["popdyn"])[-1]["step"] == "rate"
    assert tensor.name == "spike_count"
    assert tensor.attrs["units"] == "1"


def test_a_rate_is_returned_as_it_is():
    tensor = some_rates(units="1")
    assert pdn.rate(tensor) is tensor


def test_a_potential_is_no_count():
    tensor = pdn.make_tensor(-np.ones((1, 5, 2)), TIME, name="potential", units="mV")
    with pytest.raises(pdn.TensorError, match=r"found 'potential' in 'mV', which is no count"):
        pdn.rate(tensor)


def test_soft_normalization_of_rates_adds_five_hertz_to_the_range():
    tensor = some_rates()
    ranges = np.ptp(tensor.values.mean(axis=2), axis=1)[:, None, None]
    normalized = pdn.soft_normalize(tensor)
    np.testing.assert_allclose(normalized.values, tensor.values / (ranges + 5))
    assert (normalized.name, normalized.attrs["units"]) == ("rate", "1")
    assert json.loads(normalized.attrs["popdyn"])[-1]["parameters"]["offset"] == 5


def test_counts_and_their_rates_normalize_alike():
    counts = np.random.default_rng(0).poisson(2, size=(3, 5, 4)).astype(np.float64)
    tensor = pdn.make_tensor(counts, TIME, name="spike_count")
    from_counts, from_rates = pdn.soft_normalize(tensor), pdn.soft_normalize(pdn.rate(tensor))
    np.testing.assert_allclose(from_counts.values, from_rates.values)
    assert from_counts.name == "rate"


def test_without_unit_the_offset_is_a_tenth_of_the_median_range():
    tensor = some_rates(units="1")
    ranges = np.ptp(tensor.values.mean(axis=2), axis=1)
    expected = tensor.values / (ranges + 0.1 * np.median(ranges))[:, None, None]
    np.testing.assert_allclose(pdn.soft_normalize(tensor).values, expected)


@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_without_unit_the_scale_of_the_network_does_not_matter(factor, seed):
    tensor = some_rates(seed, units="1")
    scaled = tensor.copy(data=tensor.values * factor)
    np.testing.assert_allclose(
        pdn.soft_normalize(scaled).values, pdn.soft_normalize(tensor).values, rtol=1e-9
    )


def test_an_explicit_offset_wins_and_nan_is_left_out_of_the_average():
    values = np.array([[[0.0, 10.0], [np.nan, 15.0], [np.nan, np.nan]]])
    tensor = pdn.make_tensor(values, [0.0, 0.1, 0.2])
    # Averages over trials 5 and 15: a range of 10.
    np.testing.assert_allclose(
        pdn.soft_normalize(tensor, offset=10).values,
        [[[0.0, 0.5], [np.nan, 0.75], [np.nan, np.nan]]],
    )


def test_the_default_does_not_know_the_conditions_and_by_does():
    tensor = some_rates()
    other = tensor.assign_coords(choice=("trial", [0, 0, 1, 1]))
    np.testing.assert_array_equal(pdn.soft_normalize(tensor), pdn.soft_normalize(other))
    by = [pdn.soft_normalize(x, by="choice").values for x in (tensor, other)]
    assert not np.allclose(*by)


def test_by_takes_the_range_of_the_condition_averages():
    tensor = some_rates()
    average = pdn.condition_average(tensor, "choice")["rate"].values
    ranges = np.ptp(average, axis=(1, 2))[:, None, None]
    np.testing.assert_allclose(
        pdn.soft_normalize(tensor, by="choice").values, tensor.values / (ranges + 5)
    )


def test_a_condition_average_is_normalized_with_its_standard_error():
    average = pdn.condition_average(some_rates(), "choice")
    before = average.copy(deep=True)
    normalized = pdn.soft_normalize(average)
    scale = np.ptp(average["rate"].values, axis=(1, 2))[:, None, None] + 5
    np.testing.assert_allclose(normalized["rate"], average["rate"] / scale)
    np.testing.assert_allclose(normalized["standard_error"], average["standard_error"] / scale)
    np.testing.assert_array_equal(normalized["n_trials"], average["n_trials"])
    assert normalized["rate"].attrs["units"] == normalized.attrs["units"] == "1"
    assert average.identical(before)


def test_a_count_average_becomes_a_rate_without_unit():
    counts = np.random.default_rng(0).poisson(2, size=(3, 5, 4)).astype(np.float64)
    average = pdn.condition_average(
        pdn.make_tensor(counts, TIME, {"choice": [0, 1, 0, 1]}, name="spike_count"), "choice"
    )
    normalized = pdn.soft_normalize(average)
    assert normalized.attrs["variable"] == "rate"
    assert "spike_count" not in normalized


@pytest.mark.parametrize(
    ("tensor", "options", "words"),
    [
        (some_rates(), {"offset": -1}, r"0 or more; found -1"),
        (
            pdn.make_tensor(-np.ones((1, 5, 2)), TIME, name="potential", units="mV"),
            {},
            r"found 'potential' in 'mV': give offset= in mV",
        ),
        (
            pdn.make_tensor(np.ones((2, 5, 2)), TIME),
            {"offset": 0},
            r"2 of 2 neurons never change \(0, 1\)",
        ),
        (
            pdn.condition_average(some_rates(), "choice"),
            {"by": "choice"},
            r"already: leave by out",
        ),
    ],
)
def test_what_cannot_be_normalized_is_refused_in_words(tensor, options, words):
    with pytest.raises(pdn.TensorError, match=words):
        pdn.soft_normalize(tensor, **options)


def test_chunked_arrays_stay_chunked():
    pytest.importorskip("dask")
    tensor = some_rates()
    chunked = pdn.soft_normalize(tensor.chunk({"trial": 2}))
    assert chunked.chunks is not None
    np.testing.assert_allclose(chunked.values, pdn.soft_normalize(tensor).values)
