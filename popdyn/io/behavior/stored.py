"""Times and values of one NWB time series: what a group holds, whatever its type is called."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from popdyn.io.tables import Column, clean_text, plain_description
from popdyn.io.times import column_units
from popdyn.io.tree.node import Node, holds_data, kind_of, words_of

# Where a recording keeps series; tables of neurons and of electrodes lie elsewhere.
PLACES = ("/acquisition/", "/processing/", "/stimulus/", "/analysis/", "/scratch/", "/events/")
# What electrodes, cameras and microscopes recorded is not behavior.
_PHYSIOLOGY = frozenset(
    ("ElectricalSeries", "SpikeEventSeries", "PatchClampSeries", "CurrentClampSeries")
    + ("VoltageClampSeries", "IZeroClampSeries", "CurrentClampStimulusSeries", "OpticalSeries")
    + ("VoltageClampStimulusSeries", "ImageSeries", "ImageMaskSeries", "IndexSeries")
    + ("TwoPhotonSeries", "OnePhotonSeries", "RoiResponseSeries", "DecompositionSeries")
)
_PHYSIOLOGY_PARTS = frozenset(
    ("electrodes", "electrode", "external_file", "dimension", "imaging_plane", "rois", "bands")
)
_MOST_CHANNELS, _MOST_VALUES = 64, 100_000_000
_NO_UNITS = frozenset(("na", "n/a", "a.u.", "au", "addme", "unknown", "no unit", "none", ""))


@dataclass(frozen=True)
class Place:
    """A group that may hold series or events, and NWB's type of the group it lies in."""

    node: Node
    parent: str


def places(groups: Iterable[Node]) -> list[Place]:
    """Return the groups of a file, from `node.walk`, among which series are found."""
    listed = list(groups)
    kinds = {group.path: kind_of(group) for group in listed}
    return [
        Place(group, kinds.get(posixpath.dirname(group.path), ""))
        for group in listed
        if f"/{group.path.strip('/')}".startswith(PLACES)
    ]


def unique_names(nodes: Iterable[Node], taken: Iterable[str] = ()) -> dict[str, str]:
    """Name every node shortly: its own name, else ``container/name``, else its whole path.

    Returns
    -------
    dict
        Path to name.
    """
    paths = [node.path.strip("/") for node in nodes]
    used = set(taken)
    chosen: dict[str, str] = {}
    for n_parts in (1, 2, 99):
        left = [path for path in paths if path not in chosen]
        short = ["/".join(path.split("/")[-n_parts:]) for path in left]
        for path, name in zip(left, short, strict=True):
            if short.count(name) == 1 and name not in used:
                chosen[path] = name
        used |= set(chosen.values())
    return {f"/{path}": chosen.get(path, path) for path in paths}


def has_times(group: Node) -> bool:
    """Whether a group says when its samples were taken."""
    return holds_data(group, "timestamps") or holds_data(group, "starting_time")


def read_times(group: Node) -> np.ndarray:
    """Read the times (s) of a series.

    Raises
    ------
    ValueError
        If there are none, or they cannot be times; the message completes "<name> ...".
    """
    if holds_data(group, "timestamps"):
        return _timestamps(group)
    if not holds_data(group, "starting_time"):
        why = group.why_absent("timestamps") or group.why_absent("starting_time")
        message = f"has no times: its timestamps {why}" if why else "has no times"
        raise ValueError(message)
    start, rate = starting_time(group)
    return start + np.arange(n_samples(group)) / rate


def _timestamps(group: Node) -> np.ndarray:
    data = group.child("timestamps")
    for _ in range(4):
        if data is None or data.holds != "references":
            break
        # A reference leads to the timestamps of another series, or to that series.
        data = group.absolute(str(data.read().ravel()[0]))
        if data is not None and data.is_group:
            data = data.child("timestamps")
    if data is None or data.is_group or data.holds != "numbers":
        message = "has timestamps that hold no numbers"
        raise ValueError(message)
    times = data.read()
    if times.ndim != 1:
        message = f"has timestamps of shape {times.shape}; expected one for each sample"
        raise ValueError(message)
    return times.astype(np.float64)


def starting_time(group: Node) -> tuple[float, float]:
    """First time (s) and rate (Hz) of a series that is sampled regularly.

    Raises
    ------
    ValueError
        If the rate is none.
    """
    data = group.child("starting_time")
    start = float(data.read().ravel()[0]) if data is not None else np.nan
    stated = data.attribute("rate") if data is not None else None
    rate = float(stated) if isinstance(stated, (int, float)) else np.nan
    if not (np.isfinite(rate) and rate > 0 and np.isfinite(start)):
        shown = "no rate" if stated is None else f"a rate of {stated} Hz"
        message = f"starts at {start:g} s with {shown}; expected a finite start and a rate above 0"
        raise ValueError(message)
    return start, rate


def n_samples(group: Node) -> int:
    """Return the number of samples, without reading them."""
    for name in ("data", "label_keys", "timestamps"):
        child = group.child(name) if name in group.names else None
        if child is not None and child.shape:
            return child.shape[0]
    return 0


def read_values(group: Node) -> tuple[np.ndarray, str]:
    """Read the values of a series: numbers with NWB's conversion and offset, or text.

    Returns
    -------
    (numpy.ndarray, str)
        The values, and what was done to the stored ones (``""``: nothing).
    """
    data = group.child("data")
    if data is None or data.is_group:
        message = f"has data that {group.why_absent('data') or 'are not there'}"
        raise ValueError(message)
    if data.holds == "text":
        return clean_text(data.read())[0], ""
    if data.holds != "numbers":
        message = f"has data of a kind that cannot be averaged ({data.holds})"
        raise ValueError(message)
    values = data.read()
    conversion, offset = _number(data, "conversion", 1.0), _number(data, "offset", 0.0)
    if conversion == 1.0 and offset == 0.0:
        return values, ""
    plus = f" + {offset:g}" if offset else ""
    return values * conversion + offset, f"stored values x {conversion:g}{plus}"


def _number(data: Node, name: str, default: float) -> float:
    stated = data.attribute(name)
    usable = isinstance(stated, (int, float)) and np.isfinite(stated)
    # A conversion of 0 would erase the data; writers leave it where they know none.
    return float(stated) if usable and (stated or name == "offset") else default


def series_units(group: Node) -> str:
    """Units of the values of a series, ``"unknown"`` where the file does not say."""
    data = group.child("data") if "data" in group.names else None
    stated = data.attribute("unit") if data is not None else None
    words = stated.strip() if isinstance(stated, str) else ""
    if words.lower() in _NO_UNITS:
        return "unknown"
    return column_units(Column("", "float64", np.zeros(0), units=words))


def unit_notes(node: Node) -> list[str]:
    """Say where timestamps are stated in something else than seconds."""
    for name in ("timestamps", "starting_time"):
        stated = words_of(node.child(name), "unit") if name in node.names else ""
        if stated and stated.lower() not in ("s", "sec", "second", "seconds"):
            return [
                f"its {name} are stated in {stated!r}, where NWB expects seconds; not converted"
            ]
    return []


def described(node: Node) -> str:
    """Return what a series says of itself; ``""`` where that is a placeholder."""
    return plain_description(words_of(node, "description"))


def why_no_behavior(node: Node) -> str:
    """Say why a series is no behavior, by what recorded it or its size; ``""`` if it can be."""
    kind = kind_of(node)
    parts = _PHYSIOLOGY_PARTS & set(node.names)
    if kind in _PHYSIOLOGY or parts:
        return f"it is {kind or 'a recording'}" + (f" with {sorted(parts)[0]}" if parts else "")
    data = node.child("data") if holds_data(node, "data") else None
    shape = data.shape if data is not None else ()
    if len(shape) > 2 or (len(shape) == 2 and shape[1] > _MOST_CHANNELS):
        return f"it has {' x '.join(str(n) for n in shape)} values"
    n_values = int(np.prod(shape)) if shape else 0
    return f"it is huge ({n_values:,} values)" if n_values > _MOST_VALUES else ""
