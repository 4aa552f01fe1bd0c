"""What is kept while a network runs: averages over bins, and the output of every step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.network.rate import Rate
from popdyn.simulation.start import TrialInputs
from popdyn.simulation.steps import Array, evolve


@dataclass
class Recording:
    """What is kept while the network runs."""

    rate: NDArray[np.float32] | None  # (neuron, time, trial)
    output: Array  # (output, time, trial)
    step_output: Array  # (output, step, trial), at the end of each step
    steps_per_bin: int

    @classmethod
    def empty(cls, net: Rate, run: TrialInputs, every: int, *, keep_rate: bool) -> Recording:
        """Make room for the longest trial."""
        n_bins = int(run.n_steps.max()) // every
        if n_bins < 1:
            message = (
                f"the longest trial, {run.n_steps.max() * net.dt:g} s, is shorter than one bin "
                f"of {every * net.dt:g} s: use a smaller bin_width"
            )
            raise TensorError(message)
        rate = np.full((net.n_neurons, n_bins, run.n_trials), np.nan, dtype=np.float32)
        return cls(
            rate=rate if keep_rate else None,
            output=np.full((net.n_outputs, n_bins, run.n_trials), np.nan),
            step_output=np.zeros((net.n_outputs, len(run.inputs), run.n_trials)),
            steps_per_bin=every,
        )

    def put(self, net: Rate, time: int, part: slice, mean: Array, alive: NDArray[np.bool_]) -> None:
        """Keep the mean rates ``(trial, neuron)`` of one bin, for the trials that still run."""
        kept = mean.astype(np.float32)
        if not np.isfinite(kept[alive]).all():
            n_bad = int((~np.isfinite(kept[alive])).any(axis=1).sum())
            message = (
                f"rates grew beyond all bounds in {n_bad} of {len(kept)} trials, in the bin that "
                f"starts {time * self.steps_per_bin * net.dt:g} s into the trial: lower the "
                f"recurrent weights (g) or use tanh or sigmoid instead of {net.nonlinearity}"
            )
            raise FitError(message)
        kept[~alive] = np.nan
        if self.rate is not None:
            self.rate[:, time, part] = kept.T
        mean[~alive] = np.nan
        self.output[:, time, part] = net.output @ mean.T


def run_tiles(
    net: Rate,
    run: TrialInputs,
    initial: Array,
    noise_std: float,
    generators: list[np.random.Generator],
    tile: int,
    recording: Recording,
) -> Iterator[None]:
    """Step all trials, tile after tile; yield after each bin."""
    every, n_bins = recording.steps_per_bin, recording.output.shape[1]
    for first in range(0, run.n_trials, tile):
        part = slice(first, min(first + tile, run.n_trials))
        path = evolve(net, run.inputs[:, part], initial[part], noise_std, generators[part])
        before = next(path)
        total = np.zeros_like(before)
        for step, rate in enumerate(path):
            total += before
            total += rate
            before = rate
            recording.step_output[:, step, part] = net.output @ rate.T
            time, position = divmod(step + 1, every)
            if position == 0 and time <= n_bins:
                alive = run.n_steps[part] >= time * every
                recording.put(net, time - 1, part, total / (2 * every), alive)
                total[:] = 0.0
                yield
