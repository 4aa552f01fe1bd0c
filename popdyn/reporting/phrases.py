"""Phrases that sentences about methods share: the window, the conditions, the preparation."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from popdyn.reporting.provenance import history, parameters
from popdyn.reporting.wording import listed

_PREPARATION = {
    "smooth": "smoothed with a Gaussian{sigma}{causal}",
    "rate": "converted to rates",
    "soft_normalize": "soft-normalized (each neuron divided by the range over {averages}"
    "{constant})",
    "average_bins": "averaged over the steps of each bin",
    "pseudopopulation": "pooled as a pseudo-population",
}
_ALL_TRIALS = "time of its average over all trials"
_EACH_CONDITION = "time and conditions of its condition averages"


def grouping(result: xr.Dataset) -> str:
    """Name the columns that define the conditions of a result.

    Parameters
    ----------
    result
        A result whose attrs or parameters hold ``by``.

    Returns
    -------
    str
        Column names in words, empty when unknown.

    Examples
    --------
    >>> grouping(xr.Dataset(attrs={"by": '["choice", "context"]'}))
    'choice and context'
    """
    by = result.attrs.get("by", parameters(result).get("by"))
    if isinstance(by, str) and by.startswith("["):
        by = json.loads(by)
    if isinstance(by, (list, tuple)):
        return listed([str(name) for name in by])
    return str(by) if by else ""


def setting(result: xr.Dataset) -> str:
    r"""Say what the time axis of a result is: window, event and bin width.

    Parameters
    ----------
    result
        A result with the coord ``time`` (s).

    Returns
    -------
    str
        A phrase without a full stop, empty when there is no time axis.

    Examples
    --------
    >>> result = xr.Dataset(coords={"time": [0.05, 0.15]}, attrs={"align": "cue_time"})
    >>> setting(result).replace("\xa0", " ")
    'from 0 to 0.2 s around cue_time in bins of 100 ms'
    """
    window = _window(result)
    if window is None:
        return ""
    align = str(result.attrs.get("align", ""))
    named = f"“{align}”" if " " in align else align
    around = f" around {named}" if align else ""
    start, stop, width = window
    bins = f" in bins of {short(width * 1000)}\u00a0ms" if width else ""
    return f"from {short(start)} to {short(stop)}\u00a0s{around}{bins}"


def _window(result: xr.Dataset) -> tuple[float, float, float] | None:
    """Find start, stop and bin width (s) of a result."""
    attrs = result.attrs
    if "window_start" in attrs:
        return float(attrs["window_start"]), float(attrs["window_stop"]), 0.0
    name = "time" if "time" in result.dims else "test_time"
    if name not in result.coords or result.sizes[name] < 2:
        return None
    time = result[name].values
    width = float(attrs.get("bin_width", np.mean(np.diff(time))))
    return float(time[0]) - width / 2, float(time[-1]) + width / 2, width


def short(value: float) -> str:
    """Write a parameter as short as it was given."""
    return f"{round(value, 9):g}".replace("-", "−")


def prepared(result: xr.Dataset) -> str:
    """Say what was done to the array before the analysis."""
    done = []
    for step, values in history(result):
        if step in _PREPARATION:
            sigma, offset, by = values.get("sigma"), values.get("offset"), values.get("by")
            words = {
                "sigma": f" of {short(float(sigma) * 1000)}\u00a0ms" if sigma else "",
                "causal": " (causal)" if values.get("causal") else "",
                "averages": _ALL_TRIALS if "by" in values and not by else _EACH_CONDITION,
                "constant": f" plus {_offset(float(offset), result)}" if offset else "",
            }
            done.append(_PREPARATION[step].format(**words))
    return f"Activity was first {listed(done)}." if done else ""


def _offset(offset: float, result: xr.Dataset) -> str:
    """Write the constant of a soft normalization; in Hz where the range was one of rates in Hz."""
    steps = [step for step, _ in history(result)]
    counted_in_hz = "rate" in steps[: steps.index("soft_normalize")]
    return f"{offset:.3g}\u00a0Hz" if counted_in_hz else f"{offset:.3g}"


def draws(result: xr.Dataset, name: str) -> str:
    """Count draws: the length of the dim of that name, else of ``draw``, else the parameter."""
    given = result.sizes.get("draw", parameters(result).get("n_draws", "?"))
    return str(result.sizes.get(name, given))


def regularizations(result: xr.Dataset) -> str:
    """Write the regularization of each marginalization, once where they share it.

    Examples
    --------
    >>> regularizations(xr.Dataset({"regularization": ("marginalization", [0.06492, 0.06492])}))
    '0.0649'
    """
    found = [short(float(f"{value:.3g}")) for value in result["regularization"].values]
    return ", ".join(dict.fromkeys(found))
