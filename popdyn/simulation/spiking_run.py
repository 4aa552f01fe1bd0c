"""Run a spiking network on trials, several at once; what `simulate` calls for `Spiking`."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.simulation.kernels import advance
from popdyn.simulation.spiking_setup import Array, Machine, first_state, prepare
from popdyn.simulation.spiking_trial import Trace, Wish, run_trial
from popdyn.simulation.start import TrialInputs

RECORDABLE = ("spikes", "rate", "spike_count", "potential", "current")


@dataclass
class Traces:
    """What was kept of all trials."""

    spike_neuron: list[NDArray[np.int32]]  # per trial, (spike,)
    spike_step: list[NDArray[np.int64]]  # per trial, (spike,)
    counts: NDArray[np.float32] | None  # (neuron, time, trial), NaN after a trial's end
    potential: NDArray[np.float32] | None
    current: NDArray[np.float32] | None
    output: NDArray[np.float64]  # (output, time, trial)
    step_output: NDArray[np.float64]  # (output, step, trial), at the end of each step

    @classmethod
    def empty(
        cls, net: Spiking, run: TrialInputs, steps_per_bin: int, record: Sequence[str]
    ) -> Traces:
        """Make room for what is wanted of the longest trial.

        Raises
        ------
        TensorError
            If the longest trial is shorter than a bin.
        """
        n_bins = int(run.n_steps.max()) // steps_per_bin
        if n_bins < 1:
            message = (
                f"the longest trial, {run.n_steps.max() * net.dt:g} s, is shorter than one bin "
                f"of {steps_per_bin * net.dt:g} s: use a smaller bin_width"
            )
            raise TensorError(message)
        shape = (net.n_neurons, n_bins, run.n_trials)

        def room(wanted: bool) -> NDArray[np.float32] | None:
            return np.full(shape, np.nan, dtype=np.float32) if wanted else None

        return cls(
            spike_neuron=[],
            spike_step=[],
            counts=room(bool({"rate", "spike_count"} & set(record))),
            potential=room("potential" in record),
            current=room("current" in record),
            output=np.full((net.n_outputs, n_bins, run.n_trials), np.nan),
            step_output=np.zeros((net.n_outputs, len(run.inputs), run.n_trials)),
        )

    def put(self, trial: int, trace: Trace, steps_per_bin: int, *, keep_spikes: bool) -> None:
        """Keep one trial: bins that it fills, and the output of all its steps."""
        n_steps = trace.n_spikes.size
        n_bins = n_steps // steps_per_bin
        if keep_spikes:
            self.spike_neuron.append(trace.spike_neuron)
            self.spike_step.append(trace.spike_step)
        if self.counts is not None:
            self.counts[:, :n_bins, trial] = _counted(
                trace, n_bins, steps_per_bin, len(self.counts)
            )
        if self.potential is not None:
            self.potential[:, :n_bins, trial] = trace.potential[:n_bins].T
        if self.current is not None:
            self.current[:, :n_bins, trial] = trace.current[:n_bins].T
        self.step_output[:, :n_steps, trial] = trace.output.T
        before = np.vstack([np.zeros((1, trace.output.shape[1])), trace.output[:-1]])
        line = (before + trace.output)[: n_bins * steps_per_bin] / 2
        means = line.reshape(n_bins, steps_per_bin, -1).mean(axis=1)
        self.output[:, :n_bins, trial] = means.T


def check_record(record: Sequence[str]) -> tuple[str, ...]:
    """Return what to record, or say why it cannot be.

    Raises
    ------
    TensorError
        If a name is not known, or spikes are asked for together with anything else.
    """
    names = (record,) if isinstance(record, str) else tuple(record)
    for name in names:
        if name not in RECORDABLE:
            known = {**{key: key for key in RECORDABLE}, "state": "potential", "spike": "spikes"}
            near = difflib.get_close_matches(str(name), known, n=1)
            guess = f"; did you mean {known[near[0]]!r}?" if near else ""
            message = (
                f"record may hold {', '.join(map(repr, RECORDABLE))} of a spiking network, found "
                f"{name!r}{guess}"
            )
            raise TensorError(message)
    if "spikes" in names and len(set(names)) > 1:
        message = (
            f"record=('spikes',) gives a Session and stands alone, found {names}: call simulate "
            "once more with the same rng for the same spikes in bins"
        )
        raise TensorError(message)
    return names


def run_spiking(
    net: Spiking,
    run: TrialInputs,
    *,
    steps_per_bin: int,
    record: Sequence[str],
    initial_state: Any,
    noise_std: Array,
    generators: Sequence[np.random.Generator],
    dtype: str = "float64",
    n_jobs: int | None = None,
) -> Traces:
    """Run every trial from its own first state, several at once in threads.

    Parameters
    ----------
    net : Spiking
        The network.
    run : TrialInputs
        Inputs and lengths of the trials.
    steps_per_bin : int
        Steps of `net` in a bin.
    record : sequence of str
        Of `RECORDABLE`.
    initial_state : array or None
        Potentials to start from, as in `popdyn.simulate`.
    noise_std : ndarray, shape () or (neuron,)
        Standard deviation of what is added to each potential at each step.
    generators : sequence of Generator
        One per trial: first potentials come from it, then noise.
    dtype : {"float64", "float32"}
        Precision.
    n_jobs : int, optional
        Trials run at once (joblib).

    Returns
    -------
    Traces
        The same bits for any `n_jobs`.
    """
    potentials = first_potentials(net, initial_state, generators)
    machine = prepare(net, dtype)
    traces = Traces.empty(net, run, steps_per_bin, record)
    wish = Wish(steps_per_bin, potential="potential" in record, current="current" in record)
    stop = _Stop()
    jobs = (
        joblib.delayed(_one_trial)(
            machine, potential, run.inputs[:n_steps, trial], noise_std, generator, wish, stop
        )
        for trial, (potential, n_steps, generator) in enumerate(
            zip(potentials, run.n_steps, generators, strict=True)
        )
    )
    text = f"simulating {run.n_trials} trials"
    if not getattr(advance, "signatures", True):
        text += " (compiling first, once)"
    results: Iterator[Trace] = joblib.Parallel(
        n_jobs=n_jobs, prefer="threads", return_as="generator", batch_size=1
    )(jobs)
    try:
        for trial, trace in enumerate(watched(results, run.n_trials, text)):
            traces.put(trial, trace, steps_per_bin, keep_spikes="spikes" in record)
    finally:
        # Also after Ctrl-C: threads cannot be stopped from outside.
        stop.set()
    if traces.current is not None:
        # The steps carry the resting potential in the constant current.
        rest = np.broadcast_to(np.asarray(net.rest, np.float32), net.n_neurons)
        traces.current -= rest[:, None, None]
    return traces


def first_potentials(
    net: Spiking, initial_state: Any, generators: Sequence[np.random.Generator]
) -> Array:
    """Return the potentials ``(trial, neuron)`` that trials start from.

    By default uniform between reset and threshold, drawn for each trial; the draw is made in any
    case, so that the noise does not depend on it.

    Raises
    ------
    TensorError
        If the shape is neither (neuron,) nor (neuron, trial), or a value is not finite.
    """
    shares = np.stack([generator.random(net.n_neurons) for generator in generators])
    if initial_state is None:
        drawn: Array = net.reset + shares * (np.asarray(net.threshold) - net.reset)
        return drawn
    state = np.asarray(initial_state, dtype=np.float64)
    n_trials = len(shares)
    if state.shape not in ((net.n_neurons,), (net.n_neurons, n_trials)):
        message = (
            f"initial_state must be potentials of shape ({net.n_neurons},) or ({net.n_neurons}, "
            f"{n_trials}) (neuron, trial), found {state.shape}"
        )
        raise TensorError(message)
    if not np.isfinite(state).all():
        message = "initial_state must be finite, found NaN or infinite values"
        raise TensorError(message)
    return np.broadcast_to(state.T, shares.shape)


class _Stop(threading.Event):
    """A flag that threads share; another process gets one of its own."""

    def __reduce__(self) -> tuple[type[_Stop], tuple[()]]:
        return _Stop, ()


def _one_trial(
    machine: Machine,
    potential: Array,
    inputs: Array,
    noise_std: Array,
    generator: np.random.Generator,
    wish: Wish,
    stop: _Stop,
) -> Trace:
    """Run one trial from rest of all currents."""
    state = first_state(machine, potential)
    return run_trial(machine, state, inputs, noise_std, generator, wish, stop)


def _counted(trace: Trace, n_bins: int, steps_per_bin: int, n_neurons: int) -> NDArray[np.float32]:
    """Count the spikes of a trial ``(neuron, bin)``."""
    cell = trace.spike_step // steps_per_bin * n_neurons + trace.spike_neuron
    counts = np.bincount(cell, minlength=n_bins * n_neurons)[: n_bins * n_neurons]
    return counts.reshape(n_bins, n_neurons).T.astype(np.float32)
