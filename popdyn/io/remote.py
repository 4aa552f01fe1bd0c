"""Read a file at an http(s) address by its parts, as if it were on this disk."""

from __future__ import annotations

import io
import os
import re
import threading
import weakref
from importlib.util import find_spec
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from popdyn.errors import SourceError
from popdyn.io.http.answers import Content, shown
from popdyn.io.http.block_folder import BlockFolder
from popdyn.io.http.blocks import Blocks
from popdyn.io.http.ranges import RangeReader

_INSTEAD = {
    "dandi": "Give the https address of the asset (its download link on the archive's page).",
    "s3": "Give its https address (https://BUCKET.s3.amazonaws.com/KEY for a public bucket).",
    "gs": "Give its https address (https://storage.googleapis.com/BUCKET/KEY if public).",
    "file": "Give the path of the file.",
}


class _Settings(NamedTuple):
    timeout: float
    n_retries: int
    block_size: int
    cache_bytes: int
    cache_folder: str | os.PathLike[str] | None


def is_address(path: object) -> bool:
    """Whether `path` is the address of something remote (``https://…``, ``s3://…``).

    Examples
    --------
    >>> is_address("https://example.org/recording.nwb"), is_address("recording.nwb")
    (True, False)
    """
    if isinstance(path, os.PathLike):  # a Path makes one slash of two
        return re.match(r"(?i)https?:/", os.fspath(path)) is not None
    return isinstance(path, str) and re.match(r"(?i)[a-z][a-z0-9+.-]+://", path) is not None


def open_remote(
    address: str,
    *,
    timeout: float = 30.0,
    n_retries: int = 5,
    block_size: int = 2**17,
    cache_bytes: int = 2**28,
    cache_folder: str | os.PathLike[str] | None = None,
) -> RemoteFile:
    """Open the file at an http(s) address; nothing but the parts that are read is fetched.

    Every answer of the server is checked (status, range, length, that the file is still the
    same); what fails is tried again with growing pauses, and a connection that breaks goes on
    where it broke.  When patience ends there is one SourceError; it is also kept as ``.error``.

    Parameters
    ----------
    address : str
        An address that begins with ``https://`` or ``http://``.  The server must serve ranges.
        A query (signatures!) is never shown in a message.
    timeout : float
        Seconds without a byte before a request counts as failed; also the longest
        ``Retry-After`` that is waited for.
    n_retries : int
        How many times in a row a request may fail.
    block_size : int
        Bytes of a block, the least that is fetched.  Reading on where the last request ended
        doubles the next, up to 16 MiB.
    cache_bytes : int
        Blocks kept in memory, in bytes; those unused for longest go first.
    cache_folder : path-like, optional
        Blocks are also kept in this folder, for the next time and for other processes.  A
        server that states neither ETag nor Last-Modified is not cached there.

    Returns
    -------
    RemoteFile
        A seekable binary file, to be used as ``h5py.File(file, "r")``.

    Raises
    ------
    SourceError
        If the address is not http(s), does not answer, or answers with something else than the
        part of a file asked for.
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> open_remote("s3://bucket/recording.nwb")
    Traceback (most recent call last):
        ...
    popdyn.errors.SourceError: s3://bucket/recording.nwb: popdyn reads http and https addresses...
    """
    _check_address(address)
    if timeout <= 0 or n_retries < 0 or block_size < 1 or cache_bytes < 0:
        message = (
            "expected timeout > 0, n_retries >= 0, block_size >= 1 and cache_bytes >= 0, got "
            f"{timeout}, {n_retries}, {block_size} and {cache_bytes}."
        )
        raise ValueError(message)
    if find_spec("urllib3") is None:
        message = (
            f"{shown(address)} is an address; reading it needs urllib3: "
            "python -m pip install 'popdyn[remote]'."
        )
        raise SourceError(message)
    return _opened(address, _Settings(timeout, n_retries, block_size, cache_bytes, cache_folder))


def _opened(address: str, settings: _Settings) -> RemoteFile:
    ranges = RangeReader(address, settings.timeout, settings.n_retries)
    size, folder = settings.block_size, settings.cache_folder
    stored = BlockFolder(folder, address, size) if folder else None
    return RemoteFile(address, settings, ranges, Blocks(ranges, size, settings.cache_bytes, stored))


def _check_address(address: object) -> None:
    if not isinstance(address, str):
        kind = type(address).__name__
        message = f"expected an address as text, got {kind}: a path makes one slash of two."
        raise SourceError(message)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        message = f"the address is not written as one ({error}): check it."
        raise SourceError(message) from None
    if parts.scheme.lower() not in ("http", "https"):
        instead = _INSTEAD.get(parts.scheme.lower(), "Download the file and give its path.")
        message = f"{shown(address)}: popdyn reads http and https addresses. {instead}"
        raise SourceError(message)
    if not parts.hostname or port == 0:
        message = f"{shown(address)} names no host: check the address."
        raise SourceError(message)


class RemoteFile(io.RawIOBase):
    """A seekable binary file over HTTP, made by `open_remote`; threads may share it.

    Attributes
    ----------
    address : str
        As given, signature and all: show ``label`` instead.
    label : str
        The address without login and query.
    name : str
        The last part of the address.
    size : int
        Bytes of the whole file.
    n_requests, n_bytes_fetched : int
        What was asked of the server, and what came.
    error : SourceError or None
        What ended the reading.  Parts that came before can still be read; new ones are not
        asked for any more.
    """

    def __init__(
        self, address: str, settings: _Settings, ranges: RangeReader, blocks: Blocks
    ) -> None:
        super().__init__()
        self._settings = settings
        self._ranges = ranges
        self._blocks = blocks
        self._lock = threading.RLock()
        self._position = 0
        self.address = address
        self.label = shown(address)
        self.name = unquote(urlsplit(address).path.rpartition("/")[2]) or self.label
        self.size = blocks.size
        _OPEN.add(self)

    @property
    def error(self) -> SourceError | None:
        """What ended the reading, None while all is well."""
        return self._blocks.error

    @property
    def n_requests(self) -> int:
        """How many requests were sent."""
        return self._ranges.n_requests

    @property
    def n_bytes_fetched(self) -> int:
        """How many bytes of content came."""
        return self._ranges.n_bytes

    def __repr__(self) -> str:
        return f"<RemoteFile {self.label}, {self.size:,} bytes>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.address, self._settings, self._blocks.content, self._position)

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether any part can be read: always."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset` from the start (0), from here (1) or from the end (2)."""
        with self._lock:
            begin = (0, self._position, self.size)[whence]
            if begin + offset < 0:
                message = f"cannot seek to {begin + offset}, before the start of {self.label}."
                raise ValueError(message)
            self._position = begin + offset
            return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` from here on; fewer bytes only at the end of the file.

        HDF5 takes a buffer for full whatever is returned, so nothing is ever left out.
        """
        with self._lock, memoryview(buffer).cast("B") as view:
            self._check_open()
            n_read = self._blocks.fill(view, self._position)
            self._position += n_read
            return n_read

    def read_at(self, start: int, n_bytes: int) -> bytes:
        """Return `n_bytes` from `start` without moving: safe while other threads read."""
        body = bytearray(max(0, min(n_bytes, self.size - start)))
        with self._lock, memoryview(body) as view:
            self._check_open()
            self._blocks.fill(view, start)
        return bytes(body)

    def readall(self) -> bytes:
        """Return everything from here to the end."""
        with self._lock:
            body = self.read_at(self._position, self.size - self._position)
            self._position += len(body)
            return body

    def close(self) -> None:
        """Forget blocks and connections."""
        if not self.closed:
            self._blocks.clear()
            self._ranges.close()
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            message = f"{self.label} is closed."
            raise ValueError(message)

    def _renew(self) -> None:
        self._lock = threading.RLock()
        self._ranges.renew()


_OPEN: weakref.WeakSet[RemoteFile] = weakref.WeakSet()


def _reopened(address: str, settings: _Settings, content: Content, position: int) -> RemoteFile:
    """Open a file again in another process, where it must still be the same."""
    file = _opened(address, settings)
    if file._blocks.content != content:
        message = f"{file.label} changed since it was opened: open it again."
        raise SourceError(message)
    file.seek(position)
    return file


def _after_fork() -> None:
    for file in list(_OPEN):
        file._renew()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)
