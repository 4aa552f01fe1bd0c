import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

import popdyn as pdn
from popdyn.preprocess.smooth import smooth_values

BIN = 0.02


def tensor_of(values, **options):
    return pdn.make_tensor(values, BIN * np.arange(values.shape[1]), **options)


def slowly(values, sigma, causal):
    """Each bin is the weighted mean of the bins it is joined to without a gap."""
    smoothed = np.full(values.shape, np.nan)
    radius = int(np.ceil(4 * sigma))
    for index in np.ndindex(values.shape):
        if np.isnan(values[index]):
            continue
        neuron, time, trial = index
        total = weight = 0.0
        for other in range(max(0, time - radius), min(values.shape[1], time + radius + 1)):
            between = values[neuron, min(time, other) : max(time, other) + 1, trial]
            if np.isnan(between).any() or (causal and other > time):
                continue
            own = np.exp(-0.5 * ((other - time) / sigma) ** 2)
            total, weight = total + own * values[neuron, other, trial], weight + own
        smoothed[index] = total / weight
    return smoothed


@st.composite
def activity(draw):
    shape = draw(st.tuples(st.integers(1, 3), st.integers(2, 90), st.integers(1, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.normal(size=shape)
    values[rng.random(shape) < draw(st.sampled_from([0, 0.05, 0.4]))] = np.nan
    return values


@given(values=activity(), sigma=st.floats(0.5, 30), causal=st.booleans())
@settings(max_examples=40, deadline=None)
def test_smoothing_equals_the_slow_formula_whatever_the_gaps(values, sigma, causal):
    np.testing.assert_allclose(
        smooth_values(values, sigma, causal), slowly(values, sigma, causal), atol=1e-12
    )


@given(values=activity(), sigma=st.floats(0.5, 10), constant=st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_a_constant_stays_constant_and_nan_stays_nan(values, sigma, constant):
    flat = np.where(np.isnan(values), np.nan, constant)
    np.testing.assert_allclose(smooth_values(flat, sigma), flat, rtol=1e-12, atol=1e-12)


@given(values=activity(), sigma=st.floats(0.5, 10), causal=st.booleans(), factor=st.floats(-3, 3))
@settings(max_examples=25, deadline=None)
def test_smoothing_is_linear_and_leaves_its_input_alone(values, sigma, causal, factor):
    before = values.copy()
    scaled = smooth_values(factor * values, sigma, causal)
    np.testing.assert_allclose(scaled, factor * smooth_values(values, sigma, causal), atol=1e-12)
    np.testing.assert_array_equal(values, before)


def test_the_sum_is_kept_away_from_the_edges():
    values = np.zeros((1, 200, 1))
    values[0, 60:140, 0] = np.random.default_rng(0).poisson(2, 80)
    assert smooth_values(values, 5.0).sum() == pytest.approx(values.sum(), rel=1e-12)


def test_a_spike_does_not_bleed_across_a_gap():
    values = np.zeros((1, 40, 1))
    values[0, 18, 0] = 1
    values[0, 20, 0] = np.nan
    smoothed = smooth_values(values, 3.0)[0, :, 0]
    assert (smoothed[21:] == 0).all()
    assert smoothed[:20].sum() > 0.9


def test_the_interior_agrees_with_scipy():
    values = np.random.default_rng(1).normal(size=(2, 300, 3))
    expected = gaussian_filter1d(values, 4.0, axis=1, truncate=4.0)
    np.testing.assert_allclose(
        smooth_values(values, 4.0)[:, 20:-20], expected[:, 20:-20], atol=1e-12
    )


def test_causal_smoothing_shows_nothing_before_the_cause_and_comes_later():
    values = np.zeros((1, 400, 1))
    values[0, 100, 0] = 1
    smoothed = smooth_values(values, 20.0, causal=True)[0, :, 0]
    assert (smoothed[:100] == 0).all()
    delay = (smoothed * np.arange(400)).sum() / smoothed.sum() - 100
    assert delay == pytest.approx(0.8 * 20, rel=0.05)


def test_sigma_is_in_seconds():
    values = np.zeros((1, 101, 1))
    values[0, 50, 0] = 1
    smoothed = pdn.smooth(tensor_of(values), 0.06)
    lag = smoothed["time"].values - 50 * BIN
    spread = np.sqrt((smoothed.values[0, :, 0] * lag**2).sum())
    assert spread == pytest.approx(0.06, rel=0.01)


@pytest.mark.parametrize("name", ["rate", "spike_count"])
def test_name_precision_columns_and_history_stay(name):
    values = np.ones((2, 10, 3), dtype=np.float32)
    tensor = tensor_of(
        values,
        name=name,
        trials={"ts": [1.0, 2.0, 3.0]},
        neurons={"area": ["a", "b"]},
        column_attrs={"ts": {"units": "ms"}},
    )
    smoothed = pdn.smooth(tensor, 0.05, causal=True)
    assert (smoothed.name, smoothed.dtype, smoothed.dims) == (name, np.float32, tensor.dims)
    assert smoothed.coords.identical(tensor.coords)
    assert {k: v for k, v in smoothed.attrs.items() if k != "popdyn"} == {
        k: v for k, v in tensor.attrs.items() if k != "popdyn"
    }
    step = json.loads(smoothed.attrs["popdyn"])[-1]
    assert step == {"step": "smooth", "parameters": {"sigma": 0.05, "causal": True}}
    assert pdn.check(smoothed) is smoothed


def test_sigma_zero_gives_a_copy_of_the_values():
    tensor = tensor_of(np.random.default_rng(0).random((2, 5, 2)))
    same = pdn.smooth(tensor, 0)
    np.testing.assert_array_equal(same.values, tensor.values)
    assert not np.shares_memory(same.values, tensor.values)


def test_a_sigma_below_half_a_bin_is_said():
    with pytest.warns(pdn.PopdynWarning, match=r"0\.005 s is below half a bin \(0\.02 s\)"):
        pdn.smooth(tensor_of(np.ones((1, 5, 1))), 0.005)


@pytest.mark.parametrize("sigma", [-0.01, np.nan, np.inf])
def test_a_sigma_that_is_no_time_is_refused(sigma):
    with pytest.raises(pdn.TensorError, match=r"sigma is a time in s, 0 or more; found"):
        pdn.smooth(tensor_of(np.ones((1, 5, 1))), sigma)


def test_chunked_arrays_stay_chunked_and_agree():
    pytest.importorskip("dask")
    tensor = tensor_of(np.random.default_rng(0).random((4, 30, 6)).astype(np.float32))
    chunked = tensor.chunk({"neuron": 2, "time": 7, "trial": 3})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        smoothed = pdn.smooth(chunked, 0.05)
    assert smoothed.chunks is not None
    np.testing.assert_allclose(smoothed.values, pdn.smooth(tensor, 0.05).values, rtol=1e-6)


def test_milliseconds_for_seconds_are_said_and_text_is_refused():
    x = pdn.make_tensor(np.ones((1, 10, 2)), 0.1 * np.arange(10))
    with pytest.warns(pdn.PopdynWarning, match="longer than the whole window"):
        pdn.smooth(x, 40)
    with pytest.raises(pdn.TensorError, match="sigma is a time in s.*'40ms'"):
        pdn.smooth(x, "40ms")
