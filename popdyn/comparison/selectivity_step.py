"""Steps of the comparison that ask whether selectivity is clustered, and whether it is mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.encoding import encoding
from popdyn.analysis.epoch_mean import epoch_mean
from popdyn.analysis.mixed_selectivity import KINDS, mixed_selectivity
from popdyn.analysis.selectivity import selectivity_test
from popdyn.analysis.selectivity_variants import VARIANTS
from popdyn.comparison.measures import NO_BAND, Cell, Measure, Results, attribute_of, smallest
from popdyn.comparison.selectivity_spec import MixedSelectivity, Selectivity
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.errors import TensorError
from popdyn.preprocess.normalize import rate, soft_normalize
from popdyn.resample import percentile_bounds
from popdyn.tensor.contract import bin_width_of

_OF_EPOCH = ("source", "units", "align", "simultaneous", "popdyn")


def run_selectivity_test(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Test whether coefficients of neurons, of their activity in an epoch, fall into groups."""
    settings = spec.analyses.selectivity_test or Selectivity()
    asked = settings.regressors or spec.conditions.by
    tensor = _epoch(source, spec, settings.window)
    encoded = encoding(tensor, asked if isinstance(asked, str) else list(asked), n_folds=0)
    slopes = [str(name) for name in encoded["regressor"].values if name != "intercept"]
    if len(slopes) < 2:
        message = (
            f"expected two features or more, found one ({slopes[0]}): a single coefficient points "
            "one way or the other, and angles between neurons say nothing; give regressors = [...] "
            "two columns, or one of three values or more"
        )
        raise TensorError(message)
    loadings = encoded if _carries_errors(settings) else encoded["coefficient"].sel(
        regressor=slopes
    )  # fmt: skip
    options = settings.model_dump(include={"method", "variant", "n_draws"})
    result = selectivity_test(loadings, rng=seed, **options)
    kept = {name: encoded.attrs[name] for name in _OF_EPOCH if name in encoded.attrs}
    return result.assign(_vectors(encoded, slopes)).assign_attrs(kept | _ends(tensor))


def _vectors(encoded: xr.Dataset, slopes: list[str]) -> dict[str, xr.DataArray]:
    """Give the vectors of neurons with their errors, which others are compared with."""
    own = encoded.isel(time=0).sel(regressor=slopes).rename(regressor="feature")
    names = {"loading": "coefficient", "loading_error": "standard_error"}
    return {
        name: own[found].transpose("neuron", "feature").drop_vars("time")
        for name, found in names.items()
    }


def run_mixed_selectivity(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Tell neurons of pure and mixed selectivity apart, by their activity in an epoch."""
    del seed
    settings = spec.analyses.mixed_selectivity or MixedSelectivity()
    factors = list(settings.factors or spec.conditions.by)
    tensor = _epoch(source, spec, settings.window)
    return mixed_selectivity(tensor, factors, alpha=settings.alpha).assign_attrs(_ends(tensor))


def _epoch(source: Prepared, spec: Spec, window: tuple[float, float] | None) -> xr.DataArray:
    """Average rates over an epoch; smoothing would bring in what is outside of it."""
    tensor = rate(source.tensor)
    return epoch_mean(soft_normalize(tensor) if spec.prepare.soft_normalize else tensor, window)


def _ends(tensor: xr.DataArray) -> dict[str, float]:
    """Say when the one bin of an epoch starts and stops."""
    center, half = float(tensor["time"].item()), bin_width_of(tensor) / 2
    return {"window_start": center - half, "window_stop": center + half}


def _carries_errors(settings: Selectivity) -> bool:
    """Whether the null of a test can carry the error of each neuron."""
    tests = VARIANTS.get(settings.method)
    return settings.method == "cluster" if tests is None else tests[settings.variant].null == "own"


def index_band(result: xr.Dataset) -> NDArray[np.float64]:
    """Give the central 95 % of what the index is by chance.

    Parameters
    ----------
    result : Dataset
        Of epairs or pairs.

    Returns
    -------
    ndarray, shape (2,)
        NaN where draws were not kept as the index would have them.
    """
    index = float(result["index"])
    test = VARIANTS[str(result.attrs["test"])][str(result.attrs["variant"])]
    if test.center == "mean" or index == 1:
        return NO_BAND
    chance = float(result["median_angle"]) / (1 - index)
    return percentile_bounds(1 - result["null_median_angle"].values / chance)


def selectivity_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for how clustered selectivity is; of mixtures, for their number of groups too."""
    test = attribute_of(results, "selectivity_test", "test", "epairs")
    if test in VARIANTS:
        words = "clustering of selectivity, index (0: random, 1: groups of one direction)"
        yield Measure(words, "1", "selectivity_test", _index)
        return
    words = {
        "cluster": "several groups of selectivity against one, log likelihood ratio (nat/neuron)",
        "bingham": "directions of selectivity that some axes hold more of, Bingham's statistic",
    }[test]
    yield Measure(words, "1", "selectivity_test", _statistic)
    if test == "cluster":
        words = "groups of selectivity that predict held-out neurons best"
        yield Measure(words, "1", "selectivity_test", _groups)


def _index(result: xr.Dataset, results: Results) -> Cell:
    n_trials = smallest(results["summary"])
    return Cell(float(result["index"]), NO_BAND, index_band(result), float(result["p"]), n_trials)


def _statistic(result: xr.Dataset, results: Results) -> Cell:
    null = result.get("null_statistic")
    band = NO_BAND if null is None else percentile_bounds(null.values)
    value, p = float(result["statistic"]), float(result["p"])
    return Cell(value, NO_BAND, band, p, smallest(results["summary"]))


def _groups(result: xr.Dataset, results: Results) -> Cell:
    return Cell(float(result["n_clusters"]), n_trials=smallest(results["summary"]))


def mixed_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for the share of neurons of each kind."""
    del results
    for kind in KINDS[1:]:
        words = f"share of neurons of {kind} selectivity"
        yield Measure(words, "1", "mixed_selectivity", _share_reader(kind))


def _share_reader(kind: str) -> Callable[[xr.Dataset, Results], Cell]:
    def read(result: xr.Dataset, results: Results) -> Cell:
        own: Any = result.isel(time=0).sel(selectivity_kind=kind)
        n_trials = smallest(results["summary"])
        return Cell(float(own["share"]), own["share_bound"].values, n_trials=n_trials)

    return read


SELECTIVITY_STEPS: dict[str, Callable[[Prepared, Spec, int], xr.Dataset]] = {
    "selectivity_test": run_selectivity_test,
    "mixed_selectivity": run_mixed_selectivity,
}
