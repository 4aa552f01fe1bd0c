"""The network that a source is, for steps that read more than its activity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import xarray as xr

from popdyn.comparison.source_spec import Model
from popdyn.network.kinds import Network
from popdyn.tasks.trial_set import Task

_NOISE = ("noise_density", "noise_step")


@dataclass(frozen=True)
class Performed:
    """A network of a source, and what it was shown.

    Attributes
    ----------
    net : Rate, LowRank or Spiking
        The network, trained if its source asks for that.
    task : Task
        What it performs.
    trials : Dataset
        From the task.
    source : Model
        The tables of the source.
    """

    net: Network
    task: Task
    trials: xr.Dataset
    source: Model

    @property
    def noise(self) -> dict[str, Any]:
        """Noise of the simulation, by its argument of ``pdn.simulate``."""
        return {key: own for key, own in self.source.simulate.items() if key in _NOISE}
