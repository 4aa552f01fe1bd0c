"""Picture of a timescale: the autocorrelation, what is expected of it, and the biased fit."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import GUIDE_COLOR, LINE_WIDTH, add_legend, new_axes, set_title


def timescale(
    result: xr.Dataset,
    *,
    neuron: object = None,
    ax: Axes | None = None,
    color: str | None = None,
) -> Axes:
    """Draw the autocorrelation of the population, or of a neuron, and the fits to it.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.timescale``.
    neuron : optional
        Id of the neuron to draw; the population without.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    color : str, optional
        Color of the measured autocorrelation and its fit, such as that of the source.

    Returns
    -------
    Axes
        Lag (s) against autocorrelation, over the variance of the signal.  Points are measured,
        the line is what trials of this length are expected to show, the dashed line the
        autocorrelation of the process itself, the dotted one the direct exponential fit.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> values = np.random.default_rng(0).normal(size=(2, 20, 50)).cumsum(axis=1)
    >>> tensor = pdn.make_tensor(values, 0.05 * np.arange(20), units="1")
    >>> pdn.plot.timescale(pdn.timescale(tensor, n_draws=20)).get_xlabel()
    'lag (s)'
    """
    result = drawable(result, "timescale", "autocorrelation", "population_autocorrelation")
    ax = new_axes(ax)
    color = "#0072B2" if color is None else color
    row = result if neuron is None else result.sel(neuron=neuron)
    prefix = "population_" if neuron is None else ""
    lag = result["lag"].values
    measured = row[f"{prefix}autocorrelation"].values
    fitted = row[f"{prefix}fitted_autocorrelation"].values
    if np.isfinite(measured).any():
        ax.plot(lag, measured, "o", color=color, markersize=3, label="measured")
    if np.isfinite(fitted).any():
        ax.plot(lag, fitted, color=color, linewidth=LINE_WIDTH, label="expected in such trials")
    found, direct = (float(row[f"{prefix}{name}"]) for name in ("timescale", "direct_fit"))
    fine = np.linspace(0.0, lag[-1], 200)
    if np.isfinite(found):
        lower, upper = row[f"{prefix}timescale_bound"].values
        ax.plot(
            fine,
            np.exp(-fine / found),
            "--",
            color=color,
            linewidth=LINE_WIDTH,
            label=f"timescale {found:.3g} s\n({lower:.3g} s {_end(upper)})",
        )
    if np.isfinite(direct):
        ax.plot(
            fine,
            np.exp(-fine / direct),
            ":",
            color=GUIDE_COLOR,
            linewidth=LINE_WIDTH,
            label=f"direct fit {direct:.3g} s (biased)",
        )
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.8, zorder=0.5)
    reason = str(row[f"{prefix}reason"].values)
    name = "population" if neuron is None else f"neuron {neuron}"
    set_title(ax, f"{name}: {reason}" if reason else name)
    known = measured[1:][np.isfinite(measured[1:])]
    ax.set_ylim(min(-0.1, float(known.min(initial=0.0)) * 1.1), max(1.05, known.max(initial=0.0)))
    if not known.size:  # no points that would set the limits
        ax.set_xlim(0.0, lag[-1])
    ax.set_xlabel("lag (s)")
    ax.set_ylabel("autocorrelation (dimensionless)")
    add_legend(ax)
    return ax


def _end(upper: float) -> str:
    """Write the end of an interval, which may have none."""
    return f"to {upper:.3g} s" if np.isfinite(upper) else "or more"
