"""Size and draws of the noise: on states and on inputs, per step or as a density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from popdyn.simulation.start import TrialInputs, check_noise

Array = NDArray[np.float64]


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
