"""Where neurons lie, as NWB says it: devices, electrode groups, electrodes, whose is which."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from popdyn.errors import TensorError
from popdyn.tensor.columns import column_values
from popdyn.tensor.contract import column_names

UNKNOWN = "unknown"
# Columns of electrodes that pynwb declares itself.
_DECLARED = ("x", "y", "z", "imp", "location", "filtering", "reference", "group", "group_name")
_NOT_IN_NAMES = re.compile(r"[/\\:]")


@dataclass(frozen=True, eq=False)
class ElectrodePlan:
    """Electrodes, one per row, and the rows of each neuron (flat, with how many each has).

    ``skip`` names the columns of neurons that follow from them exactly.
    """

    columns: dict[str, np.ndarray]
    ids: np.ndarray
    devices: np.ndarray
    rows: np.ndarray | None
    n_each: np.ndarray | None
    skip: frozenset[str]


def plan_electrodes(
    session: xr.Dataset,
    electrodes: pd.DataFrame | Mapping[str, Any] | None,
    neuron_electrodes: str | Sequence[Any] | None,
) -> ElectrodePlan | None:
    """Decide which electrodes a file gets; None where nothing is known of them.

    Parameters
    ----------
    session : Session
        Without `electrodes`, its neuron columns ``location`` and ``group_name`` make one
        electrode per distinct pair.
    electrodes : pandas.DataFrame or mapping, optional
        One row per electrode; the index, or a column ``id``, are their ids.
    neuron_electrodes : str or sequence, optional
        Neuron column of electrode ids, or an id or list of ids per neuron.

    Raises
    ------
    TensorError
        A table without groups, or ids that it does not have.
    """
    places = {name: _neuron_words(session, name) for name in ("location", "group_name")}
    if electrodes is None:
        if neuron_electrodes is not None:
            message = "neuron_electrodes names rows of a table: give it as electrodes=."
            raise TensorError(message)
        if all(words is None for words in places.values()):
            return None
        columns, rows = _from_neurons(places, session.sizes["neuron"])
        n_each = np.ones(rows.size, dtype=np.int64)
        return _planned(columns, None, rows, n_each, places)
    columns, ids = _from_table(electrodes)
    if neuron_electrodes is None:
        return _planned(columns, ids, None, None, places)
    rows, n_each = _rows_of_neurons(session, neuron_electrodes, ids)
    return _planned(columns, ids, rows, n_each, places)


def _neuron_words(session: xr.Dataset, wanted: str) -> tuple[str, np.ndarray] | None:
    """Return the column of neurons with that name in a file: its name here, and its text."""
    for name in column_names(session, "neuron"):
        coord = session.coords[name]
        if str(coord.attrs.get("file_name", name)) == wanted and coord.dtype.kind == "U":
            return name, coord.values
    return None


def _from_neurons(
    places: dict[str, tuple[str, np.ndarray] | None], n_neurons: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    empty = np.full(n_neurons, "", dtype=np.str_)
    location, group = (empty if found is None else found[1] for found in places.values())
    pairs = list(zip(group.tolist(), location.tolist(), strict=True))
    distinct = {pair: row for row, pair in enumerate(dict.fromkeys(pairs))}
    columns = {
        "location": np.array([pair[1] or UNKNOWN for pair in distinct]),
        "group_name": np.array([_group_name(pair[0] or pair[1]) for pair in distinct]),
    }
    return columns, np.array([distinct[pair] for pair in pairs], dtype=np.int64)


def _group_name(words: str) -> str:
    return _NOT_IN_NAMES.sub("_", words).strip().strip(".") or UNKNOWN


def _from_table(
    electrodes: pd.DataFrame | Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    table = electrodes if isinstance(electrodes, pd.DataFrame) else pd.DataFrame(dict(electrodes))
    ids = np.asarray(table["id"] if "id" in table.columns else table.index)
    where = "of the electrodes"
    columns = {
        str(name): column_values(table[name], f"column {name!r} {where}")
        for name in table.columns
        if name != "id"
    }
    given = columns.pop("group", columns.get("group_name"))
    if given is None:
        near = difflib.get_close_matches("group", list(columns), n=1, cutoff=0.4)
        hint = f" (is it {near[0]!r}?)" if near else ""
        message = (
            f"the electrodes need a column group, the name of each one's probe{hint}; found "
            f"{', '.join(columns) or 'no columns'}."
        )
        raise TensorError(message)
    if not ids.size or ids.dtype.kind not in "iu" or np.unique(ids).size != ids.size:
        message = (
            "the electrodes need unique whole numbers as ids (the index, or a column id), found "
            f"{ids.size} of dtype {ids.dtype}."
        )
        raise TensorError(message)
    columns["group_name"] = np.array([_group_name(str(word)) for word in given.tolist()])
    place = columns.get("location", np.full(ids.size, UNKNOWN))
    columns["location"] = np.array([str(word) or UNKNOWN for word in place.tolist()])
    return columns, ids


def _rows_of_neurons(
    session: xr.Dataset, given: str | Sequence[Any], ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the electrodes of each neuron, flat, and how many each has."""
    if isinstance(given, str):
        names = column_names(session, "neuron")
        if given not in names:
            near = difflib.get_close_matches(given, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            message = f"neuron_electrodes names {given!r}, which is no column of neurons.{hint}"
            raise TensorError(message)
        given = session[given].values.tolist()
    if len(given) != session.sizes["neuron"]:
        message = (
            f"neuron_electrodes has {len(given)} entries for {session.sizes['neuron']} neurons."
        )
        raise TensorError(message)
    lists = [np.atleast_1d(np.asarray(entry)) for entry in given]
    flat = np.concatenate(lists)
    unknown = flat[~np.isin(flat, ids)]
    if unknown.size:
        some = ", ".join(str(value) for value in np.unique(unknown)[:5])
        message = f"neuron_electrodes names ids that the electrodes do not have: {some}."
        raise TensorError(message)
    order = np.argsort(ids)
    rows = order[np.searchsorted(ids, flat, sorter=order)]
    return rows, np.array([entry.size for entry in lists], dtype=np.int64)


def _planned(
    columns: dict[str, np.ndarray],
    ids: np.ndarray | None,
    rows: np.ndarray | None,
    n_each: np.ndarray | None,
    places: dict[str, tuple[str, np.ndarray] | None],
) -> ElectrodePlan:
    devices = columns.pop("device", columns["group_name"])
    skip = set()
    if rows is not None and n_each is not None:
        pieces = np.split(rows, np.cumsum(n_each)[:-1])
        for place, found in places.items():
            words = [", ".join(dict.fromkeys(columns[place][own].tolist())) for own in pieces]
            if found is not None and words == found[1].tolist():
                skip.add(found[0])
    n_rows = columns["group_name"].size
    return ElectrodePlan(
        columns=columns,
        ids=np.arange(n_rows) if ids is None else ids,
        devices=np.array([_group_name(str(word)) for word in devices.tolist()]),
        rows=rows,
        n_each=n_each,
        skip=frozenset(skip),
    )


def add_electrodes(content: Any, plan: ElectrodePlan) -> None:
    """Put devices, groups and electrodes into an open pynwb file."""
    groups = {}
    names = plan.columns["group_name"]
    for name in dict.fromkeys(names.tolist()):
        own = names == name
        device = str(plan.devices[own][0])
        if device not in content.devices:
            content.create_device(name=device, description=f"Probe {device}")
        groups[name] = content.create_electrode_group(
            name=name,
            description=f"Electrodes of {name}",
            location=", ".join(dict.fromkeys(plan.columns["location"][own].tolist())),
            device=content.devices[device],
        )
    for name in plan.columns:
        if name not in _DECLARED:
            content.add_electrode_column(name=name, description=f"{name} of each electrode")
    for row, electrode_id in enumerate(plan.ids.tolist()):
        values = {name: values[row].item() for name, values in plan.columns.items()}
        content.add_electrode(id=electrode_id, group=groups[values["group_name"]], **values)


def region(content: Any, plan: ElectrodePlan) -> list[Any]:
    """Return the columns of neurons that point at their electrodes; none where it is not known."""
    if plan.rows is None or plan.n_each is None:
        return []
    from hdmf.common import DynamicTableRegion, VectorIndex

    column = DynamicTableRegion(
        name="electrodes", data=plan.rows, description="electrodes of each neuron",
        table=content.electrodes,
    )  # fmt: skip
    index = VectorIndex(name="electrodes_index", data=np.cumsum(plan.n_each), target=column)
    return [index, column]
