"""Oscillation: making a sum of sines, alone or after a pulse that starts it.

Two published targets: the four harmonics of 1.2 s of FORCE (Sussillo & Abbott 2009), and 1, 2, 3
and 5 Hz after a pulse, of the demonstration published with full-FORCE for spiking networks
(DePasquale, Churchland & Abbott 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed
from popdyn.tasks.conditions import Rows
from popdyn.tasks.fields import check_durations, check_numbers, check_shared
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration, as_tuples, check_option
from popdyn.tasks.reading import DIMS, read_output
from popdyn.tasks.signals import pulse
from popdyn.tasks.timeline import Timeline, assemble
from popdyn.tasks.trial_set import Column, Draw, name_channels

Array = NDArray[np.float64]

# (frequency in Hz, amplitude).
STIMULI: dict[str, Rows] = {
    # Equal amplitudes, scaled to a largest value of 1 (their sum rises to 2.9739).
    "full_force": tuple((frequency, 0.3362593) for frequency in (1.0, 2.0, 3.0, 5.0)),
    # (1.3 / 1.5) [sin + 1/2 sin + 1/6 sin + 1/3 sin] of harmonics 1 to 4 of 120 time constants
    # of 10 ms.
    "force": tuple(
        (harmonic / 1.2, 1.3 / 1.5 * share)
        for harmonic, share in ((1, 1.0), (2, 1 / 2), (3, 1 / 6), (4, 1 / 3))
    ),
}

_EPOCHS = {"oscillation": "start_time"}
_MOST_PERIODS = 1000


@dataclass(frozen=True)
class Oscillation:
    """A sum of sines that the output must make, from the trial's start to its end.

    One input channel has a pulse at the trial's start and is 0 afterwards.  The target of a
    step is the sum of sines at its end, where outputs are read.  All steps count.

    Parameters
    ----------
    sines : "full_force", "force" or sequence of (frequency, amplitude) or \
(frequency, amplitude, phase)
        Published targets, or your own: Hz, dimensionless, radians at the trial's start (0
        without).
    oscillation_duration : float or pair
        Duration of a trial in seconds, or the bounds between which it is drawn uniformly.
    pulse_amplitude, pulse_duration : float
        Size (dimensionless; 0 makes no pulse) and duration in seconds of the input pulse.
    tolerance : float
        Largest relative error that is still correct, see `response`.
    stimulus_noise : float
        Standard deviation of the input noise per step of 20 ms, dimensionless.  For another
        step it is multiplied by sqrt(0.02 / dt).
    inter_trial : float, pair or ("exponential", shortest, mean)
        Time between the end of a trial and the start of the next, in seconds.  With 0 and
        whole periods, trials follow each other in phase.
    dt : float
        Step in seconds, unless `sample` is told another.

    Raises
    ------
    TensorError
        If the sines are not as described or a number has the wrong sign.

    References
    ----------
    Sussillo & Abbott (2009), Neuron 63:544.
    DePasquale, Churchland & Abbott (2016), arXiv:1601.07620.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = pdn.tasks.Oscillation().sample(2, dt=0.001)
    >>> round(float(trials["target"].max()), 4)
    1.0
    >>> task = pdn.tasks.Oscillation("force", oscillation_duration=2.4, pulse_amplitude=0)
    >>> round(task.period, 9)
    1.2
    """

    sines: str | tuple[tuple[float, ...], ...] = "full_force"
    oscillation_duration: Duration = 1.0
    pulse_amplitude: float = 0.5
    pulse_duration: float = 0.05
    tolerance: float = 0.1
    stimulus_noise: float = 0.0
    inter_trial: Duration = 0.0
    dt: float = 0.01

    def __post_init__(self) -> None:
        object.__setattr__(self, "sines", _read_sines(self.sines))
        check_shared(self)
        check_durations(self, _EPOCHS)
        check_numbers(self, "pulse_amplitude")
        check_numbers(self, "pulse_duration", "tolerance", above_zero=True)

    @property
    def period(self) -> float:
        """Shortest time in seconds after which all sines repeat; inf when there is none.

        Examples
        --------
        >>> import popdyn as pdn
        >>> pdn.tasks.Oscillation(sines=[(2, 1), (3, 1)]).period
        1.0
        """
        frequency = np.array([sine[0] for sine in _sines_of(self.sines)])
        n_slowest = np.arange(1, _MOST_PERIODS + 1)
        turns = frequency[:, None] / frequency.min() * n_slowest
        whole = (np.abs(turns - np.rint(turns)) < 1e-6).all(axis=0)
        return float(n_slowest[whole][0] / frequency.min()) if whole.any() else float("inf")

    def sample(self, n_trials: int, rng: Seed = 0, dt: float | None = None) -> xr.Dataset:
        """Make trials; they differ by the noise of the input and by their durations, if at all.

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
            ``mask (step_time, trial)``.  On ``trial``: the realised ``oscillation_duration``
            and the events ``start_time``, ``stop_time`` in seconds on the session's clock.

        Raises
        ------
        TensorError
            If `n_trials` is below 1, or the step is longer than half the shortest period.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        self._check_step(draw.dt)
        timeline = Timeline.draw(self, _EPOCHS, draw)
        table: dict[str, Column] = {}
        trials = assemble(
            self,
            draw,
            timeline,
            inputs=timeline.noise(1, self.stimulus_noise, draw) + self._signal(timeline),
            target=self._wave(timeline),
            mask=timeline.alive,
            table=table,
            roles={},
            conditions=(),
        )
        return name_channels(trials, "pulse")

    def target(self, time: Any) -> Array:
        """Return the sum of sines at times in seconds from the trial's start."""
        at = np.asarray(time, dtype=np.float64)[..., None]
        sines = [(*sine, 0.0)[:3] for sine in _sines_of(self.sines)]
        frequency, amplitude, phase = np.array(sines).T
        return np.asarray((amplitude * np.sin(2 * np.pi * frequency * at + phase)).sum(axis=-1))

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` without noise and ``target``; there is nothing to hint at.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, _EPOCHS)
        inputs, target = self._signal(timeline), self._wave(timeline)
        return make_lesson(trials, inputs, target, {})

    def response(self, output: xr.DataArray, trials: xr.Dataset) -> xr.Dataset:
        """Say what a network did on each trial.

        Free oscillations drift in phase, so only the first period is judged; a shorter trial
        is judged as a whole.

        Parameters
        ----------
        output : DataArray (output, step_time, trial)
            Output of a network at the end of each step; the first output answers.
        trials : Dataset
            The trials it was run on, from `sample`.

        Returns
        -------
        xarray.Dataset
            ``response (trial)``: mean squared difference from the target over the first
            period, divided by the target's variance there; ``correct (trial)``: 1 where that
            is at most `tolerance`, else 0.  There is no choice.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        values = read_output(self, output, trials).to_numpy()[0]
        target = trials["target"].transpose(*DIMS).to_numpy()[0]
        mask = trials["mask"].transpose("step_time", "trial").to_numpy().astype(bool)
        first = (np.arange(len(mask)) + 0.5) * float(trials.attrs["dt"]) < self.period
        weight = (mask & first[:, None]) / (mask & first[:, None]).sum(axis=0)
        variance = (weight * (target - (weight * target).sum(axis=0)) ** 2).sum(axis=0)
        error = (weight * (values - target) ** 2).sum(axis=0) / variance
        said = {
            "response": (error, "squared error over the first period / variance of the target"),
            "correct": ((error <= self.tolerance) * 1.0, "1 where the error is tolerated, else 0"),
        }
        return xr.Dataset(
            {
                name: ("trial", column, {"units": "1", "description": text})
                for name, (column, text) in said.items()
            }
        )

    def _signal(self, timeline: Timeline) -> Array:
        """Give the pulse that starts a trial, ``(1, step, trial)``."""
        first = np.zeros(1, dtype=np.int64)
        shape = pulse(first, self.pulse_duration, timeline.n_all, timeline.dt)
        return np.where(timeline.alive, self.pulse_amplitude * shape, 0.0)[None]

    def _wave(self, timeline: Timeline) -> Array:
        """Return the target until a trial's end, ``(1, step, trial)``."""
        wave = self.target((np.arange(timeline.n_all) + 1) * timeline.dt)
        return np.where(timeline.alive, wave[:, None], 0.0)[None]

    def _check_step(self, dt: float) -> None:
        """Refuse steps that see a sine less than twice in its period."""
        fastest = max(sine[0] for sine in _sines_of(self.sines))
        if dt > 0.5 / fastest:
            message = (
                f"dt={dt:g} s is longer than half a period of {fastest:g} Hz: use steps of at "
                f"most {0.5 / fastest:g} s"
            )
            raise TensorError(message)


def _sines_of(sines: str | tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    """Return the sines of a published target, or those given."""
    return STIMULI[sines] if isinstance(sines, str) else sines


def _read_sines(given: Any) -> str | tuple[tuple[float, ...], ...]:
    """Return the name of a published target, or sines as tuples of floats."""
    if isinstance(given, str):
        check_option("sines", given, tuple(STIMULI))
        return given
    rows = as_tuples(given)
    sines = [_sine(row) for row in rows] if isinstance(rows, tuple) else []
    if not sines or None in sines:
        message = (
            f"sines must be {' or '.join(map(repr, STIMULI))}, or a list of (frequency in Hz, "
            f"amplitude) or (frequency, amplitude, phase in radians); found {given!r}"
        )
        raise TensorError(message)
    read = tuple(sine for sine in sines if sine is not None)
    if all(sine[1] == 0 for sine in read):
        message = f"at least one of sines must have an amplitude other than 0, found {given!r}"
        raise TensorError(message)
    return read


def _sine(row: Any) -> tuple[float, ...] | None:
    """Return finite numbers, the first of them positive; None for what is no sine."""
    if not isinstance(row, tuple) or len(row) not in (2, 3):
        return None
    if not all(isinstance(v, (int, float)) and abs(v) < np.inf for v in row) or row[0] <= 0:
        return None
    return tuple(float(v) for v in row)
