"""Damage a valid file: seeded, one damage at a time, each described in a line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.io.structure_corruptions import (
    STRUCTURE,
    Rng,
    columns,
    groups,
    is_number,
    pick,
    replace,
)


def damage(source: Path, target: Path, kind: str, seed: int) -> str:
    """Write a damaged copy of a file.

    Parameters
    ----------
    source, target : Path
    kind : str
        One of `KINDS`.
    seed : int

    Returns
    -------
    str
        What was done, in a line; it begins "nothing" where the file lacks what is damaged.
    """
    shutil.copyfile(source, target)
    target.chmod(0o644)
    rng = np.random.default_rng(seed)
    if kind in _BYTES:
        return _BYTES[kind](target, rng)
    with h5py.File(target, "r+") as file:
        return STRUCTURE[kind](file, rng)


def _flip(path: Path, positions: np.ndarray, rng: Rng, where: str) -> str:
    content = bytearray(path.read_bytes())
    for position in positions.tolist():
        content[position] ^= int(rng.integers(1, 256))
    path.write_bytes(content)
    shown = ", ".join(map(str, positions[:4].tolist()))
    return f"{positions.size} bytes flipped {where} (at {shown}{', ...' * (positions.size > 4)})"


def _n_bytes(rng: Rng) -> int:
    return int(pick(rng, [1, 4, 16, 64]))


def _flipped_anywhere(path: Path, rng: Rng) -> str:
    positions = rng.integers(0, path.stat().st_size, _n_bytes(rng))
    return _flip(path, positions, rng, "anywhere")


def _flipped_in_headers(path: Path, rng: Rng) -> str:
    """Flip near the object header of a table, a column or a group above them."""
    with h5py.File(path, "r") as file:
        found = pick(rng, [*columns(file), *groups(file), file])
        begin, name = h5py.h5o.get_info(found.id).addr, str(found.name)
    size = path.stat().st_size
    positions = np.minimum(begin + rng.integers(0, 400, _n_bytes(rng)), size - 1)
    return _flip(path, positions, rng, f"at the header of {name}")


def _flipped_in_structure(path: Path, rng: Rng) -> str:
    """Flip whatever holds no raw numbers: headers, indexes of pieces, heaps of names and text."""
    is_raw = np.zeros(path.stat().st_size, dtype=bool)
    with h5py.File(path, "r") as file:
        for begin, end in _raw_regions(file):
            is_raw[begin:end] = True
    positions = rng.choice(np.flatnonzero(~is_raw), _n_bytes(rng))
    return _flip(path, positions, rng, "in the structure")


def _flipped_in_values(path: Path, rng: Rng) -> str:
    with h5py.File(path, "r") as file:
        column = pick(rng, [c for c in columns(file) if _regions_of(c)])
        begin, end = pick(rng, _regions_of(column))
        name = str(column.name)
    return _flip(path, rng.integers(begin, end, _n_bytes(rng)), rng, f"in the values of {name}")


def _damaged_piece(path: Path, rng: Rng) -> str:
    """Flip inside a chunk of a compressed or checksummed column, made so if need be."""
    with h5py.File(path, "r+") as file:
        column = pick(rng, [c for c in columns(file) if is_number(c) and c.size])
        name = str(column.name)
        if column.chunks is None:
            chunks = tuple(max(1, n // 3) for n in column.shape)
            how = pick(rng, [{"compression": "gzip"}, {"compression": "lzf"}, {"fletcher32": 1}])
            replace(file, name, column[()], chunks=chunks, **how)
    with h5py.File(path, "r") as file:
        begin, end = pick(rng, _regions_of(file[name]))
    return _flip(path, rng.integers(begin, end, _n_bytes(rng)), rng, f"in a piece of {name}")


def _zeroed(path: Path, rng: Rng) -> str:
    content = bytearray(path.read_bytes())
    size = int(pick(rng, [512, 4096]))
    begin = int(rng.integers(0, max(len(content) - size, 1)))
    content[begin : begin + size] = bytes(min(size, len(content) - begin))
    path.write_bytes(content)
    return f"{size} bytes zeroed from {begin}"


def _truncated(path: Path, rng: Rng) -> str:
    content = path.read_bytes()
    size = int(rng.integers(0, len(content)))
    path.write_bytes(content[:size])
    return f"truncated to {size} of {len(content)} bytes"


def _shifted(path: Path, rng: Rng) -> str:
    content = path.read_bytes()
    begin, n = int(rng.integers(0, len(content))), int(rng.integers(1, 64))
    if rng.random() < 0.5:
        path.write_bytes(content[:begin] + content[begin + n :])
        return f"{n} bytes lost at {begin}"
    path.write_bytes(content[:begin] + rng.bytes(n) + content[begin:])
    return f"{n} bytes slipped in at {begin}"


def _regions_of(data: Any) -> list[tuple[int, int]]:
    if data.chunks is not None:
        infos = [data.id.get_chunk_info(k) for k in range(data.id.get_num_chunks())]
        return [(info.byte_offset, info.byte_offset + info.size) for info in infos]
    begin = data.id.get_offset()
    return [] if begin is None else [(begin, begin + data.id.get_storage_size())]


def _raw_regions(file: h5py.File) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []

    def visit(_: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found.extend(_regions_of(node))

    file.visititems(visit)
    return found


_BYTES: dict[str, Callable[[Path, Rng], str]] = {
    "bytes flipped anywhere": _flipped_anywhere,
    "bytes flipped in headers": _flipped_in_headers,
    "bytes flipped in structure": _flipped_in_structure,
    "bytes flipped in values": _flipped_in_values,
    "bytes flipped in a compressed piece": _damaged_piece,
    "bytes zeroed": _zeroed,
    "truncated": _truncated,
    "bytes lost or slipped in": _shifted,
}
KINDS = (*_BYTES, *STRUCTURE)
