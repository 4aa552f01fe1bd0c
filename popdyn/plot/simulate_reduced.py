"""Draw the latents of a network and of its reduction over time."""

from __future__ import annotations

import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    LINE_WIDTH,
    add_legend,
    axis_label,
    condition_colors,
    condition_styles,
    new_axes,
    set_title,
    window_limits,
)


def simulate_reduced(
    result: xr.Dataset, latent: int = 0, n_trials: int = 5, *, ax: Axes | None = None
) -> Axes:
    """Draw a latent of the network, and dashed that of the reduction, in the first trials.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.simulate_reduced``.
    latent : int
        Which, counted from 0.
    n_trials : int
        How many trials.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Their distance over all trials is in the title.

    Raises
    ------
    TensorError
        If this is no such result, or there is no such latent.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(500)
    >>> trials = pdn.tasks.PerceptualDecision().sample(3, rng=0, dt=net.dt)
    >>> pdn.show(pdn.dynamics.simulate_reduced(net, trials)).get_xlabel()
    'time (s)'
    """
    result = drawable(result, "simulate_reduced", "network_latent", "reduced_latent")
    if not 0 <= latent < result.sizes["latent"]:
        message = f"there are {result.sizes['latent']} latents, counted from 0; found {latent!r}"
        raise TensorError(message)
    ax = new_axes(ax)
    one = result.isel(latent=latent, trial=slice(n_trials))
    ids = [str(name) for name in one["trial"].to_numpy()]
    colors, styles = condition_colors(ids), condition_styles(["network", "reduced"])
    styles["reduced"] = "--"
    for place, trial in enumerate(ids):
        for whose in ("network", "reduced"):
            ax.plot(
                one["time"], one[f"{whose}_latent"].isel(trial=place), styles[whose],
                color=colors[trial], linewidth=LINE_WIDTH, label=None if place else whose,
            )  # fmt: skip
    window_limits(ax, result)
    ax.set_xlabel("time (s)")
    ax.set_ylabel(axis_label(str(one["latent"].item()), "1"))
    set_title(ax, f"relative distance {float(one['latent_distance']):.3f}")
    add_legend(ax)
    return ax
