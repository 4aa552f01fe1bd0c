"""The files beside a page: named for any file system, written whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
import unicodedata
from pathlib import Path

from popdyn.reporting.page import Link

_LONGEST = 60
_OWN = {"figures": {".svg", ".pdf"}, "tables": {".csv"}}


class Folder:
    """Files that will stand in ``<stem>_files/`` beside a page.

    Parameters
    ----------
    path
        Path of the page.

    Examples
    --------
    >>> folder = Folder(Path("report.html"))
    >>> folder.add("figures", ["decode", "A/B <x>"], ".svg", b"").path
    'report_files/figures/decode_a-b-x.svg'
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"{path.stem}_files")
        self.page_name = path.name
        self._contents: dict[str, bytes] = {}

    def add(self, kind: str, words: list[str], suffix: str, content: bytes) -> Link:
        """Keep a file for writing.

        Parameters
        ----------
        kind
            Folder inside the folder: ``"figures"`` or ``"tables"``.
        words
            What the name is made of; any characters.
        suffix
            Ending of the name, with its dot.
        content
            The file.

        Returns
        -------
        Link
            The file as seen from the page.
        """
        stem = "_".join(slug(word) for word in words)
        name, count = f"{kind}/{stem}{suffix}", 1
        while name in self._contents:
            count += 1
            name = f"{kind}/{stem}_{count}{suffix}"
        self._contents[name] = content
        return Link(suffix[1:].upper(), f"{self.path.name}/{name}")

    def write(self) -> None:
        """Write every file, then remove figures and tables of an earlier report.

        Only ``.svg`` and ``.pdf`` files in ``figures/`` and ``.csv`` files in ``tables/`` are
        ever removed.
        """
        for name, content in self._contents.items():
            write_whole(self.path / name, content)
        for kind, suffixes in _OWN.items():
            for path in sorted((self.path / kind).glob("*")):
                if path.suffix in suffixes and f"{kind}/{path.name}" not in self._contents:
                    path.unlink()


def slug(text: str) -> str:
    """Turn any text into a part of a file name.

    Parameters
    ----------
    text
        Any text.

    Returns
    -------
    str
        Lower-case ASCII letters, digits and ``-``, at most 60 characters, never empty.

    Examples
    --------
    >>> slug("Größe / <b>"), slug("日本")
    ('groe-b', 'x')
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")[:_LONGEST].strip("-") or "x"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it.

    Parameters
    ----------
    path
        Where; its folder is made when missing.
    content
        The bytes.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a" / "b.txt", b"whole")
    ...     (Path(folder) / "a" / "b.txt").read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # A temporary file is private to its owner; a report is a file like any other.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
