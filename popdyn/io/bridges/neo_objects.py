"""neo's objects as plain arrays in seconds; known by their attributes, without neo.

Quantities say themselves how many seconds their unit has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from popdyn.errors import TensorError, warn
from popdyn.io.bridges.foreign import named

# More different labels than that are remarks, not kinds of events.
_MOST_LABELS = 20


@dataclass(frozen=True, eq=False)
class Train:
    """Spikes of one neuron in one segment (s), when it was recorded, and what is said of it."""

    times: np.ndarray
    start: float
    stop: float
    name: str
    annotations: Mapping[str, Any]
    units: Mapping[str, str] = field(default_factory=dict)


def loaded(item: Any) -> Any:
    """Return an object of neo; those that wait to be read are read."""
    return item.load() if hasattr(item, "load") and not hasattr(item, "magnitude") else item


def seconds(quantity: Any, what: str, rate: float | None = None) -> np.ndarray:
    """Values in seconds, by the quantity's own units.

    Parameters
    ----------
    quantity : quantities.Quantity, or like it
    what : str
        What messages call it.
    rate : float, optional
        Samples per second, for values without a dimension.

    Raises
    ------
    TensorError
        If there are no units, or they are not those of time.

    Examples
    --------
    >>> seconds([1.0], "the spike times")
    Traceback (most recent call last):
        ...
    popdyn.errors.TensorError: the spike times have no units: found list. Give them some, ...
    """
    units, magnitude = getattr(quantity, "units", None), getattr(quantity, "magnitude", None)
    if units is None or magnitude is None:
        message = (
            f"{what} have no units: found {type(quantity).__name__}. Give them some, such as "
            "`times * quantities.s`."
        )
        raise TensorError(message)
    values = np.asarray(magnitude, dtype=np.float64)
    if _dimensionless(units):
        if rate is None:
            message = (
                f"{what} are dimensionless, and neo gives no sampling rate for them: say how many "
                "there are in a second with sampling_rate=... (Hz)."
            )
            raise TensorError(message)
        return values / rate
    return _scaled(values, _factor(units, "s", what))


def in_hertz(quantity: Any) -> float | None:
    """Return a sampling rate in Hz; None for none, and for neo's default of 1 Hz."""
    if quantity is None or not hasattr(quantity, "units"):
        return None if quantity is None else float(quantity)
    rate = float(np.asarray(quantity.magnitude)) * _factor(quantity.units, "Hz", "sampling_rate")
    return None if rate == 1.0 else rate


def _dimensionless(units: Any) -> bool:
    return str(getattr(units, "dimensionality", units)) == "dimensionless"


def _factor(units: Any, wanted: str, what: str) -> float:
    try:
        return float(np.asarray(units.rescale(wanted).magnitude))
    except (ValueError, AttributeError) as error:
        found = getattr(units, "dimensionality", units)
        message = f"{what} are in {found}, expected units that can be turned into {wanted}."
        raise TensorError(message) from error


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    """Multiply; by 1/1000 as a division, which rounds once and to the nearest number."""
    if factor == 1.0:
        return values
    inverse = round(1.0 / factor) if 0 < factor < 1 else 0
    if inverse and abs(inverse * factor - 1.0) < 1e-12:
        return values / inverse
    return values * factor


def read_train(item: Any, where: str, rate: float | None) -> Train:
    """Read a SpikeTrain.

    Raises
    ------
    TensorError
        If it is none, or its times have no units of time.
    """
    train = loaded(item)
    if not (hasattr(train, "t_start") and hasattr(train, "t_stop") and hasattr(train, "times")):
        message = (
            f"{where} must be a SpikeTrain (times, t_start, t_stop); found {type(train).__name__}."
        )
        raise TensorError(message)
    own_rate = rate if rate is not None else in_hertz(getattr(train, "sampling_rate", None))
    times, start, stop = (
        seconds(getattr(train, name), f"{name} of {where}", own_rate)
        for name in ("times", "t_start", "t_stop")
    )
    annotations, units = plain_annotations(train)
    return Train(
        times.ravel(), float(start), float(stop), text_of(train, "name"), annotations, units
    )


def text_of(item: Any, attribute: str) -> str:
    """Return an attribute as text; "" where there is none."""
    value = getattr(item, attribute, None)
    return "" if value is None else str(value)


def plain_annotations(item: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Annotations that are one number, boolean or text; and the units of quantities."""
    plain, units, strange = {}, {}, []
    for key, value in dict(getattr(item, "annotations", None) or {}).items():
        if isinstance(value, (str, bool, int, float, np.generic)):
            plain[str(key)] = value.item() if isinstance(value, np.generic) else value
        elif hasattr(value, "magnitude") and np.ndim(value) == 0:
            plain[str(key)] = np.asarray(value.magnitude).item()
            units[str(key)] = _units_of(value)
        elif value is not None:
            strange.append(str(key))
    if strange:
        warn(f"annotations that are not one number or word were left out: {named(strange)}.")
    return plain, units


def plain_arrays(
    annotations: Mapping[str, Any],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Array annotations as plain arrays; and the units of quantities."""
    units = {str(k): _units_of(v) for k, v in annotations.items() if hasattr(v, "magnitude")}
    return {str(key): np.asarray(value) for key, value in annotations.items()}, units


def add_units(about: dict[str, dict[str, Any]], units: Mapping[str, str]) -> None:
    """Note the units of columns.

    Raises
    ------
    TensorError
        If a column has other units than it had before.
    """
    for name, unit in units.items():
        before = about.setdefault(name, {"units": unit})["units"]
        if before != unit:
            message = f"annotation {name!r} is in {before} here and in {unit} there: rescale one."
            raise TensorError(message)


def _units_of(quantity: Any) -> str:
    return "1" if _dimensionless(quantity.units) else str(quantity.units.dimensionality)


def by_label(item: Any, fallback: str) -> dict[str, np.ndarray]:
    """Positions in an Event or Epoch of each kind: by label, where labels name kinds.

    Returns
    -------
    dict of str to numpy.ndarray of int
    """
    name = text_of(item, "name") or fallback
    n = int(np.size(item.times.magnitude)) if hasattr(item.times, "magnitude") else len(item.times)
    labels = labels_of(item)
    if labels is None:
        return {name: np.arange(n)}
    kinds = list(dict.fromkeys(labels.tolist()))
    if len(kinds) == 1:
        return {text_of(item, "name") or kinds[0] or fallback: np.arange(n)}
    if len(kinds) > _MOST_LABELS:
        warn(f"{len(kinds)} different labels of {name!r} were left out: they name no kinds.")
        return {name: np.arange(n)}
    prefix = f"{text_of(item, 'name')}_" if text_of(item, "name") else ""
    return {f"{prefix}{kind}": np.flatnonzero(labels == kind) for kind in kinds}


def labels_of(item: Any) -> np.ndarray | None:
    """Labels of an Event or Epoch as text; None where there are none."""
    labels = getattr(item, "labels", None)
    labels = np.asarray([] if labels is None else labels).astype(str)
    return labels if labels.size and (labels != "").any() else None


def columns_of_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Columns of rows that need not have the same keys; missing is None."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return {key: _column([row.get(key) for row in rows]) for key in keys}


def _column(values: list[Any]) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
