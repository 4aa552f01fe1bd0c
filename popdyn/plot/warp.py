"""Picture of a warp: how long segments really were, and which trials remain at which phase."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    add_legend,
    event_line,
    new_axes,
    plain,
    style_axes,
)

_COLOR, _FAR_COLOR = "#0072B2", "#D55E00"
_N_BARS = 24


def warp(warped: xr.DataArray, *, ax: Axes | None = None) -> Axes:
    """Draw the durations behind a phase axis, and how many trials remain along it.

    Parameters
    ----------
    warped : DataArray (neuron, phase, trial)
        From ``popdyn.warp``.
    ax : Axes, optional
        Axes to draw on; a new figure without.  The upper third holds the trials.

    Returns
    -------
    Axes
        Phase against real duration (s, logarithmic).  In each segment a histogram of its
        durations over trials, the band of durations within ``max_stretch`` of the median, trials
        outside it in another color.  The line is the median duration of the trials that are seen
        at a phase: where it falls, only short trials remain.  Above: the number of trials seen at
        each phase, by at least one neuron and, where that differs, by all neurons.

    Raises
    ------
    TensorError
        When this is no warped tensor.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = {"cue_time": [0.0, 2.0], "go_time": [1.0, 2.8]}
    >>> session = pdn.make_session([0.1, 0.6, 2.1], [0, 3], trials=trials)
    >>> pdn.plot.warp(pdn.warp(session, ["cue_time", "go_time"], 10)).get_ylabel()
    'duration (s)'
    """
    _check(warped)
    ax = new_axes(ax, figure_size=(4.6, 3.6))
    durations = np.stack([warped[name].values for name in _columns(warped)])
    medians = json.loads(warped.attrs["median_durations"])
    limit = float(warped.attrs["max_stretch"])
    seen = np.isfinite(warped.transpose("neuron", "phase", "trial").values)
    edges = np.geomspace(durations.min() / 1.15, durations.max() * 1.15, _N_BARS + 1)
    for segment, (own, median) in enumerate(zip(durations, medians, strict=True)):
        _draw_durations(ax, segment, own, median, limit, edges)
        _draw_remaining(ax, segment, own, warped["phase"].values, seen.any(axis=0))
    ax.set_yscale("log")
    ax.set_ylim(edges[0], edges[-1])
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(LogLocator(subs=()))
    ax.set_ylabel("duration (s)")
    phase_axis(ax, warped)
    add_legend(ax)
    _draw_counts(ax, warped, seen)
    return ax


def phase_axis(ax: Axes, result: xr.DataArray | xr.Dataset) -> None:
    """Label a phase axis with its events and the median durations between them.

    Parameters
    ----------
    ax : Axes
    result : DataArray or Dataset
        From ``popdyn.warp``, or made from such a tensor: has ``attrs["events"]`` and
        ``attrs["median_durations"]``.

    Examples
    --------
    >>> import xarray as xr
    >>> from popdyn.plot.style import new_axes
    >>> from popdyn.plot.warp import phase_axis
    >>> attrs = {"events": '["cue_time", "go_time"]', "median_durations": "[0.9]"}
    >>> ax = new_axes()
    >>> phase_axis(ax, xr.Dataset(attrs=attrs))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['cue', 'go']
    """
    events = json.loads(result.attrs["events"])
    medians = json.loads(result.attrs["median_durations"])
    n_segments = len(medians)
    for place in range(1, n_segments):
        event_line(ax, place)
    ax.set_xlim(0.0, n_segments)
    ax.set_xticks(range(n_segments + 1), [plain(event.removesuffix("_time")) for event in events])
    if n_segments > 2:
        ax.tick_params(axis="x", labelrotation=30)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    shown = ", ".join(f"{median:.3g}" for median in medians)
    ax.set_xlabel(f"phase of warped time\n(median durations {shown} s)")


def _check(warped: xr.DataArray) -> None:
    """Refuse anything but a warped tensor."""
    if isinstance(warped, xr.DataArray) and "phase" in warped.dims and "events" in warped.attrs:
        return
    found = type(warped).__name__
    if isinstance(warped, (xr.DataArray, xr.Dataset)):
        found += f" with dims {tuple(str(dim) for dim in warped.dims)}"
    message = (
        f"plot.warp draws the trials of popdyn.warp(...) (neuron, phase, trial), found {found}"
    )
    raise TensorError(message)


def _columns(warped: xr.DataArray) -> list[str]:
    names: list[str] = json.loads(warped.attrs["duration_columns"])
    return names


def _draw_durations(
    ax: Axes,
    segment: int,
    durations: NDArray[np.float64],
    median: float,
    limit: float,
    edges: NDArray[np.float64],
) -> None:
    """Histogram of one segment's durations, lying on its side in the segment's place."""
    first = segment == 0
    ax.fill_between(
        [segment, segment + 1], median / limit, median * limit, color=NULL_COLOR, alpha=0.25,
        linewidth=0, label=f"within a factor of {limit:g}" if first else None,
    )  # fmt: skip
    far = np.maximum(durations / median, median / durations) > limit
    near, beyond = (np.histogram(durations[which], edges)[0] for which in (~far, far))
    scale = 0.8 / max(1, int((near + beyond).max()))
    left = np.full(near.size, segment + 0.04)
    for counts, color, label in ((near, _COLOR, "trials"), (beyond, _FAR_COLOR, "beyond it")):
        shown = counts > 0
        ax.barh(
            edges[:-1][shown], (counts * scale)[shown], np.diff(edges)[shown], left[shown],
            align="edge", color=color, linewidth=0,
        )  # fmt: skip
        left = left + counts * scale
        if first:
            ax.fill_between([], [], [], color=color, linewidth=0, label=label)


def _draw_remaining(
    ax: Axes,
    segment: int,
    durations: NDArray[np.float64],
    phase: NDArray[np.float64],
    seen: NDArray[np.bool_],
) -> None:
    """Median duration of the trials that are seen at each phase of one segment."""
    own = seen[(phase > segment) & (phase < segment + 1)]
    medians = [np.median(durations[trials]) if trials.any() else np.nan for trials in own]
    label = "median of trials seen" if segment == 0 else None
    edges = np.linspace(segment, segment + 1, len(own) + 1)
    ax.stairs(medians, edges, baseline=None, color="black", linewidth=LINE_WIDTH, label=label)


def _draw_counts(ax: Axes, warped: xr.DataArray, seen: NDArray[np.bool_]) -> None:
    """Draw the number of trials seen at each phase, in axes above the given ones."""
    from mpl_toolkits.axes_grid1 import make_axes_locatable  # type: ignore[import-untyped]

    above = style_axes(make_axes_locatable(ax).append_axes("top", "35%", pad=0.12, sharex=ax))
    edges = np.concatenate([
        segment + np.arange(n) / n for segment, n in enumerate(json.loads(warped.attrs["n_bins"]))
    ])  # fmt: skip
    edges = np.append(edges, np.ceil(edges[-1]))
    some, every = seen.any(axis=0).sum(axis=1), seen.all(axis=0).sum(axis=1)
    left_out = int(warped.attrs.get("n_dropped", 0))
    above.stairs(
        some, edges, baseline=None, color="black", linewidth=LINE_WIDTH,
        label=f"of {warped.sizes['trial']} trials\n({left_out} left out)",
    )  # fmt: skip
    if (every < some).any():
        above.stairs(
            every, edges, baseline=None, color=GUIDE_COLOR, linewidth=LINE_WIDTH, linestyle=":",
            label="seen by all neurons",
        )  # fmt: skip
    add_legend(above)
    for place in range(1, round(edges[-1])):
        event_line(above, place)
    above.set_ylim(0.0, 1.08 * max(1, warped.sizes["trial"]))
    above.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    above.tick_params(axis="x", which="both", labelbottom=False)
    above.set_ylabel("trials seen")
