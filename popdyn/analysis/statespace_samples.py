"""Which samples principal components are fitted to, and what keeps them from being fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.trials import (
    Array,
    ConditionTrials,
    condition_trials,
    is_average,
    mean_trial,
)
from popdyn.errors import FitError, TensorError, warn
from popdyn.preprocess.normalize import rate, soft_scale
from popdyn.tensor.contract import average_values, bin_width_of, check, check_average

_SLAB = 2**20  # values in double precision at once


def check_options(n_components: Any, n_splits: int, n_draws: int) -> None:
    """Refuse arguments out of range."""
    rule = isinstance(n_components, str) and n_components in ("cv", "null")
    if not rule and (not isinstance(n_components, (int, np.integer)) or n_components < 1):
        message = (
            f"n_components must be an integer of at least 1, 'cv' or 'null', found {n_components!r}"
        )
        raise TensorError(message)
    if n_splits < 1 or n_draws < 1:
        message = f"expected n_splits and n_draws >= 1, found {n_splits}, {n_draws}"
        raise TensorError(message)


def from_tensor(x: xr.DataArray) -> xr.DataArray:
    """Rates of a tensor; potentials and currents as they are."""
    return rate(x) if x.name == "spike_count" else x


def from_average(average: xr.Dataset) -> xr.DataArray:
    """Averages (neuron, time, condition) with the attributes of their Dataset."""
    values = average_values(average).transpose("neuron", "time", "condition")
    attrs = {**average.attrs, **values.attrs}
    if values.name == "spike_count":
        values = values / bin_width_of(average)
        attrs["units"] = "Hz"
    return values.assign_attrs(attrs)


def checked_values(x: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """Rates (neuron, time, trial or condition) of a tensor or a condition average, checked."""
    return from_average(check_average(x)) if is_average(x) else from_tensor(check(x))


def averaged(trials: ConditionTrials) -> xr.DataArray:
    """Averages (neuron, time, condition) of trials."""
    tensor = trials.tensor
    shape = (tensor.sizes["neuron"], tensor.sizes["time"], len(trials.labels))
    means = np.empty(shape)
    # A few neurons at a time: trials in double precision are larger than the data.
    step = max(1, _SLAB // (shape[1] * tensor.sizes["trial"]))
    for start in range(0, shape[0], step):
        part = slice(start, start + step)
        own = np.moveaxis(tensor.to_numpy()[part], 2, 0)
        for condition, position in enumerate(trials.position):
            values = own[position].astype(np.float64)
            means[part, :, condition] = mean_trial(values)
    coords = trials.coords() | {"neuron": tensor["neuron"].to_numpy(), "time": tensor["time"]}
    dims = ("neuron", "time", "condition")
    return xr.DataArray(means, dims=dims, coords=coords, attrs=tensor.attrs)


def known_neurons(values: xr.DataArray) -> xr.DataArray:
    """Leave out, with a warning, neurons that are NaN throughout."""
    known = np.isfinite(values.to_numpy()).any(axis=(1, 2))
    if known.all():
        return values
    names = _names(values["neuron"].to_numpy()[~known])
    if not known.any():
        message = "every neuron is NaN throughout: there is nothing to fit"
        raise FitError(message)
    message = f"{(~known).sum()} of {len(known)} neurons are NaN throughout, left out: {names}"
    warn(message)
    return values.isel(neuron=np.flatnonzero(known))


def warn_incomplete_conditions(*sides: xr.DataArray, of: str = "") -> None:
    """Name the conditions that take no part because neurons are NaN throughout in them.

    Parameters
    ----------
    *sides : DataArray (neuron, time, condition)
        Averages without neurons that are NaN everywhere; several have the same neurons.
    of : str
        What they are averages of, where there is more than one thing.
    """
    found: dict[str, set[str]] = {}
    for side in sides:
        known = np.isfinite(side.transpose("neuron", "time", "condition").to_numpy())
        absent = ~known.any(axis=1)
        # A condition in which no neuron was recorded is absent, not incomplete.
        lost = ~known.all(axis=0).any(axis=0) & absent.any(axis=0) & ~absent.all(axis=0)
        names = side.coords["condition"].to_numpy() if "condition" in side.coords else None
        for at in np.flatnonzero(lost):
            label = f"condition {at + 1}" if names is None else str(names[at])
            found.setdefault(label, set()).update(
                map(str, side["neuron"].to_numpy()[absent[:, at]])
            )
    if not found:
        return
    neurons = np.array(sorted(set().union(*found.values())))
    n_all = max(side.sizes["condition"] for side in sides)
    some = f"some neurons of {of}" if of else "some neurons"
    message = (
        f"{len(found)} of {n_all} conditions take no part, because {some} have no trial "
        f"there: {'; '.join(list(found)[:10])}{'; ...' if len(found) > 10 else ''}. To keep the "
        f"conditions leave out these neurons with select(neurons=...): {_names(neurons)}"
    )
    warn(message)


def assumed_units(x: xr.DataArray | xr.Dataset) -> dict[str, int]:
    """Give an attribute for results of bare averages, which do not say their unit."""
    bare = isinstance(x, xr.DataArray) and is_average(x) and "units" not in x.attrs
    return {"units_assumed": 1} if bare else {}


def same_units(
    x: xr.DataArray | xr.Dataset, values: xr.DataArray, fitted: xr.Dataset, units: str
) -> None:
    """Refuse activity in another unit than that of the fit, where both are known.

    Parameters
    ----------
    x : DataArray or Dataset
        What is projected: a tensor or a condition average.
    values : DataArray
        Its rates, from `checked_values`.
    fitted : Dataset
        Result of the fit.
    units : str
        Of the activity that was fitted.

    Raises
    ------
    TensorError
        If the units differ.
    """
    if assumed_units(x) or "units_assumed" in fitted.attrs:
        return
    found = values.attrs.get("units", units)
    if found != units:
        message = (
            f"expected activity in {units}, as in the fit, found {found}: fit to this activity, "
            "or bring both to the same unit"
        )
        raise TensorError(message)


def samples_of(
    x: xr.DataArray | xr.Dataset, by: str | Sequence[str] | None, *, soft_normalize: bool
) -> tuple[xr.DataArray, ConditionTrials | None, xr.DataArray]:
    """Prepare what components are fitted to.

    Parameters
    ----------
    x : DataArray or Dataset
        A tensor or a condition average.
    by : str or list of str, optional
        Trial columns that define the conditions of a tensor.
    soft_normalize : bool
        Whether neurons are divided by their range plus an offset.

    Returns
    -------
    values : DataArray (neuron, time, condition or trial)
    trials : ConditionTrials or None
        Trials behind the averages, of a tensor with `by`.
    scale : DataArray (neuron)
        What the neurons were divided by.

    Raises
    ------
    TensorError
        If ``by`` is given with a condition average.
    """
    average = is_average(x)
    if average and by is not None:
        message = "by= is for a tensor; this is a condition average already: leave by out"
        raise TensorError(message)
    values = checked_values(x)
    if "neuron" not in values.coords:
        values = values.assign_coords(neuron=np.arange(values.sizes["neuron"]))
    neuron, units = values["neuron"].to_numpy(), str(values.attrs.get("units", "1"))
    scale = xr.DataArray(
        np.ones(neuron.size), {"neuron": neuron}, dims="neuron", attrs={"units": units}
    )
    if soft_normalize:
        scale = soft_scale(values)
        divided = (values / scale.to_numpy()[:, None, None]).rename(str(values.name))
        values = divided.assign_attrs({**values.attrs, "units": "1"})
    if average or by is None:
        return values, None, scale
    trials = condition_trials(values, by)
    return averaged(trials), trials, scale


def check_samples(values: xr.DataArray, n_components: int) -> None:
    """Refuse samples that cannot carry the components."""
    matrix = values.to_numpy().reshape(values.sizes["neuron"], -1)
    matrix = matrix[:, np.isfinite(matrix).all(axis=0)]
    n_neurons, n_samples = matrix.shape
    if n_neurons < n_components:
        message = (
            f"{n_components} components need at least as many neurons, found {n_neurons}: ask for "
            "fewer components"
        )
        raise FitError(message)
    if n_samples <= n_components:
        share = np.isfinite(values.to_numpy()).mean(axis=(1, 2))
        worst = values["neuron"].to_numpy()[np.argsort(share, kind="stable")[:3]]
        message = (
            f"{n_components} components need more than {n_components} samples in which no neuron "
            f"is NaN, found {n_samples} of {values.size // n_neurons}: leave out the neurons with "
            f"most NaN ({_names(worst)}, ...) or average over conditions with by="
        )
        raise FitError(message)
    if not np.ptp(matrix, axis=1).any():
        message = "no neuron varies over time, conditions or trials: there is nothing to fit"
        raise FitError(message)


def warn_constant(matrix: Array, mean: Array, neurons: NDArray[Any]) -> None:
    """Name the neurons that never vary."""
    constant = np.ptp(matrix, axis=1) <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    if constant.any():
        message = (
            f"{constant.sum()} of {len(neurons)} neurons never vary and take no part "
            f"(loading 0): {_names(neurons[constant])}"
        )
        warn(message)


def warn_single_trials(values: Sequence[Array], labels: Sequence[str]) -> None:
    """Name the conditions that cannot be split."""
    few = [
        label
        for label, of_condition in zip(labels, values, strict=True)
        if np.isfinite(of_condition).sum(axis=0).max(axis=1).min() < 2
    ]
    if few:
        rest = "" if len(few) < len(labels) else "; none is left, so that its values are NaN"
        message = (
            "cross-validation needs at least 2 trials per neuron and condition and goes without "
            f"{', '.join(few)}{rest}"
        )
        warn(message)


def same_neurons(values: xr.DataArray, neurons: xr.DataArray) -> xr.DataArray:
    """Take the neurons of the fit, in its order."""
    if "neuron" not in values.coords:
        values = values.assign_coords(neuron=np.arange(values.sizes["neuron"]))
    wanted = neurons.to_numpy()
    missing = wanted[~np.isin(wanted, values["neuron"].to_numpy())]
    if missing.size:
        message = (
            f"expected the {len(wanted)} neurons of the fit, {missing.size} of them are missing: "
            f"{_names(missing)}"
        )
        raise TensorError(message)
    return values.sel(neuron=wanted)


def coords(values: xr.DataArray) -> dict[str, Any]:
    """Coordinates of the conditions and of time."""
    if "condition" not in values.dims:
        return {}
    found = {
        str(name): coord
        for name, coord in values.coords.items()
        if coord.dims in (("condition",), ("time",))
    }
    return {name: (coord.dims, coord.to_numpy(), coord.attrs) for name, coord in found.items()}


def _names(ids: NDArray[Any]) -> str:
    """Show up to ten ids."""
    return ", ".join(str(one) for one in ids[:10]) + (", ..." if len(ids) > 10 else "")
