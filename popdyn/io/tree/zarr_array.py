"""What the metadata of a Zarr array say, checked before a byte of its values is decoded.

Values of format 2 are decoded here, piece by piece, by the codecs of numcodecs: the newest zarr
no longer reads all that hdmf-zarr writes (texts with a fill value of 0, JSON). Format 3 is read by
zarr.  Only codecs that can do nothing but decode are used; Pickle, which can run any code, never.
"""

from __future__ import annotations

import importlib
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from popdyn.io.tree.zarr_files import Files

# Codecs that decode bytes and do nothing else, by their names in format 2 and in format 3.
_SAFE_2 = frozenset(
    ("blosc", "zlib", "gzip", "bz2", "lzma", "lz4", "zstd", "shuffle", "delta", "bitround")
    + ("fixedscaleoffset", "packbits", "crc32", "crc32c", "adler32", "fletcher32")
    + ("vlen-utf8", "vlen-bytes", "json2")
)
_SAFE_3 = frozenset(
    ("bytes", "blosc", "gzip", "zstd", "crc32c", "transpose", "sharding_indexed")
    + ("vlen-utf8", "vlen-bytes")
)
_MOST_PIECES, _MANY_PIECES = 1_000_000, 1000
# Compression makes a column a thousand times smaller at most; a wrong size claims far more.
_MOST_EXPANSION, _SMALL = 5000, 10_000_000


@dataclass(frozen=True)
class ArrayFacts:
    """What is known of an array before it is read.

    ``dtype`` is None where NumPy does not know the type; ``object`` for texts of any length.
    ``codecs`` are in the order of decoding.
    """

    form: int
    shape: tuple[int, ...]
    piece: tuple[int, ...]
    dtype: np.dtype[Any] | None
    codecs: tuple[dict[str, Any], ...]
    order: str
    prefix: str
    separator: str

    @property
    def coded_by(self) -> tuple[str, ...]:
        """Names of the codecs."""
        return tuple(str(codec.get("id", codec.get("name", "?"))) for codec in self.codecs)

    @property
    def itemsize(self) -> int:
        """Bytes of a value; 1 where it is not known."""
        return self.dtype.itemsize if self.dtype is not None else 1


def facts_of_2(about: dict[str, Any]) -> ArrayFacts:
    """Check the content of a ``.zarray``.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is not what Zarr's format 2 asks for.
    """
    shape, piece = _sizes(about["shape"]), _sizes(about["chunks"])
    if len(shape) != len(piece) or not all(piece):
        message = f"its pieces of {list(piece)} do not fit its shape {list(shape)}"
        raise ValueError(message)
    compressor = about.get("compressor")
    codecs = [*([compressor] if compressor else []), *reversed(about.get("filters") or [])]
    if not all(isinstance(codec, dict) for codec in codecs):
        message = "its codecs are not described"
        raise ValueError(message)
    order = "F" if about.get("order") == "F" else "C"
    separator = "/" if about.get("dimension_separator") == "/" else "."
    return ArrayFacts(2, shape, piece, _dtype(about["dtype"]), tuple(codecs), order, "", separator)


def facts_of_3(about: dict[str, Any]) -> ArrayFacts:
    """Check the content of the ``zarr.json`` of an array.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is not what Zarr's format 3 asks for.
    """
    shape = _sizes(about["shape"])
    piece = _sizes(about["chunk_grid"]["configuration"]["chunk_shape"])
    if len(shape) != len(piece) or not all(piece):
        message = f"its pieces of {list(piece)} do not fit its shape {list(shape)}"
        raise ValueError(message)
    kind = about["data_type"]
    named = kind if isinstance(kind, str) else str(kind.get("name", ""))
    dtype = _dtype("|O" if named in ("string", "variable_length_utf8") else named)
    encoding = about.get("chunk_key_encoding") or {}
    is_default = encoding.get("name", "default") == "default"
    separator = (encoding.get("configuration") or {}).get("separator", "/" if is_default else ".")
    prefix = "c" if is_default else ""
    codecs = tuple(codec for codec in about["codecs"] if isinstance(codec, dict))
    return ArrayFacts(3, shape, piece, dtype, codecs, "C", prefix, str(separator))


def _sizes(values: Any) -> tuple[int, ...]:
    sizes = tuple(values)
    if not all(type(size) is int and 0 <= size < 2**62 for size in sizes):
        message = f"it has no shape: {str(values)[:60]}"
        raise ValueError(message)
    return sizes


def _dtype(stated: Any) -> np.dtype[Any] | None:
    """Type of the values; None for one that is not known, such as dates."""
    try:
        if isinstance(stated, list):
            return np.dtype([(str(part[0]), str(part[1])) for part in stated])
        return np.dtype(str(stated))
    except (TypeError, ValueError, IndexError, SyntaxError):
        return None


def read_values(files: Files, key: str, facts: ArrayFacts) -> np.ndarray:
    """Read all values of an array.

    Parameters
    ----------
    files : Files
    key : str
        Folder of the array in the store.
    facts : ArrayFacts

    Returns
    -------
    numpy.ndarray
        Numbers, or objects where the array holds texts.

    Raises
    ------
    ValueError
        If pieces are missing or damaged, or coded in a way that is not read.
    """
    _check_codecs(facts)
    if facts.dtype is None:
        message = "it has a type that cannot be read"
        raise ValueError(message)
    if 0 in facts.shape:
        return np.zeros(facts.shape, dtype=facts.dtype)
    keys = _piece_keys(files, key, facts)
    try:
        if facts.form == 3:
            return _read_3(files, key)
        return _read_2(files, keys, facts)
    # Decoders of damaged bytes raise errors of their own kinds.
    except Exception as error:  # noqa: BLE001
        message = f"its pieces cannot be decoded ({type(error).__name__}: {error})"
        raise ValueError(message) from error


def _check_codecs(facts: ArrayFacts) -> None:
    for name in facts.coded_by:
        if "pickle" in name:
            message = "it is coded by Pickle, which can run any code: never decoded"
            raise ValueError(message)
        if name not in (_SAFE_2 if facts.form == 2 else _SAFE_3):
            message = f"it is coded by {name}, which is not read"
            raise ValueError(message)


def _piece_keys(files: Files, key: str, facts: ArrayFacts) -> list[str]:
    """Names of all pieces in C order; refuse sizes that cannot be true and missing pieces."""
    grid = [-(-n // n_each) for n, n_each in zip(facts.shape, facts.piece, strict=True)]
    n_pieces, n_values = math.prod(grid), math.prod(facts.shape)
    if n_pieces > _MOST_PIECES:
        message = f"it claims {n_pieces:,} pieces"
        raise ValueError(message)
    if n_pieces > _MANY_PIECES:
        # A look into the folder costs less than asking for each of a million pieces.
        is_nested = facts.separator == "/"
        held = len(files.names(f"{key}/{facts.prefix}" if is_nested else key))
        if held < (grid[0] if is_nested else n_pieces):
            message = f"it claims {n_pieces:,} pieces, but its folder holds {held:,} things"
            raise ValueError(message)
    names = [
        facts.separator.join([*([facts.prefix] if facts.prefix else []), *map(str, place)])
        for place in itertools.product(*(range(n) for n in grid))
    ]
    keys = [f"{key}/{name or '0'}" for name in names]
    sizes = [size for piece in keys if (size := files.size(piece)) is not None]
    if len(sizes) < n_pieces:
        message = f"{n_pieces - len(sizes)} of its {n_pieces} pieces are not in the store"
        raise ValueError(message)
    # Pieces at the edge are stored whole.
    n_bytes = n_pieces * math.prod(facts.piece) * facts.itemsize
    if n_bytes > _SMALL and n_bytes > _MOST_EXPANSION * sum(sizes):
        message = f"it claims {n_values:,} values, but only {sum(sizes):,} bytes are stored"
        raise ValueError(message)
    return keys


def _read_2(files: Files, keys: list[str], facts: ArrayFacts) -> np.ndarray:
    registry = importlib.import_module("numcodecs")
    decoders = [registry.get_codec(dict(codec)) for codec in facts.codecs]
    values = np.empty(facts.shape, dtype=facts.dtype)
    grid = [range(0, n, n_each) for n, n_each in zip(facts.shape, facts.piece, strict=True)]
    for key, corner in zip(keys, itertools.product(*grid), strict=True):
        raw = files.read(key)
        if raw is None:
            message = f"{key} is gone"
            raise ValueError(message)
        piece = _decoded(raw, decoders, facts)
        inside = tuple(
            slice(first, min(first + n_each, n))
            for first, n_each, n in zip(corner, facts.piece, facts.shape, strict=True)
        )
        values[inside] = piece[tuple(slice(0, part.stop - part.start) for part in inside)]
    return values


def _decoded(raw: bytes, decoders: list[Any], facts: ArrayFacts) -> np.ndarray:
    """One piece, decoded and in its shape."""
    n_values = math.prod(facts.piece)
    dtype = facts.dtype if facts.dtype is not None else np.dtype("O")
    if decoders and getattr(decoders[0], "codec_id", "") == "blosc":
        # Blosc trusts the lengths in its header.
        n_said, n_stored = (int.from_bytes(raw[k : k + 4], "little") for k in (4, 12))
        is_whole = len(decoders) > 1 or n_said == n_values * dtype.itemsize
        if n_stored != len(raw) or not is_whole or n_said > _SMALL + _MOST_EXPANSION * len(raw):
            message = f"a piece of {len(raw)} bytes says {n_stored}, and {n_said} of values"
            raise ValueError(message)
    data: Any = raw
    for decoder in decoders:
        if str(decoder.codec_id).startswith("vlen-"):
            # Room for as many texts as the first bytes say is taken at once.
            n_texts = int.from_bytes(bytes(data[:4]), "little")
            if n_texts != n_values:
                message = f"a piece holds {n_texts} texts, not {n_values}"
                raise ValueError(message)
        data = decoder.decode(data)
    if dtype.kind == "O":
        flat = np.asarray(data, dtype=object).ravel()
    else:
        plain = data if isinstance(data, np.ndarray) else np.frombuffer(data, dtype=np.uint8)
        flat = np.ascontiguousarray(plain).reshape(-1).view(np.uint8).view(dtype)
    if flat.size != n_values:
        message = f"a piece holds {flat.size} values, not {n_values}"
        raise ValueError(message)
    return flat.reshape(facts.piece, order="F" if facts.order == "F" else "C")


def _read_3(files: Files, key: str) -> np.ndarray:
    zarr = importlib.import_module("zarr")
    if int(zarr.__version__.split(".")[0]) < 3:
        message = f"Zarr's format 3 needs zarr 3 or newer, this is {zarr.__version__}"
        raise ValueError(message)
    if not files.folder():
        message = "Zarr's format 3 is not read from a zip archive: unpack it"
        raise ValueError(message)
    return np.asarray(zarr.open_array(store=f"{files.folder()}/{key}", mode="r")[...])
