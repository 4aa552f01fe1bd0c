"""From regression coefficients to one axis per regressor: denoise, choose a time, orthogonalize.

The steps of Mante, Sussillo, Shenoy and Newsome (2013, Nature 503:78).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError

Array = NDArray[np.float64]
Windows = Mapping[str, tuple[float, float]]


def denoised(coefficient: Array, components: Array | None, numbers: NDArray[np.intp]) -> Array:
    """Keep what of the coefficients lies in the space of the first components.

    Parameters
    ----------
    coefficient : ndarray, shape (regressor, neuron, time)
        From the regression; NaN in bins without one.
    components : ndarray, shape (neuron, component), or None
        Orthonormal; None keeps everything.
    numbers : ndarray of int, shape (regressor,)
        How many components for each regressor; 0 keeps everything.

    Returns
    -------
    ndarray, shape (regressor, neuron, time)
    """
    inside = coefficient.copy()
    if components is None:
        return inside
    for own, number in zip(inside, numbers, strict=True):
        if number:
            axes = components[:, :number]
            own[:] = axes @ (axes.T @ own)
    return inside


def known_bins(coefficient: Array) -> NDArray[np.bool_]:
    """Find the bins with coefficients of every neuron.

    Parameters
    ----------
    coefficient : ndarray, shape (regressor, neuron, time)
        NaN in bins without one.

    Returns
    -------
    ndarray of bool, shape (time,)
    """
    return np.asarray(np.isfinite(coefficient).all(axis=(0, 1)))


def axis_names(names: Sequence[str], axes: Sequence[str] | None) -> list[str]:
    """Choose the regressors that get an axis, in their order.

    Parameters
    ----------
    names : sequence of str
        Of all regressors, without the intercept.
    axes : sequence of str, str or None
        Those wanted; None for all but interactions.

    Returns
    -------
    list of str

    Raises
    ------
    TensorError
        If one is unknown or named twice.
    """
    if axes is None:
        wanted = [name for name in names if ":" not in name]
    else:
        # A single name stands for itself, not for its letters.
        wanted = [axes] if isinstance(axes, str) else list(axes)
    if not wanted or not set(wanted) <= set(names) or len(set(wanted)) < len(wanted):
        message = (
            f"axes must name regressors among {', '.join(names)}, each once; found "
            f"{', '.join(map(str, wanted)) or 'none'}"
        )
        raise TensorError(message)
    return wanted


def chosen_bins(
    coefficient: Array, names: Sequence[str], time: Array, at: str | Windows
) -> list[NDArray[np.intp]]:
    """Choose the bins whose coefficients make each axis.

    Parameters
    ----------
    coefficient : ndarray, shape (regressor, neuron, time)
        Denoised.
    names : sequence of str
        Of the regressors.
    time : ndarray, shape (time,)
        Bin centers (s).
    at : "max_norm" or mapping of str to (float, float)
        The one bin where the norm over neurons is largest, or the bins of a window (s).

    Returns
    -------
    list of ndarray of int
        Positions of bins, one array per regressor.

    Raises
    ------
    TensorError
        If a window holds no bin with coefficients, or names no regressor.
    """
    known = known_bins(coefficient)
    power = np.where(known, (np.where(known, coefficient, 0.0) ** 2).sum(axis=1), -1.0)
    bins = []
    for name, own, inside in zip(names, power, windows_of(at, names, time), strict=True):
        if inside is None:
            bins.append(np.array([own.argmax()]))
            continue
        inside = inside[known[inside]]
        if not inside.size:
            message = (
                f"at: the window of {name!r} holds no bin with coefficients of every neuron; "
                f"such bins reach from {time[known][0]:g} to {time[known][-1]:g} s"
            )
            raise TensorError(message)
        bins.append(inside)
    return bins


def windows_of(
    at: str | Windows, names: Sequence[str], time: Array
) -> list[NDArray[np.intp] | None]:
    """Find the bins of each regressor's window.

    Parameters
    ----------
    at : "max_norm" or mapping of str to (float, float)
        Windows (s), from the first edge up to the second.
    names : sequence of str
        Of the regressors.
    time : ndarray, shape (time,)
        Bin centers (s).

    Returns
    -------
    list of (ndarray of int or None)
        None for a regressor without a window.

    Raises
    ------
    TensorError
        If a window holds no bin, or names no regressor.
    """
    windows = at if isinstance(at, Mapping) else {}
    unknown = [name for name in windows if name not in names]
    if unknown or (windows is not at and at != "max_norm"):
        example = f"{{{names[0]!r}: (0.2, 0.4)}}"
        message = (
            f"at must be 'max_norm' or windows (s) of regressors ({', '.join(names)}), such as "
            f"{example}; found {unknown[0] if unknown else at!r}"
        )
        raise TensorError(message)
    bins: list[NDArray[np.intp] | None] = []
    for name in names:
        if name not in windows:
            bins.append(None)
            continue
        start, stop = _edges(name, windows[name])
        inside = np.flatnonzero((time >= start) & (time < stop))
        if not inside.size:
            message = (
                f"at: the window {start:g} to {stop:g} s of {name!r} holds no bin; bins reach "
                f"from {time[0]:g} to {time[-1]:g} s"
            )
            raise TensorError(message)
        bins.append(inside)
    return bins


def _edges(name: str, window: Any) -> tuple[float, float]:
    """Take a window apart, or say what it should be."""
    try:
        start, stop = (float(edge) for edge in window)
    except (TypeError, ValueError):
        message = f"at: the window of {name!r} must be (start, stop) in s, found {window!r}"
        raise TensorError(message) from None
    return start, stop


def raw_axes(coefficient: Array, bins: Sequence[NDArray[np.intp]]) -> Array:
    """Average the coefficients of each regressor over its bins, and bring them to length 1.

    Parameters
    ----------
    coefficient : ndarray, shape (regressor, neuron, time)
        Denoised.
    bins : sequence of ndarray of int
        From `chosen_bins`.

    Returns
    -------
    ndarray, shape (regressor, neuron)
    """
    axes = np.stack([own[:, at].mean(axis=1) for own, at in zip(coefficient, bins, strict=True)])
    length = np.linalg.norm(axes, axis=1, keepdims=True)
    unit: Array = np.divide(axes, length, out=np.zeros_like(axes), where=length > 0)
    return unit


def orthogonalized(axes: Array, names: Sequence[str]) -> Array:
    """Take off each axis what it shares with those before it.

    Parameters
    ----------
    axes : ndarray, shape (regressor, neuron)
        From `raw_axes`, in the order in which they keep their directions.
    names : sequence of str
        Of the regressors, for the message.

    Returns
    -------
    ndarray, shape (regressor, neuron)
        Orthonormal; each points along its raw axis.

    Raises
    ------
    FitError
        If an axis lies within the span of those before it.

    Examples
    --------
    >>> orthogonalized(np.array([[1.0, 0.0], [0.6, 0.8]]), ["choice", "motion"]).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    basis, triangle = np.linalg.qr(axes.T)
    own = np.abs(np.diag(triangle))
    if own.size < len(axes) or (own < 1e-8).any():
        lost = names[len(own)] if own.size < len(axes) else names[int(own.argmin())]
        message = (
            f"the axis of {lost!r} lies within those before it ({len(axes)} axes of "
            f"{axes.shape[1]} neurons): leave a regressor out, keep more components, or take more "
            "neurons"
        )
        raise FitError(message)
    oriented: Array = (basis * np.sign(np.diag(triangle))).T + 0.0
    return oriented


def angle_cosines(axes: Array) -> Array:
    """Cosines between all pairs of axes of length 1, (regressor, regressor)."""
    cosines: Array = np.clip(axes @ axes.T, -1.0, 1.0)
    return cosines


def random_cosines(
    samples: Array, bins: NDArray[np.intp], n_draws: int, rng: np.random.Generator
) -> Array:
    """Draw cosines between independent axes that vary as the activity does.

    Parameters
    ----------
    samples : ndarray, shape (neuron, sample)
        Averages: axes of an isotropic null would look too orthogonal.
    bins : ndarray of int, shape (sample,)
        Time bin of each sample.
    n_draws : int
        Number of pairs.
    rng : Generator
        To draw from.

    Returns
    -------
    ndarray, shape (draw,)
        NaN where a half has a single sample.

    Notes
    -----
    Each axis is a random contrast of samples of its own half of the window (a run of bins that
    starts anywhere and goes on at the beginning).  Two axes of the same few samples would share
    their span, and look closer than those of the population these were taken from.
    """
    order = np.unique(bins, return_inverse=True)[1].ravel()
    n_bins = int(order.max(initial=-1)) + 1
    if n_bins < 2:
        return np.full(n_draws, np.nan)
    start = rng.integers(n_bins, size=(n_draws, 1))
    length = n_bins // 2 + rng.integers(1 + n_bins % 2, size=(n_draws, 1))
    inside = (order - start) % n_bins < length
    first, second = (
        _contrasts(rng.standard_normal(half.shape), half) @ samples.T for half in (inside, ~inside)
    )
    size = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    product = np.einsum("dn,dn->d", first, second)
    cosines: Array = np.divide(product, size, out=np.full(n_draws, np.nan), where=size > 0)
    return cosines


def _contrasts(weights: Array, inside: NDArray[np.bool_]) -> Array:
    """Weights (draw, sample) that are 0 outside and sum to 0 inside: halves share no mean."""
    kept = weights * inside
    return np.asarray(kept - inside * (kept.sum(axis=1) / inside.sum(axis=1))[:, None])


def window_of(bins: NDArray[np.intp], time: Array, width: float) -> tuple[Any, Any]:
    """Give the edges (s) of the bins an axis was made of."""
    return time[bins[0]] - width / 2, time[bins[-1]] + width / 2
