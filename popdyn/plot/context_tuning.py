"""Picture of tuning by context: by how much each group's slopes are multiplied."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    FIGURE_SIZE,
    GUIDE_COLOR,
    SMALL_FONT_SIZE,
    add_legend,
    condition_colors,
    new_axes,
    plain,
    set_title,
)

_LETTERS_UP = 30  # fit beside axes of the usual height
# Inch: a letter and a line of a column's name, what is beside the axes, and the widest columns.
_LETTER, _LINE, _BESIDE, _MOST_ACROSS = 0.058, 0.12, 1.7, 9.0


def context_tuning(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the gain of each group's slopes in each context, relative to the first context.

    Parameters
    ----------
    result : Dataset
        From ``popdyn.context_tuning``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Gain ratio with its 95 % interval over neurons, by stimulus and context, a color for each
        group; dashed at 1 (the context changes nothing), thin at 0 (it turns tuning off).  Words
        say where no group is tuned in the first context.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> rng = np.random.default_rng(0)
    >>> motion, context = np.tile([-1.0, 1.0], 40), np.repeat([0, 1], 40)
    >>> values = 20 + rng.normal(size=(30, 1, 1)) * motion + rng.normal(size=(30, 1, 80))
    >>> tensor = pdn.make_tensor(values, [0.0], {"motion": motion, "context": context},
    ...                          bin_width=0.1)
    >>> result = pdn.context_tuning(tensor, ["motion"], n_draws=100)
    >>> pdn.plot.context_tuning(result).get_ylabel()
    'slopes, times those in 0'
    """
    result = drawable(result, "context_tuning", "gain_ratio", "gain_ratio_bound")
    conditions = [str(label) for label in result["condition"].values]
    groups = [str(name) for name in result["group"].values]
    columns = [
        (stimulus, number)
        for stimulus in range(result.sizes["stimulus"])
        for number in range(1, len(conditions))
    ]
    stimuli = [str(name) for name in result["stimulus"].values]
    several = len(conditions) > 2  # noqa: PLR2004
    labels = [
        plain(stimuli[stimulus] + (f"\nin {conditions[number]}" if several else "")).replace(
            ", ", ",\n"
        )
        for stimulus, number in columns
    ]
    ax, upright = _with_room(ax, labels)
    gain, bound = result["gain_ratio"].values, result["gain_ratio_bound"].values
    colors = condition_colors(groups)
    offsets = np.linspace(-0.2, 0.2, len(groups)) if len(groups) > 1 else [0.0]
    for row, (group, offset) in enumerate(zip(groups, offsets, strict=True)):
        found = np.array([gain[row, stimulus, number] for stimulus, number in columns])
        lower, upper = (
            np.array([side[row, stimulus, number] for stimulus, number in columns])
            for side in bound
        )
        place = np.arange(len(columns)) + offset
        ax.vlines(place, lower, upper, color=colors[group])
        name = plain(f"{group} ({int(result['n_neurons'][row])})")
        ax.plot(place, found, "o", markersize=4, color=colors[group], label=name)
    ax.axhline(1, color=GUIDE_COLOR, linewidth=0.8, linestyle="--", zorder=0.5)
    ax.axhline(0, color=GUIDE_COLOR, linewidth=0.8, zorder=0.5)
    ax.set_xticks(np.arange(len(columns)), labels, rotation=90 if upright else 0)
    ax.set_xlim(-0.5, max(len(columns), 1) - 0.5)
    ax.set_ylabel(plain(fill(f"slopes, times those in {conditions[0]}", _LETTERS_UP)))
    if not several and len(conditions) > 1:
        set_title(ax, f"in {conditions[1]}")
    _say_untuned(ax, [np.isnan(gain[:, s, number]).all() for s, number in columns], conditions[0])
    add_legend(ax, "group (neurons)")
    return ax


def _with_room(ax: Axes | None, labels: list[str]) -> tuple[Axes, bool]:
    """Return axes whose columns' names do not overprint, and whether these have to be upright."""
    lines = [line for label in labels for line in label.split("\n")]
    longest = max(map(len, lines), default=0)
    across = _LETTER * (longest + 2) * len(labels)
    if ax is not None:
        figure = ax.get_figure(root=True)
        width = 1.0 if figure is None else figure.get_figwidth()
        return ax, across > ax.get_position().width * width
    width, height = FIGURE_SIZE
    if across > _MOST_ACROSS:
        return new_axes(figure_size=(_MOST_ACROSS, height + _LETTER * longest)), True
    more = _LINE * (len(lines) / max(len(labels), 1) - 1)
    return new_axes(figure_size=(max(width, across + _BESIDE), height + more)), False


def _say_untuned(ax: Axes, untuned: list[bool], first: str) -> None:
    """Write why there is nothing to see where no group has a ratio."""
    where = ax.get_xaxis_transform()
    if not untuned:
        untuned, why = [True], "one context only"
    else:
        why = f"no tuning beyond errors in {first}"
    whole = all(untuned)
    places = [(len(untuned) - 1) / 2] if whole else np.flatnonzero(untuned).tolist()
    for place in places:
        ax.text(
            place,
            0.5,
            plain(fill(why, _LETTERS_UP)),
            transform=where,
            rotation=0 if whole else 90,
            ha="center",
            va="center",
            fontsize=SMALL_FONT_SIZE,
            color=GUIDE_COLOR,
        )
