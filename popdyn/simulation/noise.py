"""Size and draws of the noise: on states and on inputs, per step or as a density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.simulation.start import TrialInputs

Array = NDArray[np.float64]


def check_noise(**sizes: float) -> None:
    """Refuse noise that is negative or not finite, or said in two conventions at once.

    Parameters
    ----------
    **sizes : float
        A density and a size per step, ``<name>_density`` and ``<name>_step``.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    for name, value in sizes.items():
        if not (np.isfinite(value) and value >= 0):
            message = f"{name} must be zero or positive, found {value!r}"
            raise TensorError(message)
    if all(sizes.values()):
        density, step = sizes
        message = (
            f"{density} (with the square root of a second) and {step} (per step) are two "
            "conventions for "
            f"the same noise: give one, found {sizes[density]:g} and {sizes[step]:g}"
        )
        raise TensorError(message)


class InputNoise:
    """White noise on the inputs, from a stream of each trial that no other noise uses.

    Parameters
    ----------
    dt : float
        Step in seconds.
    density, step : float
        One of the two, as in `popdyn.simulate`.
    generators : sequence of Generator
        One per trial, for the noise of the states; they are not advanced.
    """

    def __init__(
        self, dt: float, density: float, step: float, generators: Sequence[np.random.Generator]
    ) -> None:
        check_noise(input_noise_density=density, input_noise_step=step)
        self.std = float(step or density / np.sqrt(dt))
        self._generators = [each.spawn(1)[0] for each in generators] if self.std else []

    def draw(self, trial: int, n_steps: int, n_channels: int) -> Array:
        """Return the next noise of a trial, ``(step, channel)``."""
        if not self.std:
            return np.zeros((n_steps, n_channels))
        return self.std * self._generators[trial].standard_normal((n_steps, n_channels))

    def added(self, run: TrialInputs) -> TrialInputs:
        """Return trials whose inputs have noise from their start to their end."""
        if not self.std:
            return run
        inputs = run.inputs.copy()
        for trial, n_steps in enumerate(run.n_steps):
            inputs[:n_steps, trial] += self.draw(trial, n_steps, inputs.shape[2])
        return replace(run, inputs=inputs)
