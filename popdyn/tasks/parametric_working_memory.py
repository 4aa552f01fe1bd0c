"""Parametric working memory: comparing two frequencies across a delay.

Frequency discrimination (Romo) as graded output with brief stimuli.  Constants follow the
generator published with Dubreuil, Valente et al. (2022); the time between trials is our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.resample import Seed
from popdyn.tasks.conditions import read_conditions
from popdyn.tasks.fields import check_durations, check_numbers, check_shared
from popdyn.tasks.hints import Scale, grown, phases
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration, as_tuples
from popdyn.tasks.signals import check_senses, measure
from popdyn.tasks.timeline import Timeline, assemble, draw_cells, sign_of_output
from popdyn.tasks.trial_set import Column, Draw, name_channels

_EPOCHS = {
    "fixation": "start_time",
    "stimulus": "stimulus_on_time",
    "delay": "stimulus_off_time",
    "stimulus_2": "stimulus_2_on_time",
    "decision": "decision_time",
}

_COLUMNS = ("first frequency (Hz)", "second frequency (Hz)")

# (first, second) in Hz: differences of 8, 16 and 24 Hz either way, all within 10 to 34 Hz.
STIMULI = tuple(
    (float(first), float(first + difference))
    for difference in (-24, -16, -8, 8, 16, 24)
    for first in range(10, 35)
    if 10 <= first + difference <= 34
)


@dataclass(frozen=True)
class ParametricWorkingMemory:
    """Two brief stimuli across a delay; the output must tell the difference of their frequencies.

    A trial is fixation, first stimulus, delay, second stimulus, decision.  One input channel
    carries noise during the whole trial and (frequency - center) / span during each stimulus;
    one output has the target (first - second) / span during the decision, 0
    elsewhere.

    Parameters
    ----------
    stimuli : sequence of (first, second) or (first, second, weight)
        Frequencies in Hz, and how often a pair comes compared with others (1 without).  Equal
        frequencies make catch trials.
    center, span : float
        Frequency of input 0, and difference of frequencies that is 1 in input and target, in
        Hz.
    fixation_duration, stimulus_duration, delay_duration, stimulus_2_duration, \
decision_duration : float or pair
        Duration of each epoch in seconds, or the bounds between which it is drawn uniformly
        for each trial.
    sensory_noise, weber : float or (first, second)
        Error of the senses, drawn once for each stimulus: the network is shown a frequency of
        mean ``f`` and variance ``sensory_noise² + (weber f)²``, with `sensory_noise` in Hz and
        `weber` a share of the frequency; target and column ``stimulus`` keep the true one.
    stimulus_noise : float
        Standard deviation of the input noise per step of 20 ms, dimensionless.  For another
        step it is multiplied by sqrt(0.02 / dt).
    catch_fraction : float
        Share of trials without stimuli, whose target is 0.
    inter_trial : float, pair or ("exponential", shortest, mean)
        Time between the end of a trial and the start of the next, in seconds: fixed, drawn
        uniformly between two bounds, or the shortest plus an exponential of this mean.
    mask : {"response", "trial"}
        Which steps count for the loss: those of the answer, or the whole trial, whose target is
        0 elsewhere.
    dt : float
        Step in seconds, unless `sample` is told another.
    balanced : bool
        Whether all pairs come as often as their weights say (±1) in random order, or are drawn
        independently.

    Raises
    ------
    TensorError
        If a pair is not two finite numbers or comes twice, or a number has the wrong sign.

    References
    ----------
    Romo, Brody, Hernandez & Lemus (1999), Nature 399:470.
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.ParametricWorkingMemory(stimuli=[(10, 34), (34, 10)])
    >>> trials = task.sample(4, rng=0)
    >>> trials["target"].where(trials["mask"]).mean(("output", "step_time")).values.tolist()
    [-1.0, -1.0, 1.0, 1.0]
    """

    stimuli: tuple[tuple[float, ...], ...] = STIMULI
    center: float = 22.0
    span: float = 24.0
    fixation_duration: Duration = 0.1
    stimulus_duration: Duration = 0.1
    delay_duration: Duration = (0.5, 1.0)
    stimulus_2_duration: Duration = 0.1
    decision_duration: Duration = 0.1
    sensory_noise: float | tuple[float, ...] = 0.0
    weber: float | tuple[float, ...] = 0.0
    stimulus_noise: float = 0.01
    catch_fraction: float = 0.0
    inter_trial: Duration = 1.0
    mask: Literal["response", "trial"] = "response"
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        read_conditions("stimuli", self.stimuli, _COLUMNS)
        object.__setattr__(self, "stimuli", as_tuples(self.stimuli))
        check_shared(self)
        check_durations(self, _EPOCHS)
        check_numbers(self, "center")
        check_senses(self, 2)
        check_numbers(self, "span", above_zero=True)

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
            ``mask (step_time, trial)``.  On ``trial``: ``stimulus`` and ``stimulus_2``, and
            ``measured_stimulus`` and ``measured_stimulus_2``, what the senses made of them, in Hz
            (NaN on catch trials), ``target_choice`` (1 where the first is higher), the
            realised ``*_duration`` and the events ``start_time``, ``stimulus_on_time``,
            ``stimulus_off_time``, ``stimulus_2_on_time``, ``decision_time`` (the second
            stimulus ends), ``stop_time`` in seconds on the session's clock.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        pairs = read_conditions("stimuli", self.stimuli, _COLUMNS)
        cell = draw_cells(pairs.weights, self.catch_fraction, self.balanced, draw)
        # The last row is that of catch trials, whose cell is -1.
        stimulus = np.append(pairs.values, [[np.nan, np.nan]], axis=0)[cell].T
        measured = measure(stimulus, self.sensory_noise, self.weber, draw.generator)
        timeline = Timeline.draw(self, _EPOCHS, draw)
        noise = timeline.noise(1, self.stimulus_noise, draw)
        decision = timeline.during("decision")
        difference = self._difference(stimulus)
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=noise + self._signal(timeline, measured),
            target=np.where(decision, difference, 0.0)[None],
            mask=timeline.alive if self.mask == "trial" else decision,
            table=_table(stimulus, measured, np.sign(difference)),
            roles={"stimulus": "stimulus", "stimulus_2": "stimulus_2"},
            conditions=("stimulus", "stimulus_2"),
        )
        return name_channels(trials, "frequency")

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` with the true frequencies and no noise, ``target``, and ``hints (hint,
            step_time, trial)``: ``memory``, which rises to the first frequency and keeps it;
            ``comparator``, which rises to the second; the phases stimulus, delay, stimulus 2
            and decision.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS, "stimulus", "stimulus_2")
        stimulus = np.stack([trials[name].to_numpy() for name in ("stimulus", "stimulus_2")])
        pairs = read_conditions("stimuli", self.stimuli, _COLUMNS)
        first, second = np.nan_to_num(Scale.over(pairs.values)(stimulus))
        target = np.where(timeline.during("decision"), self._difference(stimulus), 0.0)[None]
        hints = {
            "memory": grown(timeline, "stimulus", "stimulus_2", first),
            "comparator": grown(timeline, "stimulus_2", "stimulus_2", second),
            **phases(timeline),
        }
        return make_lesson(trials, self._signal(timeline, stimulus), target, hints)

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
            ``response (trial)``: mean output over the decision; ``choice (trial)``: its sign,
            1 for "the first was higher", -1 for the second, NaN where it is exactly 0;
            ``correct (trial)``: 1 where that is so, else 0, NaN on catch trials.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return sign_of_output(self, output, trials)

    def _signal(self, timeline: Timeline, shown: NDArray[np.float64]) -> NDArray[np.float64]:
        """Show frequencies ``(stimulus, trial)``, each in its epoch, ``(1, step, trial)``."""
        first, second = np.nan_to_num((shown - self.center) / self.span)
        signal = first * timeline.during("stimulus") + second * timeline.during("stimulus_2")
        return np.asarray(signal)[None]

    def _difference(self, stimulus: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much higher the first is, scaled: exactly 0 for equal ones and on catch trials."""
        return np.asarray(np.nan_to_num((stimulus[0] - stimulus[1]) / self.span))


def _table(
    stimulus: NDArray[np.float64], measured: NDArray[np.float64], choice: NDArray[np.float64]
) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    sensed = {"units": "Hz", "description": "frequency that reached the network"}
    says = "1 where the first frequency is higher, -1 where the second; 0 on catch trials"
    return {
        "stimulus": (stimulus[0], {"units": "Hz", "description": "first frequency"}),
        "stimulus_2": (stimulus[1], {"units": "Hz", "description": "second frequency"}),
        "measured_stimulus": (measured[0], sensed),
        "measured_stimulus_2": (measured[1], sensed),
        "target_choice": (choice, {"units": "1", "description": says}),
    }
