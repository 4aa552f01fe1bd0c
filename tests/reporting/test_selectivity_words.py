"""Words about selectivity tell which test it was, with which null, and whose p."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import popdyn as pdn
from popdyn.analysis.selectivity_variants import OTHERS, VARIANTS
from popdyn.reporting import methods
from popdyn.reporting.selectivity_chapter import selectivity_details

NAMES = [
    (method, variant) for method, variants in {**VARIANTS, **OTHERS}.items() for variant in variants
]


def result_of(method, variant, n_neurons=60):
    """Test a cloud of groups as the step of a comparison does."""
    rng = np.random.default_rng(0)
    centers = np.array([[1, 0.1], [-0.2, 1], [-0.9, -0.4], [0.4, -1], [-1, 0.6]])
    vectors = centers[np.arange(n_neurons) % 5] + 0.1 * rng.standard_normal((n_neurons, 2))
    found = pdn.selectivity_test(vectors, method, variant, n_draws=19)
    features = {"feature": ["a", "b"], "regressor_term": ("feature", ["choice", "choice"])}
    loading = xr.DataArray(vectors, dims=("neuron", "feature"), coords=features)
    ends = {"window_start": 0.1, "window_stop": 0.4, "align": "go_time"}
    return found.assign(loading=loading).assign_attrs(ends)


@pytest.mark.parametrize(("method", "variant"), NAMES)
def test_every_test_that_there_is_has_words(method, variant):
    result = result_of(method, variant)
    written = methods.sentence(result)
    assert "averaged in each trial from 0.1 to 0.4\u00a0s around go_time" in written
    assert "were regressed on choice and an intercept" in written
    assert variant == "default" or f"variant {variant}" in written
    assert "p\u00a0" in "; ".join(selectivity_details(result))


def test_words_say_what_was_done_to_directions():
    told = {name: methods.sentence(result_of("bingham", name)) for name in OTHERS["bingham"]}
    assert "Directions were tested for uniformity (Bingham 1974) beside 19 iso" in told["default"]
    assert "made round by their covariance, as those of the null, were" in told["covariance"]
    aligned = told["dubreuil2022_aligned"]
    assert "not among half as many drawn ones" in aligned
    assert "beside the chi squared limit" in aligned


def test_a_p_of_ranks_is_not_bounded_by_the_number_of_draws():
    ranks = result_of("epairs", "dubreuil2022")
    assert float(ranks["p"]) < 0.001
    assert "p\u00a0≤\u00a0.0001" in selectivity_details(ranks)[0]
    assert "p\u00a0=\u00a0.10" in selectivity_details(result_of("epairs", "default"))[0]
    assert "too small" in methods.sentence(ranks)
    assert "p two-sided" in methods.sentence(result_of("epairs", "default"))
