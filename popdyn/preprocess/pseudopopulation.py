"""What would a population recorded together look like?  Neurons recorded apart, pooled openly.

A trial of the pool is a repeat of a condition: each neuron contributes one of its own trials of
that condition.  Averages mean what they say; correlations between neurons within a condition do
not exist, and the pool says so (``simultaneous = 0``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed, as_generator, spawn
from popdyn.tensor.contract import DIMS, TIME_TOLERANCE, bin_width_of, check, column_names
from popdyn.tensor.result import add_history
from popdyn.tensor.selection import find_column
from popdyn.tensor.view import Conditions, group_conditions

Counts = NDArray[np.intp]


@dataclass(frozen=True)
class _Pool:
    """The tensors to pool, what their trials are, and how many each neuron has."""

    tensors: list[xr.DataArray]
    conditions: Conditions
    index: list[Counts]  # condition of every trial, per tensor
    neurons: NDArray[np.str_]
    n_trials: Counts  # (neuron, condition): trials in which the neuron was fully observed


def pseudopopulation(
    tensors: xr.DataArray | Sequence[xr.DataArray],
    by: str | Sequence[str],
    *,
    n_trials: int | Literal["min"] | None = None,
    rng: Seed = 0,
) -> xr.DataArray:
    """Pool neurons recorded apart: a trial becomes (condition, repeat).

    Parameters
    ----------
    tensors : DataArray or sequence of DataArray
        Tensors with the same quantity, units and time bins; of each neuron only the trials
        without NaN in the window are used.
    by : str or list of str
        Trial columns that define the conditions; every tensor has them.  Conditions are matched
        by their values (numbers equal within rounding are one); trials without a value are left
        out.
    n_trials : int or "min", optional
        Repeats per condition: as many as the neuron with most trials has, NaN past a neuron's
        own count (default); as many as the neuron with fewest has ("min"); or a number that
        every neuron must reach.
    rng : int or Generator
        Seed of the shuffle: every neuron's trials are put in an order of their own, so that no
        repeat holds a moment the neurons really shared.

    Returns
    -------
    DataArray (neuron, time, trial)
        Neuron ids are ``source_id/id``; neuron columns that all tensors have are kept, and
        ``source_id`` says where a neuron comes from.  Trials are ordered by condition, with the
        columns `by` and ``repeat``.  ``attrs["n_trials"]`` (JSON) holds the counts per neuron
        and condition, ``attrs["simultaneous"]`` is 0.

    Raises
    ------
    TensorError
        When quantity, units or bins differ, neuron ids repeat, a tensor lacks a condition or a
        neuron has no complete trial of one.

    Examples
    --------
    >>> import numpy as np
    >>> import popdyn as pdn
    >>> one, two = (
    ...     pdn.make_tensor(np.ones((1, 2, n)), [0.1, 0.2], {"choice": side}, source_id=name)
    ...     for n, side, name in ((3, ["l", "r", "l"], "monday"), (2, ["r", "l"], "friday"))
    ... )
    >>> pool = pdn.pseudopopulation([one, two], "choice", n_trials="min")
    >>> pool["neuron"].values.tolist(), pool["choice"].values.tolist()
    (['monday/0', 'friday/0'], ['l', 'r'])
    """
    pool = _pool(tensors, by)
    n_repeats = _repeats(pool, n_trials)
    generator, seed = as_generator(rng)
    names = [by] if isinstance(by, str) else [str(name) for name in by]
    tensor = xr.DataArray(
        _fill(pool, n_repeats, generator),
        dims=DIMS,
        coords=_columns(pool, names, n_repeats),
        name=pool.tensors[0].name,
        attrs=_attrs(pool),
    )
    step = {"by": names, "n_trials": n_trials, "seed": seed}
    tensor.attrs = add_history(tensor.attrs, "pseudopopulation", **step)
    return check(tensor)


def _pool(tensors: xr.DataArray | Sequence[xr.DataArray], by: str | Sequence[str]) -> _Pool:
    """Check that the tensors fit together and find the conditions they share."""
    given = [tensors] if isinstance(tensors, xr.DataArray) else list(tensors)
    if not given:
        message = "pseudopopulation needs one tensor or more; the list is empty"
        raise TensorError(message)
    checked = [check(tensor) for tensor in given]
    for other in checked[1:]:
        _check_alike(checked[0], other)
    neurons = np.array(
        [f"{_source(tensor)}/{neuron}" for tensor in checked for neuron in tensor["neuron"].values],
        dtype=np.str_,
    )
    unique, counts = np.unique(neurons, return_counts=True)
    if unique.size != neurons.size:
        message = (
            f"neuron ids (source_id/id) are not unique: {', '.join(unique[counts > 1][:5])}; give "
            "every tensor its own source_id (attrs['source_id'])"
        )
        raise TensorError(message)
    conditions, index = _shared_conditions(checked, by)
    n_trials = np.concatenate(
        [
            _count(tensor, own, len(conditions.labels))
            for tensor, own in zip(checked, index, strict=True)
        ]
    )
    pool = _Pool(checked, conditions, index, neurons, n_trials)
    _check_counts(pool)
    return pool


def _shared_conditions(
    tensors: list[xr.DataArray], by: str | Sequence[str]
) -> tuple[Conditions, list[Counts]]:
    """Group the trials of all tensors at once, so that equal values become one condition."""
    names = [by] if isinstance(by, str) else [str(name) for name in by]
    coords = {}
    for name in names:
        columns = [find_column(tensor, "trial", name) for tensor in tensors]
        _check_kinds(name, tensors, columns)
        coords[name] = ("trial", np.concatenate(columns))
    conditions = group_conditions(xr.Dataset(coords=coords), names)
    stops = np.cumsum([tensor.sizes["trial"] for tensor in tensors])[:-1]
    index = np.split(conditions.index, stops)
    for tensor, own in zip(tensors, index, strict=True):
        missing = [
            label for number, label in enumerate(conditions.labels) if not (own == number).any()
        ]
        if missing:
            message = (
                f"{_source(tensor)!r} has no trial of condition {', '.join(missing)} "
                f"({', '.join(names)}), which another tensor has; select the trials of the shared "
                "conditions with select(trials=) or leave this tensor out"
            )
            raise TensorError(message)
    return conditions, index


def _check_kinds(name: str, tensors: list[xr.DataArray], columns: list[Any]) -> None:
    """Refuse to match text with numbers."""
    is_text = [column.dtype.kind == "U" for column in columns]
    if any(is_text) and not all(is_text):
        text, number = is_text.index(True), is_text.index(False)
        message = (
            f"trial column {name!r} holds text in {_source(tensors[text])!r} and numbers in "
            f"{_source(tensors[number])!r}; "
            "give both the same values first (roles with a value map)"
        )
        raise TensorError(message)


def _check_alike(first: xr.DataArray, other: xr.DataArray) -> None:
    """Refuse tensors of different quantity, units, source or bins."""
    for what, one, two in (
        ("quantities", first.name, other.name),
        ("units", first.attrs.get("units"), other.attrs.get("units")),
        ("kinds of source", first.attrs.get("source"), other.attrs.get("source")),
    ):
        if one != two:
            message = (
                f"tensors of different {what} cannot be pooled: {one!r} in {_source(first)!r}, "
                f"{two!r} in {_source(other)!r}; convert them to one first"
            )
            raise TensorError(message)
    tolerance = TIME_TOLERANCE * bin_width_of(first)
    same = first.sizes["time"] == other.sizes["time"] and np.allclose(
        first["time"].values, other["time"].values, rtol=0, atol=tolerance
    )
    if not (same and np.isclose(bin_width_of(first), bin_width_of(other), rtol=TIME_TOLERANCE)):
        message = (
            f"tensors with different time bins cannot be pooled: {_bins(first)}; {_bins(other)}; "
            "align both with the same window and bin_width"
        )
        raise TensorError(message)


def _check_counts(pool: _Pool) -> None:
    """Refuse a neuron without a single complete trial of a condition."""
    empty = np.argwhere(pool.n_trials == 0)
    if empty.size:
        listed = ", ".join(
            f"{pool.neurons[neuron]} ({pool.conditions.labels[number]})"
            for neuron, number in empty[:5]
        )
        message = (
            f"{len(np.unique(empty[:, 0]))} of {pool.neurons.size} neurons have no trial of a "
            f"condition without NaN in the window: {listed}; leave them out with "
            "select(neurons=) or shorten the window with select(time=)"
        )
        raise TensorError(message)


def _repeats(pool: _Pool, n_trials: int | str | None) -> Counts:
    """Repeats of each condition."""
    if n_trials is None:
        return np.asarray(pool.n_trials.max(axis=0))
    fewest = pool.n_trials.min(axis=0)
    if n_trials == "min":
        return np.asarray(fewest)
    if not isinstance(n_trials, (int, np.integer)) or n_trials < 1:
        message = f"n_trials is None, 'min' or a number of 1 or more; found {n_trials!r}"
        raise TensorError(message)
    if fewest.min() < n_trials:
        number = int(fewest.argmin())
        neuron = pool.neurons[pool.n_trials[:, number].argmin()]
        message = (
            f"n_trials = {n_trials}, but {neuron} has {fewest[number]} complete trials of "
            f"condition {pool.conditions.labels[number]}; use n_trials='min', or None to fill up "
            "with NaN"
        )
        raise TensorError(message)
    return np.full(len(fewest), int(n_trials), dtype=np.intp)


def _count(tensor: xr.DataArray, index: Counts, n_conditions: int) -> Counts:
    """Complete trials per neuron and condition."""
    complete = np.isfinite(tensor.values).all(axis=1)
    return np.stack(
        [(complete & (index == number)).sum(axis=1) for number in range(n_conditions)], axis=1
    )


def _fill(pool: _Pool, n_repeats: Counts, rng: np.random.Generator) -> NDArray[np.floating[Any]]:
    """Values of the pool: each neuron's complete trials of each condition, in random order."""
    dtype = np.result_type(*(tensor.dtype for tensor in pool.tensors))
    shape = (pool.neurons.size, pool.tensors[0].sizes["time"], int(n_repeats.sum()))
    values = np.full(shape, np.nan, dtype=dtype)
    first = np.cumsum(n_repeats) - n_repeats
    rows = [
        (tensor.values[neuron], own)
        for tensor, own in zip(pool.tensors, pool.index, strict=True)
        for neuron in range(tensor.sizes["neuron"])
    ]
    for target, (activity, own), neuron_rng in zip(
        values, rows, spawn(rng, len(rows)), strict=True
    ):
        complete = np.isfinite(activity).all(axis=0)
        for number, (start, size) in enumerate(zip(first, n_repeats, strict=True)):
            trials = neuron_rng.permutation(np.flatnonzero(complete & (own == number)))[:size]
            target[:, start : start + trials.size] = activity[:, trials]
    return values


def _columns(pool: _Pool, names: list[str], n_repeats: Counts) -> dict[str, Any]:
    """Coordinates of the pool."""
    condition = np.repeat(np.arange(len(n_repeats)), n_repeats)
    repeat = np.concatenate([np.arange(size) for size in n_repeats])
    ids = [
        f"{pool.conditions.labels[number]}/{index}"
        for number, index in zip(condition, repeat, strict=True)
    ]
    sources = [_source(tensor) for tensor in pool.tensors for _ in range(tensor.sizes["neuron"])]
    coords: dict[str, Any] = {
        "neuron": pool.neurons,
        "time": pool.tensors[0]["time"].variable,
        "trial": np.array(ids, dtype=np.str_),
        "repeat": ("trial", repeat),
        "source_id": ("neuron", np.array(sources, dtype=np.str_)),
    }
    for name in names:
        values = pool.conditions.table[name].to_numpy()[condition]
        values = values if values.dtype.kind in "biuf" else values.astype(np.str_)
        coords[name] = ("trial", values, dict(pool.tensors[0][name].attrs))
    shared = set.intersection(*(set(column_names(tensor, "neuron")) for tensor in pool.tensors))
    for name in column_names(pool.tensors[0], "neuron"):
        columns = [tensor[name].values for tensor in pool.tensors if name in shared]
        if columns and name not in coords and len({c.dtype.kind == "U" for c in columns}) == 1:
            coords[name] = ("neuron", np.concatenate(columns), dict(pool.tensors[0][name].attrs))
    return coords


def _attrs(pool: _Pool) -> dict[str, Any]:
    """Attributes of the pool: where it comes from, and the counts per neuron and condition."""
    attrs = [tensor.attrs for tensor in pool.tensors]
    counts = {
        str(neuron): dict(zip(pool.conditions.labels, row.tolist(), strict=True))
        for neuron, row in zip(pool.neurons, pool.n_trials, strict=True)
    }
    digests = "".join(str(own.get("input_digest", "")) for own in attrs)
    return {
        "units": attrs[0]["units"],
        "align": " / ".join(dict.fromkeys(str(own.get("align", "")) for own in attrs)),
        "bin_width": bin_width_of(pool.tensors[0]),
        "source": attrs[0].get("source", "recording"),
        "source_id": "+".join(dict.fromkeys(_source(tensor) for tensor in pool.tensors)),
        "simultaneous": 0,
        "n_dropped": sum(int(own.get("n_dropped", 0)) for own in attrs),
        "input_digest": hashlib.sha256(digests.encode()).hexdigest()[:16],
        "n_trials": json.dumps(counts, ensure_ascii=False),
    }


def _source(tensor: xr.DataArray) -> str:
    """Name of a tensor's source."""
    return str(tensor.attrs.get("source_id") or "tensor")


def _bins(tensor: xr.DataArray) -> str:
    """Time bins of a tensor in words."""
    time = tensor["time"].values
    return (
        f"{_source(tensor)!r} has {time.size} bins of {bin_width_of(tensor):g} s with centers from "
        f"{time[0]:g} to {time[-1]:g} s"
    )
