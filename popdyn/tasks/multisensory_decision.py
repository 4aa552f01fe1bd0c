"""Multisensory decision: telling the sign of evidence from one sense, the other, or both.

Raposo, Kaufman & Churchland (2014) as a network sees it.  Constants follow the generator
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

_SENSES = ("visual", "auditory")
_MODALITIES = (*_SENSES, "both")
_EPOCHS = {
    "fixation": "start_time",
    "cue": "cue_on_time",
    "stimulus": "stimulus_on_time",
    "delay": "stimulus_off_time",
    "decision": "decision_time",
}


@dataclass(frozen=True)
class MultisensoryDecision:
    """Evidence from one or two senses in noise; the output must tell its sign.

    A trial is fixation, cue alone, stimuli, delay, decision.  Four input channels: visual and
    auditory, which carry noise during the whole trial and their stimulus during its epoch, and
    a cue for each of them, constant from the end of fixation to the end of the stimuli when
    that sense has a stimulus.  With both, the strengths are drawn apart but have one sign.  One
    output has the target sign(evidence) during the decision, 0 elsewhere.

    Parameters
    ----------
    stimuli : sequence of float
        Strengths, dimensionless.  0 makes catch trials.
    modalities : sequence of "visual", "auditory", "both"
        Which occur, equally often.
    cue_strength : float
        Size of the input that says which senses have a stimulus, dimensionless.
    fixation_duration, cue_duration, stimulus_duration, delay_duration, decision_duration : \
float or pair
        Duration of each epoch in seconds, or the bounds between which it is drawn uniformly
        for each trial.  `cue_duration` is that of the cue alone, before the stimuli.
    sensory_noise, weber : float or (visual, auditory)
        Error of the senses, drawn for each of them on its own: the network is shown a strength
        of mean ``s`` and variance ``sensory_noise² + (weber s)²``, constant during the stimuli;
        target and the columns ``stimulus`` and ``stimulus_2`` keep the true ones.  A sense
        without a stimulus has no error, nor have catch trials; a strength of 0 is shown with
        `sensory_noise`, which is dimensionless.
    stimulus_noise : float
        Standard deviation of the noise on the two stimulus channels per step of 20 ms,
        dimensionless.  For another step it is multiplied by sqrt(0.02 / dt).
    catch_fraction : float
        Share of trials without stimuli and cues, whose target is 0.
    inter_trial : float, pair or ("exponential", shortest, mean)
        Time between the end of a trial and the start of the next, in seconds: fixed, drawn
        uniformly between two bounds, or the shortest plus an exponential of this mean.
    mask : {"response", "trial"}
        Which steps count for the loss: those of the answer, or the whole trial, whose target is
        0 elsewhere.
    dt : float
        Step in seconds, unless `sample` is told another.
    balanced : bool
        Whether all conditions come as often as they should (±1) in random order, or are drawn
        independently.

    Raises
    ------
    TensorError
        If a stimulus is not finite or comes twice, a modality is unknown, or a number has the
        wrong sign.

    References
    ----------
    Raposo, Kaufman & Churchland (2014), Nature Neuroscience 17:1784.
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = pdn.tasks.MultisensoryDecision().sample(36, rng=0)
    >>> both = trials.isel(trial=trials["modality"].values == "both")
    >>> bool((both["stimulus"] * both["stimulus_2"] > 0).all())
    True
    """

    stimuli: tuple[float, ...] = (-0.4, -0.2, -0.1, 0.1, 0.2, 0.4)
    modalities: tuple[str, ...] = _MODALITIES
    cue_strength: float = 0.1
    fixation_duration: Duration = 0.1
    cue_duration: Duration = 0.35
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
        check_names(self, "modalities", _MODALITIES)
        check_shared(self)
        check_durations(self, _EPOCHS)
        check_senses(self, 2)
        check_numbers(self, "cue_strength", above_zero=True)

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
            ``inputs (channel, step_time, trial)`` (visual, auditory, cue of visual, cue of
            auditory), ``target (output, step_time, trial)`` and ``mask (step_time, trial)``.
            On ``trial``: ``stimulus`` (visual) and ``stimulus_2`` (auditory), the true
            strengths, ``measured_stimulus`` and ``measured_stimulus_2``, those shown, 0 where
            that sense has none, ``modality`` (NaN and "" on catch trials), ``target_choice``, the
            realised ``*_duration`` and the events ``start_time``, ``cue_on_time``,
            ``stimulus_on_time``, ``stimulus_off_time``, ``decision_time``, ``stop_time`` in
            seconds on the session's clock.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        cells, weights = _cells(self.stimuli, self.modalities)
        cell = draw_cells(weights, self.catch_fraction, self.balanced, draw)
        # The last row is that of catch trials, whose cell is -1.
        stimulus = np.array([row[1:] for row in cells] + [(np.nan, np.nan)])[cell].T
        modality = np.array([row[0] for row in cells] + [""])[cell]
        present = _senses(modality)
        sensed = measure(stimulus, self.sensory_noise, self.weber, draw.aside())
        measured = np.where(present, sensed, stimulus)
        timeline = Timeline.draw(self, _EPOCHS, draw)
        inputs = self._signal(measured, present, timeline)
        inputs[:2] += timeline.noise(2, self.stimulus_noise, draw)
        choice = np.sign(np.nan_to_num(stimulus).sum(axis=0))
        decision = timeline.during("decision")
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=inputs,
            target=np.where(decision, choice, 0.0)[None],
            mask=timeline.alive if self.mask == "trial" else decision,
            table=_table(stimulus, measured, modality, choice),
            roles={"stimulus": "stimulus", "stimulus_2": "stimulus_2", "context": "modality"},
            conditions=("stimulus", "stimulus_2", "modality"),
        )
        return name_channels(trials, "visual", "auditory", "cue of visual", "cue of auditory")

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
            and keeps it; the phases cue, stimulus, delay and decision.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS, "stimulus", "stimulus_2", "modality")
        stimulus = np.stack([trials[name].to_numpy() for name in ("stimulus", "stimulus_2")])
        choice = np.sign(np.nan_to_num(stimulus).sum(axis=0))
        inputs = self._signal(stimulus, _senses(trials["modality"].to_numpy()), timeline)
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
            -1 or 1, NaN where it is exactly 0; ``correct (trial)``: 1 where that is the sign
            of the evidence, else 0, NaN on catch trials.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return sign_of_output(self, output, trials)

    def _signal(
        self, shown: NDArray[np.float64], present: NDArray[np.bool_], timeline: Timeline
    ) -> NDArray[np.float64]:
        """Stimuli, and a cue for each sense that has one, ``(channel, step, trial)``."""
        sensory = np.nan_to_num(shown)[:, None] * timeline.during("stimulus")
        cue = self.cue_strength * present[:, None] * timeline.during("cue", "stimulus")
        return np.concatenate([sensory, cue])


def _senses(modality: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Tell which senses have a stimulus, ``(sense, trial)``."""
    return np.asarray((modality == np.array(_SENSES)[:, None]) | (modality == "both"))


def _cells(
    stimuli: tuple[float, ...], modalities: tuple[str, ...]
) -> tuple[list[tuple[str, float, float]], list[float]]:
    """Conditions (modality, visual, auditory) and how often each comes.

    Modalities are equally frequent and signs as frequent as among the stimuli, whatever the
    number of combinations they have.
    """
    cells, weights = [], []
    for modality, sign in product(modalities, (-1.0, 0.0, 1.0)):
        same = [value for value in stimuli if np.sign(value) == sign]
        if not same:
            continue
        visual = same if modality != "auditory" else [0.0]
        auditory = same if modality != "visual" else [0.0]
        here = [(modality, *pair) for pair in product(visual, auditory)]
        cells += here
        weights += [len(same) / len(here)] * len(here)
    return cells, weights


def _table(
    stimulus: NDArray[np.float64],
    measured: NDArray[np.float64],
    modality: NDArray[np.str_],
    choice: NDArray[np.float64],
) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    return {
        "stimulus": (stimulus[0], {"units": "1", "description": "visual strength"}),
        "stimulus_2": (stimulus[1], {"units": "1", "description": "auditory strength"}),
        "measured_stimulus": (measured[0], {"units": "1", "description": "visual, as shown"}),
        "measured_stimulus_2": (measured[1], {"units": "1", "description": "auditory, as shown"}),
        "modality": (modality, {"description": "which senses have a stimulus"}),
        "target_choice": (
            choice,
            {"units": "1", "description": "sign of the evidence; 0 on catch trials"},
        ),
    }
