"""Perceptual decision: telling the sign of a noisy stimulus.

Random-dot motion as a network sees it.  Constants follow the generator published with
Dubreuil, Valente et al. (2022); the time between trials is our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.resample import Seed
from popdyn.tasks.fields import check_durations, check_shared, check_strengths
from popdyn.tasks.hints import grown, phases
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration
from popdyn.tasks.signals import check_senses, measure
from popdyn.tasks.timeline import Timeline, assemble, draw_cells, sign_of_output
from popdyn.tasks.trial_set import Column, Draw, name_channels

_EPOCHS = {
    "fixation": "start_time",
    "stimulus": "stimulus_on_time",
    "delay": "stimulus_off_time",
    "decision": "decision_time",
}


@dataclass(frozen=True)
class PerceptualDecision:
    """A stimulus of constant strength in noise; afterwards the output must tell its sign.

    A trial is fixation, stimulus, delay, decision.  One input channel carries noise during
    the whole trial and the stimulus on top of it during its epoch; one output has the target
    sign(stimulus) during the decision, 0 elsewhere.

    Parameters
    ----------
    stimuli : sequence of float
        Strengths, dimensionless, one of which each trial has.  0 asks for nothing, as on catch
        trials.
    fixation_duration, stimulus_duration, delay_duration, decision_duration : float or pair
        Duration of each epoch in seconds, or the bounds between which it is drawn uniformly
        for each trial.  Rounded to whole steps; `sample` records what came out.
    sensory_noise, weber : float
        Error of the senses, drawn once per trial: the network is shown a strength of mean
        ``s`` and variance ``sensory_noise² + (weber s)²``, constant during the stimulus;
        target and column ``stimulus`` keep the true one.  A strength of 0 is shown with
        `sensory_noise`; on catch trials nothing is shown.  `sensory_noise` is dimensionless.
    stimulus_noise : float
        Standard deviation of the input noise per step of 20 ms, dimensionless.  For another
        step it is multiplied by sqrt(0.02 / dt), so that noise summed over a stretch of time
        has the same variance whatever the step.
    catch_fraction : float
        Share of trials without a stimulus, whose target is 0 and which no accuracy counts.
    inter_trial : float, pair or ("exponential", shortest, mean)
        Time between the end of a trial and the start of the next, in seconds: fixed, drawn
        uniformly between two bounds, or the shortest plus an exponential of this mean.
    mask : {"response", "trial"}
        Which steps count for the loss: those of the answer, or the whole trial, whose target is
        0 elsewhere.
    dt : float
        Step in seconds, unless `sample` is told another.
    balanced : bool
        Whether all stimuli come equally often (±1) in random order, or are drawn independently.

    Raises
    ------
    TensorError
        If a stimulus is not finite or comes twice, or a duration or `dt` is not positive.

    References
    ----------
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.PerceptualDecision(delay_duration=0.5)
    >>> trials = task.sample(12, rng=0)
    >>> dict(trials["inputs"].sizes)
    {'channel': 1, 'step_time': 142, 'trial': 12}
    """

    stimuli: tuple[float, ...] = (-0.4, -0.2, -0.1, 0.1, 0.2, 0.4)
    fixation_duration: Duration = 0.1
    stimulus_duration: Duration = 0.8
    delay_duration: Duration = 0.1
    decision_duration: Duration = 0.02
    sensory_noise: float = 0.0
    weber: float = 0.0
    stimulus_noise: float = 0.1
    catch_fraction: float = 0.0
    inter_trial: Duration = 1.0
    mask: Literal["response", "trial"] = "response"
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        check_strengths(self, "stimuli")
        check_shared(self)
        check_durations(self, _EPOCHS)
        check_senses(self, 1)

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
            ``stimulus``, the true strength, and ``measured_stimulus``, the one shown (NaN on
            catch trials), ``target_choice`` (-1, 1, or 0), the realised ``*_duration`` in
            seconds, and the events ``start_time``, ``stimulus_on_time``,
            ``stimulus_off_time``, ``decision_time``, ``stop_time`` in seconds on the session's
            clock, on which trials follow each other.  ``attrs`` say the roles of columns, the
            number of trials of each stimulus, the task and the seed.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        cell = draw_cells(np.ones(len(self.stimuli)), self.catch_fraction, self.balanced, draw)
        # The last one is that of catch trials, whose cell is -1.
        stimulus = np.append(self.stimuli, np.nan)[cell]
        timeline = Timeline.draw(self, _EPOCHS, draw)
        measured = measure(stimulus[None], self.sensory_noise, self.weber, draw.aside())[0]
        inputs = timeline.noise(1, self.stimulus_noise, draw)
        inputs += np.nan_to_num(measured) * timeline.during("stimulus")
        choice = np.sign(np.nan_to_num(stimulus))
        decision = timeline.during("decision")
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=inputs,
            target=np.where(decision, choice, 0.0)[None],
            mask=timeline.alive if self.mask == "trial" else decision,
            table=_table(stimulus, measured, choice),
            roles={"stimulus": "stimulus"},
            conditions=("stimulus",),
        )
        return name_channels(trials, "stimulus")

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` with the true strengths and no noise, ``target``, and ``hints (hint,
            step_time, trial)``: ``choice``, which rises to the right one during the stimulus
            and keeps it; the phases stimulus, delay and decision.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS, "stimulus")
        strength = np.nan_to_num(trials["stimulus"].to_numpy())
        choice = np.sign(strength)
        inputs = (strength * timeline.during("stimulus"))[None]
        target = np.where(timeline.during("decision"), choice, 0.0)[None]
        hints = {"choice": grown(timeline, "stimulus", "decision", choice), **phases(timeline)}
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
            ``response (trial)``: mean output over the decision; ``choice (trial)``: its sign,
            -1 or 1, NaN where it is exactly 0; ``correct (trial)``: 1 where that is the sign of
            the stimulus, else 0, NaN on catch trials and where the stimulus is 0.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return sign_of_output(self, output, trials)


def _table(
    stimulus: NDArray[np.float64], measured: NDArray[np.float64], choice: NDArray[np.float64]
) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    says = "sign of the stimulus; 0 on catch trials"
    return {
        "stimulus": (stimulus, {"units": "1", "description": "strength of the stimulus"}),
        "measured_stimulus": (measured, {"units": "1", "description": "strength shown"}),
        "target_choice": (choice, {"units": "1", "description": says}),
    }
