"""MATLAB files as arrays by name: version 5 to 7 by scipy, 7.3 (HDF5) by h5py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from popdyn.errors import SourceError
from popdyn.io.tree.local_file import kind_and_words
from popdyn.io.weight_files.array_tree import flatten

# h5py has no type information.
_H5: Any = h5py
_MOST_LEVELS = 50


def read_mat(file: Path) -> dict[str, NDArray[Any]]:
    """Read a MATLAB file of version 4 to 7; shapes stay those of MATLAB, two dims at least.

    Parameters
    ----------
    file : pathlib.Path

    Returns
    -------
    dict of text to ndarray
        Fields of structs and elements of cells by names joined by dots (``net.W``,
        ``weights.0``), sparse matrices dense, text as NumPy text; functions and objects left out.

    Raises
    ------
    SourceError
        If the file is damaged.
    """
    import scipy.io

    matlab: Any = scipy.io

    try:
        with file.open("rb") as stream:
            loaded = matlab.loadmat(stream, chars_as_strings=True)
        tree = {name: _plain(value) for name, value in loaded.items() if name[:2] != "__"}
        return flatten(tree, lambda value: value)
    except Exception as error:  # noqa: BLE001 - a damaged file fails in any way
        message = f"{file} is a damaged MATLAB file ({kind_and_words(error)}). Copy it again."
        raise SourceError(message) from error


def _plain(value: Any) -> Any:
    """Return structs as dicts, cells as lists, numbers and text as arrays, else None."""
    if sparse.issparse(value):
        return np.asarray(value.toarray())
    # Functions and objects come as arrays of their own kinds.
    if type(value) is not np.ndarray:
        return None
    if value.dtype.names:
        rows = [{name: _plain(row[name]) for name in value.dtype.names} for row in value.ravel()]
        return rows[0] if len(rows) == 1 else rows
    if value.dtype.kind == "O":
        return [_plain(item) for item in value.ravel(order="F")]
    return value if value.dtype.kind in "biufcU" else None


def read_hdf5(file: Path) -> dict[str, NDArray[Any]]:
    """Read an HDF5 file: MATLAB 7.3 in the shapes of MATLAB, any other as it is stored.

    Parameters
    ----------
    file : pathlib.Path

    Returns
    -------
    dict of text to ndarray
        Names of groups joined by dots; of MATLAB files as in `read_mat`.

    Raises
    ------
    SourceError
        If the file is damaged.
    """
    try:
        with _H5.File(file, "r") as root:
            return flatten(_group(root, root, 0), lambda value: value)
    except Exception as error:  # noqa: BLE001 - a damaged file fails in any way
        message = f"{file} is a damaged HDF5 file ({kind_and_words(error)}). Copy it again."
        raise SourceError(message) from error


def _group(root: Any, group: Any, level: int) -> Any:
    """Return a group as a dict; a sparse matrix of MATLAB dense."""
    if level > _MOST_LEVELS:
        message = "its groups hold each other"
        raise ValueError(message)
    if "MATLAB_sparse" in group.attrs:
        n_rows = int(group.attrs["MATLAB_sparse"])
        starts = group["jc"][()]
        if "data" not in group:
            return np.zeros((n_rows, len(starts) - 1))
        parts = (group["data"][()], group["ir"][()], starts)
        return np.asarray(sparse.csc_array(parts, shape=(n_rows, len(starts) - 1)).toarray())
    # Names with # are MATLAB's own: what cells refer to, and its objects.
    return {
        name: _group(root, item, level + 1)
        if isinstance(item, _H5.Group)
        else _dataset(root, item, level)
        for name, item in ((name, group[name]) for name in group if not name.startswith("#"))
    }


def _dataset(root: Any, item: Any, level: int) -> Any:
    """Return an array, the elements of a cell as a list, or None."""
    kind = item.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if kind and "MATLAB_empty" in item.attrs:
        return np.zeros(tuple(map(int, item[()])))
    if item.dtype.kind == "O" and _H5.check_ref_dtype(item.dtype) is not None:
        targets = [root[reference] for reference in item[()].ravel() if reference]
        return [
            _group(root, target, level + 1)
            if isinstance(target, _H5.Group)
            else _dataset(root, target, level + 1)
            for target in targets
            if level < _MOST_LEVELS
        ]
    if item.dtype.kind not in "biufc" and item.dtype.names != ("real", "imag"):
        return None
    values = np.asarray(item[()])
    if values.dtype.names:
        values = values["real"] + 1j * values["imag"]
    return _as_matlab(values, kind) if kind else values


def _as_matlab(values: NDArray[Any], kind: str) -> NDArray[Any]:
    """Return an array in the shape it has in MATLAB, whose first dim varies fastest."""
    values = np.ascontiguousarray(values.T)
    if kind == "char":
        return np.array(["".join(map(chr, row)) for row in np.atleast_2d(values)])
    return values.astype(bool) if kind == "logical" else values
