"""How one HDF5 data set is stored, and why its values cannot be had: checked before reading.

HDF5 fills in zeros where a file that belongs to a data set is missing or too short; such zeros
must never become spikes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np

# h5py has no type information.
_H5: Any = h5py
# Compression makes a column a thousand times smaller at most; a wrong size claims far more.
_MOST_EXPANSION = 5000
_SMALL = 10_000_000
# Filters that converters use and HDF5 does not bring; the plugins of hdf5plugin.
_FILTERS = {
    305: "LZO", 307: "bzip2", 32000: "LZF", 32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle",
    32013: "ZFP", 32015: "Zstandard", 32017: "SZ", 32018: "FCIDECOMP", 32024: "SZ3",
    32026: "Blosc2", 32028: "SPERR",
}  # fmt: skip


def check_stored(data: Any) -> None:
    """Refuse sizes that cannot be true, and values that are elsewhere or were never written.

    Parameters
    ----------
    data : h5py.Dataset

    Raises
    ------
    ValueError
        The message completes "<name> cannot be read: ...".
    """
    if data.shape is None or data.size == 0:
        return
    if data.is_virtual:
        why = _virtual(data)
    elif data.external:
        why = _external(data)
    else:
        why = _unwritten(data)
    if why:
        raise ValueError(why)


def lacking_filter(data: Any) -> str:
    """Say which filter the values are compressed by that is not installed; ``""`` if none.

    Parameters
    ----------
    data : h5py.Dataset
    """
    plan = data.id.get_create_plist()
    for position in range(plan.get_nfilters()):
        number = plan.get_filter(position)[0]
        if _H5.h5z.filter_avail(number):
            continue
        if number in _FILTERS:
            return (
                f"it is compressed by {_FILTERS[number]} (filter {number}), which is not "
                "installed: `pip install hdf5plugin`, then `import hdf5plugin` before reading"
            )
        return (
            f"it is compressed by filter {number}, which is not installed: hdf5plugin may bring "
            "it, or whoever wrote the file"
        )
    return ""


def _virtual(data: Any) -> str:
    """Say which part of a virtual data set is missing: HDF5 would put zeros there."""
    n_mapped = 0
    for source in data.virtual_sources():
        n_mapped += source.vspace.get_select_npoints()
        if "%" not in source.file_name:
            why = _source(data, source)
            if why:
                return why
    if n_mapped < data.size:
        return (
            f"it is a view of other data that leaves {data.size - n_mapped} of {data.size} "
            "values open"
        )
    return ""


def _source(data: Any, source: Any) -> str:
    """Say what keeps one source of a virtual data set from being read."""
    is_here = source.file_name == "."
    beside = Path(str(data.file.filename)).parent / source.file_name
    place = beside if beside.is_file() else Path(source.file_name)
    if not is_here and not place.is_file():
        return f"it is a view into the file {source.file_name}, which is not there"
    where = f"{source.dset_name} of the file {source.file_name}".removesuffix(" of the file .")
    file = data.file if is_here else _H5.File(place, "r")
    try:
        found = file.get(source.dset_name)
        if not isinstance(found, _H5.Dataset):
            return f"it is a view of {where}, which is not there"
        if not _holds_selection(found, source):
            return f"it is a view of {where}, which has only {found.size:,} values"
        check_stored(found)
    finally:
        if not is_here:
            file.close()
    return ""


def _holds_selection(found: Any, source: Any) -> bool:
    """Whether a data set is as large as the part of it that a view shows."""
    space = source.src_space
    if space.get_select_type() == _H5.h5s.SEL_ALL:
        return bool(found.size >= source.vspace.get_select_npoints())
    last = space.get_select_bounds()[1]
    return len(last) == found.ndim and bool((np.array(last) < found.shape).all())


def _external(data: Any) -> str:
    """Say which file of raw values is missing or too short: HDF5 would put zeros there."""
    n_left = data.size * data.dtype.itemsize
    for name, offset, size in data.external:
        place = Path(str(name))
        if not place.is_file():
            return f"its values are in the file {name}, which is not there"
        n_wanted = min(size, n_left)
        n_there = max(place.stat().st_size - offset, 0)
        if n_there < n_wanted:
            return f"its values are in the file {name}, which has {n_there:,} of {n_wanted:,} bytes"
        n_left -= n_wanted
    return ""


def _unwritten(data: Any) -> str:
    n_bytes, n_stored = data.size * data.dtype.itemsize, data.id.get_storage_size()
    if n_bytes > _SMALL and n_bytes > _MOST_EXPANSION * max(n_stored, 1):
        return f"it claims {data.size:,} values, but only {n_stored:,} bytes are stored"
    if data.chunks is None:
        return "" if n_stored else "its values were never written"
    sizes = zip(data.shape, data.chunks, strict=True)
    n_chunks = math.prod(-(-n // n_each) for n, n_each in sizes)
    n_there = data.id.get_num_chunks()
    if n_there < n_chunks:
        return f"{n_chunks - n_there} of its {n_chunks} pieces were never written"
    return ""
