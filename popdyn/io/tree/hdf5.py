"""An HDF5 file as a tree of nodes."""

from __future__ import annotations

import posixpath
from collections.abc import Hashable
from functools import cached_property
from typing import Any

import h5py
import numpy as np

from popdyn.io.tree.hdf5_storage import check_stored, lacking_filter
from popdyn.tensor.contract import text

# h5py has no type information.
_H5: Any = h5py
# What reading damaged files raises, as far as it was seen.
DAMAGE = (
    OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError, OverflowError,
    AttributeError, NotImplementedError, IndexError, AssertionError, ZeroDivisionError,
)  # fmt: skip
# Words of the two values of a type that other writers use for booleans.
_FLAGS = {"false": 0, "true": 1}


class HDF5Node:
    """A group or data set of an HDF5 file; see `popdyn.io.tree.node.Node`."""

    def __init__(self, content: Any, path: str) -> None:
        self._content = content
        self.path = path
        self.is_group = isinstance(content, _H5.Group)
        # What is asked for again and again: HDF5 takes long to answer.
        self._children: dict[str, HDF5Node | None] = {}
        self._attributes: dict[str, Any] = {}

    @property
    def identity(self) -> Hashable:
        """Equal for two paths that lead to the same node."""
        same: Hashable = self._content
        return same

    @property
    def name(self) -> str:
        """Last part of the path."""
        return posixpath.basename(self.path)

    @cached_property
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
        if name not in self._children:
            self._children[name] = self._child(name)
        return self._children[name]

    def _child(self, name: str) -> HDF5Node | None:
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
        if name not in self._attributes:
            try:
                self._attributes[name] = _plain(self._content.attrs.get(name))
            except DAMAGE:
                self._attributes[name] = None
        return self._attributes[name]

    def referred(self, name: str) -> HDF5Node | None:
        """Return the node that an attribute refers to."""
        try:
            reference = self._content.attrs.get(name)
            if not isinstance(reference, _H5.Reference) or not reference:
                return None
            found = self._content.file[reference]
            # What was deleted may still be reached, under no name.
            return HDF5Node(found, str(found.name)) if found.name else None
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
            kind = None if self.is_group else np.dtype(self._content.dtype)
            return np.dtype(bool) if _is_flag(kind) else kind
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
        if _words_of_type(kind):
            return "text"
        return "numbers" if kind.kind in "biuf" else "other"

    def read(self) -> np.ndarray:
        """Read all data in one go; see `popdyn.io.tree.node.Node.read`."""
        if self.dtype is None:
            message = "it has a type that cannot be read"
            raise ValueError(message)
        check_stored(self._content)
        try:
            return self._read()
        except DAMAGE as error:
            why = lacking_filter(self._content)
            if why:
                raise ValueError(why) from error
            raise

    def _read(self) -> np.ndarray:
        kind, values = self.dtype, self._content[()]
        words = _words_of_type(kind)
        if words:
            named = [words.get(int(code), str(code)) for code in np.ravel(values)]
            return np.array(named, dtype=np.str_).reshape(self.shape)
        if self.holds == "text":
            return text(values)
        if self.holds == "references":
            file = self._content.file
            paths = [_path_of(file, reference) for reference in np.ravel(values)]
            return np.array(paths, dtype=np.str_).reshape(self.shape)
        return np.asarray(values, dtype=kind if self.holds == "numbers" else None)


def _codes_of_type(kind: Any) -> dict[str, int]:
    """Words of an enumerated type and the code of each; none for h5py's own booleans."""
    if kind is None:
        return {}
    return {str(word): int(code) for word, code in (_H5.check_enum_dtype(kind) or {}).items()}


def _is_flag(kind: Any) -> bool:
    return {word.lower(): code for word, code in _codes_of_type(kind).items()} == _FLAGS


def _words_of_type(kind: Any) -> dict[int, str]:
    """Code to word of an enumerated type that stands for more than false and true."""
    codes = {} if _is_flag(kind) else _codes_of_type(kind)
    return {code: word for word, code in codes.items()}


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
        return str(file[reference].name or "") if reference else ""
    except DAMAGE:
        return ""
