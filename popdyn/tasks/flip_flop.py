"""Flip-flop: bits of memory, each set by the last pulse of its own channel.

Sussillo & Barak (2013).  The number of bits and of slots follow a public generator for the search
of fixed points (Golub & Sussillo 2018), where a slot is one step of a network without time
constant; the duration of a slot and the probability of a pulse are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import Seed
from popdyn.tasks.fields import check_flags, check_numbers, check_share, check_shared, check_whole
from popdyn.tasks.lesson import make_lesson, timeline_of
from popdyn.tasks.parameters import Duration, draw_seconds, whole_steps
from popdyn.tasks.reading import DIMS, read_output
from popdyn.tasks.signals import pulse, white_noise
from popdyn.tasks.trial_set import Column, Draw, make_trials, name_channels, task_attrs

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FlipFlop:
    """Channels that flip bits: each output must hold the sign of its channel's last pulse.

    A trial is a row of slots.  At the start of each slot each channel gives a pulse of 1 or -1
    with some probability, apart from the others.  The target of an output is the sign of the
    last pulse of its channel, from the step of the pulse on, and 0 before the first.  All
    steps count.

    Parameters
    ----------
    n_bits : int
        Channels and outputs.
    pulse_probability : float
        Of a pulse, in each slot and channel.
    n_slots : int
        Slots of a trial.
    slot_duration : float
        Duration of a slot in seconds; about the time constant of the network.
    pulse_duration : float
        Duration of a pulse in seconds, at most that of a slot.
    start_with_pulse : bool
        Whether every channel has a pulse in the first slot.
    settling_duration : float
        Time that an output is given after a flip before it is judged by `response`, in
        seconds.
    stimulus_noise : float
        Standard deviation of the input noise per step of 20 ms, dimensionless.  For another
        step it is multiplied by sqrt(0.02 / dt).
    inter_trial : float, pair or ("exponential", shortest, mean)
        Time between the end of a trial and the start of the next, in seconds: fixed, drawn
        uniformly between two bounds, or the shortest plus an exponential of this mean.
    dt : float
        Step in seconds, unless `sample` is told another.

    Raises
    ------
    TensorError
        If a number has the wrong sign, the probability is above 1 or a pulse longer than a
        slot.

    References
    ----------
    Sussillo & Barak (2013), Neural Computation 25:626.
    Golub & Sussillo (2018), Journal of Open Source Software 3:1003.

    Examples
    --------
    >>> import popdyn as pdn
    >>> trials = pdn.tasks.FlipFlop(n_bits=2).sample(5, rng=0)
    >>> dict(trials["target"].sizes)
    {'output': 2, 'step_time': 640, 'trial': 5}
    """

    n_bits: int = 3
    pulse_probability: float = 0.25
    n_slots: int = 64
    slot_duration: float = 0.1
    pulse_duration: float = 0.1
    start_with_pulse: bool = False
    settling_duration: float = 0.3
    stimulus_noise: float = 0.0
    inter_trial: Duration = 1.0
    dt: float = 0.01

    def __post_init__(self) -> None:
        check_whole(self, "n_bits")
        check_whole(self, "n_slots")
        check_share(self, "pulse_probability")
        check_numbers(self, "settling_duration")
        check_numbers(self, "slot_duration", "pulse_duration", above_zero=True)
        check_shared(self)
        check_flags(self, "start_with_pulse")
        if self.pulse_duration > self.slot_duration:
            message = (
                f"pulse_duration of {self.pulse_duration:g} s must not be longer than "
                f"slot_duration of {self.slot_duration:g} s"
            )
            raise TensorError(message)
        if self.pulse_probability == 0 and not self.start_with_pulse:
            message = "pulse_probability of 0 makes trials without a pulse: give a larger one"
            raise TensorError(message)

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
            ``mask (step_time, trial)``.  On ``trial``: ``n_pulses``; ``pulses``, those of each
            bit as text, + - or 0 for each slot; ``target_choice`` (the corner of the cube in
            which the bits end, see `response`; NaN when one was never set) and the events
            ``start_time``, ``stop_time`` in seconds on the session's clock.

        Raises
        ------
        TensorError
            If `n_trials` is below 1, or a slot is shorter than a step.
        """
        draw = Draw.begin(n_trials, rng, dt, self.dt)
        self._slot_starts(draw.dt)
        sign = self._pulses(draw)
        inputs, target = self._arrays(sign, draw.dt)
        n_steps = target.shape[1]
        inputs += white_noise(
            self.stimulus_noise, draw.n_trials, n_steps, draw.dt, draw.generator, self.n_bits
        )
        trials = make_trials(
            inputs=inputs,
            target=target,
            mask=np.ones((n_steps, draw.n_trials), dtype=bool),
            dt=draw.dt,
            events={"stop_time": np.full(draw.n_trials, n_steps)},
            inter_trial=draw_seconds(self.inter_trial, draw.n_trials, draw.generator),
            table=_table(sign, target),
            attrs=task_attrs(self, draw, {}, {"all": draw.n_trials}),
        )
        return name_channels(trials, *(f"bit {bit}" for bit in range(self.n_bits)))

    def teach(self, trials: xr.Dataset) -> xr.Dataset:
        """Say what a target network is told on trials, see `popdyn.tasks.lesson`.

        Parameters
        ----------
        trials : Dataset
            From `sample`; some of them will do.

        Returns
        -------
        xarray.Dataset
            ``inputs`` without noise and ``target``; there is nothing to hint at, as the target is
            what has to be remembered.

        Raises
        ------
        TensorError
            If another task made the trials, or they were edited.
        """
        timeline = timeline_of(self, trials, {"trial": "start_time"}, "pulses")
        sign = _read_pulses(trials, self.n_bits, self.n_slots)
        inputs, target = self._arrays(sign, timeline.dt)
        return make_lesson(trials, inputs, target, {})

    def response(self, output: xr.DataArray, trials: xr.Dataset) -> xr.Dataset:
        """Say what a network did on each trial.

        Parameters
        ----------
        output : DataArray (output, step_time, trial)
            Output of a network at the end of each step, one for each bit.
        trials : Dataset
            The trials it was run on, from `sample`.

        Returns
        -------
        xarray.Dataset
            ``correct (trial)``: share of steps in which all bits have the right sign.  A bit
            is judged from `settling_duration` after its last flip on; steps in which none is
            judged are left out, NaN when that leaves none.  ``choice (trial)``: corner of the
            cube in which the outputs end, bit k adding 2**k where it is positive; NaN where
            an output is exactly 0 or NaN.
            ``response (trial)``: root mean squared difference from the target.

        Raises
        ------
        TensorError
            If the output does not belong to the trials, or the trials to another task.
        """
        values = read_output(self, output, trials).to_numpy()
        target = trials["target"].transpose(*DIMS).to_numpy()
        n_wait = int(whole_steps(np.array(self.settling_duration), float(trials.attrs["dt"])))
        judged = (target != 0) & (_steps_since_flip(target) >= n_wait)
        right = (np.sign(values) == target) | ~judged
        n_judged = judged.any(axis=0).sum(axis=0)
        share = np.full(target.shape[-1], np.nan)
        n_right = (right.all(axis=0) & judged.any(axis=0)).sum(axis=0)
        np.divide(n_right, n_judged, out=share, where=n_judged > 0)
        error = np.sqrt(((values - target) ** 2).mean(axis=(0, 1)))
        said = {
            "response": (error, "root mean squared difference of outputs and targets"),
            "choice": (_corner(values[:, -1]), "corner in which the outputs end; NaN if one is 0"),
            "correct": (share, "share of settled steps in which all bits have the right sign"),
        }
        return xr.Dataset(
            {
                name: ("trial", column, {"units": "1", "description": text})
                for name, (column, text) in said.items()
            }
        )

    def _slot_starts(self, dt: float) -> NDArray[np.int64]:
        """Return the steps at which slots start, and the end of the last."""
        starts = whole_steps(np.arange(self.n_slots + 1, dtype=np.float64) * self.slot_duration, dt)
        if np.diff(starts).min() < 1:
            message = (
                f"slot_duration of {self.slot_duration:g} s is shorter than one step of "
                f"dt={dt:g} s: use a longer duration or a smaller dt"
            )
            raise TensorError(message)
        return starts

    def _arrays(self, sign: Array, dt: float) -> tuple[Array, Array]:
        """Return inputs without noise and target, of pulses ``(bit, slot, trial)``."""
        starts = self._slot_starts(dt)
        slots = np.diff(starts)
        width = min(self.pulse_duration, float(slots.min() * dt))
        shape = pulse(starts[:-1], width, int(starts[-1]), dt).sum(axis=1)
        inputs: Array = np.repeat(sign, slots, axis=1) * shape[:, None]
        return inputs, np.repeat(_held(sign), slots, axis=1)

    def _pulses(self, draw: Draw) -> Array:
        """Draw 1, -1 or 0 for each channel, slot and trial."""
        shape = (self.n_bits, self.n_slots, draw.n_trials)
        there = draw.generator.random(shape) < self.pulse_probability
        if self.start_with_pulse:
            there[:, 0] = True
        sign: Array = np.where(draw.generator.random(shape) < 0.5, -1.0, 1.0)
        return sign * there


def _held(sign: Array) -> Array:
    """Return the last value that is not 0 along the second axis, 0 before the first."""
    position = np.where(sign != 0, np.arange(sign.shape[1])[:, None], 0)
    latest = np.maximum.accumulate(position, axis=1)
    return np.take_along_axis(sign, latest, axis=1)


def _steps_since_flip(target: Array) -> NDArray[np.int64]:
    """Count the steps since the target last changed; the first step is a change."""
    step = np.arange(target.shape[1])[:, None]
    changed = np.diff(target, axis=1, prepend=np.nan) != 0
    since: NDArray[np.int64] = step - np.maximum.accumulate(np.where(changed, step, 0), axis=1)
    return since


def _corner(bits: Array) -> Array:
    """Return the corner of the cube of bits ``(bit, trial)``; NaN where one is 0 or NaN."""
    corner = ((bits > 0) * 2.0 ** np.arange(len(bits))[:, None]).sum(axis=0)
    undecided = ~(np.abs(bits) > 0).all(axis=0)
    return np.where(undecided, np.nan, corner)


def _write_pulses(sign: Array) -> NDArray[np.str_]:
    """Write the pulses of a trial as text: + - and 0 by slot, bits apart by a blank."""
    letters = np.array(["-", "0", "+"])[sign.astype(np.int64) + 1]
    return np.array(
        [" ".join("".join(bit) for bit in trial) for trial in np.moveaxis(letters, 2, 0)]
    )


def _read_pulses(trials: xr.Dataset, n_bits: int, n_slots: int) -> Array:
    """Read pulses ``(bit, slot, trial)`` from what `_write_pulses` wrote."""
    rows = [text.replace(" ", "") for text in trials["pulses"].to_numpy().astype(str)]
    wrong = [row for row in rows if len(row) != n_bits * n_slots or set(row) - set("+-0")]
    if wrong:
        message = (
            f"pulses of a trial must be + - or 0 for each of {n_slots} slots of {n_bits} bits, "
            f"found {wrong[0][:40]!r}: trials were edited, take them as sample returns them"
        )
        raise TensorError(message)
    sign = [[{"-": -1.0, "0": 0.0, "+": 1.0}[letter] for letter in row] for row in rows]
    return np.moveaxis(np.array(sign).reshape(len(rows), n_bits, n_slots), 0, 2)


def _table(sign: Array, target: Array) -> dict[str, Column]:
    """Columns of the trial table with their attributes."""
    last = target[:, -1]
    says = "corner in which the bits end: bit k adds 2**k where it is positive; NaN if one is 0"
    n_pulses: Any = (sign != 0).sum(axis=(0, 1)).astype(np.float64)
    by_slot = "pulses of each bit, slot by slot: + - or 0 for none"
    return {
        "n_pulses": (n_pulses, {"units": "1", "description": "pulses of all channels"}),
        "pulses": (_write_pulses(sign), {"description": by_slot}),
        "target_choice": (_corner(last), {"units": "1", "description": says}),
    }
