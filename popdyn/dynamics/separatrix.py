"""How far from a decision a network is: pushed ever less, until it just no longer decides.

A recording tells the distance to the boundary between yes and no by the stimuli that were just
missed (`popdyn.separatrix_distance`).  A network can be asked: without noise its state is
pushed, the size of the push is halved between too much and too little, and the smallest push that
turns the choice is the distance, in the direction of the push.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.push import Push, read_push
from popdyn.errors import TensorError
from popdyn.network.rate import Rate
from popdyn.network.real_numbers import real_number
from popdyn.network.spiking import Spiking
from popdyn.simulation.steps import Array
from popdyn.tasks import Task
from popdyn.tensor.result import make_result

# Sizes tried first, evenly spaced up to the largest: a boundary that is crossed back between two
# of them is not seen.
_N_FIRST = 16


def separatrix_bisect(
    net: Rate | Spiking,
    trial: xr.Dataset,
    direction: str | int | Any,
    at: Any,
    *,
    largest: float,
    duration: float = 0.0,
    tolerance: float = 1e-3,
    initial_state: Any = None,
    task: Task | None = None,
) -> xr.Dataset:
    """Find the smallest push that turns a network's choice, at each of some times.

    Parameters
    ----------
    net : Rate
        The network.  In a spiking one the next spike, not a distance, decides what a push does:
        it has no boundary that could be found by halving.
    trial : Dataset
        One trial to push the network off, for a detection one without stimulus and without noise.
        Its task says what the output means.
    direction : str, int or array (neuron,)
        Where to: along the weights of an input channel (name or number), or along a vector.
    at : sequence of float
        When pushes begin, in s from the start of the trial.
    largest : float
        Size of the largest push that is tried, in multiples of `direction`: for a channel the
        amplitude of its input.
    duration : float, default 0
        0: the state is moved at once, by a multiple of `direction`.  Otherwise for how long (s) an
        input pushes: the amplitude is then the threshold of a stimulus.
    tolerance : float, default 1e-3
        Width of the interval in which a threshold is found, as a share of `largest`.
    initial_state, task
        As in `popdyn.simulate`.

    Returns
    -------
    Dataset
        By ``onset`` (s), beside it ``offset``, when the push is over:

        - ``threshold``: the size that turns the choice, middle of the interval it lies in; NaN
          where none up to `largest` does
        - ``separatrix_distance``: how far the push of this size has moved the state when it is
          over, Euclidean
        - ``n_turns``: how often the choice changes over 16 sizes from 0 to `largest`.  1: there
          is one boundary; more: the threshold is that of the first
        - ``reason``: why there is no threshold, else ""

        ``attrs["choice"]`` is the choice without a push.

    Raises
    ------
    TensorError
        If `net` is no rate network, there is not one trial, nothing says what its output means,
        it ends in no choice, or pushes are not within it.

    References
    ----------
    Carnevale, de Lafuente, Romo, Barak and Parga (2015), Neuron 86:1067, for the distance; finding
    it by pushes is ours.

    Examples
    --------
    Two neurons that exclude each other, pushed along the first: the boundary is where they are
    equal, and without a push they end 2 * 2.985 apart.

    >>> import numpy as np
    >>> import popdyn as pdn
    >>> net = pdn.network.Rate(
    ...     recurrent=[[0, -3], [-3, 0]], input=np.zeros((2, 2)), output=[[1, -1]],
    ...     tau=0.02, dt=0.01,
    ... )
    >>> task = pdn.tasks.Detection(no_target=-1.0, stimulus_noise=0.0)
    >>> trials = task.sample(8, rng=0, dt=net.dt)
    >>> absent = trials.isel(trial=np.flatnonzero(trials.stimulus == 0)[:1])
    >>> result = pdn.dynamics.separatrix_bisect(
    ...     net, absent, [1, 0], [1.0], largest=8, initial_state=[-0.1, 0.1]
    ... )
    >>> result.separatrix_distance.values.round(2)
    array([5.97])
    """
    if not isinstance(net, Rate):
        message = (
            "separatrix_bisect pushes the state of a rate network (pdn.network.Rate), found "
            f"{type(net).__name__}: the state of a spiking one jumps with each spike, and has no "
            "boundary to be found by halving"
        )
        raise TensorError(message)
    push = read_push(net, trial, direction, at, duration, initial_state, task)
    largest, tolerance = _positive("largest", largest), _positive("tolerance", tolerance)
    before = float(push.choices(np.zeros(1), np.zeros(1, dtype=np.intp))[0])
    if not np.isfinite(before):
        message = (
            "the trial ends in no choice without a push (its output is exactly at the criterion), "
            "so that none can turn it: give initial_state, or another network"
        )
        raise TensorError(message)
    turned = _turned(push, largest, before)
    threshold = _halved(push, largest, tolerance, before, np.argmax(turned, axis=1))
    found = turned.any(axis=1)
    threshold[~found] = np.nan
    none = f"no push up to {largest:g} turns the choice"
    result = make_result(
        {
            "threshold": ("onset", threshold),
            "separatrix_distance": ("onset", np.where(found, push.moved(threshold), np.nan)),
            "n_turns": ("onset", np.diff(turned, axis=1, prepend=False).sum(axis=1)),
            "reason": ("onset", np.where(found, "", none)),
        },
        coords={"onset": push.onset, "offset": ("onset", push.offset)},
        method="separatrix_bisect",
        parameters={
            "direction": direction, "at": at, "largest": largest, "duration": duration,
            "tolerance": tolerance,
        },
        source=trial,
    )  # fmt: skip
    for name, units in {"threshold": "1", "separatrix_distance": "1"}.items():
        result[name].attrs["units"] = units
    for name in ("onset", "offset"):
        result[name].attrs["units"] = "s"
    return result.assign_attrs(choice=before)


def _turned(push: Push, largest: float, before: float) -> NDArray[np.bool_]:
    """Say for each onset and each of the sizes tried first whether the choice is turned."""
    sizes = largest * np.arange(1, _N_FIRST + 1) / _N_FIRST
    which = np.arange(len(push.first))
    after = push.choices(np.tile(sizes, len(which)), np.repeat(which, _N_FIRST))
    turned: NDArray[np.bool_] = (np.isfinite(after) & (after != before)).reshape(
        len(which), _N_FIRST
    )
    return turned


def _halved(
    push: Push, largest: float, tolerance: float, before: float, below: NDArray[np.intp]
) -> Array:
    """Halve the interval above the chosen size of each onset until it is narrow enough."""
    which = np.arange(len(push.first))
    low = largest * below / _N_FIRST
    width = largest / _N_FIRST
    while width > tolerance * largest:
        width /= 2.0
        after = push.choices(low + width, which)
        low = np.where(np.isfinite(after) & (after != before), low, low + width)
    middle: Array = low + width / 2.0
    return middle


def _positive(name: str, value: object) -> float:
    """Return a positive number."""
    number = real_number(name, value, "a positive number")
    if number <= 0:
        message = f"{name} must be a positive number, found {value!r}"
        raise TensorError(message)
    return number
