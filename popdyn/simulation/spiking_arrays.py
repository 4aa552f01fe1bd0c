"""The arrays that the steps of a spiking network work on, by what they are for."""

from __future__ import annotations

from typing import Any, NamedTuple

# Arrays are typed loosely: NumPy's stubs and numba's types have no common words.
Array = Any


class Constants(NamedTuple):
    """What a step multiplies with; all but the last two have one entry, or one per neuron."""

    leak: Array  # exp(-dt / tau_m)
    gain: Array  # potential per constant current: 1 - exp(-dt / tau_m)
    gain_fast: Array  # potential at the step's end per fast current at its start
    gain_slow: Array
    reset: Array
    threshold: Array
    n_refractory: Array  # steps
    decay: Array  # (2,): exp(-dt / tau_fast), exp(-dt / tau_slow)
    mean: Array  # (2,): mean over the step of a current that starts at 1, fast and slow


class Synapses(NamedTuple):
    """Weights by sending neuron: contiguous rows, or lists of targets; the unused is empty."""

    rows: Array  # (sender, target), filled up to whole cache lines
    start: Array  # (sender + 1,), where each sender's list begins
    target: Array  # (synapse,)
    weight: Array  # (synapse,)


class Weights(NamedTuple):
    """All weights of a network; rows are contiguous over neurons or outputs."""

    fast: Synapses
    slow: Synapses
    bias: Array  # (neuron,), with the resting potential
    input: Array  # (channel, neuron)
    feedback: Array  # (output, neuron), or no rows
    output_fast: Array  # (neuron, output)
    output_slow: Array  # (neuron, output)
    delay: Array  # (neuron,), steps from a neuron's spike to the jumps it causes


class State(NamedTuple):
    """Everything that a step depends on and changes."""

    potential: Array  # (neuron,)
    refractory: Array  # (neuron,), steps left at the reset
    fast: Array  # (neuron,), fast synaptic current
    slow: Array  # (neuron,)
    output_fast: Array  # (output,), readout of fast filtered spikes
    output_slow: Array  # (output,)
    pending: Array  # (slot, neuron), ring of spikes on their way
    n_pending: Array  # (slot,)
    step: Array  # (1,), steps since the start


class Kept(NamedTuple):
    """Where results go; arrays without rows keep nothing."""

    spike_neuron: Array  # (room,)
    n_spikes: Array  # (step,)
    output: Array  # (step, output), at the end of each step
    potential: Array  # (bin, neuron), sum over both ends of each step
    current: Array  # (bin, neuron), sum over the means of each step
