"""How well a network does its task with learning off, on trials it never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import FitError
from popdyn.network.kinds import Network
from popdyn.simulation.run import simulate
from popdyn.tasks import Task

# Seconds over which outputs are averaged before they are compared with their targets.
_BIN = 0.010


@dataclass(frozen=True)
class Score:
    """What came out of a test.

    Attributes
    ----------
    accuracy : float
        Share of correct trials, catch trials left out; NaN if rates grew beyond all bounds.
    bound : ndarray, shape (2,)
        Its 95 % Wilson interval.
    loss : float
        Mean squared error of the output, averaged over 10 ms, on the steps that count, or what
        the rule means by its loss.
    """

    accuracy: float
    bound: NDArray[np.float64]
    loss: float


def validate(
    net: Network,
    task: Task,
    n_trials: int,
    rng: np.random.Generator,
    noise_density: float = 0.0,
    *,
    noise_step: float = 0.0,
    continuous: bool = True,
    loss_of: Callable[[Any, xr.Dataset, np.random.Generator], float] | None = None,
) -> Score:
    """Run a network through fresh trials, and judge it by its task.

    Without reset one more trial comes before them, in which the network gets going.

    Parameters
    ----------
    net : Rate, LowRank or Spiking
        The network.
    task : Task
        Gives the trials, and says what the output means.
    n_trials : int
        Number of trials.
    rng : Generator
        Draws the trials, then the noise.
    noise_density, noise_step : float
        As in `popdyn.simulate`.
    continuous : bool
        Whether the network is never reset.
    loss_of : function, optional
        Gives the loss of a network on trials, if it is another.

    Returns
    -------
    Score

    Raises
    ------
    FitError
        If no trial has a right answer.
    """
    n_before = int(continuous)
    trials = task.sample(n_trials + n_before, rng, dt=net.dt)
    every = max(1, round(_BIN / net.dt))
    try:
        sim = simulate(
            net,
            trials,
            rng=rng,
            bin_width=every * net.dt,
            record=(),
            noise_density=noise_density,
            noise_step=noise_step,
            task=task,
            continuous=continuous,
        )
    except FitError:
        return Score(np.nan, np.full(2, np.nan), np.nan)
    sim, trials = (one.isel(trial=slice(n_before, None)) for one in (sim, trials))
    correct = sim["correct"].to_numpy()
    correct = correct[np.isfinite(correct)]
    if not correct.size:
        message = (
            f"none of the {n_trials} trials to validate on has a right answer (all are catch "
            "trials, or 'correct' is NaN): raise n_validation, or lower the task's catch_fraction "
            "if it has one"
        )
        raise FitError(message)
    bound = np.array(wilson_interval(float(correct.sum()), correct.size))
    if loss_of is not None:
        return Score(float(correct.mean()), bound, loss_of(net, trials, rng))
    return Score(float(correct.mean()), bound, _squared_error(sim, trials, every))


def _squared_error(sim: xr.Dataset, trials: xr.Dataset, every: int) -> float:
    """Return the mean squared error of the outputs, averaged over bins of so many steps."""
    output = sim["output"].transpose("output", "time", "trial").to_numpy()
    target = trials["target"].transpose("output", "step_time", "trial").to_numpy()
    # As outputs are averaged: of the straight lines between steps.
    target = _binned((target + np.concatenate([target[:, :1], target[:, :-1]], axis=1)) / 2, every)
    counts = _binned(trials["mask"].transpose("step_time", "trial").to_numpy()[None], every)[0] > 0
    squared = ((output - target[:, : output.shape[1]]) ** 2).mean(axis=0)
    # A bin that a trial does not fill to its end is not observed.
    counts = counts[: output.shape[1]] & np.isfinite(squared)
    return float(np.mean(squared[counts]))


def _binned(values: NDArray[np.generic], every: int) -> NDArray[np.float64]:
    """Average ``(channel, step, trial)`` over whole bins of steps."""
    n_channels, n_steps, n_trials = values.shape
    n_bins = n_steps // every
    whole = values[:, : n_bins * every].astype(np.float64)
    means: NDArray[np.float64] = whole.reshape(n_channels, n_bins, every, n_trials).mean(axis=2)
    return means


def wilson_interval(n_correct: float, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a proportion.

    Trials may be correct in part: shares vary less than answers that are right or wrong, so the
    interval is then too wide rather than too narrow.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson_interval(9, 10)]
    [0.5958, 0.9821]
    """
    z = 1.959963984540054
    center = (n_correct + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * (n_correct * (n - n_correct) / n + z**2 / 4) ** 0.5
    # Rounding must not move a bound off a proportion of exactly 0 or 1.
    lower = 0.0 if n_correct == 0 else center - half
    return lower, 1.0 if n_correct >= n else center + half
