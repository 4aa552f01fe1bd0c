"""Compare the distance of one and the same stimulus between the sets it was presented in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from popdyn.analysis.distance_draws import mean_known
from popdyn.analysis.trials import Array
from popdyn.errors import FitError, TensorError
from popdyn.resample import BOUND, percentile_bounds
from popdyn.tensor.result import make_result


def judged_distance(result: xr.Dataset) -> tuple[Array, Array | None]:
    """Mean distances that are compared with stimuli, and their draws.

    Along the axis of the conditions where a result has them: chords hold whatever else tells two
    sets apart, a cue, and noise makes them longer, those next to the reference most of all.

    The axis follows noise of the set it is found in: this widens that set and shortens the other.
    Draws do so once more, so that what they add is taken from the mean, and they from themselves.

    Returns
    -------
    mean : ndarray, shape (condition,)
    draws : ndarray, shape (draw, condition), or None
        Around ``mean``.
    """
    name = "mean_axis_distance" if "mean_axis_distance" in result else "mean_distance"
    mean = result[name].to_numpy().astype(np.float64)
    if f"draw_{name}" not in result:
        return mean, None
    draws = result[f"draw_{name}"].transpose("draw", "condition").to_numpy()
    if name == "mean_distance":
        return mean, draws
    added = mean_known(draws, axis=0) - mean
    return mean - added, draws - 2.0 * added


def distance_shift(first: xr.Dataset, second: xr.Dataset | None = None) -> xr.Dataset:
    """Compare mean distances between two stimulus sets at the stimuli they share.

    What is coded as it was presented lies at the same place in both sets; what is coded as it is
    perceived shifts with the prior.  Compared are distances along the axis of the reference's set
    (``mean_axis_distance``), as a cue that tells the sets apart moves states in other directions,
    less what noise adds to them as told by their draws.

    Parameters
    ----------
    first : Dataset
        From `popdyn.relative_distance` with ``by=[stimulus, set]``, where the set has two values:
        both sets then lie in one space and have one reference.  Or that of the first set alone.
    second : Dataset, optional
        That of the second set, from other trials, another session or network.  Spaces then
        differ: each set is divided by the mean absolute distance of the shared stimuli, and
        both must have the same reference stimulus.

    Returns
    -------
    Dataset
        By shared ``stimulus``:

        - ``mean_distance (set, stimulus)``
        - ``set_shift (stimulus)``, second less first; ``set_shift_bound (bound, stimulus)``, 95 %;
          ``draw_set_shift (draw, stimulus)``; ``p (stimulus)``, two-sided, that of the bounds:
          draws are turned round the estimate, and p is twice their share on the other side of 0
        - ``mean_set_shift``, ``mean_set_shift_bound``, ``draw_mean_set_shift (draw)``, ``mean_p``
          of the mean over shared stimuli

        Bounds, draws and p where both have draws.

    Raises
    ------
    TensorError
        If there are not two sets, or references differ.
    FitError
        If no stimulus is shared.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> stimulus = np.repeat([0.48, 0.56, 0.64, 0.72, 0.80, 0.80, 0.9, 1.0, 1.1, 1.2], 10)
    >>> context = np.repeat([0, 1], 50)
    >>> rate = 50.0 * stimulus + 2.0 * context  # in the second set everything lies higher
    >>> values = np.ones((4, 8, 1)) * rate
    >>> trials = {"stimulus": stimulus, "context": context}
    >>> x = pdn.make_tensor(values, 0.02 * np.arange(8), trials=trials)
    >>> result = pdn.relative_distance(x, ["stimulus", "context"], n_components=None, n_draws=50,
    ...                                alignment="time", n_splits=0)
    >>> print(pdn.distance_shift(result).set_shift.values)
    [4.]
    """
    names, pairs = _two_sets(first) if second is None else (["first", "second"], [first, second])
    at_zero = [float(pair.attrs.get("reference_stimulus", np.nan)) for pair in pairs]
    if second is not None and not np.isclose(at_zero[0], at_zero[1]):
        message = (
            f"the sets have different reference stimuli, {at_zero[0]:g} and {at_zero[1]:g}: say "
            "reference= the same stimulus in both"
        )
        raise TensorError(message)
    own = [pair["stimulus"].to_numpy() for pair in pairs]
    shared = [value for value in own[0] if np.isclose(own[1], value).any()]
    if not shared:
        message = (
            f"the sets share no stimulus: {', '.join(map(str, own[0]))} and "
            f"{', '.join(map(str, own[1]))}"
        )
        raise FitError(message)
    at = [np.array([int(np.isclose(values, value).argmax()) for value in shared]) for values in own]
    found = [judged_distance(pair) for pair in pairs]
    mean = np.stack([own[0][i] for own, i in zip(found, at, strict=True)])
    scale = np.ones(2) if second is None else np.abs(mean).mean(axis=1)
    shift = mean[1] / scale[1] - mean[0] / scale[0]
    variables: dict[str, Any] = {
        "mean_distance": (("set", "stimulus"), mean / scale[:, None]),
        "set_shift": ("stimulus", shift),
        "mean_set_shift": ((), shift.mean()),
    }
    coords = {"set": np.array(names, dtype=np.str_), "stimulus": np.array(shared)}
    drawn = [own[1][:, i] for own, i in zip(found, at, strict=True) if own[1] is not None]
    if len(drawn) == len(pairs):
        variables |= _drawn(drawn, shift, scaled=second is not None)
        coords |= {"bound": BOUND}
    result = make_result(
        variables, coords=coords, method="distance_shift", parameters={"sets": names}, source=None
    )
    result.attrs["unit_of_inference"] = str(first.attrs.get("unit_of_inference", ""))
    units = "1" if second is not None else str(first["mean_distance"].attrs.get("units", "1"))
    for name in result.data_vars:
        result[name].attrs["units"] = "1" if str(name).endswith("p") else units
    result["stimulus"].attrs |= first["stimulus"].attrs
    return result


def _drawn(drawn: list[Array], shift: Array, scaled: bool) -> dict[str, Any]:
    """Bounds and p values from the draws of both sets."""
    n = min(len(values) for values in drawn)
    if scaled:
        drawn = [values / np.abs(values).mean(axis=1, keepdims=True) for values in drawn]
    draws = drawn[1][:n] - drawn[0][:n]
    turned = 2 * shift - draws
    return {
        "set_shift_bound": (("bound", "stimulus"), percentile_bounds(turned)),
        "draw_set_shift": (("draw", "stimulus"), draws),
        "p": ("stimulus", _two_sided(turned)),
        "mean_set_shift_bound": ("bound", percentile_bounds(turned.mean(axis=1))),
        "draw_mean_set_shift": ("draw", draws.mean(axis=1)),
        "mean_p": ((), _two_sided(turned.mean(axis=1))),
    }


def _two_sided(draws: Array) -> Array:
    """Twice the share of draws on the rarer side of 0, the estimate counted among them."""
    n = len(draws) + 1.0
    below, above = (1.0 + (draws <= 0).sum(axis=0)) / n, (1.0 + (draws >= 0).sum(axis=0)) / n
    return np.asarray(np.minimum(1.0, 2.0 * np.minimum(below, above)))


def _two_sets(result: xr.Dataset) -> tuple[list[str], list[xr.Dataset]]:
    """Split a result by the second column of its conditions."""
    by = json.loads(str(result.attrs.get("parameters", "{}"))).get("by")
    if not isinstance(by, list) or len(by) != 2 or by[1] not in result.coords:
        message = (
            "expected a result of relative_distance with by=[stimulus, set], found "
            f"by={by!r}: pass the second set as another result, or name both columns"
        )
        raise TensorError(message)
    column = result[by[1]].to_numpy()
    values = np.unique(column)
    if len(values) != 2:
        message = (
            f"expected two sets, found {len(values)} values of {by[1]!r}: "
            f"{', '.join(map(str, values[:6]))}"
        )
        raise TensorError(message)
    chosen = [result.isel(condition=np.flatnonzero(column == value)) for value in values]
    return [str(value) for value in values], chosen
