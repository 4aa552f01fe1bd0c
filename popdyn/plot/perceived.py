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

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> observer = pdn.observer.Production(
    ...     weber=0.1, motor_weber=0.08, prior=("uniform", 0.5, 1.0)
    ... )
    >>> table = observer.simulate({"stimulus": np.tile([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], 20)})
    >>> tensor = pdn.make_tensor(np.zeros((1, 2, 120)), [0.0, 0.1], table, align="set_time")
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pdn.save(tensor, f"{folder}/a.nc")
    ...     tree = pdn.compare({
    ...         "alignment": {"window": [-0.05, 0.15], "bin_width": 0.1},
    ...         "conditions": {"by": "stimulus"},
    ...         "analyses": {"behavior": {"n_draws": 10}},
    ...         "source": [
    ...             {"id": "a", "kind": "tensor", "path": f"{folder}/a.nc", "align": "set_time"}
    ...         ],
    ...     })
    >>> pdn.plot.behavior(tree["sources/a/behavior"].to_dataset()).get_xlabel()
    'stimulus'
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

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> estimate = pdn.observer.Production(weber=0.1, prior=stimulus).estimate(stimulus)
    >>> result = pdn.estimation_test(
    ...     3.0 * estimate.values, stimulus, estimate, covariance=0.01**2 * np.eye(11)
    ... )
    >>> pdn.plot.decoded(result).get_xlabel()
    'stimulus'
    """
    result = drawable(result, "estimation_test", "decoded_true", "decoded_estimate")
    ax = new_axes(ax)
    shown = result["stimulus"].to_numpy()
    units = str(result["stimulus"].attrs.get("units", "")).replace("unknown", "")
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
    for set_label, quantity in ((ax.set_xlabel, "stimulus"), (ax.set_ylabel, "told by distances")):
        set_label(axis_label(quantity, units) if units else quantity)
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

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> estimate = pdn.observer.Production(weber=0.1, prior=stimulus).estimate(stimulus)
    >>> result = pdn.estimation_test(
    ...     3.0 * estimate.values, stimulus, estimate, covariance=0.01**2 * np.eye(11)
    ... )
    >>> pdn.plot.verdict(result).get_title()
    'verdict: compatible with the estimate'
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
