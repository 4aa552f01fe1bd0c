"""A Zarr store as a tree of nodes: NWB as hdmf-zarr writes it."""

from __future__ import annotations

import importlib.util
import json
import posixpath
import zipfile
from collections.abc import Hashable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from popdyn.errors import SourceError
from popdyn.io.tables import one_line
from popdyn.io.tree.hdf5 import DAMAGE
from popdyn.io.tree.zarr_array import ArrayFacts, facts_of_2, facts_of_3, read_values
from popdyn.io.tree.zarr_files import Files, FolderFiles, ZipFiles
from popdyn.tensor.contract import text

_LINKS = "zarr_link"


class ZarrNode:
    """A group or array of a Zarr store; see `popdyn.io.tree.node.Node`.

    Parameters
    ----------
    files : Files
    path : str
        From the root of the store, ``/`` for the root.

    Raises
    ------
    ValueError
        If there is no group or array, or its metadata are damaged.
    """

    def __init__(self, files: Files, path: str) -> None:
        self._files = files
        self.path = path
        self._key = path.strip("/")
        self._attributes, self._facts = _metadata(files, self._key)
        self.is_group = self._facts is None

    @property
    def name(self) -> str:
        """Last part of the path."""
        return posixpath.basename(self.path)

    @property
    def _links(self) -> dict[str, dict[str, Any]]:
        listed = self._attributes.get(_LINKS)
        links = listed if self.is_group and isinstance(listed, list) else []
        return {
            str(link["name"]): link for link in links if isinstance(link, dict) and "name" in link
        }

    @property
    def identity(self) -> Hashable:
        """Equal for two paths that lead to the same node."""
        return self.path

    @property
    def names(self) -> list[str]:
        """Names of what a group holds, broken links among them."""
        if not self.is_group:
            return []
        stored = [name for name in self._files.names(self._key) if not _is_metadata(name)]
        return [*stored, *(name for name in self._links if name not in stored)]

    def child(self, name: str) -> ZarrNode | None:
        """Return what the group holds under a name; None if nothing, or nothing readable."""
        return self._found(name)[0]

    def _found(self, name: str) -> tuple[ZarrNode | None, str]:
        """Return what lies under a name, or why nothing does."""
        link = self._links.get(name)
        if link is not None:
            path = self._inside(link)
            target = self.absolute(path) if path else None
            where = f"{link.get('path')} in the store {link.get('source')}"
            return target, "" if target is not None else f"is a link to {where}, which is not read"
        if name not in self.names or "/" in name:
            return None, ""
        try:
            return ZarrNode(self._files, posixpath.join(self.path, name)), ""
        except DAMAGE as error:
            return None, f"is damaged ({one_line(error)})"

    def absolute(self, path: str) -> ZarrNode | None:
        """Return the node at a path from the root of the store; None if nothing is there."""
        try:
            return (
                ZarrNode(self._files, posixpath.normpath(f"/{path.strip('/')}")) if path else None
            )
        except DAMAGE:
            return None

    def why_absent(self, name: str) -> str:
        """Say why `child` gave None for a name that is listed; ``""`` if it is not listed."""
        return self._found(name)[1]

    def attribute(self, name: str) -> Any:
        """Return an attribute as plain text, number, list of texts or array; None if absent."""
        value = self._attributes.get(name)
        if isinstance(value, list):
            if all(isinstance(item, str) for item in value):
                return value
            is_plain = all(isinstance(item, (int, float)) for item in value)
            array = np.array(value) if is_plain else None
            return array.item() if array is not None and array.size == 1 else array
        return value if isinstance(value, (str, int, float)) else None

    def referred(self, name: str) -> ZarrNode | None:
        """Return the node that an attribute refers to."""
        value = self._attributes.get(name)
        path = self._inside(value.get("value")) if isinstance(value, dict) else ""
        return self.absolute(path) if path else None

    def _inside(self, reference: Any) -> str:
        """Path that a reference leads to in this store; ``""`` if it leads elsewhere."""
        if not isinstance(reference, dict):
            return ""
        source = str(reference.get("source") or ".").rstrip("/")
        is_here = source == "." or posixpath.basename(source) == self._files.name
        return str(reference.get("path") or "") if is_here else ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the data."""
        return self._facts.shape if self._facts is not None else ()

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of the data; None where it is one that NumPy does not know."""
        return self._facts.dtype if self._facts is not None else None

    @property
    def holds(self) -> str:
        """``numbers``, ``text``, ``references``, ``records`` or ``other``."""
        kind, meant = self.dtype, self._attributes.get("zarr_dtype")
        if self._facts is None or kind is None:
            return "other"
        if kind.names is not None or isinstance(meant, list):
            return "records"
        if meant == "object":
            return "references"
        if kind.kind in "SUO":
            return "text"
        return "numbers" if kind.kind in "biuf" else "other"

    def read(self) -> np.ndarray:
        """Read all data in one go; see `popdyn.io.tree.node.Node.read`."""
        if self._facts is None:
            message = f"{self.path} is a group"
            raise ValueError(message)
        values = read_values(self._files, self._key, self._facts)
        kind = self.holds
        if kind == "references":
            paths = [self._inside(value) for value in values.ravel().tolist()]
            return np.array(paths, dtype=np.str_).reshape(values.shape)
        if kind == "text":
            return text(values)
        if kind in ("records", "other"):
            message = f"it holds {kind}"
            raise ValueError(message)
        return values


def _is_metadata(name: str) -> bool:
    return name.startswith(".") or name in ("zarr.json", "c")


def _metadata(files: Files, key: str) -> tuple[dict[str, Any], ArrayFacts | None]:
    """Attributes of a node, and what is known of its array; None for a group."""

    def parsed(name: str) -> Any:
        raw = files.read(f"{key}/{name}" if key else name)
        return None if raw is None else _object(raw, name)

    newer = parsed("zarr.json")
    if newer is not None:
        attributes = newer.get("attributes")
        facts = facts_of_3(newer) if newer.get("node_type") == "array" else None
        return (attributes if isinstance(attributes, dict) else {}), facts
    about = parsed(".zarray")
    if about is None and parsed(".zgroup") is None:
        message = "it has neither .zarray nor .zgroup"
        raise ValueError(message)
    return parsed(".zattrs") or {}, (facts_of_2(about) if about is not None else None)


def _object(raw: bytes, name: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        message = f"its {name} is cut off or overwritten: {error}"
        raise ValueError(message) from error
    if not isinstance(found, dict):
        message = f"its {name} holds no names"
        raise ValueError(message)
    return found


def open_zarr(path: Path, stack: ExitStack) -> tuple[ZarrNode, int]:
    """Open a Zarr store.

    Parameters
    ----------
    path : Path
        A folder, or a zip archive of one.
    stack : contextlib.ExitStack
        Closes what was opened.

    Returns
    -------
    root : ZarrNode
    n_bytes : int
        Size of all its files.

    Raises
    ------
    SourceError
        If what reads Zarr is not installed, or the root of the store is damaged.
    """
    if importlib.util.find_spec("numcodecs") is None:
        message = f'{path} is a Zarr store: `pip install "popdyn[zarr]"` installs what reads it.'
        raise SourceError(message)
    try:
        if path.is_dir():
            files: Files = FolderFiles(path)
            n_bytes = sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
        else:
            files = ZipFiles(stack.enter_context(zipfile.ZipFile(path)), path.stem)
            n_bytes = path.stat().st_size
        return ZarrNode(files, "/"), n_bytes
    except (*DAMAGE, zipfile.BadZipFile) as error:
        message = (
            f"{path} is a damaged Zarr store ({one_line(error)}). Copy or download it again, with "
            "all its files."
        )
        raise SourceError(message) from error
