"""Delayed match to sample: saying whether two stimuli across a delay are the same.

Constants follow the generator published with Dubreuil, Valente et al. (2022); the time between
trials is our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.resample import Seed
from popdyn.tasks.fields import check_durations, check_name_pairs, check_shared
from popdyn.tasks.hints import grown, named, phases
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration
from popdyn.tasks.timeline import Timeline, assemble, draw_cells, sign_of_output
from popdyn.tasks.trial_set import Column, Draw, name_channels

_EPOCHS = {
    "fixation": "start_time",
    "sample": "sample_on_time",
    "delay": "sample_off_time",
    "test": "test_on_time",
    "decision": "decision_time",
}


@dataclass(frozen=True)
class DelayedMatch:
    """A sample, a delay, a test; the output must tell whether they were the same.

    A trial is fixation, sample, delay, test, decision.  Each stimulus has an input channel of
    its own, which is 1 while it is shown; all carry noise during the whole trial.  One output
    has the target 1 (match) or -1 (non-match) during the decision, 0 elsewhere.

    Parameters
    ----------
    pairs : sequence of (sample, test) or (sample, test, weight)
        Names of the stimuli, and how often a pair comes compared with others (1 without).
        Channels follow the order in which the names appear.
    fixation_duration, sample_duration, delay_duration, test_duration, decision_duration : \
float or pair
        Duration of each epoch in seconds, or the bounds between which it is drawn uniformly
        for each trial.
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
        If a pair is not two names or comes twice, or a number has the wrong sign.

    References
    ----------
    Dubreuil, Valente, Beiran, Mastrogiuseppe & Ostojic (2022), Nature Neuroscience 25:783.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = pdn.tasks.DelayedMatch().sample(40, rng=0)
    >>> match = trials["sample"] == trials["test"]
    >>> bool(((trials["target_choice"] == 1) == match).all())
    True
    """

    pairs: tuple[tuple[Any, ...], ...] = (("A", "A"), ("A", "B"), ("B", "A"), ("B", "B"))
    fixation_duration: Duration = 0.1
    sample_duration: Duration = 0.5
    delay_duration: Duration = (0.5, 3.0)
    test_duration: Duration = 0.5
    decision_duration: Duration = 1.0
    stimulus_noise: float = 0.03
    catch_fraction: float = 0.0
    inter_trial: Duration = 1.0
    mask: Literal["response", "trial"] = "response"
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        check_name_pairs(self, "pairs")
        check_shared(self)
        check_durations(self, _EPOCHS)

    @property
    def stimuli(self) -> tuple[str, ...]:
        """Names of the stimuli in the order of their input channels."""
        return tuple(dict.fromkeys(name for pair in self.pairs for name in pair[:2]))

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
            ``mask (step_time, trial)``.  On ``trial``: ``sample`` and ``test`` ("" on catch
            trials), ``target_choice`` (1 match, -1 non-match), the realised ``*_duration`` and
            the events ``start_time``, ``sample_on_time``, ``sample_off_time``,
            ``test_on_time``, ``decision_time`` (the test ends), ``stop_time`` in seconds on
            the session's clock.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        weights = [pair[2] if len(pair) == 3 else 1.0 for pair in self.pairs]
        cell = draw_cells(weights, self.catch_fraction, self.balanced, draw)
        # The last row is that of catch trials, whose cell is -1.
        sample, test = np.array([pair[:2] for pair in self.pairs] + [("", "")])[cell].T
        timeline = Timeline.draw(self, _EPOCHS, draw)
        inputs = timeline.noise(len(self.stimuli), self.stimulus_noise, draw)
        inputs += self._signal(timeline, sample, test)
        choice = np.where(cell < 0, 0.0, np.where(sample == test, 1.0, -1.0))
        decision = timeline.during("decision")
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=inputs,
            target=np.where(decision, choice, 0.0)[None],
            mask=timeline.alive if self.mask == "trial" else decision,
            table=_table(sample, test, choice),
            roles={"stimulus": "sample", "stimulus_2": "test"},
            conditions=("sample", "test"),
        )
        return name_channels(trials, *self.stimuli)

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` without noise, ``target``, and ``hints (hint, step_time, trial)``: a
            memory of each stimulus, such as ``memory A``, which rises to 1 during the sample
            and stays until the test is over; ``choice``, which rises to the right one during
            the test and keeps it; the phases sample, delay, test and decision.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS, "sample", "test")
        sample, test = (trials[name].to_numpy() for name in ("sample", "test"))
        choice = np.where(sample == test, 1.0, -1.0) * (sample != "")
        target = np.where(timeline.during("decision"), choice, 0.0)[None]
        hints = {
            **named(timeline, ("sample", "test"), sample, self.stimuli),
            "choice": grown(timeline, "test", "decision", choice),
            **phases(timeline),
        }
        return make_lesson(trials, self._signal(timeline, sample, test), target, hints)

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
            1 for "match", -1 for "non-match", NaN where it is exactly 0; ``correct (trial)``:
            1 where that is so, else 0, NaN on catch trials.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return sign_of_output(self, output, trials)

    def _signal(
        self, timeline: Timeline, sample: NDArray[np.str_], test: NDArray[np.str_]
    ) -> NDArray[np.float64]:
        """Show each stimulus in its channel, ``(channel, step, trial)``."""
        channels = np.array(self.stimuli)[:, None]
        first, second = ((channels == shown)[:, None] for shown in (sample, test))
        shown = first * timeline.during("sample") + second * timeline.during("test")
        return np.asarray(shown, dtype=np.float64)


def _table(
    sample: NDArray[np.str_], test: NDArray[np.str_], choice: NDArray[np.float64]
) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    says = "1 where sample and test are the same, -1 where not; 0 on catch trials"
    return {
        "sample": (sample, {"description": "first stimulus"}),
        "test": (test, {"description": "second stimulus"}),
        "target_choice": (choice, {"units": "1", "description": says}),
    }
