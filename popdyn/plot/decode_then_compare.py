"""Draw stimuli that a line found elsewhere reads from distances."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.labels import ESTIMATE_COLOR, TRUE_COLOR, error_entry, known_label, known_unit
from popdyn.plot.style import LINE_WIDTH, add_legend, new_axes


def decode_then_compare(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw what distances say by a line from elsewhere, beside the true stimulus and the estimate.

    Parameters
    ----------
    result : Dataset
        From ``pdn.decode_then_compare``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Points are decoded, with their 95 % interval if there are draws; the line is the true
        stimulus, dashes are estimates; the legend has the error to either.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> estimate = pdn.observer.Production(weber=0.1, prior=stimulus).estimate(stimulus)
    >>> result = pdn.decode_then_compare(
    ...     (3.0 * stimulus, stimulus), 3.0 * estimate.values, stimulus, estimate,
    ...     covariance=1e-6 * np.eye(11),
    ... )
    >>> pdn.show(result).get_ylabel()
    'decoded stimulus'
    """
    result = drawable(result, "decode_then_compare", "decoded", "estimate")
    ax = new_axes(ax)
    shown = result["stimulus"].to_numpy()
    ends = np.array([shown.min(), shown.max()])
    true, estimate = (error_entry(result, name) for name in ("true", "estimate"))
    ax.plot(ends, ends, color=TRUE_COLOR, linewidth=LINE_WIDTH, label=true)
    ax.plot(
        shown, result["estimate"], "_", color=ESTIMATE_COLOR, markersize=9, markeredgewidth=1.8,
        label=estimate,
    )  # fmt: skip
    if "decoded_bound" in result:
        bounds = result["decoded_bound"].transpose("bound", "condition").to_numpy()
        ax.vlines(shown, *bounds, color="black", linewidth=0.8)
    ax.plot(shown, result["decoded"], "o", color="black", markersize=3, label="decoded")
    units = known_unit(result["decoded"])
    ax.set_xlabel(known_label("stimulus", units))
    ax.set_ylabel(known_label("decoded stimulus", units))
    add_legend(ax)
    return ax
