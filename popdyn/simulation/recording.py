"""What is kept while a rate network runs: averages over bins, and the output of every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import FitError, TensorError
from popdyn.network.kinds import RateLike
from popdyn.network.low_rank import LowRank
from popdyn.network.low_rank_factors import latent_weights
from popdyn.simulation.bin_means import BinMeans
from popdyn.simulation.keep import STEPS, Keeper, dtype_of
from popdyn.simulation.start import TrialInputs
from popdyn.simulation.steps import (
    Array,
    Block,
    Method,
    evolve_blocks,
    output_weights,
    recurrent_weights,
)

# Rates are kept in single precision.
_LARGEST = float(np.finfo(np.float32).max)
# Sum of squares up to which nothing of a block can be near it.
_HARMLESS = 1e34


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


class Recording:
    """Puts bins and steps where they are kept.

    Parameters
    ----------
    net : Rate or LowRank
        The network.
    run : TrialInputs
        Its trials.
    keeper : Keeper
        Takes the numbers.
    steps_per_bin, n_bins : int
        Sizes.
    method, dtype : str
        As in `popdyn.simulate`.
    """

    def __init__(
        self,
        net: RateLike,
        run: TrialInputs,
        keeper: Keeper,
        steps_per_bin: int,
        n_bins: int,
        method: Method,
        dtype: str,
    ) -> None:
        self.net, self.run, self.keeper = net, run, keeper
        self.steps_per_bin, self.n_bins = steps_per_bin, n_bins
        self._how: dict[str, Any] = {"method": method, "dtype": dtype}
        self.output_weights = output_weights(net).T.astype(dtype)
        bias = np.zeros(net.n_outputs) if net.output_bias is None else net.output_bias
        self.output_bias = bias.astype(dtype)
        wanted = recurrent_weights(net) if "current" in keeper.names else ()
        self.recurrent = [factor.astype(dtype) for factor in wanted]
        self.latents: NDArray[Any] | None = None
        if isinstance(net, LowRank) and "latent" in keeper.names:
            self.latents = latent_weights(net).T.astype(dtype)

    def blocks(
        self,
        inputs: Array,
        state: Array,
        noise_std: float | Array,
        generators: Sequence[np.random.Generator],
    ) -> Iterator[Block]:
        """Return the steps from `state` on."""
        return evolve_blocks(self.net, inputs, state, noise_std, generators, **self._how)

    def put_steps(self, first: int, part: slice, block: Block) -> None:
        """Keep the outputs at the ends of steps, where a task wants them."""
        if STEPS in self.keeper.names and block.n_steps:
            output = block.rates[1:] @ self.output_weights + self.output_bias
            self.keeper.put(STEPS, first, part, output.transpose(2, 0, 1))

    def check(self, block: Block, first: int, part: slice, n_steps: NDArray[np.int64]) -> None:
        """Refuse rates and states that cannot be kept.

        Parameters
        ----------
        block : Block
            Steps.
        first : int
            Steps before them, from the trials' starts.
        part : slice
            Trials.
        n_steps : ndarray, shape (trial,)
            Steps that count.

        Raises
        ------
        FitError
            That says which neuron was the first, when, and in which trial.
        """
        both = [values[1:].reshape(-1) for values in (block.rates, block.states)]
        if all(np.vdot(values, values) < _HARMLESS for values in both):
            return
        step = first + 1 + np.arange(block.n_steps)
        counts = (step[:, None] <= n_steps)[..., None]
        most = _LARGEST / (4 * self.steps_per_bin)
        fits = (np.abs(block.rates[1:]) <= most) & (np.abs(block.states[1:]) <= most)
        wrong = counts & ~fits
        if not wrong.any():
            return
        at, trial, neuron = (int(position[0]) for position in np.nonzero(wrong))
        n_trials = int(wrong.any(axis=(0, 2)).sum())
        saturates = self.net.nonlinearity in ("tanh", "sigmoid", "erf")
        cure = "" if saturates else " or use a nonlinearity that saturates, such as tanh"
        message = (
            f"rates grew beyond all bounds, first in neuron {neuron} of trial "
            f"{self.run.trial[part][trial]}, {step[at] * self.net.dt:g} s into the trial, and soon "
            f"in {n_trials} of {wrong.shape[1]} trials: lower the weights (g, inputs){cure}"
        )
        raise FitError(message)


class Bins:
    """The bins of some trials, one after the other.

    Parameters
    ----------
    recording : Recording
        Where they go.
    part : slice
        Trials.
    n_bins : ndarray, shape (trial,)
        Bins that each fills; the others are not observed.
    first : int
        The first bin.
    """

    def __init__(
        self, recording: Recording, part: slice, n_bins: NDArray[np.int64], first: int = 0
    ) -> None:
        self.recording, self.part, self.n_bins, self.next = recording, part, n_bins, first
        every = recording.steps_per_bin
        self._rates = BinMeans(every)
        with_states = {"potential", "latent"} & set(recording.keeper.names)
        self._states = BinMeans(every) if with_states else None

    def add(self, block: Block) -> None:
        """Average some steps and keep the bins that they fill."""
        recording, keeper = self.recording, self.recording.keeper
        means: dict[str, NDArray[Any]] = {"rate": self._rates.add(block.rates)}
        if self._states is not None:
            means["potential"] = states = self._states.add(block.states)
            if recording.latents is not None:
                means["latent"] = states @ recording.latents
        n_bins = min(len(means["rate"]), recording.n_bins - self.next)
        if n_bins <= 0:
            return
        # A product for each bin: another number of bins would round otherwise.
        means["output"] = means["rate"] @ recording.output_weights + recording.output_bias
        if "current" in keeper.names:
            means["current"] = means["rate"]
            for factor in recording.recurrent:
                means["current"] = means["current"] @ factor
        past = (self.next + np.arange(n_bins))[:, None] >= self.n_bins
        for name in keeper.names:
            if name in means:
                values = means[name][:n_bins]
                if past.any():
                    values[past] = np.nan
                kept = values.astype(dtype_of(name), copy=False)
                keeper.put(name, self.next, self.part, kept.transpose(2, 0, 1))
        self.next += n_bins


def tiles_of(n_trials: int, tile: int) -> list[slice]:
    """Return the trials that are stepped together."""
    return [slice(i, min(i + tile, n_trials)) for i in range(0, n_trials, tile)]


def run_tiles(
    initial: Array,
    noise_std: float | Array,
    generators: list[np.random.Generator],
    tile: int,
    recording: Recording,
) -> Iterator[None]:
    """Step all trials, tile after tile; yield after each block of steps."""
    run = recording.run
    for part in tiles_of(run.n_trials, tile):
        if recording.keeper.has(part):
            continue
        n_steps, first = run.n_steps[part], 0
        bins = Bins(recording, part, n_steps // recording.steps_per_bin)
        steps = recording.blocks(run.inputs[:, part], initial[part], noise_std, generators[part])
        for block in steps:
            recording.check(block, first, part, n_steps)
            bins.add(block)
            recording.put_steps(first, part, block)
            first += block.n_steps
            yield
        recording.keeper.finish(part)
