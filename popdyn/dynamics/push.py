"""Pushing a rate network off its way: at once, or by an input for a while."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.network.rate import Rate
from popdyn.network.real_numbers import real_array, real_number
from popdyn.simulation.run import simulate
from popdyn.simulation.start import initial_states, read_trials
from popdyn.simulation.steps import Array, evolve_blocks
from popdyn.tasks import Task

Onsets = NDArray[np.intp]
# Share of steps in which inputs that are no noise change.
_OFTEN = 0.2


@dataclass(frozen=True, eq=False)
class Push:
    """A network with one more input channel, which pushes, and one trial of it.

    Attributes
    ----------
    net : Rate
        Its last input channel is the push.
    trial : Dataset
        The trial, with that channel at 0.
    first : ndarray of int, shape (onset,)
        Step in which each push begins.
    n_steps : int
        For how many steps it lasts.
    onset : ndarray, shape (onset,)
        When the state starts to move (s).
    initial_state : array (neuron,) or None
        Of the trial.
    task : Task or None
        Says what outputs mean.
    """

    net: Rate
    trial: xr.Dataset
    first: Onsets
    n_steps: int
    onset: Array
    initial_state: Any
    task: Task | None

    @property
    def offset(self) -> Array:
        """When each push is over (s)."""
        return np.float64(self.net.dt) * (self.first + self.n_steps)

    def choices(self, sizes: Array, which: Onsets) -> Array:
        """Return the choice after a push of each size at each of the chosen onsets.

        Raises
        ------
        TensorError
            If nothing says what the output means.
        """
        sim = simulate(
            self.net, self._pushed(sizes, which), record=(), task=self.task,
            initial_state=self.initial_state,
        )  # fmt: skip
        if "choice" not in sim.coords:
            message = (
                "nothing says which choice the output of the trial is: take a trial from a task "
                "whose response has a choice, such as pdn.tasks.Detection, or give task="
            )
            raise TensorError(message)
        return sim["choice"].to_numpy().astype(np.float64)

    def moved(self, sizes: Array) -> Array:
        """Return how far a push of each size, one an onset, has moved the state when it is over."""
        every = np.arange(len(self.first))
        sizes, which = np.append(np.nan_to_num(sizes), 0.0), np.append(every, 0)
        run = read_trials(self.net, self._pushed(sizes, which))
        states = initial_states(self.net, self.initial_state, len(which), (), random=False)
        last, distance, step = self.first + self.n_steps, np.empty(len(every)), 0
        for block in evolve_blocks(self.net, run.inputs[: last.max()], states):
            own = np.flatnonzero((last > step) & (last <= step + block.n_steps))
            reached = block.states[last[own] - step]
            away = reached[np.arange(len(own)), own] - reached[:, -1]
            distance[own] = np.linalg.norm(away, axis=1)
            step += block.n_steps
        return distance

    def _pushed(self, sizes: Array, which: Onsets) -> xr.Dataset:
        """Repeat the trial, each time with another push."""
        trials = self.trial.isel(trial=np.zeros(len(sizes), dtype=np.intp))
        inputs = trials["inputs"].transpose("channel", "step_time", "trial").copy()
        for number, (size, first) in enumerate(zip(sizes, self.first[which], strict=True)):
            inputs.values[-1, first : first + self.n_steps, number] = size
        return trials.assign(inputs=inputs).assign_coords(trial=np.arange(len(sizes)))


def read_push(
    net: Rate,
    trial: Any,
    direction: Any,
    at: Any,
    duration: Any,
    initial_state: Any,
    task: Task | None,
) -> Push:
    """Check what is to be pushed, where to and when.

    Raises
    ------
    TensorError
        If there is not one trial, the direction is no channel and no vector, or a push is not
        within the trial.
    """
    run = read_trials(net, trial)
    if run.n_trials != 1:
        message = (
            f"expected one trial, which is pushed at each time, found {run.n_trials}: "
            "trials.isel(trial=[0]) takes the first"
        )
        raise TensorError(message)
    vector = _vector(net, trial, direction)
    _doubt_inputs(trial)
    expected = "zero or a positive number of seconds"
    seconds = real_number("duration", duration, expected)
    if seconds < 0:
        message = f"duration must be {expected}, found {duration!r}"
        raise TensorError(message)
    n_steps = round(seconds / net.dt)
    # At once: the step that ends at that time adds the whole push.
    first = _steps(at, net.dt) - (n_steps == 0)
    weights = vector if n_steps else vector * net.tau / net.dt
    n_steps = max(1, n_steps)
    _check_within(first, n_steps, int(run.n_steps[0]), net.dt, at)
    longer = dataclasses.replace(net, input=np.column_stack([net.input, weights]))
    silent = xr.zeros_like(trial["inputs"].isel(channel=[0]))
    inputs = xr.concat([trial["inputs"].drop_vars("channel", errors="ignore"), silent], "channel")
    shared = trial.drop_vars(["inputs", "channel"], errors="ignore")
    onset = first if seconds else first + 1
    return Push(
        longer,
        shared.assign(inputs=inputs),
        first,
        n_steps,
        np.float64(net.dt) * onset,
        initial_state,
        task,
    )


def _vector(net: Rate, trial: xr.Dataset, direction: Any) -> Array:
    """Return how a push of size 1 acts on each neuron."""
    names = json.loads(trial["inputs"].attrs.get("channels", "[]"))
    if isinstance(direction, str):
        if direction not in names:
            known = ", ".join(map(repr, names)) or "none with a name"
            message = f"direction must be an input channel, {known}, found {direction!r}"
            raise TensorError(message)
        direction = names.index(direction)
    if isinstance(direction, (int, np.integer)) and not isinstance(direction, bool):
        if not 0 <= direction < net.n_inputs:
            message = f"direction is input channel {direction}, the network has {net.n_inputs}"
            raise TensorError(message)
        return net.input[:, direction]
    vector = real_array("direction", direction, what="an input channel, or a number a neuron")
    if vector.shape != (net.n_neurons,) or not np.isfinite(vector).all() or not vector.any():
        message = (
            f"direction must be an input channel or a vector of {net.n_neurons} finite numbers, "
            f"not all 0; found shape {vector.shape}"
        )
        raise TensorError(message)
    return vector


def _doubt_inputs(trial: xr.Dataset) -> None:
    """Say that a trial has a stimulus, or noise in its inputs, of its own."""
    stimulus = trial.coords.get("stimulus")
    shown = 0.0 if stimulus is None or stimulus.dtype.kind not in "fiu" else float(stimulus[0])
    inputs = trial["inputs"].transpose("step_time", ...).to_numpy()
    noisy = float((np.diff(inputs, axis=0) != 0).mean()) > _OFTEN
    if noisy or shown > 0:
        what = "noise in its inputs" if noisy else f"a stimulus of its own ({shown:g})"
        warn(
            f"the trial has {what}: pushes are found beside it, and thresholds are those of this "
            "trial alone. For the boundary itself take one without noise and without stimulus"
        )


def _steps(at: Any, dt: float) -> Onsets:
    """Return times as whole steps."""
    times = np.atleast_1d(real_array("at", at, what="times in seconds"))
    if times.ndim != 1 or not times.size or not np.isfinite(times).all():
        message = f"at must be one or more finite times in seconds, found {at!r:.60}"
        raise TensorError(message)
    steps: Onsets = np.rint(times / dt).astype(np.intp)
    return steps


def _check_within(first: Onsets, n_steps: int, n_all: int, dt: float, at: Any) -> None:
    """Refuse pushes before the first step, or over only when the trial is."""
    if first.min() < 0 or (first + n_steps).max() >= n_all:
        message = (
            f"pushes must begin and be over within the trial of {n_all * dt:g} s, those at once "
            f"a step of {dt:g} s after its start at the earliest; found at={at!r:.60} with "
            f"{n_steps} steps: times are in s from the start of the trial"
        )
        raise TensorError(message)
