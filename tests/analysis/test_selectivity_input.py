"""Loadings out of results, fitted models and networks."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.selectivity_input import loadings_of
from popdyn.errors import TensorError


@pytest.fixture(scope="module")
def tensor():
    """Forty neurons with slopes over a stimulus and a choice."""
    rng = np.random.default_rng(0)
    stimulus, choice = np.tile([-1.0, 0.0, 1.0, 2.0], 20), np.repeat([0, 1], 40)
    slope = rng.normal(size=(2, 40, 1, 1))
    values = 25 + slope[0] * stimulus + slope[1] * choice + rng.normal(size=(40, 6, 80))
    columns = {"stimulus": stimulus, "choice": choice}
    return pdn.make_tensor(values, np.arange(6) * 0.1, columns, bin_width=0.1)


@pytest.mark.filterwarnings("ignore::popdyn.PopdynWarning")
def test_models_give_loadings_axes_and_decoders(tensor):
    average = pdn.condition_average(tensor, ["stimulus", "choice"])
    models = {
        "loading": pdn.PCA(3).fit(tensor),
        "raw_axes": pdn.TDR(["stimulus", "choice"], n_draws=10).fit(tensor),
        "decoder": pdn.DPCA(("stimulus", "choice"), n_components=1).fit(average),
    }
    for name, model in models.items():
        result = model.to_dataset()
        wanted = result[name].transpose("neuron", ...).to_numpy()
        for given in (model, result):
            np.testing.assert_array_equal(loadings_of(given).values, wanted)


def test_coefficients_come_without_the_intercept_and_with_their_errors(tensor):
    result = pdn.encoding(tensor, ["stimulus", "choice"], n_folds=0, n_draws=0)
    with pytest.raises(TensorError, match="choose one time"):
        loadings_of(result)
    own = loadings_of(result.isel(time=2))
    slopes = result.isel(time=2).sel(regressor=["stimulus", "choice"])
    np.testing.assert_array_equal(own.values, slopes["coefficient"].to_numpy().T)
    np.testing.assert_array_equal(own.error, slopes["standard_error"].to_numpy().T)


def test_what_holds_no_loadings_is_said():
    net = pdn.network.LowRank.random(60, n_ranks=1, n_inputs=2, rng=0)
    with pytest.raises(TensorError, match=r"found a LowRank network: give a result of dynamics"):
        pdn.selectivity_test(net)
    with pytest.raises(TensorError, match=r"found a Dataset with rate: give the variable"):
        pdn.selectivity_test(xr.Dataset({"rate": ("neuron", np.zeros(3))}))


def test_masked_loadings_are_unknown():
    values = np.random.default_rng(0).normal(size=(40, 3))
    masked = np.ma.masked_array(values, mask=np.zeros((40, 3), bool))
    masked[2, 1] = np.ma.masked
    with pytest.warns(pdn.PopdynWarning, match="1 of 40 neurons are NaN or infinite, left out: 2"):
        assert loadings_of(masked).values.shape == (39, 3)


def test_errors_in_another_unit_are_said():
    values = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.warns(pdn.PopdynWarning, match="more than twice as large as the loadings vary"):
        loadings_of(values, 3.0 * np.ones((40, 3)))


def test_too_few_neurons_are_those_with_loadings():
    values = np.random.default_rng(0).normal(size=(40, 3))
    values[4:] = np.nan
    with (
        pytest.warns(pdn.PopdynWarning, match="36 of 40"),
        pytest.raises(TensorError, match="found 4: those of the other 36 are NaN or 0"),
    ):
        loadings_of(values)
    with pytest.raises(TensorError, match=r"found 3: is it \(neuron, feature\)"):
        loadings_of(np.random.default_rng(0).normal(size=(3, 40)))


def test_loadings_that_do_not_vary_are_refused():
    with (
        pytest.warns(pdn.PopdynWarning, match="exactly the loadings of another one"),
        pytest.raises(TensorError, match="the loadings fill 0 of 4 dimensions"),
    ):
        pdn.selectivity_test(np.ones((80, 4)))


def test_tables_are_taken_by_their_names():
    rng = np.random.default_rng(0)
    ids, names = np.arange(100, 140), ["stimulus", "choice", "context"]
    values = pd.DataFrame(rng.normal(size=(40, 3)), index=ids, columns=names)
    error = pd.DataFrame(rng.uniform(0.1, 0.5, size=(40, 3)), index=ids, columns=names)
    own = loadings_of(values, error)
    mixed = loadings_of(values, error.sample(frac=1, random_state=1)[names[::-1]])
    np.testing.assert_array_equal(own.error, error.to_numpy())
    np.testing.assert_array_equal(mixed.error, error.to_numpy())
    np.testing.assert_array_equal(own.source["neuron"], ids)
