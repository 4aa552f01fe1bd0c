"""Read the tables of an NWB file into plain arrays, each column once."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from popdyn.io.rows import are_elements, enumerated, row_starts
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.node import Node, kind_of, words_of
from popdyn.tensor.contract import text

# Text that stands for "no value"; compared in lower case.
MISSING_TEXT = frozenset(("", "n/a", "na", "nan", "none", "null", "n.a.", "not available"))
_EMPTY_DESCRIPTIONS = frozenset(("", "no description", "none", "n/a", "placeholder"))
_LITERAL_BYTES = re.compile(r"^b'(.*)'$|^b\"(.*)\"$", re.DOTALL)
# A few numbers per row (a position, a color) become a column each; more are a recording.
_MOST_PARTS = 4


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


def read_table(node: Node, name: str, skip: frozenset[str] = frozenset()) -> Table:
    """Read a table (NWB's DynamicTable, or what an extension made of it).

    Parameters
    ----------
    node : Node
        The table's group.
    name : str
        Name to give it in messages.
    skip : frozenset of str
        Columns somebody else reads.

    Returns
    -------
    Table
        Also holds columns that lie in the table's group but are not listed in its
        ``colnames``, with a note.
    """
    listed = listed_columns(node)
    stored = stored_columns(node)
    stored_ids, notes = _stored_ids(node, name, stored)
    spare = _free("file_id", {*listed, *stored})
    ids, more = _unique_ids(stored_ids, name, spare)
    columns: list[Column] = []
    for column in [*[c for c in listed if c in stored], *[c for c in stored if c not in listed]]:
        if column in skip:
            continue
        read = _read_column(node, column, ids.size)
        if column not in listed and listed:
            note = "is stored in the table but missing from its colnames; read all the same"
            read = [replace(c, note="; ".join(filter(None, (note, c.note)))) for c in read]
        columns += read
    lacking = [c for c in listed if c not in stored and c not in skip]
    columns += [Column(c, "nothing", None, left_out=_why_lacking(node, c)) for c in lacking]
    if ids is not stored_ids:
        columns.append(Column(spare, stored_ids.dtype.name, stored_ids, "id in the file"))
    repeated = tuple(f"{name}.{c.name}: {c.note}" for c in columns if c.note and not c.left_out)
    description = plain_description(words_of(node, "description"))
    return Table(name, ids, tuple(columns), description, (*notes, *more, *repeated))


def listed_columns(node: Node) -> list[str]:
    """Names of the columns a table lists, in its order."""
    listed = node.attribute("colnames")
    if isinstance(listed, str):
        listed = [listed]
    if not isinstance(listed, list):
        return []
    # Writers that know text of one length only pad the names.
    stored = set(node.names)
    names = [name if name in stored else name.rstrip(" \0") for name in listed]
    return [name for name in dict.fromkeys(names) if name]


def stored_columns(node: Node) -> list[str]:
    """Names of the columns a table's group holds, without ids and indexes."""
    names = [name for name in node.names if name != "id"]
    listed = set(listed_columns(node))
    found = []
    for name in names:
        child = node.child(name)
        if child is None or child.is_group:
            continue
        target = name.removesuffix("_index")
        while target.endswith("_index") and target not in names:
            target = target.removesuffix("_index")
        is_index = target != name and target in names
        if is_index and (name not in listed or kind_of(child) == "VectorIndex"):
            continue
        if name not in listed and are_elements(node, child):
            continue
        found.append(name)
    return found


def row_count(node: Node) -> int:
    """Return the number of rows of a table, without reading it."""
    ids = node.child("id") if "id" in node.names else None
    if ids is not None and not ids.is_group and len(ids.shape) < 2:
        return ids.shape[0] if ids.shape else 1
    return _common_length(node, stored_columns(node))


def index_of(node: Node, name: str) -> Node | None:
    """Return the index that says where each row of a column ends, None without one."""
    index = node.child(f"{name}_index") if f"{name}_index" in node.names else None
    if index is None or index.is_group or index.dtype is None or index.dtype.kind not in "iu":
        return None
    plain = f"{name}_index" in listed_columns(node) and kind_of(index) != "VectorIndex"
    return None if plain else index


def counted(n: int, noun: str) -> str:
    """Return ``1 row``, ``2 rows``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def left_out_line(table: Table) -> list[str]:
    """One line naming the columns that cannot be one value per row; none where all can."""
    lacking = [c for c in table.columns if c.values is None]
    left_out = [f"{' '.join(c.name.split()):.100} ({c.left_out})" for c in lacking]
    return [f"{table.name}: left out {', '.join(left_out)}"] if left_out else []


def _stored_ids(node: Node, name: str, stored: list[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Ids in the file; a table without (or with useless) ids is numbered 0, 1, 2, ..."""
    ids = node.child("id") if "id" in node.names else None
    why = node.why_absent("id") or "are not there"
    if ids is not None and not ids.is_group:
        try:
            values = _as_whole(np.atleast_1d(ids.read()))
            if values.ndim == 1 and values.dtype.kind in "iuU":
                return np.ascontiguousarray(values, values.dtype.newbyteorder("=")), ()
            why = f"are an array of {values.dtype} of shape {values.shape}"
        except DAMAGE as error:
            why = f"cannot be read ({one_line(error)})"
    n_rows = _common_length(node, stored)
    return np.arange(n_rows), (f"{name}: the ids {why}; rows are numbered 0, 1, 2, ...",)


def _as_whole(values: np.ndarray) -> np.ndarray:
    """Return whole numbers that were stored as floating ones as integers."""
    exact = values.dtype.kind == "f" and (np.abs(values) < 2**53).all()
    return values.astype(np.int64) if exact and (values == np.round(values)).all() else values


def _common_length(node: Node, stored: list[str]) -> int:
    """Rows of a table without ids: what most of its columns hold."""
    lengths = []
    for name in stored:
        data = index_of(node, name) or node.child(name)
        if data is not None and not data.is_group:
            lengths.append(data.shape[0] if data.shape else 1)
    return max(set(lengths), key=lengths.count) if lengths else 0


def _free(name: str, taken: set[str]) -> str:
    """Return a name for a column, or the same with a number where the table has it."""
    number = 2
    while (free := name if number == 2 else f"{name}_{number - 1}") in taken:
        number += 1
    return free


def _unique_ids(ids: np.ndarray, name: str, spare: str) -> tuple[np.ndarray, tuple[str, ...]]:
    n_repeated = ids.size - np.unique(ids).size
    if not n_repeated:
        return ids, ()
    note = (
        f"{name}: {n_repeated} of {ids.size} ids repeat an earlier one; rows are numbered "
        f"0, 1, 2, ... instead, the file's ids are in the column {spare}"
    )
    return np.arange(ids.size), (note,)


def _why_lacking(node: Node, name: str) -> str:
    return node.why_absent(name) or "is listed in colnames, but not stored"


def _read_column(node: Node, name: str, n_rows: int) -> list[Column]:
    """Read one column, or the few that an array of a few numbers per row becomes."""
    data = node.child(name)
    if data is None:
        return [Column(name, "nothing", None, left_out=_why_lacking(node, name))]
    description = plain_description(words_of(data, "description"))
    blank = Column(name, stored_type(data), None, description, _stated_units(data))
    if data.holds in ("records", "other"):
        fields = ", ".join(data.dtype.names or ()) if data.dtype is not None else ""
        what = f"records of {fields}" if fields else "a type that cannot be read"
        return [replace(blank, left_out=f"holds {what}")]
    try:
        values, words = _row_values(node, name, data, n_rows)
        if values is None:
            return [replace(blank, left_out=words)]
        blank = replace(blank, note=words)
        if values.ndim == 2 and 1 < values.shape[1] <= _MOST_PARTS and values.dtype.kind != "U":
            about = f"{description}; part {{}} of {name}".removeprefix("; ")
            return [
                _fill(
                    replace(blank, name=f"{name}_{k}", description=about.format(k)),
                    values[:, k],
                    n_rows,
                )
                for k in range(values.shape[1])
            ]
        return [_fill(blank, values, n_rows)]
    except DAMAGE as error:
        return [replace(blank, left_out=f"cannot be read: {one_line(error)}")]


def _row_values(node: Node, name: str, data: Node, n_rows: int) -> tuple[np.ndarray | None, str]:
    """One value per row and what to note of them; None and why where there is none."""
    index = index_of(node, name)
    if kind_of(data) == "DynamicTableRegion" or data.referred("table") is not None:
        table = data.referred("table")
        return None, f"points at rows of {table.name if table is not None else 'a lost table'}"
    if index is not None:
        return _ragged(node, name, data, index, n_rows)
    values = data.read()
    if kind_of(data) == "EnumData":
        return enumerated(data, values)
    if data.holds == "references":
        values = np.array([path.rsplit("/", 1)[-1] for path in values.ravel()], dtype=np.str_)
        n_lost = int((values == "").sum())
        lost = f"{n_lost} of {values.size} references lead nowhere; empty there"
        return values, lost if n_lost else ""
    return values, ""


def _ragged(
    node: Node, name: str, data: Node, index: Node, n_rows: int
) -> tuple[np.ndarray | None, str]:
    """Several values per row: text is joined, one number in each row is a number, else none."""
    if index_of(node, f"{name}_index") is not None:
        return None, "holds lists of lists, not one value per row"
    n_values = data.shape[0] if data.shape else 0
    starts, note = row_starts(index, n_rows, n_values)
    if data.holds == "text" and len(data.shape) == 1:
        words = clean_text(data.read())[0]
        rows = zip(starts[:-1], starts[1:], strict=True)
        return np.array([", ".join(words[low:high]) for low, high in rows], dtype=np.str_), note
    if data.holds == "numbers" and np.array_equal(starts, np.arange(n_rows + 1)):
        return data.read()[:n_rows], note
    return None, "holds several values per row"


def _fill(blank: Column, values: np.ndarray, n_rows: int) -> Column:
    """Complete a column with its values, or say why they cannot be one value per row."""
    if not values.ndim:  # MATLAB stores a column of one row as a single value
        values = values.reshape(1)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        size = " x ".join(str(n) for n in values.shape)
        return replace(blank, left_out=f"holds an array ({size}), not one value per row")
    if values.size != n_rows:
        return replace(blank, left_out=f"has {values.size} values for {n_rows} rows")
    if values.dtype.kind == "U":
        words, note = clean_text(values)
        return replace(blank, values=words, note=note or blank.note, stored="text")
    if values.dtype.kind not in "biuf":
        return replace(blank, left_out=f"has type {values.dtype}")
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        values = values.astype(np.float64)
    # Byte order and memory of the file must not travel further.
    return replace(blank, values=np.ascontiguousarray(values, values.dtype.newbyteorder("=")))


def clean_text(values: Any) -> tuple[np.ndarray, str]:
    """Return NumPy str, with literal ``b'...'`` unwrapped, and a note where that was needed.

    Examples
    --------
    >>> clean_text([b"left", "b'right'"])
    (array(['left', 'right'], dtype='<U5'), "1 of 2 values were written as b'...'; unwrapped")
    """
    words = text(values)
    n_lost = sum("\ufffd" in word for word in words.ravel())
    lost = f"{n_lost} of {words.size} values are not UTF-8; \ufffd stands for what is lost"
    matches = [_LITERAL_BYTES.match(word) for word in words.ravel()]
    n_literal = sum(match is not None for match in matches)
    if not n_literal:
        return words, lost if n_lost else ""
    plain = [
        (match[1] if match[1] is not None else match[2]) if match else str(word)
        for match, word in zip(matches, words.ravel(), strict=True)
    ]
    note = f"{n_literal} of {words.size} values were written as b'...'; unwrapped"
    return np.array(plain, dtype=np.str_).reshape(words.shape), note


def stored_type(data: Node) -> str:
    """Type of a stored column in words a reader of the file knows."""
    if data.holds == "references":
        return "reference"
    if data.holds == "text":
        return "text"
    kind = data.dtype
    if kind is None or data.holds != "numbers":
        return data.holds
    return "bool" if kind.kind == "b" else kind.newbyteorder("=").name


def _stated_units(data: Node) -> str:
    return plain_description(words_of(data, "unit") or words_of(data, "units"))


def plain_description(words: str) -> str:
    """One line of text, or none where a writer filled in a placeholder."""
    words = " ".join(words.split())
    return "" if words.lower() in _EMPTY_DESCRIPTIONS else words


def one_line(error: BaseException, most: int = 200) -> str:
    """Return what an exception says in one line, or its kind where it says nothing."""
    words = " ".join(str(error).split()).strip("'\"")
    return words[:most] if words else type(error).__name__
