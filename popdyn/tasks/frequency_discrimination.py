"""Frequency discrimination: telling whether the second vibration was faster than the first.

Romo's task as a network sees it.  Frequencies, durations of the stimuli and the delay follow
the published generator of Song, Yang & Wang (2016); other constants are our choice.
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
from popdyn.tasks.hints import Scale, grown, phases
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.paired import (
    EPOCHS,
    STIMULUS_COLUMNS,
    Pairs,
    check_paired,
    compare,
    target_and_mask,
)
from popdyn.tasks.parameters import Duration, as_tuples, check_number, check_option, epoch_steps
from popdyn.tasks.timeline import Timeline, assemble
from popdyn.tasks.trial_set import Draw, name_channels

_LOWER = ((10.0, 18.0), (14.0, 22.0), (18.0, 26.0), (22.0, 30.0), (26.0, 34.0))
# (first, second) in Hz.
STIMULI: dict[str, Rows] = {
    "romo": _LOWER + tuple((second, first) for first, second in _LOWER),
}
_COLUMNS = ("first frequency (Hz)", "second frequency (Hz)")
# Hints are in units of this share of half the range of frequencies: of 8 Hz for "romo".
_HINT_UNIT = 2 / 3
_CODINGS = ("current", "centered", "opponent")


@dataclass(frozen=True)
class FrequencyDiscrimination:
    """Two vibrations, a delay between them; the output must tell whether the second was faster.

    A trial is fixation, first vibration, delay, second vibration, decision.  The inputs are
    constant during each vibration.  One output has the target 1 (second faster) or -1 (slower)
    during the decision, 0 before.

    Parameters
    ----------
    stimuli : "romo" or sequence of (first, second[, weight])
        Frequencies in Hz.  ``"romo"``: (10, 18), (14, 22), (18, 26), (22, 30), (26, 34) and
        their reversals.  Or a list of your own, with weights if not all come equally often.
    coding : {"current", "centered", "opponent"}
        What a frequency ``f`` is as an input, with ``low`` and ``high`` from `frequency_range`
        and ``mid`` between them.  ``"current"``: one channel, ``0.8 + 0.8 (f - mid) / (high -
        low)``; ``"centered"``: one channel, ``(f - mid) / (high - low)``; ``"opponent"``: two
        channels, ``0.4 + 0.8 (f - low) / (high - low)`` and ``0.4 + 0.8 (high - f) / (high -
        low)``.
    frequency_range : (low, high)
        In Hz.  Does not follow the set, so that a frequency is the same input in each.
    fixation_duration, stimulus_duration, stimulus_2_duration, delay_duration, \
decision_duration : float, pair or exponential
        In seconds: fixed, ``(shortest, longest)`` drawn uniformly, or ``("exponential",
        shortest, mean)``, whose mean is that of what goes beyond the shortest.  Rounded to
        whole steps; `sample` records what came out.
    response_delay : float
        Time from the start of the decision until the output is read, in seconds.
    sensory_noise, weber : float or (first, second)
        Error of the senses, drawn once for each vibration: the network is shown a frequency of
        mean ``f`` and variance ``sensory_noise² + (weber f)²``, with `sensory_noise` in Hz and
        `weber` a share of the frequency; target and column ``stimulus`` keep the true one.
    stimulus_noise : float
        Standard deviation of the noise of each input per step of 20 ms, dimensionless, during
        the whole trial.  For another step it is multiplied by sqrt(0.02 / dt).
    catch_fraction : float
        Share of trials without vibrations, whose target is 0 and which no accuracy counts.
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

    References
    ----------
    Romo, Brody, Hernández & Lemus (1999), Nature 399:470.
    Song, Yang & Wang (2016), PLoS Computational Biology 12:e1004792.

    Examples
    --------
    >>> import popdyn as pdn
    >>> task = pdn.tasks.FrequencyDiscrimination(sensory_noise=(5.0, 1.0))
    >>> trials = task.sample(20, rng=0)
    >>> trials["stimulus"].attrs["units"], float(trials["stimulus"].mean())
    ('Hz', 22.0)
    """

    stimuli: str | tuple[tuple[float, ...], ...] = "romo"
    coding: Literal["current", "centered", "opponent"] = "current"
    frequency_range: tuple[float, float] = (10.0, 34.0)
    fixation_duration: Duration = (0.2, 0.5)
    stimulus_duration: Duration = 0.5
    delay_duration: Duration = 3.0
    stimulus_2_duration: Duration = 0.5
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
        check_paired(self, EPOCHS)
        check_option("coding", self.coding, _CODINGS)
        bounds = as_tuples(self.frequency_range)
        if not isinstance(bounds, tuple) or len(bounds) != 2:
            message = f"frequency_range must be (low, high) in Hz, found {self.frequency_range!r}"
            raise TensorError(message)
        low, high = (check_number("frequency_range", value) for value in bounds)
        if low >= high:
            message = f"frequency_range must rise from low to high, found {bounds!r}"
            raise TensorError(message)
        object.__setattr__(self, "frequency_range", (low, high))
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
            ``stimulus`` and ``stimulus_2``, the true frequencies in Hz; ``measured_stimulus``
            and ``measured_stimulus_2``, those shown; ``target_choice``, 1 (second faster), -1,
            or 0 on catch trials; the realised ``*_duration`` of each epoch in seconds; on the
            session's clock ``start_time``, ``stimulus_on_time``, ``stimulus_off_time``,
            ``stimulus_2_on_time``, ``decision_time``, ``stop_time``.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        pairs = Pairs.draw(self, self._conditions(), draw)
        lasting = {f"{name}_duration": getattr(self, f"{name}_duration") for name in EPOCHS}
        steps = epoch_steps(lasting, n_trials, draw.dt, draw.generator)
        timeline = Timeline({name: steps[f"{name}_duration"] for name in EPOCHS}, EPOCHS, draw.dt)
        signal = self._signal(timeline, pairs.measured, pairs.present)
        target, mask = target_and_mask(self, pairs, timeline)
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=timeline.noise(len(signal), self.stimulus_noise, draw) + signal,
            target=target,
            mask=mask,
            table=pairs.table(pairs.measured, "Hz"),
            roles={"stimulus": "stimulus", "stimulus_2": "stimulus_2"},
            conditions=("stimulus", "stimulus_2"),
        )
        return name_channels(
            trials, *(("frequency", "mirror") if len(signal) > 1 else ("frequency",))
        )

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` with the true frequencies and no noise, ``target``, and
            ``hints (hint, step_time, trial)``:
            ``memory``, which rises to the first frequency and keeps it; ``comparator``, which
            rises to the second; ``choice``; the phases stimulus, delay, stimulus 2 and decision.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, EPOCHS, *STIMULUS_COLUMNS)
        pairs = Pairs.of(trials)
        scale = Scale.over(self._conditions().values, _HINT_UNIT)
        target, _ = target_and_mask(self, pairs, timeline)
        first, second = scale(pairs.true) * pairs.present
        hints = {
            "memory": grown(timeline, "stimulus", "stimulus_2", first),
            "comparator": grown(timeline, "stimulus_2", "stimulus_2", second),
            "choice": grown(timeline, "stimulus_2", "decision", pairs.target),
            **phases(timeline),
        }
        return make_lesson(trials, self._signal(timeline, pairs.true, pairs.present), target, hints)

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
            end; ``choice (trial)``: its sign, 1 (second faster) or -1, NaN where it is exactly
            0; ``correct (trial)``: 1 or 0, NaN on catch trials.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        return compare(self, output, trials)

    def _conditions(self) -> Conditions:
        return read_conditions("stimuli", self.stimuli, _COLUMNS, STIMULI)

    def _signal(
        self, timeline: Timeline, frequency: NDArray[np.float64], present: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Show frequencies ``(stimulus, trial)``, each in its epoch, ``(channel, step, trial)``."""
        levels = self._levels(frequency) * present
        signal = levels[:, 0, None] * timeline.during("stimulus")
        return signal + levels[:, 1, None] * timeline.during("stimulus_2")

    def _levels(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn frequencies ``(stimulus, trial)`` into inputs ``(channel, stimulus, trial)``."""
        low, high = self.frequency_range
        share = (frequency - low) / (high - low)
        if self.coding == "centered":
            return share[None] - 0.5
        one = 0.4 + 0.8 * share
        return one[None] if self.coding == "current" else np.stack([one, 1.2 - 0.8 * share])
