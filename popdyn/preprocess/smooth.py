"""How fast did activity change?  Gaussian smoothing in time that respects what was not observed."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from popdyn.errors import TensorError, warn
from popdyn.tensor.contract import bin_width_of, check
from popdyn.tensor.result import add_history

Values = NDArray[np.floating[Any]]

_TRUNCATE = 4.0  # standard deviations kept: the weight left out is 6e-5
_BLOCK = 64  # rows of the smoothing matrix multiplied at once


def smooth(tensor: xr.DataArray, sigma: float = 0.040, *, causal: bool = False) -> xr.DataArray:
    """Smooth every neuron and trial in time with a Gaussian.

    The weights of the samples that exist are scaled to sum to one, at the edges too, so that a
    constant stays constant.  Bins that were not observed (NaN) stay NaN, and cut the trial into
    segments smoothed apart: nothing bleeds across a gap.

    Parameters
    ----------
    tensor : DataArray (neuron, time, trial)
        Rates or spike counts; chunked (Dask) arrays stay chunked.
    sigma : float
        Standard deviation of the Gaussian in s; 0 returns the values as they are.
    causal : bool
        Use only the present and the past (the left half of the Gaussian): no activity appears
        before its cause, but everything comes later, by ``0.8 * sigma`` less a third of a bin
        on average (0.72 `sigma` where it is four bins, 0.52 where it is one).

    Returns
    -------
    DataArray (neuron, time, trial)
        Same name, units, columns and precision; integer counts become float32.

    Raises
    ------
    TensorError
        When `tensor` is not a tensor, or `sigma` is negative or not finite.

    Warns
    -----
    PopdynWarning
        When `sigma` is below half a bin, where smoothing changes next to nothing.

    Notes
    -----
    The Gaussian is sampled at the bin centers and cut at four standard deviations.  A default of
    40 ms lies in the customary range of 20 to 50 ms.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> counts = np.zeros((1, 9, 1), dtype="float32")
    >>> counts[0, 4, 0] = 1
    >>> tensor = pdn.make_tensor(counts, 0.02 * np.arange(9), name="spike_count", units="1")
    >>> print(pdn.smooth(tensor, 0.02).values[0, 3:6, 0].round(2))
    [0.24 0.4  0.24]
    """
    tensor = check(tensor, chunked=True)
    sigma_bins = _sigma_in_bins(tensor, sigma)
    if tensor.chunks is not None:
        tensor = tensor.chunk({"time": -1})
    result: xr.DataArray = xr.apply_ufunc(
        smooth_values,
        tensor,
        kwargs={"sigma": sigma_bins, "causal": causal},
        dask="parallelized",
        keep_attrs=True,
        output_dtypes=[tensor.dtype],
    )
    result.attrs = add_history(tensor.attrs, "smooth", sigma=float(sigma), causal=causal)
    return result.rename(tensor.name)


def smooth_values(values: Values, sigma: float, causal: bool = False) -> Values:
    """Smooth an array along its middle axis; `sigma` counts bins, NaN as in `smooth`.

    Parameters
    ----------
    values : ndarray (neuron, time, trial)
        Floating-point values, NaN where not observed; time in regular bins.
    sigma : float
        Standard deviation in bins.
    causal : bool
        Use only the present and the past.

    Returns
    -------
    ndarray (neuron, time, trial)
        New array of the same precision; sums are made in double precision.

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.preprocess.smooth import smooth_values
    >>> gap = np.array([2.0, np.nan, 4.0]).reshape(1, 3, 1)
    >>> smooth_values(gap, 1.0).ravel().tolist()
    [2.0, nan, 4.0]
    """
    if sigma == 0:
        return values.copy()
    weights = _weights(sigma, values.shape[1], causal)
    smoothed = np.empty_like(values)
    # Products this small are slower on several threads, much so on a busy machine.
    with threadpool_limits(limits=1, user_api="blas"):
        for neuron, lines in enumerate(values):
            smoothed[neuron] = _smooth_lines(lines.astype(np.float64), weights)
    return smoothed


def _sigma_in_bins(tensor: xr.DataArray, sigma: float) -> float:
    """Convert seconds to bins, refusing nonsense and saying when smoothing does nothing."""
    bin_width = bin_width_of(tensor)
    if not isinstance(sigma, (int, float, np.number)) or not np.isfinite(sigma) or sigma < 0:
        message = f"sigma is a time in s, 0 or more; found {sigma!r}"
        raise TensorError(message)
    if 0 < sigma < bin_width / 2:
        message = (
            f"sigma = {sigma:g} s is below half a bin ({bin_width:g} s), so smoothing changes next "
            f"to nothing; is sigma in s? Use a larger sigma or narrower bins"
        )
        warn(message)
    if sigma > bin_width * tensor.sizes["time"]:
        warn(
            f"sigma = {sigma:g} s is longer than the whole window "
            f"({bin_width * tensor.sizes['time']:g} s): every trial becomes flat; is sigma in s?"
        )
    return float(sigma) / bin_width


def _weights(sigma: float, n_bins: int, causal: bool) -> NDArray[np.float64]:
    """Weight of the sample `lag` bins away, for lags -radius .. radius."""
    radius = min(int(np.ceil(_TRUNCATE * sigma)), n_bins - 1)
    lag = np.arange(-radius, radius + 1)
    weights: NDArray[np.float64] = np.exp(-0.5 * (lag / sigma) ** 2)
    if causal:
        weights[lag > 0] = 0.0
    return weights


def _smooth_lines(lines: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth (time, trial) values of one neuron, each trial within its observed segments."""
    observed = np.isfinite(lines)
    if observed.all():
        return _convolve(lines, weights) / _convolve(np.ones((len(lines), 1)), weights)
    lines[~observed] = 0.0
    starts = np.diff(observed.astype(np.int8), axis=0, prepend=0) == 1
    segment = np.cumsum(starts, axis=0)
    n_segments = segment[-1]
    smoothed = np.full_like(lines, np.nan)
    for number in range(1, int(n_segments.max()) + 1):
        trials = n_segments >= number
        inside = observed[:, trials] & (segment[:, trials] == number)
        mask = inside.astype(np.float64)
        sums, total = _convolve(lines[:, trials] * mask, weights), _convolve(mask, weights)
        ratio = np.divide(sums, total, out=sums, where=inside)
        smoothed[:, trials] = np.where(inside, ratio, smoothed[:, trials])
    return smoothed


def _convolve(lines: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted sums over neighbors in time, by blocks of the banded smoothing matrix."""
    # Matrix products beat one-dimensional filters here: trials are contiguous, times are not.
    n_bins, radius = len(lines), len(weights) // 2
    sums = np.empty_like(lines)
    for start in range(0, n_bins, _BLOCK):
        stop = min(start + _BLOCK, n_bins)
        first, last = max(start - radius, 0), min(stop + radius, n_bins)
        lag = np.arange(first, last) - np.arange(start, stop)[:, np.newaxis]
        inside = np.abs(lag) <= radius
        band = np.where(inside, weights[np.clip(lag, -radius, radius) + radius], 0.0)
        sums[start:stop] = band @ lines[first:last]
    return sums
