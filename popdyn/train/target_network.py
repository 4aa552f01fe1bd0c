"""Target networks of full-FORCE: rate networks that are told the target and hints.

What flows in such a network while it is told the answer is what a learner learns to make by
itself (DePasquale, Cueva, Rajan, Escola & Abbott 2018).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.network.rate import Rate
from popdyn.network.real_numbers import real_number
from popdyn.resample import Seed, as_generator
from popdyn.tasks import Task
from popdyn.tasks.lesson import lesson_of
from popdyn.train.begin import seconds
from popdyn.train.own_tasks import check_task
from popdyn.train.stream import Filters, LowPass, Stream
from popdyn.train.target_kernel import run_target

Single = NDArray[np.float32]
Hints = Mapping[str, float]

HINT_FILTER, TARGET_FILTER = 0.040, 0.010  # s
# Steps whose currents are in memory at once.
_CHUNK = 4096


def target_network(
    task: Task,
    n_neurons: int = 400,
    *,
    g: float = 1.2,
    tau: float = 0.010,
    dt: float = 0.001,
    rng: Seed = 0,
) -> Rate:
    """Draw a network that can be told the target and the hints of a task.

    Parameters
    ----------
    task : Task
        Says how many targets, hints and inputs there are.
    n_neurons : int
        Number of neurons.
    g : float
        Gain of the recurrent weights, N(0, g²/n_neurons), dimensionless.
    tau, dt : float
        Time constant and step in seconds.
    rng : int or numpy.random.Generator
        Seed, or generator to draw from.

    Returns
    -------
    Rate
        Its inputs are the targets, the hints and the inputs of the task, in this order, with
        weights U(-1, 1); its outputs are 0.

    See Also
    --------
    target_trials : trials for it, so that `popdyn.simulate` gives its activity.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.IntervalProduction()
    >>> net = pdn.train.target_network(task, 50, rng=0)
    >>> trials = pdn.train.target_trials(task, task.sample(4, rng=0, dt=net.dt))
    >>> sim = pdn.simulate(net, trials, method="exponential")
    >>> dict(sim["rate"].sizes)["neuron"]
    50
    """
    generator, _ = as_generator(rng)
    check_task(task)
    lesson = lesson_of(task, task.sample(1, np.random.default_rng(0), dt=dt))
    n_outputs = lesson.sizes["output"]
    n_told = n_outputs + lesson.sizes["hint"] + lesson.sizes["channel"]
    net = Rate.random(n_neurons, g=g, tau=tau, dt=dt, rng=generator)
    told = generator.uniform(-1.0, 1.0, (n_neurons, n_told))
    return Rate(net.recurrent, told, np.zeros((n_outputs, n_neurons)), tau=tau, dt=dt)


def target_trials(
    task: Task,
    trials: xr.Dataset,
    *,
    hints: Hints | None = None,
    target_filter: float = TARGET_FILTER,
    hint_filter: float = HINT_FILTER,
) -> xr.Dataset:
    """Return trials in which the inputs are what a target network is told.

    Parameters
    ----------
    task : Task
        The task of the trials.
    trials : Dataset
        From ``task.sample``.
    hints : mapping of str to float, optional
        Factors of hints by name; 1 for those not named.
    target_filter, hint_filter : float
        Time constants of the low-pass filters in seconds, which start at 0 in each trial.

    Returns
    -------
    Dataset
        The trials, their ``inputs`` replaced by targets, hints and true inputs.

    Raises
    ------
    TensorError
        If the task has no such hint, gives no targets, or the trials are of another task.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.IntervalProduction()
    >>> trials = task.sample(2, rng=0)
    >>> told = pdn.train.target_trials(task, trials)
    >>> told.sizes["channel"] > trials.sizes["channel"]
    True
    """
    given: Any = trials
    if isinstance(task, xr.Dataset) and not isinstance(given, xr.Dataset):
        message = "target_trials(task, trials): the task comes first, then its trials"
        raise TensorError(message)
    check_task(task)
    lesson = lesson_of(task, trials)
    dt = float(trials.attrs["dt"])
    filters = Filters.of(
        seconds("target_filter", target_filter, dt), seconds("hint_filter", hint_filter, dt), dt
    )
    factor = hint_factors(lesson["hint"].to_numpy().astype(str).tolist(), hints)
    shapes = ("trial", "step_time")
    target = lesson["target"].transpose(*shapes, "output").to_numpy()
    hint = lesson["hints"].transpose(*shapes, "hint").to_numpy() * factor
    parts = [
        _filtered(target, filters.target),
        _filtered(hint, filters.hint),
        lesson["inputs"].transpose(*shapes, "channel").to_numpy(),
    ]
    inputs = np.concatenate(parts, axis=2).transpose(2, 1, 0)
    kept = trials.drop_vars("inputs").drop_dims("channel", errors="ignore")
    return kept.assign(inputs=(("channel", "step_time", "trial"), inputs, {"units": "1"}))


def _filtered(values: NDArray[np.float64], low_pass: LowPass) -> NDArray[np.float64]:
    """Filter each trial ``(trial, step, channel)`` by itself."""
    filtered = np.empty_like(values)
    for row, out in zip(values, filtered, strict=True):
        low_pass.state = None
        out[...] = low_pass(row)
    return filtered


def read_hints(hints: Any) -> dict[str, float]:
    """Return the factors that were given.

    Raises
    ------
    TensorError
        If they are no mapping.
    """
    if hints is None:
        return {}
    if not isinstance(hints, Mapping):
        message = f"hints must map names of hints to their factors, found {hints!r:.60}"
        raise TensorError(message)
    return dict(hints)


def hint_factors(names: list[str], hints: Hints | None) -> NDArray[np.float64]:
    """Return the factor of each hint of a task.

    Raises
    ------
    TensorError
        If a name is none of the task's, or a factor no number.
    """
    given = read_hints(hints)
    for name, factor in given.items():
        if name not in names:
            if not names:
                message = f"this task has no hints, found hints={{{name!r}: ...}}: leave hints out"
                raise TensorError(message)
            near = difflib.get_close_matches(str(name), names, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            message = f"hints may hold {', '.join(names)}, found {name!r}{guess}"
            raise TensorError(message)
        if not np.isfinite(real_number(f"hints[{name!r}]", factor, "a finite number")):
            message = f"hints[{name!r}] must be a finite number, found {factor!r}"
            raise TensorError(message)
    return np.array([float(given.get(name, 1.0)) for name in names])


class TargetRun:
    """A target network that goes on from block to block, and the currents that flow in it.

    Parameters
    ----------
    net : Rate
        From `target_network`.
    factors : ndarray, shape (hint,)
        Factors of the hints.
    n_outputs : int
        Outputs of the task.
    rng : numpy.random.Generator
        Draws the first state.
    """

    def __init__(
        self, net: Rate, factors: NDArray[np.float64], n_outputs: int, rng: np.random.Generator
    ) -> None:
        n_told = n_outputs + factors.size
        self.state = rng.standard_normal(net.n_neurons).astype(np.float32)
        self._factors = factors
        self._decay: Any = np.float32(np.exp(-net.dt / float(np.mean(net.tau))))
        self._recurrent = np.ascontiguousarray(net.recurrent.T, dtype=np.float32)
        self._told = np.ascontiguousarray(net.input.T[:n_told], dtype=np.float32)
        self._shown = np.ascontiguousarray(net.input.T[n_told:], dtype=np.float32)

    def currents(self, stream: Stream) -> Iterator[tuple[slice, Single]]:
        """Run through a block; yield parts of it and their currents ``(step, neuron)``.

        The currents are all but those of the inputs, which the learner receives itself.
        """
        told = np.concatenate([stream.target, stream.hint * self._factors], axis=1)
        for first in range(0, stream.n_steps, _CHUNK):
            part = slice(first, min(first + _CHUNK, stream.n_steps))
            yield (
                part,
                run_target(
                    self._recurrent,
                    self._told,
                    self._shown,
                    told[part].astype(np.float32),
                    stream.shown[part].astype(np.float32),
                    self.state,
                    self._decay,
                ),
            )
