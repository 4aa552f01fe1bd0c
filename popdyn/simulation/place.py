"""Where a run may be written: nothing that is there is lost by it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from popdyn.errors import SourceError


def read_place(path: Any, *, overwrite: bool) -> Path | None:
    """Check where `simulate` is to write, before it runs.

    Parameters
    ----------
    path : path-like or None
        A netCDF file.
    overwrite : bool
        Whether it may replace a file.

    Returns
    -------
    Path or None
        None for memory.

    Raises
    ------
    SourceError
        If it is no path of a ``.nc`` file in a folder that exists, or there is a file already.
    """
    if path is None:
        return None
    if not isinstance(path, (str, os.PathLike)):
        message = f"path must name a netCDF file to write, found {path!r}"
        raise SourceError(message)
    place = Path(path)
    if not place.parent.is_dir():
        message = f"cannot write {place}: the folder {place.parent} does not exist"
        raise SourceError(message)
    if place.is_dir():
        message = f"cannot write {place}: it is a folder; name a file in it"
        raise SourceError(message)
    if place.suffix != ".nc":
        message = f"runs are written as netCDF: name the file {place.stem}.nc, found {place.name}"
        raise SourceError(message)
    if place.exists() and not overwrite:
        message = (
            f"{place} exists and was left as it is: choose another name, read it with "
            "pdn.load(path, lazy=True), or replace it with overwrite=True"
        )
        raise SourceError(message)
    return place
