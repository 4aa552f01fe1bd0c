"""Results and their provenance: how a number was made, and from what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from popdyn import __version__
from popdyn.tensor.contract import text

# Bytes of an array that are in memory at once to be digested.
_SLAB = 2**25
_SOURCE_ATTRS = ("source", "source_id", "units", "align", "bin_width", "simultaneous", "popdyn")


def add_history(attrs: Mapping[Any, Any], step: str, **parameters: Any) -> dict[str, Any]:
    """Return attributes with one more step in the history (attribute ``popdyn``, JSON).

    Examples
    --------
    >>> add_history({}, "smooth", sigma=0.04)["popdyn"]
    '[{"step": "smooth", "parameters": {"sigma": 0.04}}]'
    """
    steps = json.loads(attrs.get("popdyn", "[]"))
    steps.append({"step": step, "parameters": json.loads(as_json(parameters))})
    return {**{str(key): value for key, value in attrs.items()}, "popdyn": json.dumps(steps)}


def as_json(value: Any) -> str:
    """JSON text of parameters; arrays become lists, objects their name."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, slice):
        return {"min": value.start, "max": value.stop}
    return getattr(value, "__name__", None) or str(value)


def digest(x: xr.DataArray | xr.Dataset) -> str:
    """Short SHA-256 of all values and coordinates: equal content, equal text.

    Examples
    --------
    >>> import xarray as xr
    >>> digest(xr.DataArray([1.0, 2.0])) == digest(xr.DataArray([1.0, 2.0]))
    True
    """
    dataset = x.to_dataset(name=str(x.name or "values")) if isinstance(x, xr.DataArray) else x
    sha = hashlib.sha256()
    for name in sorted(str(name) for name in dataset.variables):
        array = dataset[name]
        sha.update(f"{name}{array.dims}{array.shape}{array.dtype.kind}".encode())
        if array.dtype.kind in "OUST":
            sha.update("\x1f".join(text(array.values).ravel().tolist()).encode(errors="replace"))
            continue
        for slab in _slabs(array):
            values = np.ascontiguousarray(slab.values)
            sha.update(values.reshape(-1).view(np.uint8).data if values.size else b"")
    return sha.hexdigest()[:16]


def _slabs(array: xr.DataArray) -> Iterator[xr.DataArray]:
    """Give an array in parts along its first dim: it may lie in a file and not fit in memory."""
    if array.nbytes <= _SLAB or array.ndim == 0:
        yield array
        return
    n_rows = max(1, _SLAB * array.shape[0] // array.nbytes)
    for first in range(0, array.shape[0], n_rows):
        yield array[first : first + n_rows]


def make_result(
    variables: Mapping[str, Any],
    *,
    coords: Mapping[str, Any] | None = None,
    method: str,
    parameters: Mapping[str, Any],
    source: xr.DataArray | xr.Dataset | None = None,
    seed: str | int | None = None,
) -> xr.Dataset:
    """Wrap the arrays of an analysis into a result that says how it was made.

    Parameters
    ----------
    variables, coords : mapping
        As for `xarray.Dataset`.
    method : str
        Name of the analysis; `popdyn.show` draws by it.
    parameters : mapping
        What the analysis was called with; stored as JSON.
    source : xarray.DataArray or xarray.Dataset, optional
        What it was computed from: source, units, alignment and digest are carried over.
    seed : str or int, optional
        Seed or generator state of the random steps.

    Returns
    -------
    xarray.Dataset
    """
    attrs: dict[str, Any] = {"method": method, "parameters": as_json(dict(parameters))}
    attrs["popdyn_version"] = __version__
    if source is not None:
        attrs.update({key: source.attrs[key] for key in _SOURCE_ATTRS if key in source.attrs})
        attrs["input_digest"] = str(source.attrs.get("input_digest") or digest(source))
    attrs["seed"] = "" if seed is None else str(seed)
    return xr.Dataset(dict(variables), coords=dict(coords or {}), attrs=attrs)
