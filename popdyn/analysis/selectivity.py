"""Do neurons fall into groups with the same selectivity?  PAIRS, ePAIRS, and what they claim.

PAIRS after Raposo, Kaufman and Churchland (2014, Nature Neuroscience 17:1784), ePAIRS after
Hirokawa et al. (2019, Nature 576:446) and Dubreuil et al. (2022, Nature Neuroscience 25:783).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.selectivity_angles import centered, filled_axes
from popdyn.analysis.selectivity_errors import noisy_draw
from popdyn.analysis.selectivity_input import loadings_of
from popdyn.analysis.selectivity_judged import judged
from popdyn.analysis.selectivity_null import (
    QUANTILE,
    described,
    draw_angles,
    enough_neighbors,
    gaussian_draw,
    pivotal_null,
)
from popdyn.analysis.selectivity_variants import Variant, find_variant
from popdyn.errors import TensorError, warn
from popdyn.resample import Seed, as_generator
from popdyn.simulation.arguments import check_whole
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

_RADIANS = {"units": "rad"}
_TARGET = np.pi / 4


def selectivity_test(
    loadings: Any,
    method: str = "epairs",
    variant: str = "default",
    *,
    standard_error: Any = None,
    n_neighbors: int | None = None,
    n_draws: int = 1000,
    n_jobs: int | None = None,
    rng: Seed = 0,
) -> xr.Dataset:
    """Test whether the selectivity of neurons is clustered, random, or spread out.

    Each neuron is a vector: its coefficients in a regression, its weights or loadings.  If there
    are groups of neurons, the nearest neighbors of a vector point more nearly its way than those
    of a Gaussian cloud without groups do.

    Parameters
    ----------
    loadings : ndarray (neuron, feature), DataArray or Dataset
        A DataArray has the dimension ``neuron`` and one other; of a Dataset from `encoding`, at one
        time, the coefficients without the intercept are taken, with their standard errors; of one
        from `dynamics.populations` the loadings.
    method : {"epairs", "pairs"}
        Compared with a Gaussian cloud of any shape, or with one that is alike in all directions.
    variant : str
        ``"default"``, the test whose level was measured, or a published one as its code has it (see
        Notes).
    standard_error : ndarray or DataArray, optional
        Of each loading.  The null then carries them (of the variants ``"default"`` and
        ``"covariance"``): neurons with few trials can look like a group.
    n_neighbors : int, optional
        Neighbors over which angles are averaged; by default that of the variant, mostly 3.
    n_draws : int
        Draws of the null.
    n_jobs : int, optional
        Draws at once, in threads (joblib).  Results do not depend on it.
    rng : int or numpy.random.Generator
        Seed or generator.  With a seed, data sets of equal size share one null, which is drawn
        once.

    Returns
    -------
    Dataset
        ``angle (neuron)`` in rad, to the neighbors, and ``median_angle``; ``index``, by what share
        it is smaller than by chance (0: random, 1: every neuron has neighbors of its direction,
        negative: spread out); ``effect_size``, by how many standard deviations of the angles of
        the null; ``z``, of its medians; ``p``, two-sided; ``p_clustered`` and ``p_dispersed``,
        one-sided, of the median among those of the null; ``direction``; ``null_median_angle
        (draw)``; ``null_angle (quantile)``, of all neurons and draws.

    Raises
    ------
    TensorError
        If these are no loadings, there is only one feature or too few neurons, or there is no
        such variant.
    FitError
        If a cloud cannot be made round.

    Warns
    -----
    PopdynWarning
        When neurons are NaN or zero and take no part, when neurons have the same loadings, when
        features depend on each other, or there are fewer than 30 neurons.

    Notes
    -----
    *Default*: data and each draw of the null are centered and made round by the location and
    scatter of a Cauchy cloud (Kent, Tyler and Vardi 1994).  Units and rotations make no difference,
    and the null depends on nothing but the numbers of neurons, features and neighbors.  Each
    neuron's angles to its three nearest neighbors are averaged; the median over neurons is
    compared with the medians of the draws.  ``p`` is ``2 min(#(null <= median) + 1, #(null >=
    median) + 1) / (n_draws + 1)``.

    *Variants of epairs*: ``"covariance"``, made round by the covariance, which heavy tails mislead;
    ``"hirokawa2019"``, a null with the covariance of the data, one neighbor, rank-sum p of the
    angles of neurons; ``"dubreuil2022"``, data made round and a null left as it is, the angle of
    the mean cosine, rank-sum p; ``"dubreuil2022_full"`` and ``"dubreuil2022_diagonal"``, the same
    with a null of the data's covariance or its diagonal.  *Of pairs*: ``"default"``, vectors as
    they are, p as above; ``"raposo2014"``, as many neighbors as make their angle by chance 45
    degrees, p without the 1; ``"hocker2021"``, data made round and a null left as it is, a neuron
    counted as its own first neighbor, p from a normal.  Angles of neurons in one data set depend
    on each other, and p that take them for independent (rank-sum) are too small.

    *With errors*, ``p`` is that of draws from a Gaussian cloud of true loadings, whose covariance
    is estimated with the errors known, to which each neuron's error is added.

    Neurons that fall into groups about the same center (each Gaussian, of another shape) are hardly
    seen by any of these tests.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> groups = rng.normal(size=(5, 4))[rng.integers(0, 5, 150)]
    >>> result = pdn.selectivity_test(groups + 0.2 * rng.normal(size=(150, 4)), n_draws=199)
    >>> float(result["p"]), str(result["direction"].values)
    (0.01, 'clustered')
    """
    test = find_variant(method, variant)
    check_whole("n_draws", n_draws, "draw of the null")
    seed = as_generator(rng)[1]
    given = loadings_of(loadings, standard_error)
    _check_errors(given.error, test, method, variant)
    prepared = _prepared(test, given.values)
    k = _neighbors(test, n_neighbors, prepared.shape)
    pooled = None
    if given.error is not None:
        pooled = draw_angles(noisy_draw(test, given.values, given.error, k), n_draws, rng, n_jobs)
    elif test.p == "rank_sum":
        pooled = draw_angles(gaussian_draw(test, prepared, k), n_draws, rng, n_jobs)
    if pooled is None:
        null = pivotal_null(test, prepared.shape, k, n_draws, rng, n_jobs)
    else:
        null = described(pooled)
    angle = test.angles(prepared, k)
    result = make_result(
        judged(test, angle, null, pooled) | {"angle": _of_all(angle, given.known)},
        coords={
            **{name: given.source.coords[name] for name in _neuron_coords(given.source)},
            "draw": np.arange(n_draws), "quantile": QUANTILE,
        },
        method="selectivity_test",
        parameters={
            "method": method, "variant": variant, "n_neighbors": k, "n_draws": n_draws,
            "standard_error": given.error is not None,
        },
        source=given.source.rename("loadings"),
        seed=seed,
    )  # fmt: skip
    n_neurons, n_features = prepared.shape
    return result.assign_attrs(
        test=method, variant=variant, n_neurons=n_neurons, n_features=n_features, n_neighbors=k,
        n_left_out=int((~given.known).sum()), n_duplicates=given.n_duplicates,
    )  # fmt: skip


def _check_errors(error: Array | None, test: Variant, method: str, variant: str) -> None:
    """Refuse errors where the null cannot carry them."""
    if error is not None and test.null != "own":
        message = (
            f"the null of {method} {variant!r} carries no errors: leave standard_error out "
            '(of a result of encoding give ["coefficient"] without the intercept), or take '
            'method="epairs", variant="default"'
        )
        raise TensorError(message)


def _prepared(test: Variant, values: Array) -> Array:
    """Prepare the vectors, and see how many dimensions they fill."""
    n_features = values.shape[1]
    prepared = test.prepare(values)
    filled = filled_axes(centered(values)).shape[1]
    if filled < 2 or (filled < n_features and prepared.shape[1] == n_features):
        message = (
            f"the loadings fill {filled} of {n_features} dimensions: leave out features that "
            "follow from others or are the same for all neurons"
        )
        raise TensorError(message)
    if filled < n_features:
        warn(
            f"the loadings fill {filled} of {n_features} dimensions, because features follow from "
            f"others or are the same for all neurons: {filled} are tested"
        )
    return prepared


def _neighbors(test: Variant, n_neighbors: Any, shape: tuple[int, ...]) -> int:
    """Give the number of neighbors."""
    n_neurons, n_features = shape
    if n_neighbors is None:
        n_neighbors = test.n_neighbors
        if n_neighbors is None:
            return enough_neighbors((n_neurons, n_features), _TARGET)
    least = 1 + test.counts_itself
    check_whole("n_neighbors", n_neighbors, "neighbor")
    if not least <= n_neighbors < n_neurons:
        message = (
            f"n_neighbors must be from {least} to {n_neurons - 1}, less than the {n_neurons} "
            f"neurons, found {n_neighbors}"
        )
        raise TensorError(message)
    return int(n_neighbors)


def _neuron_coords(source: xr.DataArray) -> list[Any]:
    """Names of the columns of neurons."""
    return [name for name, column in source.coords.items() if column.dims == ("neuron",)]


def _of_all(angle: Array, known: NDArray[np.bool_]) -> tuple[str, Array, dict[str, str]]:
    """Angles of all neurons, NaN of those that take no part."""
    values = np.full(known.size, np.nan)
    values[known] = angle
    return "neuron", values, _RADIANS
