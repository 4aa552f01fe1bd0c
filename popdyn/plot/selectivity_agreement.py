"""Draw how groups of selectivity agree between sources, and which belong together."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.style import (
    GUIDE_COLOR,
    SMALL_FONT_SIZE,
    add_legend,
    condition_colors,
    new_axes,
    plain,
    set_title,
)

_LEAST_P = 0.001
# Dark cells have white letters.
_DARK = 0.55
# Letters of a row of names.
_LINE = 36
# Seen on light and dark cells.
_FRAME = "#D55E00"


def selectivity_agreement(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the agreement of each pair of sources, with its p, beside that of halves.

    Parameters
    ----------
    result : Dataset
        From ``pdn.selectivity_agreement``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Above the diagonal: the agreement of all neurons, its p and that of transfer; below: that of
        halves of the neurons, and on it, framed, that of two halves of one source.  Darker is more.

    Raises
    ------
    TensorError
        If this is no such result.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> first, second = np.random.default_rng(0).normal(size=(2, 60, 3))
    >>> result = pdn.selectivity_agreement({"network": first, "M2": second}, 2, n_draws=19)
    >>> pdn.plot.selectivity_agreement(result).get_title().splitlines()[0]
    'agreement of 2 groups, its p, p of transfer (t);'
    """
    result = drawable(
        result, "selectivity_agreement", "agreement", "half_agreement", "p", "transfer_p"
    )
    names = [plain(name) for name in result["source"].values]
    upper = np.triu(np.ones((len(names), len(names)), dtype=bool), 1)
    agreement = result["agreement"].transpose("source", "source_2").to_numpy()
    halves = result["half_agreement"].transpose("source", "source_2").to_numpy()
    shown = np.where(upper, agreement, halves)
    side = 0.9 * len(names) + 1.2
    ax = new_axes(ax, figure_size=(side + 0.6, side))
    ax.imshow(shown, cmap="Greys", vmin=0.0, vmax=1.0)
    for (i, j), value in np.ndenumerate(shown):
        text = f"{round(value, 2) + 0.0:.2f}".replace("-", "\N{MINUS SIGN}")
        ax.text(
            j, i, f"{text}\n{_p_texts(result, i, j)}" if upper[i, j] else text,
            ha="center", va="center", fontsize=SMALL_FONT_SIZE,
            color="white" if value > _DARK else "black",
        )  # fmt: skip
        if i == j:
            ax.add_patch(
                Rectangle((i - 0.48, i - 0.48), 0.96, 0.96, fill=False, linewidth=1.5, color=_FRAME)
            )
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    n = int(result["n_clusters"])
    ax.set_title(
        f"agreement of {n} groups, its p, p of transfer (t);\n"
        "below the diagonal: of halves of the neurons",
        fontsize=SMALL_FONT_SIZE,
    )
    return ax


def matched_centers(
    result: xr.Dataset, source: str, source_2: str, *, ax: Axes | None = None
) -> Axes:
    """Draw the centers of the groups of two sources, partners in one color.

    Parameters
    ----------
    result : Dataset
        From ``pdn.selectivity_agreement``.
    source, source_2 : str
        Two of its sources.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        For each feature, in standard deviations of the neurons: filled the first source, open its
        partners in the second one.  The legend names both and the cosine of their centers.

    Raises
    ------
    TensorError
        If this is no such result, or it has no such source.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> first, second = np.random.default_rng(0).normal(size=(2, 60, 3))
    >>> result = pdn.selectivity_agreement({"network": first, "M2": second}, 2, n_draws=19)
    >>> pdn.plot.matched_centers(result, "network", "M2").get_title()
    'groups of network (filled) and M2 (open)'
    """
    result = drawable(result, "matched_centers", "center", "partner", "center_cosine")
    names = [str(name) for name in result["source"].values]
    for name in (source, source_2):
        if name not in names:
            message = f"source must be one of {', '.join(map(repr, names))}, found {name!r}"
            raise TensorError(message)
    if source == source_2:
        message = f"source and source_2 must be two sources, found {source!r} twice"
        raise TensorError(message)
    ax = new_axes(ax)
    pair = result.sel(source=source, source_2=source_2)
    features = np.arange(result.sizes["feature"])
    colors = condition_colors(result["cluster"].values)
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=0.8, linestyle="--")
    for i, (cluster, color) in enumerate(colors.items()):
        other = str(pair["partner"].values[i])
        center = result["center"].sel(source=source, cluster=cluster).values
        matched = result["center"].sel(source=source_2, cluster=other).values
        place = features + 0.5 * ((i + 0.5) / len(colors) - 0.5)
        cosine = f"{float(pair['center_cosine'][i]):.2f}".replace("-", "\N{MINUS SIGN}")
        ax.vlines(place, center, matched, color=color, linewidth=0.8)
        ax.plot(place, matched, "o", color=color, markersize=5, markerfacecolor="white")
        ax.plot(
            place, center, "o", color=color, markersize=4,
            label=f"{cluster} and {other}, cosine {cosine}",
        )  # fmt: skip
    named = [plain(name) for name in result["feature"].values]
    # Of one line, names as long as this would run into each other.
    crowded = max(map(len, named)) * len(named) > _LINE
    ax.set_xticks(
        features, named, rotation=90 if crowded else 0, fontsize=SMALL_FONT_SIZE,
    )  # fmt: skip
    ax.set_xlabel("feature")
    ax.set_ylabel("center (SD)")
    set_title(ax, f"groups of {source} (filled) and {source_2} (open)")
    add_legend(ax)
    return ax


def _p_texts(result: xr.Dataset, i: int, j: int) -> str:
    """Write p of agreement, and that of transfer."""
    of_both = [float(result[name][i, j]) for name in ("p", "transfer_p")]
    written = [f"= {p:.2g}" if p >= _LEAST_P else f"< {_LEAST_P:g}" for p in of_both]
    return "p {}\nt: p {}".format(*written)
