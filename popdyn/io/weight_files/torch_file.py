"""Files of ``torch.save`` as arrays, without PyTorch and without running their pickles.

A file is a zip archive of a pickle (``data.pkl``) that says how tensors are put together and of
raw numbers (``data/0``, ...); before PyTorch 1.6 it was five pickles and the numbers in a row.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import SourceError
from popdyn.io.weight_files.array_tree import flatten
from popdyn.io.weight_files.pickle_tree import Name, RefusedError, read_tree

# First bytes of the older form: protocol 2 and the magic number.
LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
Order = Literal["<", ">"]
_KINDS = {
    "Double": "f8", "Float": "f4", "Half": "f2", "BFloat16": "bfloat16", "Long": "i8",
    "Int": "i4", "Short": "i2", "Char": "i1", "Byte": "u1", "Bool": "?",
    "ComplexFloat": "c8", "ComplexDouble": "c16",
}  # fmt: skip


@dataclass(frozen=True)
class _Storage:
    """Numbers that lie elsewhere in the file."""

    key: str
    kind: str


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch(file: Path) -> dict[str, NDArray[Any]]:
    """Read what ``torch.save`` wrote as arrays by name; nested names are joined by dots.

    Parameters
    ----------
    file : pathlib.Path
        A state dict, or dicts and lists that hold tensors and numbers.

    Returns
    -------
    dict of text to ndarray
        bfloat16 as float32; what is neither tensor nor number is left out.

    Raises
    ------
    SourceError
        If the file asks to run code, or is damaged.
    """
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return _read_archive(archive)
        return _read_legacy(io.BytesIO(file.read_bytes()))
    except RefusedError as error:
        message = f"{file} is refused: {error}."
        raise SourceError(message) from error
    except (ValueError, zipfile.BadZipFile, OSError, KeyError, OverflowError) as error:
        message = f"{file} is a damaged PyTorch file: {error}. Save or copy it again."
        raise SourceError(message) from error


def _read_archive(archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    """Read the present form."""
    members = {info.filename: info for info in archive.infolist()}
    name = next(name for name in members if name.rpartition("/")[2] == "data.pkl")
    prefix = name.removesuffix("data.pkl")
    order: Order = "<"
    if f"{prefix}byteorder" in members:
        order = ">" if archive.read(f"{prefix}byteorder") == b"big" else "<"
    if any(name.startswith(f"{prefix}code/") for name in members):
        message = (
            "it is a TorchScript program: popdyn runs no code of files. Save its weights, "
            "torch.save(model.state_dict(), path)"
        )
        raise RefusedError(message)
    if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
        # A few bytes may unpack to more than the memory holds.
        message = "it is compressed, which PyTorch does not do"
        raise ValueError(message)
    tree = _tree(io.BytesIO(archive.read(name)))

    def numbers(key: str) -> bytes:
        return archive.read(f"{prefix}data/{key}")

    return _arrays(tree, numbers, order)


def _read_legacy(stream: io.BytesIO) -> dict[str, NDArray[Any]]:
    """Read the form of before PyTorch 1.6."""
    _, version, system, tree = (_tree(stream) for _ in range(4))
    keys = _tree(stream)
    if version != 1001 or not isinstance(system, dict) or not isinstance(keys, list):
        message = f"its version is {version!r}, expected 1001"
        raise ValueError(message)
    order: Order = "<" if system.get("little_endian", True) else ">"
    sizes = _element_sizes(tree)
    found: dict[str, memoryview] = {}
    rest, place = stream.getbuffer()[stream.tell() :], 0
    for key in map(str, keys):
        count = int.from_bytes(rest[place : place + 8], "little" if order == "<" else "big")
        start, place = place + 8, place + 8 + count * sizes.get(key, 0)
        if place > len(rest):
            message = f"its numbers {key} are cut off"
            raise ValueError(message)
        found[key] = rest[start:place]
    return _arrays(tree, found.__getitem__, order)


def _tree(stream: io.BytesIO) -> Any:
    """Read one pickle."""
    return read_tree(stream, _CALLS, _persistent)


def _element_sizes(tree: Any) -> dict[str, int]:
    """Bytes of an element of each storage that a tree speaks of."""
    sizes: dict[str, int] = {}

    def look(tensor: Any) -> None:
        if isinstance(tensor, _Tensor):
            kind = tensor.storage.kind
            sizes[tensor.storage.key] = 2 if kind == "bfloat16" else np.dtype(kind).itemsize

    flatten(tree, look)
    return sizes


def _arrays(
    tree: Any, numbers: Callable[[str], bytes | memoryview], order: Order
) -> dict[str, NDArray[Any]]:
    """Turn the tree into arrays by name."""
    storages: dict[_Storage, NDArray[Any]] = {}

    def array(value: Any) -> NDArray[Any] | None:
        if isinstance(value, (bool, int, float)) and not -(2**63) <= value < 2**63:
            return None if isinstance(value, int) else np.array(value)
        if isinstance(value, (bool, int, float)):
            return np.array(value)
        if not isinstance(value, _Tensor):
            return None
        if value.storage not in storages:
            storages[value.storage] = _numbers(value.storage, numbers, order)
        return _view(value, storages[value.storage])

    return flatten(tree, array)


def _numbers(
    storage: _Storage, numbers: Callable[[str], bytes | memoryview], order: Order
) -> NDArray[Any]:
    """Return the numbers of a storage in the order of this machine."""
    raw = numbers(storage.key)
    brain = storage.kind == "bfloat16"
    kind = np.dtype("u2" if brain else storage.kind)
    found: NDArray[Any] = np.frombuffer(raw, kind.newbyteorder(order)).astype(kind)
    if brain:
        # The upper half of a float32.
        return (found.astype(np.uint32) << 16).view(np.float32)
    return found


def _view(tensor: _Tensor, numbers: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of the part of a storage that a tensor shows.

    Raises
    ------
    ValueError
        If it reaches beyond the storage, or repeats it.
    """
    size = math.prod(tensor.shape)
    if size == 0:
        return np.empty(tensor.shape, dtype=numbers.dtype)
    last = tensor.offset + sum(
        (n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if last >= numbers.size or size > numbers.size:
        message = (
            f"a tensor of shape {tensor.shape} does not fit the {numbers.size} numbers stored "
            "for it (if it was expanded, save tensor.clone())"
        )
        raise ValueError(message)
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    shown = np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides)
    return np.array(shown, order="C")


def _persistent(identifier: Any) -> _Storage:
    """Return the storage that an identifier names."""
    if not (isinstance(identifier, tuple) and len(identifier) >= 5 and identifier[0] == "storage"):
        message = "it stores something outside of its pickle that is no tensor"
        raise ValueError(message)
    name, key = identifier[1], str(identifier[2])
    text = name.text if isinstance(name, Name) else str(name)
    kind = _KINDS.get(text.removeprefix("torch.").removesuffix("Storage"))
    if kind is None:
        message = (
            f"its tensors are of the kind {text}, which NumPy does not have or popdyn does not "
            "know: save them as float32, tensor.float()"
        )
        raise RefusedError(message)
    return _Storage(key, kind)


def _tensor(arguments: tuple[Any, ...]) -> _Tensor:
    """Return the view that ``_rebuild_tensor_v2`` would make."""
    storage, offset, shape, strides = arguments[:4]
    numbers = (offset, *shape, *strides)
    whole = all(type(value) is int and value >= 0 for value in numbers)
    if not (isinstance(storage, _Storage) and whole and len(shape) == len(strides)):
        message = "a tensor without storage, or of impossible shape"
        raise ValueError(message)
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_CALLS: Mapping[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": lambda _: {},
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda arguments: arguments[0],
    "torch.Size": lambda arguments: tuple(arguments[0]),
    "torch.device": lambda _: None,
}
