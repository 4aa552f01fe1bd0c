"""Trials of each condition as plain arrays, and how far their average could have been off.

Averages are resampled through the *influence* of each trial: what the trial adds to the error
of its neuron's average.  With complete data this is the ordinary bootstrap of trials; a trial in
which a neuron was not recorded has no influence on that neuron.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError, warn
from popdyn.preprocess.normalize import rate
from popdyn.preprocess.smooth import smooth
from popdyn.tensor.contract import check
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConditionTrials:
    """The trials of each condition of a tensor.

    Attributes
    ----------
    tensor : DataArray (neuron, time, trial)
        Smoothed, in Hz if it held spike counts.
    position : tuple of ndarray of int
        Per condition the positions of its trials.
    labels : tuple of str
        Condition labels.
    table : DataFrame
        Values of the ``by`` columns per condition.
    """

    tensor: xr.DataArray
    position: tuple[NDArray[np.intp], ...]
    labels: tuple[str, ...]
    table: pd.DataFrame

    @property
    def n_trials(self) -> NDArray[np.int64]:
        """Number of trials per condition."""
        return np.array([len(position) for position in self.position], dtype=np.int64)

    def values(self, condition: int) -> Array:
        """Trials of one condition as an array (trial, neuron, time)."""
        chosen = self.tensor.values[:, :, self.position[condition]]
        return np.ascontiguousarray(np.moveaxis(chosen, 2, 0), dtype=np.float64)

    def coords(self) -> dict[str, Any]:
        """Coordinates of a result with a condition dimension."""
        coords: dict[str, Any] = {"condition": np.array(self.labels, dtype=np.str_)}
        for name in set(self.table.columns) - {"condition", "neuron", "time"}:
            values = self.table[name].to_numpy()
            values = values.astype(np.str_) if values.dtype.kind not in "biuf" else values
            coords[str(name)] = ("condition", values, dict(self.tensor.coords[name].attrs))
        return coords


def is_average(x: Any) -> bool:
    """Whether this is a condition average rather than trials."""
    return isinstance(x, (xr.Dataset, xr.DataArray)) and "condition" in x.dims


def condition_trials(
    x: xr.DataArray, by: str | Sequence[str] | None, sigma: float | None = None
) -> ConditionTrials:
    """Check a tensor, smooth it, turn counts into rates and group its trials.

    Parameters
    ----------
    x : DataArray (neuron, time, trial)
        Tensor.
    by : str or list of str
        Columns that define the conditions.
    sigma : float, optional
        Standard deviation (s) of the Gaussian the trials are smoothed with.

    Returns
    -------
    ConditionTrials
        Trials whose condition is missing are in none.

    Raises
    ------
    TensorError
        If ``by`` is missing or no trial has a condition.

    Warns
    -----
    PopdynWarning
        When trials have no condition.
    """
    tensor = check(x)
    if by is None:
        message = (
            "expected by=, the trial column (or columns) that define the conditions, because x "
            "holds trials; or pass a condition average"
        )
        raise TensorError(message)
    if tensor.name == "spike_count":
        tensor = rate(tensor)
    if sigma:
        tensor = smooth(tensor, sigma=sigma)
    groups = group_conditions(tensor, [by] if isinstance(by, str) else list(by))
    index = np.asarray(groups.index)
    warn_unlabelled(index, by)
    position = tuple(np.flatnonzero(index == i) for i in range(len(groups.labels)))
    if not position:
        message = f"no trial has a value of {by!r}: there is no condition to average"
        raise TensorError(message)
    return ConditionTrials(tensor, position, tuple(map(str, groups.labels)), groups.table)


def warn_unlabelled(index: NDArray[np.intp], by: str | Sequence[str], of: str = "") -> None:
    """Say how many trials have no value.

    Parameters
    ----------
    index : ndarray of int, shape (trial,)
        Condition of each trial, -1 for none.
    by : str or sequence of str
        The columns.
    of : str
        What the trials belong to, where there is more than one thing.
    """
    n_left_out = int((index < 0).sum())
    if not n_left_out:
        return
    names = by if isinstance(by, str) else ", ".join(map(str, by))
    message = f"{of}{n_left_out} of {index.size} trials have no value in {names!r} and are left out"
    warn(message)


@dataclass(frozen=True, eq=False)
class TrialAverage:
    """The average of one condition, and each trial's share of its error.

    Attributes
    ----------
    mean : ndarray, shape (feature, time)
        NaN without a trial.
    influence : ndarray, shape (trial, feature, time)
        ``(x - mean) / sqrt(n (n - 1))``: sums to 0 over trials, its squares sum to the squared
        standard error of the mean; 0 where a trial was not observed, NaN with fewer than two.
    n : ndarray of int, shape (feature, time)
        Number of trials.
    """

    mean: Array
    influence: Array
    n: NDArray[np.int64]

    def standard_error_squared(self) -> Array:
        """Squared standard errors of the mean, (feature, time)."""
        squared: Array = np.einsum("nft,nft->ft", self.influence, self.influence)
        return squared

    def project(self, axes: Array) -> TrialAverage:
        """Project on axes (feature, component): components take the place of features."""
        n = np.tile(self.n.max(axis=0), (axes.shape[1], 1))
        influence = np.einsum("fk,nft->nkt", axes, self.influence)
        return TrialAverage(axes.T @ self.mean, influence, n)


def mean_trial(values: Array) -> Array:
    """Average trials (trial, feature, time), leaving out what was not observed.

    Returns
    -------
    ndarray, shape (feature, time)
        The mean of `average_trials`, which costs more; NaN without a trial.
    """
    mean: Array = values.mean(axis=0) if len(values) else np.full(values.shape[1:], np.nan)
    if np.isfinite(mean.sum()):
        return mean
    known = np.isfinite(values)
    n = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0))


def average_trials(values: Array) -> TrialAverage:
    """Average trials, leaving out what was not observed.

    Parameters
    ----------
    values : ndarray, shape (trial, feature, time)
        NaN where not observed.

    Returns
    -------
    TrialAverage
        Mean, influence and number of trials.
    """
    known = np.isfinite(values)
    n = known.sum(axis=0)
    mean = mean_trial(values)
    scale = np.full(n.shape, np.nan)
    enough = n > 1
    scale[enough] = 1.0 / np.sqrt(n[enough] * (n[enough] - 1.0))
    influence = np.where(known, values - mean, 0.0) * scale
    return TrialAverage(mean, influence, n)


def same_mask(known: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Group the columns of a mask that are known on the same trials.

    Parameters
    ----------
    known : ndarray of bool, shape (trial, column)
        Which entries were observed.

    Yields
    ------
    pattern : ndarray of bool, shape (trial,)
        Trials on which these columns are known.
    columns : ndarray of int
        The columns.
    """
    if known.all():
        yield np.ones(len(known), dtype=bool), np.arange(known.shape[1])
        return
    packed = np.ascontiguousarray(np.packbits(known, axis=0).T)
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, member = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(member, kind="stable")
    for chosen in np.split(order, np.cumsum(np.bincount(member))[:-1]):
        yield known[:, chosen[0]], chosen


def principal_axes(matrix: Array, n_components: int | None = None) -> tuple[Array, Array]:
    """Principal axes of a centered matrix and the sum of squares along each.

    Parameters
    ----------
    matrix : ndarray, shape (feature, sample)
        Features with mean 0.
    n_components : int, optional
        How many; all by default.

    Returns
    -------
    axes : ndarray, shape (feature, component)
        Orthonormal; the largest entry of each by size is positive.
    power : ndarray, shape (component,)
        Sums of squares along the axes, falling.

    Raises
    ------
    FitError
        If there are fewer features or samples than components.
    """
    n_most = min(matrix.shape)
    wanted = n_most if n_components is None else n_components
    if wanted > n_most:
        message = (
            f"{wanted} components were asked for, but {matrix.shape[0]} neurons and "
            f"{matrix.shape[1]} samples (time x condition) have at most {n_most}: ask for fewer"
        )
        raise FitError(message)
    # Squaring loses half of the digits, so the eigenvalues of the covariance are only taken
    # where the singular values would cost much more.
    if matrix.shape[1] > 10 * matrix.shape[0]:
        values, vectors = np.linalg.eigh(matrix @ matrix.T)
        axes, power = vectors[:, ::-1], np.maximum(values[::-1], 0.0)
    else:
        axes, singular, _ = np.linalg.svd(matrix, full_matrices=False)
        power = singular**2
    return fixed_signs(axes[:, :wanted]), power[:wanted]


def fixed_signs(axes: Array) -> Array:
    """Turn each axis so that its entry largest by size is positive.

    Parameters
    ----------
    axes : ndarray, shape (feature, component)
        Axes.

    Returns
    -------
    ndarray
        The same axes, some of them turned.
    """
    # Entries equal up to rounding must not decide by chance: the first of them does.
    size = np.abs(axes)
    largest = (size >= size.max(axis=0) * (1.0 - 1e-9)).argmax(axis=0)
    sign = np.sign(axes[largest, np.arange(axes.shape[1])])
    turned: Array = axes * np.where(sign == 0, 1.0, sign)
    return turned
