"""Context-dependent decision: one of two noisy stimuli counts, a tonic input says which.

Mante, Sussillo, Shenoy & Newsome (2013) as a network sees it.  Constants follow the generator
published with Dubreuil, Valente et al. (2022); the time between trials is our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.resample import Seed
from popdyn.tasks.fields import (
    check_durations,
    check_names,
    check_numbers,
    check_shared,
    check_strengths,
)
from popdyn.tasks.hints import grown, phases
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration
from popdyn.tasks.signals import check_senses, measure
from popdyn.tasks.timeline import Timeline, assemble, draw_cells, sign_of_output
from popdyn.tasks.trial_set import Column, Draw, name_channels

_CONTEXTS = ("motion", "color")
_EPOCHS = {
    "fixation": "start_time",
    "context": "context_on_time",
    "stimulus": "stimulus_on_time",
    "delay": "stimulus_off_time",
    "decision": "decision_time",
}


@dataclass(frozen=True)
class ContextDecision:
    """Two stimuli in noise; the output must tell the sign of the one that the context cues.

    A trial is fixation, context alone, stimuli, delay, decision.  Four input channels: motion
    and color, which carry noise during the whole trial and their stimulus during its epoch,
    and one for each context, constant from the end of fixation to the decision in trials of
    that context.  One output has the target sign(cued stimulus) during the decision, 0
    elsewhere.

    Parameters
    ----------
    stimuli : sequence of float
        Strengths, dimensionless; each trial has one for motion and one for color, in all
        combinations.  0 in the cued channel makes a catch trial.
    contexts : sequence of "motion", "color"
        Contexts that occur.
    context_strength : float
        Size of the context input, dimensionless.  The large network of the publication's main
        figure had 0.5.
    fixation_duration, context_duration, stimulus_duration, delay_duration, decision_duration : \
float or pair
        Duration of each epoch in seconds, or the bounds between which it is drawn uniformly
        for each trial.  `context_duration` is that of the context alone, before the stimuli.
    sensory_noise, weber : float or (motion, color)
        Error of the senses, drawn for each stimulus on its own: the network is shown a
        strength of mean ``s`` and variance ``sensory_noise² + (weber s)²``, constant during
        the stimuli; target and the columns ``stimulus`` and ``stimulus_2`` keep the true ones.
        A strength of 0 is shown with `sensory_noise`; on catch trials nothing is shown.
        `sensory_noise` is dimensionless.
    stimulus_noise : float
        Standard deviation of the noise on the two stimulus channels per step of 20 ms,
        dimensionless.  For another step it is multiplied by sqrt(0.02 / dt).
    catch_fraction : float
        Share of trials without stimuli and context, whose target is 0.
    inter_trial : float, pair or ("exponential", shortest, mean)
        Time between the end of a trial and the start of the next, in seconds: fixed, drawn
        uniformly between two bounds, or the shortest plus an exponential of this mean.
    mask : {"response", "trial"}
        Which steps count for the loss: those of the answer, or the whole trial, whose target is
        0 elsewhere.
    dt : float
        Step in seconds, unless `sample` is told another.
    balanced : bool
        Whether all combinations come equally often (±1) in random order, or are drawn
        independently.

    Raises
    ------
    TensorError
        If a stimulus is not finite or comes twice, a context is unknown, or a number has the
        wrong sign.

    References
    ----------
    Mante, Sussillo, Shenoy & Newsome (2013), Nature 503:78.
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = pdn.tasks.ContextDecision().sample(72, rng=0)
    >>> dict(trials["inputs"].sizes)
    {'channel': 4, 'step_time': 137, 'trial': 72}
    >>> cued = trials["stimulus"].where(trials["context"] == "motion", trials["stimulus_2"])
    >>> bool((trials["target_choice"] == np.sign(cued)).all())
    True
    """

    stimuli: tuple[float, ...] = (-0.4, -0.2, -0.1, 0.1, 0.2, 0.4)
    contexts: tuple[str, ...] = _CONTEXTS
    context_strength: float = 0.1
    fixation_duration: Duration = 0.1
    context_duration: Duration = 0.35
    stimulus_duration: Duration = 0.8
    delay_duration: Duration = 0.1
    decision_duration: Duration = 0.02
    sensory_noise: float | tuple[float, ...] = 0.0
    weber: float | tuple[float, ...] = 0.0
    stimulus_noise: float = 0.1
    catch_fraction: float = 0.0
    inter_trial: Duration = 1.0
    mask: Literal["response", "trial"] = "response"
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        check_strengths(self, "stimuli")
        check_names(self, "contexts", _CONTEXTS)
        check_shared(self)
        check_durations(self, _EPOCHS)
        check_senses(self, 2)
        check_numbers(self, "context_strength", above_zero=True)

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
            ``inputs (channel, step_time, trial)`` (motion, color, cue of motion, cue of
            color), ``target (output, step_time, trial)`` and ``mask (step_time, trial)``.  On
            ``trial``: ``stimulus`` (motion) and ``stimulus_2`` (color), the true strengths,
            ``measured_stimulus`` and ``measured_stimulus_2``, those shown, ``context`` (NaN and
            "" on catch trials), ``target_choice``, the realised ``*_duration`` and the events
            ``start_time``, ``context_on_time``, ``stimulus_on_time``, ``stimulus_off_time``,
            ``decision_time``, ``stop_time`` in seconds on the session's clock.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        cells = list(product(self.stimuli, self.stimuli, self.contexts))
        cell = draw_cells(np.ones(len(cells)), self.catch_fraction, self.balanced, draw)
        # The last row is that of catch trials, whose cell is -1.
        stimulus = np.array([row[:2] for row in cells] + [(np.nan, np.nan)])[cell].T
        context = np.array([row[2] for row in cells] + [""])[cell]
        cued = context == np.array(_CONTEXTS)[:, None]
        measured = measure(stimulus, self.sensory_noise, self.weber, draw.aside())
        timeline = Timeline.draw(self, _EPOCHS, draw)
        inputs = self._signal(measured, cued, timeline)
        inputs[:2] += timeline.noise(2, self.stimulus_noise, draw)
        choice = np.sign(np.where(cued, stimulus, 0.0).sum(axis=0))
        decision = timeline.during("decision")
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=inputs,
            target=np.where(decision, choice, 0.0)[None],
            mask=timeline.alive if self.mask == "trial" else decision,
            table=_table(stimulus, measured, context, choice),
            roles={name: name for name in ("stimulus", "stimulus_2", "context")},
            conditions=("stimulus", "stimulus_2", "context"),
        )
        return name_channels(trials, "motion", "color", "cue of motion", "cue of color")

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
            step_time, trial)``: ``choice``, which rises to the right one during the stimuli
            and keeps it; the phases context, stimulus, delay and decision.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS, "stimulus", "stimulus_2", "context")
        stimulus = np.stack([trials[name].to_numpy() for name in ("stimulus", "stimulus_2")])
        cued = trials["context"].to_numpy() == np.array(_CONTEXTS)[:, None]
        choice = np.sign(np.where(cued, stimulus, 0.0).sum(axis=0))
        target = np.where(timeline.during("decision"), choice, 0.0)[None]
        hints = {"choice": grown(timeline, "stimulus", "decision", choice), **phases(timeline)}
        return make_lesson(trials, self._signal(stimulus, cued, timeline), target, hints)

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
            -1 or 1, NaN where it is exactly 0; ``correct (trial)``: 1 where that is the sign
            of the cued stimulus, else 0, NaN on catch trials.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return sign_of_output(self, output, trials)

    def _signal(
        self, shown: NDArray[np.float64], cued: NDArray[np.bool_], timeline: Timeline
    ) -> NDArray[np.float64]:
        """Stimuli, and the context as a constant, ``(channel, step, trial)``."""
        sensory = np.nan_to_num(shown)[:, None] * timeline.during("stimulus")
        cue = self.context_strength * cued[:, None] * timeline.during("context", "delay")
        return np.concatenate([sensory, cue])


def _table(
    stimulus: NDArray[np.float64],
    measured: NDArray[np.float64],
    context: NDArray[np.str_],
    choice: NDArray[np.float64],
) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    return {
        "stimulus": (stimulus[0], {"units": "1", "description": "strength of motion"}),
        "stimulus_2": (stimulus[1], {"units": "1", "description": "strength of color"}),
        "measured_stimulus": (measured[0], {"units": "1", "description": "motion shown"}),
        "measured_stimulus_2": (measured[1], {"units": "1", "description": "color shown"}),
        "context": (context, {"description": "which stimulus counts"}),
        "target_choice": (
            choice,
            {"units": "1", "description": "sign of the cued stimulus; 0 on catch trials"},
        ),
    }
