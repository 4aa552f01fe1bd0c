"""The result of a low-rank fit: the network, its predictions, how good and how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.fit_lowrank_data import Recording
from popdyn.dynamics.fit_lowrank_model import Model, visited_rates
from popdyn.dynamics.fit_lowrank_options import Options
from popdyn.dynamics.fit_lowrank_repeats import agreement, visited_subspace
from popdyn.dynamics.fit_lowrank_scores import Score, draws, score
from popdyn.dynamics.fit_lowrank_solve import Solution
from popdyn.errors import warn
from popdyn.network.low_rank_factors import canonical_factors
from popdyn.resample import BOUND
from popdyn.tensor.result import make_result

Array = NDArray[np.float64]


@dataclass
class Found:
    """What the fits gave.

    Attributes
    ----------
    scores : list of Score
        Of held-out conditions, by rank.
    n_ranks : int
        The rank chosen.
    held_out : ndarray, shape (item, bin, neuron)
        Predictions of that rank, each item from fits that did not see its condition.
    fold : ndarray of int, shape (item,)
        Fold of each item.
    beside : dict of str to Score
        ``shuffled``, ``average`` and ``ceiling``.
    pca : list of Score
        Of as many principal components.
    fits : list of Solution
        Fits of that rank to all items, one for each start.
    """

    scores: list[Score]
    n_ranks: int
    held_out: Array
    fold: NDArray[np.intp]
    beside: dict[str, Score]
    pca: list[Score]
    fits: list[Solution] = field(default_factory=list)


def make_fit(
    found: Found,
    model: Model,
    recording: Recording,
    options: Options,
    told: Mapping[str, Any],
    seed: str,
    entropy: int,
) -> xr.Dataset:
    """Return the result, as `fit_lowrank` says."""
    best = min(found.fits, key=lambda one: one.loss[-1])
    predicted = model.predicted(best.parameters, recording)
    neurons = _neurons(recording, model.n_neurons)
    variables = {
        **_network(best.parameters, model, recording, options),
        **_activity(recording, predicted, found.held_out),
        **_scores(found, np.random.default_rng([entropy, 2]), options.n_draws, model.n_neurons),
        **_repeats(found, best, model, recording, options),
        "fold": ((recording.item,), found.fold),
    }
    coords = _coords(recording.activity) | {
        "neuron": neurons,
        "recorded": ("neuron", np.arange(model.n_neurons) < recording.values.shape[2]),
        "n_ranks": options.ranks,
        "bound": BOUND,
    }
    result = make_result(
        variables, coords=coords, method="fit_lowrank", parameters=told,
        source=recording.activity, seed=seed,
    )  # fmt: skip
    result.attrs["nonlinearity"] = options.nonlinearity
    result.attrs["observation"] = options.observation
    result.attrs["lag"] = np.asarray(told["lag"], dtype=float).tolist()
    result.attrs["note"] = _note(result)
    rival = _rival(result)
    if rival:
        low, high = result["r2_bound"].sel(n_ranks=found.n_ranks).values
        warn(
            f"held-out conditions are predicted no better than by {rival}, with r2 = "
            f"{float(result['r2'].sel(n_ranks=found.n_ranks)):.3g} ({low:.3g} to {high:.3g}): "
            "inputs say little of the activity, they are not those that it follows (another lag "
            "or tau?), or there are too few conditions"
        )
    return result


def _network(
    parameters: dict[str, Array], model: Model, recording: Recording, options: Options
) -> dict[str, Any]:
    """Return the fields of a `LowRank`, and how its neurons are seen."""
    n, one = model.n_neurons, {"units": "1"}
    full = {**model.fixed, **parameters}
    m, loading = canonical_factors(full["m"], full["n"])
    scale, offset = full.get("scale", np.ones(n)), full.get("offset", np.zeros(n))
    variables = {
        "m": (("neuron", "latent"), m, one),
        "n": (("neuron", "latent"), loading, one),
        "input": (("neuron", "channel"), full["input"] / recording.input_size, one),
        # The activity has no readout.
        "output": (("readout", "neuron"), np.zeros((1, n)), one),
        "bias": (("neuron",), full.get("bias", np.zeros(n)), one),
        "initial": (("neuron",), full.get("initial", np.zeros(n)), one),
        "tau": ((), options.tau, {"units": "s"}),
        "dt": ((), recording.dt, {"units": "s"}),
    }
    units = {"units": str(recording.activity.attrs.get("units", "1"))}
    if options.observation == "poisson":
        variables["unit"] = (("neuron",), model.unit, units)
        return variables | {
            "scale": (("neuron",), scale, one),
            "offset": (("neuron",), offset, one),
        }
    return variables | {
        "scale": (("neuron",), model.unit * scale, units),
        "offset": (("neuron",), model.center + model.unit * offset, units),
    }


def _activity(recording: Recording, predicted: Array, held_out: Array) -> dict[str, Any]:
    """Return what was observed and predicted, (neuron, time, item)."""
    dims = ("neuron", "time", recording.item)
    units = {"units": str(recording.activity.attrs.get("units", "1"))}
    observed = np.full(predicted.shape, np.nan)
    observed[..., : recording.values.shape[2]] = np.where(
        recording.counts, recording.values, np.nan
    )
    arrays = {"observed": observed, "predicted": predicted, "held_out": held_out}
    return {
        name: (dims, np.ascontiguousarray(values.transpose(2, 1, 0), np.float32), units)
        for name, values in arrays.items()
    }


def _scores(found: Found, rng: np.random.Generator, n_draws: int, n_neurons: int) -> dict[str, Any]:
    """Return explained parts with their intervals, all over the same draws."""
    drawn = draws(found.scores[0].error.shape, n_draws, rng)
    units = {"units": "1"}

    def of(name: str, scores: Sequence[Score], dims: tuple[str, ...]) -> dict[str, Any]:
        values = np.array([one.r2 for one in scores])
        bounds = np.array([one.bounds(*drawn) for one in scores]).T
        return {
            name: (dims, values if dims else values[0], units),
            f"{name}_bound": (("bound", *dims), bounds if dims else bounds[:, 0], units),
        }

    variables = of("r2", found.scores, ("n_ranks",)) | of("pca_r2", found.pca, ("n_ranks",))
    for name, one in found.beside.items():
        variables |= of(f"{name}_r2", [one], ())
    own = [_padded(one.neuron_r2, n_neurons) for one in found.scores]
    bounds = [_padded(one.neuron_bounds(drawn[1]), n_neurons) for one in found.scores]
    variables["neuron_r2"] = ("n_ranks", "neuron"), own, units
    variables["neuron_r2_bound"] = ("bound", "n_ranks", "neuron"), np.stack(bounds, 1), units
    return variables | {"chosen_rank": ((), found.n_ranks)}


def _repeats(
    found: Found, best: Solution, model: Model, recording: Recording, options: Options
) -> dict[str, Any]:
    """Return what fits from other starts say, and the courses of their losses."""
    n_recorded = recording.values.shape[2]
    rates = visited_rates(model, best.parameters, recording)[:, :n_recorded]
    axes = visited_subspace(rates)
    told = agreement([one.parameters for one in found.fits], axes, n_recorded)
    longest = max(one.loss.size for one in found.fits)
    loss = np.full((len(found.fits), longest), np.nan)
    for row, one in zip(loss, found.fits, strict=True):
        row[: one.loss.size] = one.loss
    poisson = options.observation == "poisson"
    explained = [
        score(recording, model.predicted(one.parameters, recording), poisson).r2
        for one in found.fits
    ]
    return {
        "loss": (("start", "iteration"), loss, {"units": "1"}),
        "start_r2": (("start",), explained, {"units": "1"}),
        "diverged": (("start",), [one.diverged for one in found.fits]),
        "n_visited": ((), axes.shape[1]),
        **{name: ((), value, {"units": "1"}) for name, value in told.items()},
    }


def _rival(result: xr.Dataset) -> str:
    """Return what predicts as well as the network without knowing the inputs, or nothing."""
    own = result.sel(n_ranks=int(result["chosen_rank"]))
    rivals = {
        "a mean": 0.0,
        "the average of the other conditions": float(own["average_r2"]),
        "networks with inputs exchanged": float(own.get("shuffled_r2", -np.inf)),
    }
    name = max(rivals, key=rivals.__getitem__)
    if float(own["r2"]) > rivals[name]:
        if float(own["r2_bound"].min()) > 0:
            return ""
        name = "a mean"
    return f"{name} (r2 = {rivals[name]:.3g})"


def _note(result: xr.Dataset) -> str:
    """Say in a sentence what of the network is known."""
    rank, n_starts = int(result["chosen_rank"]), result.sizes["start"]
    r2, (low, high) = (result[name].sel(n_ranks=rank).values for name in ("r2", "r2_bound"))
    rival = _rival(result)
    said = f"A network of rank {rank} explains {r2:.3f} ({low:.3f} to {high:.3f}) of held-out "
    said += f"conditions, no better than {rival}: do not read it. " if rival else "conditions. "
    if np.max(result.attrs["lag"]) > 0:
        said += f"It was fitted with lag={result.attrs['lag']} s: delay what it is shown as much. "
    if n_starts < 2:
        return said + "How far its weights are determined is unknown: fit from n_starts=2 or more."
    raw, effective = (float(result[f"{name}_correlation"]) for name in ("raw", "effective"))
    return said + (
        f"Recurrent weights of fits from {n_starts} starts correlate by {raw:.2f}, and by "
        f"{effective:.2f} along the {int(result['n_visited'])} dimensions that its rates visit: "
        "read what it does there, not single weights."
    )


def _neurons(recording: Recording, n_neurons: int) -> NDArray[Any]:
    """Return ids of recorded neurons, then of the others."""
    ids = recording.activity["neuron"].to_numpy()
    n_more = n_neurons - ids.size
    if not n_more:
        return ids
    if ids.dtype.kind in "iu":
        return np.concatenate([ids, ids.max() + 1 + np.arange(n_more)])
    return np.concatenate([ids.astype(str), [f"not recorded {k + 1}" for k in range(n_more)]])


def _padded(values: Array, n: int) -> Array:
    """Return values (..., neuron) with NaN for neurons that were not recorded."""
    more = np.full((*values.shape[:-1], n - values.shape[-1]), np.nan)
    return np.concatenate([values, more], axis=-1)


def _coords(activity: xr.DataArray) -> dict[str, Any]:
    """Return coordinates of time and items."""
    return {
        str(name): coord.variable
        for name, coord in activity.coords.items()
        if "neuron" not in coord.dims and coord.dims
    }
