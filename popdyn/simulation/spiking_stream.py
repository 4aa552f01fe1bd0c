"""Trials of a spiking network without reset: one run through all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from popdyn.errors import TensorError
from popdyn.network.spiking import Spiking
from popdyn.progress import watched
from popdyn.simulation.plan import Plan
from popdyn.simulation.spiking_arrays import State
from popdyn.simulation.spiking_run import Traces, first_potentials
from popdyn.simulation.spiking_setup import Array, Machine, first_state, prepare
from popdyn.simulation.spiking_trial import Trace, Wish, run_trial
from popdyn.simulation.stream import Segment, segment_inputs, segments_of


def stream_spiking(net: Spiking, plan: Plan, noise_std: Array) -> Traces:
    """Run all trials and what lies between them; spikes are kept throughout, bins within trials.

    Parameters
    ----------
    net : Spiking
        The network.
    plan : Plan
        What was asked for.
    noise_std : ndarray, shape () or (neuron,)
        Standard deviation of what is added to each potential at each step.

    Returns
    -------
    Traces
        The spikes of a trial go on until the next starts.

    Raises
    ------
    TensorError
        If trials overlap, or the first state is one per trial.
    """
    run = plan.run
    segments = segments_of(run, net.dt)
    machine, state = first_of_stream(net, plan, segments)
    traces = Traces.empty(net, run, plan.every, plan.record)
    wish = Wish(plan.every, "potential" in plan.record, "current" in plan.record)
    whole: dict[int, Trace] = {}
    before = np.zeros(net.n_outputs)
    for segment in watched(segments, run.n_trials, f"simulating {run.n_trials} trials"):
        drive = segment_inputs(run, segment, plan.input_noise)
        generator = plan.generators[segment.trial]
        trace = run_trial(machine, state, drive, noise_std, generator, wish)
        traces.put(segment.trial, _head(trace, segment.n_steps), plan.every, keep_spikes=False)
        # The first step of a trial goes on from the output before it.
        traces.output[:, :1, segment.trial] += before[:, None] / (2 * plan.every)
        before = trace.output[-1]
        if "spikes" in plan.record:
            whole[segment.trial] = trace
    for trial in sorted(whole):
        traces.spike_neuron.append(whole[trial].spike_neuron)
        traces.spike_step.append(whole[trial].spike_step)
    if traces.current is not None:
        # The steps carry the resting potential in the constant current.
        rest = np.broadcast_to(np.asarray(net.rest, np.float32), net.n_neurons)
        traces.current -= rest[:, None, None]
    return traces


def first_of_stream(net: Spiking, plan: Plan, segments: list[Segment]) -> tuple[Machine, State]:
    """Prepare the network, and the state in which its first trial starts.

    Raises
    ------
    TensorError
        If the state given is one per trial.
    """
    given = plan.initial_state
    if given is not None and np.ndim(given) != 1:
        message = (
            f"initial_state must have shape ({net.n_neurons},) with continuous=True, the "
            f"potentials at the start of the first trial; found {np.shape(given)}"
        )
        raise TensorError(message)
    potentials = first_potentials(net, given, plan.generators)
    machine = prepare(net, plan.dtype)
    return machine, first_state(machine, potentials[segments[0].trial])


def _head(trace: Trace, n_steps: int) -> Trace:
    """Return the first steps of a trace."""
    n_spikes = trace.n_spikes[:n_steps]
    return replace(
        trace,
        n_spikes=n_spikes,
        spike_neuron=trace.spike_neuron[: int(n_spikes.sum())],
        output=trace.output[:n_steps],
    )
