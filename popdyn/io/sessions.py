"""Many recordings at once: a folder or a list becomes a set of sessions, read in parallel."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Unpack

import xarray as xr

from popdyn.errors import PopdynWarning, SourceError, warn
from popdyn.io.nwb import Reading, read_session
from popdyn.io.remote import is_address
from popdyn.io.tree.local_file import find_file, listed
from popdyn.progress import watched

_ENDINGS = (".nwb", ".nwb.zarr")


def read_sessions(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    trials: str | None = "trials",
    *,
    behavior: Sequence[str] = (),
    n_jobs: int = -1,
    on_error: str = "raise",
    **reading: Unpack[Reading],
) -> dict[str, xr.Dataset]:
    """Read every NWB file of a folder, or of a list, in parallel.

    Parameters
    ----------
    files : path-like, or list of path-like
        A folder (all ``.nwb`` files in it and below), or paths and addresses.
    trials : str, optional
        Name of the interval table whose rows are the trials, in every file.
    behavior : sequence of str
        Series of behavior to read with every file; see `read_session`.
    n_jobs : int
        How many files are read at once, through joblib; -1 uses every core.
    on_error : {"raise", "skip"}
        When a file cannot be read: raise one error that names every such file, or leave it out
        with a warning.
    **reading
        As for `read_session`, the same for every file.

    Returns
    -------
    dict of str to xarray.Dataset
        Sessions by name, sorted as the files: the name of the file without its ending, with
        folders in front where two files share it.  It is the ``source_id`` of the session.

    Raises
    ------
    SourceError
        If there is no file, a file is named twice, or files cannot be read.

    Warns
    -----
    PopdynWarning
        What `read_session` warns of, with the file it concerns.

    See Also
    --------
    popdyn.pseudopopulation : pool neurons that were recorded apart.

    Examples
    --------
    >>> from glob import glob
    >>> sessions = read_sessions(sorted(glob("data/mouse_alm_*.nwb")), n_jobs=1)
    >>> {name: session.sizes["trial"] for name, session in sessions.items()}
    {'mouse_alm_delay_anm369963': 178, 'mouse_alm_delay_anm372793': 340}
    """
    from joblib import Parallel, delayed

    if on_error not in ("raise", "skip"):
        message = f"on_error must be 'raise' or 'skip', got {on_error!r}."
        raise SourceError(message)
    named = _named(_files(files))
    asked: dict[str, Any] = {"behavior": behavior, **reading}
    work = (delayed(_read_one)(path, name, trials, asked) for name, path in named.items())
    runs = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    outcomes = dict(zip(named, watched(runs, len(named), "reading sessions"), strict=True))
    for name, outcome in outcomes.items():
        for line in outcome.said:
            warn(f"{name}: {line}")
    failed = {name: outcome.failure for name, outcome in outcomes.items() if outcome.failure}
    if failed and (on_error == "raise" or len(failed) == len(named)):
        raise SourceError(_failed_line(failed, len(named)))
    for failure in failed.values():
        warn(f"left out: {failure}")
    return {name: o.session for name, o in outcomes.items() if o.session is not None}


@dataclass(frozen=True)
class _Outcome:
    """What came of reading one file, so that it can travel between processes."""

    session: xr.Dataset | None
    failure: str
    said: tuple[str, ...]


def _read_one(path: str, name: str, trials: str | None, asked: dict[str, Any]) -> _Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session, failure = None, ""
        try:
            session = read_session(path, trials, **{"source_id": name, **asked})
        except SourceError as error:
            failure = str(error)
    said = [str(w.message) for w in caught if issubclass(w.category, PopdynWarning)]
    return _Outcome(session, failure, tuple(said))


def _files(files: Any) -> list[str]:
    if isinstance(files, (str, os.PathLike)):
        if is_address(files):
            return [str(files)]
        folder = Path(files).expanduser()
        if not folder.is_dir() or str(folder).endswith(_ENDINGS):
            return [str(find_file(files))]
        found = sorted(str(f) for ending in _ENDINGS for f in folder.rglob(f"*{ending}"))
        if not found:
            message = f"there is no .nwb file in the folder {folder}, nor below it."
            raise SourceError(message)
        return found
    if not isinstance(files, Iterable):
        message = f"expected a folder or a list of files, got {type(files).__name__}."
        raise SourceError(message)
    given = [str(file) for file in files]
    twice = sorted({file for file in given if given.count(file) > 1})
    if not given or twice:
        found_words = f"named twice: {listed(twice)}" if twice else "the list is empty"
        message = f"expected a list of different files; {found_words}."
        raise SourceError(message)
    return given


def _named(files: list[str]) -> dict[str, str]:
    """Name files by their last part, and by more of the path where that is not enough."""
    parts = [PurePosixPath(file.split("?")[0].replace("\\", "/")).parts for file in files]
    n_parts = 1
    while True:
        names = ["_".join(part[-n_parts:]) for part in parts]
        stems = [name.removesuffix(".zarr").removesuffix(".nwb") for name in names]
        if len(set(stems)) == len(stems):
            return dict(zip(stems, files, strict=True))
        if n_parts > max(map(len, parts)):
            return {f"{stem}_{k}": files[k] for k, stem in enumerate(stems)}
        n_parts += 1


def _failed_line(failed: dict[str, str], n_files: int) -> str:
    shown = " | ".join(list(failed.values())[:5])
    more = f" | and {len(failed) - 5} more" if len(failed) > 5 else ""
    return (
        f"{len(failed)} of {n_files} files cannot be read (on_error='skip' leaves them out): "
        f"{shown}{more}"
    )
