"""A file on disk: find it, say what it is if it is no recording, and try it without harm."""

from __future__ import annotations

import difflib
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py

from popdyn.errors import SourceError
from popdyn.io.tables import one_line
from popdyn.io.tree import probe

# h5py has no type information.
_H5: Any = h5py
_LOG = logging.getLogger("popdyn")
HEAD_BYTES = 512
# How another process fared with a file ("": well), by path, size, time of the last change.
_TRIED: dict[tuple[str, int, int], str] = {}
# Seconds until the other process is given up, where it cannot count its own.
_PATIENCE = 300
# What its exit codes say; -24 is the signal that its time is over.
_ENDS = {-24: "runs in circles", probe.GREEDY: "takes more memory than it can need"}
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
    file = Path(path).expanduser()
    try:
        if file.is_dir():
            raise SourceError(_directory(file))
        if file.is_file():
            return file
        exists = file.exists()
    except OSError as error:
        message = f"{str(file)[:200]} cannot be looked up ({kind_and_words(error)})."
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
    there = listed(recordings) if recordings else "no .nwb file"
    return f"there is no file {file}. Its folder has {there}."


def _directory(file: Path) -> str:
    recordings = sorted(other.name for other in file.glob("*.nwb"))
    there = f"It holds {listed(recordings)}: give one of them" if recordings else "It has no .nwb"
    return f"{file} is a directory; expected an NWB file. {there}."


def check_first_bytes(file: Path) -> None:
    """Refuse what is not HDF5 by what it is."""
    try:
        with file.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        message = f"{file} cannot be opened ({kind_and_words(error)}). Check its permissions."
        raise SourceError(message) from error
    if not _H5.is_hdf5(file):
        message = f"{file} {what_it_is(head, file.stat().st_size)}."
        raise SourceError(message)


def what_it_is(head: bytes, size: int) -> str:
    """Say what a file that is not HDF5 is, and what to do, from its first bytes."""
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
        words = head.decode("utf-8", errors="strict" if size < HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        words = "\0"
    if all(letter.isprintable() or letter in "\t\r\n" for letter in words):
        if words.lstrip().lower().startswith(("<!doctype", "<html", "<?xml")):
            return "is a web page, not a recording (a download that failed?). Download it again"
        begin = " ".join(words.split())[:60]
        return f"is a text file that begins {begin!r}; expected an NWB file (HDF5)"
    return f"is not an HDF5 file ({size:,} bytes that begin {head[:8]!r}); expected an NWB file"


def check_harmless(file: Path) -> None:
    """Refuse a file that crashes HDF5 or leads it in circles, tried in another process.

    A process costs a tenth of a second; a file is not tried again.
    """
    about = file.stat()
    key = (str(file.resolve()), about.st_size, about.st_mtime_ns)
    if key not in _TRIED:
        _TRIED[key] = _harm(file)
    if _TRIED[key]:
        message = (
            f"{file} is a damaged HDF5 file (reading it {_TRIED[key]}). Copy or download it again."
        )
        raise SourceError(message)


def _harm(file: Path) -> str:
    """Say what reading a file does to another process; ``""`` where it does no harm."""
    command = [sys.executable, "-P", probe.__file__, str(file)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return f"takes HDF5 more than {_PATIENCE} s"
    except OSError as error:  # no interpreter to start: read it unguarded
        _LOG.debug("%s was not tried in another process: %s", file.name, error)
        return ""
    if done.returncode == 0 or b"touched" in done.stdout:
        return ""
    if done.returncode in (1, 2):  # Python's own end: the other process did not get that far
        _LOG.warning("%s was not tried in another process: %s", file.name, done.stderr[-300:])
        return ""
    return _ENDS.get(done.returncode, "crashes HDF5")


def damaged_line(file: Path, error: Exception) -> str:
    """Say in a line what keeps HDF5 from opening a file."""
    sizes = re.search(r"eof = (\d+).*stored_eof = (\d+)", str(error))
    if sizes:
        return (
            f"{file} is cut off: {int(sizes[1]):,} of {int(sizes[2]):,} bytes are there. Copy or "
            "download it again."
        )
    if "already open for write" in str(error):
        return (
            f"{file} is marked as open for writing: its writer crashed, or still runs. Close it; "
            f"if nothing writes, `h5clear -s {file.name}` on a copy takes the mark away (the last "
            "values may be lost)."
        )
    if re.search(r"\b(un)?lock(ed)?\b|errno = 11\b", str(error)):
        return (
            f"{file} is locked ({kind_and_words(error)}): close the program that writes it, or set "
            "HDF5_USE_FILE_LOCKING=FALSE."
        )
    return f"{file} is a damaged HDF5 file ({kind_and_words(error)}). Copy or download it again."


def listed(names: list[str], most: int = 8) -> str:
    """Return the first names, and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def kind_and_words(error: BaseException) -> str:
    """Return the kind of an exception and what it says, in one line."""
    words, kind = one_line(error), type(error).__name__
    return f"{kind}: {words}" if words != kind else kind
