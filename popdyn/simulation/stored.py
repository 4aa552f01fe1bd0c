"""Runs too large for memory: numbers go to a netCDF file, tile of trials after tile.

The file grows beside its place, as ``<name>.partial``, and is moved there when complete.  A run
that was interrupted goes on from the last complete tile when the same call is made again.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import SourceError
from popdyn.simulation.keep import NOT_OF_NEURONS, STEPS, Labelling, Shapes, dtype_of, empty_values
from popdyn.tensor.store import encoded, load

# Neither says the types of what it offers.
_h5py: Any = h5py
_h5netcdf: Any = h5netcdf

# Values of a quantity that wait in memory before they are written together, and that lie together.
_BLOCK = 2**20
_CHUNK = 2**17
_DONE, _RUN = "popdyn_done", "popdyn_run"


class Stored:
    """Keeps the numbers of a run in a file.

    Parameters
    ----------
    path : Path
        Where the complete file will be.
    names : tuple of str
        Quantities.
    shapes : Shapes
        Their sizes.
    tile : int
        Trials that are stepped together.
    run : str
        All that the numbers depend on: a file that another run began is not gone on with.
    overwrite : bool
        Whether such a file may be replaced.

    Raises
    ------
    SourceError
        If another run began the file, it cannot be written to, or there is no room for it.
    """

    def __init__(
        self,
        path: Path,
        names: tuple[str, ...],
        shapes: Shapes,
        tile: int,
        run: str,
        *,
        overwrite: bool = False,
    ) -> None:
        self.path, self.names, self.shapes, self.tile = path, names, shapes, tile
        self.partial = path.with_name(f"{path.name}.partial")
        self._words = hashlib.sha256(f"{run} {names}".encode()).hexdigest()
        self._blocks: dict[tuple[str, int], _Block] = {}
        try:
            self._file = self._reopened(overwrite) or self._created()
        except OSError as error:
            message = (
                f"cannot write {self.partial} ({error}): is another run writing it, or the folder "
                "not writable?"
            )
            raise SourceError(message) from error
        self._done = {int(number) for number in self._file.attrs[_DONE]}

    def _reopened(self, overwrite: bool) -> Any:
        """Open what an interrupted run left, if it was this run and can be read."""
        if not self.partial.is_file():
            return None
        try:
            file = _h5py.File(self.partial, "r+")
        except OSError:
            return None
        if file.attrs.get(_RUN) == self._words and _DONE in file.attrs:
            return file
        # Of a run that kept nothing nothing is lost.
        lost = overwrite or (_RUN in file.attrs and not len(file.attrs.get(_DONE, ())))
        file.close()
        if lost:
            return None
        message = (
            f"{self.partial} is what another call left, with another network, trials or arguments, "
            "and stays as it is: repeat that call to go on with it, choose another name, or "
            "replace it with overwrite=True"
        )
        raise SourceError(message)

    def _created(self) -> Any:
        shapes = self.shapes
        self._refuse_full_disk()
        with _h5netcdf.File(self.partial, "w") as file:
            for name in self.names:
                if name == STEPS:
                    continue
                dims = (name if name in NOT_OF_NEURONS else "neuron", "time", "trial")
                shape = shapes.of(name)
                for dim, size in zip(dims, shape, strict=True):
                    if dim not in file.dimensions:
                        file.dimensions[dim] = size
                file.create_variable(
                    name,
                    dims,
                    dtype=dtype_of(name),
                    fillvalue=np.nan,
                    chunks=_chunks(shape, self.tile),
                )
        file = _h5py.File(self.partial, "r+")
        for name in self.names:
            if name == STEPS:
                file.create_dataset(name, shape=shapes.of(name), dtype=dtype_of(name), chunks=True)
            else:
                del file[name].attrs["_FillValue"]
        file.attrs[_RUN] = self._words
        file.attrs[_DONE] = np.zeros(0, np.int64)
        return file

    def _refuse_full_disk(self) -> None:
        """Refuse to begin what there is no room for: HDF5 does not survive a full disk."""
        taken = sum(
            math.prod(self.shapes.of(name)) * dtype_of(name).itemsize for name in self.names
        )
        free = shutil.disk_usage(self.path.parent).free
        if taken > free:
            message = (
                f"{self.path} takes {taken / 1e9:.3g} GB, {free / 1e9:.3g} GB are free on its "
                "disk: make room, choose another place, or keep fewer trials or wider bins"
            )
            raise SourceError(message)

    def put(self, name: str, time: int, part: slice, values: NDArray[Any]) -> None:
        """Keep the values of some bins or steps; they are written with those of others."""
        key, done = (name, part.start), 0
        while done < values.shape[1]:
            block = self._blocks.get(key)
            if block is None or not block.holds(time + done):
                self._write(key)
                block = self._blocks[key] = _Block(name, self.shapes.of(name), time + done, part)
            done += block.fill(time + done, values[:, done:])

    def put_trials(self, name: str, part: slice, values: NDArray[Any]) -> None:
        """Keep the values of some trials."""
        self._file[name][:, : values.shape[1], part] = values

    def _write(self, *keys: tuple[str, int]) -> None:
        """Write what waits under some keys, if anything does."""
        for key in keys:
            block = self._blocks.pop(key, None)
            if block is not None:
                time = slice(block.first, block.first + block.n_times)
                self._file[key[0]][:, time, block.part] = block.values[:, : block.n_times]

    def has(self, part: slice) -> bool:
        """Tell whether an interrupted run has kept these trials."""
        return part.start in self._done

    def finish(self, part: slice) -> None:
        """Write what waits, and note that these trials are complete."""
        self._write(*[key for key in self._blocks if key[1] == part.start])
        self._done.add(part.start)
        self._file.flush()
        self._file.attrs[_DONE] = np.array(sorted(self._done), dtype=np.int64)
        self._file.flush()

    def steps(self) -> Any:
        """Return the output at the end of each step, which is read where it is sliced."""
        self._write(*[key for key in self._blocks if key[0] == STEPS])
        return self._file[STEPS]

    def close(self, *, keep: bool) -> None:
        """Let go of the file; what is not worth going on from is removed."""
        self._blocks.clear()
        if self._file:
            keep = keep and bool(self._done)
            self._file.close()
        if not keep:
            self.partial.unlink(missing_ok=True)

    def result(self, labelled: Labelling) -> xr.Dataset:
        """Write tables and attributes, move the file to its place and open it.

        Parameters
        ----------
        labelled : callable
            Labels arrays that lie in the file.

        Returns
        -------
        Dataset
            Whose tensors are read from the file when they are used.
        """
        self._write(*list(self._blocks))
        # From here on the file is no longer one to go on with.
        self._done.clear()
        if STEPS in self._file:
            del self._file[STEPS]
        self._file.close()
        names = [name for name in self.names if name != STEPS]
        with xr.open_dataset(self.partial, engine="h5netcdf", decode_cf=False) as opened:
            result = labelled({name: opened[name].variable for name in names})
            whole = encoded(result).assign_attrs(popdyn_kind="dataset")
            attrs = {name: dict(whole[name].attrs) for name in names}
            small = whole.drop_vars(names).load()
        small.to_netcdf(self.partial, mode="a", engine="h5netcdf", format="NETCDF4")
        with _h5py.File(self.partial, "r+") as file:
            for key in (_DONE, _RUN):
                del file.attrs[key]
            for name in names:
                file[name].attrs.update(attrs[name])
        self.partial.replace(self.path)
        complete: xr.Dataset = load(self.path, lazy=True)
        return complete


class _Block:
    """Bins of some trials that wait to be written together."""

    def __init__(self, name: str, shape: tuple[int, int, int], first: int, part: slice) -> None:
        n_trials = part.stop - part.start
        length = max(1, min(shape[1] - first, _BLOCK // max(1, shape[0] * n_trials)))
        self.values = empty_values(name, (shape[0], length, n_trials))
        self.first, self.part, self.n_times = first, part, 0

    def fill(self, time: int, values: NDArray[Any]) -> int:
        """Take as many values as there is room for and return how many."""
        start = time - self.first
        room = self.values[:, start : start + values.shape[1]]
        room[:] = values[:, : room.shape[1]]
        taken: int = room.shape[1]
        self.n_times = start + taken
        return taken

    def holds(self, time: int) -> bool:
        """Tell whether a bin has room in the block."""
        return bool(self.first <= time < self.first + self.values.shape[1])


def _chunks(shape: tuple[int, int, int], tile: int) -> tuple[int, int, int]:
    """Return the shape of what lies together in the file: of all neurons, of a tile's trials."""
    n_rows, n_times, n_trials = (max(1, size) for size in shape)
    trials = _even(min(tile, n_trials), 64)
    times = _even(n_times, 32)
    return _even(n_rows, _CHUNK // (trials * times)), times, trials


def _even(size: int, most: int) -> int:
    """Return the length of equal parts of at most so many, so that little room is left over."""
    return -(-size // -(-size // max(1, most)))
