"""What hints are made of: quantities scaled to a stimulus set, ramps, and phases of a trial.

Arrays are ``(step, trial)``; as a target, a hint belongs to the end of its step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.tasks.paired import Pairs
from popdyn.tasks.parameters import whole_steps
from popdyn.tasks.production import Asked
from popdyn.tasks.signals import during
from popdyn.tasks.timeline import Timeline

Array = NDArray[np.float64]

# Seconds: hints outlast a ramp that was produced, and then a phase of its own ends the trial.
_LINGER = 0.06
_AFTER = 0.2
# The certainty of a choice while evidence comes in: tanh of so many times the evidence.
_STEEPNESS = 3.0


@dataclass(frozen=True)
class Scale:
    """Turns a quantity into a hint: 0 in the middle of its range, about 1 at its end.

    Attributes
    ----------
    middle, unit, highest : float
        In the units of the quantity.
    """

    middle: float
    unit: float
    highest: float

    @classmethod
    def over(cls, values: Any, share: float = 1.0) -> Scale:
        """Scale the range of some values to -1 ... 1; `share` of half of it is the unit.

        A single value has no range, and is its own unit.
        """
        low, high = float(np.min(values)), float(np.max(values))
        return cls((low + high) / 2, share * (high - low) / 2 or abs(high) or 1.0, high)

    def __call__(self, value: Array) -> Array:
        """Return the hint for a value."""
        return (value - self.middle) / self.unit


def elapsed(timeline: Timeline, epoch: str) -> Array:
    """Return the seconds since the start of an epoch at the end of each step."""
    start = timeline.ends[epoch] - timeline.n_steps[epoch]
    since: Array = timeline.dt * (np.arange(1.0, timeline.n_all + 1)[:, None] - start)
    return since


def grown(timeline: Timeline, epoch: str, last: str, value: Array) -> Array:
    """Let a hint rise to a value, ``(trial,)``, during an epoch and stay to the end of another.

    Until the epoch is over nobody can be sure what is shown in it.
    """
    lasts = timeline.dt * timeline.n_steps[epoch]
    share = np.clip(elapsed(timeline, epoch) / lasts, 0.0, 1.0)
    return np.asarray(share * timeline.during(epoch, last) * value)


def named(
    timeline: Timeline, epochs: tuple[str, str], shown: NDArray[np.str_], names: Iterable[str]
) -> dict[str, Array]:
    """Remember which name was shown, from one epoch to the end of another.

    Returns
    -------
    dict of name to ndarray
        ``"memory <name>"`` for each name, which rises to 1 where it is the one shown.
    """
    return {
        f"memory {name}": grown(timeline, *epochs, (shown == name).astype(np.float64))
        for name in names
    }


def phases(timeline: Timeline, epochs: Iterable[str] | None = None) -> dict[str, Array]:
    """Return for each epoch but fixation, or some, whether it is on, as ``"<epoch> phase"``."""
    chosen = [name for name in timeline.n_steps if name != "fixation"] if epochs is None else epochs
    return {_phase(name): timeline.during(name).astype(np.float64) for name in chosen}


def _phase(epoch: str) -> str:
    return f"{epoch.replace('_', ' ')} phase"


def production_hints(
    timeline: Timeline, asked: Asked, stimulus: Array, of_stimulus: Scale, of_target: Scale
) -> dict[str, Array]:
    """Tell of an interval that is measured and then produced.

    Parameters
    ----------
    timeline : Timeline
        With the epochs "stimulus", perhaps "delay", and "production".
    asked : Asked
        The interval to produce and the output that shows it.
    stimulus : ndarray, shape (trial,)
        True interval in seconds; NaN on catch trials.
    of_stimulus, of_target : Scale
        Of intervals, and of intervals to produce.

    Returns
    -------
    dict of name to ndarray
        ``memory``, the time since the first pulse, then the interval until all is over;
        ``clock``, the time since the production began; a phase for each epoch, and one for
        the time after the output.
    """
    present, end = np.isfinite(stimulus), timeline.ends["production"]
    start = end - timeline.n_steps["production"]
    lasts = whole_steps(asked.shape.stop(np.nan_to_num(asked.interval)) + _LINGER, timeline.dt)
    over = np.where(present, np.minimum(start + lasts, end), end)
    after = np.minimum(over + round(_AFTER / timeline.dt), end)
    produces = during(start, over, timeline.n_all)
    held = during(timeline.ends["stimulus"], over, timeline.n_all)
    counted = elapsed(timeline, "stimulus") * timeline.during("stimulus")
    known = timeline.during("stimulus") | held
    last = asked.shape.stop(np.array(of_target.highest))
    time = np.minimum(elapsed(timeline, "production"), last)
    return {
        "memory": np.where(
            known & present, of_stimulus(counted + held * np.nan_to_num(stimulus)), 0.0
        ),
        "clock": np.where(produces & present, of_target(time), 0.0),
        **phases(timeline, [name for name in timeline.n_steps if name in ("stimulus", "delay")]),
        _phase("production"): produces.astype(np.float64),
        _phase("after"): during(over, after, timeline.n_all).astype(np.float64),
    }


def interval_pair_hints(timeline: Timeline, pairs: Pairs, scale: Scale) -> dict[str, Array]:
    """Tell of two intervals that are compared.

    Parameters
    ----------
    timeline : Timeline
        With the epochs of `popdyn.tasks.paired`.
    pairs : Pairs
        True intervals, in seconds.
    scale : Scale
        Of first intervals.

    Returns
    -------
    dict of name to ndarray
        ``memory``, the time since the first interval began, then the interval until the second
        is over; ``comparator``, how much longer the second already is; ``choice``, how sure
        that makes, then the right one; a phase for each epoch but fixation.
    """
    first, held = timeline.during("stimulus"), timeline.during("delay", "stimulus_2")
    kept = elapsed(timeline, "stimulus") * first + pairs.true[0] * held
    longer = (elapsed(timeline, "stimulus_2") - pairs.true[0]) / scale.unit
    longer = np.where(timeline.during("stimulus_2") & pairs.present, longer, 0.0)
    return {
        "memory": np.where((first | held) & pairs.present, scale(kept), 0.0),
        "comparator": longer,
        "choice": np.tanh(_STEEPNESS * longer) + timeline.during("decision") * pairs.target,
        **phases(timeline),
    }
