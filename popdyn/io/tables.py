"""Read the tables of an NWB file (pynwb dynamic tables) into plain arrays, each column once."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from popdyn.tensor.contract import text

# Text that stands for "no value"; compared in lower case.
MISSING_TEXT = frozenset(("", "n/a", "na", "nan", "none", "null", "n.a.", "not available"))
_EMPTY_DESCRIPTIONS = frozenset(("", "no description", "none", "n/a", "placeholder"))
_LITERAL_BYTES = re.compile(r"^b'(.*)'$|^b\"(.*)\"$", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    ``values`` is None where the column cannot be one value per row; ``left_out`` says why.
    """

    name: str
    stored: str
    values: np.ndarray | None
    description: str = ""
    units: str = ""
    left_out: str = ""
    note: str = ""

    @property
    def missing(self) -> np.ndarray:
        """Which rows hold no value: NaN, or text such as ``N/A``."""
        if self.values is None:
            return np.zeros(0, dtype=bool)
        if self.values.dtype.kind == "f":
            return np.asarray(np.isnan(self.values))
        if self.values.dtype.kind == "U":
            lowered = np.char.lower(np.char.strip(self.values))
            return np.isin(lowered, list(MISSING_TEXT))
        return np.zeros(self.values.size, dtype=bool)


@dataclass(frozen=True, eq=False)
class Table:
    """A table: row ids and columns, in the file's order."""

    name: str
    ids: np.ndarray
    columns: tuple[Column, ...]
    description: str = ""
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.ids.size)

    @property
    def kept(self) -> dict[str, Column]:
        """Columns that hold one value per row, by name."""
        return {column.name: column for column in self.columns if column.values is not None}

    def numbers(self, name: str) -> np.ndarray | None:
        """Values of a numeric column as float64; None where there is no such column."""
        column = self.kept.get(name)
        if column is None or column.values is None or column.values.dtype.kind not in "fiu":
            return None
        return column.values.astype(np.float64)


def read_table(table: Any, name: str, skip: frozenset[str] = frozenset()) -> Table:
    """Read a pynwb DynamicTable.

    Parameters
    ----------
    table : hdmf.common.DynamicTable
    name : str
        Name to give it in messages.
    skip : frozenset of str
        Columns somebody else reads.

    Returns
    -------
    Table
        Also holds columns that lie in the table's group but are not listed in its
        ``colnames`` (pynwb passes over them), with a note.
    """
    stored_ids = np.asarray(table.id.data[:])
    ids, notes = _unique_ids(stored_ids, name)
    indexes = {id(c.target): c for c in table.columns if is_a(c, "VectorIndex")}
    targets = [c for c in table.columns if not is_a(c, "VectorIndex") and c.name not in skip]
    columns = [_read_column(column, indexes, ids.size) for column in targets]
    columns += _unlisted(table, ids.size, skip)
    if ids is not stored_ids:
        columns.append(Column("file_id", stored_ids.dtype.name, stored_ids, "id in the file"))
    repeated = tuple(f"{name}.{column.name}: {column.note}" for column in columns if column.note)
    description = _description(getattr(table, "description", ""))
    return Table(name, ids, tuple(columns), description, (*notes, *repeated))


def is_a(item: Any, kind: str) -> bool:
    """Whether an object is of a pynwb or hdmf class, without importing them (seconds)."""
    return any(parent.__name__ == kind for parent in type(item).__mro__)


def counted(n: int, noun: str) -> str:
    """Return ``1 row``, ``2 rows``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def left_out_line(table: Table) -> list[str]:
    """One line naming the columns that cannot be one value per row; none where all can."""
    left_out = [f"{c.name} ({c.left_out})" for c in table.columns if c.values is None]
    return [f"{table.name}: left out {', '.join(left_out)}"] if left_out else []


def _unique_ids(ids: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    n_repeated = ids.size - np.unique(ids).size
    if not n_repeated:
        return ids, ()
    note = (
        f"{name}: {n_repeated} of {ids.size} ids repeat an earlier one; rows are numbered "
        "0, 1, 2, ... instead, the file's ids are in the column file_id"
    )
    return np.arange(ids.size), (note,)


def _read_column(column: Any, indexes: dict[int, Any], n_rows: int) -> Column:
    description = _description(getattr(column, "description", ""))
    blank = Column(column.name, stored_type(column.data), None, description)
    index = indexes.get(id(column))
    if _holds_references(column.data):
        return replace(blank, left_out="holds references to other objects")
    if is_a(column, "DynamicTableRegion"):
        return replace(blank, left_out=f"points at rows of {getattr(column.table, 'name', '?')}")
    if index is not None:
        return _read_ragged(blank, column, index, indexes, n_rows)
    values = np.asarray(column.data[:]) if _has_length(column.data) else np.asarray(column.data)
    elements = getattr(column, "elements", None)
    if elements is not None:
        values = np.asarray(elements.data[:], dtype=object)[values.astype(int)]
    return _fill(replace(blank, units=_stated_units(column.data)), values, n_rows)


def _read_ragged(
    blank: Column, column: Any, index: Any, indexes: dict[int, Any], n_rows: int
) -> Column:
    """Text of several values per row is joined; numbers are left out."""
    is_text = blank.stored == "text"
    if id(index) in indexes or not is_text:
        return replace(blank, left_out="holds several values per row")
    ends = np.asarray(index.data[:]).astype(np.int64)
    words, note = clean_text(column.data[:])
    pieces = np.split(words, ends)[: ends.size]
    joined = np.array([", ".join(piece) for piece in pieces], dtype=np.str_)
    return _fill(replace(blank, note=note), joined, n_rows)


def _fill(blank: Column, values: np.ndarray, n_rows: int) -> Column:
    """Complete a column with its values, or say why they cannot be one value per row."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        size = " x ".join(str(n) for n in values.shape)
        return replace(blank, left_out=f"holds an array ({size}), not one value per row")
    if values.size != n_rows:
        return replace(blank, left_out=f"has {values.size} values for {n_rows} rows")
    if values.dtype.kind in "OSU":
        return _fill_objects(blank, values)
    if values.dtype.kind not in "biuf":
        return replace(blank, left_out=f"has type {values.dtype}")
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        values = values.astype(np.float64)
    # Byte order and memory of the file must not travel further.
    return replace(blank, values=np.ascontiguousarray(values, values.dtype.newbyteorder("=")))


def _fill_objects(blank: Column, values: np.ndarray) -> Column:
    present = [v for v in values if v is not None]
    if present and all(isinstance(v, (bool, np.bool_)) for v in present):
        return replace(blank, values=values.astype(bool), stored="bool")
    if present and all(isinstance(v, (int, float, np.number)) for v in present):
        return replace(blank, values=values.astype(np.float64), stored="float64")
    if not all(isinstance(v, (str, bytes)) for v in present):
        kinds = ", ".join(sorted({type(v).__name__ for v in present}))
        return replace(blank, left_out=f"holds {kinds}")
    words, note = clean_text(values)
    return replace(blank, values=words, note=note or blank.note, stored="text")


def clean_text(values: Any) -> tuple[np.ndarray, str]:
    """Return NumPy str, with literal ``b'...'`` unwrapped, and a note where that was needed.

    Examples
    --------
    >>> clean_text([b"left", "b'right'"])
    (array(['left', 'right'], dtype='<U5'), "1 of 2 values were written as b'...'; unwrapped")
    """
    words = text(values)
    matches = [_LITERAL_BYTES.match(word) for word in words.ravel()]
    n_literal = sum(match is not None for match in matches)
    if not n_literal:
        return words, ""
    plain = [
        (match[1] if match[1] is not None else match[2]) if match else str(word)
        for match, word in zip(matches, words.ravel(), strict=True)
    ]
    note = f"{n_literal} of {words.size} values were written as b'...'; unwrapped"
    return np.array(plain, dtype=np.str_).reshape(words.shape), note


def _unlisted(table: Any, n_rows: int, skip: frozenset[str]) -> list[Column]:
    """Columns stored in the table's group that its ``colnames`` do not name."""
    group = getattr(table.id.data, "parent", None)
    if group is None:
        return []
    known = {column.name for column in table.columns} | {"id"} | skip
    found = []
    for name in sorted(set(group) - known):
        data = group[name]
        if not hasattr(data, "dtype") or name.endswith("_index") or f"{name}_index" in group:
            continue
        note = "is stored in the table but missing from its colnames; read all the same"
        blank = Column(name, stored_type(data), None, _attribute(data, "description"), note=note)
        if _holds_references(data) or not data.shape or data.shape[0] != n_rows:
            found.append(replace(blank, left_out="is missing from the table's colnames", note=""))
        else:
            found.append(_fill(blank, np.asarray(data[:]), n_rows))
    return found


def stored_type(data: Any) -> str:
    """Type of a stored column in words a reader of the file knows."""
    if _holds_references(data):
        return "reference"
    kind = getattr(data, "dtype", None)
    if kind is None:
        kind = np.asarray(data).dtype
    kind = np.dtype(kind)
    if kind.kind in "OSU":
        return "text"
    return "bool" if kind.kind == "b" else kind.name


def _holds_references(data: Any) -> bool:
    kind = getattr(data, "dtype", None)
    if isinstance(kind, list) or "Reference" in type(data).__name__:
        return True
    if isinstance(kind, np.dtype):
        # h5py marks references in the metadata of an object dtype.
        return kind.names is not None or "ref" in (kind.metadata or {})
    return False


def _has_length(data: Any) -> bool:
    return hasattr(data, "__len__") and hasattr(data, "__getitem__")


def _stated_units(data: Any) -> str:
    return _attribute(data, "unit") or _attribute(data, "units")


def _attribute(data: Any, name: str) -> str:
    value = getattr(data, "attrs", {}).get(name, "")
    return _description(value.decode(errors="replace") if isinstance(value, bytes) else value)


def _description(value: Any) -> str:
    words = " ".join(str(value).split())
    return "" if words.lower() in _EMPTY_DESCRIPTIONS else words
