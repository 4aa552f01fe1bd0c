"""Times of a Session's columns in seconds, whatever their units: what leaves is in seconds."""

from __future__ import annotations

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.io.corrections import SECONDS


def seconds_each(column: xr.DataArray) -> float | None:
    """Return how long one unit of a column lasts (s); None where its units are not of time.

    Columns that do not say their units are in seconds.
    """
    units = str(column.attrs.get("units") or "unknown")
    return SECONDS.get(units) if units != "unknown" else 1.0


def column_seconds(column: xr.DataArray) -> np.ndarray:
    """Return the times of a column in seconds, by its ``units``.

    Parameters
    ----------
    column : xarray.DataArray (row,)
        Numbers; its name is used in messages.

    Returns
    -------
    numpy.ndarray (row,)
        float64.

    Raises
    ------
    TensorError
        If the units are not those of time.

    Examples
    --------
    >>> column_seconds(xr.DataArray([1250, 800], dims="trial", attrs={"units": "ms"})).tolist()
    [1.25, 0.8]
    """
    factor = seconds_each(column)
    if factor is None:
        message = (
            f"column {column.name!r} has units {column.attrs['units']!r}; expected those of time: "
            f"{', '.join(SECONDS)}."
        )
        raise TensorError(message)
    values = np.asarray(column.values, dtype=np.float64)
    # A division rounds once, and to the nearest number.
    return values / round(1.0 / factor) if factor < 1.0 else values * factor
