"""Picture of a task: what a network is given and asked for in one trial."""

from __future__ import annotations

import json
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
    add_legend,
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


def task(trials: xr.Dataset, *, trial: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the inputs, the target and the events of one trial.

    Each input and each target has a lane of its own, with its range beside its name; a gray line is
    zero.  All inputs have one scale and all targets another, so that noise looks as small as it is.
    The target is drawn where it counts; these steps are shaded.

    Parameters
    ----------
    trials : Dataset
        From ``task.sample``.
    trial : int or str, optional
        Id of the trial; the first without.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time from the trial's start (s) against inputs and target (dimensionless), a line at
        each event.

    Raises
    ------
    TensorError
        When these are no trials of a task, or there is no such trial.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = pdn.tasks.PerceptualDecision().sample(3, rng=0)
    >>> pdn.plot.task(trials, trial=2).get_xlabel()
    'time from start_time (s)'
    """
    one = _one_trial(trials, trial)
    lines = _lines(one)
    events, stop = _events(one), float(one["stop_time"] - one["start_time"])
    lane = max(_LANE_HEIGHT, _LANES_HEIGHT / len(lines))
    band = _LETTER * max(map(len, events), default=0)
    ax = new_axes(ax, figure_size=(_WIDTH, lane * len(lines) + band + 0.7))
    edges = np.append(one["step_time"].values, one["step_time"].values[-1] + trials.attrs["dt"])
    _shade(ax, edges, one["mask"].values.astype(bool))
    _draw_lanes(ax, lines, edges)
    ax.set_ylim(-0.2, len(lines) + band / lane)
    ax.set_xlim(0, stop)
    _draw_events(ax, events, stop)
    set_title(ax, _title(one))
    ax.set_xlabel("time from start_time (s)")
    ax.set_ylabel("input, target (dimensionless)")
    add_legend(ax)
    return ax


def _lines(one: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """Return the inputs, and the targets where they count, by name."""
    # Trials shorter than the longest of their set are padded with zeros.
    inside = one["step_time"] < float(one["stop_time"] - one["start_time"]) - 1e-9
    inputs = one["inputs"].where(inside).transpose("channel", "step_time").values
    targets = one["target"].where(one["mask"]).transpose("output", "step_time").values
    names = json.loads(str(one["inputs"].attrs.get("channels", "[]")))
    if len(names) != len(inputs):
        names = [f"input {i}" for i in range(len(inputs))]
    lines = dict(zip(names, inputs, strict=True))
    return lines | {f"target {i}": values for i, values in enumerate(targets)}


def _shade(ax: Axes, edges: NDArray[np.float64], mask: NDArray[np.bool_]) -> None:
    """Shade the steps that count."""
    ax.fill_between(
        edges,
        0,
        1,
        where=np.append(mask, mask[-1]).tolist(),
        step="post",
        transform=ax.get_xaxis_transform(),
        color=NULL_COLOR,
        alpha=0.4,
        linewidth=0,
        label="counts",
    )


def _draw_lanes(
    ax: Axes, lines: dict[str, NDArray[np.float64]], edges: NDArray[np.float64]
) -> None:
    """Draw each line in a lane of its own, the first on top."""
    bottoms = np.arange(len(lines))[::-1].astype(np.float64)
    labels, scales = [], _scales(lines)
    for bottom, (name, color) in zip(bottoms, condition_colors(lines).items(), strict=True):
        values = lines[name]
        (low, high), scale = _range(values), scales[_kind(name)]
        width = LINE_WIDTH * (1.5 if name.startswith("target") else 0.7)
        zero = bottom - low * scale
        ax.axhline(zero, color=NULL_COLOR, linewidth=0.5, zorder=0.4)
        drawn = ax.stairs(zero + values * scale, edges, baseline=None, color=color, linewidth=width)
        drawn.set_gid(name)
        shown = np.flatnonzero(np.isfinite(values))
        if shown.size < _FEW * values.size:
            # A target of a few steps would be a speck.
            middle = (edges[shown[0]] + edges[shown[-1] + 1]) / 2
            ax.plot(middle, zero + values[shown].mean() * scale, "o", color=color, markersize=3)
        span = f"{low:.3g} to {high:.3g}" if high > low else f"{low:.3g}"
        labels.append(f"{plain(name)}\n{span}")
    ax.set_yticks(bottoms + _LANE_FILL / 2, labels)
    ax.tick_params(axis="y", length=0)


def _scales(lines: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return how much of a lane a unit takes: the widest line of its kind fills one."""
    widest = {"input": 0.0, "target": 0.0}
    for name, values in lines.items():
        low, high = _range(values)
        widest[_kind(name)] = max(widest[_kind(name)], high - low)
    return {kind: _LANE_FILL / (span or 1.0) for kind, span in widest.items()}


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of a line, zero within."""
    return min(0.0, float(np.nanmin(values))), max(0.0, float(np.nanmax(values)))


def _kind(name: str) -> str:
    return "target" if name.startswith("target ") else "input"


def _one_trial(trials: xr.Dataset, trial: Any) -> xr.Dataset:
    """Pick a trial by its id, or say what is missing."""
    wanted = ("inputs", "target", "mask")
    given: object = trials
    if not isinstance(given, xr.Dataset):
        message = (
            f"expected trials from task.sample(n_trials, rng), found {type(given).__name__}: "
            "a task is drawn by its trials"
        )
        raise TensorError(message)
    missing = [name for name in wanted if name not in trials]
    if missing:
        message = (
            f"expected trials from task.sample with {', '.join(wanted)}; "
            f"{', '.join(missing)} not found"
        )
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


def _events(one: xr.Dataset) -> dict[str, float]:
    """Return the events within the trial, in seconds from its start."""
    start, stop = float(one["start_time"]), float(one["stop_time"])
    names = json.loads(str(one.attrs.get("events", "[]")))
    # NaN, an event that a trial does not have, is not inside.
    return {name: float(one[name]) - start for name in names if start < float(one[name]) < stop}


def _draw_events(ax: Axes, events: dict[str, float], stop: float) -> None:
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
