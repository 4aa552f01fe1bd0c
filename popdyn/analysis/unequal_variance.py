"""Whether a factorial design of unequal numbers of trials meets variances that differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from popdyn.errors import warn
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]

# Numbers of trials that differ by no more leave an F test its level.
_MOST_UNEQUAL = 3
# Variances of a neuron differ if Levene's test says so, and they differ by as much as this.
_LEVEL, _LEAST_EXPLAINED = 0.05, 0.1
_MOST_DIFFERING = 0.2


def warn_of_unequal_variance(tensor: xr.DataArray, names: list[str]) -> None:
    """Warn where both numbers of trials and variances differ between combinations of levels.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        All trials have a level of each factor.
    names : list of str
        Factors.

    Warns
    -----
    PopdynWarning
        Where the most frequent combination has more than 3 times the trials of the rarest, and
        in more than a fifth of neurons and bins Levene's test of equal variances has p < .05 and
        combinations explain a tenth of how far trials lie from their means.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn
    >>> trials = {"a": [0, 1, 0, 1, 0, 1], "b": [0, 0, 1, 1, 1, 0]}
    >>> tensor = pdn.make_tensor(np.ones((1, 1, 6)), [0.0], trials, bin_width=0.1)
    >>> warn_of_unequal_variance(tensor, ["a", "b"])
    """
    cell = group_conditions(tensor, names).index
    size = np.bincount(cell)
    if size.max() <= _MOST_UNEQUAL * size.min():
        return
    p, explained = levene(tensor.values, cell)
    differ = (p < _LEVEL) & (explained > _LEAST_EXPLAINED)
    share = differ.sum() / max(np.isfinite(p).sum(), 1)
    if share > _MOST_DIFFERING:
        warn(
            f"combinations of {', '.join(names)} have {size.min()} to {size.max()} trials, and "
            f"variances differ between them in {share:.0%} of neurons and bins, as those of "
            "spike counts do: where rare combinations vary most, interactions are found that are "
            "none, and where they vary least, interactions are missed; select equal numbers of "
            "trials of each, or give square roots of counts, np.sqrt(counts)"
        )


def levene(values: NDArray[np.floating[Any]], cell: NDArray[np.intp]) -> tuple[Array, Array]:
    """Test whether variances within cells differ (Levene 1960).

    Parameters
    ----------
    values : ndarray, shape (neuron, time, trial)
        NaN where not observed.
    cell : ndarray of int, shape (trial,)
        Number of each trial's cell.

    Returns
    -------
    p, explained : ndarray, shape (neuron, time)
        Of an analysis of variance of distances to the means of cells of two trials or more: its p
        value, and adjusted :math:`R^2`.
    """
    member = np.eye(cell.max() + 1)[cell]
    size = np.isfinite(values).astype(np.float64) @ member
    # The mean of n trials is nearer to each of them by sqrt(1 - 1 / n) than the true mean.
    nearer = np.sqrt(1 - 1 / np.maximum(size, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        away = values - (np.nan_to_num(values) @ member / size)[..., cell]
        away = np.abs(away) / nearer[..., cell]
        away[~np.isfinite(away)] = np.nan
        size = np.where(size > 1, size, 0.0)
        mean = np.nan_to_num(np.nan_to_num(away) @ member / size)
        grand = (size * mean).sum(axis=-1, keepdims=True) / size.sum(axis=-1, keepdims=True)
        between = (size * (mean - grand) ** 2).sum(axis=-1)
        within = np.nansum((away - mean[..., cell]) ** 2, axis=-1)
        groups = (size > 0).sum(axis=-1) - 1
        left = size.sum(axis=-1) - groups - 1
        f = np.where(within > 0, between / groups / (within / left), np.nan)
        explained = 1 - (groups + left) / (groups * f + left)
    return special.fdtrc(groups, left, f), explained
