"""Open a recording, or say in one line why it cannot be opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import h5py

from popdyn.errors import PopdynError, SourceError
from popdyn.io.http.answers import shown
from popdyn.io.remote import RemoteFile, is_address, open_remote
from popdyn.io.tree.hdf5 import DAMAGE, HDF5Node
from popdyn.io.tree.local_file import (
    HEAD_BYTES,
    check_first_bytes,
    check_harmless,
    damaged_line,
    find_file,
    kind_and_words,
    listed,
    what_it_is,
)
from popdyn.io.tree.node import Node, kind_of, words_of
from popdyn.io.tree.zarr_files import zarr_path
from popdyn.io.tree.zarr_store import ZarrNode, open_zarr
from popdyn.io.version1.content import as_version_2, stated_version_1

# h5py has no type information.
_H5: Any = h5py


@dataclass(frozen=True)
class Source:
    """Where a recording comes from.

    Attributes
    ----------
    location : str
        Its path or address, as given.
    name : str
        Name of the file, without its folder.
    stem : str
        The name without its ending.
    n_bytes : int
    schema : str
        Version of the NWB schema the file states; ``""`` if none.
    """

    location: str
    name: str
    stem: str
    n_bytes: int
    schema: str = ""


@contextmanager
def open_nwb(
    path: str | os.PathLike[str], cache_folder: str | os.PathLike[str] | None = None
) -> Iterator[tuple[Node, Source]]:
    """Open a file, or an http(s) address, for the length of a ``with`` block.

    Everything that goes wrong, also while the block reads from the file, becomes one
    SourceError.

    Parameters
    ----------
    path : str or path-like
    cache_folder : path-like, optional
        Where what is fetched from an address is kept for the next time.

    Yields
    ------
    (Node, Source)
        The root of the file, and where it comes from.

    Raises
    ------
    SourceError
        If the path is missing, not a file, not HDF5, cut off, damaged, or not NWB.
    """
    with ExitStack() as stack:
        if is_address(path):
            root, place = _open_address(path, cache_folder, stack)
        else:
            root, place = _open_local(path, stack)
        old = stated_version_1(root)
        version = old or _check_nwb(root, place.location)
        try:
            content = as_version_2(root, old, place.location) if old else root
            yield content, replace(place, schema=version)
        except PopdynError:
            raise
        except DAMAGE as error:
            message = (
                f"{place.location} opens, but reading from it fails ({kind_and_words(error)}): "
                "part of it is damaged or not stored as NWB expects. Download it again, or ask "
                "`pynwb-validate` what is wrong."
            )
            raise SourceError(message) from error


def _open_local(path: str | os.PathLike[str], stack: ExitStack) -> tuple[Node, Source]:
    store = zarr_path(path)
    if store is not None:
        root, n_bytes = open_zarr(store, stack)
        stem = PurePosixPath(store.stem).stem
        return root, Source(str(store), store.name, stem, n_bytes)
    file = find_file(path)
    check_first_bytes(file)
    check_harmless(file)
    try:
        content = stack.enter_context(_H5.File(file, "r"))
    except DAMAGE as error:
        raise SourceError(damaged_line(file, error)) from error
    return HDF5Node(content, "/"), Source(str(file), file.name, file.stem, file.stat().st_size)


def _open_address(
    path: str | os.PathLike[str],
    cache_folder: str | os.PathLike[str] | None,
    stack: ExitStack,
) -> tuple[Node, Source]:
    # A Path makes one slash of two.
    address = re.sub(r"^(\w+):/+", r"\1://", os.fspath(path))
    remote = stack.enter_context(open_remote(address, cache_folder=cache_folder))
    # What fails on the way is swallowed by HDF5, or taken for damage: it comes first.
    stack.push(partial(_raise_first, remote))
    name = PurePosixPath(remote.name).name
    try:
        content = stack.enter_context(_H5.File(remote, "r"))
    except DAMAGE as error:
        remote.seek(0)
        what = what_it_is(remote.read(HEAD_BYTES), remote.size)
        message = (
            f"{name} at {shown(address)} cannot be opened ({kind_and_words(error)}): it {what}."
        )
        raise SourceError(message) from error
    place = Source(shown(address), name, PurePosixPath(name).stem, remote.size)
    return HDF5Node(content, "/"), place


def _raise_first(remote: RemoteFile, *raised: object) -> bool:
    del raised
    if remote.error is not None:
        raise remote.error
    return False


def _check_nwb(root: Node, file: str) -> str:
    """Return the schema version an NWB file states; refuse other HDF5 files by their content."""
    names = sorted(root.names)
    version = words_of(root, "nwb_version")
    kind = root.attribute("neurodata_type")
    if isinstance(kind, list) and version.startswith("2.0b"):
        message = (
            f"{file} was written by an early MatNWB (schema {version}), before NWB 2.0 was final: "
            "its attributes and references are not as NWB 2 says. Export it again with a current "
            "MatNWB or pynwb."
        )
        raise SourceError(message)
    if kind_of(root) != "NWBFile" and not version:
        holds = listed(names) if names else "nothing"
        what = "a Zarr store" if isinstance(root, ZarrNode) else "an HDF5 file"
        if root.attribute("popdyn_kind") is not None:
            message = f"{file} was written by popdyn.save, it is no NWB file: use popdyn.load."
            raise SourceError(message)
        message = (
            f"{file} is {what} but not NWB (no NWBFile at its root): it holds {holds}. "
            "Convert it to NWB, or build a tensor with popdyn.from_spikes or popdyn.make_tensor."
        )
        raise SourceError(message)
    return version
