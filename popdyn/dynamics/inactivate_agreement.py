"""Whether inactivations done in a fitted network foretell those done in what it was fitted to."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.resample import BOUND, Seed, as_generator, percentile_bounds
from popdyn.simulation.arguments import check_whole
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]

_MEASURES = ("accuracy_change", "choice_changed", "response_change", "mean_distance")


def inactivation_agreement(
    predicted: xr.Dataset, observed: xr.Dataset, *, n_draws: int = 1000, rng: Seed = 0
) -> xr.Dataset:
    """Compare inactivations of two networks, such as a fitted one and its source.

    Parameters
    ----------
    predicted, observed : Dataset
        From `inactivate` with the same names, conditions and trials; names that are in one only
        are left out.
    n_draws : int
        Draws of inactivations for the bounds.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    xarray.Dataset
        Method ``"inactivation_agreement"``.  By ``measure`` (``"accuracy_change"``,
        ``"choice_changed"``, ``"response_change"`` and ``"mean_distance"``, those that both have):
        ``predicted_change`` and ``observed_change (measure, inactivation, condition)``, in the
        first condition only and NaN in others where a measure is of all trials; ``correlation
        (measure)``, Pearson's over inactivations and conditions, NaN if either never changes;
        ``correlation_bound (bound, measure)``, 95 % over inactivations, wide with few of them.
        With choices ``same_choice (inactivation)``, the share of trials with the same choice, and
        ``same_choice_before`` without inactivation.

    Raises
    ------
    TensorError
        If these are no such results, or their trials or conditions differ.
    FitError
        If they share fewer than three inactivations.

    Examples
    --------
    >>> import popdyn as pdn
    >>> net = pdn.network.LowRank.random(60, n_ranks=1, rng=0)
    >>> trials = pdn.tasks.PerceptualDecision().sample(24, rng=0, dt=net.dt)
    >>> groups = pdn.dynamics.percentile_groups(net.m[:, 0])
    >>> done = pdn.dynamics.inactivate(net, groups, trials, n_draws=20)
    >>> agreement = pdn.dynamics.inactivation_agreement(done, done, n_draws=20)
    >>> float(agreement["correlation"].sel(measure="mean_distance").round(3))
    1.0
    """
    one, other, names = _shared(predicted, observed)
    check_whole("n_draws", n_draws, "draw of inactivations")
    generator, seed = as_generator(rng)
    measures = [name for name in _MEASURES if name in one and name in other]
    pairs = np.stack([[_changes(each, name) for name in measures] for each in (one, other)])
    drawn = generator.integers(len(names), size=(n_draws, len(names)))
    order = np.vstack([np.arange(len(names)), drawn])
    correlation = np.array([[_correlation(*pairs[:, i, own]) for i in range(len(measures))]
                            for own in order])  # fmt: skip
    dims = ("measure", "inactivation", "condition")
    variables: dict[str, Any] = {
        "predicted_change": (dims, pairs[0]),
        "observed_change": (dims, pairs[1]),
        "correlation": ("measure", correlation[0]),
        "correlation_bound": (("bound", "measure"), percentile_bounds(correlation[1:])),
    }
    if "choice" in one and "choice" in other:
        same = one["choice"].to_numpy() == other["choice"].to_numpy()
        before = one["control_choice"].to_numpy() == other["control_choice"].to_numpy()
        variables["same_choice"] = ("inactivation", same.mean(axis=1))
        variables["same_choice_before"] = before.mean()
    return make_result(
        variables,
        coords={
            "measure": measures,
            "inactivation": names,
            "condition": one["condition"].values,
            "bound": BOUND,
        },
        method="inactivation_agreement",
        parameters={"n_draws": n_draws},
        seed=seed,
    )


def _shared(predicted: Any, observed: Any) -> tuple[xr.Dataset, xr.Dataset, list[str]]:
    """Return both results with the inactivations that both have."""
    check_inactivation("predicted", predicted)
    check_inactivation("observed", observed)
    for dim in ("condition", "trial"):
        if not np.array_equal(predicted[dim].values, observed[dim].values):
            message = (
                f"both networks must be inactivated on the same {dim}s; found "
                f"{predicted.sizes[dim]} and {observed.sizes[dim]}, not alike"
            )
            raise TensorError(message)
    there = set(observed["inactivation"].values.tolist())
    names = [str(name) for name in predicted["inactivation"].values if name in there]
    if len(names) < 3:
        message = (
            f"agreement over inactivations needs at least three that both networks had, found "
            f"{len(names)}: inactivate more groups of neurons, such as those of percentile_groups"
        )
        raise FitError(message)
    return predicted.sel(inactivation=names), observed.sel(inactivation=names), names


def check_inactivation(name: str, result: Any) -> None:
    """Refuse what is no result of `inactivate`.

    Raises
    ------
    TensorError
        Saying what it is.
    """
    method = result.attrs.get("method") if isinstance(result, xr.Dataset) else None
    if method != "inactivate":
        found = type(result).__name__ if method is None else f"method {method!r}"
        message = f"{name} must be a result of pdn.dynamics.inactivate, found {found}"
        raise TensorError(message)


def _changes(result: xr.Dataset, name: str) -> Array:
    """Return a measure ``(inactivation, condition)``."""
    values = result[name]
    table: Array = np.full((result.sizes["inactivation"], result.sizes["condition"]), np.nan)
    if "condition" in values.dims:
        table[:] = values.transpose("inactivation", "condition").to_numpy()
    else:
        table[:, 0] = values.to_numpy()
    return table


def _correlation(one: Array, other: Array) -> float:
    """Return Pearson's correlation of what both know."""
    known = np.isfinite(one) & np.isfinite(other)
    x, y = one[known], other[known]
    if x.size < 3 or np.ptp(x) <= 1e-12 or np.ptp(y) <= 1e-12:
        return np.nan
    return float(np.corrcoef(x, y)[0, 1])
