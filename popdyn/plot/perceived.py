"""Pictures of a comparison from behavior on: observers in all sets, stimuli told by distances."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.labels import ESTIMATE_COLOR, TRUE_COLOR, error_entry, known_label, known_unit
from popdyn.plot.observer import discrimination_observer, production_observer
from popdyn.plot.ordered import set_looks
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    add_legend,
    new_axes,
    plain,
)

_MARKER_SIZE = 4.0


def behavior(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw what was done and what the fitted observer would do, in all stimulus sets.

    Parameters
    ----------
    result : Dataset
        The step ``behavior`` of a comparison.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        As `production_observer` or `discrimination_observer` draws each set; slopes of the sets
        are in the title.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> observer = pdn.observer.Production(
    ...     weber=0.1, motor_weber=0.08, prior=("uniform", 0.5, 1.0)
    ... )
    >>> table = observer.simulate({"stimulus": np.tile([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], 20)})
    >>> tensor = pdn.make_tensor(np.zeros((1, 2, 120)), [0.0, 0.1], table, align="set_time")
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pdn.save(tensor, f"{folder}/a.nc")
    ...     tree = pdn.compare({
    ...         "alignment": {"window": [-0.05, 0.15], "bin_width": 0.1},
    ...         "conditions": {"by": "stimulus"},
    ...         "analyses": {"behavior": {"n_draws": 10}},
    ...         "source": [
    ...             {"id": "a", "kind": "tensor", "path": f"{folder}/a.nc", "align": "set_time"}
    ...         ],
    ...     })
    >>> pdn.plot.behavior(tree["sources/a/behavior"].to_dataset()).get_xlabel()
    'stimulus'
    """
    result = drawable(result, "behavior", "slope", "estimate")
    ax = new_axes(ax)
    draw = production_observer if result.attrs["kind"] == "production" else discrimination_observer
    for name in result["set"].values:
        own = result.sel(set=name)
        for dim, variable in (("stimulus", "estimate"), ("pair", "share")):
            if dim in own.dims:
                own = own.isel({dim: np.flatnonzero(np.isfinite(own[variable].values))})
        draw(own.assign_attrs(method=draw.__name__), ax=ax)
    # Every set brought the same entries.
    handles, labels = ax.get_legend_handles_labels()
    first = {label: handle for handle, label in reversed(list(zip(handles, labels, strict=True)))}
    ordered = list(dict.fromkeys(labels))
    ax.legend([first[one] for one in ordered], ordered, frameon=False, fontsize=SMALL_FONT_SIZE)
    names = [str(name) for name in result["set"].values]
    slopes = [f"{float(slope):.2f}" for slope in result["slope"].values]
    several = len(names) > 1
    told = [f"{s} ({name})" if several else s for name, s in zip(names, slopes, strict=True)]
    ax.set_title(plain(f"slope {', '.join(told)}"), fontsize=SMALL_FONT_SIZE)
    return ax


def decoded(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the stimuli that distances tell, beside the true ones and the estimates.

    Parameters
    ----------
    result : Dataset
        From ``pdn.estimation_test``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Lines are the true stimulus (blue) and the estimate (orange), points what a straight line
        makes of the distances if they tell the one or the other; the legend has the raw errors.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> estimate = pdn.observer.Production(weber=0.1, prior=stimulus).estimate(stimulus)
    >>> result = pdn.estimation_test(
    ...     3.0 * estimate.values, stimulus, estimate, covariance=0.01**2 * np.eye(11)
    ... )
    >>> pdn.plot.decoded(result).get_xlabel()
    'stimulus'
    """
    result = drawable(result, "estimation_test", "decoded_true", "decoded_estimate")
    ax = new_axes(ax)
    shown = result["stimulus"].to_numpy()
    units = known_unit(result["stimulus"])
    sets = result["set"].values.astype(str) if "set" in result.coords else np.full(shown.size, "")
    looks = set_looks(sets.tolist())
    targets = {
        "true": (shown, TRUE_COLOR),
        "estimate": (result["estimate"].values, ESTIMATE_COLOR),
    }
    for name, (target, color) in targets.items():
        for position, (one, (_, marker)) in enumerate(looks.items()):
            own = np.flatnonzero(sets == one)
            own = own[np.argsort(shown[own])]
            ax.plot(shown[own], target[own], color=color, linewidth=LINE_WIDTH)
            ax.plot(
                shown[own], result[f"decoded_{name}"].values[own], marker, color=color,
                markersize=_MARKER_SIZE, fillstyle="none" if position else "full",
                label=error_entry(result, name) if position == 0 else None,
            )  # fmt: skip
    for set_label, quantity in ((ax.set_xlabel, "stimulus"), (ax.set_ylabel, "told by distances")):
        set_label(known_label(quantity, units))
    for position, (one, (_, marker)) in enumerate(looks.items() if len(looks) > 1 else ()):
        ax.plot(
            [], [], marker, color=GUIDE_COLOR, markersize=_MARKER_SIZE, label=plain(one),
            fillstyle="none" if position else "full",
        )  # fmt: skip
    add_legend(ax)
    return ax
