"""Means over bins of what comes in blocks of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class BinMeans:
    """Mean over each bin of the straight lines between the values at its steps.

    Parameters
    ----------
    steps_per_bin : int
        The first bin begins with the first value.
    """

    def __init__(self, steps_per_bin: int) -> None:
        self.steps_per_bin = steps_per_bin
        self._n_steps = 0  # of the bin that is not full
        self._total: Any = 0.0

    def add(self, values: Array) -> Array:
        """Go on by some steps and return the means of the bins they fill.

        Parameters
        ----------
        values : ndarray, shape (step + 1, ...)
            The first are those before the steps, the last of the call before.

        Returns
        -------
        ndarray, shape (bin, ...)
            A new array.
        """
        every = self.steps_per_bin
        n_first = min(-self._n_steps % every, len(values) - 1)
        means = [self._add_part(values[: n_first + 1])]
        n_whole = (len(values) - 1 - n_first) // every * every
        rest = values[n_first:]
        if n_whole:
            means.append(_means(rest[: n_whole + 1], every))
        self._add_part(rest[n_whole:])
        found = [part for part in means if part is not None]
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.empty((0, *values.shape[1:]), values.dtype)

    def _add_part(self, values: Array) -> Array | None:
        """Add the steps of a part of a bin; return its mean if it is full."""
        if len(values) < 2:
            return None
        part = np.add.reduce(values[1:-1], axis=0) + (values[0] + values[-1]) / 2
        self._total = part if self._n_steps == 0 else self._total + part
        self._n_steps = (self._n_steps + len(values) - 1) % self.steps_per_bin
        full: Array | None = (self._total / self.steps_per_bin)[None]
        return full if self._n_steps == 0 else None


def _means(values: Array, every: int) -> Array:
    """Return the means over whole bins."""
    if every == 1:
        means: Array = values[:-1] + values[1:]
        means *= 0.5
        return means
    means = values[:-1].reshape(-1, every, *values.shape[1:]).sum(axis=1)
    means += (values[every::every] - values[:-1:every]) / 2
    means /= every
    return means
