"""The verdict in words and as a picture: what “estimate” needs, and what of it there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from popdyn.plot.drawable import drawable
from popdyn.plot.labels import error_scale
from popdyn.plot.style import GUIDE_COLOR, SMALL_FONT_SIZE, new_axes, plain

NEEDS = {
    "rmse": "the true stimulus to be rejected, the estimate not, and to fit",
    "alternatives": "the estimate to predict better than bent codes, and these to be rejected",
    "behavior": "behavior to contract",
    "shift": "shared stimuli to shift between the sets as estimates do",
}
"""What the verdict “estimate” needs, by requirement."""
_COLORS = {"met": "#009E73", "not met": "#D55E00", "not seen": GUIDE_COLOR}
_LEVEL = 0.05


def requirements(result: xr.Dataset) -> dict[str, tuple[str, str]]:
    """Say of every requirement whether it is met, and what is in its way.

    Parameters
    ----------
    result : Dataset
        From ``pdn.estimation_test``.

    Returns
    -------
    dict
        By requirement "met", "not met" or "not seen", and why ("" if it is met).

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> estimate = pdn.observer.Production(weber=0.1, prior=stimulus).estimate(stimulus)
    >>> result = pdn.estimation_test(
    ...     3.0 * stimulus, stimulus, estimate, covariance=0.01**2 * np.eye(11)
    ... )
    >>> requirements(result)["rmse"][0], requirements(result)["shift"][1]
    ('not met', 'no two sets that share a stimulus')
    """
    why = {
        "rmse": _rmse, "alternatives": _alternatives, "behavior": _behavior, "shift": _shift,
    }  # fmt: skip
    told = {}
    for name in map(str, result["requirement"].values):
        met = float(result["condition_met"].sel(requirement=name))
        said = "not seen" if np.isnan(met) else "met" if met else "not met"
        told[name] = said, "" if met == 1 else why[name](result, said == "not met")
    return told


def verdict(result: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Write the verdict and which of its four conditions are met.

    Parameters
    ----------
    result : Dataset
        From ``pdn.estimation_test``.
    ax : Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    Axes
        Without axes: for each condition whether it is met, what is needed, and below, what is in
        the way.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = 0.5 + 0.05 * np.arange(11)
    >>> estimate = pdn.observer.Production(weber=0.1, prior=stimulus).estimate(stimulus)
    >>> result = pdn.estimation_test(
    ...     3.0 * estimate.values, stimulus, estimate, covariance=0.01**2 * np.eye(11)
    ... )
    >>> pdn.plot.verdict(result).get_title()
    'verdict: compatible with the estimate'
    """
    result = drawable(result, "verdict", "condition_met")
    ax = new_axes(ax)
    ax.set_axis_off()
    ax.set_title(plain(f"verdict: {result.attrs['verdict']}"), fontsize=SMALL_FONT_SIZE + 1)
    place: dict[str, Any] = {"transform": ax.transAxes, "fontsize": SMALL_FONT_SIZE}
    ax.text(0.23, 1.0, "“estimate” needs", va="top", color=GUIDE_COLOR, **place)
    told = requirements(result)
    for row, (name, (said, why)) in enumerate(told.items()):
        height = 0.86 - 0.88 * row / len(told)
        ax.text(0.0, height, said, va="top", color=_COLORS[said], weight="bold", **place)
        needed = ax.text(0.23, height, NEEDS[name], va="top", **place)
        if why:
            needed.set_text(NEEDS[name] + "\n")
            ax.text(0.23, height, "\n" + why, va="top", color=_COLORS[said], **place)
    return ax


def _rmse(result: xr.Dataset, unmet: bool) -> str:
    if not unmet:
        return "noise leaves too little power to tell"
    p_true, p_estimate, lack = (
        float(result[name]) for name in ("p_true", "p_estimate", "lack_of_fit_p_estimate")
    )
    failed = {
        "the true stimulus is not rejected": not p_true < _LEVEL,
        "the estimate is rejected": p_estimate < _LEVEL,
        "the estimate lacks fit": lack < _LEVEL,
    }
    return ", ".join(words for words, holds in failed.items() if holds)


def _alternatives(result: xr.Dataset, unmet: bool) -> str:
    codes = result["alternative_error"].to_series().drop(["true", "estimate"])
    does = "predicts better" if unmet else "is hardly worse, and not rejected"
    return f"a bent code ({codes.idxmin()}) {does}"


def _behavior(result: xr.Dataset, unmet: bool) -> str:
    del result
    return "the interval of its slope is not below 1" if unmet else "its slope is not known"


def _shift(result: xr.Dataset, unmet: bool) -> str:
    if "set_shift" not in result:
        return "no two sets that share a stimulus"
    if not unmet and float(result["shift_p_none"]) < _LEVEL:
        return "a bent code with a cue for each set may look the same"
    if not unmet:
        return "noise leaves too little power to see a shift"
    if float(result["shift_p_none"]) >= _LEVEL:
        return "no shift is found"
    return f"they shift by {shifts(result)}"


def shifts(result: xr.Dataset) -> str:
    """Say how far shared stimuli shift between two sets, and how far estimates of them do.

    A share of a shift of next to nothing, where behavior does not contract, would tell little.
    """
    factor, units = error_scale(result)
    first, second = (result["set"].values == name for name in np.unique(result["set"].values))
    estimate = result["estimate"].values
    moved = []
    for value in result["shared"].values:
        same = np.isclose(result["stimulus"].values, value)
        moved.append(estimate[second & same].mean() - estimate[first & same].mean())
    # Both in the direction of the estimates.
    expected = factor * abs(float(np.mean(moved)))
    seen = expected * float(result["shift_ratio"])
    return f"{seen:.3g} {units}".strip() + f", estimates by {expected:.3g} {units}".rstrip()
