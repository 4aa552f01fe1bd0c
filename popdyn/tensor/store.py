"""Save and load anything popdyn makes, as netCDF 4; saved and loaded are identical."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import SourceError, TensorError
from popdyn.tensor.contract import text
from popdyn.tensor.patient_file import PatientFile

_KIND = "popdyn_kind"
_ESCAPED = "popdyn_escaped"
# netCDF lists coordinates by names parted with spaces; ours may hold spaces.
_COORDS = "popdyn_coords"


def save(obj: Any, path: str | os.PathLike[str]) -> Path:
    """Save a tensor, Session, result, tree, network or estimator to a netCDF file.

    The file is written beside its place and moved there when complete, so that an interrupted
    write leaves what was there before.

    Parameters
    ----------
    obj : xarray.DataArray, xarray.Dataset, xarray.DataTree, or an object with ``to_dataset``
    path : path-like

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TensorError
        If the object or one of its attributes cannot be stored.
    SourceError
        If the folder does not exist, or the file cannot be written, as on a full disk.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn, tempfile
    >>> x = pdn.make_tensor(np.ones((1, 2, 2)), [0.0, 0.1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pdn.load(pdn.save(x, f"{folder}/x.nc")).identical(x)
    True
    """
    target = Path(path)
    if target.is_dir():
        message = f"cannot save to {target}: it is a folder; name a file in it."
        raise SourceError(message)
    if not target.parent.is_dir():
        message = f"cannot save to {target}: the folder {target.parent} does not exist."
        raise SourceError(message)
    tree = _as_tree(obj)
    try:
        _replace(target, tree)
    except OSError as error:
        message = (
            f"cannot write {target} ({error.strerror or error}): what was there before is as it "
            "was. Make room, or choose another place."
        )
        raise SourceError(message) from None
    return target


def _replace(target: Path, tree: xr.DataTree) -> None:
    """Write a file beside its place and move it there."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    os.close(handle)
    try:
        with PatientFile(name) as file:
            tree.to_netcdf(file, engine="h5netcdf", format="NETCDF4")
        if file.failure is not None:
            raise file.failure
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _as_tree(obj: Any) -> xr.DataTree:
    if isinstance(obj, xr.DataTree):
        nodes = {node.path: encoded(node.to_dataset(inherit=False)) for node in obj.subtree}
        tree = xr.DataTree.from_dict(nodes)
        tree.attrs[_KIND] = "tree"
        return tree
    if isinstance(obj, xr.DataArray):
        dataset = encoded(obj.to_dataset(name=_array_name(obj)))
        # Attributes of the array travel on the variable; the file's say what it is.
        dataset.attrs |= {_KIND: "array", "popdyn_name": _array_name(obj)}
        return xr.DataTree(dataset)
    if isinstance(obj, xr.Dataset):
        dataset = encoded(obj)
        return xr.DataTree(dataset.assign_attrs({_KIND: "dataset"}))
    if hasattr(obj, "to_dataset"):
        return xr.DataTree(encoded(obj.to_dataset()).assign_attrs({_KIND: "object"}))
    message = (
        f"cannot save a {type(obj).__name__}; expected a tensor, Session, result, tree, or an "
        "object with to_dataset()."
    )
    raise TensorError(message)


def _array_name(x: xr.DataArray) -> str:
    return str(x.name) if x.name is not None else "values"


def encoded(dataset: xr.Dataset) -> xr.Dataset:
    """Copy without the encoding of an earlier file; text made safe for HDF5.

    Numbers are not touched, so that they may lie in a file.
    """
    new = dataset.copy()
    for name in new.variables:
        variable = new[name].variable
        new[name].encoding = {"_FillValue": None} if variable.dtype.kind == "f" else {}
        attrs = {str(key): _attribute(key, value) for key, value in variable.attrs.items()}
        if variable.dtype.kind in "OUST":
            values = text(variable.values)
            if any(_needs_escape(value) for value in values.ravel()):
                values = text([json.dumps(value) for value in values.ravel()]).reshape(values.shape)
                attrs[_ESCAPED] = 1
            new = _with_variable(new, name, (variable.dims, values, attrs))
        else:
            new[name].attrs = attrs
    new.attrs = {str(key): _attribute(key, value) for key, value in dataset.attrs.items()}
    columns = [str(name) for name in new.coords if name not in new.dims]
    return new.reset_coords(columns).assign_attrs({_COORDS: json.dumps(columns)})


def _with_variable(dataset: xr.Dataset, name: Any, variable: Any) -> xr.Dataset:
    if name in dataset.coords:
        return dataset.assign_coords({name: variable})
    return dataset.assign({name: variable})


def _needs_escape(value: str) -> bool:
    # HDF5 text ends at NUL, and holds UTF-8 only.
    return "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value)


def _attribute(key: Any, value: Any) -> Any:
    if isinstance(value, str):
        return f"json:{json.dumps(value)}" if _escape_attribute(value) else value
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, (int, float, np.integer, np.floating)):
        return value
    message = (
        f"attribute {key!r} is a {type(value).__name__}; attributes are text or numbers. Store "
        "structures as JSON text."
    )
    raise TensorError(message)


def _escape_attribute(value: str) -> bool:
    return not value or _needs_escape(value) or value.startswith("json:")


def load(path: str | os.PathLike[str], *, lazy: bool = False) -> Any:
    """Load what `save` wrote, as the kind of object it was.

    Parameters
    ----------
    path : path-like
    lazy : bool
        Read the numbers of a tensor, Session or result only when they are used; the file must
        stay where it is until then.

    Returns
    -------
    xarray.DataArray, xarray.Dataset, xarray.DataTree, or the object

    Raises
    ------
    SourceError
        If the file is missing, broken, or not written by popdyn.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn, tempfile
    >>> x = pdn.make_tensor(np.ones((1, 2, 2)), [0.0, 0.1], name="potential", units="mV")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pdn.save(x, f"{folder}/x.nc")
    ...     pdn.load(path).attrs["units"]
    'mV'
    """
    source = _existing(path)
    read = xr.open_datatree if lazy else xr.load_datatree
    try:
        tree = read(source, engine="h5netcdf", decode_cf=False)
    except Exception as error:
        message = f"{source} is not a netCDF file that can be read ({error})."
        raise SourceError(message) from error
    kind = tree.attrs.get(_KIND)
    if kind is None:
        message = f"{source} was not written by popdyn.save (it has no attribute {_KIND!r})."
        raise SourceError(message)
    if kind == "tree":
        nodes = {node.path: _decoded(node.to_dataset(inherit=False)) for node in tree.subtree}
        return xr.DataTree.from_dict(nodes)
    dataset = _decoded(tree.to_dataset())
    if kind == "array":
        name = tree.attrs["popdyn_name"]
        return dataset[name]
    return _from_dataset(dataset, source) if kind == "object" else dataset


def _existing(path: Any) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        message = f"expected the path of a file, found {type(path).__name__}."
        raise SourceError(message)
    source = Path(path)
    if source.is_dir():
        message = f"{source} is a folder; name a file in it."
        raise SourceError(message)
    if not source.is_file():
        message = f"there is no file {source}."
        raise SourceError(message)
    if source.suffix == ".nwb":
        message = f"{source.name} is an NWB file: read it with popdyn.read_session or read_nwb."
        raise SourceError(message)
    return source


def _from_dataset(dataset: xr.Dataset, source: Path) -> Any:
    module, _, name = str(dataset.attrs.get("popdyn_class", "")).partition(":")
    try:
        # Only popdyn's own classes are built: a file cannot name other code.
        found = getattr(importlib.import_module(f"popdyn.{module}"), name)
        return found.from_dataset(dataset)
    except (ImportError, AttributeError) as error:
        message = f"{source} holds a {module}:{name}, which this popdyn does not know."
        raise SourceError(message) from error


def _decoded(dataset: xr.Dataset) -> xr.Dataset:
    """Undo what netCDF did to text, booleans and attributes."""
    new = dataset.copy()
    for name in list(dataset.variables):
        variable = dataset[name].variable
        attrs = {str(key): _plain_attribute(value) for key, value in variable.attrs.items()}
        if variable.dtype.kind in "iufc" and "dtype" not in attrs:
            # Numbers may stay in the file.
            new[name].attrs, new[name].encoding = attrs, {}
            continue
        values = variable.values
        if attrs.pop("dtype", None) == "bool":
            values = values.astype(bool)
        if values.dtype.kind in "OST":
            values = text(values)
        if attrs.pop(_ESCAPED, None):
            values = text([json.loads(value) for value in values.ravel()]).reshape(values.shape)
        new = _with_variable(new, name, (variable.dims, values, attrs))
        new[name].encoding = {}
    new = new.set_coords(json.loads(dataset.attrs.get(_COORDS, "[]")))
    attrs = {str(key): _plain_attribute(value) for key, value in dataset.attrs.items()}
    ours = (_KIND, _COORDS, "popdyn_name")
    new.attrs = {key: value for key, value in attrs.items() if key not in ours}
    new.encoding = {}
    return new


def _plain_attribute(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode()
    if isinstance(value, str) and value.startswith("json:"):
        return json.loads(value[5:])
    if isinstance(value, np.generic):
        return value.item()
    return value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
