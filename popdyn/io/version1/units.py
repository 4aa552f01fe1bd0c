"""The neurons of an NWB 1 file as one table.

Layouts met: the specification's, CRCNS alm-1 and hc-3 and ret-1 (one group per unit, lists over
all units beside them), and the Allen Institute's probes (``unit_list`` one level higher, a value
per unit in each unit's group).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from popdyn.io.tables import one_line
from popdyn.io.tree.gather import gather_columns, natural_order
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.made_node import MadeData, MadeGroup, made_table
from popdyn.io.tree.node import Node
from popdyn.io.version1.places import unit_places

_PATH = "/units"
_TIMES = frozenset(("times",))
# Lists of the file over all units; the rest of these groups is one group per unit.
_LIST = "unit_list"


@dataclass(frozen=True, eq=False)
class _Module:
    """Units of one ``UnitTimes`` that can be read, lists over them, and what cannot be read."""

    units: list[Node]
    spikes: list[np.ndarray]
    lists: dict[str, np.ndarray]
    absent: dict[str, str]


def unit_table(root: Node) -> MadeGroup | None:
    """Make one table of the units of all modules; None where no module has ``UnitTimes``.

    Ids are the units' names, as numbers where all are, and ``module:name`` where two modules
    have the same name.  A unit whose times cannot be read is no neuron: it is listed as left out.

    Parameters
    ----------
    root : Node
    """
    modules = _modules(root)
    if not modules:
        return None
    parts = [_read_module(interface) for interface in modules.values()]
    units = [unit for part in parts for unit in part.units]
    owners = [name for name, part in zip(modules, parts, strict=True) for _ in part.units]
    absent = {
        f"{name}:{what}" if len(modules) > 1 else what: why
        for name, part in zip(modules, parts, strict=True)
        for what, why in part.absent.items()
    }
    columns = _spike_columns([times for part in parts for times in part.spikes])
    if len(modules) > 1:
        columns["module"] = MadeData(f"{_PATH}/module", np.array(owners, dtype=np.str_))
    gathered, several = gather_columns(units, _PATH, skip=_TIMES)
    columns |= gathered
    for name, values in {**_spread(parts), **unit_places(root, units)}.items():
        columns.setdefault(name, MadeData(f"{_PATH}/{name}", values))
    where = ", ".join(interface.path for interface in modules.values())
    return made_table(
        _PATH, _ids([unit.name for unit in units], owners), columns, {**absent, **several},
        kind="Units", description=f"spike times of {where}, one data set per neuron",
        hidden=frozenset(("spike_times_index",)),
    )  # fmt: skip


def _read_module(interface: Node) -> _Module:
    ordered, absent = _ordered(interface)
    units: list[Node] = []
    spikes: list[np.ndarray] = []
    positions: list[int] = []
    for position, unit in enumerate(ordered):
        times, why = _times(unit)
        if times is None:
            absent[unit.name] = f"{why}; no such neuron is read"
            continue
        units.append(unit)
        spikes.append(times)
        positions.append(position)
    lists = {name: values[positions] for name, values in _lists(interface, ordered).items()}
    return _Module(units, spikes, lists, absent)


def _modules(root: Node) -> dict[str, Node]:
    """Return the ``UnitTimes`` of each module, also one level down, by the module's name."""
    processing = root.child("processing")
    found: dict[str, Node] = {}
    waiting = [(processing, "", 0)] if processing is not None else []
    while waiting:
        group, name, depth = waiting.pop(0)
        interface = group.child("UnitTimes") if "UnitTimes" in group.names else None
        if interface is not None and interface.is_group:
            found[name] = interface
        elif depth < 2:
            inner = [(group.child(part), part) for part in natural_order(group.names)]
            waiting += [
                (child, f"{name}/{part}".strip("/"), depth + 1)
                for child, part in inner
                if child is not None and child.is_group
            ]
    return found


def _ordered(interface: Node) -> tuple[list[Node], dict[str, str]]:
    """Units in the order of ``unit_list``, those it lacks behind; and what it names in vain."""
    groups = {
        name: child
        for name in natural_order(interface.names)
        if (child := interface.child(name)) is not None and child.is_group
    }
    damaged = {
        name: f"{interface.why_absent(name) or 'is damaged'}; no such neuron is read"
        for name in interface.names
        if interface.child(name) is None
    }
    listed = _names_listed(interface)
    here = [name for name in dict.fromkeys(listed) if name in groups]
    order = [*here, *(name for name in groups if name not in here)]
    vain = [name for name in listed if name not in groups and name not in damaged]
    if vain:
        shown = ", ".join(vain[:3]) + (", ..." if len(vain) > 3 else "")
        damaged[f"{len(vain)} of {len(listed)} units of unit_list"] = (
            f"{shown}: no such group in {interface.path}"
        )
    return [groups[name] for name in order], damaged


def _names_listed(interface: Node) -> list[str]:
    """Return what ``unit_list`` names, in ``UnitTimes`` or in the module that holds it."""
    above = interface.absolute(interface.path.rsplit("/", 1)[0])
    for holder in (interface, above):
        data = holder.child(_LIST) if holder is not None and _LIST in holder.names else None
        if data is not None and not data.is_group and data.holds in ("text", "numbers"):
            try:
                return [str(value).strip() for value in data.read().ravel().tolist()]
            except DAMAGE:
                return []
    return []


def _times(unit: Node) -> tuple[np.ndarray | None, str]:
    """Spike times of a unit; None and why where they cannot be read."""
    data = unit.child("times") if "times" in unit.names else None
    if data is None or data.is_group:
        why = unit.why_absent("times") or "is not there"
        return None, f"its data set times {why}"
    if data.holds != "numbers" and data.shape != (0,):
        return None, "its data set times holds no numbers"
    try:
        times = data.read().ravel()
    except DAMAGE as error:
        return None, f"its times cannot be read: {one_line(error)}"
    return (times if times.dtype.kind in "biuf" else times[:0].astype(np.float64)), ""


def _spike_columns(spikes: list[np.ndarray]) -> dict[str, Node]:
    sizes = np.array([times.size for times in spikes], dtype=np.int64)
    flat = np.concatenate(spikes) if spikes else np.zeros(0)
    return {
        "spike_times": MadeData(f"{_PATH}/spike_times", flat),
        "spike_times_index": MadeData(f"{_PATH}/spike_times_index", np.cumsum(sizes)),
    }


def _lists(interface: Node, ordered: list[Node]) -> dict[str, np.ndarray]:
    """Read lists with one value for each unit, such as cell types or depths."""
    names = [unit.name for unit in ordered]
    found: dict[str, np.ndarray] = {}
    for name in interface.names:
        data = interface.child(name) if name != _LIST else None
        if data is None or data.is_group or data.shape != (len(names),):
            continue
        try:
            values = data.read()
        except DAMAGE:
            continue
        if data.holds in ("text", "numbers"):
            found[name] = _without_names(values, names)
    return found


def _without_names(values: np.ndarray, names: list[str]) -> np.ndarray:
    """Texts such as ``unit_01 - pyramidal``, put in the order of the units they name."""
    pairs = [str(value).split(" - ", 1) for value in values.tolist()]
    said = {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}
    if set(said) != set(names):
        return values
    return np.array([said[name] for name in names], dtype=np.str_)


def _spread(parts: list[_Module]) -> dict[str, np.ndarray]:
    """Join lists over all units, also those that only some modules have."""
    found: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for part in parts for name in part.lists):
        held = [part.lists.get(name) for part in parts]
        if any(values is not None and values.dtype.kind == "U" for values in held):
            filled = [
                np.full(len(part.units), "") if values is None else values.astype(np.str_)
                for part, values in zip(parts, held, strict=True)
            ]
        else:
            filled = [
                np.full(len(part.units), np.nan) if values is None else values
                for part, values in zip(parts, held, strict=True)
            ]
        found[name] = np.concatenate(filled)
    return found


def _ids(names: list[str], owners: list[str]) -> np.ndarray:
    if len(set(names)) < len(names):
        names = [f"{owner}:{name}" for owner, name in zip(owners, names, strict=True)]
    if names and all(name.isascii() and name.isdigit() and len(name) < 18 for name in names):
        numbers = np.array([int(name) for name in names], dtype=np.int64)
        if np.unique(numbers).size == numbers.size:
            return numbers
    return np.array(names, dtype=np.str_)
