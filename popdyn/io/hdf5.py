"""An HDF5 file as a tree of nodes."""

from __future__ import annotations

import posixpath
from typing import Any

import h5py
import numpy as np

from popdyn.tensor.contract import text

# h5py has no type information.
_H5: Any = h5py
# What reading damaged files raises, as far as it was seen.
DAMAGE = (
    OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError, OverflowError,
    AttributeError, NotImplementedError, IndexError, AssertionError, ZeroDivisionError,
)  # fmt: skip
# Compression makes a column a thousand times smaller at most; a wrong size claims far more.
_MOST_EXPANSION = 5000
_SMALL = 10_000_000


class HDF5Node:
    """A group or data set of an HDF5 file; see `popdyn.io.node.Node`."""

    def __init__(self, content: Any, path: str) -> None:
        self._content = content
        self.path = path
        self.is_group = isinstance(content, _H5.Group)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return posixpath.basename(self.path)

    @property
    def names(self) -> list[str]:
        """Names of what a group holds, broken links among them."""
        try:
            names = list(self._content) if self.is_group else []
        except DAMAGE:
            return []
        # Names that are no UTF-8 come as bytes; nothing is found under what stands for them.
        return [n if isinstance(n, str) else bytes(n).decode(errors="replace") for n in names]

    def child(self, name: str) -> HDF5Node | None:
        """Return what the group holds under a name; None if nothing, or nothing readable."""
        try:
            found = self._content[name] if self.is_group else None
        except DAMAGE:
            return None
        if not isinstance(found, (_H5.Group, _H5.Dataset)):
            return None
        return HDF5Node(found, posixpath.join(self.path, name))

    def absolute(self, path: str) -> HDF5Node | None:
        """Return the node at a path from the root of the file; None if nothing is there."""
        try:
            return HDF5Node(self._content.file[path], path) if path else None
        except DAMAGE:
            return None

    def why_absent(self, name: str) -> str:
        """Say why `child` gave None for a name that is listed; ``""`` if it is not listed."""
        if name not in self.names or self.child(name) is not None:
            return ""
        try:
            link = self._content.get(name, getlink=True)
        except DAMAGE:
            return "is damaged"
        if isinstance(link, _H5.ExternalLink):
            return f"is a link to {link.path} in the file {link.filename}, which is not there"
        if isinstance(link, _H5.SoftLink):
            return f"is a link to {link.path}, which is not there"
        return "is damaged"

    def attribute(self, name: str) -> Any:
        """Return an attribute as plain text, number, list of texts or array; None if absent."""
        try:
            value = self._content.attrs.get(name)
        except DAMAGE:
            return None
        return _plain(value)

    def referred(self, name: str) -> HDF5Node | None:
        """Return the node that an attribute refers to."""
        try:
            reference = self._content.attrs.get(name)
            if not isinstance(reference, _H5.Reference) or not reference:
                return None
            found = self._content.file[reference]
            return HDF5Node(found, str(found.name))
        except DAMAGE:
            return None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""
        try:
            return tuple(self._content.shape or ()) if not self.is_group else ()
        except DAMAGE:
            return ()

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of the data; None where it is one that NumPy does not know."""
        try:
            return None if self.is_group else np.dtype(self._content.dtype)
        except DAMAGE:
            return None

    @property
    def holds(self) -> str:
        """``numbers``, ``text``, ``references``, ``records`` or ``other``."""
        kind = self.dtype
        if kind is None:
            return "other"
        if kind.names is not None:
            return "records"
        if _H5.check_ref_dtype(kind) is not None:
            return "references"
        if _H5.check_string_dtype(kind) is not None or kind.kind in "SU":
            return "text"
        return "numbers" if kind.kind in "biuf" else "other"

    def read(self) -> np.ndarray:
        """Read all data in one go; see `popdyn.io.node.Node.read`."""
        self._check_stored()
        kind = self.holds
        if kind == "text":
            return text(self._content[()])
        if kind == "references":
            file = self._content.file
            paths = [_path_of(file, reference) for reference in np.ravel(self._content[()])]
            return np.array(paths, dtype=np.str_).reshape(self.shape)
        return np.asarray(self._content[()])

    def _check_stored(self) -> None:
        """Refuse sizes that cannot be true and pieces that were never written."""
        data, kind = self._content, self.dtype
        if kind is None:
            message = "it has a type that cannot be read"
            raise ValueError(message)
        if data.shape is None or data.size == 0 or data.is_virtual or data.external:
            return
        n_bytes, n_stored = data.size * kind.itemsize, data.id.get_storage_size()
        if n_bytes > _SMALL and n_bytes > _MOST_EXPANSION * max(n_stored, 1):
            message = f"it claims {data.size:,} values, but only {n_stored:,} bytes are stored"
            raise ValueError(message)
        if data.chunks is not None:
            sizes = zip(data.shape, data.chunks, strict=True)
            n_chunks = int(np.prod([-(-n // n_each) for n, n_each in sizes]))
            n_there = data.id.get_num_chunks()
            if n_there < n_chunks:
                message = f"{n_chunks - n_there} of its {n_chunks} pieces were never written"
                raise ValueError(message)
        elif not n_stored:
            message = "its values were never written"
            raise ValueError(message)


def _plain(value: Any) -> Any:
    """Text, numbers, lists of texts, arrays; references and empty values are None."""
    if value is None or isinstance(value, (_H5.Reference, _H5.RegionReference, _H5.Empty)):
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.generic):
        return value.item() if value.dtype.kind in "biuf" else str(value)
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind not in "OSU":
        return value.item() if value.size == 1 else value
    if any(isinstance(item, _H5.Reference) for item in value.ravel()):
        return None
    return text(value).ravel().tolist()


def _path_of(file: Any, reference: Any) -> str:
    try:
        return str(file[reference].name) if reference else ""
    except DAMAGE:
        return ""
