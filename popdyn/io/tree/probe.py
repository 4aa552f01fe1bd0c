"""Touch a file in a process of its own, before it is read in this one.

HDF5 can crash or run in circles on a damaged file, and takes the whole interpreter with it. The
same steps taken here first, by a process that may die, show which files do that.

This file is run as a script and imports nothing of popdyn.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Seconds of computing after which a file is taken to lead in circles.
CPU_SECONDS = 10
# Numbers are read whole up to this size; of larger ones the index of pieces is walked.
_SMALL = 1_000_000
_MOST_PIECES, _MOST_REFERENCES, _MOST_NODES, _DEEPEST = 100_000, 10_000, 20_000, 10
_SKIPPED = ("specifications", "templates")
# Groups of large raw data: their attributes are touched, not their values.
_RAW = ("acquisition", "stimulus")
# References among attributes that the reader follows.
_FOLLOWED = ("table", "elements")
# Bytes that text and lists may take, and how many more for each byte of the file: the length of
# a damaged text makes HDF5 take gigabytes before it looks at what there is.
_ROOM, _ROOM_PER_BYTE = 400_000_000, 30
# Exit code where that was not enough.
GREEDY = 3


class _Greedy(BaseException):
    """Reading asked for more memory than a file of this size can need."""


def touch(path: str) -> None:
    """Read what the reader will read, but for the bulk of the spikes.

    Parameters
    ----------
    path : str
    """
    h5py: Any = importlib.import_module("h5py")
    with h5py.File(path, "r") as file:
        _touch_group(h5py, file, file, 0, set())


def _touch_group(h5: Any, file: Any, group: Any, depth: int, seen: set[Any]) -> None:
    _touch_attributes(file, group)
    for name in list(group):
        if name in _SKIPPED or len(seen) > _MOST_NODES:
            continue
        with _damaged_or_greedy():
            child = group[name]
            # Each trial of an NWB 1 file links to the same long series.
            about = h5.h5o.get_info(child.id)
            place = (about.fileno, about.addr)
            if place in seen:
                continue
            seen.add(place)
            if isinstance(child, h5.Group) and depth < _DEEPEST:
                _touch_group(h5, file, child, depth + 1, seen)
            elif isinstance(child, h5.Dataset):
                _touch_attributes(file, child)
                _touch_values(h5, file, child)


def _touch_attributes(file: Any, node: Any) -> None:
    for name in list(node.attrs):
        with _damaged_or_greedy():
            value = node.attrs[name]
            if type(value).__name__ == "Reference" and name in _FOLLOWED:
                dict(file[value].attrs)


def _touch_values(h5: Any, file: Any, data: Any) -> None:
    is_raw = data.name.split("/")[1] in _RAW and data.size > _SMALL
    if data.shape is None or is_raw:
        return
    if data.dtype.kind == "O" or data.size * data.dtype.itemsize <= _SMALL:
        values = data[()]
        if h5.check_ref_dtype(data.dtype) is not None:
            for reference in values.ravel()[:_MOST_REFERENCES]:
                with _damaged_or_greedy():
                    dict(file[reference].attrs)
    elif data.chunks is not None:
        for piece in range(min(data.id.get_num_chunks(), _MOST_PIECES)):
            data.id.get_chunk_info(piece)


@contextlib.contextmanager
def _damaged_or_greedy() -> Iterator[None]:
    """Let pass what merely fails: it fails in the reader too, with a better line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or "alloc" in str(error):
            raise _Greedy from error


def _limit(path: str) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every system
        import resource

        # At the soft limit comes the signal that tells circles from crashes, at the hard one death.
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        importlib.import_module("h5py")
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        room = _ROOM + _ROOM_PER_BYTE * Path(path).stat().st_size
        limit = pages * resource.getpagesize() + room
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    _limit(sys.argv[1])
    try:
        with _damaged_or_greedy():
            touch(sys.argv[1])
    except _Greedy:
        sys.exit(GREEDY)
    sys.stdout.write("touched")
