"""Texts and colors of pictures of true and perceived stimuli, whose unit may not have been told."""

from __future__ import annotations

import xarray as xr

from popdyn.plot.style import axis_label, plain

TRUE_COLOR = "#0072B2"
ESTIMATE_COLOR = "#D55E00"


def known_label(quantity: str, units: str) -> str:
    """Text of an axis whose unit may not have been told: the unit only if it was.

    Parameters
    ----------
    quantity : str
        What is drawn.
    units : str
        Unit; ``""`` is not known.

    Returns
    -------
    str
        Label, safe for Matplotlib.

    Examples
    --------
    >>> known_label("stimulus", "s"), known_label("stimulus", "")
    ('stimulus (s)', 'stimulus')
    """
    return axis_label(quantity, units) if units else plain(quantity.replace("_", " "))


def known_unit(variable: xr.DataArray) -> str:
    """Return the unit of a variable as it is written by hand; "" where it is not known."""
    units = str(variable.attrs.get("units", "")).replace("*sqrt(neurons)", " √neurons")
    return "" if units == "unknown" else units


def error_entry(result: xr.Dataset, name: str) -> str:
    """Write the entry of a legend: a hypothesis and its raw error, intervals in ms.

    Examples
    --------
    >>> result = xr.Dataset({"rmse_true": ((), 0.0123, {"units": "s"})})
    >>> error_entry(result, "true")
    'true: RMSE 12.3 ms'
    """
    factor, units = error_scale(result)
    return plain(f"{name}: RMSE {factor * float(result[f'rmse_{name}']):.3g} {units}".rstrip())


def error_scale(result: xr.Dataset) -> tuple[float, str]:
    """Return factor and unit in which raw errors are written: those of intervals in ms."""
    units = known_unit(result["rmse_true"])
    return (1000.0, "ms") if units == "s" else (1.0, units)
