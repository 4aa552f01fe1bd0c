"""Detection: saying after a delay whether there was a faint stimulus.

The task of Carnevale, de Lafuente, Romo, Barak & Parga (2015) as a network sees it.  The
amplitudes, the targets and the length of the report are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed
from popdyn.tasks.answers import choose, event_steps, mean_during
from popdyn.tasks.conditions import (
    Conditions,
    Rows,
    count_conditions,
    draw_positions,
    read_conditions,
)
from popdyn.tasks.fields import (
    check_durations,
    check_flags,
    check_numbers,
    check_share,
    check_shared,
)
from popdyn.tasks.hints import phases
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import (
    Duration,
    Steps,
    as_tuples,
    check_duration,
    draw_seconds,
    epoch_steps,
    longest,
    shortest,
    whole_steps,
)
from popdyn.tasks.reading import read_output
from popdyn.tasks.signals import check_senses, measure, pulse
from popdyn.tasks.timeline import Timeline
from popdyn.tasks.trial_set import Column, Draw, make_trials, name_channels, task_attrs

# Amplitudes, dimensionless: 9 from 0.1 to 1, evenly spaced in logarithm.
STIMULI: dict[str, Rows] = {
    "logarithmic": tuple((float(a),) for a in np.round(np.logspace(-1.0, 0.0, 9), 4)),
}
_EPOCHS = {"cue": "start_time", "wait": "cue_off_time", "report": "decision_time"}
OUTCOMES = ("hit", "miss", "false alarm", "correct rejection")


@dataclass(frozen=True)
class Detection:
    """A faint stimulus at a time that nothing announces, or none; afterwards a report.

    A trial starts with a cue.  On half of the trials a stimulus comes some time later.  The
    report is asked for at the same time in all trials: `delay_duration` after the latest
    possible end of a stimulus.  Two input channels, the cue and the stimulus in noise; one
    output, whose target during the report is 1 (yes) or `no_target`, 0 before.

    Parameters
    ----------
    stimuli : "logarithmic" or sequence of amplitude or (amplitude, weight)
        Amplitudes, dimensionless.  ``"logarithmic"``: 9 from 0.1 to 1, evenly spaced in
        logarithm.  Or a list of your own, with weights if not all come equally often.
    absent_fraction : float
        Share of trials without a stimulus.
    cue_duration : float
        Of the cue, which starts with the trial, in seconds.
    onset : float or pair
        When stimuli start, in seconds from the trial's start: fixed, or ``(earliest, latest)``
        drawn uniformly.
    stimulus_duration : float
        In seconds: 0.3 in the published network, 0.5 in the experiment.
    delay_duration, report_duration : float, pair or exponential
        In seconds: fixed, ``(shortest, longest)`` drawn uniformly, or ``("exponential",
        shortest, mean)``, whose mean is that of what goes beyond the shortest.
    go_cue : bool
        Whether the cue comes again when the report is asked for.
    sensory_noise, weber : float
        Error of the senses, drawn once per stimulus: the network is shown an amplitude of mean
        ``a``, perhaps below 0, and variance ``sensory_noise² + (weber a)²``; target and column
        ``stimulus`` keep the true one.  Without a stimulus there is no such error.
    stimulus_noise : float
        Standard deviation of the noise of the stimulus channel per step of 20 ms,
        dimensionless, during the whole trial.  For another step it is multiplied by
        sqrt(0.02 / dt).  Larger noise moves and flattens the psychometric curve.
    no_target : float
        Target of the output for "no": -1 or 0.  The choice is "yes" above the middle of both.
    inter_trial : float, pair or exponential
        Time between the end of a trial and the start of the next, in seconds, as durations.
    mask : {"response", "trial"}
        Which steps count for the loss: the report, or the whole trial, whose target is 0
        before the report.
    dt : float
        Step in seconds, unless `sample` is told another.
    balanced : bool
        Whether amplitudes come as often as their weights say (±1) in random order, or are
        drawn independently.

    Raises
    ------
    TensorError
        If a set or a parameter makes no sense; the message says which.

    References
    ----------
    Carnevale, de Lafuente, Romo, Barak & Parga (2015), Neuron 86:1067.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.Detection()
    >>> trials = task.sample(36, rng=0)
    >>> int((trials["stimulus"] == 0).sum())
    18
    """

    stimuli: str | tuple[float | tuple[float, ...], ...] = "logarithmic"
    absent_fraction: float = 0.5
    cue_duration: float = 0.1
    onset: float | tuple[float, float] = (1.5, 3.5)
    stimulus_duration: float = 0.3
    delay_duration: Duration = 3.0
    report_duration: Duration = 0.5
    go_cue: bool = False
    sensory_noise: float = 0.0
    weber: float = 0.0
    stimulus_noise: float = 0.1
    no_target: float = -1.0
    inter_trial: Duration = 1.0
    mask: Literal["response", "trial"] = "response"
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "stimuli", as_tuples(self.stimuli))
        check_shared(self)
        check_durations(self, ("delay", "report"))
        check_senses(self, 1)
        object.__setattr__(self, "onset", check_duration("onset", self.onset))
        check_numbers(self, "cue_duration", "stimulus_duration", above_zero=True)
        check_share(self, "absent_fraction", below_one=True)
        check_flags(self, "go_cue")
        if not np.isscalar(self.no_target) or self.no_target not in (-1, 0):
            message = f"no_target must be -1 or 0, found {self.no_target!r}"
            raise TensorError(message)
        if not np.isfinite(longest(self.onset)):
            message = f"onset must be seconds or (earliest, latest), found {self.onset!r}"
            raise TensorError(message)
        if self.cue_duration >= shortest(self.onset):
            message = (
                f"cue_duration ({self.cue_duration:g} s) must end before the earliest onset "
                f"({shortest(self.onset):g} s)"
            )
            raise TensorError(message)
        self._conditions()

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
            ``stimulus``, the amplitude, and ``measured_stimulus``, the one shown, 0 where there
            is none; ``target_choice``, 1 (yes) or -1 (no); the realised ``stimulus_duration``
            (NaN without a stimulus), ``delay_duration`` (from the end of the window) and
            ``report_duration`` in seconds; on the session's clock ``start_time``,
            ``cue_off_time``, ``stimulus_on_time`` and ``stimulus_off_time`` (NaN without a
            stimulus), ``decision_time``, ``stop_time``.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        amplitude = self._amplitudes(draw)
        sensed = measure(amplitude[None], self.sensory_noise, self.weber, draw.aside())[0]
        measured = np.where(amplitude > 0, sensed, 0.0)
        onset = draw_seconds(self.onset, n_trials, draw.generator)
        lasting: dict[str, Duration | NDArray[np.float64]] = {
            "onset": onset,
            "cue_duration": self.cue_duration,
            "stimulus_duration": self.stimulus_duration,
            "delay_duration": self.delay_duration,
            "report_duration": self.report_duration,
        }
        steps = epoch_steps(lasting, n_trials, draw.dt, draw.generator)
        latest = whole_steps(np.array(longest(self.onset)), draw.dt)
        report = latest + steps["stimulus_duration"] + steps["delay_duration"]
        steps |= {"report": report, "stop": report + steps["report_duration"]}
        lasting_steps = (
            steps["cue_duration"],
            report - steps["cue_duration"],
            steps["report_duration"],
        )
        timeline = Timeline(dict(zip(_EPOCHS, lasting_steps, strict=True)), _EPOCHS, draw.dt)
        inputs = self._signal(measured, steps["onset"], timeline)
        inputs[1:] += timeline.noise(1, self.stimulus_noise, draw)
        trials = make_trials(
            inputs=inputs,
            target=self._target(amplitude, timeline),
            mask=timeline.alive if self.mask == "trial" else timeline.during("report"),
            dt=draw.dt,
            events=_events(amplitude, steps),
            inter_trial=draw_seconds(self.inter_trial, n_trials, draw.generator),
            table=_table(amplitude, measured, steps, draw.dt),
            attrs=task_attrs(self, draw, {"stimulus": "stimulus"}, count_conditions(amplitude)),
        )
        return name_channels(trials, "cue", "stimulus")

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` with the true amplitudes and no noise, ``target``, and ``hints (hint,
            step_time, trial)``: ``memory``, which rises to 1 during a stimulus and stays until
            the trial is over; the phases cue, wait and report.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(
            self, trials, _EPOCHS, "stimulus", "stimulus_on_time", "stimulus_duration"
        )
        amplitude, start = trials["stimulus"].to_numpy(), trials["start_time"].to_numpy()
        lasts = trials["stimulus_duration"].to_numpy()
        # Where there is no stimulus these are NaN; what they stand for is multiplied by 0.
        on = np.nan_to_num(trials["stimulus_on_time"].to_numpy() - start)
        onset = whole_steps(on, timeline.dt)
        after = timeline.dt * (np.arange(1.0, timeline.n_all + 1)[:, None] - onset)
        seen = np.clip(after / np.where(lasts > 0, lasts, 1.0), 0.0, 1.0) * (amplitude > 0)
        hints = {"memory": seen * timeline.alive, **phases(timeline)}
        inputs = self._signal(amplitude, onset, timeline)
        return make_lesson(trials, inputs, self._target(amplitude, timeline), hints)

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
            ``response (trial)``: mean output during the report, minus the middle between the
            targets of yes and no; ``choice (trial)``: its sign, 1 (yes) or -1 (no), NaN where
            it is exactly 0; ``correct (trial)``: 1 or 0; ``outcome (trial)``: "hit", "miss",
            "false alarm", "correct rejection", or "" without a choice.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        output = read_output(self, output, trials)
        report = event_steps(trials, "decision_time"), event_steps(trials, "stop_time")
        mean = mean_during(output, *report)[0] - (1 + self.no_target) / 2
        behavior = choose(mean, trials["target_choice"].to_numpy())
        behavior["response"].attrs["description"] = "mean output of the report, minus criterion"
        behavior["correct"].attrs["description"] = "1 where the choice is right, else 0"
        choice, present = behavior["choice"].to_numpy(), trials["stimulus"].to_numpy() > 0
        cases = [present & (choice > 0), present & (choice < 0), choice > 0, choice < 0]
        outcome = np.select(cases, np.array(OUTCOMES), default="")
        says = {"description": "what the choice is worth in the theory of signal detection"}
        return behavior.assign(outcome=("trial", outcome, says))

    def _conditions(self) -> Conditions:
        return read_conditions("stimuli", self.stimuli, ("amplitude (dimensionless)",), STIMULI)

    def _amplitudes(self, draw: Draw) -> NDArray[np.float64]:
        """Draw the amplitude of each trial, 0 where there is no stimulus."""
        conditions = self._conditions()
        amplitudes = np.append(conditions.values[:, 0], 0.0)
        share = np.append(conditions.weights * (1 - self.absent_fraction), self.absent_fraction)
        present = share > 0
        position = draw_positions(
            int(present.sum()), draw.n_trials, self.balanced, draw.generator, share[present]
        )
        return amplitudes[position]

    def _signal(
        self, shown: NDArray[np.float64], onset: Steps, timeline: Timeline
    ) -> NDArray[np.float64]:
        """Cue and stimulus, ``(channel, step, trial)``."""
        report, sizes = timeline.ends["wait"], (timeline.n_all, timeline.dt)
        cue = pulse(np.zeros_like(report), self.cue_duration, *sizes)
        if self.go_cue:
            cue = cue + pulse(report, self.cue_duration, *sizes) * timeline.alive
        stimulus = shown * pulse(onset, self.stimulus_duration, *sizes)
        return np.stack([cue, np.where(timeline.alive, stimulus, 0.0)])

    def _target(self, amplitude: NDArray[np.float64], timeline: Timeline) -> NDArray[np.float64]:
        """Ask for the right answer during the report, ``(1, step, trial)``."""
        right = np.where(amplitude > 0, 1.0, self.no_target)
        return np.where(timeline.during("report"), right, 0.0)[None]


def _events(amplitude: NDArray[np.float64], steps: dict[str, Steps]) -> dict[str, Any]:
    """Count the steps from the trial's start to each event; NaN for stimuli that are not there."""
    on = np.where(amplitude > 0, steps["onset"], np.nan)
    return {
        "cue_off_time": steps["cue_duration"],
        "stimulus_on_time": on,
        "stimulus_off_time": on + steps["stimulus_duration"],
        "decision_time": steps["report"],
        "stop_time": steps["stop"],
    }


def _table(
    amplitude: NDArray[np.float64],
    measured: NDArray[np.float64],
    steps: dict[str, Steps],
    dt: float,
) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    right = {"units": "1", "description": "1: there was a stimulus, -1: there was none"}
    says = {"units": "1", "description": "amplitude of the stimulus; 0 without one"}
    columns: dict[str, Column] = {
        "stimulus": (amplitude, says),
        "measured_stimulus": (measured, {"units": "1", "description": "amplitude shown"}),
        "target_choice": (np.where(amplitude > 0, 1.0, -1.0), right),
    }
    lasted = np.where(amplitude > 0, steps["stimulus_duration"] * dt, np.nan)
    columns["stimulus_duration"] = (lasted, {"units": "s"})
    for name in ("delay_duration", "report_duration"):
        columns[name] = (steps[name] * dt, {"units": "s"})
    return columns
