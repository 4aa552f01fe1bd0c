"""Spiking networks that learn: exact recursive least squares driven by spikes.

The regressors ``s`` are exponentially filtered spikes, which decay by the same factor at every
step and jump where there was a spike.  So do ``P s`` and ``D s``, with ``P`` the inverse
correlations and ``D`` the weights that are learned: they are carried along, and the rank-one
changes of ``P`` and ``D`` since the last flush are corrected for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

# Sums may be taken in another order, so that they run side by side.
REORDERED = {"contract", "reassoc", "nsz", "arcp"}
# Updates after which the changes of P and D are carried out, in one matrix product each.
N_PENDING = 32


class Neurons(NamedTuple):
    """Constants of the neurons over a step, each of shape (neuron,)."""

    leak: Array
    gain: Array  # of a constant current
    gain_fast: Array  # of a current that decays
    gain_slow: Array
    threshold: Array
    reset: Array
    n_refractory: Array
    bias: Array


class Wiring(NamedTuple):
    """What stays as it is while the network learns."""

    input: Array  # (channel, neuron)
    spread: Array  # (component, neuron), from currents that are learned to neurons
    fast: Array  # (neuron, neuron), row = sender; or no rows
    slow: Array  # (neuron, neuron), row = sender; or no rows
    place: Whole  # (neuron,), position among those whose spikes are learned from, or -1


class Traces(NamedTuple):
    """How filtered spikes decay over a step and jump at a spike, slow then fast."""

    decay: Array  # (2,)
    jump: Array  # (2,)


class Learned(NamedTuple):
    """What learning changes."""

    weights: Array  # (regressor, component or output)
    inverse: Array  # (regressor, regressor)


class State(NamedTuple):
    """What a network goes on from."""

    potential: Array  # (neuron,)
    refractory: Array  # (neuron,)
    fast: Array  # (neuron,), current of the wiring
    slow: Array  # (neuron,)
    trace: Array  # (regressor,), slow of all senders, then fast
    heard: Array  # (component,), the learned currents at the end of the last step


class Task(NamedTuple):
    """What a network is shown and asked for, step by step."""

    inputs: Array  # (step, channel)
    noise: Array  # (step, neuron), or no rows
    target: Array  # (step, component or output)
    forced: bool  # whether the network hears the targets in place of what it makes of them
    update: NDArray[np.bool_]  # (step,), whether to learn


class Kept(NamedTuple):
    """What is kept of the steps."""

    output: Array  # (step, output)
    mean_current: Array  # (neuron,), sum over steps of what the learned currents do
    n_spikes: Whole  # (neuron,)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def learn_spiking(
    neurons: Neurons,
    wiring: Wiring,
    traces: Traces,
    learned: Learned,
    state: State,
    task: Task,
    kept: Kept,
) -> None:  # pragma: no cover - compiled
    """Run a network through some steps, learning where it is told to.

    The order within a step is that of ``popdyn.simulate``: potentials move with the currents of
    the step before, currents decay, spikes are found and make currents jump.
    """
    potential, refractory, fast, slow, trace, heard = state
    weights, inverse = learned
    n_regressors, n_rows = weights.shape
    n_heard = heard.size
    # P s and D s of the slow and of the fast half of the regressors.
    by_slow, by_fast = halves(inverse, trace)
    made_slow, made_fast = halves(np.ascontiguousarray(weights.T), trace)
    gain_vectors = np.zeros((N_PENDING, n_regressors))
    errors = np.zeros((N_PENDING, n_rows))
    drive, made = np.zeros(potential.size), np.zeros(n_rows)
    spiking = np.empty(potential.size, np.int64)
    n_pending = 0
    for step in range(task.inputs.shape[0]):
        set_drive(drive, wiring, heard, task.inputs, step)
        n_new = move(neurons, state, drive, traces.decay, task.noise, step, spiking)
        add_rows(wiring.fast, spiking, n_new, fast)
        add_rows(wiring.slow, spiking, n_new, slow)
        fade_traces(traces.decay, trace, by_slow, by_fast, made_slow, made_fast)
        hear(
            spiking, n_new, wiring.place, traces.jump, trace, inverse, weights, gain_vectors,
            errors, n_pending, by_slow, by_fast, made_slow, made_fast,
        )  # fmt: skip
        for k in range(n_new):
            kept.n_spikes[spiking[k]] += 1
        for m in range(n_rows):
            made[m] = made_slow[m] + made_fast[m]
        for m in range(n_heard):
            heard[m] = task.target[step, m] if task.forced else made[m]
        for m in range(n_heard, n_rows):
            kept.output[step, m - n_heard] = made[m]
        if task.forced:
            add_heard(kept.mean_current, wiring.spread, heard)
        if task.update[step]:
            correct(
                trace, made, task.target, step, by_slow, by_fast, made_slow, made_fast,
                gain_vectors, errors, n_pending,
            )  # fmt: skip
            n_pending += 1
            if n_pending == N_PENDING:
                flush(weights, inverse, gain_vectors, errors, n_pending)
                n_pending = 0
    flush(weights, inverse, gain_vectors, errors, n_pending)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def hear(
    spiking: Whole,
    n_new: int,
    place: Whole,
    jump: Array,
    trace: Array,
    inverse: Array,
    weights: Array,
    gain_vectors: Array,
    errors: Array,
    n_pending: int,
    by_slow: Array,
    by_fast: Array,
    made_slow: Array,
    made_fast: Array,
) -> None:  # pragma: no cover - compiled
    """Let the traces of neurons that spiked jump, and what is carried along with them."""
    of_slow, of_fast = np.zeros(n_pending), np.zeros(n_pending)
    n_senders = trace.size // 2
    n_heard = 0
    for k in range(n_new):
        at = place[spiking[k]]
        if at < 0:
            continue
        n_heard += 1
        late = n_senders + at
        trace[at] += jump[0]
        trace[late] += jump[1]
        add_product(by_slow, jump[0], inverse, at)
        add_product(by_fast, jump[1], inverse, late)
        add_product(made_slow, jump[0], weights, at)
        add_product(made_fast, jump[1], weights, late)
        for u in range(n_pending):
            of_slow[u] += jump[0] * gain_vectors[u, at]
            of_fast[u] += jump[1] * gain_vectors[u, late]
    for u in range(n_pending if n_heard else 0):
        add_product(by_slow, -of_slow[u], gain_vectors, u)
        add_product(by_fast, -of_fast[u], gain_vectors, u)
        add_product(made_slow, -of_slow[u], errors, u)
        add_product(made_fast, -of_fast[u], errors, u)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def correct(
    trace: Array,
    made: Array,
    target: Array,
    step: int,
    by_slow: Array,
    by_fast: Array,
    made_slow: Array,
    made_fast: Array,
    gain_vectors: Array,
    errors: Array,
    n_pending: int,
) -> None:  # pragma: no cover - compiled
    """Note one update of recursive least squares, and correct what is carried along for it."""
    n_regressors = trace.size
    n_senders = n_regressors // 2
    from_slow, from_fast = 0.0, 0.0
    gain = gain_vectors[n_pending]
    for i in range(n_regressors):
        gain[i] = by_slow[i] + by_fast[i]
    for i in range(n_senders):
        from_slow += gain[i] * trace[i]
    for i in range(n_senders, n_regressors):
        from_fast += gain[i] * trace[i]
    share = 1.0 / (1.0 + from_slow + from_fast)
    root = np.sqrt(share)
    of_slow, of_fast = share * from_slow, share * from_fast
    for i in range(n_regressors):
        by_slow[i] -= of_slow * gain[i]
        by_fast[i] -= of_fast * gain[i]
    for i in range(n_regressors):
        gain[i] *= root
    for m in range(made.size):
        error = made[m] - target[step, m]
        errors[n_pending, m] = root * error
        made_slow[m] -= of_slow * error
        made_fast[m] -= of_fast * error


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def flush(
    weights: Array, inverse: Array, gain_vectors: Array, errors: Array, n_pending: int
) -> None:  # pragma: no cover - compiled
    """Carry out the updates noted so far."""
    if n_pending == 0:
        return
    gains = gain_vectors[:n_pending]
    inverse -= np.dot(gains.T, gains)
    weights -= np.dot(gains.T, errors[:n_pending])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def halves(matrix: Array, trace: Array) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Multiply ``(row, regressor)`` with the slow and with the fast half of the regressors."""
    n_senders = trace.size // 2
    slow, fast = trace.copy(), trace.copy()
    slow[n_senders:] = 0.0
    fast[:n_senders] = 0.0
    return np.dot(matrix, slow), np.dot(matrix, fast)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def set_drive(
    drive: Array, wiring: Wiring, heard: Array, inputs: Array, step: int
) -> None:  # pragma: no cover - compiled
    """Add up the currents of a step that come from what is learned and from the inputs."""
    spread, into = wiring.spread, wiring.input
    for i in range(drive.size):
        drive[i] = 0.0
    n_fours = heard.size // 4 * 4
    for q in range(0, n_fours, 4):
        a, b, c, d = heard[q], heard[q + 1], heard[q + 2], heard[q + 3]
        for i in range(drive.size):
            drive[i] += (
                a * spread[q, i]
                + b * spread[q + 1, i]
                + c * spread[q + 2, i]
                + d * spread[q + 3, i]
            )
    for q in range(n_fours, heard.size):
        add_product(drive, heard[q], spread, q)
    for k in range(inputs.shape[1]):
        if inputs[step, k] != 0.0:
            add_product(drive, inputs[step, k], into, k)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def move(
    neurons: Neurons,
    state: State,
    drive: Array,
    decay: Array,
    noise: Array,
    step: int,
    spiking: Whole,
) -> int:  # pragma: no cover - compiled
    """Take potentials to the end of a step; list who spikes there, and return how many."""
    leak, gain, gain_fast, gain_slow, threshold, reset, n_refractory, bias = neurons
    potential, refractory, fast, slow = state.potential, state.refractory, state.fast, state.slow
    for i in range(potential.size):
        moved = (
            leak[i] * potential[i]
            + gain[i] * (bias[i] + drive[i])
            + gain_fast[i] * fast[i]
            + gain_slow[i] * slow[i]
        )
        potential[i] = moved
        fast[i] *= decay[1]
        slow[i] *= decay[0]
    for i in range(potential.size if noise.shape[0] else 0):
        potential[i] += noise[step, i]
    for i in range(potential.size):
        potential[i] = potential[i] if refractory[i] <= 0.0 else reset[i]
        refractory[i] -= 1.0
    n_new = 0
    for i in range(potential.size):
        if potential[i] >= threshold[i]:
            potential[i] = reset[i]
            refractory[i] = n_refractory[i]
            spiking[n_new] = i
            n_new += 1
    return n_new


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def fade(values: Array, by: float) -> None:  # pragma: no cover - compiled
    """Let values decay over a step."""
    for i in range(values.size):
        values[i] *= by


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def fade_traces(
    decay: Array, trace: Array, by_slow: Array, by_fast: Array, made_slow: Array, made_fast: Array
) -> None:  # pragma: no cover - compiled
    """Let traces decay, and what is carried along with them."""
    n_senders = trace.size // 2
    fade(trace[:n_senders], decay[0])
    fade(trace[n_senders:], decay[1])
    fade(by_slow, decay[0])
    fade(by_fast, decay[1])
    fade(made_slow, decay[0])
    fade(made_fast, decay[1])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def add_product(
    total: Array, factor: float, rows: Array, row: int
) -> None:  # pragma: no cover - compiled
    """Add a multiple of a row."""
    for i in range(total.size):
        total[i] += factor * rows[row, i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def add_rows(
    rows: Array, spiking: Whole, n_new: int, current: Array
) -> None:  # pragma: no cover - compiled
    """Add the weights of neurons that spiked to the currents of their targets."""
    for k in range(n_new if rows.shape[0] else 0):
        add_product(current, 1.0, rows, spiking[k])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def add_heard(total: Array, spread: Array, heard: Array) -> None:  # pragma: no cover - compiled
    """Add up what the learned currents do to each neuron."""
    for q in range(heard.size):
        add_product(total, heard[q], spread, q)
