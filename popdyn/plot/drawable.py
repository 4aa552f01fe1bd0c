"""Refuse to draw what is not a result of the right kind."""

from __future__ import annotations

from typing import Any

import xarray as xr

from popdyn.errors import TensorError


def drawable(result: Any, plot: str, *variables: str) -> xr.Dataset:
    """Return the result as a Dataset, if it is one that a plot can draw.

    Parameters
    ----------
    result : Dataset, or an object with ``to_dataset`` (a fitted estimator, a node of a tree)
    plot : str
        Name of the plot, for the message.
    *variables : str
        What it draws.

    Returns
    -------
    Dataset

    Raises
    ------
    TensorError
        If a variable is missing: it is another kind of result.
    """
    if not isinstance(result, xr.Dataset) and hasattr(result, "to_dataset"):
        result = result.to_dataset()
    known = result if isinstance(result, xr.Dataset) else xr.Dataset()
    lacking = [name for name in variables if name not in known]
    if lacking:
        found = type(result).__name__
        if isinstance(result, xr.Dataset):
            found = f"a result of method {result.attrs.get('method', 'unknown')!r}"
        message = (
            f"plot.{plot} draws {' and '.join(variables)}, found {found} without "
            f"{' and '.join(lacking)}. pdn.show(result) chooses the plot by the result."
        )
        raise TensorError(message)
    return known
