"""Where the numbers of a run go: arrays in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

STEPS = "step_output"
# Quantities whose rows are not neurons, and have a dim of that name.
NOT_OF_NEURONS = ("output", "latent")
# From quantities by name, ``(row, time, trial)``, to a Dataset of them.
Labelling = Callable[[Mapping[str, Any]], xr.Dataset]


@dataclass(frozen=True)
class Shapes:
    """Sizes of what is kept of a run."""

    n_neurons: int
    n_outputs: int
    n_bins: int
    n_steps: int
    n_trials: int
    n_latents: int = 0

    def of(self, name: str) -> tuple[int, int, int]:
        """Return the shape of a quantity: neurons, outputs or latents, bins or steps, trials."""
        if name == STEPS:
            return self.n_outputs, self.n_steps, self.n_trials
        n_rows = {"output": self.n_outputs, "latent": self.n_latents}.get(name, self.n_neurons)
        return n_rows, self.n_bins, self.n_trials


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the precision in which a quantity is kept."""
    return np.dtype(np.float64 if name in (*NOT_OF_NEURONS, STEPS) else np.float32)


def empty_values(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return an array of what counts as not observed: NaN in bins, 0 in steps."""
    return np.full(shape, 0.0 if name == STEPS else np.nan, dtype=dtype_of(name))


class Keeper(Protocol):
    """Takes the numbers of a run, tile of trials after tile."""

    names: tuple[str, ...]

    def put(self, name: str, time: int, part: slice, values: NDArray[Any]) -> None:
        """Keep the values ``(row, time, trial)`` of some bins or steps, the next ones of trials."""
        ...

    def put_trials(self, name: str, part: slice, values: NDArray[Any]) -> None:
        """Keep the values ``(row, time, trial)`` of some trials from their starts on."""
        ...

    def has(self, part: slice) -> bool:
        """Tell whether these trials were kept by an earlier run."""
        ...

    def finish(self, part: slice) -> None:
        """Say that everything of these trials was kept."""
        ...

    def steps(self) -> Any:
        """Return the output ``(output, step, trial)`` at the end of each step, to be sliced."""
        ...

    def result(self, labelled: Labelling) -> xr.Dataset:
        """Return what was kept, labelled."""
        ...


@dataclass
class Memory:
    """Keeps everything in arrays."""

    names: tuple[str, ...]
    shapes: Shapes
    values: dict[str, NDArray[Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.values = {name: empty_values(name, self.shapes.of(name)) for name in self.names}

    def put(self, name: str, time: int, part: slice, values: NDArray[Any]) -> None:
        """Keep the values of some bins or steps."""
        self.values[name][:, time : time + values.shape[1], part] = values

    def put_trials(self, name: str, part: slice, values: NDArray[Any]) -> None:
        """Keep the values of some trials."""
        self.values[name][:, : values.shape[1], part] = values

    def has(self, part: slice) -> bool:
        """Nothing was kept before."""
        del part
        return False

    def finish(self, part: slice) -> None:
        """Do nothing: what is in memory is there."""

    def steps(self) -> NDArray[np.float64]:
        """Return the output at the end of each step."""
        return self.values[STEPS]

    def result(self, labelled: Labelling) -> xr.Dataset:
        """Return what was kept, labelled."""
        return labelled(self.values)
