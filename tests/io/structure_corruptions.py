"""Damage to what an HDF5 file holds: data sets, groups, attributes, types, links, references."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Rng = np.random.Generator
_TABLES = ("units", "intervals", "general/extracellular_ephys/electrodes")
_ATTRIBUTES = (
    "colnames", "neurodata_type", "table", "elements", "target", "resolution", "description",
    "nwb_version", "unit",
)  # fmt: skip
_TIMES = ("spike_times", "start_time", "stop_time", "go_time", "obs_intervals", "boundary1_time")


def pick(rng: Rng, options: list[Any]) -> Any:
    return options[int(rng.integers(len(options)))]


def members(file: h5py.File) -> list[Any]:
    found: list[Any] = []
    for name in _TABLES:
        if name in file:
            found.append(file[name])
            file[name].visititems(lambda _, node: found.append(node))
    return found


def columns(file: h5py.File) -> list[Any]:
    return [node for node in members(file) if isinstance(node, h5py.Dataset)]


def groups(file: h5py.File) -> list[Any]:
    return [node for node in members(file) if isinstance(node, h5py.Group)]


def is_number(column: Any) -> bool:
    return column.dtype.kind in "iuf"


def replace(file: h5py.File, name: str, values: Any, **storage: Any) -> None:
    """Put other values in the place of a data set; attributes and references to it stay."""
    attributes = dict(file[name].attrs)
    pointing = [
        (node, key)
        for node in columns(file)
        for key, value in node.attrs.items()
        if isinstance(value, h5py.Reference) and value and file[value].name == name
    ]
    del file[name]
    file.create_dataset(name, data=values, **storage)
    file[name].attrs.update(attributes)
    for node, key in pointing:
        if node:
            node.attrs[key] = file[name].ref


def _removed_data(file: h5py.File, rng: Rng) -> str:
    name = str(pick(rng, columns(file)).name)
    del file[name]
    return f"{name} removed"


def _removed_group(file: h5py.File, rng: Rng) -> str:
    above = [file[name] for name in ("general", "general/extracellular_ephys") if name in file]
    name = str(pick(rng, [*groups(file), *above]).name)
    del file[name]
    return f"{name} removed"


def _attribute(file: h5py.File, rng: Rng) -> tuple[Any, str] | None:
    found = [(n, key) for n in [file, *members(file)] for key in n.attrs if key in _ATTRIBUTES]
    if not found:
        return None
    # By name first: the rare ones matter as much as the many descriptions.
    chosen = pick(rng, sorted({key for _, key in found}))
    return pick(rng, [pair for pair in found if pair[1] == chosen])


def _removed_attribute(file: h5py.File, rng: Rng) -> str:
    chosen = _attribute(file, rng)
    if chosen is None:
        return "nothing: no attributes"
    node, key = chosen
    del node.attrs[key]
    return f"attribute {key} of {node.name} removed"


def _replaced_attribute(file: h5py.File, rng: Rng) -> str:
    chosen = _attribute(file, rng)
    if chosen is None:
        return "nothing: no attributes"
    node, key = chosen
    others: list[tuple[str, Any]] = [
        ("a number", 7), ("NaN", np.nan), ("an empty text", ""), ("odd text", "\u2206\n\n x" * 50),
        ("numbers", np.arange(5)), ("texts", ["start_time", "id", "nowhere"]),
        ("bytes", np.bytes_(b"\xff\xfe")), ("no value", h5py.Empty("f")),
        ("VectorIndex", "VectorIndex"), ("DynamicTableRegion", "DynamicTableRegion"),
        ("EnumData", "EnumData"), ("Units", "Units"), ("TimeIntervals", "TimeIntervals"),
        ("a reference", pick(rng, members(file) or [file]).ref),
    ]  # fmt: skip
    words, value = pick(rng, others)
    node.attrs[key] = value
    return f"attribute {key} of {node.name} replaced by {words}"


def _changed_type(file: h5py.File, rng: Rng) -> str:
    column = pick(rng, columns(file))
    name, kind = str(column.name), column.dtype
    values = column[()]
    n = values.shape[0] if values.ndim else 1
    as_text = [str(value) for value in np.ravel(values)]
    options: dict[str, Callable[[], Any]] = {
        "text": lambda: as_text,
        "one number": lambda: 3.5,
        "an array of one more dimension": lambda: np.stack([values, values], axis=-1),
        "a column": lambda: np.reshape(values, (-1, 1)),
        "references": lambda: np.array([file.ref] * n, dtype=h5py.ref_dtype),
        "records": lambda: np.zeros(n, dtype=[("a", "i4"), ("b", "f8")]),
        "an enumeration": lambda: np.zeros(n, h5py.enum_dtype({"no": 0, "yes": 1}, basetype="i1")),
        "complex numbers": lambda: np.zeros(n, dtype=complex),
        "no value": lambda: h5py.Empty("f8"),
        "lists": lambda: _lists(n),
    }
    if kind.kind in "iuf":
        options |= {
            word: lambda word=word: _cast(values, word)
            for word in ("float64", "float16", "int32", "uint8", "int8", ">f4", ">i8", "bool")
        }
    word = pick(rng, list(options))
    if kind.kind == "O" and word.startswith("an array"):
        word = "a column"
    made = options[word]()
    is_objects = isinstance(made, np.ndarray) and made.dtype.kind == "O"
    storage = {"dtype": kind} if is_objects and made.dtype.metadata is None else {}
    replace(file, name, made, **storage)
    return f"{name} ({kind}) turned into {word}"


def _cast(values: np.ndarray, word: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        return values.astype(word)


def _lists(n: int) -> np.ndarray:
    values = np.empty(n, dtype=h5py.vlen_dtype(np.float64))
    for k in range(n):
        values[k] = np.arange(k % 3, dtype=float)
    return values


def _changed_length(file: h5py.File, rng: Rng) -> str:
    column = pick(rng, [c for c in columns(file) if c.ndim])
    name, kind, values = str(column.name), column.dtype, column[()]
    how = pick(rng, ["one less", "one more", "empty", "twice", "half"])
    changed = {
        "one less": values[:-1], "one more": np.concatenate([values, values[-1:]]),
        "empty": values[:0], "twice": np.concatenate([values, values]),
        "half": values[: len(values) // 2],
    }[how]  # fmt: skip
    replace(file, name, changed, dtype=kind)
    return f"{name}: {how} ({len(values)} rows before)"


def _changed_index(file: h5py.File, rng: Rng) -> str:
    found = [c for c in columns(file) if str(c.name).endswith("_index") or c.name.endswith("/id")]
    column = pick(rng, found)
    name, values = str(column.name), column[()].astype(np.int64)
    if not values.size:
        return f"nothing: {name} is empty"
    k = int(rng.integers(values.size))
    how = pick(rng, ["random", "falling", "negative", "past the end", "zeros", "huge", "one off"])
    if how == "random":
        values = rng.integers(0, values.max() + 1, values.size)
    elif how == "falling":
        values = values[::-1].copy()
    elif how == "zeros":
        values[:] = 0
    else:
        change = {"negative": -1 - values[k], "past the end": 1000, "huge": 2**62, "one off": -1}
        values[k] += change[how]
    replace(file, name, values)
    return f"{name}: {how}"


def _changed_times(file: h5py.File, rng: Rng) -> str:
    names = [c.name for c in columns(file) if c.name.endswith(_TIMES) and c.dtype.kind == "f"]
    if not names:
        return "nothing: no times"
    name = str(pick(rng, names))
    values = file[name][()]
    flat = values.reshape(-1)
    odd = float(pick(rng, [np.nan, np.inf, -np.inf, 1e300, -1e300, -5.0, 5e-324]))
    n = min(flat.size, int(pick(rng, [1, 3, flat.size])))
    flat[rng.choice(flat.size, n, replace=False)] = odd
    file[name][...] = values
    return f"{name}: {n} values set to {odd:g}"


def _changed_link(file: h5py.File, rng: Rng) -> str:
    node = pick(rng, members(file))
    name = str(node.name)
    links = {
        "a link to nowhere": h5py.SoftLink("/not/there"),
        "a link to itself": h5py.SoftLink(name),
        "a link to the root": h5py.SoftLink("/"),
        "a link to another": h5py.SoftLink(str(pick(rng, members(file)).name)),
        "a link to a missing file": h5py.ExternalLink("missing.nwb", "/x"),
        "a link to this file by name": h5py.ExternalLink(Path(file.filename).name, name),
        "a hard link to the root": None,
    }
    word = pick(rng, list(links))
    del file[name]
    file[name] = file["/"] if links[word] is None else links[word]
    return f"{name} became {word}"


def _changed_reference(file: h5py.File, rng: Rng) -> str:
    found = [(n, k) for n in members(file) for k, v in n.attrs.items() if _is_reference(v)]
    found += [(c, "") for c in columns(file) if h5py.check_ref_dtype(c.dtype) is not None]
    if not found:
        return "nothing: no references"
    node, key = pick(rng, found)
    gone = file.create_group("soon_gone")
    others = {"null": h5py.Reference(), "the root": file.ref, "something deleted": gone.ref}
    others["another"] = pick(rng, members(file)).ref
    word = pick(rng, list(others))
    del file["soon_gone"]
    if key:
        node.attrs.create(key, others[word], dtype=h5py.ref_dtype)
        return f"attribute {key} of {node.name} refers to {word}"
    node[int(rng.integers(node.shape[0]))] = others[word]
    return f"a row of {node.name} refers to {word}"


def _is_reference(value: Any) -> bool:
    return isinstance(value, h5py.Reference)


STRUCTURE: dict[str, Callable[[h5py.File, Rng], str]] = {
    "data set removed": _removed_data,
    "group removed": _removed_group,
    "attribute removed": _removed_attribute,
    "attribute replaced": _replaced_attribute,
    "type changed": _changed_type,
    "length changed": _changed_length,
    "index changed": _changed_index,
    "times not finite": _changed_times,
    "link changed": _changed_link,
    "reference changed": _changed_reference,
}
