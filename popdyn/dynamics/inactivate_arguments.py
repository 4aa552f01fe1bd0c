"""What `inactivate` was given besides the network and its parts, read so that mistakes are said."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from popdyn.errors import TensorError
from popdyn.network.kinds import Network
from popdyn.network.real_numbers import real_number
from popdyn.network.spiking import Spiking

# Rates that neurons can have, where there are bounds.
_RATES = {
    "tanh": (-1.0, 1.0),
    "erf": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "relu": (0.0, np.inf),
    "softplus": (0.0, np.inf),
}


def check_trials(trials: Any) -> None:
    """Refuse what are no trials of a task.

    Raises
    ------
    TensorError
        Saying what they are.
    """
    if not isinstance(trials, xr.Dataset) or "inputs" not in trials:
        found = type(trials).__name__
        if isinstance(trials, xr.Dataset):
            found = f"a Dataset of {', '.join(map(str, trials.data_vars)) or 'nothing'}"
        message = f"trials must be a Dataset from task.sample, with their inputs; found {found}"
        raise TensorError(message)
    if not trials.sizes.get("trial"):
        message = "trials must hold at least one trial, found none"
        raise TensorError(message)


def check_clamp(net: Network, rate: float) -> None:
    """Refuse rates that no neuron of the network can have.

    Raises
    ------
    TensorError
        Saying which it can have.
    """
    nonlinearity = None if isinstance(net, Spiking) else net.nonlinearity
    low, high = _RATES.get(str(nonlinearity), (-np.inf, np.inf))
    if not low <= rate <= high:
        end = f"to {high:g}" if np.isfinite(high) else "upwards"
        message = (
            f"clamp must be a rate that {nonlinearity} neurons can have, from {low:g} {end}, found "
            f"{rate:g}"
        )
        raise TensorError(message)


def check_readout(net: Network, control: xr.Dataset) -> None:
    """Refuse to judge the answers of a network whose outputs are always 0.

    Raises
    ------
    TensorError
        Saying how to give it a readout.
    """
    judged = [name for name in ("response", "choice", "correct") if name in control.coords]
    if judged and not isinstance(net, Spiking) and not net.output.any():
        message = (
            f"the outputs of this network are all 0, it has no readout and its {judged[0]} means "
            "nothing: give it that of the source, dataclasses.replace(net, output=source.output), "
            "of a network of some of its neurons output=source.output[:, recorded]"
        )
        raise TensorError(message)


def check_current(
    trials: xr.Dataset, current: Any, during: Any, clamp: float, chosen: dict[str, Any]
) -> None:
    """Refuse currents that cannot be given.

    Raises
    ------
    TensorError
        Saying what is missing or too much.
    """
    if current is None:
        if during is not None:
            message = "during says when a current is given: give current=, or leave during out"
            raise TensorError(message)
        return
    real_number("current", current, "a number, in the unit of the potentials")
    if clamp:
        message = f"neurons are held at a rate or get a current: give one, found clamp={clamp:g}"
        raise TensorError(message + f" and current={current:g}")
    if any(isinstance(part, int) for part in chosen.values()):
        message = "a current is given to neurons, a latent can only be removed: leave current out"
        raise TensorError(message)
    if during is not None:
        _check_epoch(trials, during)


def _check_epoch(trials: xr.Dataset, during: Any) -> None:
    """Refuse what are not the two ends of an epoch."""
    columns = (str(name) for name in trials.coords if trials[name].dims == ("trial",))
    events = [name for name in columns if name.endswith("_time")]
    pair = isinstance(during, (tuple, list)) and len(during) == 2
    if not pair or any(name not in events for name in during):
        message = (
            f"during must name two events of the trials ({', '.join(events)}), found {during!r}"
        )
        raise TensorError(message)
    first, last = during
    if not np.any(trials[last].to_numpy() > trials[first].to_numpy()):
        message = (
            f"during names where a current starts and where it stops: {last!r} comes after "
            f"{first!r} in no trial"
        )
        raise TensorError(message)
