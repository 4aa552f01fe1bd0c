"""Trials laid end to end in time, as a network learns them: it is never reset between two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.signal import lfilter  # type: ignore[attr-defined]

from popdyn.errors import TensorError
from popdyn.network.doubtful_seconds import doubt_seconds
from popdyn.tasks import Task
from popdyn.tasks.lesson import lesson_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """Some trials and the pauses between them, step by step.

    Attributes
    ----------
    inputs : ndarray, shape (step, channel)
        What the learner is shown: errors of the senses and noise are in.
    shown : ndarray, shape (step, channel)
        What a target network is shown: the true stimuli.
    target : ndarray, shape (step, output)
        What the output should be, low-passed.
    hint : ndarray, shape (step, hint)
        What else a target network is told, low-passed.
    counts : ndarray of bool, shape (step,)
        Steps of the tasks' masks.
    """

    inputs: Array
    shown: Array
    target: Array
    hint: Array
    counts: NDArray[np.bool_]

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.inputs)


@dataclass
class LowPass:
    """Causal exponential filter that goes on from one block of steps to the next.

    Parameters
    ----------
    tau : float
        Time constant in seconds; 0 leaves everything as it is.
    dt : float
        Step in seconds.
    state : ndarray, shape (1, channel), optional
        What is left of the steps before.
    """

    tau: float
    dt: float
    state: Array | None = field(default=None)

    def __call__(self, values: Array) -> Array:
        """Filter ``(step, channel)``."""
        if self.tau == 0 or not values.size:
            return values
        keep = float(np.exp(-self.dt / self.tau))
        start = np.zeros((1, values.shape[1])) if self.state is None else self.state
        filtered, self.state = lfilter([1 - keep], [1, -keep], values, axis=0, zi=start)
        return np.asarray(filtered)


@dataclass
class Filters:
    """The filters of targets and of hints."""

    target: LowPass
    hint: LowPass

    @classmethod
    def of(cls, target_filter: float, hint_filter: float, dt: float) -> Filters:
        """Make filters with time constants in seconds that have heard nothing yet.

        Those that look like milliseconds are warned of.
        """
        doubt_seconds({"target_filter": target_filter, "hint_filter": hint_filter})
        return cls(LowPass(target_filter, dt), LowPass(hint_filter, dt))

    def arrays(self) -> dict[str, Array]:
        """Return what they remember."""
        states = {"target_filter": self.target.state, "hint_filter": self.hint.state}
        return {name: state for name, state in states.items() if state is not None}

    def restore(self, arrays: dict[str, Any]) -> None:
        """Go on from what `arrays` returned."""
        self.target.state = arrays.get("target_filter")
        self.hint.state = arrays.get("hint_filter")


def stream_of(task: Task, trials: xr.Dataset, filters: Filters) -> Stream:
    """Lay trials end to end.

    The pause after the last trial is not known: it is as long as the one after the first.

    Parameters
    ----------
    task : Task
        The task of the trials.
    trials : Dataset
        From ``task.sample``.
    filters : Filters
        Go on from the block before.

    Returns
    -------
    Stream

    Raises
    ------
    TensorError
        If the task gives no targets, or its hints do not fit the trials.
    """
    lesson = lesson_of(task, trials)
    place, n_steps = _places(trials)
    target = _end_to_end(lesson["target"], "output", place, n_steps)
    hint = _end_to_end(lesson["hints"], "hint", place, n_steps)
    mask = trials["mask"].astype(np.float64).expand_dims("one")
    counts = _end_to_end(mask, "one", place, n_steps)[:, 0]
    return Stream(
        inputs=_end_to_end(trials["inputs"], "channel", place, n_steps),
        shown=_end_to_end(lesson["inputs"], "channel", place, n_steps),
        target=filters.target(target),
        hint=filters.hint(hint),
        counts=counts > 0,
    )


def _places(trials: xr.Dataset) -> tuple[list[tuple[int, int, int]], int]:
    """Return (trial, first step in the stream, steps) of each trial in order, and all steps."""
    dt = float(trials.attrs["dt"])
    start = np.rint(trials["start_time"].to_numpy() / dt).astype(np.int64)
    stop = np.rint(trials["stop_time"].to_numpy() / dt).astype(np.int64)
    if (start[1:] < stop[:-1]).any():
        late = int(np.argmax(start[1:] < stop[:-1])) + 1
        message = (
            f"trial {late} starts before the one before has stopped: a network cannot learn two "
            "trials at once. Sample them with a longer inter_trial"
        )
        raise TensorError(message)
    pause = int(start[1] - stop[0]) if start.size > 1 else 0
    first = start - start[0]
    rows = zip(range(start.size), first, stop - start, strict=True)
    places = [(trial, int(at), int(n)) for trial, at, n in rows]
    return places, int(first[-1] + stop[-1] - start[-1] + pause)


def _end_to_end(
    values: xr.DataArray, dim: str, places: list[tuple[int, int, int]], n_steps: int
) -> Array:
    """Return ``(step, channel)`` of all trials, 0 between them."""
    array = values.transpose("trial", "step_time", dim).to_numpy()
    flat = np.zeros((n_steps, array.shape[2]))
    for trial, first, n in places:
        flat[first : first + n] = array[trial, :n]
    return flat
