"""Loss and gradient of a network with any recurrent weights, all trials of a tile at once.

States follow ``x[t+1] = keep x[t] + J r[t] + u[t] input + bias + noise``; weights hold the share
of a step already.  Each step forward or back is one matrix product, left to BLAS, and one compiled
sweep over trials and neurons that does all the rest.  The gradient of ``J`` is one product of the
slopes and rates of all steps.  The plain form is ``tests/oracles/backprop.py``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from popdyn.train.backprop_functions import activate, times_slope
from popdyn.train.backprop_loss import REORDERED, STATE, Constants, Lesson, step_loss
from popdyn.train.backprop_noise import add_inputs, add_noise

Array = NDArray[Any]


class FullRankWeights(NamedTuple):
    """What can be learned, or the gradient of it; vectors of neurons lie in rows.

    Attributes
    ----------
    recurrent : ndarray, shape (neuron, neuron)
        Recurrent weights; row = receiving neuron.
    input, output, bias, initial, output_bias, scale, offset : ndarray
        As in `popdyn.train.backprop_low_rank.LowRankWeights`.
    """

    recurrent: Array
    input: Array
    output: Array
    bias: Array
    initial: Array
    output_bias: Array
    scale: Array
    offset: Array


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _sweep_forward(
    w: FullRankWeights, c: Constants, lesson: Lesson, t: int, before: Array, x: Array, rate: Array
) -> None:  # pragma: no cover - compiled
    """End a step of all trials: `x (trial, neuron)` holds the product with the recurrent weights.

    ``x`` and ``rate`` become those after the step.
    """
    std, first = c.numbers[0], c.numbers[2]
    for trial in range(x.shape[0]):
        x1, x0 = x[trial], before[trial]
        for i in range(x1.size):
            x1[i] += c.keep[i] * x0[i] + w.bias[i]
        # What a trial is shown after its end may be anything.
        if t < lesson.n_steps[trial]:
            add_inputs(x1, w.input, lesson.inputs[trial, t])
        if t == 0 and first != 1:
            for i in range(x1.size):
                x1[i] = x0[i] + first * (x1[i] - x0[i])
        if std != 0:
            add_noise(x1, std, lesson.keys[trial], t)
        activate(c.kind, c.gain, x1, rate[trial])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _sweep_back(
    w: FullRankWeights,
    c: Constants,
    lesson: Lesson,
    t: int,
    state: Array,
    rate: Array,
    behind: tuple[Array, Array],
    g: Array,
    d: FullRankWeights,
) -> float:  # pragma: no cover - compiled
    """Return the loss of a step of all trials; put slopes along its states into `g`.

    ``behind`` are the slopes along the states one step later, and along the rates by way of
    them, ``(trial, neuron)``.
    """
    later, product = behind
    kind = g.dtype
    work = np.empty((3, g.shape[1]), kind)
    error = np.empty(w.output.shape[0], kind)
    q, direct = work[1], work[2]
    loss = 0.0
    for trial in range(g.shape[0]):
        g1, g2, way = g[trial], later[trial], product[trial]
        if t >= lesson.n_steps[trial]:
            g1[:] = kind.type(0)
            continue
        asked = (lesson.target[trial, t], lesson.weight[trial, t])
        loss += step_loss(w, c, asked, state[trial], rate[trial], d, work, error)
        for i in range(g1.size):
            q[i] += way[i]
        times_slope(c.kind, c.gain, state[trial], rate[trial], q)
        for i in range(g1.size):
            g1[i] = c.keep[i] * g2[i] + q[i] + direct[i]
    return loss


@njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)
def _sweep_start(
    c: Constants, state: Array, rate: Array, behind: tuple[Array, Array], d_initial: Array
) -> None:  # pragma: no cover - compiled
    """Add the slopes along the states at the start, the same for all trials, to `d_initial`."""
    later, product = behind
    q = np.empty(state.size, state.dtype)
    for trial in range(later.shape[0]):
        g2, way = later[trial], product[trial]
        for i in range(q.size):
            q[i] = way[i]
        times_slope(c.kind, c.gain, state, rate, q)
        for i in range(q.size):
            d_initial[i] += c.keep[i] * g2[i] + q[i]


def full_rank_tile(w: FullRankWeights, c: Constants, lesson: Lesson, d: FullRankWeights) -> float:
    """Return the loss of some trials; add its gradient to `d`."""
    # What grows beyond all bounds is said by the loss.
    with np.errstate(over="ignore", invalid="ignore"):
        return _forth_and_back(w, c, lesson, d)


def _forth_and_back(w: FullRankWeights, c: Constants, lesson: Lesson, d: FullRankWeights) -> float:
    """Do what `full_rank_tile` promises."""
    n_trials, n_steps = lesson.inputs.shape[0], int(lesson.n_steps.max())
    states, rates = _run(w, c, lesson, n_steps)
    slopes = np.empty((n_steps, n_trials, w.bias.size), w.bias.dtype)
    later = product = np.zeros_like(slopes[0])
    room = np.empty_like(later)
    every = len(states) > 2
    loss = 0.0
    for t in range(n_steps - 1, -1, -1):
        state = states[t + 1 if every else 0]
        behind = (later, product)
        loss += _sweep_back(w, c, lesson, t, state, rates[t + 1], behind, slopes[t], d)
        later = slopes[t]
        first = c.numbers[2]
        if t == 0 and first != 1:
            d.initial[...] += (1 - first) * later.sum(axis=0)
            later *= first
        product = np.matmul(later, w.recurrent, out=room)
    _sweep_start(c, w.initial, rates[0, 0], (later, product), d.initial)
    flat = slopes.reshape(n_steps * n_trials, -1).T
    d.recurrent[...] += flat @ rates[:-1].reshape(n_steps * n_trials, -1)
    shown = np.arange(n_steps)[None, :, None] < lesson.n_steps[:, None, None]
    inputs = np.where(shown, lesson.inputs[:, :n_steps], 0)
    inputs = inputs.transpose(1, 0, 2).reshape(n_steps * n_trials, -1)
    d.input[...] += (flat @ inputs).T
    d.bias[...] += flat.sum(axis=1)
    return loss


def _run(w: FullRankWeights, c: Constants, lesson: Lesson, n_steps: int) -> tuple[Array, Array]:
    """Return states (the newest two alone, unless they are needed) and rates of all steps."""
    n_trials = len(lesson.inputs)
    every = c.kind == 5 or c.held == STATE
    states = np.empty((n_steps + 3 if every else 2, n_trials, w.bias.size), w.bias.dtype)
    rates = np.empty((n_steps + 1, *states.shape[1:]), w.bias.dtype)
    states[0] = w.initial
    activate(c.kind, c.gain, w.initial, rates[0, 0])
    rates[0] = rates[0, 0]
    for t in range(n_steps):
        before = states[t if every else t % 2]
        x = states[t + 1 if every else (t + 1) % 2]
        np.matmul(rates[t], w.recurrent.T, out=x)
        _sweep_forward(w, c, lesson, t, before, x, rates[t + 1])
    return states, rates
