"""The files that a comparison reads, and the SHA-256 by which they can be recognized."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from popdyn.comparison.source_spec import Network, Pseudopopulation, Source
from popdyn.comparison.spec import Spec


def file_hashes(spec: Spec) -> dict[str, str]:
    """Compute the SHA-256 of every file that the sources of a spec name.

    Parameters
    ----------
    spec : Spec
        The whole spec.

    Returns
    -------
    dict of str
        ``"<source>: <file name>"`` -> 64 hexadecimal digits, as ``sha256sum`` prints them.
    """
    hashes: dict[Path, str] = {}
    found: dict[str, str] = {}
    for source in spec.sources:
        for path in _files(source):
            if path not in hashes:
                hashes[path] = _sha256(path)
            name = f"{source.id}: {path.name}"
            if found.get(name, hashes[path]) != hashes[path]:
                name = f"{source.id}: {path.parent.name}/{path.name}"
            found[name] = hashes[path]
    return found


def _files(source: Source) -> Iterator[Path]:
    if isinstance(source, Network):
        if "path" in source.network:
            yield Path(source.network["path"])
    elif isinstance(source, Pseudopopulation):
        for member in source.recordings:
            yield Path(member.path)
    else:
        yield Path(source.path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        # In chunks: a recording may be larger than the memory.
        return hashlib.file_digest(file, "sha256").hexdigest()
