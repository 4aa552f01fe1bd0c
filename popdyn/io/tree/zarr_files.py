"""Where the pieces of a Zarr store lie: in a folder, or in a zip archive."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any, Protocol

# What marks the root, a group or an array; format 2, then format 3.
MARKS = (".zgroup", ".zarray", "zarr.json")


class Files(Protocol):
    """Named pieces of bytes, ``/`` between folders.

    Attributes
    ----------
    name : str
        Name of the store.
    """

    name: str

    def names(self, folder: str) -> list[str]:
        """Return what lies in a folder, sorted."""

    def size(self, key: str) -> int | None:
        """Return the length of a piece in bytes; None if it is not there."""

    def read(self, key: str) -> bytes | None:
        """Return a piece; None if it is not there."""

    def folder(self) -> str:
        """Return the path of a folder; ``""`` where there is none."""


class FolderFiles:
    """Pieces that are files in a folder; see `Files`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.name = root.name

    def names(self, folder: str) -> list[str]:
        """Return what lies in a folder, sorted."""
        place = self._path(folder)
        return sorted(child.name for child in place.iterdir()) if place.is_dir() else []

    def size(self, key: str) -> int | None:
        """Return the length of a piece in bytes; None if it is not there."""
        place = self._path(key)
        return place.stat().st_size if place.is_file() else None

    def read(self, key: str) -> bytes | None:
        """Return a piece; None if it is not there."""
        place = self._path(key)
        return place.read_bytes() if place.is_file() else None

    def folder(self) -> str:
        """Return the path of the folder."""
        return str(self._root)

    def _path(self, key: str) -> Path:
        parts = [part for part in key.split("/") if part]
        if ".." in parts:
            message = f"{key} leads out of the store"
            raise ValueError(message)
        return self._root.joinpath(*parts)


class ZipFiles:
    """Pieces that are members of a zip archive; see `Files`.

    The store may be the whole archive, or the one folder in it.
    """

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.name = name
        self._archive = archive
        members = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        self._prefix = _root_of(list(members))
        self._members = members
        self._folders: dict[str, set[str]] = {}
        for member in members:
            parts = member.removeprefix(self._prefix).split("/")
            for depth, part in enumerate(parts):
                self._folders.setdefault("/".join(parts[:depth]), set()).add(part)

    def names(self, folder: str) -> list[str]:
        """Return what lies in a folder, sorted."""
        return sorted(self._folders.get(folder.strip("/"), ()))

    def size(self, key: str) -> int | None:
        """Return the length of a piece in bytes; None if it is not there."""
        info = self._members.get(self._prefix + key.strip("/"))
        return info.file_size if info is not None else None

    def read(self, key: str) -> bytes | None:
        """Return a piece; None if it is not there."""
        info = self._members.get(self._prefix + key.strip("/"))
        return self._archive.read(info) if info is not None else None

    def folder(self) -> str:
        """Return ``""``: a zip archive is no folder."""
        return ""


def _root_of(members: list[str]) -> str:
    """Return the folder of the mark that lies highest, with a slash behind; ``""`` for the top."""
    marks = [member for member in members if member.rsplit("/", 1)[-1] in MARKS]
    highest = min(marks, key=lambda member: (member.count("/"), member), default="")
    return highest.rpartition("/")[0] + "/" if "/" in highest else ""


def is_zarr(path: Path) -> bool:
    """Whether a path is a Zarr store: a folder with its marks, or a zip archive of one.

    Parameters
    ----------
    path : Path
    """
    try:
        if path.is_dir():
            return any((path / mark).exists() for mark in (*MARKS, ".zattrs", ".zmetadata"))
        if not path.is_file() or not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            names = [name.rsplit("/", 1) for name in archive.namelist()]
        return any(name[-1] in MARKS for name in names)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def zarr_path(path: str | os.PathLike[str]) -> Path | None:
    """Return the path of a Zarr store; None for anything else.

    Parameters
    ----------
    path : str or path-like
    """
    given: Any = path
    if not isinstance(given, (str, os.PathLike)):
        return None
    place = Path(path).expanduser()
    return place if is_zarr(place) else None
