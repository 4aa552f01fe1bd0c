"""Interval production: measure an interval, wait, then produce it after a go cue.

Intervals follow Parga's talk "Emerging computations in trained neural networks and real
brains"; delays, pulses and the ramp are those networks were trained with here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.resample import Seed
from popdyn.tasks.conditions import Conditions, Rows, read_conditions
from popdyn.tasks.hints import Scale, production_hints
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration, epoch_steps
from popdyn.tasks.production import Asked, check_fits, check_production, produced, shape_of
from popdyn.tasks.signals import measure, no_shorter, pulse
from popdyn.tasks.timeline import Timeline, assemble, draw_rows
from popdyn.tasks.trial_set import Draw, name_channels

# In seconds.
STIMULI: dict[str, Rows] = {
    "500-1000": tuple((interval / 1000,) for interval in range(500, 1001, 50)),
}
_EPOCHS = {
    "fixation": "start_time",
    "stimulus": "ready_time",
    "delay": "set_time",
    "production": "go_time",
}


@dataclass(frozen=True)
class IntervalProduction:
    """An interval between two pulses; after a delay and a go cue the output must produce it.

    A trial is fixation, the interval from the ready to the set pulse, delay, and from the go
    pulse on production.  Two input channels: ready and set pulses, and go pulses.  The output
    shows an interval by rising to a threshold.

    Parameters
    ----------
    stimuli : "500-1000" or sequence of interval or (interval, weight)
        Intervals in seconds.  ``"500-1000"``: 0.5, 0.55 ... 1.0, 11 classes.  Or a list of
        your own, with weights if not all come equally often.
    pulse_duration : float
        Of each pulse, in seconds.
    fixation_duration, delay_duration : float, pair or exponential
        In seconds: fixed, ``(shortest, longest)`` drawn uniformly, or ``("exponential",
        shortest, mean)``, whose mean is that of what goes beyond the shortest.  Rounded to
        whole steps; `sample` records what came out.
    target_shape : {"ramp", "bump"}
        The output asked for after the go pulse: a ramp that rises to `threshold` in just the
        interval to produce and goes on to `ramp_end` intervals, or a bump of `bump_duration`
        (in seconds; the shape of a Beta(4, 4) density, peak 1) that rises through `threshold`
        there; 0 before and after.
    ramp_end : float
        Where the ramp ends, in intervals to produce; above 1, so that outputs that are late or
        noisy cross the threshold too.
    bump_duration : float
        In seconds.
    threshold : float, optional
        Of the output, dimensionless: its first rise to it is the response.  By default 1 for
        the ramp, 0.5 for the bump.
    earliest : float
        Rises earlier than this after the go pulse, in seconds, are not counted.
    tolerance : float
        A produced interval is correct within this share of the interval to produce.
    settle_duration : float, pair or exponential
        Time in the trial after the target's end, in seconds, in which late responses count.
    sensory_noise, weber : float
        Error of the senses, drawn once per trial: the network is shown an interval of mean
        ``t`` and variance ``sensory_noise² + (weber t)²``, with `sensory_noise` in seconds and
        `weber` a share of the interval; the target and the column ``stimulus`` keep the true
        one.  Never shorter than a pulse and a step.
    stimulus_noise : float
        Standard deviation of the noise of both inputs per step of 20 ms, dimensionless,
        during the whole trial.  For another step it is multiplied by sqrt(0.02 / dt).
    catch_fraction : float
        Share of trials without pulses, whose target is 0 and which no accuracy counts.
    inter_trial : float, pair or exponential
        Time between the end of a trial and the start of the next, in seconds, as durations.
    mask : {"response", "trial"}
        Which steps count for the loss: from the go pulse to the end of the ramp or bump, or the
        whole trial.
    dt : float
        Step in seconds, unless `sample` is told another.
    balanced : bool
        Whether intervals come as often as their weights say (±1) in random order, or are drawn
        independently.

    Raises
    ------
    TensorError
        If a set or a parameter makes no sense; the message says which.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.IntervalProduction(weber=0.1)
    >>> trials = task.sample(22, rng=0)
    >>> behavior = task.response(trials["target"], trials)
    >>> bool(abs(behavior["produced_interval"] - trials["stimulus"]).max() < 1e-9)
    True
    """

    stimuli: str | tuple[float | tuple[float, ...], ...] = "500-1000"
    pulse_duration: float = 0.05
    fixation_duration: Duration = (0.2, 0.5)
    delay_duration: Duration = (0.5, 1.0)
    target_shape: Literal["ramp", "bump"] = "ramp"
    ramp_end: float = 1.35
    bump_duration: float = 0.5
    threshold: float | None = None
    earliest: float = 0.1
    tolerance: float = 0.2
    settle_duration: Duration = 0.3
    sensory_noise: float = 0.0
    weber: float = 0.0
    stimulus_noise: float = 0.0
    catch_fraction: float = 0.0
    inter_trial: Duration = 1.0
    mask: Literal["response", "trial"] = "response"
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        check_production(self, "stimuli", ("fixation", "delay"))
        intervals = self._conditions().values
        check_fits(self, intervals, intervals)

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
            in seconds: ``stimulus``, the true interval; ``measured_stimulus``, the one shown,
            in whole steps; ``target_interval``, the one to produce (all three NaN on catch
            trials); the realised
            ``*_duration`` of each epoch; on the session's clock ``start_time``,
            ``ready_time``, ``set_time``, ``go_time``, ``stop_time``.

        Raises
        ------
        TensorError
            If `n_trials` is below 1, an epoch is shorter than a step, or a step too coarse for
            the ramp.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        conditions = self._conditions()
        row, present = draw_rows(conditions.weights, self, draw)
        interval = conditions.values[row, 0]
        measured = measure(interval[None], self.sensory_noise, self.weber, draw.generator)[0]
        asked = Asked.draw(self, interval, draw)
        lasting = {
            "fixation_duration": self.fixation_duration,
            "stimulus_duration": no_shorter(measured, self.pulse_duration + draw.dt),
            "delay_duration": self.delay_duration,
        }
        steps = epoch_steps(lasting, n_trials, draw.dt, draw.generator)
        n_steps = {name.removesuffix("_duration"): steps[name] for name in lasting}
        timeline = Timeline(n_steps | {"production": asked.n_steps}, _EPOCHS, draw.dt)
        target, counts = asked.target_and_mask(timeline.ends["delay"], timeline.n_all)
        shown = np.where(present, n_steps["stimulus"] * draw.dt, np.nan)
        stimulus = np.where(present, interval, np.nan)
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=timeline.noise(2, self.stimulus_noise, draw) + self._signal(timeline) * present,
            target=target * present,
            mask=timeline.alive if self.mask == "trial" else counts,
            table={
                "stimulus": (stimulus, {"units": "s", "description": "true interval"}),
                "measured_stimulus": (shown, {"units": "s", "description": "interval shown"}),
                "target_interval": (stimulus, {"units": "s", "description": "to produce"}),
            },
            roles={"stimulus": "stimulus"},
            conditions=("stimulus",),
        )
        return name_channels(trials, "ready, set", "go")

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
            ``memory``, which counts from the ready pulse on and then keeps the true interval;
            ``clock``, which counts from the go pulse on; the phases stimulus, delay, production
            and after.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS, "stimulus")
        interval = trials["stimulus"].to_numpy()
        scale = Scale.over(self._conditions().values)
        asked = Asked(timeline.n_steps["production"], interval, shape_of(self), timeline.dt)
        target, _ = asked.target_and_mask(timeline.ends["delay"], timeline.n_all)
        hints = production_hints(timeline, asked, interval, scale, scale)
        inputs = self._signal(timeline) * np.isfinite(interval)
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
            ``produced_interval (trial)``, also as ``response``: seconds from the go pulse to the
            first rise of the output to `threshold`, interpolated between steps, NaN if there
            is none before the trial's end; ``production_time (trial)``: when, on the session's
            clock; ``correct (trial)``: 1 within `tolerance`, else 0, also without a response;
            NaN on catch trials.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return produced(self, output, trials, "go_time")

    def _conditions(self) -> Conditions:
        return read_conditions("stimuli", self.stimuli, ("interval (s)",), STIMULI)

    def _signal(self, timeline: Timeline) -> NDArray[np.float64]:
        """Pulses of either channel, ``(channel, step, trial)``."""
        ready, set_, go = (timeline.ends[name] for name in ("fixation", "stimulus", "delay"))
        sizes = (self.pulse_duration, timeline.n_all, timeline.dt)
        return np.stack([pulse(ready, *sizes) + pulse(set_, *sizes), pulse(go, *sizes)])
