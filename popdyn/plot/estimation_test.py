"""Draw what distances say of the stimulus: decoded values, errors, codes, and the verdict."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.errors import TensorError
from popdyn.plot.drawable import drawable
from popdyn.plot.labels import (
    ESTIMATE_COLOR,
    TRUE_COLOR,
    error_entry,
    error_scale,
    known_label,
    known_unit,
)
from popdyn.plot.ordered import set_looks
from popdyn.plot.style import (
    GUIDE_COLOR,
    LINE_WIDTH,
    SMALL_FONT_SIZE,
    add_legend,
    new_axes,
    plain,
)

Part = Literal["distance", "errors", "null", "codes", "shift"]
_MARKER_SIZE = 4.0


def estimation_test(result: xr.Dataset, *, of: Part = "distance", ax: Axes | None = None) -> Axes:
    """Draw one side of the test between stimulus and estimate.

    Parameters
    ----------
    result : Dataset
        From ``pdn.estimation_test``.
    of : {"distance", "errors", "null", "codes", "shift"}, default "distance"
        Mean distances against the stimulus, with the lines both hypotheses draw through them;
        the raw errors of both, with their bootstrap draws; the difference of the normalized
        errors among those of data sets that follow the one or the other; cross-validated errors
        of bent codes; or the shift between two stimulus sets.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Blue is the true stimulus, orange the estimate.  The verdict is the title.

    Raises
    ------
    TensorError
        If this is no result of the test, or ``of`` is unknown or was not computed.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> estimate = 0.75 + 0.2 * np.tanh(4.0 * (stimulus - 0.75))
    >>> result = pdn.estimation_test(estimate, stimulus, estimate, covariance=1e-5 * np.eye(11))
    >>> pdn.plot.estimation_test(result, of="null").get_xlabel()
    'normalized error, true less estimate'
    """
    draw = {
        "distance": _distance, "errors": _errors, "null": _null, "codes": _codes, "shift": _shift,
    }  # fmt: skip
    if of not in draw:
        message = f"of must be one of {', '.join(map(repr, draw))}, found {of!r}"
        raise TensorError(message)
    result = drawable(result, "estimation_test", "rmse_true", "condition_met")
    ax = draw[of](result, new_axes(ax))
    ax.set_title(f"verdict: {result.attrs['verdict']}", fontsize=SMALL_FONT_SIZE)
    return ax


def estimation_tests(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw both normalized errors of every network or session, and of the control.

    Parameters
    ----------
    result : Dataset
        From ``pdn.pool_estimation_tests``.
    ax : Axes, optional
        Axes to draw on.

    Returns
    -------
    Axes
        Above the dashed line the estimate is closer.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> estimate = 0.75 + 0.2 * np.tanh(4.0 * (stimulus - 0.75))
    >>> found = {}
    >>> for seed in range(6):
    ...     noisy = estimate + np.random.default_rng(seed).normal(0.0, 0.003, 11)
    ...     found[str(seed)] = pdn.estimation_test(
    ...         noisy, stimulus, estimate, covariance=9e-6 * np.eye(11)
    ...     )
    >>> ax = pdn.plot.estimation_tests(pdn.pool_estimation_tests(found))
    """
    result = drawable(result, "estimation_tests", "error_difference", "wilcoxon_p")
    ax = new_axes(ax)
    rows = [("sources", result["error_difference"], ESTIMATE_COLOR)]
    if "control_difference" in result:
        rows.append(("control", result["control_difference"], GUIDE_COLOR))
    for position, (_, values, color) in enumerate(rows):
        own = values.sel(measure="nrmse").to_numpy()
        place = position + np.linspace(-0.15, 0.15, own.size)
        ax.plot(place, own, "o", color=color, markersize=_MARKER_SIZE)
        ax.plot([position - 0.25, position + 0.25], [own.mean()] * 2, color=color)
    ax.axhline(0.0, color=GUIDE_COLOR, linewidth=LINE_WIDTH / 2, linestyle="--")
    ax.set_xticks(range(len(rows)), [name for name, _, _ in rows])
    ax.set_xlim(-0.6, len(rows) - 0.4)
    ax.set_ylabel("normalized error,\ntrue less estimate")
    p = float(result["wilcoxon_p"].sel(measure="nrmse"))
    ax.set_title(f"Wilcoxon p = {p:.2g}", fontsize=SMALL_FONT_SIZE)
    return ax


def _distance(result: xr.Dataset, ax: Axes) -> Axes:
    """Mean distances, and what each hypothesis makes of them."""
    distance = result["mean_distance"].to_numpy()
    stimulus, estimate = result["stimulus"].to_numpy(), result["estimate"].to_numpy()
    sets = result["set"].values if "set" in result.coords else np.full(stimulus.size, "")
    looks = set_looks(sets.tolist())
    for position, (name, (_, marker)) in enumerate(looks.items()):
        own = np.flatnonzero(sets == name)
        own = own[np.argsort(stimulus[own])]
        label = "distance" if len(looks) == 1 else f"distance, {name}"
        ax.plot(
            stimulus[own], distance[own], marker, color="black", markersize=_MARKER_SIZE,
            fillstyle="full" if position == 0 else "none", label=plain(label),
        )  # fmt: skip
        for target, color, text in (
            (stimulus, TRUE_COLOR, "true"),
            (estimate, ESTIMATE_COLOR, "estimate"),
        ):
            slope = float(result[f"slope_{text}"])
            line = distance.mean() + slope * (target - target.mean())
            ax.plot(
                stimulus[own], line[own], color=color, linewidth=LINE_WIDTH,
                label=error_entry(result, text) if position == 0 else None,
            )  # fmt: skip
    ax.set_xlabel(known_label("stimulus", known_unit(result["stimulus"])))
    ax.set_ylabel(known_label("mean distance", known_unit(result["mean_distance"])))
    add_legend(ax)
    return ax


def _errors(result: xr.Dataset, ax: Axes) -> Axes:
    """Histograms of raw errors, and the errors themselves."""
    factor, units = error_scale(result)
    for name, color in (("true", TRUE_COLOR), ("estimate", ESTIMATE_COLOR)):
        if f"draw_rmse_{name}" in result:
            drawn = factor * result[f"draw_rmse_{name}"].to_numpy()
            ax.hist(drawn, bins=30, color=color, alpha=0.5, linewidth=0)
        ax.axvline(factor * float(result[f"rmse_{name}"]), color=color, label=name)
    ax.set_xlabel(known_label("raw RMSE", units or "units of the stimulus"))
    ax.set_ylabel("bootstrap draws")
    add_legend(ax)
    return ax


def _null(result: xr.Dataset, ax: Axes) -> Axes:
    """Difference of normalized errors, seen and as either hypothesis makes it."""
    for name, color in (("true", TRUE_COLOR), ("estimate", ESTIMATE_COLOR)):
        drawn = result[f"null_difference_{name}"].to_numpy()
        label = f"if {name} (p = {float(result[f'p_{name}']):.2g})"
        ax.hist(drawn, bins=40, color=color, alpha=0.5, linewidth=0, label=label)
    ax.axvline(float(result["nrmse_difference"]), color="black", label="seen")
    ax.set_xlabel("normalized error, true less estimate")
    ax.set_ylabel("simulated data sets")
    add_legend(ax)
    return ax


def _codes(result: xr.Dataset, ax: Axes) -> Axes:
    """Cross-validated errors of all codes."""
    factor, units = error_scale(result)
    names = [str(name) for name in result["alternative"].to_numpy()]
    values = factor * result["alternative_error"].to_numpy()
    special = {"true": TRUE_COLOR, "estimate": ESTIMATE_COLOR}
    colors = [special.get(name, GUIDE_COLOR) for name in names]
    ax.barh(range(len(names)), values, color=colors, height=0.7)
    ax.axvline(values[names.index("estimate")], color=ESTIMATE_COLOR, linewidth=LINE_WIDTH / 2)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlabel(known_label("cross-validated error", units or "units of the stimulus"))
    return ax


def _shift(result: xr.Dataset, ax: Axes) -> Axes:
    """Shift of shared stimuli between both sets, as seen and as the estimate shifts."""
    if "set_shift" not in result:
        message = "there is one stimulus set here, and no shift between two"
        raise TensorError(message)
    shared = result["shared"].to_numpy()
    ax.axhline(0.0, color=TRUE_COLOR, linewidth=LINE_WIDTH, label="true: no shift")
    ax.plot(
        shared, result["expected_set_shift"].to_numpy(), ".-", color=ESTIMATE_COLOR,
        linewidth=LINE_WIDTH, label=f"estimate (power {float(result['shift_power']):.2f})",
    )  # fmt: skip
    seen = f"seen (p = {float(result['shift_p_none']):.2g})"
    ax.plot(
        shared, result["set_shift"].to_numpy(), "o", color="black", markersize=_MARKER_SIZE,
        label=seen,
    )  # fmt: skip
    ax.set_xlabel(known_label("shared stimulus", known_unit(result["stimulus"])))
    ax.set_ylabel(known_label("shift of distance", known_unit(result["set_shift"])))
    add_legend(ax)
    return ax
