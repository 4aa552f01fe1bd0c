"""What inputs are made of: pulses, epochs, noise, and stimuli as the senses measure them.

Arrays are ``(step, trial)``; steps count from the trial's start.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError, warn
from popdyn.tasks.parameters import Steps, as_tuples, check_number

# The step (s) at which `stimulus_noise` is stated.
NOISE_STEP = 0.02
# Share of intervals whose length may be that of a pulse without a word.
_MOST_CUT = 0.02


def during(start: Steps | int, stop: Steps | int, n_steps: int) -> NDArray[np.bool_]:
    """Tell which steps lie in ``[start, stop)`` of each trial, ``(step, trial)``."""
    step = np.arange(n_steps)[:, None]
    return np.asarray((step >= start) & (step < stop))


def pulse(start: Steps, duration: float, n_steps: int, dt: float) -> NDArray[np.float64]:
    """Make a pulse of height 1 whose integral is exactly its duration.

    Where the duration is no whole number of steps, the last step has what is left over.

    Parameters
    ----------
    start : ndarray of int, shape (trial,)
        First step.
    duration : float
        In seconds.
    n_steps : int
        Steps of the longest trial.
    dt : float
        Step in seconds.

    Returns
    -------
    ndarray, shape (step, trial)

    Examples
    --------
    >>> import numpy as np
    >>> from popdyn.tasks.signals import pulse
    >>> pulse(np.array([1]), 0.05, 5, dt=0.02).ravel().tolist()
    [0.0, 1.0, 1.0, 0.5, 0.0]
    """
    since = np.arange(n_steps)[:, None] - start
    # Rounding keeps 0.05 s from leaving 1e-15 of itself to one more step of 10 ms.
    left = np.round(duration / dt, 9) - since
    return np.where(since >= 0, np.clip(left, 0.0, 1.0), 0.0)


def white_noise(
    std: float,
    n_trials: int,
    n_steps: int,
    dt: float,
    generator: np.random.Generator,
    n_channels: int = 1,
) -> NDArray[np.float64]:
    """Draw independent noise for each step, ``(channel, step, trial)``.

    Parameters
    ----------
    std : float
        Standard deviation per step of 20 ms.  For another step it is multiplied by
        sqrt(0.02 / dt), so that noise summed over a stretch of time has the same variance
        whatever the step.
    n_trials, n_steps, n_channels : int
        Sizes.
    dt : float
        Step in seconds.
    generator : numpy.random.Generator
        To draw from; the same numbers are drawn whatever `std`.

    Returns
    -------
    ndarray, shape (channel, step, trial)
    """
    noise = generator.standard_normal((n_channels, n_trials, n_steps)).transpose(0, 2, 1)
    noise *= std * np.sqrt(NOISE_STEP / dt)
    return noise


def check_noises(name: str, value: Any, n_stimuli: int) -> float | tuple[float, ...]:
    """Return noise that is zero or positive: one number, or one for each stimulus of a trial.

    Raises
    ------
    TensorError
        If it is neither.
    """
    given = as_tuples(value)
    if not isinstance(given, tuple):
        return check_number(name, given)
    if len(given) != n_stimuli or n_stimuli == 1:
        expected = "one number" if n_stimuli == 1 else f"one number or {n_stimuli} of them"
        message = f"{name} must be {expected}, found {value!r}"
        raise TensorError(message)
    return tuple(check_number(name, number) for number in given)


def check_senses(task: Any, n_stimuli: int) -> None:
    """Check and store ``sensory_noise`` and ``weber``, see `measure`.

    Raises
    ------
    TensorError
        Naming the field, if it is no noise or a share above 1.
    """
    for name in ("sensory_noise", "weber"):
        object.__setattr__(task, name, check_noises(name, getattr(task, name), n_stimuli))
    if np.max(task.weber) > 1:
        message = f"weber is a share of the stimulus, at most 1, found {task.weber!r}"
        raise TensorError(message)


def measure(
    true: NDArray[np.float64],
    constant: float | tuple[float, ...],
    weber: float | tuple[float, ...],
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw what the senses make of stimuli: one error per stimulus, as a static noise.

    Parameters
    ----------
    true : ndarray, shape (stimulus, trial)
        Stimuli, such as intervals in seconds or frequencies in Hz.
    constant : float or one per stimulus
        Standard deviation that does not depend on the stimulus, in its units.
    weber : float or one per stimulus
        Standard deviation as a share of the stimulus; both add in quadrature.
    generator : numpy.random.Generator
        To draw from; the same numbers are drawn whatever the noise.

    Returns
    -------
    ndarray, shape (stimulus, trial)
        May come out negative: what that means is for the task to say.
    """
    n_stimuli = len(true)
    fixed = np.broadcast_to(constant, n_stimuli)[:, None]
    share = np.broadcast_to(weber, n_stimuli)[:, None]
    std = np.hypot(fixed, share * true)
    measured: NDArray[np.float64] = true + std * generator.standard_normal(true.shape)
    return measured


def no_shorter(measured: NDArray[np.float64], least: Any) -> NDArray[np.float64]:
    """Return measured intervals that can be shown: none is shorter than `least`.

    Parameters
    ----------
    measured : ndarray
        Seconds, from `measure`.
    least : float or ndarray
        Seconds that a pulse and a step take.

    Warns
    -----
    PopdynWarning
        When more than 2 % of them were shorter, so that mean and spread are not as asked for.
    """
    share = float(np.mean(measured < least))
    if share > _MOST_CUT:
        warn(
            f"{100 * share:.0f} % of the intervals shown would be shorter than a pulse and a step, "
            "and are as long as these: their mean is above the stimulus and their spread below "
            "what sensory_noise and weber say. Lower them, or shorten pulse_duration"
        )
    shown: NDArray[np.float64] = np.maximum(measured, least)
    return shown


def cue_levels(name: str, given: Any, n_levels: int) -> NDArray[np.float64]:
    """Return the levels of a cue, one each: those given, or evenly spaced ones from 0.5 to 1.

    Raises
    ------
    TensorError
        Naming the parameter, if they are not as many finite numbers.
    """
    values = as_tuples(np.linspace(0.5, 1.0, n_levels) if given is None else given)
    numbers = isinstance(values, tuple) and all(isinstance(v, (int, float)) for v in values)
    if not numbers or len(values) != n_levels or not np.isfinite(values).all():
        message = f"{name} must be {n_levels} finite numbers, one each, found {given!r}"
        raise TensorError(message)
    return np.array(values, dtype=np.float64)
