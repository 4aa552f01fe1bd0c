"""Samples and events of other packages as behavior series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from popdyn.errors import TensorError, warn
from popdyn.tensor.behavior import Series


def as_series(
    name: str,
    times: Any,
    values: Any = None,
    *,
    kind: str = "series",
    channels: Sequence[Any] | None = None,
    units: str = "unknown",
    description: str = "",
    path: str = "",
    period: float = 0.0,
) -> Series:
    """Make a behavior series of samples in any order.

    Parameters
    ----------
    name : str
    times : array_like (sample,)
        Seconds on the session's clock; samples without a time are left out.
    values : array_like (sample,) or (sample, channel), optional
        By default 1 for every event.
    kind, channels, units, description, path, period
        As `popdyn.tensor.behavior.Series` has them.

    Returns
    -------
    Series

    Raises
    ------
    TensorError
        If sizes do not fit, or values are no numbers.

    Warns
    -----
    PopdynWarning
        When samples without a time are left out.

    Examples
    --------
    >>> as_series("licks", [0.5, 0.2], kind="events").time.tolist()
    [0.2, 0.5]
    """
    time = np.asarray(times, dtype=np.float64).ravel()
    array = np.ones(time.size) if values is None else _numbers(name, values)
    if array.ndim not in (1, 2) or array.shape[0] != time.size:
        message = (
            f"behavior {name!r} has {time.size} times and values of shape {array.shape}; expected "
            "one value, or one row of channels, per time."
        )
        raise TensorError(message)
    timed = np.isfinite(time)
    if not timed.all():
        warn(f"{int((~timed).sum())} of {time.size} samples of {name!r} have no time: left out.")
    order = np.flatnonzero(timed)[np.argsort(time[timed], kind="stable")]
    labels = () if channels is None or array.ndim == 1 else tuple(str(c) for c in channels)
    return Series(
        name.replace("/", "_"), time[order], array[order],
        kind=kind, units=units, description=description, path=path, channels=labels, period=period,
    )  # fmt: skip


def _numbers(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values).astype(np.float64)
    except (TypeError, ValueError) as error:
        message = f"the values of behavior {name!r} are no numbers: {values!r:.60}."
        raise TensorError(message) from error
