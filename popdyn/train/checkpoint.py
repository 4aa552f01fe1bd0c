"""Checkpoints of a training: one file that holds all that is needed to go on to the same bits."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn import __version__
from popdyn.errors import SourceError, warn

_HEADER = "header"
# Changes when files of before cannot be gone on from.
FORMAT = 1
# What reading a file raises that is none of ours, or damaged: zipfile and NumPy raise all of these.
_DAMAGE = (
    *(OSError, EOFError, zipfile.BadZipFile, ValueError, LookupError, TypeError, MemoryError),
    # Of zipfile, for members that are encrypted or packed in unknown ways.
    *(NotImplementedError, RuntimeError),
)


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps its state.

    Parameters
    ----------
    path : Path
        The file, ``.npz``.
    run : mapping of str to text or number
        What the training is: rule, task, network, arguments, seed.  A file of another is refused.
    """

    path: Path
    run: Mapping[str, Any]

    @classmethod
    def at(cls, path: str | os.PathLike[str], run: Mapping[str, Any]) -> Checkpoint:
        """Check the place.

        Raises
        ------
        SourceError
            If the name does not end in ``.npz``, or its folder is not there.
        """
        place = Path(path)
        if place.suffix != ".npz":
            message = f"checkpoint must be a file that ends in .npz, found {str(path)!r}"
            raise SourceError(message)
        if not place.parent.is_dir():
            message = f"the folder of the checkpoint {str(path)!r} does not exist: make it first"
            raise SourceError(message)
        return cls(place, run)

    def write(self, arrays: Mapping[str, NDArray[Any]], progress: Mapping[str, Any]) -> None:
        """Replace the file at once: whoever reads it finds the old state or the new one.

        A training goes on without if it cannot be written, and says so.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            The state.
        progress : mapping
            Numbers and texts beside it.
        """
        header = {
            "format": FORMAT,
            "popdyn_version": __version__,
            "run": dict(self.run),
            "progress": dict(progress),
        }
        temporary = self.path.with_name(f".{self.path.name}.partial")
        try:
            with temporary.open("wb") as file:
                _put(file, {**arrays, _HEADER: np.array(json.dumps(header))})
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            kept = "the one before is kept" if self.path.exists() else "there is none before it"
            warn(
                f"the checkpoint {str(self.path)!r} could not be written ({error.strerror}): "
                f"training goes on, {kept}. Make room, or choose another place for it"
            )

    def read(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """Return the arrays and the progress that were written last; None if there is no file.

        Raises
        ------
        SourceError
            If the file is no checkpoint, is damaged, or is one of another training.
        """
        if not self.path.exists():
            return None
        try:
            arrays = _load(self.path)
            header = json.loads(str(arrays.pop(_HEADER)))
            found, progress, written_in = header["run"], header["progress"], header["format"]
        except _DAMAGE as error:
            message = (
                f"{str(self.path)!r} is no checkpoint of popdyn.train, or is damaged ({error}): "
                "remove it to start anew, or give another place"
            )
            raise SourceError(message) from None
        if written_in != FORMAT:
            message = (
                f"the checkpoint {str(self.path)!r} was written by popdyn "
                f"{header.get('popdyn_version')} in format {written_in}, this version reads "
                f"{FORMAT}: remove it to start anew"
            )
            raise SourceError(message)
        self._refuse_another(found)
        return arrays, progress

    def _refuse_another(self, found: Mapping[str, Any]) -> None:
        """Refuse a file of another training, naming what differs."""
        wanted = json.loads(json.dumps(dict(self.run)))
        names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
        if not names:
            return
        said = "; ".join(f"{name}: {_short(found, name)}, now {_short(wanted, name)}"
                         for name in names[:4])  # fmt: skip
        message = (
            f"the checkpoint {str(self.path)!r} is of another training ({said}): repeat the call "
            "it came from to go on, or give another place or remove it to start anew"
        )
        raise SourceError(message)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `_put` wrote."""
    with zipfile.ZipFile(path) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            message = "its members are compressed"
            raise ValueError(message)
        arrays = {}
        for name in archive.namelist():
            with archive.open(name) as member:
                array = np.lib.format.read_array(member, allow_pickle=False)
            arrays[name.removesuffix(".npy")] = array
        return arrays


def _put(file: Any, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as `numpy.savez` does, under any names."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def _short(values: Mapping[str, Any], name: str) -> str:
    """Return a value in a few words."""
    value = values.get(name, "none")
    return f"{value if isinstance(value, str) else json.dumps(value):.80}"
