"""How far mean trajectories of the same trials lie apart, with and without a part of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Trajectories:
    """Rates of the control, to which those of the same trials are compared.

    Parameters
    ----------
    rate : DataArray (neuron, time, trial)
        Of the control.
    index : ndarray of int, shape (trial,)
        Condition of each trial, -1 for none.
    n_conditions : int
        Number of conditions.
    weights : ndarray, shape (draw, trial)
        How often each trial is in a draw; the first draw holds each once.
    """

    def __init__(
        self, rate: xr.DataArray, index: NDArray[np.intp], n_conditions: int, weights: Array
    ) -> None:
        self.rate = _values(rate)
        self.position = [np.flatnonzero(index == i) for i in range(n_conditions)]
        self.weights = weights
        means = [_mean_of_known(self.rate[:, :, own]) for own in self.position]
        self.mean = np.stack(means, axis=1)

    def moved(self, rate: xr.DataArray, left: NDArray[np.bool_]) -> tuple[Array, Array, float]:
        """Compare with the control, in the neurons that were left alone.

        Parameters
        ----------
        rate : DataArray (neuron, time, trial)
            Of the same trials.
        left : ndarray of bool, shape (neuron,)
            Which neurons count.

        Returns
        -------
        distance : ndarray, shape (condition, time)
            Root mean square over neurons of the change of the mean rate.
        mean : ndarray, shape (draw, condition)
            Its mean over time; in each draw without what noise adds to it.
        modulation : float
            Standard deviation of mean rates of the control, over conditions and time.
        """
        change = _values(rate)[left] - self.rate[left]
        every = [self._distances(change[:, :, own], self.weights[:, own]) for own in self.position]
        distance = np.stack([each[0] for each in every])
        mean = np.stack([_mean_of_known(each) for each in every], axis=-1)
        about = self.mean[left]
        center = np.nanmean(about, axis=(1, 2), keepdims=True)
        return distance, mean, float(np.sqrt(np.nanmean((about - center) ** 2)))

    @staticmethod
    def _distances(change: Array, weights: Array) -> Array:
        """Return distances ``(draw, time)`` of changes ``(neuron, time, trial)``.

        Noise makes the square of a mean larger by its variance, and that of a drawn mean by twice
        as much: draws, all but the first, are without it.
        """
        found = np.full((len(weights), change.shape[1]), np.nan)
        for step in range(change.shape[1]):
            own = change[:, step]
            known = np.isfinite(own[0])
            if known.any():
                # Inner products of trials hold all that means of their changes depend on.
                products = own[:, known].T @ own[:, known] / len(own)
                drawn = weights[:, known]
                n = drawn.sum(axis=1)
                square = np.maximum(((drawn @ products) * drawn).sum(axis=1), 0.0)
                np.divide(square, n**2, out=found[:, step], where=n > 0)
                noise = (np.trace(products) / n[0] - found[0, step]) / max(n[0] - 1, 1)
                found[1:, step] -= 2 * noise
                found[:, step] = np.sqrt(np.maximum(found[:, step], 0.0))
        return found


def _values(rate: xr.DataArray) -> Any:
    return rate.transpose("neuron", "time", "trial").to_numpy()


def _mean_of_known(values: Array) -> Array:
    """Return means over the last axis, NaN where there is nothing."""
    known = np.isfinite(values)
    n = known.sum(axis=-1)
    mean: Array = np.full(n.shape, np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=-1), n, out=mean, where=n > 0)
    return mean
