"""What a source is, in numbers: how many neurons and trials, how active, what looked wrong."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.comparison.agreement import conditions_of
from popdyn.comparison.sources import Prepared
from popdyn.preprocess.normalize import rate
from popdyn.resample import BOUND, bootstrap, percentile_bounds
from popdyn.tensor.result import make_result
from popdyn.tensor.view import group_conditions, mean_and_error

N_DRAWS = 1000


def summarize(source: Prepared, by: tuple[str, ...], rng: int) -> xr.Dataset:
    """Describe a source.

    Parameters
    ----------
    source : Prepared
        The source, matched.
    by : tuple of str
        Columns that define the conditions.
    rng : int
        Seed of the bootstrap.

    Returns
    -------
    Dataset
        ``n_neurons``, ``n_trials``; of ``n_source`` trials ``n_unselected`` were left out by
        the selection, ``n_dropped`` had no event or condition, ``n_unmatched`` were not drawn by
        matching; ``n_trials_condition (condition)``;
        ``mean_rate``: over neurons, time and conditions, in Hz (or without unit), with
        ``mean_rate_bound (bound)``, 95 % over trials drawn again within conditions.  ``attrs``
        say the kind, the inputs and their digests, and the problems.
    """
    tensor = rate(source.tensor)
    mean, bound = _mean_rate(tensor, by, rng)
    counts = conditions_of(source, by)
    unit = {"units": str(tensor.attrs["units"])}
    result = make_result(
        {
            "n_neurons": ((), tensor.sizes["neuron"]),
            "n_trials": ((), tensor.sizes["trial"]),
            **_trials_left_out(source),
            "n_trials_condition": ("condition", trials_observed(tensor, by)),
            "mean_rate": ((), mean, unit),
            "mean_rate_bound": ("bound", bound, unit),
        },
        coords={"condition": np.array(list(counts), dtype=np.str_), "bound": BOUND},
        method="summary",
        parameters={"by": list(by), "n_draws": N_DRAWS},
        source=tensor,
        seed=rng,
    )
    return result.assign_attrs(
        source_id=source.id,
        kind=source.kind,
        path=", ".join(source.inputs),
        digest=", ".join(source.inputs.values()),
        problems=json.dumps(list(source.problems), ensure_ascii=False),
        text_summary=_text(source, counts),
        popdyn=str(tensor.attrs.get("popdyn", "[]")),
    )


def _trials_left_out(source: Prepared) -> dict[str, tuple[tuple[()], int]]:
    """Account for the trials of a source that are not used; a pseudo-population has repeats."""
    used = source.tensor.sizes["trial"]
    dropped = int(source.tensor.attrs.get("n_dropped", 0))
    aligned = source.n_aligned or used
    whole = source.n_source or aligned + dropped
    return {
        "n_source": ((), whole),
        "n_unselected": ((), whole - dropped - aligned),
        "n_dropped": ((), dropped),
        "n_unmatched": ((), aligned - used),
    }


def trials_observed(tensor: xr.DataArray, by: tuple[str, ...]) -> NDArray[np.int64]:
    """Count the trials of each condition that the neuron with the fewest was observed in."""
    conditions = group_conditions(tensor, list(by))
    seen = np.isfinite(tensor.values).any(axis=1)
    counts = [seen[:, conditions.index == k].sum(axis=1) for k in range(len(conditions.labels))]
    return np.asarray([own.min() for own in counts], dtype=np.int64)


def example_neuron(source: Prepared, by: tuple[str, ...]) -> Any:
    """Choose the neuron whose mean rate differs most between conditions, for illustration.

    The measure is the variance of the condition means over their squared standard error; with
    one condition, the mean rate.  It is a choice by the data: a picture, never a test.
    """
    conditions = group_conditions(source.tensor, list(by))
    trial_mean = mean_and_error(source.tensor.transpose("neuron", "trial", "time").values)[0]
    groups = [trial_mean[:, conditions.index == k] for k in range(len(conditions.labels))]
    means, errors, _ = (np.stack(x, axis=1) for x in zip(*map(mean_and_error, groups), strict=True))
    if means.shape[1] == 1:
        score = means[:, 0]
    else:
        noise = (errors**2).mean(axis=1)
        score = np.where(noise > 0, means.var(axis=1) / np.where(noise > 0, noise, 1.0), -1.0)
    best = int(np.argmax(np.where(np.isfinite(score), score, -np.inf)))
    return source.tensor.coords["neuron"].values[best]


def _mean_rate(
    tensor: xr.DataArray, by: tuple[str, ...], rng: int
) -> tuple[float, NDArray[np.float64]]:
    """Average over trials, then conditions, then neurons; the bounds draw trials again."""
    trial_mean = mean_and_error(tensor.transpose("neuron", "trial", "time").values)[0]
    seen = np.isfinite(trial_mean)
    values = np.where(seen, trial_mean, 0.0)
    conditions = group_conditions(tensor, list(by))
    weights = bootstrap(tensor, list(by), N_DRAWS, rng).times_drawn()
    weights = np.concatenate([np.ones((1, weights.shape[1])), weights])
    means = []
    for position in range(len(conditions.labels)):
        own = conditions.index == position
        total, n = weights[:, own] @ values[:, own].T, weights[:, own] @ seen[:, own].T
        means.append(np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0))
    # (condition, draw, neuron): a neuron without trials in a draw is left out of that draw.
    overall = mean_and_error(mean_and_error(np.moveaxis(np.stack(means), 0, -1))[0])[0]
    return float(overall[0]), percentile_bounds(overall[1:])


def _text(source: Prepared, counts: dict[str, int]) -> str:
    tensor = source.tensor
    each = ", ".join(f"{label}: {n}" for label, n in counts.items())
    apart = "" if int(tensor.attrs.get("simultaneous", 1)) else ", not recorded together"
    return (
        f"{tensor.sizes['neuron']} neurons{apart}, {tensor.sizes['trial']} trials ({each}), "
        f"aligned to {tensor.attrs.get('align', 'unknown')}, from {', '.join(source.inputs)}"
    )
