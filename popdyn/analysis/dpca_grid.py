"""Averages on a complete grid of factors: its cells, and what to do about empty ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from popdyn.analysis.slabs import averages_of
from popdyn.analysis.statespace_samples import from_average, from_tensor
from popdyn.analysis.trials import is_average
from popdyn.errors import FitError, TensorError, warn
from popdyn.tensor.contract import check, check_average
from popdyn.tensor.view import group_conditions

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grid:
    """Averages of every combination of the factors' levels.

    Attributes
    ----------
    averages : ndarray, shape (neuron, level, ..., time)
        Rates, or what else the tensor holds.
    levels : dict of str to ndarray
        Values of each factor, in order.
    source : DataArray or Dataset
        The tensor of rates, or the condition average; only the neurons of `averages`.
    cell : ndarray of int, shape (trial,), or None
        Position of each trial's combination (last factor fastest), -1 for none; None for averages.
    """

    averages: Array
    levels: dict[str, NDArray[Any]]
    source: xr.DataArray
    cell: NDArray[np.intp] | None

    @property
    def n_cells(self) -> int:
        """Number of combinations."""
        return int(np.prod([len(values) for values in self.levels.values()]))

    def labels(self) -> list[str]:
        """Name of each combination."""
        return cell_names(self.levels)

    def coords(self) -> dict[str, Any]:
        """Coordinates of the combinations and of time."""
        values = list(product(*(level.tolist() for level in self.levels.values())))
        coords: dict[str, Any] = {"condition": np.array(self.labels(), dtype=np.str_)}
        for position, (name, level) in enumerate(self.levels.items()):
            column = np.array([row[position] for row in values], dtype=level.dtype)
            if name not in ("condition", "neuron", "time"):
                coords[name] = ("condition", column)
        coords["time"] = ("time", self.source["time"].to_numpy(), dict(self.source["time"].attrs))
        return coords


def cell_names(levels: dict[str, NDArray[Any]]) -> list[str]:
    """Text of each combination, ``"stimulus=1, decision=left"``."""
    return [
        ", ".join(f"{name}={_text(value)}" for name, value in zip(levels, row, strict=True))
        for row in product(*levels.values())
    ]


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)


def make_grid(x: xr.DataArray | xr.Dataset, factors: Sequence[str], missing: str) -> Grid:
    """Average trials, or arrange averages, on the grid of the factors.

    Parameters
    ----------
    x : DataArray or Dataset
        A tensor with the factors among its trial columns, or a condition average.
    factors : sequence of str
        Names of the factors.
    missing : {"refuse", "drop_neurons"}
        What to do about neurons without a trial in some combination.

    Returns
    -------
    Grid
        Without any NaN.

    Raises
    ------
    TensorError
        If a factor is unknown, has one level, or a combination is empty.
    FitError
        If neurons lack a combination, or bins are NaN.
    """
    if isinstance(factors, str) or not factors or len(set(factors)) != len(factors):
        message = f"factors is a sequence of different trial columns, found {factors!r}"
        raise TensorError(message)
    grid = _of_average(x, factors) if is_average(x) else _of_tensor(x, factors)  # type: ignore[arg-type]
    return _complete(grid, missing)


def _of_tensor(x: xr.DataArray, factors: Sequence[str]) -> Grid:
    """Average the trials of each combination, bin by bin."""
    tensor = from_tensor(check(x))
    conditions = group_conditions(tensor, list(factors))
    levels, place = _places(conditions.table, factors)
    cell = np.where(conditions.index >= 0, place[conditions.index], -1)
    _check_cells(np.bincount(place, minlength=_n_cells(levels)), levels, "trial")
    shape = (tensor.sizes["neuron"], *(len(level) for level in levels.values()), -1)
    averages = cell_averages(tensor.to_numpy(), cell, _n_cells(levels))
    return Grid(np.moveaxis(averages, 2, 1).reshape(shape), levels, tensor, cell)


def cell_averages(values: NDArray[Any], cell: NDArray[np.intp], n_cells: int) -> Array:
    """Average trials of each cell: (neuron, time, cell), NaN where nothing was observed."""
    return averages_of(values, [np.flatnonzero(cell == number) for number in range(n_cells)])


def _of_average(x: xr.DataArray | xr.Dataset, factors: Sequence[str]) -> Grid:
    """Arrange the conditions of an average."""
    values = from_average(check_average(x))
    columns = {}
    for name in factors:
        if name in values.coords and values[name].dims == ("condition",):
            columns[name] = values[name].to_numpy()
        elif len(factors) == 1 and "condition" in values.coords:
            columns[name] = values["condition"].to_numpy()
        else:
            known = [str(n) for n, c in values.coords.items() if c.dims == ("condition",)]
            message = (
                f"the condition average has no {name!r} on its conditions, found "
                f"{', '.join(known) or 'none'}: average with condition_average(tensor, "
                f"{list(factors)!r})"
            )
            raise TensorError(message)
    table = pd.DataFrame(columns)
    levels, place = _places(table, factors)
    counts = np.bincount(place, minlength=_n_cells(levels))
    _check_cells(counts, levels, "condition")
    if counts.max() > 1:
        message = (
            f"{counts.max()} conditions share {cell_names(levels)[int(counts.argmax())]}: average "
            f"over {', '.join(factors)} alone, or name the other variable as a factor, too"
        )
        raise TensorError(message)
    array = values.to_numpy().astype(np.float64)[:, :, np.argsort(place)]
    shape = (len(array), *(len(level) for level in levels.values()), -1)
    if "neuron" not in values.coords:
        values = values.assign_coords(neuron=np.arange(len(array)))
    if "time" not in values.coords:
        values = values.assign_coords(time=np.arange(values.sizes["time"]))
    return Grid(np.moveaxis(array, 2, 1).reshape(shape), levels, values, None)


def _places(
    table: pd.DataFrame, factors: Sequence[str]
) -> tuple[dict[str, NDArray[Any]], NDArray[np.intp]]:
    """Levels of each factor, and each condition's place on the grid (last factor fastest)."""
    levels, place = {}, np.zeros(len(table), dtype=np.intp)
    for name in factors:
        values = table[name].to_numpy()
        values = values if values.dtype.kind in "biuf" else values.astype(np.str_)
        order = np.sort(np.unique(values, return_index=True)[1])
        # Text keeps the order of its role; numbers rise.
        own = np.unique(values) if values.dtype.kind in "biuf" else values[order]
        if len(own) < 2:
            message = (
                f"factor {name!r} has one level only ({_text(own[0])}): nothing can be demixed by "
                f"it; leave it out of factors=, or keep trials with other values of {name!r}"
            )
            raise TensorError(message)
        levels[name] = own
        place = place * len(own) + (values[:, None] == own[None, :]).argmax(axis=1)
    return levels, place


def _n_cells(levels: dict[str, NDArray[Any]]) -> int:
    return int(np.prod([len(level) for level in levels.values()]))


def _check_cells(counts: NDArray[np.intp], levels: dict[str, NDArray[Any]], what: str) -> None:
    """Refuse a grid with empty combinations."""
    empty = np.flatnonzero(counts == 0)
    if not empty.size:
        return
    names = cell_names(levels)
    listed = "; ".join(names[i] for i in empty[:5]) + ("; ..." if empty.size > 5 else "")
    message = (
        f"no {what} of {listed} ({empty.size} of {len(names)} combinations of "
        f"{', '.join(levels)} are empty): demixing needs every combination. Leave out a level "
        "with select(trials=...), pool levels into one, or use fewer factors"
    )
    raise TensorError(message)


def _complete(grid: Grid, missing: str) -> Grid:
    """Refuse or drop neurons without a trial in some combination; refuse NaN bins."""
    flat = grid.averages.reshape(len(grid.averages), grid.n_cells, -1)
    known = np.isfinite(flat)
    if known.all():
        return grid
    empty = np.asarray(~known.any(axis=2))
    lacking = np.asarray(empty.any(axis=1))
    neurons = grid.source["neuron"].to_numpy()
    if lacking.any():
        _say_lacking(grid, empty, missing)
        kept = np.flatnonzero(~lacking)
        rest = Grid(grid.averages[kept], grid.levels, grid.source.isel(neuron=kept), grid.cell)
        return _complete(rest, missing)
    hole = ~known.all(axis=(0, 1))
    time = grid.source["time"].to_numpy()
    worst = neurons[np.argsort(known.mean(axis=(1, 2)), kind="stable")[:3]]
    advice = f"or leave out the neurons with most NaN ({', '.join(map(str, worst))}, ...)"
    if (~hole).any():
        good = time[~hole]
        advice = f"shorten the window with select(time=({good[0]:g}, {good[-1]:g})) {advice}"
    message = (
        f"the averages are NaN in {int(hole.sum())} of {len(time)} bins, from "
        f"{time[hole][0]:g} to {time[hole][-1]:g} s, because nobody was observed there in some "
        f"combination: {advice}; trials of unequal length can be warped"
    )
    raise FitError(message)


def _say_lacking(grid: Grid, empty: NDArray[np.bool_], missing: str) -> None:
    """Warn of neurons that are dropped, or refuse them."""
    lacking = empty.any(axis=1)
    names = grid.labels()
    neurons = grid.source["neuron"].to_numpy()
    listed = ", ".join(
        f"{neurons[i]} ({names[int(np.flatnonzero(empty[i])[0])]})"
        for i in np.flatnonzero(lacking)[:5]
    )
    more = ", ..." if lacking.sum() > 5 else ""
    found = f"{lacking.sum()} of {len(neurons)} neurons have no trial in some combination: "
    if lacking.all():
        message = f"{found}{listed}{more}; none is left. Use fewer factors or pool levels"
        raise FitError(message)
    if missing == "drop_neurons":
        warn(f"{found}{listed}{more}; left out")
        return
    message = (
        f"{found}{listed}{more}. Leave them out with missing='drop_neurons' or "
        "select(neurons=...), leave out the level, or use fewer factors"
    )
    raise FitError(message)
