"""Blocks of remote files on disk, so that a second reading fetches nothing."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from popdyn.errors import warn
from popdyn.io.http.answers import Content

_N_DIGEST = 16
# A signature changes with every request for an address, the file behind it does not.
_SIGNATURES = ("x-amz-", "x-goog-")
_SIGNATURE = {"signature", "expires", "awsaccesskeyid", "googleaccessid", "key-pair-id", "policy"}


class BlockFolder:
    """The blocks of one address in a folder that several processes may share.

    A block is a file with its digest, written beside and moved into place; a damaged or cut one
    counts as absent.  Blocks lie in a folder named by the content (ETag, date, size): those of
    an older version of a file are never mixed with the new.

    Parameters
    ----------
    folder : path-like
        Where all addresses are kept; made when first written to.
    address : str
    block_size : int
    """

    def __init__(self, folder: str | os.PathLike[str], address: str, block_size: int) -> None:
        self._folder = Path(folder).expanduser() / _digest(_lasting(address))[:32]
        self._block_size = block_size
        self._blocks: Path | None = None
        self._writes = True

    def known(self) -> Content | None:
        """Return what the address served when it was last opened, None if never."""
        stored = _unpacked(self._folder / "content")
        try:
            return None if stored is None else Content(**json.loads(stored))
        except (TypeError, ValueError):  # of another version of popdyn
            return None

    def begin(self, content: Content) -> None:
        """Keep blocks of `content`; of one that cannot be told from another, keep none."""
        if not content.is_known:
            return
        words = json.dumps([asdict(content), self._block_size])
        self._blocks = self._folder / _digest(words)[:16]
        if self.known() != content:
            self._write(self._folder / "content", json.dumps(asdict(content)).encode())

    def has(self, index: int) -> bool:
        """Whether there is a file for a block."""
        return self._blocks is not None and (self._blocks / str(index)).exists()

    def get(self, index: int, size: int) -> bytes | None:
        """Return a block if it is there, whole and undamaged."""
        if self._blocks is None:
            return None
        stored = _unpacked(self._blocks / str(index))
        return stored if stored is not None and len(stored) == size else None

    def put(self, index: int, block: bytes) -> None:
        """Keep a block; a folder that cannot be written is warned about once."""
        if self._blocks is not None and self._writes:
            self._write(self._blocks / str(index), block)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(_digest_bytes(data))
                    stream.write(data)
                Path(beside).replace(path)
            except BaseException:
                Path(beside).unlink(missing_ok=True)
                raise
        except OSError as error:
            self._writes = False
            reason = error.strerror or type(error).__name__
            warn(
                f"cannot keep parts of a remote file in {self._folder.parent} ({reason}); "
                "reading goes on without. Give a cache_folder that can be written."
            )


def _lasting(address: str) -> str:
    """Return an address without the signature in its query."""
    parts = urlsplit(address)
    query = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name.lower() not in _SIGNATURE and not name.lower().startswith(_SIGNATURES)
    ]
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{urlencode(query)}"


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


def _digest_bytes(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_N_DIGEST).digest()


def _unpacked(path: Path) -> bytes | None:
    """Return what a file holds, None if it is missing or damaged."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    data = stored[_N_DIGEST:]
    return data if stored[:_N_DIGEST] == _digest_bytes(data) else None
