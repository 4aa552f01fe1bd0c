"""What `encoding` can be asked for, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.least_squares import Robust
from popdyn.errors import TensorError

FAMILIES = ("gaussian", "poisson", "negative_binomial")
TABLE = ("regressor", "neuron", "time")
TERM = ("term", "neuron", "time")
CELL = ("neuron", "time")


@dataclass(frozen=True)
class Options:
    """Arguments of `encoding` in their final form.

    Attributes
    ----------
    family : str
        One of `FAMILIES`.
    penalty : float or None
        Ridge; None: by cross-validation.
    robust : {None, "HC1", "HC3"}
        Kind of standard error.
    n_folds, n_draws : int
        0: leave out.
    """

    family: str
    penalty: float | None
    robust: Robust
    n_folds: int
    n_draws: int


def make_options(
    family: Any, regularization: Any, robust: Any, n_folds: int, n_draws: int
) -> Options:
    """Check the arguments of `encoding`.

    Parameters
    ----------
    family, regularization, robust, n_folds, n_draws
        As given by the user.

    Returns
    -------
    Options

    Raises
    ------
    TensorError
        Saying which argument is out of range, or which do not go together.
    """
    if family not in FAMILIES:
        message = f"family is one of {', '.join(FAMILIES)}; found {family!r}"
        raise TensorError(message)
    counts = family != "gaussian"
    whole = all(isinstance(number, (int, np.integer)) for number in (n_folds, n_draws))
    known = isinstance(robust, (bool, str)) and robust in (False, True, "HC1", "HC3")
    if not (known and whole) or n_folds < 0 or n_folds == 1 or n_draws < 0:
        message = (
            "robust is False, True, 'HC1' or 'HC3', n_folds 0 or a whole number of at least 2, "
            f"n_draws one of at least 0; found {robust!r}, {n_folds!r} and {n_draws!r}"
        )
        raise TensorError(message)
    kind: Robust = (
        None if robust is False else "HC1" if counts and robust is True else _kind(robust)
    )
    if counts:
        _refuse_for_counts(family, regularization, kind, n_draws)
    return Options(family, _penalty(regularization, n_folds), kind, n_folds, n_draws)


def refuse_rates(tensor: xr.DataArray, family: str) -> None:
    """Refuse a family of counts for what are not whole numbers of spikes.

    Parameters
    ----------
    tensor : DataArray
        Checked.
    family : str
        The family asked for.

    Raises
    ------
    TensorError
        If the family is one of counts and the tensor does not hold them.
    """
    if family == "gaussian":
        return
    if tensor.name != "spike_count":
        message = (
            f"family={family!r} is for spike counts, found a tensor of {tensor.name} in "
            f"{tensor.attrs['units']}: give the counts (align or read_nwb without rate()), or use "
            "family='gaussian'"
        )
        raise TensorError(message)
    for values in tensor.values:
        fraction = values - np.floor(values)
        if np.nanmax(fraction, initial=0.0) > 0:
            message = (
                f"family={family!r} is for whole numbers of spikes, found "
                f"{values[np.nan_to_num(fraction) > 0][0]:g}: give the counts before smoothing or "
                "averaging, or use family='gaussian'"
            )
            raise TensorError(message)


def _kind(robust: Any) -> Robust:
    return "HC1" if robust == "HC1" else "HC3"


def _penalty(regularization: Any, n_folds: int) -> float | None:
    if isinstance(regularization, str) and regularization == "cv":
        if not n_folds:
            message = "regularization='cv' chooses by held-out error: n_folds must be at least 2"
            raise TensorError(message)
        return None
    number = isinstance(regularization, (int, float, np.integer, np.floating))
    if not number or not np.isfinite(regularization) or regularization < 0:
        message = f"regularization is 'cv' or a number of at least 0; found {regularization!r}"
        raise TensorError(message)
    return float(regularization)


def _refuse_for_counts(family: str, regularization: Any, kind: Robust, n_draws: int) -> None:
    """Refuse what only the Gaussian family has."""
    if kind == "HC3" or (kind and family == "negative_binomial"):
        message = (
            "robust standard errors of counts are HC1 with family='poisson' (they then need no "
            f"dispersion); found robust={kind!r} with family={family!r}"
        )
        raise TensorError(message)
    if n_draws:
        message = (
            "the cluster test permutes residuals of least squares: leave n_draws=0 with "
            f"family={family!r}, and test clusters with family='gaussian'"
        )
        raise TensorError(message)
    if isinstance(regularization, str) or regularization:
        message = (
            f"regularization is for family='gaussian'; found {regularization!r} with "
            f"family={family!r}: leave it at 0"
        )
        raise TensorError(message)
