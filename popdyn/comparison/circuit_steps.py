"""Steps that read the mechanism of a source that is a low-rank network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.comparison.drive import inputs_of
from popdyn.comparison.low_rank_spec import Context, Inactivation, Populations
from popdyn.comparison.measures import Cell, Measure, Results, smallest
from popdyn.comparison.performed import Performed
from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.dynamics.couplings import effective_couplings
from popdyn.dynamics.flow import flow
from popdyn.dynamics.inactivate import inactivate
from popdyn.dynamics.populations import populations
from popdyn.errors import TensorError
from popdyn.network.low_rank import LowRank
from popdyn.simulation.run import simulate
from popdyn.tensor.contract import column_names
from popdyn.tensor.view import group_conditions, mean_and_error

Earlier = Mapping[str, xr.Dataset]

_CONTEXT = "context"
_CONDITION = "compared_condition"
# Noise of a step with which backprop trains unless it is told another.
_NOISE_STEP = 0.05
_N_POINTS = 101


def run_populations(source: Prepared, spec: Spec, seed: int) -> xr.Dataset:
    """Sort the neurons of a low-rank network, and ask whether its task needs that."""
    net, performed = _low_rank(source)
    settings = spec.analyses.populations or Populations()
    learned = performed.source.train or performed.noise
    noise_step = float(learned.get("noise_step", _NOISE_STEP))
    return populations(
        net, task=performed.task, noise_step=noise_step, rng=seed, **settings.model_dump()
    )


def run_flow(source: Prepared, spec: Spec, seed: int, earlier: Earlier) -> xr.Dataset:
    """Draw up the flow of the latents in each context, with mean trajectories in it."""
    net, performed = _low_rank(source, earlier)
    settings = spec.analyses.flow or Context()
    contexts = _contexts(source, settings)
    paths = _trajectories(net, source, performed, spec, settings, seed)
    n_points = _N_POINTS if net.n_ranks == 1 else 21
    reach = [float(flow(net, mean, n_points=3)["first"].max()) for mean in contexts.values()]
    extent = max(*reach, 1.1 * float(np.nanmax(np.abs(paths["trajectory"]))))
    flows = [
        _numbered(flow(net, mean, extent=extent, n_points=n_points)) for mean in contexts.values()
    ]
    names = xr.DataArray(list(contexts), dims="condition", name="condition")
    result = xr.concat(flows, dim=names, join="outer", combine_attrs="drop_conflicts")
    told = {"seed": str(seed), "parameters": flows[0].attrs["parameters"]}
    told |= {key: source.tensor.attrs[key] for key in ("align", "bin_width")}
    return result.merge(paths).assign_attrs(told | _said(settings))


def run_couplings(source: Prepared, spec: Spec, seed: int, earlier: Earlier) -> xr.Dataset:
    """Give the effective circuit of a low-rank network in each context."""
    del seed
    net, _ = _low_rank(source, earlier)
    settings = spec.analyses.effective_couplings or Context()
    result = effective_couplings(net, _contexts(source, settings))
    return result.assign_attrs(_said(settings))


def run_inactivate(source: Prepared, spec: Spec, seed: int, earlier: Earlier) -> xr.Dataset:
    """Take out each population, where there are several, and each latent."""
    net, performed = _low_rank(source, earlier)
    settings = spec.analyses.inactivate or Inactivation()
    groups = group_conditions(source.tensor, list(spec.conditions.by))
    labels = np.asarray(groups.labels, dtype=np.str_)[groups.index]
    trials = _shown(source, performed).assign_coords({_CONDITION: ("trial", labels)})
    several = earlier["populations"].sizes["population"] > 1
    parts = [
        inactivate(
            net, what, trials, by=_CONDITION, task=performed.task, n_draws=settings.n_draws,
            rng=seed, **performed.noise,
        )
        for what in (["populations"] if several else []) + ["latents"]
    ]  # fmt: skip
    result = xr.concat(
        parts, dim="inactivation", data_vars="minimal", coords="minimal", compat="override",
        combine_attrs="override",
    )  # fmt: skip
    names = [
        name if name.startswith("latent") else f"population {name}"
        for name in result["inactivation"].values.tolist()
    ]
    # Seconds from the start of the trials, not from the event of the comparison.
    return result.assign_coords(inactivation=names).rename(time="trial_time")


def population_measures(results: Mapping[str, Results]) -> Iterable[Measure]:
    """Make a row for how many populations a task needs, and for how well one does it."""
    del results
    yield Measure("populations that the task needs", "1", "populations", _needed)
    words = "accuracy of networks drawn from one population"
    yield Measure(words, "1", "populations", _of_one)


def _needed(result: xr.Dataset, results: Results) -> Cell:
    n_trials, value = smallest(results["summary"]), float(result["n_populations"])
    largest = int(result["tried"].max())
    reason = "" if np.isfinite(value) else f"none up to {largest} is enough"
    return Cell(value, n_trials=n_trials, reason=reason)


def _of_one(result: xr.Dataset, results: Results) -> Cell:
    n_trials = smallest(results["summary"])
    if 1 not in result["tried"].values:
        return Cell(n_trials=n_trials, reason="networks of one population were not asked for")
    one = result.sel(tried=1)
    return Cell(float(one["mean_accuracy"]), one["mean_accuracy_bound"].values, n_trials=n_trials)


def _low_rank(source: Prepared, earlier: Earlier | None = None) -> tuple[LowRank, Performed]:
    """Return the network in its canonical form, with its populations, and what it was shown.

    Raises
    ------
    TensorError
        If the source is none.
    """
    performed = source.performed
    if performed is None or not isinstance(performed.net, LowRank):
        kind = source.kind if performed is None else type(performed.net).__name__ + " network"
        message = (
            f"this source is a {kind}, whose loadings are not known: a network with "
            'kind = "low_rank" has them, and fit_lowrank fits one to any source'
        )
        raise TensorError(message)
    net = performed.net.canonical()
    if earlier is not None:
        net = replace(net, population=earlier["populations"]["label"].to_numpy())
    return net, performed


def _shown(source: Prepared, performed: Performed) -> xr.Dataset:
    """Return the trials that are compared."""
    return performed.trials.sel(trial=source.tensor["trial"].to_numpy())


def _context_columns(source: Prepared, settings: Context) -> list[str]:
    if settings.by is not None:
        return list(settings.by)
    return [_CONTEXT] if _CONTEXT in column_names(source.tensor, "trial") else []


def _context_labels(source: Prepared, settings: Context) -> NDArray[np.str_]:
    """Name the context of each trial."""
    columns = _context_columns(source, settings)
    if not columns:
        return np.full(source.tensor.sizes["trial"], "all trials")
    groups = group_conditions(source.tensor, columns)
    names = np.asarray([*groups.labels, ""], dtype=np.str_)
    return np.asarray(names[groups.index])


def _contexts(source: Prepared, settings: Context) -> dict[str, NDArray[np.float64]]:
    """Return the mean inputs of each context."""
    inputs = inputs_of(source, None)
    time = inputs["time"].to_numpy()
    start, stop = settings.during or (source.tensor["time"].to_numpy()[[0, -1]])
    within = inputs.isel(time=np.flatnonzero((time >= start - 1e-9) & (time <= stop + 1e-9)))
    values, labels = within.mean("time").to_numpy(), _context_labels(source, settings)
    names = sorted(set(labels.tolist()) - {""})
    return {name: values[:, labels == name].mean(axis=1) for name in names}


def _trajectories(
    net: LowRank, source: Prepared, performed: Performed, spec: Spec, settings: Context, seed: int
) -> xr.Dataset:
    """Return the mean latents of each condition, and its context."""
    columns = dict.fromkeys([*_context_columns(source, settings), *spec.conditions.by])
    groups = group_conditions(source.tensor, list(columns))
    context, trials = _context_labels(source, settings), _shown(source, performed)
    sim = simulate(
        net, trials, rng=seed, record=("latent",), task=performed.task, **performed.noise
    )
    latent = _aligned(sim["latent"].transpose("trial", "latent", "time"), source.tensor, trials)
    members = [groups.index == number for number in range(len(groups.labels))]
    means = [mean_and_error(np.moveaxis(latent[own], 0, -1))[0] for own in members]
    dims, units = ("latent", "time", "trial"), {"units": "1"}
    return xr.Dataset(
        {
            "trajectory": (dims, np.stack(means, axis=-1), units),
            "trajectory_condition": ("trial", [context[own][0] for own in members]),
        },
        coords={
            "latent": [f"latent {1 + k}" for k in range(net.n_ranks)],
            "time": source.tensor["time"],
            "trial": np.asarray(groups.labels, dtype=np.str_),
        },
    )


def _aligned(latent: xr.DataArray, tensor: xr.DataArray, trials: xr.Dataset) -> NDArray[np.float64]:
    """Return latents (trial, latent, time) at the times of a tensor, NaN outside of trials."""
    zero = tensor["align_time"].to_numpy() - trials["start_time"].to_numpy()
    own, wanted = latent["time"].to_numpy(), tensor["time"].to_numpy()
    return np.array(
        [
            [np.interp(wanted + at, own, one, left=np.nan, right=np.nan) for one in of_trial]
            for at, of_trial in zip(zero, latent.to_numpy(), strict=True)
        ]
    )


def _numbered(result: xr.Dataset) -> xr.Dataset:
    """Give fixed points numbers, as contexts may have more or fewer."""
    numbers = np.arange(result.sizes["fixed_point"])
    return result.assign_coords(fixed_point=numbers).assign(stable=result["stable"].astype(float))


def _said(settings: Context) -> dict[str, str]:
    """Say over which window inputs were averaged."""
    during = settings.during
    return {"during": "" if during is None else f"{during[0]:g} to {during[1]:g} s"}
