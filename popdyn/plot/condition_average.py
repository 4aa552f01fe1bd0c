"""Picture of a condition average: the activity of one neuron over time, by condition."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from popdyn.plot.ordered import condition_looks
from popdyn.plot.style import (
    BAND_ALPHA,
    LINE_WIDTH,
    add_legend,
    axis_label,
    conditions_title,
    event_line,
    new_axes,
    plain,
    set_title,
    time_label,
    window_limits,
)
from popdyn.plot.warp import phase_axis
from popdyn.tensor.selection import neuron_position

_FADED = 0.3


def condition_average(result: xr.Dataset, *, neuron: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the average activity of one neuron, with its standard error, for every condition.

    Bins where fewer than half of a condition's trials remain are faded.  Conditions of a stimulus
    with four values or more are colored in its order, with a line style for each value of a second
    column.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.condition_average``.
    neuron : int or str, optional
        Id of the neuron.  Without: the most modulated one, whose averages vary most over time
        and conditions once the variance of their standard errors is taken off.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time (s) against activity in its unit, a line at the event; of a warped tensor phase,
        with a line at every event, and in the legend the median duration (s) of every segment.

    Raises
    ------
    TensorError
        When there is no such neuron.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> tensor = pdn.make_tensor(np.ones((2, 3, 4)), [0.0, 0.1, 0.2], {"choice": [0, 1, 0, 1]})
    >>> average = pdn.condition_average(tensor, "choice")
    >>> pdn.plot.condition_average(average).get_ylabel()
    'rate (Hz)'
    """
    ax = new_axes(ax)
    name = str(result.attrs["variable"])
    position = _most_modulated(result, name) if neuron is None else neuron_position(result, neuron)
    one = result.isel(neuron=position)
    labels = [str(label) for label in one["condition"].values]
    looks = condition_looks(one, labels)
    for number, label in enumerate(labels):
        _draw(ax, one.isel(condition=number), name, label, *looks[label])
    if "phase" in result.dims:
        phase_axis(ax, result)
    else:
        event_line(ax)
        window_limits(ax, result)
        ax.set_xlabel(time_label(str(result.attrs.get("align", ""))))
    units = str(result[name].attrs.get("units", result.attrs.get("units", "unknown")))
    ax.set_ylabel(axis_label(name, units))
    set_title(ax, f"neuron {one['neuron'].item()}")
    add_legend(ax, conditions_title(result))
    return ax


def _draw(ax: Axes, one: xr.Dataset, name: str, label: str, color: Any, style: str) -> None:
    """Draw one condition: all bins faded, then those with enough trials on top."""
    mean = one[name].values
    time = one[str(one[name].dims[0])].values
    key, enough = label, np.isfinite(mean)
    if "n_trials" in one:
        n_trials = one["n_trials"].values
        key = f"{label} (n = {int(n_trials.max())})"
        enough = n_trials >= n_trials.max() / 2
    key += _durations(one)
    if not enough.all():
        ax.plot(time, mean, color=color, linestyle=style, linewidth=LINE_WIDTH, alpha=_FADED)
    ax.plot(
        time,
        np.where(enough, mean, np.nan),
        color=color,
        linestyle=style,
        linewidth=LINE_WIDTH,
        label=plain(key),
    )
    if "standard_error" in one:
        error = one["standard_error"].values
        for bins, alpha in ((enough, BAND_ALPHA), (~enough, BAND_ALPHA * _FADED)):
            ax.fill_between(
                time, mean - error, mean + error, where=bins, color=color, alpha=alpha, linewidth=0
            )


def _durations(one: xr.Dataset) -> str:
    """Line of the legend with how long the segments of one condition really were."""
    names = json.loads(str(one.attrs.get("duration_columns", "[]")))
    shown = ", ".join(f"{float(one[name]):.3g}" for name in names)
    return f"\n{shown} s" if names else ""


def _most_modulated(result: xr.Dataset, name: str) -> int:
    """Position of the neuron whose averages vary most, beyond their standard errors."""
    values = result[name].transpose("neuron", ..., "condition").values
    signal = _variance(values)
    if "standard_error" in result:
        error = result["standard_error"].transpose("neuron", ..., "condition").values
        known = np.isfinite(error)
        noise = np.where(known, error, 0.0) ** 2
        signal = signal - noise.sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1)
    return int(np.argmax(signal))


def _variance(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Variance over time and condition without NaN; -inf for a neuron that was never seen."""
    known = np.isfinite(values)
    n_known = known.sum(axis=(1, 2))
    filled = np.where(known, values, 0.0)
    mean = filled.sum(axis=(1, 2)) / np.maximum(n_known, 1)
    spread = np.where(known, values - mean[:, np.newaxis, np.newaxis], 0.0) ** 2
    variance = spread.sum(axis=(1, 2)) / np.maximum(n_known, 1)
    return np.asarray(np.where(n_known > 0, variance, -np.inf), dtype=np.float64)
