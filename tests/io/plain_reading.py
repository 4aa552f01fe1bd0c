"""What a file says, read with h5py alone: the oracle that sessions of damaged files must agree with.

Nothing of popdyn is used.  A difference is a pair: what it is about, and what it is.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

Differences = list[tuple[str, str]]
_LITERAL = re.compile(r"""^b(['"])(.*)\1$""", re.DOTALL)


class UnreadableError(Exception):
    """What h5py cannot read, or what was never written."""


def differences(path: Path, session: xr.Dataset, table: str) -> Differences:
    """Compare a Session with the file it was read from.

    Parameters
    ----------
    path : Path
    session : xarray.Dataset
    table : str
        Name of the interval table whose rows are the trials.

    Returns
    -------
    list of (str, str)
        Subject (a column, ``spike``, ``ids``, ``obs_intervals``) and what differs.
    """
    with h5py.File(path, "r") as file:
        units = _find(file, "units", "spike_times")
        found = _spikes(units, session) + _intervals(units, session)
        bulk = {"spike_times", "obs_intervals", "electrodes"}
        found += _columns(units, session, "neuron", bulk)
        return found + _columns(_find(file, f"intervals/{table}", "start_time"), session, "trial")


def read(data: Any) -> np.ndarray:
    """Read a data set; refuse what has no values of its own."""
    try:
        if not isinstance(data, h5py.Dataset) or data.shape is None:
            message = "no data set"
            raise UnreadableError(message)
        if data.chunks is not None:
            sizes = zip(data.shape, data.chunks, strict=True)
            complete = data.id.get_num_chunks() == math.prod(-(-n // each) for n, each in sizes)
        else:
            complete = not data.size or data.id.get_storage_size() > 0
        if not complete:
            message = "never written"
            raise UnreadableError(message)
        return np.asarray(data[()])
    except UnreadableError:
        raise
    except Exception as error:
        message = str(error)
        raise UnreadableError(message) from error


def _get(group: Any, name: str) -> Any:
    try:
        return group.get(name)
    except Exception:  # noqa: BLE001 - whatever a damaged link raises
        return None


def _find(file: h5py.File, usual: str, column: str) -> Any:
    """The table at its usual place, else the first of that name, or with that column."""
    table = _get(file, usual)
    if isinstance(table, h5py.Group):
        return table
    others: list[Any] = []

    def visit(name: str, node: Any) -> None:
        named = name.rsplit("/", 1)[-1] == usual.rsplit("/", 1)[-1]
        if isinstance(node, h5py.Group) and column in node:
            others.insert(0, node) if named else others.append(node)

    file.visititems(visit)
    return others[0] if others else {}


def _ends(table: Any, name: str, n_values: int, n_rows: int) -> np.ndarray:
    ends = read(_get(table, name))
    if ends.ndim != 1 or ends.dtype.kind not in "iu" or ends.size != n_rows:
        message = f"{name} is no index of {n_rows} rows"
        raise UnreadableError(message)
    ends = ends.astype(object)
    if any(low > high for low, high in zip([0, *ends[:-1]], ends, strict=True)):
        message = f"{name} falls"
        raise UnreadableError(message)
    if n_rows and ends[-1] != n_values:
        message = f"{name} ends at {ends[-1]} of {n_values}"
        raise UnreadableError(message)
    return np.array([0, *ends], dtype=np.int64)


def _starts(table: Any, name: str, n_values: int, n_rows: int) -> np.ndarray:
    if table and f"{name}_index" in table:
        return _ends(table, f"{name}_index", n_values, n_rows)
    if n_rows == 1 or n_values == n_rows:
        return np.array([0, n_values]) if n_rows == 1 else np.arange(n_rows + 1)
    message = f"no {name}_index"
    raise UnreadableError(message)


def _spikes(units: Any, session: xr.Dataset) -> Differences:
    starts = session["neuron_start"].values
    times = session["spike_time"].values
    try:
        stored = np.atleast_1d(read(_get(units, "spike_times")))
        if stored.size != len(stored) or stored.dtype.kind not in "iuf":
            return [("spike", f"stored as {stored.dtype} of shape {stored.shape}")]
        stored = stored.ravel()
        expected = _starts(units, "spike_times", stored.size, session.sizes["neuron"])
    except UnreadableError as error:
        return [("spike", f"cannot be shared out: {error}")]
    found: Differences = []
    if not np.isfinite(stored).all():
        found.append(("spike", "some are not finite"))
    for k in range(session.sizes["neuron"]):
        own = stored[expected[k] : expected[k + 1]].astype(np.float64)
        if not np.array_equal(np.sort(own[np.isfinite(own)]), times[starts[k] : starts[k + 1]]):
            found.append(("spike", f"those of neuron {k} are not what is stored"))
            break
    return found


def _intervals(units: Any, session: xr.Dataset) -> Differences:
    listed = "obs_intervals" in _texts(units, "colnames")
    if not units or "obs_intervals" not in units:
        return [("obs_intervals", "listed, not there")] if listed else []
    n_neurons = session.sizes["neuron"]
    try:
        stored = read(_get(units, "obs_intervals"))
        if stored.ndim != 2 or stored.shape[1] != 2 or stored.dtype.kind not in "iuf":
            return [("obs_intervals", f"stored as {stored.dtype} of shape {stored.shape}")]
        starts = _starts(units, "obs_intervals", len(stored), n_neurons)
    except UnreadableError as error:
        return [("obs_intervals", str(error))]
    owner = session["obs_neuron"].values
    for k in range(n_neurons):
        own = stored[starts[k] : starts[k + 1]].astype(np.float64)
        mine = np.stack([session["obs_start"].values, session["obs_stop"].values], axis=1)
        mine = mine[owner == k]
        if len(own) and not np.array_equal(own[np.argsort(own[:, 0], kind="stable")], mine):
            return [("obs_intervals", f"those of neuron {k} are not what is stored")]
        if not len(own):
            return [("obs_intervals", f"neuron {k} has none")]
    return []


def _texts(node: Any, name: str) -> list[str]:
    try:
        words = np.ravel(node.attrs[name])
        return [_text(word) for word in words if isinstance(word, (bytes, str))]
    except Exception:  # noqa: BLE001 - a table, or an attribute, that is not there
        return []


def _names(table: Any) -> list[str]:
    try:
        return list(table)
    except RuntimeError:
        return []


def _text(value: Any) -> str:
    word = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    literal = _LITERAL.match(word)
    return literal[2] if literal else word


def _columns(
    table: Any, session: xr.Dataset, dim: str, bulk: set[str] | None = None
) -> Differences:
    """Compare every column of a session with the file, and the file's with the session."""
    found = _ids(table, session, dim)
    n_rows = session.sizes.get(dim, 0)
    seen = set(bulk or ())
    for name, coord in session.coords.items():
        stored_name = str(coord.attrs.get("file_name", name))
        made = "from the electrodes" in coord.attrs.get("description", "")
        if coord.dims != (dim,) or name == dim or stored_name == "file_id" or made:
            continue
        base, part = stored_name, ""
        if table and stored_name not in table:
            base, _, part = stored_name.rpartition("_")
        seen.add(base)
        try:
            if not _equal(_column(table, base, part, n_rows), coord.values):
                found.append((base, "not what is stored"))
        except UnreadableError as error:
            found.append((base, f"was made up: {error}"))
    names = [*_names(table), *_texts(table, "colnames")]
    for name in names:
        base = name.removesuffix("_index").removesuffix("_elements")
        is_index = base != name and base in names
        if name not in seen and name != "id" and not is_index:
            found.append((name, "left out"))
    return found


def _ids(table: Any, session: xr.Dataset, dim: str) -> Differences:
    try:
        ids = read(_get(table, "id"))
    except UnreadableError as error:
        return [("ids", str(error))]
    if ids.ndim == 1 and ids.dtype.kind not in "iuf":
        ids = np.array([_text(value) for value in ids])
    if np.array_equal(ids, session[dim].values):
        return []
    return [("ids", f"those of the {dim}s are not what is stored")]


def _equal(stored: np.ndarray, read_values: np.ndarray) -> bool:
    if stored.dtype.kind in "biuf":
        both = stored.dtype.kind == read_values.dtype.kind
        return both and np.array_equal(stored, read_values, equal_nan=stored.dtype.kind == "f")
    return [str(v) for v in stored.tolist()] == [str(v) for v in read_values.tolist()]


def _column(table: Any, name: str, part: str, n_rows: int) -> np.ndarray:
    data = _get(table, name)
    values = read(data)
    if f"{name}_index" in table:
        ends = _ends(table, f"{name}_index", len(values), n_rows)
        if values.dtype.kind in "biuf" and np.array_equal(ends, np.arange(n_rows + 1)):
            return values
        rows = zip(ends[:-1], ends[1:], strict=True)
        return np.array([", ".join(_text(v) for v in values[low:high]) for low, high in rows])
    if "EnumData" in _texts(data, "neurodata_type"):
        return _enumerated(data, values)
    if part and values.ndim == 2:
        values = values[:, int(part)]
    elif values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or len(values) != n_rows:
        message = f"shape {values.shape} for {n_rows} rows"
        raise UnreadableError(message)
    if h5py.check_ref_dtype(data.dtype) is not None:
        return np.array([_referred(data.file, reference) for reference in values])
    return _worded(data, values)


def _worded(data: Any, values: np.ndarray) -> np.ndarray:
    """Numbers, or text: as stored, or as the data set's own type names its codes."""
    codes = h5py.check_enum_dtype(data.dtype)
    if codes:
        words = {code: word for word, code in codes.items()}
        return np.array([words.get(int(value), str(value)) for value in values])
    if values.dtype.kind in "biuf":
        return values
    return np.array([_text(value) for value in values])


def _enumerated(data: Any, codes: np.ndarray) -> np.ndarray:
    try:
        elements = data.file[data.attrs["elements"]]
        words = _worded(elements, read(elements).ravel())
    except Exception as error:
        raise UnreadableError(str(error)) from error
    if codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= words.size:
        message = "codes without a word"
        raise UnreadableError(message)
    return words[codes]


def _referred(file: h5py.File, reference: Any) -> str:
    try:
        return str(file[reference].name).rsplit("/", 1)[-1]
    except Exception as error:
        message = f"a reference that leads nowhere: {error}"
        raise UnreadableError(message) from error
