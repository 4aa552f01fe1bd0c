"""Estimators refuse to be used before fit, and come back from their result as they were."""

from __future__ import annotations

import numpy as np
import pytest

import popdyn as pdn
from popdyn.analysis.stored_estimator import check_fitted

ESTIMATORS = {
    "pca": pdn.PCA(2, by="choice", n_splits=3, n_draws=5, rng=7),
    "dpca": pdn.DPCA(["choice"], 1, rng=7),
    "tdr": pdn.TDR("choice", smooth=0, n_splits=3, n_draws=19, rng=7),
    "multi_tdr": pdn.MultiTDR("choice", smooth=0, n_splits=3, n_draws=19, rng=7),
    "space_map": pdn.SpaceMap(2, by="choice", hold_out="time", n_draws=5, rng=7),
}


def _tensor():
    rng = np.random.default_rng(0)
    choice = np.tile([-1.0, 1.0], 20)
    weight = rng.normal(size=(12, 1, 1)) * np.linspace(0, 2, 10)[:, None]
    values = 5 + weight * choice + rng.normal(size=(12, 10, 40))
    return pdn.make_tensor(values, 0.1 * np.arange(10), {"choice": choice}, units="1")


def _fitted(method):
    x = _tensor()
    return ESTIMATORS[method].fit(x, x) if method == "space_map" else ESTIMATORS[method].fit(x)


@pytest.mark.parametrize("method", ESTIMATORS)
def test_an_estimator_read_from_a_file_has_its_arguments_and_transforms_alike(method, tmp_path):
    fitted = _fitted(method)
    loaded = pdn.load(pdn.save(fitted, tmp_path / "fitted.nc"))
    assert type(loaded) is type(fitted)
    assert str(loaded) == str(fitted)
    assert loaded.to_dataset().identical(fitted.to_dataset())
    assert loaded.transform(_tensor()).identical(fitted.transform(_tensor()))


@pytest.mark.parametrize("method", ESTIMATORS)
def test_a_result_of_another_method_makes_no_estimator(method):
    kind = type(ESTIMATORS[method])
    result = _fitted(method).to_dataset().assign_attrs(method="decode")
    with pytest.raises(pdn.TensorError, match=f"of method '{method}', found method 'decode'"):
        kind.from_dataset(result)


def test_a_seed_that_is_no_number_does_not_come_back():
    result = _fitted("dpca").to_dataset().assign_attrs(seed="state of a generator")
    assert pdn.DPCA.from_dataset(result).rng == 0


def test_what_fit_needs_is_said():
    with pytest.raises(pdn.FitError, match="this SpaceMap has not been fitted: call fit with a so"):
        check_fitted(pdn.SpaceMap(), "a source and a target")
