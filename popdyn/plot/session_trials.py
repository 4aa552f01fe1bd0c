"""Pictures of the trials of a session: spikes of a few, and the events of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    BAND_ALPHA,
    GUIDE_COLOR,
    LINE_WIDTH,
    add_legend,
    condition_colors,
    condition_styles,
    event_line,
    new_axes,
    plain,
    time_label,
)

_SPIKE = "#1a1a1a"
TRIAL_COLOR = "#4D4D4D"
# Of up to this many neurons each row carries its id.
_FEW = 16
_LASTING = "#E4E4E4"
_MARKERS = "osD^vPX*"
_STYLES = ("-", "--", "-.", ":")
# Above, marks are drawn as an image even in SVG and PDF.
_MANY = 5_000


def session_raster(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the spikes of a typical stretch, a row per neuron, with the trials in it.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.session_overview``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time (s) against neurons, the highest mean rate on top.  Trials are shaded from start
        to stop (a thick line at the start without a stop), events are colored lines.

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tensor.session import make_session
    >>> overview = pdn.session_overview(make_session([0.5, 1.5], [0, 2]))
    >>> pdn.plot.session_raster(overview).get_ylabel()
    'neuron (id)'
    """
    result = drawable(result, "session_raster", "spike_time", "spike_row", "raster_neuron")
    ax = new_axes(ax, figure_size=(7.0, 3.2))
    time, row = result["spike_time"].values, result["spike_row"].values
    start, stop = float(result.attrs["raster_start"]), float(result.attrs["raster_stop"])
    n_rows = result.sizes["row"]
    # Many rows leave no room for thin lines: heights and widths shrink together.
    width = float(np.clip(40.0 / max(n_rows, 1), 0.5, 1.0))
    half = 0.36 if n_rows < 10 else 0.45
    ax.vlines(
        time, row - half, row + half, color=_SPIKE, linewidth=width, rasterized=time.size > _MANY
    )
    _trials_between(ax, result, start, stop)
    ax.set_xlim(start, stop)
    ax.set_ylim(n_rows - 0.5, -0.5)
    name_neurons(ax, result["raster_neuron"].values)
    ax.set_xlabel("time in the session (s)")
    add_legend(ax)
    return ax


def trial_structure(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw every event of every trial after the trial's start.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.session_overview``, of a session with trials.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time from the trial's start (s) against trials, the first on top; the gray bars last
        from start to stop.  The axis holds 98 % of the events; those beyond are arrow heads
        at the edge.

    Raises
    ------
    TensorError
        If there are no trials.

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tensor.session import make_session
    >>> table = {"start_time": [0.0, 2.0], "stop_time": [1.0, 3.0]}
    >>> overview = pdn.session_overview(make_session([0.5, 1.5], [0, 2], trials=table))
    >>> pdn.plot.trial_structure(overview).get_xlabel()
    "time from the trial's start (s)"
    """
    result = drawable(result, "trial_structure", "event_time", "duration")
    if not result.sizes["trial"]:
        message = "there are no trials to draw: read the session with trials='name of a table'"
        raise TensorError(message)
    ax = new_axes(ax, figure_size=(3.6, 3.6))
    n_trials, limits = result.sizes["trial"], _event_limits(result)
    many = n_trials * (result.sizes["event"] + 1) > _MANY
    _bars(ax, np.minimum(result["duration"].values, limits[1]))
    for name, look in _looks(result).items():
        _event_marks(ax, result["event_time"].sel(event=name).values, limits, name, look, many)
    ax.axvline(0.0, color=GUIDE_COLOR, linewidth=0.8)
    ax.set_xlim(limits)
    ax.set_ylim(n_trials - 0.5, -0.5)
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    ax.set_xlabel("time from the trial's start (s)")
    ax.set_ylabel("trial (row of the table)")
    add_legend(ax)
    return ax


def event_rate(result: xr.Dataset, *, ax: Axes | None = None, event: str | None = None) -> Axes:
    """Draw the mean rate of the population around the start and the events of the trials.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.session_overview``, of a session with trials.
    ax : Axes, optional
        Axes to draw on; a new figure without.
    event : str, optional
        One event to draw, with its 95 % band; all without.

    Returns
    -------
    Axes
        Time from the event (s) against rate (Hz).

    Raises
    ------
    TensorError
        If there are no trials, or no such event among those of the result.

    Examples
    --------
    >>> import popdyn as pdn
    >>> from popdyn.tensor.session import make_session
    >>> session = make_session([0.5, 1.5], [0, 2], trials={"start_time": [0.0, 2.0]})
    >>> pdn.plot.event_rate(pdn.session_overview(session), event="start_time").get_xlabel()
    'time from start_time (s)'
    """
    result = drawable(result, "event_rate", "event_rate", "event_rate_bound")
    names = [str(name) for name in result["around"].values]
    if not names or (event is not None and event not in names):
        message = f"there is no event {event!r} to draw; there are {', '.join(names) or 'none'}"
        raise TensorError(message)
    ax = new_axes(ax)
    lag, looks = result["lag"].values, _looks(result)
    for name in names if event is None else [event]:
        color = looks.get(name, {"color": TRIAL_COLOR})["color"]
        own = {"around": names.index(name)}
        if event is not None or len(names) == 1:
            band = result["event_rate_bound"].isel(own).values
            ax.fill_between(lag, *band, color=color, alpha=BAND_ALPHA, linewidth=0)
        ax.plot(
            lag, result["event_rate"].isel(own).values, color=color, linewidth=LINE_WIDTH,
            linestyle=_STYLES[names.index(name) % len(_STYLES)], label=plain(name),
        )  # fmt: skip
    event_line(ax)
    ax.set_ylim(bottom=0)
    ax.margins(x=0)
    ax.set_xlabel(time_label(event if event is not None else "the event"))
    ax.set_ylabel("mean rate (Hz)")
    add_legend(ax)
    return ax


def _bars(ax: Axes, duration: np.ndarray) -> None:
    """Draw a bar per trial from its start to its stop, all of them as one shape."""
    known = np.repeat(np.isfinite(duration), 2)
    if known.any():
        edges = (np.arange(duration.size)[:, None] + np.array([-0.5, 0.5])).ravel()
        ends = np.nan_to_num(np.repeat(duration, 2))
        ax.fill_betweenx(
            edges, 0.0, ends, where=known, color=_LASTING, linewidth=0, label="start to stop"
        )


def name_neurons(ax: Axes, ids: np.ndarray) -> None:
    """Label the rows of neurons that are sorted by rate: by their ids where these fit."""
    if ids.size <= _FEW:
        words = [str(name) for name in ids]
        ax.set_yticks(range(ids.size), [plain(w if len(w) < 12 else w[:10] + "…") for w in words])
        ax.set_ylabel("neuron (id)")
    else:
        ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.set_ylabel("neuron (rank by rate)")


def trial_limits(result: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return starts and stops (s) of the trials that have a start; a stop may be NaN."""
    start, duration = result["start_time"].values, result["duration"].values
    known = np.isfinite(start)
    return start[known], (start + duration)[known]


def _event_marks(
    ax: Axes,
    times: np.ndarray,
    limits: tuple[float, float],
    name: str,
    look: dict[str, Any],
    many: bool,
) -> None:
    """Draw one event of all trials; those beyond the limits are arrow heads at the edge."""
    low, high = limits
    rows, known = np.arange(times.size), np.isfinite(times)
    label = name if known.all() else f"{name} (n = {known.sum()})"
    inside = (times >= low) & (times <= high)
    ax.plot(
        times[inside], rows[inside], linestyle="none", markersize=2.4, markeredgewidth=0,
        label=plain(label), rasterized=many, **look,
    )  # fmt: skip
    for beyond, edge, marker in ((times > high, high, ">"), (times < low, low, "<")):
        if beyond.any():
            ax.plot(
                np.full(beyond.sum(), edge), rows[beyond], marker, color=look["color"],
                markersize=3, clip_on=False, rasterized=many,
            )  # fmt: skip


def _looks(result: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Color and marker of each event, so that print without color tells them apart."""
    names = [str(name) for name in result["event"].values if name != "stop_time"]
    colors = condition_colors(names)
    return {
        name: {"color": colors[name], "marker": _MARKERS[place % len(_MARKERS)]}
        for place, name in enumerate(names)
    }


def _event_limits(result: xr.Dataset) -> tuple[float, float]:
    """Limits (s) around the start that hold nearly all events and stops."""
    times = np.concatenate([result["event_time"].values.ravel(), result["duration"].values])
    times = times[np.isfinite(times)]
    if not times.size:
        return -0.5, 1.0
    low, high = np.percentile(times, [1.0, 99.0])
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    margin = 0.04 * max(high - low, 1e-3)
    return low - margin, high + margin


def _trials_between(ax: Axes, result: xr.Dataset, low: float, high: float) -> None:
    """Shade the trials of a stretch and draw their events as lines."""
    start, stop = trial_limits(result)
    seen = (start <= high) & ((stop >= low) | ~(np.isfinite(stop) | (start < low)))
    label: str | None = "trial"
    for begin, end in zip(start[seen], stop[seen], strict=True):
        if np.isfinite(end):
            ax.axvspan(begin, end, color=_LASTING, linewidth=0, label=label, zorder=0.2)
        ax.axvline(
            begin, color=TRIAL_COLOR, linewidth=1.6 if np.isnan(end) else 0.6,
            label="trial" if np.isnan(end) and label else None, zorder=0.3,
        )  # fmt: skip
        label = None
    looks = _looks(result)
    styles = condition_styles(looks)
    for name, look in looks.items():
        times = (result["start_time"] + result["event_time"].sel(event=name)).values
        times = times[(times >= low) & (times <= high)]
        if times.size:
            ax.vlines(
                times, 0, 1, transform=ax.get_xaxis_transform(), color=look["color"],
                linestyle=styles[name], linewidth=1.1, label=plain(name), zorder=0.8,
            )  # fmt: skip
