"""Picture of what a network answered beside what was asked, a few trials side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    add_legend,
    condition_colors,
    new_axes,
    plain,
)

_SHADE = "#F0F0F0"
_GAP = 0.15  # s between trials
# More names than these stand upright.
_MOST_LEVEL = 20


def output_against_target(
    sim: xr.Dataset | xr.DataArray,
    trials: xr.Dataset,
    *,
    show: Sequence[Any] | int = 4,
    ax: Axes | None = None,
) -> Axes:
    """Draw the outputs of a network and their targets on a few trials, side by side.

    Parameters
    ----------
    sim : Dataset or DataArray
        From ``pdn.simulate``, or its ``output (output, time, trial)``.
    trials : Dataset
        The trials it was run on, from ``task.sample``.
    show : int or sequence of trial ids
        How many trials, the first ones, or which; at least one.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Time in each trial (s), trials after one another on gray, against output
        (dimensionless).  Targets are dashed and thin where they do not count for the loss; of
        several outputs each has a lane.  Trials are named by id, those that were wrong with a
        cross.

    Raises
    ------
    TensorError
        If these are no outputs, or of other trials.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate.random(50, g=0.9, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(6, rng=0, dt=net.dt)
    >>> ax = pdn.plot.output_against_target(pdn.simulate(net, trials), trials, show=2)
    >>> ax.get_ylabel()
    'output (dimensionless)'
    """
    output, wanted = _both(sim, trials)
    positions = _positions(trials, show)
    values = output.isel(trial=positions).transpose("trial", "output", "time").values
    target = trials["target"].isel(trial=positions).transpose("trial", "output", "step_time")
    duration = (trials["stop_time"] - trials["start_time"]).values[positions]
    lanes = _lanes(values, target.values)
    width = float(np.clip(0.6 * (duration.sum() + 1), 3.6, 9.0))
    ax = new_axes(ax, figure_size=(width, 1.0 + 1.2 * len(lanes)))
    starts = np.concatenate([[0.0], np.cumsum(duration + _GAP)[:-1]])
    times = output["time"].values, trials["step_time"].values
    counts = _counts(trials, positions)
    for i, start in enumerate(starts):
        ax.axvspan(start, start + duration[i], color=_SHADE, linewidth=0, zorder=0)
        for lane, bottom in enumerate(lanes):
            inside = times[1] < duration[i] - 1e-9
            asked = np.where(inside, target.values[i, lane], np.nan) + bottom
            _draw_target(ax, start + times[1], asked, counts[i])
            color = list(condition_colors(range(len(lanes))).values())[lane]
            ax.plot(start + times[0], values[i, lane] + bottom, color=color, linewidth=LINE_WIDTH)
    _name_trials(ax, wanted.isel(trial=positions), starts + duration / 2)
    _name_lines(ax, len(lanes))
    ax.set_xlim(-_GAP, starts[-1] + duration[-1] + _GAP)
    _label_lanes(ax, lanes)
    ax.set_xlabel("time in trials, side by side (s)")
    ax.set_ylabel("output (dimensionless)")
    return ax


def _both(sim: Any, trials: Any) -> tuple[xr.DataArray, xr.Dataset | xr.DataArray]:
    """Return outputs, and what holds their trial table; refuse what does not fit."""
    wanted = ("target", "mask", "step_time", "start_time", "stop_time")
    if not isinstance(trials, xr.Dataset) or any(name not in trials for name in wanted):
        message = "trials must come from task.sample, with target and mask: is sim given twice?"
        raise TensorError(message)
    output = sim if isinstance(sim, xr.DataArray) else None
    if isinstance(sim, xr.Dataset) and "output" in sim:
        output = sim["output"]
    if output is None or set(output.dims) != {"output", "time", "trial"}:
        message = (
            "output_against_target draws the output (output, time, trial) of pdn.simulate(net, "
            "trials), found none: a Session of spikes has no output"
        )
        raise TensorError(message)
    if not np.array_equal(output["trial"].values, trials["trial"].values):
        message = (
            f"the outputs are of {output.sizes['trial']} trials, the targets of "
            f"{trials.sizes['trial']}, or their ids differ: give the trials that were simulated"
        )
        raise TensorError(message)
    if output.sizes["output"] != trials.sizes["output"]:
        message = (
            f"the network has {output.sizes['output']} outputs, the task {trials.sizes['output']} "
            "targets"
        )
        raise TensorError(message)
    _refuse_other_trials(sim, trials)
    return output, sim


def _refuse_other_trials(sim: xr.Dataset | xr.DataArray, trials: xr.Dataset) -> None:
    """Refuse trials that have the ids of those simulated and are others: events, columns, seed."""
    shared = [
        str(name)
        for name, column in trials.coords.items()
        if column.dims == ("trial",) and name in sim.coords and sim[name].dims == ("trial",)
    ]
    for name in shared:
        one, other = sim[name].to_numpy(), trials[name].to_numpy()
        numbers = one.dtype.kind in "biuf" and other.dtype.kind in "biuf"
        # The clock of a simulation counts in steps and may round otherwise.
        same = (
            np.isclose(one.astype(float), other.astype(float), rtol=0, atol=1e-6, equal_nan=True)
            if numbers
            else one.astype(str) == other.astype(str)
        )
        if not same.all():
            first = int(np.argmin(same))
            message = (
                f"these are not the trials that were simulated: {name} of "
                f"{int((~same).sum())} of {same.size} trials differs, the first of trial "
                f"{trials['trial'].values[first]}, {one[first]} simulated and {other[first]} here"
            )
            raise TensorError(message)


def _positions(trials: xr.Dataset, show: Sequence[Any] | int) -> list[int]:
    """Return the positions of the trials to show."""
    ids = [str(name) for name in trials["trial"].values]
    if isinstance(show, (int, np.integer)):
        if show < 1:
            message = f"show must be at least 1 trial, or ids of trials, found {show!r}"
            raise TensorError(message)
        return list(range(min(int(show), len(ids))))
    missing = [str(name) for name in show if str(name) not in ids]
    if missing or not len(show):
        message = (
            f"show names trials {', '.join(missing) or '(none)'}; there are {len(ids)}: "
            f"{ids[0]} ... {ids[-1]}"
        )
        raise TensorError(message)
    return [ids.index(str(name)) for name in show]


def _lanes(values: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
    """Return where the zero of each output is drawn, the first on top."""
    n_outputs = values.shape[1]
    both = np.concatenate([values.ravel(), target.ravel()])
    both = both[np.isfinite(both)]
    height = 1.15 * float(both.max() - both.min()) if both.size else 1.0
    return [-(height or 1.0) * lane for lane in range(n_outputs)]


def _counts(trials: xr.Dataset, positions: list[int]) -> NDArray[np.bool_]:
    """Tell on which steps of each trial the target counts."""
    mask = trials["mask"].isel(trial=positions).transpose("trial", "step_time").values
    counts: NDArray[np.bool_] = mask > 0
    return counts


def _draw_target(
    ax: Axes, time: NDArray[np.float64], asked: NDArray[np.float64], counts: NDArray[np.bool_]
) -> None:
    """Draw a target, thick where it counts."""
    look: dict[str, Any] = {"color": GUIDE_COLOR, "zorder": 1.5}
    ax.plot(time, asked, linewidth=0.7, linestyle="--", **look)
    ax.plot(time, np.where(counts, asked, np.nan), linewidth=2.6, alpha=0.5, **look)


def _name_trials(ax: Axes, table: xr.Dataset | xr.DataArray, middle: NDArray[np.float64]) -> None:
    """Write the id of each trial above it, with a cross where it was wrong."""
    correct = table["correct"].values if "correct" in table.coords else np.ones(middle.size)
    for name, right, place in zip(table["trial"].values, correct, middle, strict=True):
        text = plain(f"{name}{' ×' if right == 0 else ''}")
        angle = 90 if middle.size > _MOST_LEVEL else 0
        ax.text(
            place, 1.01, text, transform=ax.get_xaxis_transform(), ha="center", va="bottom",
            fontsize=SMALL_FONT_SIZE, rotation=angle,
        )  # fmt: skip


def _name_lines(ax: Axes, n_lanes: int) -> None:
    """Say which line is which."""
    color = next(iter(condition_colors(range(n_lanes)).values()))
    ax.plot([], [], color=color, linewidth=LINE_WIDTH, label="output")
    ax.plot([], [], color=GUIDE_COLOR, linewidth=2.6, alpha=0.5, label="target that counts")
    ax.plot([], [], color=GUIDE_COLOR, linewidth=0.7, linestyle="--", label="target")
    add_legend(ax)


def _label_lanes(ax: Axes, lanes: list[float]) -> None:
    """Put 0 and the number of the output at each lane, where there are several."""
    if len(lanes) == 1:
        ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.5, zorder=0.5)
        return
    for bottom in lanes:
        ax.axhline(bottom, color=GUIDE_COLOR, linewidth=0.5, zorder=0.5)
    ax.set_yticks(lanes, [f"output {i}: 0" for i in range(len(lanes))])
