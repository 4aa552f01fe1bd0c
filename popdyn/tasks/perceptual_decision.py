"""Perceptual decision: telling the sign of a noisy stimulus.

Random-dot motion as a network sees it.  Constants follow the generator published with
Dubreuil, Valente et al. (2022); the time between trials is our choice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed
from popdyn.tasks.answers import choose
from popdyn.tasks.conditions import count_conditions, draw_conditions
from popdyn.tasks.parameters import (
    Duration,
    Steps,
    check_duration,
    check_number,
    draw_seconds,
    epoch_steps,
)
from popdyn.tasks.signals import during, white_noise
from popdyn.tasks.trial_set import Draw, make_trials, masked_mean

_EPOCHS = ("fixation", "stimulus", "delay", "decision")


@dataclass(frozen=True)
class PerceptualDecision:
    """A stimulus of constant strength in noise; afterwards the output must tell its sign.

    A trial is fixation, stimulus, delay, decision.  One input channel carries noise during
    the whole trial and the stimulus on top of it during its epoch; one output has the target
    sign(stimulus) during the decision, the only epoch that counts.

    Parameters
    ----------
    stimuli : sequence of float
        Strengths, dimensionless, one of which each trial has.  0 makes catch trials: their
        target is 0 and they are left out of the accuracy.
    fixation_duration, stimulus_duration, delay_duration, decision_duration : float or pair
        Duration of each epoch in seconds, or the bounds between which it is drawn uniformly
        for each trial.  Rounded to whole steps; `sample` records what came out.
    stimulus_noise : float
        Standard deviation of the input noise per step of 20 ms, dimensionless.  For another
        step it is multiplied by sqrt(0.02 / dt), so that noise summed over a stretch of time
        has the same variance whatever the step.
    inter_trial : float, pair or ("exponential", shortest, mean)
        Time between the end of a trial and the start of the next, in seconds: fixed, drawn
        uniformly between two bounds, or the shortest plus an exponential of this mean.
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
    stimulus_noise: float = 0.1
    inter_trial: Duration = 1.0
    dt: float = 0.01
    balanced: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "stimuli", _strengths(self.stimuli))
        for name in _EPOCHS:
            field = f"{name}_duration"
            object.__setattr__(self, field, check_duration(field, getattr(self, field)))
        pause = check_duration("inter_trial", self.inter_trial, allow_zero=True)
        object.__setattr__(self, "inter_trial", pause)
        check_number("stimulus_noise", self.stimulus_noise)
        check_number("dt", self.dt, above_zero=True)

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
            ``stimulus``, ``target_choice`` (-1, 1, or 0 on catch trials), the realised
            ``*_duration`` in seconds, and the events ``start_time``, ``stimulus_on_time``,
            ``stimulus_off_time``, ``decision_time``, ``stop_time`` in seconds on the session's
            clock, on which trials follow each other.  ``attrs`` say the roles of columns, the
            number of trials of each stimulus, the task and the seed.

        Raises
        ------
        TensorError
            If `n_trials` is below 1 or an epoch is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        step, generator = draw.dt, draw.generator
        stimulus = draw_conditions(self.stimuli, n_trials, self.balanced, generator)
        wanted = {f"{name}_duration": getattr(self, f"{name}_duration") for name in _EPOCHS}
        steps = epoch_steps(wanted, n_trials, step, generator)
        on, off, decision, stop = np.cumsum([steps[name] for name in wanted], axis=0)
        arrays = self._arrays(stimulus, (on, off, decision, stop), step, generator)
        events = {"stimulus_on_time": on, "stimulus_off_time": off}
        events |= {"decision_time": decision, "stop_time": stop}
        return make_trials(
            **arrays,
            dt=step,
            events=events,
            inter_trial=draw_seconds(self.inter_trial, n_trials, generator),
            table=_table(stimulus, steps, step),
            attrs={**self._attrs(stimulus), "seed": draw.seed},
        )

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
            the target, else 0, NaN on catch trials.
        """
        mean = masked_mean(output, trials["mask"])[0]
        target = np.sign(masked_mean(trials["target"], trials["mask"])[0])
        return choose(mean, target)

    def _arrays(
        self,
        stimulus: NDArray[np.float64],
        events: tuple[Steps, ...],
        dt: float,
        generator: np.random.Generator,
    ) -> dict[str, Any]:
        """Make inputs, target and mask of all trials."""
        on, off, decision, stop = events
        n_steps = int(stop.max())
        alive, mask = during(0, stop, n_steps), during(decision, stop, n_steps)
        noise = white_noise(self.stimulus_noise, len(stimulus), n_steps, dt, generator)
        inputs = np.where(alive, noise + stimulus * during(on, off, n_steps), 0.0)
        target = np.where(mask, np.sign(stimulus), 0.0)
        return {"inputs": inputs, "target": target[None], "mask": mask}

    def _attrs(self, stimulus: NDArray[np.float64]) -> dict[str, str]:
        """Task, roles and number of trials of each stimulus, as text."""
        return {
            "task": type(self).__name__,
            "parameters": json.dumps(asdict(self)),
            "roles": json.dumps({"stimulus": "stimulus"}),
            "n_trials_by_stimulus": json.dumps(count_conditions(stimulus)),
        }


def _table(stimulus: NDArray[np.float64], steps: dict[str, Steps], dt: float) -> dict[str, Any]:
    """Columns of the trial table with their attributes."""
    choice = {"units": "1", "description": "sign of the stimulus; 0 on catch trials"}
    columns: dict[str, Any] = {
        "stimulus": (stimulus, {"units": "1", "description": "strength of the stimulus"}),
        "target_choice": (np.sign(stimulus), choice),
    }
    return columns | {name: (n_steps * dt, {"units": "s"}) for name, n_steps in steps.items()}


def _strengths(stimuli: Any) -> tuple[float, ...]:
    """Return the stimuli as a tuple of different finite numbers."""
    try:
        values = np.asarray(stimuli, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        message = f"stimuli must be a list of finite numbers, found {stimuli!r}"
        raise TensorError(message)
    if len(np.unique(values)) < len(values):
        message = f"each of stimuli must be there once, found {stimuli!r}"
        raise TensorError(message)
    return tuple(values.tolist())
