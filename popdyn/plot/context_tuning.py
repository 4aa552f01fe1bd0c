"""Picture of tuning by context: by how much each group's slopes are multiplied."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.style import GUIDE_COLOR, add_legend, condition_colors, new_axes, plain, set_title


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
        group; dashed at 1 (the context changes nothing), thin at 0 (it turns tuning off).

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
    ax = new_axes(ax)
    conditions = [str(label) for label in result["condition"].values]
    groups = [str(name) for name in result["group"].values]
    columns = [
        (stimulus, number)
        for stimulus in range(result.sizes["stimulus"])
        for number in range(1, len(conditions))
    ]
    gain, bound = result["gain_ratio"].values, result["gain_ratio_bound"].values
    colors = condition_colors(groups)
    offsets = np.linspace(-0.2, 0.2, len(groups)) if len(groups) > 1 else [0.0]
    for row, (group, offset) in enumerate(zip(groups, offsets, strict=True)):
        found = np.array([gain[row, stimulus, number] for stimulus, number in columns])
        lower, upper = (
            np.array([side[row, stimulus, number] for stimulus, number in columns])
            for side in bound
        )
        ax.errorbar(
            np.arange(len(columns)) + offset,
            found,
            [found - lower, upper - found],
            fmt="o",
            markersize=4,
            color=colors[group],
            label=plain(f"{group} ({int(result['n_neurons'][row])})"),
        )
    ax.axhline(1, color=GUIDE_COLOR, linewidth=0.8, linestyle="--", zorder=0.5)
    ax.axhline(0, color=GUIDE_COLOR, linewidth=0.8, zorder=0.5)
    stimuli = [str(name) for name in result["stimulus"].values]
    several = len(conditions) > 2  # noqa: PLR2004
    labels = [
        f"{stimuli[stimulus]}\nin {conditions[number]}" if several else stimuli[stimulus]
        for stimulus, number in columns
    ]
    ax.set_xticks(np.arange(len(columns)), [plain(label) for label in labels])
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylabel(plain(f"slopes, times those in {conditions[0]}"))
    if not several and len(conditions) > 1:
        set_title(ax, f"in {conditions[1]}")
    add_legend(ax, "group (neurons)")
    return ax
