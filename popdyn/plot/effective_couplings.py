"""Draw the effective circuit of a low-rank network, one diagram a condition."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch

from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    FONT_SIZE,
    GUIDE_COLOR,
    NULL_COLOR,
    SMALL_FONT_SIZE,
    condition_colors,
    new_axes,
    plain,
)

_RADIUS = 0.28
# Of a diagram and of a row of circles, in units of the axes.
_WIDTH, _ROW = 3.6, 1.1
_THICKEST = 1.8
# Couplings below this share of the largest are drawn as thin gray lines.
_FAINT = 0.05


def effective_couplings(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw who drives which latent: an arrow for each coupling, side by side for each condition.

    Parameters
    ----------
    result : Dataset
        From ``pdn.dynamics.effective_couplings``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Circles on the left are inputs, on the right latents.  Arrows are as thick as the coupling
        is strong, against the strongest of all conditions, and say its value; blue ones excite,
        orange ones inhibit.  Below each diagram stands the mean slope of each population.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(300, n_inputs=2)
    >>> circuit = pdn.dynamics.effective_couplings(net, {"off": [0, 0], "on": [0, 2]})
    >>> len(pdn.show(circuit).texts) > 4
    True
    """
    result = drawable(result, "effective_couplings", "coupling", "gain")
    conditions = [str(name) for name in result["condition"].to_numpy()]
    sources = [str(name) for name in result["source"].to_numpy()]
    latents = [str(name) for name in result["latent"].to_numpy()]
    shown = [name for name in sources if name != "bias"]
    half = _ROW * max(len(latents), len(shown) - len(latents)) / 2
    size = (0.2 + 2.4 * len(conditions), 0.6 + 1.4 * half)
    ax = new_axes(ax, figure_size=size)
    largest = float(np.abs(result["coupling"].sel(source=shown)).max())
    for column, condition in enumerate(conditions):
        one = result.sel(condition=condition)
        places = _places(shown, latents, column * _WIDTH)
        for name, place in places.items():
            is_latent = name in latents
            face = "#FFFFFF" if is_latent else "#F0F0F0"
            ax.add_patch(Circle(place, _RADIUS, facecolor=face, edgecolor=GUIDE_COLOR, zorder=3))
            letter = "κ" if is_latent else "u"
            text = f"{letter}{name.rpartition(' ')[2]}"
            ax.text(*place, text, ha="center", va="center", fontsize=FONT_SIZE, zorder=4)
        for target in latents:
            for source in shown:
                value = float(one["coupling"].sel(latent=target, source=source))
                _arrow(ax, places, source, target, value, largest)
        gains = ", ".join(
            f"{name} {float(one['gain'].sel(population=name)):.2f}"
            for name in one["population"].to_numpy()
        )
        middle = column * _WIDTH + 1.0
        ax.text(middle, half + 0.15, plain(condition), ha="center", fontsize=FONT_SIZE)
        ax.text(middle, -half - 0.3, plain(f"gain: {gains}"), ha="center", fontsize=SMALL_FONT_SIZE)
    ax.set_xlim(-0.6, len(conditions) * _WIDTH - 0.5)
    ax.set_ylim(-half - 0.5, half + 0.5)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _places(shown: list[str], latents: list[str], left: float) -> dict[str, tuple[float, float]]:
    """Return where the circles are: inputs on the left, latents on the right."""
    inputs = [name for name in shown if name not in latents]
    places = {}
    for names, x in ((inputs, left), (latents, left + 1.9)):
        for row, name in enumerate(names):
            places[name] = (x, _ROW * ((len(names) - 1) / 2 - row))
    return places


def _arrow(
    ax: Axes,
    places: dict[str, tuple[float, float]],
    source: str,
    target: str,
    value: float,
    largest: float,
) -> None:
    """Draw a coupling: straight from an input, bent between latents, a loop onto itself."""
    colors = condition_colors(["excites", "inhibits"])
    color = colors["excites" if value > 0 else "inhibits"]
    strength = abs(value) / largest if largest > 0 else 0.0
    color = color if strength >= _FAINT else NULL_COLOR
    start, end = np.array(places[source]), np.array(places[target])
    bend = 0.0 if source.startswith("input") else 0.35
    if source == target:
        label, bend = start + [0.92, 0.0], 1.6
        start, end = start + [0.2, -0.2], end + [0.2, 0.2]
    else:
        along = (end - start) / np.linalg.norm(end - start)
        across = np.array([-along[1], along[0]])
        label = start + 0.42 * (end - start) + across * (0.16 if bend == 0 else -0.42)
        start, end = start + _RADIUS * along, end - _RADIUS * along
    arrow = FancyArrowPatch(
        tuple(start),
        tuple(end),
        arrowstyle="-|>",
        mutation_scale=8,
        connectionstyle=f"arc3,rad={bend}",
        color=color,
        linewidth=0.5 + _THICKEST * strength,
        shrinkA=0,
        shrinkB=0,
    )
    ax.add_patch(arrow)
    if strength >= _FAINT:
        words = {"ha": "center", "va": "center", "fontsize": SMALL_FONT_SIZE}
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        ax.text(
            label[0], label[1], f"{value:.2f}", color=color, zorder=5, fontdict=words, bbox=behind
        )  # fmt: skip
