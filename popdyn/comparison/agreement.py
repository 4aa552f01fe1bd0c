"""Refuse sources that cannot stand beside each other, before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from popdyn.comparison.sources import Prepared
from popdyn.comparison.spec import Spec
from popdyn.errors import SpecError
from popdyn.tensor.view import group_conditions


def conditions_of(prepared: Prepared, by: Sequence[str]) -> dict[str, int]:
    """Count the trials of each condition of a source.

    Returns
    -------
    dict
        Label of the condition -> number of trials.
    """
    conditions = group_conditions(prepared.tensor, list(by))
    return dict(zip(conditions.labels, conditions.n_trials.tolist(), strict=True))


def check_conditions(labels: Mapping[str, Sequence[str]], by: Sequence[str]) -> None:
    """Refuse a condition that not every source has.

    Parameters
    ----------
    labels : mapping
        Source id -> the labels of its conditions.
    by : sequence of str
        Roles or columns that define the conditions.

    Raises
    ------
    SpecError
        Naming the condition, who has it, who lacks it and what it has instead, and the fix.

    Examples
    --------
    >>> from popdyn.comparison.agreement import check_conditions
    >>> check_conditions({"mouse": ["left", "right"], "network": ["left"]}, ["choice"])
    Traceback (most recent call last):
        ...
    popdyn.errors.SpecError: condition 'right' of choice is in source 'mouse', but not in ...
    """
    every = list(dict.fromkeys(label for own in labels.values() for label in own))
    for label in every:
        have = [name for name, own in labels.items() if label in own]
        lack = [name for name, own in labels.items() if label not in own]
        if lack:
            role = by[0]
            message = (
                f"condition {label!r} of {' and '.join(by)} is in source {_quoted(have)}, but not "
                f"in {_quoted(lack)}, which has {', '.join(labels[lack[0]])}: give both the same "
                f"words with [source.roles] {role} = {{column = ..., values = {{...}}}}, or leave "
                "trials out with 'select'"
            )
            raise SpecError(message)


def check_units(units: Mapping[str, str], *, normalized: bool) -> None:
    """Refuse to set rates in Hz beside rates without a unit.

    Parameters
    ----------
    units : mapping
        Source id -> unit of its rates.
    normalized : bool
        Whether every source is made dimensionless first.

    Raises
    ------
    SpecError
        Naming a source of each unit, and the two ways out.
    """
    if normalized or len(set(units.values())) < 2:
        return
    named = {unit: name for name, unit in reversed(list(units.items()))}
    listed = " and ".join(f"{name!r} in {unit}" for unit, name in sorted(named.items()))
    message = (
        f"rates of different units cannot stand on one axis: {listed} (1 means without a unit). "
        "Draw spikes from the network with [source.observe], or write soft_normalize = true in "
        "[prepare]"
    )
    raise SpecError(message)


def check_sources(sources: Sequence[Prepared], spec: Spec) -> None:
    """Check units and conditions of all sources; their bins were checked on reading.

    Raises
    ------
    SpecError
        As `check_conditions` and `check_units` say, or a source has bins without any data.
    """
    by = spec.conditions.by
    for source in sources:
        check_window(source.id, source.tensor, spec)
    check_units({s.id: unit_of(s) for s in sources}, normalized=spec.prepare.soft_normalize)
    check_conditions({s.id: list(conditions_of(s, by)) for s in sources}, by)


def in_one_order(sources: Sequence[Prepared], by: Sequence[str]) -> list[Prepared]:
    """Give conditions named by text the order that the first map of values says, in all sources."""
    orders: dict[str, str] = {}
    for source in reversed(sources):
        for name in by:
            if order := source.tensor.coords[name].attrs.get("order"):
                orders[name] = order
    return [replace(source, tensor=_ordered(source.tensor, orders)) for source in sources]


def _ordered(tensor: xr.DataArray, orders: Mapping[str, str]) -> xr.DataArray:
    columns = {name: tensor.coords[name] for name in orders}
    return tensor.assign_coords(
        {name: own.assign_attrs(order=orders[name]) for name, own in columns.items()}
    )


def check_window(name: str, tensor: xr.DataArray, spec: Spec) -> None:
    """Refuse a source that ends inside the window: the others would be compared on other times.

    Raises
    ------
    SpecError
        Naming the source, where its data start and stop, and the two ways out.
    """
    seen = np.isfinite(tensor.values).any(axis=(0, 2))
    if seen.all() or not seen.any():
        return
    half = spec.alignment.bin_width / 2
    time = tensor.coords["time"].values[seen]
    start, stop = spec.alignment.window
    message = (
        f"source {name!r} has no data in {int((~seen).sum())} of {seen.size} bins: it was observed "
        f"from {time[0] - half:.4g} to {time[-1] + half:.4g} s around {tensor.attrs['align']!r}, "
        f"the window is {start:g} to {stop:g} s. Shorten [alignment] window for all, or make "
        "its trials longer (the durations of a network's task)"
    )
    raise SpecError(message)


def unit_of(prepared: Prepared) -> str:
    """Give the unit of a source's rates: spike counts become Hz."""
    tensor = prepared.tensor
    return "Hz" if tensor.name == "spike_count" else str(tensor.attrs["units"])


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
