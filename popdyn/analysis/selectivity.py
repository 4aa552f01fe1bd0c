"""Do neurons fall into groups with the same selectivity?  PAIRS, ePAIRS, and what they claim.

PAIRS after Raposo, Kaufman and Churchland (2014, Nature Neuroscience 17:1784), ePAIRS after
Hirokawa et al. (2019, Nature 576:446) and Dubreuil et al. (2022, Nature Neuroscience 25:783).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.selectivity_bingham import bingham_test
from popdyn.analysis.selectivity_clusters import cluster_test
from popdyn.analysis.selectivity_input import loadings_of
from popdyn.analysis.selectivity_neighbors import neighbor_test
from popdyn.analysis.selectivity_null import QUANTILE
from popdyn.analysis.selectivity_variants import VARIANTS, check_names
from popdyn.errors import TensorError
from popdyn.resample import Seed, as_generator
from popdyn.simulation.arguments import check_jobs, check_whole
from popdyn.tensor.result import make_result


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
    loadings : ndarray (neuron, feature), DataFrame, DataArray or Dataset
        Of a DataFrame rows are neurons and columns features, by name.  A DataArray has the
        dimension ``neuron`` and one other; of a Dataset from `encoding`, at one time, the
        coefficients without the intercept are taken, with their standard errors; of `PCA` and
        `dynamics.populations` (results, or a fitted model) the loadings, of `TDR` the axes before
        they are made orthogonal, of `DPCA` the decoders.
    method : {"epairs", "pairs", "cluster", "bingham"}
        Angles to neighbors beside those of a Gaussian cloud of any shape, or of one that is alike
        in all directions; mixtures of Gaussians, several groups against one; whether some axes
        hold more directions than others.
    variant : str
        ``"default"``, the test whose level was measured, or a published one as its code has it (see
        Notes).
    standard_error : ndarray or DataArray, optional
        Of each loading.  The null then carries them (of epairs ``"default"`` and
        ``"covariance"``, and of cluster): neurons with few trials can look like a group.  Those of
        a result of `encoding` are left out where it does not.
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
        Of epairs and pairs ``angle (neuron)`` in rad, to the neighbors, and ``median_angle``;
        ``index``, by what share it is smaller than by chance (0: random, 1: every neuron has
        neighbors of its direction, negative: spread out); ``effect_size``, by how many standard
        deviations of the angles of the null; ``z``, of its medians; ``p``, two-sided;
        ``p_clustered`` and ``p_dispersed``, one-sided, of the median among those of the null;
        ``direction``, the sign of the index, whatever p; ``null_median_angle (draw)``;
        ``null_angle (quantile)``, of all neurons and draws.

        Of cluster ``statistic``, the logarithm of the likelihood ratio of four groups against one
        (per neuron), ``null_statistic (draw)`` and ``p``; ``held_out_gain (number)`` of each
        number of groups over one and ``held_out_error``, of its difference to the largest;
        ``n_clusters``, the smallest number within one such error; ``covariance_shape``, the one
        that predicts best (``"full"``, ``"shared"`` or ``"spherical"``); ``label (neuron)``,
        ``probability (cluster, neuron)``, ``share (cluster)`` and ``center (cluster, feature)``;
        ``stability``, the adjusted Rand index of the groups of two subsamples, beside
        ``null_stability (surrogate)`` of clouds without groups.

        Of bingham ``statistic``, ``p``, ``axis_share (axis)``, of the directions along each main
        axis, and ``null_statistic (draw)``.

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
    *Default*: data and each draw of the null are centered and made round by their directions
    (the scatter of Tyler 1987).  Units and rotations make no difference, nor lengths of vectors
    about a known center, and the null depends on the numbers of neurons, features and neighbors.
    Each neuron's angles to its three nearest neighbors are averaged; the median over neurons is
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

    *cluster*: made round as the default.  As mixtures take heavy tails for groups, lengths are
    replaced by those of a Gaussian cloud in their order for p; for groups, those that are more
    spread are brought back.  The groups that are tested have means and covariances of their own.

    *bingham*: clouds that are longer along one axis are not alike in all directions, so that it
    says nothing about groups.  ``"covariance"``: data and draws are made round by their covariance,
    which heavy tails mislead; ``"dubreuil2022"``: p from the chi squared limit;
    ``"dubreuil2022_aligned"``: the same of the vectors that were not among half as many drawn ones,
    along the axes of these.

    *With errors*, ``p`` is that of draws from a Gaussian cloud of true loadings, whose covariance
    is estimated with the errors known, to which each neuron's error is added.

    Two groups, and groups about the same center (each Gaussian, of another shape), are seen by
    cluster rather than by epairs.

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
    check_names(method, variant)
    check_whole("n_draws", n_draws, "draw of the null")
    check_jobs(n_jobs, "draws")
    if n_neighbors is not None and method not in VARIANTS:
        message = f"n_neighbors is for epairs and pairs; {method} has none: leave it out"
        raise TensorError(message)
    seed = as_generator(rng)[1]
    given = loadings_of(loadings, standard_error)
    if not (method == "cluster" or _carries_errors(method, variant)):
        if standard_error is not None:
            message = (
                f"the null of {method} {variant!r} carries no errors: leave standard_error out, "
                'or take method="epairs", variant="default"'
            )
            raise TensorError(message)
        given = given._replace(error=None)
    draws = (n_draws, rng, n_jobs)
    if method == "bingham":
        variables, said = bingham_test(given.values, variant, *draws)
    elif method == "cluster":
        variables, said = cluster_test(given, *draws)
    else:
        test = VARIANTS[method][variant]
        variables, said = neighbor_test(given, test, n_neighbors, *draws)
    dims = {dim for variable in variables.values() for dim in np.atleast_1d(variable[0]).tolist()}
    coords = {"draw": np.arange(n_draws), "quantile": QUANTILE, **_columns(given.source)}
    kept = {name: own for name, own in coords.items() if name in dims or _dim_of(own) in dims}
    result = make_result(
        variables,
        coords=kept,
        method="selectivity_test",
        parameters={
            "method": method, "variant": variant, "n_draws": n_draws,
            "standard_error": given.error is not None, **said,
        },
        source=given.source.rename("loadings"),
        seed=seed,
    )  # fmt: skip
    n_neurons, n_features = given.values.shape
    return result.assign_attrs(
        {"n_neurons": n_neurons, "n_features": n_features, **said}, test=method, variant=variant,
        n_left_out=int((~given.known).sum()), n_duplicates=given.n_duplicates,
    )  # fmt: skip


def _carries_errors(method: str, variant: str) -> bool:
    """Whether the null of a test of angles is prepared as the data, and so can carry errors."""
    return method in VARIANTS and VARIANTS[method][variant].null == "own"


def _columns(source: xr.DataArray) -> dict[Any, Any]:
    """Columns of neurons and of features."""
    return {name: column for name, column in source.coords.items() if len(column.dims) == 1}


def _dim_of(column: Any) -> Any:
    """Dimension of a column."""
    return column.dims[0] if isinstance(column, xr.DataArray) else None
