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
from popdyn.tensor.result import as_json
from popdyn.train.identity import differences

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
    name : str
        What messages call it: a training, or a fit.
    """

    path: Path
    run: Mapping[str, Any]
    name: str = "training"

    @classmethod
    def at(
        cls, path: str | os.PathLike[str], run: Mapping[str, Any], name: str = "training"
    ) -> Checkpoint:
        """Check the place.

        Raises
        ------
        SourceError
            If it is no path, the name does not end in ``.npz``, or its folder is not there.
        """
        place = Path(path) if isinstance(path, (str, os.PathLike)) else None
        if place is None or place.suffix != ".npz":
            found = path if place is None else str(path)
            message = f"checkpoint must be a file that ends in .npz, found {found!r:.200}"
            raise SourceError(message)
        if not place.parent.is_dir():
            message = f"the folder of the checkpoint {str(path)!r} does not exist: make it first"
            raise SourceError(message)
        return cls(place, run, name)

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
            "run": json.loads(as_json(dict(self.run))),
            "arrays": {name: _form(array) for name, array in arrays.items()},
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
                f"the {self.name} goes on, {kept}. Make room, or choose another place for it"
            )

    def read(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """Return the arrays and the progress that were written last; None if there is no file.

        Raises
        ------
        SourceError
            If the file is no checkpoint, is damaged, or is one of another training.

        Warns
        -----
        PopdynWarning
            If another version of popdyn wrote it.
        """
        if not self.path.exists():
            return None
        try:
            arrays = _load(self.path)
            header = json.loads(str(arrays.pop(_HEADER)))
            found, progress, written_in = header["run"], header["progress"], header["format"]
            version = header.get("popdyn_version")
            _refuse_damaged(arrays, header.get("arrays", {}))
        except _DAMAGE as error:
            message = (
                f"{str(self.path)!r} is no checkpoint of a {self.name}, or is damaged ({error}): "
                "remove it to start anew, or give another place"
            )
            raise SourceError(message) from None
        if written_in != FORMAT:
            message = (
                f"the checkpoint {str(self.path)!r} was written by popdyn {version} in format "
                f"{written_in}, this version reads {FORMAT}: remove it to start anew"
            )
            raise SourceError(message)
        self._refuse_another(found)
        if version != __version__:
            warn(
                f"the checkpoint {str(self.path)!r} was written by popdyn {version}, and goes on "
                f"with {__version__}: the same bits as without a stop are not promised. Remove it "
                "to start anew"
            )
        return arrays, progress

    def _refuse_another(self, found: Mapping[str, Any]) -> None:
        """Refuse a file of another training, naming what differs."""
        said = differences(found, self.run)
        if not said:
            return
        message = (
            f"the checkpoint {str(self.path)!r} is of another {self.name} ({said}): repeat the "
            "call it came from to go on, or give another place or remove it to start anew"
        )
        raise SourceError(message)


def _form(array: NDArray[Any]) -> list[Any]:
    """Return the kind of numbers and the shape of an array."""
    return [np.asanyarray(array).dtype.str, *np.shape(array)]


def _refuse_damaged(arrays: Mapping[str, NDArray[Any]], forms: Mapping[str, Any]) -> None:
    """Refuse arrays of other shapes than were written, and numbers that no training keeps."""
    for name, form in forms.items():
        if _form(arrays[name]) != form:
            message = f"{name} is {_form(arrays[name])}, {form} was written"
            raise ValueError(message)
    for name, array in arrays.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            message = f"{name} holds NaN or infinite numbers"
            raise ValueError(message)


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
