"""Ready, set, go: measure an interval and at once produce it, or a multiple of it.

Priors follow Sohn, Narain, Meirhaeghe & Jazayeri (2019) and Meirhaeghe, Sohn & Jazayeri
(2021), gains Remington et al. (2018), pulses the demonstration published with full-FORCE; the
levels of the cues and the length of the fixation are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed
from popdyn.tasks.conditions import Rows, read_conditions
from popdyn.tasks.fields import check_strengths
from popdyn.tasks.hints import Scale, production_hints
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration, as_tuples, check_number, doubt_seconds, epoch_steps
from popdyn.tasks.production import Asked, check_fits, check_production, produced, shape_of
from popdyn.tasks.signals import cue_levels, measure, no_shorter, pulse
from popdyn.tasks.timeline import Timeline, assemble, draw_rows
from popdyn.tasks.trial_set import Column, Draw, name_channels

# Intervals in seconds.
PRIORS: dict[str, Rows] = {
    "short": ((0.48,), (0.56,), (0.64,), (0.72,), (0.8,)),
    "long": ((0.8,), (0.9,), (1.0,), (1.1,), (1.2,)),
}
_EPOCHS = {"fixation": "start_time", "stimulus": "ready_time", "production": "set_time"}

# Position of the prior, gain, shortest and longest interval: one row per condition.
_PRIOR, _GAIN, _LOW, _HIGH = range(4)


@dataclass(frozen=True)
class ReadySetGo:
    """An interval between two pulses; from the second on the output must produce it.

    A trial is fixation, the interval from the ready to the set pulse, and production.  Input
    channels: ready pulses; set pulses; a constant input during the whole trial whose level
    says from which prior the interval comes; with several gains another one for the gain.
    The output shows an interval by rising to a threshold.

    Parameters
    ----------
    priors : sequence of "short", "long", of intervals or ("uniform", shortest, longest)
        Where intervals come from, equally often from each.  ``"short"``: 0.48, 0.56 ... 0.8
        s; ``"long"``: 0.8, 0.9 ... 1.2 s.  Or lists of your own, of seconds or of (seconds,
        weight), or any interval between two, such as ``("uniform", 0.15, 2.15)`` of the
        full-FORCE demonstration; these are called "prior 0", "prior 1" and so on, by their place.
    gains : sequence of float
        The interval to produce is the true one times the gain; all combinations with priors
        come equally often.  Published: 1 and 1.5.
    prior_levels, gain_levels : sequence of float, optional
        Input that says which prior, which gain, dimensionless; by default evenly spaced from
        0.5 to 1.
    pulse_duration : float
        Of each pulse, in seconds.
    fixation_duration : float, pair or exponential
        In seconds: fixed, ``(shortest, longest)`` drawn uniformly, or ``("exponential",
        shortest, mean)``, whose mean is that of what goes beyond the shortest.  Rounded to
        whole steps; `sample` records what came out.
    target_shape : {"ramp", "bump"}
        The output asked for after the set pulse: a ramp that rises to `threshold` in just the
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
        Rises earlier than this after the set pulse, in seconds, are not counted.
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
        Standard deviation of the noise of all inputs per step of 20 ms, dimensionless,
        during the whole trial.  For another step it is multiplied by sqrt(0.02 / dt).
    catch_fraction : float
        Share of trials without pulses and cues, whose target is 0 and which no accuracy counts.
    inter_trial : float, pair or exponential
        Time between the end of a trial and the start of the next, in seconds, as durations.
    mask : {"response", "trial"}
        Which steps count for the loss: from the set pulse to the end of the ramp or bump, or the
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

    References
    ----------
    Remington, Narain, Hosseini & Jazayeri (2018), Neuron 98:1005.
    Sohn, Narain, Meirhaeghe & Jazayeri (2019), Neuron 103:934.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.ReadySetGo()
    >>> trials = task.sample(20, rng=0)
    >>> pdn.trial_table(trials.drop_dims("step_time")).groupby("context")["stimulus"].mean()
    context
    long     1.00
    short    0.64
    Name: stimulus, dtype: float64
    """

    priors: tuple[str | tuple[float | tuple[float, ...], ...], ...] = ("short", "long")
    gains: tuple[float, ...] = (1.0,)
    prior_levels: tuple[float, ...] | None = None
    gain_levels: tuple[float, ...] | None = None
    pulse_duration: float = 0.05
    fixation_duration: Duration = (0.2, 0.5)
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
        check_production(self, "priors", ("fixation",))
        if not isinstance(self.priors, tuple) or not self.priors:
            message = f"priors must be a list such as ('short', 'long'), found {self.priors!r}"
            raise TensorError(message)
        check_strengths(self, "gains", above_zero=True)
        for name, n_levels in (
            ("prior_levels", len(self.priors)),
            ("gain_levels", len(self.gains)),
        ):
            cue_levels(name, getattr(self, name), n_levels)
            object.__setattr__(self, name, as_tuples(getattr(self, name)))
        rows, _ = self._rows()
        check_fits(self, rows[:, _LOW], rows[:, _LOW] * rows[:, _GAIN])

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
            ``mask (step_time, trial)``, all of them zero after a trial's end.  On ``trial``:
            ``stimulus``, the true interval in seconds; ``context``, the name of the prior;
            ``gain``; in seconds ``measured_stimulus``, the interval shown, in whole steps,
            ``target_interval``, the one to produce, and the realised ``*_duration`` of each
            epoch; on the session's clock ``start_time``, ``ready_time``, ``set_time``,
            ``stop_time``.  On catch trials numbers are NaN and ``context`` is "".

        Raises
        ------
        TensorError
            If `n_trials` is below 1, an epoch is shorter than a step, or a step too coarse for
            the ramp.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        rows, weights = self._rows()
        row, present = draw_rows(weights, self, draw)
        prior, gain, low, high = rows[row].T
        stimulus = draw.generator.uniform(low, high) if (low < high).any() else low
        measured = measure(stimulus[None], self.sensory_noise, self.weber, draw.generator)[0]
        asked = Asked.draw(self, stimulus * gain, draw)
        lasting = {
            "fixation_duration": self.fixation_duration,
            "stimulus_duration": no_shorter(measured, self.pulse_duration + draw.dt),
        }
        steps = epoch_steps(lasting, n_trials, draw.dt, draw.generator)
        n_steps = {name.removesuffix("_duration"): steps[name] for name in lasting}
        timeline = Timeline(n_steps | {"production": asked.n_steps}, _EPOCHS, draw.dt)
        target, counts = asked.target_and_mask(timeline.ends["stimulus"], timeline.n_all)
        signal = self._signal(timeline, prior, gain) * present
        shown = n_steps["stimulus"].astype(np.float64) * draw.dt
        context = np.where(present, np.array(self._names())[prior.astype(int)], "")
        columns = np.where(present, (gain, stimulus, shown), np.nan)
        # Of a continuous prior no interval comes twice.
        counted = ("context", "gain") if (low < high).any() else ("context", "gain", "stimulus")
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=timeline.noise(len(signal), self.stimulus_noise, draw) + signal,
            target=target * present,
            mask=timeline.alive if self.mask == "trial" else counts,
            table=_table(context, *columns),
            roles={"stimulus": "stimulus", "context": "context"},
            conditions=counted,
        )
        return name_channels(trials, *("ready", "set", "prior", "gain")[: len(signal)])

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
            ``clock``, which counts from the set pulse on; the phases stimulus, production and
            after.  They are scaled to the range of all priors, so that an interval is the same
            hint in each.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS, "stimulus", "gain", "context")
        stimulus, gain = (trials[name].to_numpy() for name in ("stimulus", "gain"))
        asked = Asked(timeline.n_steps["production"], stimulus * gain, shape_of(self), timeline.dt)
        target, _ = asked.target_and_mask(timeline.ends["stimulus"], timeline.n_all)
        rows, _ = self._rows()
        intervals = rows[:, [_LOW, _HIGH]]
        scales = Scale.over(intervals), Scale.over(intervals * rows[:, [_GAIN]])
        hints = production_hints(timeline, asked, stimulus, *scales)
        inputs = self._signal(timeline, self._prior(trials), gain) * np.isfinite(stimulus)
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
            ``produced_interval (trial)``, also as ``response``: seconds from the set pulse to the
            first rise of the output to `threshold`, interpolated between steps, NaN if there
            is none before the trial's end; ``production_time (trial)``: when, on the session's
            clock; ``correct (trial)``: 1 within `tolerance`, else 0, also without a response;
            NaN on catch trials.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return produced(self, output, trials, "set_time")

    def _prior(self, trials: xr.Dataset) -> NDArray[np.intp]:
        """Position of the prior of each trial; 0 on catch trials."""
        context = trials["context"].to_numpy()
        position: NDArray[np.intp] = (context[:, None] == np.array(self._names())).argmax(axis=1)
        return position

    def _names(self) -> list[str]:
        """Names of the priors."""
        return [p if isinstance(p, str) else f"prior {i}" for i, p in enumerate(self.priors)]

    def _rows(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Position of the prior, gain and interval(s) of each condition, and their weights."""
        if len(set(self._names())) < len(self.priors):
            message = f"each of priors must be there once, found {self.priors!r}"
            raise TensorError(message)
        rows, weights = [], []
        for position, prior in enumerate(self.priors):
            intervals, shares = _read_prior(prior)
            for gain in self.gains:
                rows += [(position, gain, *interval) for interval in intervals]
                weights += shares
        return np.array(rows, dtype=np.float64), np.array(weights) / np.sum(weights)

    def _signal(
        self, timeline: Timeline, prior: NDArray[Any], gain: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Pulses and constant cues, ``(channel, step, trial)``."""
        at = (timeline.ends["fixation"], timeline.ends["stimulus"])
        signal = [pulse(step, self.pulse_duration, timeline.n_all, timeline.dt) for step in at]
        levels = cue_levels("prior_levels", self.prior_levels, len(self.priors))
        signal.append(levels[prior.astype(int)] * timeline.alive)
        if len(self.gains) > 1:
            levels = cue_levels("gain_levels", self.gain_levels, len(self.gains))
            position = (gain[:, None] == np.array(self.gains)).argmax(axis=1)
            signal.append(levels[position] * timeline.alive)
        return np.stack(signal)


def _table(
    context: NDArray[np.str_],
    gain: NDArray[np.float64],
    stimulus: NDArray[np.float64],
    shown: NDArray[np.float64],
) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    return {
        "stimulus": (stimulus, {"units": "s", "description": "true interval"}),
        "context": (context, {"description": "prior that the interval comes from"}),
        "gain": (gain, {"units": "1", "description": "interval to produce over true one"}),
        "measured_stimulus": (shown, {"units": "s", "description": "interval shown"}),
        "target_interval": (gain * stimulus, {"units": "s", "description": "to produce"}),
    }


def _read_prior(given: object) -> tuple[list[tuple[float, float]], list[float]]:
    """Return the intervals of a prior as (shortest, longest), and their shares."""
    if isinstance(given, tuple) and given[:1] == ("uniform",):
        bounds = given[1:]
        if len(bounds) != 2:
            message = f"a uniform prior is ('uniform', shortest, longest) in s, found {given!r}"
            raise TensorError(message)
        low, high = (check_number("priors", bound, above_zero=True) for bound in bounds)
        if low >= high:
            message = f"a uniform prior must rise from shortest to longest, found {given!r}"
            raise TensorError(message)
        doubt_seconds("priors", high)
        return [(low, high)], [1.0]
    conditions = read_conditions("priors", given, ("interval (s)",), PRIORS)
    return [(value, value) for value in conditions.values[:, 0]], conditions.weights.tolist()
