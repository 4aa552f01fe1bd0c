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

import numpy as np
from numba import njit

from popdyn.simulation.spiking_arrays import Array, Constants, Kept, State, Weights


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
    # Every array is unpacked once and handed on by itself, rows as an array and a number, and
    # what a step calls has one way out: all else costs counts of references, which take longer
    # than a step's arithmetic.  Calls for nothing cost too.
    leak, gain, gain_fast, gain_slow, reset, threshold, n_refractory, by_step, mean = constants
    quick, late, bias, into, feedback, read_fast, read_slow, delay = weights
    quick_rows, quick_start, quick_target, quick_weight = quick
    late_rows, late_start, late_target, late_weight = late
    potential, refractory, fast, slow, output_fast, output_slow, pending, n_pending, clock = state
    spike_neuron, n_spikes, output, sum_potential, sum_current = kept
    drive, steady, all_fast, all_slow, feeds_back = working(bias, fast, slow, feedback)
    has_outputs = read_fast.any() or read_slow.any()
    has_slow = late_rows.shape[0] + late_target.size > 0
    keeps = sum_current.shape[0] + sum_potential.shape[0] > 0
    alike = leak.size == 1 and reset.size == 1 and threshold.size == 1
    simple = alike and noise.shape[0] == 0 and not (feeds_back or has_slow)
    leaks, gains, gains_fast, gains_slow, resets, thresholds, lengths = spread(constants, potential)
    words, at_threshold, hits, found = room(potential.size)
    n_all, slot = 0, clock[0] % n_pending.size
    place, n_left = first // steps_per_bin, steps_per_bin - first % steps_per_bin
    for step in range(inputs.shape[0]):
        if step == 0 or changed(inputs, step):
            set_drive(inputs, step, into, bias, gains, drive, steady)
        if feeds_back:
            feed_back(feedback, output_fast, fast, all_fast)
            feed_back(feedback, output_slow, slow, all_slow)
        if keeps:
            keep_current(sum_current, place, drive, all_fast, all_slow, mean)
            keep_row(sum_potential, place, potential)
        if simple:
            move_and_hold(potential, refractory, fast, steady, leak, gain_fast, by_step, reset)
            compare(potential, threshold[0], at_threshold)
        else:
            move(potential, steady, leaks, gains_fast, all_fast)
            add_product(potential, gains_slow, all_slow)
            decay(by_step[0], fast)
            decay(by_step[1], slow)
            add_noise(potential, noise, step)
            hold(potential, refractory, resets)
            compare_each(potential, thresholds, at_threshold)
        if keeps:
            keep_row(sum_potential, place, potential)
        n_new = find(at_threshold, words, hits, found)
        restart(found, n_new, potential, refractory, resets, lengths)
        if has_outputs:
            read_out(found, n_new, read_fast, by_step[0], output_fast)
            read_out(found, n_new, read_slow, by_step[1], output_slow)
            put_sum(output_fast, output_slow, output, step)
        send(found, n_new, delay, slot, pending, n_pending, spike_neuron, n_all)
        n_spikes[step] = n_new
        n_all += n_new
        if quick_rows.shape[0]:
            add_rows(quick_rows, pending, n_pending, slot, fast)
        else:
            add_lists(quick_start, quick_target, quick_weight, pending, n_pending, slot, fast)
        if has_slow:
            add_rows(late_rows, pending, n_pending, slot, slow)
            add_lists(late_start, late_target, late_weight, pending, n_pending, slot, slow)
        n_pending[slot] = 0
        slot = slot + 1 if slot + 1 < n_pending.size else 0
        n_left = n_left - 1 if n_left > 1 else steps_per_bin
        place += n_left == steps_per_bin
    clock[0] += inputs.shape[0]
    return n_all


@njit(cache=True, nogil=True, error_model="numpy")
def working(
    bias: Array, fast: Array, slow: Array, feedback: Array
) -> tuple[Array, Array, Array, Array, bool]:  # pragma: no cover - compiled
    """Make what a step works in: two arrays for the drive, the currents with feedback, if any."""
    feeds_back = feedback.shape[0] > 0
    # The outputs are filtered spikes too: what they feed back follows the same equations.
    all_fast = fast.copy() if feeds_back else fast
    all_slow = slow.copy() if feeds_back else slow
    return bias.copy(), bias.copy(), all_fast, all_slow, feeds_back


@njit(cache=True, nogil=True, error_model="numpy")
def spread(
    constants: Constants, potential: Array
) -> tuple[Array, Array, Array, Array, Array, Array, Array]:  # pragma: no cover - compiled
    """Give each neuron constants of its own."""
    leak, gain, gain_fast, gain_slow, reset, threshold, n_refractory, _, _ = constants
    each = np.zeros_like(potential)
    return (
        leak + each, gain + each, gain_fast + each, gain_slow + each, reset + each,
        threshold + each, n_refractory + each,
    )  # fmt: skip


@njit(cache=True, nogil=True, error_model="numpy")
def room(n_neurons: int) -> tuple[Array, Array, Array, Array]:  # pragma: no cover - compiled
    """Make room for which neurons are at threshold: as words, as bytes of these, and listed."""
    words = np.zeros((n_neurons + 7) // 8, np.uint64)
    hits = np.empty(words.size + 1, np.int32)
    return words, words.view(np.uint8), hits, np.empty(n_neurons + 8, np.int32)


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
    for i in range(drive.size):
        steady[i] = gain[i] * drive[i]


@njit(cache=True, nogil=True, error_model="numpy")
def feed_back(
    feedback: Array, output: Array, current: Array, total: Array
) -> None:  # pragma: no cover - compiled
    """Set the current that comes from synapses and from the outputs with the same filter."""
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
    of_fast, of_slow = mean[0], mean[1]
    for i in range(drive.size if total.shape[0] else 0):
        total[place, i] += drive[i] + of_fast * fast[i] + of_slow * slow[i]


@njit(cache=True, nogil=True, error_model="numpy")
def keep_row(total: Array, place: int, values: Array) -> None:  # pragma: no cover - compiled
    """Add values to a row of sums."""
    for i in range(values.size if total.shape[0] else 0):
        total[place, i] += values[i]


@njit(cache=True, nogil=True, error_model="numpy")
def move(
    potential: Array, steady: Array, leak: Array, gain: Array, current: Array
) -> None:  # pragma: no cover - compiled
    """Take every potential to the end of the step, as if none were refractory."""
    for i in range(potential.size):
        potential[i] = leak[i] * potential[i] + steady[i] + gain[i] * current[i]


@njit(cache=True, nogil=True, error_model="numpy")
def move_and_hold(
    potential: Array,
    refractory: Array,
    current: Array,
    steady: Array,
    leak: Array,
    gain: Array,
    by_step: Array,
    reset: Array,
) -> None:  # pragma: no cover - compiled
    """Do the work of `move`, `decay` and `hold` in one sweep, where constants are alike for all.

    Not more: a loop over more arrays is not vectorized.
    """
    zero = refractory.dtype.type(0)
    one = refractory.dtype.type(1)
    by, share, later, value = leak[0], gain[0], by_step[0], reset[0]
    for i in range(potential.size):
        left = refractory[i]
        moved = by * potential[i] + steady[i] + share * current[i]
        potential[i] = moved if left <= zero else value
        refractory[i] = left - one
        current[i] *= later


@njit(cache=True, nogil=True, error_model="numpy")
def add_noise(total: Array, noise: Array, step: int) -> None:  # pragma: no cover - compiled
    """Add the noise of a step, if there is any."""
    for i in range(total.size if noise.shape[0] else 0):
        total[i] += noise[step, i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_product(total: Array, factor: Array, values: Array) -> None:  # pragma: no cover - compiled
    """Add values times a factor of each."""
    for i in range(total.size):
        total[i] += factor[i] * values[i]


@njit(cache=True, nogil=True, error_model="numpy")
def hold(potential: Array, refractory: Array, reset: Array) -> None:  # pragma: no cover - compiled
    """Put neurons that are refractory back to the reset, and count their steps down."""
    zero = refractory.dtype.type(0)
    one = refractory.dtype.type(1)
    for i in range(potential.size):
        left = refractory[i]
        potential[i] = potential[i] if left <= zero else reset[i]
        refractory[i] = left - one


@njit(cache=True, nogil=True, error_model="numpy")
def decay(by: float, values: Array) -> None:  # pragma: no cover - compiled
    """Let currents decay over the step."""
    for i in range(values.size):
        values[i] *= by


@njit(cache=True, nogil=True, error_model="numpy")
def compare(
    potential: Array, threshold: float, at_threshold: Array
) -> None:  # pragma: no cover - compiled
    """Say which neurons are at or above the threshold."""
    for i in range(potential.size):
        at_threshold[i] = potential[i] >= threshold


@njit(cache=True, nogil=True, error_model="numpy")
def compare_each(
    potential: Array, threshold: Array, at_threshold: Array
) -> None:  # pragma: no cover - compiled
    """Say which neurons are at or above their own threshold."""
    for i in range(potential.size):
        at_threshold[i] = potential[i] >= threshold[i]


@njit(cache=True, nogil=True, error_model="numpy")
def find(
    at_threshold: Array, words: Array, hits: Array, found: Array
) -> int:  # pragma: no cover - compiled
    """List the neurons at threshold, in order; return their number.

    Comparing all and then looking at eight answers at once beats a plain scan twofold: `words`
    are the bytes of `at_threshold`.  Nothing is asked that a processor would have to guess.
    """
    n_hits, n_new = 0, 0
    for word in range(words.size):
        hits[n_hits] = word
        n_hits += words[word] != 0
    for k in range(n_hits):
        first = 8 * hits[k]
        for i in range(first, first + 8):
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
        potential[i] = reset[i]
        refractory[i] = n_refractory[i]


@njit(cache=True, nogil=True, error_model="numpy")
def read_out(
    found: Array, n_new: int, weights: Array, by: float, output: Array
) -> None:  # pragma: no cover - compiled
    """Let the outputs decay, and jump by the weights of the neurons that spiked."""
    for o in range(output.size):
        output[o] *= by
    for k in range(n_new):
        for o in range(output.size):
            output[o] += weights[found[k], o]


@njit(cache=True, nogil=True, error_model="numpy")
def put_sum(one: Array, other: Array, rows: Array, row: int) -> None:  # pragma: no cover - compiled
    """Set one row of a matrix to the sum of two."""
    for k in range(one.size):
        rows[row, k] = one[k] + other[k]


@njit(cache=True, nogil=True, error_model="numpy")
def send(
    found: Array,
    n_new: int,
    delay: Array,
    slot: int,
    pending: Array,
    n_pending: Array,
    spike_neuron: Array,
    n_before: int,
) -> None:  # pragma: no cover - compiled
    """Note spikes, and put them into the ring, at the step in which they arrive."""
    for k in range(n_new):
        at = slot + delay[found[k]]
        at = at if at < n_pending.size else at - n_pending.size
        pending[at, n_pending[at]] = found[k]
        n_pending[at] += 1
        spike_neuron[n_before + k] = found[k]


@njit(cache=True, nogil=True, error_model="numpy")
def add_lists(
    start: Array,
    target: Array,
    weight: Array,
    pending: Array,
    n_pending: Array,
    slot: int,
    current: Array,
) -> None:  # pragma: no cover - compiled
    """Add the weights of the neurons whose spikes arrive to the currents of their targets."""
    for k in range(n_pending[slot] if target.size else 0):
        sender = pending[slot, k]
        for at in range(start[sender], start[sender + 1]):
            current[target[at]] += weight[at]


@njit(cache=True, nogil=True, error_model="numpy")
def add_rows(
    rows: Array, pending: Array, n_pending: Array, slot: int, current: Array
) -> None:  # pragma: no cover - compiled
    """Add the rows of the neurons whose spikes arrive, in the order of lists.

    Four at a time, so that the currents are read and written once for all four.
    """
    n_arrived = n_pending[slot] if rows.shape[0] else 0
    n_fours = n_arrived // 4 * 4
    for k in range(0, n_fours, 4):
        a, b = pending[slot, k], pending[slot, k + 1]
        c, d = pending[slot, k + 2], pending[slot, k + 3]
        for i in range(current.size):
            current[i] = (((current[i] + rows[a, i]) + rows[b, i]) + rows[c, i]) + rows[d, i]
    n_twos = n_fours + (n_arrived - n_fours) // 2 * 2
    for k in range(n_fours, n_twos, 2):
        a, b = pending[slot, k], pending[slot, k + 1]
        for i in range(current.size):
            current[i] = (current[i] + rows[a, i]) + rows[b, i]
    for k in range(n_twos, n_arrived):
        a = pending[slot, k]
        for i in range(current.size):
            current[i] += rows[a, i]
