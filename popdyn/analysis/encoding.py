"""What single neurons encode, and when: regression of activity on what happened in a trial.

Every neuron and time bin has its own regression, r = b . (choice, stimulus, ..., 1), all solved
together, with standard errors, tests, and the share of unseen trials each term explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.design import Design, make_design, refuse_collinear, threshold_sentence
from popdyn.analysis.encoding_counts import count_variables
from popdyn.analysis.encoding_linear import linear_variables
from popdyn.analysis.encoding_options import make_options, refuse_rates
from popdyn.analysis.undetermined import why_undetermined
from popdyn.errors import TensorError, warn
from popdyn.resample import Seed, as_generator
from popdyn.tensor.contract import check, column_names
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]
Family = Literal["gaussian", "poisson", "negative_binomial"]


def encoding(
    tensor: xr.DataArray,
    regressors: str | Sequence[str],
    *,
    family: Family = "gaussian",
    regularization: float | Literal["cv"] = 0.0,
    robust: bool | Literal["HC1", "HC3"] = False,
    n_folds: int = 5,
    n_draws: int = 0,
    rng: Seed = 0,
    roles: Mapping[str, Any] | None = None,
    levels: Mapping[str, Sequence[Any]] | None = None,
) -> xr.Dataset:
    r"""Regress every neuron in every time bin on columns of the trial table.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates, spike counts (turned into Hz for the Gaussian family) or potentials.  A NaN trial
        is left out of its neuron and bin only.
    regressors : str or sequence of str
        Trial columns or roles, interactions (``"choice:context"``), or one formula
        (``"stimulus * C(context)"``); an intercept is always added.  Text and booleans with two
        levels are coded -1 and +1, with more levels by sum coding.  Numbers keep their unit.
    family : {"gaussian", "poisson", "negative_binomial"}
        Least squares; or spike counts with a log link and the bin width as exposure, so that
        coefficients are changes of the logarithm of the rate.
    regularization : float or "cv"
        Ridge, added to the mean square of each regressor when all are brought to unit variance: 1
        halves the coefficient of a regressor on its own.  ``"cv"`` (Gaussian) chooses it for every
        neuron by held-out error.
    robust : bool, "HC1" or "HC3"
        Standard errors that allow every trial its own variance.  True is HC3, which is also right
        for few trials.  Of Poisson counts it is the sandwich without a factor for small samples
        (statsmodels gives the same for its HC0 and HC1).
    n_folds : int
        Folds of the cross-validation; 0 leaves it out.
    n_draws : int
        Permutations of the cluster test over time (Gaussian); 0 leaves it out.
    rng : int or Generator
        Seed of folds and permutations.
    roles : mapping, optional
        As for `trial_table`.
    levels : mapping, optional
        Column to its levels in the wanted order.

    Returns
    -------
    Dataset
        ``coefficient``, ``standard_error``, ``t`` (z of the other families), ``p``, ``q
        (regressor, neuron, time)`` with ``"intercept"`` last; q is corrected over all neurons and
        bins of a regressor.  ``explained_variance_ratio``, ``residual_variance``,
        ``degrees_of_freedom``, ``n_trials (neuron, time)``; of the other families
        ``explained_deviance_ratio`` and ``dispersion``.  With folds ``cross_validated_ratio
        (neuron, time)`` and ``unique_explained_variance (term, neuron, time)``; with draws
        ``cluster_p`` and ``cluster (term, neuron, time)``; with ``"cv"`` ``regularization
        (neuron)``.

    Raises
    ------
    TensorError
        When a regressor is unknown, has one value, or follows from the others; when there are no
        more trials than coefficients; when no neuron determines the regression; when counts are
        needed and rates are given; when an argument is out of range.

    Warns
    -----
    PopdynWarning
        When trials lack a regressor; when neurons were not observed on trials that determine
        their regression, or never vary (their coefficients, or their tests, are NaN); when a
        regressor follows from a threshold on another.

    Notes
    -----
    *Unique explained variance*: what the cross-validated ratio loses when a term is left out and
    the rest is fitted again.  Both can be negative: a term that says nothing makes predictions
    worse.  With ``"cv"`` the ratio is that of a ridge chosen anew without the held-out fold.

    *Cluster test*: residuals of the regression without the term are permuted over trials
    (Freedman and Lane 1983) and clusters of bins with \|t\| beyond the 5 % level (F for a term
    of several columns) are compared with the largest cluster of each permutation, neuron by
    neuron.  The chance of any false cluster in a neuron's window is at most 5 %.

    p values of a ridge take the shrunken coefficients as unbiased: of a strong ridge they are
    only a guide, and the cluster test, which is of ordinary least squares, is the test to use.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> choice = np.tile(["left", "right"], 50)
    >>> values = 20 + 4 * (choice == "right") + rng.normal(size=(3, 5, 100))
    >>> tensor = pdn.make_tensor(values, 0.1 * np.arange(5), trials={"choice": choice})
    >>> result = pdn.encoding(tensor, ["choice"])
    >>> float(result.coefficient.sel(regressor="choice").mean().round(1))
    2.0
    >>> bool((result.q.sel(regressor="choice") < 0.05).all())
    True
    """
    tensor = check(tensor)
    options = make_options(family, regularization, robust, n_folds, n_draws)
    refuse_rates(tensor, family)
    design = make_design(tensor, regressors, roles, levels)
    refuse_collinear(design)
    sentence = threshold_sentence(design)
    if sentence:
        warn(sentence)
    generator, seed = as_generator(rng)
    if family == "gaussian":
        variables = linear_variables(tensor, design, options, generator)
    else:
        variables = count_variables(tensor, design, family, options, generator)
    counts = family != "gaussian"
    _say_undetermined(tensor, design, variables["coefficient"][1], variables["t"][1], counts)
    parameters = {
        "regressors": regressors,
        "family": family,
        "regularization": regularization,
        "robust": robust,
        "n_folds": n_folds,
        "n_draws": n_draws,
        "roles": roles,
        "levels": levels,
    }
    result = make_result(
        variables,
        coords=_coords(tensor, design),
        method="encoding",
        parameters=parameters,
        source=tensor,
        seed=seed,
    )
    return result.assign_attrs(family=family)


def _coords(tensor: xr.DataArray, design: Design) -> dict[str, Any]:
    """Label neurons with their columns, times, regressors with their term and unit, and terms."""
    coords: dict[str, Any] = {
        name: tensor.coords[name] for name in ("neuron", "time", *column_names(tensor, "neuron"))
    }
    coords["regressor"] = np.array(design.names, dtype=np.str_)
    coords["regressor_term"] = ("regressor", np.array(design.term, dtype=np.str_))
    coords["regressor_units"] = ("regressor", np.array(design.units, dtype=np.str_))
    coords["term"] = np.array(design.terms, dtype=np.str_)
    return coords


def _say_undetermined(
    tensor: xr.DataArray, design: Design, coefficient: Array, t: Array, counts: bool
) -> None:
    """Warn of neurons without coefficients or tests, or refuse if there is no other."""
    undetermined = np.isnan(coefficient[0])
    lost = undetermined.all(axis=1)
    first = int(lost.argmax())
    neuron = tensor["neuron"].values[first]
    why = why_undetermined(tensor.values[first], design, counts=counts) if lost.any() else ""
    if lost.all():
        message = (
            f"no neuron was observed on trials that determine {', '.join(design.terms)} "
            f"({why} for neuron {neuron}): leave regressors out, select other trials, or "
            f"{'widen the bins' if counts else 'shorten the window'}"
        )
        raise TensorError(message)
    if lost.any():
        warn(
            f"the trials of {int(lost.sum())} of {lost.size} neurons do not determine the "
            f"regression in any bin, and its results are NaN: {_named(tensor, lost)} "
            f"({why} for neuron {neuron})"
        )
    n_bins = int(undetermined[~lost].sum())
    if n_bins:
        warn(
            f"{n_bins} of {undetermined[~lost].size} neuron-bins"
            f"{' of the other neurons' if lost.any() else ''} are NaN: too few trials were "
            "observed there, or none with another value of a regressor"
            f"{', or spikes are lacking' if counts else ''}"
        )
    constant = ~lost & np.isnan(t[:-1]).all(axis=(0, 2))
    if constant.any():
        warn(
            f"{int(constant.sum())} of {constant.size} neurons never vary from trial to trial, so "
            f"that there is nothing to test: {_named(tensor, constant)}"
        )


def _named(tensor: xr.DataArray, which: NDArray[np.bool_]) -> str:
    names = [str(name) for name in tensor["neuron"].values[which]]
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
