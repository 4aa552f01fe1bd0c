"""Picture of how far back a network remembers its input."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import GUIDE_COLOR, LINE_WIDTH, add_legend, new_axes, plain

_COLOR = "#0072B2"


def memory_capacity(
    result: xr.Dataset, *, ax: Axes | None = None, color: str = _COLOR, label: str = ""
) -> Axes:
    """Draw how much of each past input a readout has back, against how long ago it was.

    Parameters
    ----------
    result : Dataset
        From ``pdn.train.memory_capacity``.
    ax : Axes, optional
        Axes to draw on; a new figure without.  Several results may share them.
    color : str
        Color of the line.
    label : str
        What the line is, for the legend.

    Returns
    -------
    Axes
        Delay (s) against the squared correlation of readout and input (dimensionless); the legend
        says the capacity, the sum over delays, with its 95 % interval.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(30, g=0.9, tau=0.01, dt=0.01, rng=0)
    >>> memory = pdn.train.memory_capacity(net, max_delay=40, amplitude=0.1)
    >>> pdn.plot.memory_capacity(memory).get_xlabel()
    'delay (s)'
    """
    wanted = ("r_squared", "capacity", "capacity_bound")
    result = drawable(result, "memory_capacity", *wanted)
    ax = new_axes(ax)
    lower, upper = result["capacity_bound"].values
    said = f"capacity {float(result['capacity']):.1f} ({lower:.1f} to {upper:.1f})"
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.5, zorder=0.5)
    ax.plot(
        result["delay_time"].values, result["r_squared"].values, color=color,
        linewidth=LINE_WIDTH, label=plain(f"{label}: {said}" if label else said),
    )  # fmt: skip
    ax.set_xlabel("delay (s)")
    ax.set_ylabel("squared correlation")
    add_legend(ax)
    return ax
