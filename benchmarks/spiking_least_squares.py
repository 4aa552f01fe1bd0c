"""Recursive least squares of spiking networks: driven by spikes against a plain compiled loop.

Double precision, one thread, 1 ms steps, all neurons trained.  Both run the same network through
the same steps and learn at every one of them; the plain loop forms ``P s`` and changes ``P`` and
the weights at each update, in place, each matrix read and written once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from benchmarks.measure import Contestant, race
from benchmarks.subject import Bar, Outcome
from popdyn.network import Spiking
from popdyn.train import spiking_kernels as kernels
from popdyn.train.spiking_steps import steps_of

Array = np.ndarray
Run = Callable[[], tuple[Array, Array, Array]]

N_STEPS = 1000
N_COMPONENTS = 50


@njit(error_model="numpy", fastmath=kernels.REORDERED)
def plain(neurons, wiring, traces, learned, state, task, kept) -> None:
    """Learn step by step, with no work put off."""
    trace, heard = state.trace, state.heard
    weights, inverse = learned
    n_regressors, n_rows = weights.shape
    n_senders = n_regressors // 2
    drive, made, gain = np.zeros(len(state.potential)), np.zeros(n_rows), np.zeros(n_regressors)
    spiking = np.empty(len(state.potential), np.int64)
    for step in range(len(task.inputs)):
        kernels.set_drive(drive, wiring, heard, task.inputs, step)
        n_new = kernels.move(neurons, state, drive, traces.decay, task.noise, step, spiking)
        kernels.fade(trace[:n_senders], traces.decay[0])
        kernels.fade(trace[n_senders:], traces.decay[1])
        for k in range(n_new):
            trace[wiring.place[spiking[k]]] += traces.jump[0]
            trace[n_senders + wiring.place[spiking[k]]] += traces.jump[1]
            kept.n_spikes[spiking[k]] += 1
        made[:] = 0.0
        for i in range(n_regressors):
            kernels.add_product(made, trace[i], weights, i)
        heard[:] = made[: heard.size]
        share = 1.0
        for i in range(n_regressors):
            total = 0.0
            for j in range(n_regressors):
                total += inverse[i, j] * trace[j]
            gain[i] = total
            share += total * trace[i]
        made -= task.target[step]
        for i in range(n_regressors):
            factor = gain[i] / share
            kernels.add_product(inverse[i], -factor, gain.reshape(1, -1), 0)
            kernels.add_product(weights[i], -factor, made.reshape(1, -1), 0)


def contestant(learn: Callable[..., None], n_neurons: int, n_rows: int) -> Run:
    """Return a second of learning from the start; it gives weights, P and numbers of spikes."""
    rng = np.random.default_rng(2026)
    net = Spiking.random(
        n_neurons, g=0.0, inhibition=0.0, bias=1.0, tau_membrane=0.010, refractory=0.0, rng=0
    )
    neurons, traces = steps_of(net)
    n_heard = min(N_COMPONENTS, n_rows)
    nothing = np.zeros((0, 0))
    wiring = kernels.Wiring(
        input=rng.standard_normal((1, n_neurons)),
        spread=0.1 * rng.standard_normal((n_heard, n_neurons)),
        fast=nothing,
        slow=nothing,
        place=np.arange(n_neurons),
    )
    time = 0.001 * np.arange(N_STEPS)[:, None]
    frequency = rng.uniform(0.5, 5.0, n_rows)
    task = kernels.Task(
        inputs=0.3 * np.sin(2 * np.pi * 3 * time),
        noise=np.zeros((0, n_neurons)),
        target=np.sin(2 * np.pi * frequency * time + frequency),
        forced=False,
        update=np.ones(N_STEPS, np.bool_),
    )

    def run() -> tuple[Array, Array, Array]:
        learned = kernels.Learned(np.zeros((2 * n_neurons, n_rows)), np.eye(2 * n_neurons))
        sizes = (n_neurons, n_neurons, n_neurons, n_neurons, 2 * n_neurons, n_heard)
        state = kernels.State(*(np.zeros(size) for size in sizes))
        kept = kernels.Kept(
            np.zeros((N_STEPS, n_rows - n_heard)), np.zeros(n_neurons), np.zeros(n_neurons, int)
        )
        learn(neurons, wiring, traces, learned, state, task, kept)
        return learned.weights, learned.inverse, kept.n_spikes

    return run


def measure(n_neurons: int, n_rows: int, n_calls: int = 3) -> Outcome:
    """Race, after a check that both learn the same from the same spikes."""
    what = f"{2 * n_neurons} regressors, {n_rows} targets"
    outcome = Outcome(f"recursive least squares of a spiking network: {what}")
    entrants = [
        Contestant(
            "popdyn, driven by spikes", contestant(kernels.learn_spiking, n_neurons, n_rows)
        ),
        Contestant("plain numba loop", contestant(plain, n_neurons, n_rows)),
    ]
    ours, theirs = (entrant.run() for entrant in entrants)
    worst = max(
        float(np.abs(one - other).max() / np.abs(other).max())
        for one, other in zip(ours[:2], theirs[:2], strict=True)
    )
    same = bool(np.array_equal(ours[2], theirs[2]))
    rate = float(ours[2].mean()) / (0.001 * N_STEPS)
    outcome.remarks.append(f"{rate:.1f} Hz; numbers of spikes equal: {same}")
    seconds = {}
    for timing in race(entrants, n_calls):
        row = timing.row()
        seconds[timing.name] = float(row["cpu_s_least"])
        outcome.rows.append({**row, "us_per_step": round(1e6 * row["cpu_s"] / N_STEPS, 1)})
    faster = round(seconds[entrants[1].name] / seconds[entrants[0].name], 2)
    outcome.bars.append(Bar("times faster than a plain numba loop", faster, 3.0, at_most=False))
    outcome.bars.append(Bar("largest relative difference from it", worst, 1e-10))
    return outcome


SUBJECTS = {
    "spiking_least_squares": lambda: measure(400, 51),
    "spiking_least_squares_many": lambda: measure(500, 500),
}
