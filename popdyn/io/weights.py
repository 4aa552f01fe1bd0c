"""Weights of networks from files of other programs, and to NumPy's: arrays by name.

`popdyn.save` and `popdyn.load` keep a network whole, in netCDF; here is what it is made of.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from popdyn.errors import SourceError, TensorError
from popdyn.io.tree.local_file import check_harmless, kind_and_words
from popdyn.io.weight_files.mat_file import read_hdf5, read_mat
from popdyn.io.weight_files.torch_file import LEGACY_START, read_torch
from popdyn.tensor.store import load, save

# h5py has no type information.
_H5: Any = h5py
_KNOWN = ".npz, .npy, .nc, .pt or .pth (PyTorch), .safetensors, .mat, .h5"
_SAFE_KINDS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "<i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def read_weights(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read the arrays of a file of weights by name, running no code of the file.

    The kind of file is told by its content:

    - NumPy ``.npz`` and ``.npy``, plain arrays only;
    - netCDF as `popdyn.save` writes it, and any other HDF5 file;
    - PyTorch ``.pt``: state dicts, checkpoints, tensors.  PyTorch is not needed; the pickle in the
      file is read, not run, and a file that asks for more than tensors is refused;
    - ``.safetensors``;
    - MATLAB ``.mat``, versions 4 to 7.3, in the shapes of MATLAB (a vector is ``(n, 1)``).

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict of text to ndarray
        Names as in the file, those within others joined by dots (``rnn.weight_hh_l0``).
        What is neither numbers nor, in MATLAB and NumPy files, text is left out.  Numbers keep
        the type of the file, which may be a small integer.

    Raises
    ------
    SourceError
        If the file is missing, damaged, of no known kind, asks to run code, or holds no arrays.

    See Also
    --------
    popdyn.network.Rate.from_weights : from these arrays to a rate network.
    popdyn.network.Spiking.from_weights : from these arrays to a spiking network.

    Examples
    --------
    >>> import popdyn as pdn, tempfile
    >>> net = pdn.network.Rate.random(10, rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     weights = pdn.read_weights(pdn.write_weights(f"{folder}/net.npz", net))
    >>> weights["recurrent"].shape
    (10, 10)
    >>> pdn.network.Rate.from_weights(weights).to_dataset().identical(net.to_dataset())
    True
    """
    file = _existing(path)
    found: dict[str, NDArray[Any]] = _reader(file)(file)
    if not found:
        message = f"{file} holds no arrays."
        raise SourceError(message)
    # Files of other machines have their order of bytes.
    return {name: _native(array) for name, array in found.items()}


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the order of bytes of this machine."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def write_weights(path: str | os.PathLike[str], weights: Any) -> Path:
    """Write a network, or arrays by name, for other programs: ``.npz``, or ``.nc`` for a network.

    Parameters
    ----------
    path : path-like
        Ends with ``.npz`` or ``.nc``.  As with `popdyn.save`, a file that is there is replaced.
    weights : network or mapping of text to array
        Of a network its fields, as its ``to_dataset`` has them: arrays, constants in their units,
        and text.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    SourceError
        If the path is none, its ending is another one or the folder does not exist.
    TensorError
        If there is something that is neither numbers nor text.

    Examples
    --------
    >>> import numpy as np, popdyn as pdn, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pdn.write_weights(f"{folder}/w.npz", {"readout": np.eye(2)})
    ...     pdn.read_weights(path)["readout"].shape
    (2, 2)
    """
    target = _target(path, weights)
    if target.suffix not in (".npz", ".nc"):
        message = (
            f"weights are written as .npz, or a network as .nc; found {target.name}: change the "
            "ending"
        )
        raise SourceError(message)
    if target.suffix == ".nc":
        return save(weights, target)
    if not target.parent.is_dir():
        message = f"cannot write {target}: the folder {target.parent} does not exist."
        raise SourceError(message)
    arrays = _arrays(weights)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".npz")
    os.close(handle)
    try:
        np.savez(name, **arrays)  # numbers and text only: nothing is pickled
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)
    return target


def _target(path: Any, weights: Any) -> Path:
    """Return the path to write to."""
    if isinstance(path, (str, os.PathLike)):
        return Path(path)
    swapped = isinstance(weights, (str, os.PathLike))
    hint = ": the path comes first, write_weights(path, weights)" if swapped else ""
    message = f"expected the path of a file to write, found {type(path).__name__}{hint}."
    raise SourceError(message)


def _arrays(weights: Any) -> dict[str, Any]:
    """Return what to write by name."""
    if hasattr(weights, "from_dataset"):
        dataset = weights.to_dataset()
        weights = {str(name): variable.to_numpy() for name, variable in dataset.variables.items()}
        weights |= {key: value for key, value in dataset.attrs.items() if key != "popdyn_class"}
    if not isinstance(weights, Mapping):
        message = f"expected a network or arrays by name, found {type(weights).__name__}"
        raise TensorError(message)
    arrays = {str(name): np.asarray(values) for name, values in weights.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufcU":
            message = f"{name} must be an array of numbers or text, found one of {array.dtype}"
            raise TensorError(message)
        if name in ("file", "allow_pickle"):
            message = f"NumPy cannot store an array named {name!r}: rename it"
            raise TensorError(message)
    return arrays


def _existing(path: Any) -> Path:
    """Return the path of a file that exists."""
    if not isinstance(path, (str, os.PathLike)):
        message = f"expected the path of a file of weights, found {type(path).__name__}."
        raise SourceError(message)
    file = Path(path).expanduser()
    if not file.is_file():
        kind = "is a folder; name a file in it" if file.is_dir() else "does not exist"
        message = f"{file} {kind}."
        raise SourceError(message)
    return file


def _reader(file: Path) -> Any:
    """Return what reads a file, by its first bytes."""
    with file.open("rb") as stream:
        head = stream.read(512)
    if head.startswith(b"\x93NUMPY"):
        return _read_npy
    if head.startswith(b"PK"):
        return _archive_reader(file)
    if _H5.is_hdf5(file):
        return _read_hdf5
    if head.startswith(LEGACY_START):
        return read_torch
    if head.startswith(b"MATLAB 5.0") or (file.suffix == ".mat" and len(head) >= 20):
        return read_mat
    if head[8:9] == b"{":
        return _read_safetensors
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        message = (
            f"{file} is a pickle: popdyn runs no code of files. Save plain arrays, "
            "numpy.savez(path, recurrent=...) or torch.save(model.state_dict(), path)."
        )
        raise SourceError(message)
    message = f"{file} is none of the files of weights known: {_KNOWN}."
    raise SourceError(message)


def _archive_reader(file: Path) -> Any:
    """Tell NumPy's archives from PyTorch's."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name.rpartition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        message = f"{file} is cut off or damaged ({kind_and_words(error)}). Copy it again."
        raise SourceError(message) from error
    if "data.pkl" in names:
        return read_torch
    if names and all(name.endswith(".npy") for name in names):
        return _read_npz
    message = f"{file} is a zip archive without weights (neither NumPy's nor PyTorch's)."
    raise SourceError(message)


def _read_npy(file: Path) -> dict[str, NDArray[Any]]:
    """Read one array."""
    return {"values": _numpy(file)}


def _read_npz(file: Path) -> dict[str, NDArray[Any]]:
    """Read arrays by name."""
    found: dict[str, NDArray[Any]] = _numpy(file)
    return found


def _numpy(file: Path) -> Any:
    """Read plain arrays."""
    try:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, SyntaxError, MemoryError) as error:
        if "allow_pickle" in str(error):
            message = (
                f"{file} holds an array of Python objects, a pickle: popdyn runs no code of files. "
                "Save arrays of numbers."
            )
        else:
            message = f"{file} is a damaged NumPy file ({kind_and_words(error)}). Copy it again."
        raise SourceError(message) from error


def _read_hdf5(file: Path) -> dict[str, NDArray[Any]]:
    """Read netCDF of our own, MATLAB 7.3, or any other HDF5 file."""
    check_harmless(file)
    with _H5.File(file, "r") as root:
        ours = "popdyn_kind" in root.attrs
    if not ours:
        return read_hdf5(file)
    loaded = load(file)
    if not hasattr(loaded, "from_dataset"):
        message = (
            f"{file} holds no network but a {type(loaded).__name__}: read it with popdyn.load."
        )
        raise SourceError(message)
    return {name: np.asarray(values) for name, values in _arrays(loaded).items()}


def _read_safetensors(file: Path) -> dict[str, NDArray[Any]]:
    """Read a length, a header that says where each array lies, and the numbers."""
    raw = file.read_bytes()
    try:
        start = 8 + int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8:start])
        return {
            name: _safe_array(name, about, raw[start:])
            for name, about in header.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{file} is a damaged safetensors file ({kind_and_words(error)}). Copy it again."
        raise SourceError(message) from error


def _safe_array(name: str, about: dict[str, Any], numbers: bytes) -> NDArray[Any]:
    """Return one array of a safetensors file."""
    if about["dtype"] not in _SAFE_KINDS:
        message = f"{name} is of the kind {about['dtype']}, which NumPy does not have"
        raise ValueError(message)
    kind = np.dtype(_SAFE_KINDS[about["dtype"]])
    first, last = about["data_offsets"]
    part = numbers[first:last]
    if not 0 <= first <= last or len(part) != math.prod(about["shape"]) * kind.itemsize:
        message = f"{name} has {len(part)} bytes, expected shape {about['shape']}"
        raise ValueError(message)
    values: NDArray[Any] = np.frombuffer(part, kind).reshape(about["shape"])
    if about["dtype"] == "BF16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(kind.newbyteorder("="))
