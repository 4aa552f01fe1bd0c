"""Pictures from behavior to verdict: observers, stimuli told by distances, the conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.observer import discrimination_observer, production_observer
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    add_legend,
    axis_label,
    new_axes,
    plain,
)

_TRUE_COLOR = "#0072B2"
_ESTIMATE_COLOR = "#D55E00"
_MET_COLOR, _UNMET_COLOR = "#009E73", "#D55E00"
_MARKER_SIZE = 4.0
_ROWS = {
    "rmse": "the true stimulus is rejected, the estimate is not",
    "alternatives": "bent codes of the true stimulus predict worse",
    "behavior": "behavior contracts",
    "shift": "shared stimuli shift between the sets as estimates do",
}


def behavior(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw what was done and what the fitted observer would do, in all stimulus sets.

    Parameters
    ----------
    result : Dataset
        The step ``behavior`` of a comparison.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        As `production_observer` or `discrimination_observer` draws each set; slopes of the sets
        are in the title.
    """
    result = drawable(result, "behavior", "slope", "estimate")
    ax = new_axes(ax)
    draw = production_observer if result.attrs["kind"] == "production" else discrimination_observer
    for name in result["set"].values:
        own = result.sel(set=name)
        for dim, variable in (("stimulus", "estimate"), ("pair", "share")):
            if dim in own.dims:
                own = own.isel({dim: np.flatnonzero(np.isfinite(own[variable].values))})
        draw(own.assign_attrs(method=draw.__name__), ax=ax)
    # Every set brought the same entries.
    handles, labels = ax.get_legend_handles_labels()
    first = {label: handle for handle, label in reversed(list(zip(handles, labels, strict=True)))}
    ordered = list(dict.fromkeys(labels))
    ax.legend([first[one] for one in ordered], ordered, frameon=False, fontsize=SMALL_FONT_SIZE)
    names = [str(name) for name in result["set"].values]
    slopes = [f"{float(slope):.2f}" for slope in result["slope"].values]
    several = len(names) > 1
    told = [f"{s} ({name})" if several else s for name, s in zip(names, slopes, strict=True)]
    ax.set_title(plain(f"slope {', '.join(told)}"), fontsize=SMALL_FONT_SIZE)
    return ax


def decoded(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the stimuli that distances tell, beside the true ones and the estimates.

    Parameters
    ----------
    result : Dataset
        From ``pdn.estimation_test``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Lines are the true stimulus (blue) and the estimate (red), points what a straight line
        makes of the distances if they tell the one or the other; the legend has the raw errors.
    """
    result = drawable(result, "estimation_test", "decoded_true", "decoded_estimate")
    ax = new_axes(ax)
    shown = result["stimulus"].to_numpy()
    units = str(result["stimulus"].attrs.get("units", ""))
    sets = result["set"].to_numpy() if "set" in result.coords else np.zeros(shown.size)
    targets = {
        "true": (shown, _TRUE_COLOR),
        "estimate": (result["estimate"].values, _ESTIMATE_COLOR),
    }
    for name, (target, color) in targets.items():
        for position, one in enumerate(np.unique(sets)):
            own = np.flatnonzero(sets == one)
            own = own[np.argsort(shown[own])]
            ax.plot(shown[own], target[own], color=color, linewidth=LINE_WIDTH)
            ax.plot(
                shown[own], result[f"decoded_{name}"].values[own], "os"[position % 2],
                color=color, markersize=_MARKER_SIZE, fillstyle="full" if position else "none",
                label=_raw_error(result, name, units) if position == 0 else None,
            )  # fmt: skip
    ax.set_xlabel(axis_label("stimulus", units))
    ax.set_ylabel(axis_label("told by distances", units))
    add_legend(ax)
    return ax


def verdict(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Write the verdict and which of its four conditions are met.

    Parameters
    ----------
    result : Dataset
        From ``pdn.estimation_test``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Without axes: a line for each condition, met, not met or not seen.
    """
    result = drawable(result, "estimation_test", "condition_met")
    ax = new_axes(ax)
    ax.set_axis_off()
    ax.set_title(plain(f"verdict: {result.attrs['verdict']}"), fontsize=SMALL_FONT_SIZE + 1)
    names = [str(name) for name in result["requirement"].values]
    for row, name in enumerate(names):
        met = float(result["condition_met"].sel(requirement=name))
        said, color = ("not seen", GUIDE_COLOR)
        if np.isfinite(met):
            said, color = ("met", _MET_COLOR) if met else ("not met", _UNMET_COLOR)
        height = 1.0 - (row + 0.5) / len(names)
        place: dict[str, Any] = {
            "transform": ax.transAxes,
            "va": "center",
            "fontsize": SMALL_FONT_SIZE,
        }
        ax.text(0.0, height, said, color=color, weight="bold", **place)
        ax.text(0.2, height, _ROWS.get(name, name), wrap=True, **place)
    return ax


def _raw_error(result: xr.Dataset, name: str, units: str) -> str:
    """Legend entry: the hypothesis and its raw error, intervals in ms."""
    factor, unit = (1000.0, "ms") if units == "s" else (1.0, units)
    return plain(f"{name}: RMSE {factor * float(result[f'rmse_{name}']):.3g} {unit}".rstrip())
