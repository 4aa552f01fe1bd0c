"""Interval discrimination: telling whether the second interval was longer than the first.

Serrano-Fernández, Beirán & Parga's task as a network sees it.  Only the names of the stimulus
sets are published with it; the numbers of both sets are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed
from popdyn.tasks.conditions import Conditions, Rows, read_conditions
from popdyn.tasks.fields import check_numbers
from popdyn.tasks.hints import Scale, interval_pair_hints
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.paired import (
    EPOCHS,
    STIMULUS_COLUMNS,
    Pairs,
    check_paired,
    compare,
    target_and_mask,
)
from popdyn.tasks.parameters import (
    Duration,
    check_option,
    epoch_steps,
    shortest,
    whole_steps,
)
from popdyn.tasks.signals import no_shorter, pulse
from popdyn.tasks.timeline import Timeline, assemble
from popdyn.tasks.trial_set import Draw, name_channels

# (first, second) in seconds.
STIMULI: dict[str, Rows] = {
    "diagonal": tuple(
        (first / 1000, (first + difference) / 1000)
        for difference in (-150, 150)
        for first in range(300, 901, 100)
    ),
    "horizontal": tuple(
        ((second + difference) / 1000, second / 1000)
        for second in (450, 750)
        for difference in (-200, -150, -100, 100, 150, 200)
    ),
}
_COLUMNS = ("first interval (s)", "second interval (s)")


@dataclass(frozen=True)
class IntervalDiscrimination:
    """Two intervals, a delay between them; the output must tell whether the second was longer.

    A trial is fixation, first interval, delay, second interval, decision.  One input channel
    has a pulse at the start and at the end of each interval, or is on during each.  One output
    has the target 1 (second longer) or -1 (shorter) during the decision, 0 before.

    Parameters
    ----------
    stimuli : "diagonal", "horizontal" or sequence of (first, second[, weight])
        Intervals in seconds.  ``"diagonal"``: first 0.3, 0.4 ... 0.9, second 0.15 longer or
        shorter.  ``"horizontal"``: second 0.45 or 0.75, first 0.1, 0.15 or 0.2 longer or
        shorter.  Or a list of your own, with weights if not all come equally often.
    coding : {"pulses", "filled"}
        Whether an interval is marked by two pulses or by an input as long as itself.
    pulse_duration : float
        Of each pulse, in seconds.
    fixation_duration, delay_duration, decision_duration : float, pair or exponential
        In seconds: fixed, ``(shortest, longest)`` drawn uniformly, or ``("exponential",
        shortest, mean)``, whose mean is that of what goes beyond the shortest.  Rounded to
        whole steps; `sample` records what came out.
    response_delay : float
        Time from the start of the decision until the output is read, in seconds.
    sensory_noise, weber : float or (first, second)
        Error of the senses, drawn once for each interval: the network is shown an interval of
        mean ``d`` and variance ``sensory_noise² + (weber d)²``, with `sensory_noise` in
        seconds and `weber` a share of the interval; target and column ``stimulus`` keep the
        true one.  Never shorter than a pulse and a step.
    stimulus_noise : float
        Standard deviation of the input noise per step of 20 ms, dimensionless, during the
        whole trial.  For another step it is multiplied by sqrt(0.02 / dt).
    catch_fraction : float
        Share of trials without intervals, whose target is 0 and which no accuracy counts.
    inter_trial : float, pair or exponential
        Time between the end of a trial and the start of the next, in seconds, as durations.
    mask : {"response", "trial"}
        Which steps count for the loss: the decision, or the whole trial, whose target is 0
        before the decision.
    dt : float
        Step in seconds, unless `sample` is told another.
    balanced : bool
        Whether pairs come as often as their weights say (±1) in random order, or are drawn
        independently.

    Raises
    ------
    TensorError
        If a set or a parameter makes no sense; the message says which.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.IntervalDiscrimination("horizontal", weber=0.1)
    >>> trials = task.sample(24, rng=0)
    >>> sorted(set(trials["stimulus_2"].values.tolist()))
    [0.45, 0.75]
    """

    stimuli: str | tuple[tuple[float, ...], ...] = "diagonal"
    coding: Literal["pulses", "filled"] = "pulses"
    pulse_duration: float = 0.05
    fixation_duration: Duration = (0.25, 0.55)
    delay_duration: Duration = (1.0, 1.5)
    decision_duration: Duration = 0.4
    response_delay: float = 0.15
    sensory_noise: float | tuple[float, ...] = 0.0
    weber: float | tuple[float, ...] = 0.0
    stimulus_noise: float = 0.0
    catch_fraction: float = 0.0
    inter_trial: Duration = 1.0
    mask: Literal["response", "trial"] = "response"
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        check_paired(self, ("fixation", "delay", "decision"))
        check_option("coding", self.coding, ("pulses", "filled"))
        check_numbers(self, "pulse_duration", above_zero=True)
        pauses = {
            "the shortest interval": float(self._conditions().values.min()),
            "delay_duration": shortest(self.delay_duration),
            "decision_duration": shortest(self.decision_duration),
        }
        for name, seconds in pauses.items():
            if self.coding == "pulses" and self.pulse_duration >= seconds:
                message = (
                    f"pulse_duration ({self.pulse_duration:g} s) must be shorter than {name} "
                    f"({seconds:g} s), or pulses run into each other"
                )
                raise TensorError(message)

    def sample(self, n_trials: int, rng: Seed = 0, dt: float | None = None) -> xr.Dataset:
        """Draw trials.

        Parameters
        ----------
        n_trials : int
            Number of trials.
        rng : int or numpy.random.Generator
            Seed, or generator to draw from.
        dt : float, optional
            Step in seconds; give a network's ``net.dt`` to run it on the trials.  By default
            the task's.

        Returns
        -------
        xarray.Dataset
            ``inputs (channel, step_time, trial)``, ``target (output, step_time, trial)`` and
            ``mask (step_time, trial)``, all of them zero after a trial's end.  On ``trial``,
            in seconds: ``stimulus`` and ``stimulus_2``, the true intervals;
            ``measured_stimulus`` and ``measured_stimulus_2``, those shown, in whole steps; the
            realised ``*_duration`` of each epoch; on the session's clock ``start_time``,
            ``stimulus_on_time``, ``stimulus_off_time``, ``stimulus_2_on_time``,
            ``decision_time`` (the end of the second interval), ``stop_time``.  ``target_choice``
            is 1 (second longer), -1, or 0 on catch trials.

        Raises
        ------
        TensorError
            If `n_trials` is below 1, an epoch is shorter than a step, or a step too coarse to
            tell the intervals of a pair apart.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        conditions = self._conditions()
        _check_step(conditions, draw.dt)
        pairs = Pairs.draw(self, conditions, draw)
        least = draw.dt + (self.pulse_duration if self.coding == "pulses" else 0.0)
        first, second = no_shorter(pairs.measured, least)
        lasting = {
            "fixation_duration": self.fixation_duration,
            "stimulus_duration": first,
            "delay_duration": self.delay_duration,
            "stimulus_2_duration": second,
            "decision_duration": self.decision_duration,
        }
        steps = epoch_steps(lasting, n_trials, draw.dt, draw.generator)
        n_steps = {name: steps[f"{name}_duration"] for name in EPOCHS}
        timeline = Timeline(n_steps, EPOCHS, draw.dt)
        shown = draw.dt * np.array([n_steps["stimulus"], n_steps["stimulus_2"]], dtype=np.float64)
        target, mask = target_and_mask(self, pairs, timeline)
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=timeline.noise(1, self.stimulus_noise, draw)
            + self._signal(timeline) * pairs.present,
            target=target,
            mask=mask,
            table=pairs.table(shown, "s"),
            roles={"stimulus": "stimulus", "stimulus_2": "stimulus_2"},
            conditions=("stimulus", "stimulus_2"),
        )
        return name_channels(trials, "interval")

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` with no noise, their pulses as far apart as in the trials, ``target``, and
            ``hints (hint, step_time, trial)``:
            ``memory``, which counts during the first interval and then keeps the true one;
            ``comparator``, how much longer than that the second already is; ``choice``; the
            phases stimulus, delay, stimulus 2 and decision.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, EPOCHS, *STIMULUS_COLUMNS)
        pairs = Pairs.of(trials)
        first = Scale.over(self._conditions().values[:, 0])
        target, _ = target_and_mask(self, pairs, timeline)
        hints = interval_pair_hints(timeline, pairs, first)
        inputs = (self._signal(timeline) * pairs.present)[None]
        return make_lesson(trials, inputs, target, hints)

    def response(self, output: xr.DataArray, trials: xr.Dataset) -> xr.Dataset:
        """Say what a network did on each trial.

        Parameters
        ----------
        output : DataArray (output, step_time, trial)
            Output of a network at the end of each step; the first output answers.
        trials : Dataset
            The trials it was run on, from `sample`.

        Returns
        -------
        xarray.Dataset
            ``response (trial)``: mean output from `response_delay` into the decision to its
            end; ``choice (trial)``: its sign, 1 (second longer) or -1, NaN where it is exactly
            0; ``correct (trial)``: 1 or 0, NaN on catch trials.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return compare(self, output, trials)

    def _conditions(self) -> Conditions:
        return read_conditions("stimuli", self.stimuli, _COLUMNS, STIMULI)

    def _signal(self, timeline: Timeline) -> NDArray[np.float64]:
        """Mark both intervals, ``(step, trial)``."""
        if self.coding == "filled":
            return (timeline.during("stimulus") | timeline.during("stimulus_2")).astype(np.float64)
        at = [timeline.ends[name] for name in ("fixation", "stimulus", "delay", "stimulus_2")]
        pulses = [pulse(step, self.pulse_duration, timeline.n_all, timeline.dt) for step in at]
        signal: NDArray[np.float64] = np.stack(pulses).sum(axis=0)
        return signal


def _check_step(conditions: Conditions, dt: float) -> None:
    """Refuse a step that makes two intervals of a pair alike."""
    steps = whole_steps(conditions.values, dt)
    alike = (steps[:, 0] == steps[:, 1]) & (conditions.values[:, 0] != conditions.values[:, 1])
    if alike.any():
        first, second = conditions.values[alike][0]
        message = (
            f"a step of dt={dt:g} s is too coarse to tell {first:g} from {second:g} s: "
            "use a smaller dt"
        )
        raise TensorError(message)
