"""Open an NWB file, or say in one line why it cannot be opened."""

from __future__ import annotations

import difflib
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import h5py

from popdyn.errors import PopdynError, SourceError

# h5py has no type information.
_H5: Any = h5py
_LOG = logging.getLogger("popdyn")
_HEAD_BYTES = 512
# First bytes of files that people mistake for NWB, and what to do about each.
_KINDS = {
    b"\x1f\x8b": "is gzip-compressed; unpack it (gunzip) and read the .nwb inside",
    b"PK\x03\x04": "is a zip archive; unpack it and read the .nwb inside",
    b"\xfd7zXZ": "is xz-compressed; unpack it and read the .nwb inside",
    b"BZh": "is bzip2-compressed; unpack it and read the .nwb inside",
    b"\x28\xb5\x2f\xfd": "is zstd-compressed; unpack it and read the .nwb inside",
    b"7z\xbc\xaf": "is a 7-Zip archive; unpack it and read the .nwb inside",
    b"\x93NUMPY": "is a NumPy array; use popdyn.make_tensor or popdyn.from_spikes",
    b"MATLAB 5.0": "is a MATLAB file (before v7.3); convert it to NWB, for example with MatNWB",
}


@contextmanager
def open_nwb(path: str | os.PathLike[str]) -> Iterator[tuple[Any, str]]:
    """Open a file with pynwb for the length of a ``with`` block.

    Everything that goes wrong, also while the block reads from the file, becomes one
    SourceError.  What pynwb warns about goes to the log (``popdyn``): it concerns the writer
    of the file.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    (pynwb.NWBFile, str)
        The content, and the version of the NWB schema the file states.

    Raises
    ------
    SourceError
        If the path is missing, not a file, not HDF5, cut off, not NWB 2, or refused by pynwb.
    """
    file = find_file(path)
    _check_first_bytes(file)
    version = _check_hdf5(file)
    with _quiet(file), ExitStack() as stack:
        try:
            import pynwb

            reader = stack.enter_context(pynwb.NWBHDF5IO(str(file), mode="r", load_namespaces=True))
            content = reader.read()
        except Exception as error:
            raise SourceError(_refused(file, version, error)) from error
        try:
            yield content, version
        except PopdynError:
            raise
        except Exception as error:
            message = (
                f"{file} opens, but reading from it fails ({_one_line(error)}): part of it is "
                "damaged or not stored as NWB expects. Download it again, or ask "
                "`pynwb-validate` what is wrong."
            )
            raise SourceError(message) from error


def find_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of an existing regular file.

    Raises
    ------
    SourceError
        If there is none; the message names the nearest file that exists.
    """
    given: Any = path
    if not isinstance(given, (str, os.PathLike)):
        message = f"expected the path of an NWB file, got {type(given).__name__}."
        raise SourceError(message)
    if re.match(r"^(https?|s3|dandi|gs)://", str(path)):
        message = f"{path} is an address; popdyn reads files. Download it and give its path."
        raise SourceError(message)
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise SourceError(_directory(file))
        if file.is_file():
            return file
        exists = file.exists()
    except OSError as error:
        message = f"{str(file)[:200]} cannot be looked up ({_one_line(error)})."
        raise SourceError(message) from error
    if exists:
        message = f"{file} is not a regular file; expected an NWB file."
        raise SourceError(message)
    raise SourceError(_missing(file))


def _missing(file: Path) -> str:
    if file.is_symlink():
        return (
            f"{file} is a link whose content is not here (git-annex or DataLad?). Fetch it with "
            f"`datalad get {file.name}` or `git annex get {file.name}`."
        )
    parent = file.parent
    if not parent.is_dir():
        while not parent.is_dir():
            parent = parent.parent
        return f"there is no file {file}: the folder ends at {parent.resolve()}. Check the path."
    names = sorted(other.name for other in parent.iterdir())
    near = difflib.get_close_matches(file.name, names, n=1)
    if near:
        return f"there is no file {file}. Nearest name there: {near[0]}."
    recordings = [name for name in names if name.endswith(".nwb")]
    there = _listed(recordings) if recordings else "no .nwb file"
    return f"there is no file {file}. Its folder has {there}."


def _directory(file: Path) -> str:
    markers = (".zgroup", ".zattrs", ".zmetadata", "zarr.json")
    if any((file / marker).exists() for marker in markers):
        return (
            f"{file} is a Zarr store; popdyn reads NWB in HDF5. Export it to HDF5 with "
            "hdmf_zarr's NWBZarrIO and pynwb's NWBHDF5IO.export."
        )
    recordings = sorted(other.name for other in file.glob("*.nwb"))
    there = f"It holds {_listed(recordings)}: give one of them" if recordings else "It has no .nwb"
    return f"{file} is a directory; expected an NWB file. {there}."


def _check_first_bytes(file: Path) -> None:
    """Refuse what is not HDF5 by what it is."""
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        message = f"{file} cannot be opened ({_one_line(error)}). Check its permissions."
        raise SourceError(message) from error
    if not _H5.is_hdf5(file):
        message = f"{file} {_what_it_is(head, file.stat().st_size)}."
        raise SourceError(message)


def _what_it_is(head: bytes, size: int) -> str:
    if not head:
        return "is empty (0 bytes); copy or download it again"
    if head.startswith(b"version https://git-lfs"):
        stands_for = re.search(rb"size (\d+)", head)
        real = f" that stand for {int(stands_for[1]):,}" if stands_for else ""
        return (
            f"is a Git LFS pointer ({size} bytes{real}), not the recording. Run `git lfs pull` in "
            "its repository"
        )
    if b"/annex/objects/" in head:
        return "is a git-annex pointer, not the recording. Run `git annex get` or `datalad get`"
    for magic, words in _KINDS.items():
        if head.startswith(magic):
            return words
    try:
        words = head.decode("utf-8", errors="strict" if size < _HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        words = "\0"
    if all(letter.isprintable() or letter in "\t\r\n" for letter in words):
        if words.lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
            return "is a web page, not a recording (a download that failed?). Download it again"
        begin = " ".join(words.split())[:60]
        return f"is a text file that begins {begin!r}; expected an NWB file (HDF5)"
    return f"is not an HDF5 file ({size:,} bytes that begin {head[:8]!r}); expected an NWB file"


def _check_hdf5(file: Path) -> str:
    """Return the schema version an NWB file states; refuse other HDF5 files by their content."""
    try:
        with _H5.File(file, "r") as content:
            kind = _attribute(content, "neurodata_type")
            version = _attribute(content, "nwb_version")
            names = sorted(content)
            ours = "popdyn_kind" in content.attrs
            old = _old_version(content)
    except Exception as error:
        raise SourceError(_damaged(file, error)) from error
    if old:
        message = (
            f"{file} is an NWB 1 file ({old}); popdyn reads NWB 2. Convert it, or look for the "
            "NWB 2 version of the data set."
        )
        raise SourceError(message)
    if kind != "NWBFile" and not version:
        holds = _listed(names) if names else "nothing"
        if ours:
            message = f"{file} was written by popdyn.save, it is no NWB file: use popdyn.load."
            raise SourceError(message)
        message = (
            f"{file} is an HDF5 file but not NWB (no NWBFile at its root): it holds {holds}. "
            "Convert it to NWB, or build a tensor with popdyn.from_spikes or popdyn.make_tensor."
        )
        raise SourceError(message)
    return version


def _old_version(content: Any) -> str:
    if "nwb_version" not in content or not isinstance(content["nwb_version"], _H5.Dataset):
        return ""
    value = content["nwb_version"][()]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _attribute(content: Any, name: str) -> str:
    """Text of an attribute, also where it was stored as an array of bytes."""
    value = content.attrs.get(name, "")
    while getattr(value, "shape", ()) and value.size:
        value = value[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _damaged(file: Path, error: Exception) -> str:
    sizes = re.search(r"eof = (\d+).*stored_eof = (\d+)", str(error))
    if sizes:
        return (
            f"{file} is cut off: {int(sizes[1]):,} of {int(sizes[2]):,} bytes are there. Copy or "
            "download it again."
        )
    if re.search(r"\b(un)?lock(ed)?\b|errno = 11\b", str(error)):
        return (
            f"{file} is locked ({_one_line(error)}): close the program that writes it, or set "
            "HDF5_USE_FILE_LOCKING=FALSE."
        )
    return f"{file} is a damaged HDF5 file ({_one_line(error)}). Copy or download it again."


def _refused(file: Path, version: str, error: Exception) -> str:
    """Say why pynwb cannot read a file; what HDF5 itself raises means damage."""
    if type(error) in (OSError, RuntimeError):
        return _damaged(file, error)
    known = f"schema {version}" if version else "no schema version"
    early = re.match(r"(1\.|2\.0b|2\.0$)", version)
    advice = (
        "It was written before NWB 2.0 was final: export it again with a current MatNWB or pynwb."
        if early
        else "`pynwb-validate` says what breaks the format; export it again with a current writer."
    )
    return (
        f"{file} is an NWB file ({known}) that pynwb {version_of('pynwb')} refuses "
        f"({_one_line(error)}). {advice}"
    )


def _one_line(error: BaseException) -> str:
    # hdmf prints the whole object before it says why it could not build it.
    words = " ".join(str(error).split()).rsplit("due to: ", 1)[-1][:200]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _listed(names: list[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


@contextmanager
def _quiet(file: Path) -> Iterator[None]:
    """Log what pynwb and hdmf warn about instead of showing it to a reader of the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        _LOG.debug("%s: %s", file.name, warning.message)
