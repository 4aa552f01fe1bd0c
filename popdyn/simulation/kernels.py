"""Steps of a spiking network, one trial at a time: arrays only.

One step, from time ``t`` to ``t + dt``:

1. every potential moves along the exact solution of its equation, with the constant drive of the
   step and exponentially decaying currents (Rotter & Diesmann 1999); neurons that are refractory
   stay at the reset;
2. currents and filtered outputs decay to ``t + dt``;
3. neurons at or above threshold at ``t + dt`` spike: they are reset, and their part of the
   outputs jumps;
4. spikes whose delay ends at ``t + dt`` make the currents of their targets jump.

Sums are taken in a fixed order and without fused or reordered arithmetic, so that results are
the same bits for dense and sparse weights, on any machine and for any number of threads.  The
plain NumPy form is ``tests/oracles/spiking.py``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

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

    rows: Array  # (sender, target)
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


@njit(cache=True, nogil=True, error_model="numpy")
def advance(
    constants: Constants,
    weights: Weights,
    state: State,
    inputs: Array,
    noise: Array,
    first: int,
    steps_per_bin: int,
    kept: Kept,
) -> int:  # pragma: no cover - compiled
    """Run one trial for as many steps as there are inputs; return the number of spikes.

    ``inputs (step, channel)`` are constant during each step; ``noise (step, neuron)``, or no
    rows, is added to the potentials at the end of each step.  `first` says how many steps of the
    trial were made before, for the bins of what is kept.  `state` is changed in place.
    """
    # Arrays are handed on one by one, and rows as an array and a number: tuples and slices cost
    # counts of references, which take longer than the arithmetic of a step.
    potential, refractory, fast, slow = state.potential, state.refractory, state.fast, state.slow
    output_fast, output_slow, clock = state.output_fast, state.output_slow, state.step
    pending, n_pending = state.pending, state.n_pending
    feedback, quick, late, delay = weights.feedback, weights.fast, weights.slow, weights.delay
    drive, steady = weights.bias.copy(), weights.bias.copy()
    # The outputs are filtered spikes too: what they feed back follows the same equations.
    all_fast = fast.copy() if feedback.shape[0] else fast
    all_slow = slow.copy() if feedback.shape[0] else slow
    has_slow = feedback.shape[0] > 0 or late.rows.shape[0] > 0 or late.target.size > 0
    words = np.zeros((potential.size + 7) // 8, np.uint64)
    found = np.empty(potential.size + 8, np.int32)
    n_all = 0
    for step in range(inputs.shape[0]):
        if step == 0 or changed(inputs, step):
            set_drive(inputs, step, weights.input, weights.bias, constants.gain, drive, steady)
        feed_back(feedback, output_fast, fast, all_fast)
        feed_back(feedback, output_slow, slow, all_slow)
        place = (first + step) // steps_per_bin
        keep_current(kept.current, place, drive, all_fast, all_slow, constants.mean)
        keep_row(kept.potential, place, potential)
        move(potential, steady, constants.leak, constants.gain_fast, all_fast)
        decay(constants.decay[0], fast)
        decay(constants.decay[0], output_fast)
        decay(constants.decay[1], output_slow)
        if has_slow:
            add_product(potential, constants.gain_slow, all_slow)
            decay(constants.decay[1], slow)
        if noise.shape[0]:
            add_row(potential, noise, step)
        hold(potential, refractory, constants.reset)
        keep_row(kept.potential, place, potential)
        n_new = find(potential, constants.threshold, words, found)
        for k in range(n_new):
            kept.spike_neuron[n_all + k] = found[k]
        kept.n_spikes[step] = n_new
        n_all += n_new
        restart(found, n_new, potential, refractory, constants.reset, constants.n_refractory)
        read_out(found, n_new, weights.output_fast, output_fast)
        read_out(found, n_new, weights.output_slow, output_slow)
        send(found, n_new, delay, clock[0], pending, n_pending)
        slot = clock[0] % n_pending.size
        deliver(quick.rows, quick.start, quick.target, quick.weight, pending, n_pending, slot, fast)
        deliver(late.rows, late.start, late.target, late.weight, pending, n_pending, slot, slow)
        n_pending[slot] = 0
        clock[0] += 1
        for k in range(kept.output.shape[1]):
            kept.output[step, k] = output_fast[k] + output_slow[k]
    return n_all


@njit(cache=True, nogil=True, error_model="numpy")
def changed(inputs: Array, step: int) -> bool:  # pragma: no cover - compiled
    """Whether the inputs of a step differ from those of the step before."""
    n_same = 0
    for k in range(inputs.shape[1]):
        n_same += inputs[step, k] == inputs[step - 1, k]
    different: bool = n_same < inputs.shape[1]
    return different


@njit(cache=True, nogil=True, error_model="numpy")
def set_drive(
    inputs: Array, step: int, weights: Array, bias: Array, gain: Array, drive: Array, steady: Array
) -> None:  # pragma: no cover - compiled
    """Set the constant current of a step, and what it adds to each potential."""
    for i in range(drive.size):
        drive[i] = bias[i]
    for k in range(inputs.shape[1]):
        value = inputs[step, k]
        if value != 0:
            for i in range(drive.size):
                drive[i] += value * weights[k, i]
    if gain.size == 1:
        share = gain[0]
        for i in range(drive.size):
            steady[i] = share * drive[i]
    else:
        for i in range(drive.size):
            steady[i] = gain[i] * drive[i]


@njit(cache=True, nogil=True, error_model="numpy")
def feed_back(
    feedback: Array, output: Array, current: Array, total: Array
) -> None:  # pragma: no cover - compiled
    """Set the current that comes from synapses and from the outputs with the same filter."""
    if feedback.shape[0] == 0:
        return
    for i in range(current.size):
        total[i] = current[i]
    for k in range(output.size):
        value = output[k]
        for i in range(current.size):
            total[i] += value * feedback[k, i]


@njit(cache=True, nogil=True, error_model="numpy")
def keep_current(
    total: Array, place: int, drive: Array, fast: Array, slow: Array, mean: Array
) -> None:  # pragma: no cover - compiled
    """Add the mean over the step of all current that each neuron receives."""
    if total.shape[0] == 0:
        return
    of_fast, of_slow = mean[0], mean[1]
    for i in range(drive.size):
        total[place, i] += drive[i] + of_fast * fast[i] + of_slow * slow[i]


@njit(cache=True, nogil=True, error_model="numpy")
def keep_row(total: Array, place: int, values: Array) -> None:  # pragma: no cover - compiled
    """Add values to a row of sums."""
    if total.shape[0] == 0:
        return
    for i in range(values.size):
        total[place, i] += values[i]


@njit(cache=True, nogil=True, error_model="numpy")
def move(
    potential: Array, steady: Array, leak: Array, gain: Array, current: Array
) -> None:  # pragma: no cover - compiled
    """Take every potential to the end of the step, as if none were refractory."""
    if leak.size == 1:
        by, share = leak[0], gain[0]
        for i in range(potential.size):
            potential[i] = by * potential[i] + steady[i] + share * current[i]
    else:
        for i in range(potential.size):
            potential[i] = leak[i] * potential[i] + steady[i] + gain[i] * current[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_product(total: Array, factor: Array, values: Array) -> None:  # pragma: no cover - compiled
    """Add values times a factor, one for all or one each."""
    if factor.size == 1:
        by = factor[0]
        for i in range(total.size):
            total[i] += by * values[i]
    else:
        for i in range(total.size):
            total[i] += factor[i] * values[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_row(total: Array, rows: Array, row: int) -> None:  # pragma: no cover - compiled
    """Add one row of a matrix."""
    for i in range(total.size):
        total[i] += rows[row, i]


@njit(cache=True, nogil=True, error_model="numpy")
def hold(potential: Array, refractory: Array, reset: Array) -> None:  # pragma: no cover - compiled
    """Put neurons that are refractory back to the reset, and count their steps down."""
    zero = refractory.dtype.type(0)
    one = refractory.dtype.type(1)
    if reset.size == 1:
        value = reset[0]
        for i in range(potential.size):
            left = refractory[i]
            potential[i] = potential[i] if left <= zero else value
            refractory[i] = left - one
    else:
        for i in range(potential.size):
            left = refractory[i]
            potential[i] = potential[i] if left <= zero else reset[i]
            refractory[i] = left - one


@njit(cache=True, nogil=True, error_model="numpy")
def decay(by: float, values: Array) -> None:  # pragma: no cover - compiled
    """Let currents or filtered outputs decay over the step."""
    for i in range(values.size):
        values[i] *= by


@njit(cache=True, nogil=True, error_model="numpy")
def find(
    potential: Array, threshold: Array, words: Array, found: Array
) -> int:  # pragma: no cover - compiled
    """List the neurons at or above threshold, in order; return their number.

    Comparing all and then looking at eight answers at once beats a plain scan twofold.
    """
    at_threshold = words.view(np.uint8)
    if threshold.size == 1:
        limit = threshold[0]
        for i in range(potential.size):
            at_threshold[i] = potential[i] >= limit
    else:
        for i in range(potential.size):
            at_threshold[i] = potential[i] >= threshold[i]
    n_new = 0
    for word in range(words.size):
        if words[word]:
            for i in range(8 * word, 8 * word + 8):
                found[n_new] = i
                n_new += at_threshold[i]
    return n_new


@njit(cache=True, nogil=True, error_model="numpy")
def restart(
    found: Array,
    n_new: int,
    potential: Array,
    refractory: Array,
    reset: Array,
    n_refractory: Array,
) -> None:  # pragma: no cover - compiled
    """Reset the neurons that spiked, and make them refractory."""
    for k in range(n_new):
        i = found[k]
        potential[i] = reset[i % reset.size]
        refractory[i] = n_refractory[i % n_refractory.size]


@njit(cache=True, nogil=True, error_model="numpy")
def read_out(
    found: Array, n_new: int, weights: Array, output: Array
) -> None:  # pragma: no cover - compiled
    """Let the outputs jump by the weights of the neurons that spiked."""
    for k in range(n_new):
        for o in range(output.size):
            output[o] += weights[found[k], o]


@njit(cache=True, nogil=True, error_model="numpy")
def send(
    found: Array, n_new: int, delay: Array, clock: int, pending: Array, n_pending: Array
) -> None:  # pragma: no cover - compiled
    """Put spikes into the ring, at the step in which they arrive."""
    for k in range(n_new):
        slot = (clock + delay[found[k]]) % n_pending.size
        pending[slot, n_pending[slot]] = found[k]
        n_pending[slot] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def deliver(
    rows: Array,
    start: Array,
    target: Array,
    weight: Array,
    pending: Array,
    n_pending: Array,
    slot: int,
    current: Array,
) -> None:  # pragma: no cover - compiled
    """Add the weights of the neurons whose spikes arrive to the currents of their targets.

    Rows are added four at a time, so that the currents are read and written once for all four.
    """
    n_arrived = n_pending[slot]
    if target.size:
        for k in range(n_arrived):
            sender = pending[slot, k]
            for at in range(start[sender], start[sender + 1]):
                current[target[at]] += weight[at]
    if rows.shape[0] == 0:
        return
    n_fours = n_arrived // 4 * 4
    for k in range(0, n_fours, 4):
        a, b = pending[slot, k], pending[slot, k + 1]
        c, d = pending[slot, k + 2], pending[slot, k + 3]
        for i in range(current.size):
            current[i] = (((current[i] + rows[a, i]) + rows[b, i]) + rows[c, i]) + rows[d, i]
    for k in range(n_fours, n_arrived):
        add_row(current, rows, pending[slot, k])
