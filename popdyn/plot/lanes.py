"""Trials of a task in lanes: a line for each input, target or hint, and the events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    NULL_COLOR,
    SMALL_FONT_SIZE,
    condition_colors,
    event_line,
    new_axes,
    plain,
    set_title,
)

# Inches: width of the figure, least height of a lane and of all lanes, and what a letter of the
# upright names of events above them takes.
_WIDTH = 4.6
_LANE_HEIGHT = 0.45
_LANES_HEIGHT = 1.4
_LETTER = 0.055
# The part of a lane that its line spans.
_LANE_FILL = 0.8
# A target that counts in less than this part of the steps gets a dot.
_FEW = 0.02
# The part of the axes' width that an upright name takes.
_NAME_WIDTH = 0.045
# Lines of a kind are drawn so much thicker than others.
_WIDTHS = {"input": 0.7, "target": 1.5, "hint": 1.0}


@dataclass(frozen=True, eq=False)
class Lane:
    """A line of a trial: what it is, "input", "target" or "hint", its name and its values."""

    kind: str
    name: str
    values: NDArray[np.float64]


def draw_trial(one: xr.Dataset, lanes: Sequence[Lane], ax: Axes | None) -> Axes:
    """Draw the lanes of a trial, the first on top, and its events; title and time axis.

    Lanes of a kind have one scale.

    Parameters
    ----------
    one : Dataset
        From `one_trial`.
    lanes : sequence of Lane
        Values of each step; NaN where nothing is drawn.
    ax : Axes or None
        Axes to draw on; a new figure without.
    """
    events, stop = _events(one), float(one["stop_time"] - one["start_time"])
    height = max(_LANE_HEIGHT, _LANES_HEIGHT / len(lanes))
    band = _LETTER * max(map(len, events), default=0)
    ax = new_axes(ax, figure_size=(_WIDTH, height * len(lanes) + band + 0.7))
    _draw_lanes(ax, lanes, edges_of(one))
    ax.set_ylim(-0.2, len(lanes) + band / height)
    ax.set_xlim(0, stop)
    _draw_events(ax, events, stop)
    set_title(ax, _title(one))
    ax.set_xlabel("time from start_time (s)")
    return ax


def edges_of(one: xr.Dataset) -> NDArray[np.float64]:
    """Return the times at which steps begin, and the end of the last."""
    begin = one["step_time"].values
    return np.append(begin, begin[-1] + float(one.attrs["dt"]))


def lanes_of(one: xr.Dataset, variable: str, kind: str, names: Sequence[str] = ()) -> list[Lane]:
    """Return a lane for each row of a variable ``(row, step_time)``, numbered without names.

    Trials shorter than the longest of their set are padded with zeros, which are left out.
    """
    inside = one["step_time"] < float(one["stop_time"] - one["start_time"]) - 1e-9
    rows = one[variable].where(inside).transpose(..., "step_time").values
    known = names if len(names) == len(rows) else [f"{kind} {i}" for i in range(len(rows))]
    return [Lane(kind, name, values) for name, values in zip(known, rows, strict=True)]


def channel_names(one: xr.Dataset) -> list[str]:
    """Return the names of input channels, if the task says any."""
    return [str(name) for name in json.loads(str(one["inputs"].attrs.get("channels", "[]")))]


def one_trial(trials: Any, trial: Any, wanted: Sequence[str], source: str) -> xr.Dataset:
    """Pick a trial by its id, the first without one.

    Raises
    ------
    TensorError
        If it lacks one of the `wanted` variables, which `source` makes, or there is none.
    """
    if not isinstance(trials, xr.Dataset):
        message = f"expected {source}, found {type(trials).__name__}"
        raise TensorError(message)
    missing = [name for name in wanted if name not in trials]
    if missing:
        message = f"expected {source} with {', '.join(wanted)}; {', '.join(missing)} not found"
        raise TensorError(message)
    ids = [str(name) for name in trials["trial"].values]
    if trial is None:
        return trials.isel(trial=0)
    if str(trial) not in ids:
        near = get_close_matches(str(trial), ids, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        message = f"there is no trial with id {trial!r}.{hint} There are {len(ids)}: {ids[0]} ..."
        raise TensorError(message)
    return trials.isel(trial=ids.index(str(trial)))


def _draw_lanes(ax: Axes, lanes: Sequence[Lane], edges: NDArray[np.float64]) -> None:
    """Draw each line in a lane of its own, the first on top."""
    bottoms = np.arange(len(lanes))[::-1].astype(np.float64)
    colors = condition_colors(range(len(lanes))).values()
    labels, scales = [], _scales(lanes)
    for bottom, lane, color in zip(bottoms, lanes, colors, strict=True):
        values, scale = lane.values, scales[lane.kind]
        low, high = _range(values)
        width, zero = LINE_WIDTH * _WIDTHS[lane.kind], bottom - low * scale
        ax.axhline(zero, color=NULL_COLOR, linewidth=0.5, zorder=0.4)
        drawn = ax.stairs(zero + values * scale, edges, baseline=None, color=color, linewidth=width)
        drawn.set_gid(lane.name)
        shown = np.flatnonzero(np.isfinite(values))
        if shown.size < _FEW * values.size:
            # A target of a few steps would be a speck.
            middle = (edges[shown[0]] + edges[shown[-1] + 1]) / 2
            ax.plot(middle, zero + values[shown].mean() * scale, "o", color=color, markersize=3)
        span = f"{low:.3g} to {high:.3g}" if high > low else f"{low:.3g}"
        labels.append(f"{plain(lane.name)}\n{span}")
    ax.set_yticks(bottoms + _LANE_FILL / 2, labels)
    ax.tick_params(axis="y", length=0)


def _scales(lanes: Sequence[Lane]) -> dict[str, float]:
    """Return how much of a lane a unit takes: the widest line of its kind fills one."""
    widest: dict[str, float] = {}
    for lane in lanes:
        low, high = _range(lane.values)
        widest[lane.kind] = max(widest.get(lane.kind, 0.0), high - low)
    return {kind: _LANE_FILL / (span or 1.0) for kind, span in widest.items()}


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of a line, zero within."""
    return min(0.0, float(np.nanmin(values))), max(0.0, float(np.nanmax(values)))


def _events(one: xr.Dataset) -> dict[str, float]:
    """Return the events within the trial, in seconds from its start."""
    start, stop = float(one["start_time"]), float(one["stop_time"])
    names = json.loads(str(one.attrs.get("events", "[]")))
    # NaN, an event that a trial does not have, is not inside.
    return {name: float(one[name]) - start for name in names if start < float(one[name]) < stop}


def _draw_events(ax: Axes, events: Mapping[str, float], stop: float) -> None:
    """Draw a line with a name at each event: left of it, or right where there is no room."""
    taken = 0.0
    for name, at in events.items():
        event_line(ax, at)
        left = at / stop - _NAME_WIDTH >= taken
        taken = at / stop + (0.0 if left else _NAME_WIDTH)
        ax.annotate(
            plain(name.removesuffix("_time").replace("_", " ")),
            (at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-2 if left else 2, -3),
            textcoords="offset points",
            rotation=90,
            ha="right" if left else "left",
            va="top",
            fontsize=SMALL_FONT_SIZE,
            color=GUIDE_COLOR,
        )


def _title(one: xr.Dataset) -> str:
    """Name the trial and what is special about it: the columns that its roles name."""
    parts = [f"trial {one['trial'].item()}"]
    roles = json.loads(str(one.attrs.get("roles", "{}")))
    names = [roles.get(role, role) for role in ("stimulus", "stimulus_2", "context")]
    values = {name: one[name].item() for name in names if name in one.coords}
    if any(value != value or value == "" for value in values.values()):
        return f"{parts[0]}, catch trial"
    for name, value in values.items():
        units = str(one[name].attrs.get("units", "1"))
        number = value if isinstance(value, str) else f"{value:g}"
        unit = "" if units == "1" else f" {units}"
        parts.append(f"{name.replace('_', ' ')} {number}{unit}")
    return ", ".join(parts)
