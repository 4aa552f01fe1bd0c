"""Names of populations after learning: who excites and who inhibits may no longer be true."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from popdyn.errors import warn
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking

Network = Rate | Spiking

_SIGNS = {"excitatory": 1.0, "inhibitory": -1.0}


def honest_populations(trained: Network, before: Network) -> Network:
    """Take the names of populations away where learning gave their neurons both signs.

    Parameters
    ----------
    trained : Rate or Spiking
        What came out of learning.
    before : Rate or Spiking
        What it began with.

    Returns
    -------
    Rate or Spiking
        The network, without `population` if weights from neurons that are called excitatory or
        inhibitory have the other sign now, and had not before.

    Warns
    -----
    PopdynWarning
        If names were taken away.
    """
    if trained.population is None:
        return trained
    broken = _broken(trained) & ~_broken(before)
    if not broken.any():
        return trained
    warn(
        f"learning gave weights of both signs to {int(broken.sum())} of {trained.n_neurons} "
        "neurons that were called excitatory or inhibitory: the trained network has no population "
        "(Dale's law does not hold in it)"
    )
    return dataclasses.replace(trained, population=None)


def _broken(net: Rate | Spiking) -> NDArray[np.bool_]:
    """Tell which neurons have outgoing weights against the name of their population."""
    names: Any = net.population
    sign = np.array([_SIGNS.get(str(name), 0.0) for name in names])
    broken = np.zeros(net.n_neurons, dtype=bool)
    for field in ("recurrent", "recurrent_fast", "recurrent_slow"):
        weights = getattr(net, field, None)
        if weights is not None:
            dense = weights.toarray() if hasattr(weights, "toarray") else np.asarray(weights)
            broken |= (dense * sign < 0).any(axis=0)
    return broken
