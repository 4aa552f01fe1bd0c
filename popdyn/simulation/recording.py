"""What is kept while a rate network runs: averages over bins, and the output of every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.network.rate import Rate
from popdyn.simulation.keep import STEPS, Keeper
from popdyn.simulation.start import TrialInputs
from popdyn.simulation.steps import Array, Method, evolve


def bins_of(run: TrialInputs, dt: float, steps_per_bin: int) -> int:
    """Return how many bins the longest trial fills.

    Raises
    ------
    TensorError
        If it is shorter than a bin.
    """
    n_bins = int(run.n_steps.max()) // steps_per_bin
    if n_bins < 1:
        message = (
            f"the longest trial, {run.n_steps.max() * dt:g} s, is shorter than one bin "
            f"of {steps_per_bin * dt:g} s: use a smaller bin_width"
        )
        raise TensorError(message)
    return n_bins


class Sums:
    """Mean over a bin of the straight lines between the values at its steps."""

    def __init__(self, before: Array) -> None:
        self.before = before
        self.total = np.zeros_like(before)

    def add(self, values: Array) -> None:
        """Go on by one step."""
        self.total += self.before
        self.total += values
        self.before = values

    def take(self, n_steps: int) -> Array:
        """Return the mean of the steps since the last call."""
        mean = self.total / (2 * n_steps)
        self.total[:] = 0.0
        return mean


@dataclass(frozen=True)
class Recording:
    """Puts bins and steps where they are kept."""

    net: Rate
    keeper: Keeper
    steps_per_bin: int
    n_bins: int
    trial: NDArray[Any]  # ids
    first_bin: int = 0  # bins before the trials' starts
    method: Method = "euler"

    def evolve(
        self,
        inputs: Array,
        state: Array,
        noise_std: float | Array,
        generators: Sequence[np.random.Generator],
    ) -> Iterator[Array]:
        """Yield the rates at the start and at the end of each step, which change `state`."""
        dtype, method = str(state.dtype), self.method
        return evolve(
            self.net,
            inputs,
            state,
            noise_std,
            generators,
            in_place=True,
            dtype=dtype,
            method=method,
        )

    @property
    def with_state(self) -> bool:
        """Whether states are kept."""
        return "potential" in self.keeper.names

    def sums(self, rate: Array, state: Array) -> list[Sums]:
        """Begin to average rates, and states where they are kept."""
        return [Sums(rate), *([Sums(state.copy())] if self.with_state else [])]

    def put_step(self, step: int, part: slice, rate: Array) -> None:
        """Keep the output at the end of a step, where a task wants it."""
        if STEPS in self.keeper.names:
            self.keeper.put(STEPS, step, part, self.net.output @ rate.T)

    def put_bin(self, time: int, part: slice, sums: list[Sums], alive: NDArray[np.bool_]) -> None:
        """Keep the means ``(trial, neuron)`` of one bin, for the trials that still run."""
        for name, each in zip(("rate", "potential"), sums, strict=False):
            mean = each.take(self.steps_per_bin)
            kept = mean.astype(np.float32)
            if not np.isfinite(kept[alive]).all():
                self._diverged(time, part, np.isfinite(kept) | ~alive[:, None])
            kept[~alive] = np.nan
            if name in self.keeper.names:
                self.keeper.put(name, time, part, kept.T)
            if name == "rate":
                mean[~alive] = np.nan
                self.keeper.put("output", time, part, self.net.output @ mean.T)

    def _diverged(self, time: int, part: slice, is_finite: NDArray[np.bool_]) -> None:
        trials, neurons = np.nonzero(~is_finite)
        start = (time - self.first_bin) * self.steps_per_bin * self.net.dt
        message = (
            f"rates grew beyond all bounds, first in neuron {neurons[0]} of trial "
            f"{self.trial[part][trials[0]]}, in {len(np.unique(trials))} of {len(is_finite)} "
            f"trials, in the bin that starts {start:g} s into the trial: lower the recurrent "
            f"weights (g) or use tanh or sigmoid instead of {self.net.nonlinearity}"
        )
        raise FitError(message)


def tiles_of(n_trials: int, tile: int) -> list[slice]:
    """Return the trials that are stepped together."""
    return [slice(i, min(i + tile, n_trials)) for i in range(0, n_trials, tile)]


def run_tiles(
    run: TrialInputs,
    initial: Array,
    noise_std: float | Array,
    generators: list[np.random.Generator],
    tile: int,
    recording: Recording,
) -> Iterator[None]:
    """Step all trials, tile after tile; yield after each bin."""
    every, n_bins = recording.steps_per_bin, recording.n_bins
    for part in tiles_of(run.n_trials, tile):
        if recording.keeper.has(part):
            continue
        state = np.array(initial[part], order="C")
        drive = run.inputs[:, part]
        path = recording.evolve(drive, state, noise_std, generators[part])
        sums = recording.sums(next(path), state)
        for step, rate in enumerate(path):
            for each, values in zip(sums, (rate, state), strict=False):
                each.add(values.copy() if values is state else values)
            recording.put_step(step, part, rate)
            time, position = divmod(step + 1, every)
            if position == 0 and time <= n_bins:
                alive = run.n_steps[part] >= time * every
                recording.put_bin(time - 1, part, sums, alive)
                yield
        recording.keeper.finish(part)
