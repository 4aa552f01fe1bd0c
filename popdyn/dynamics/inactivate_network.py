"""What is inactivated, and the network that is left: arrays and records only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.populations_resample import labels_of
from popdyn.errors import TensorError
from popdyn.network.kinds import Network
from popdyn.network.low_rank import LowRank
from popdyn.network.rate import Rate
from popdyn.network.spiking import Spiking

Array = NDArray[np.float64]
Member = NDArray[np.bool_]

_HOW = 'give neurons by a name, as {"late": net.population == "late"}'


def percentile_groups(score: Any, n_groups: int = 4) -> dict[str, Member]:
    """Group neurons by a score into groups of equal size, to inactivate each.

    Parameters
    ----------
    score : array, shape (n_neurons,)
        Of each neuron: its rate, its selectivity, its output weight.
    n_groups : int
        Number of groups: 4 are quarters.

    Returns
    -------
    dict of text to ndarray of bool, shape (n_neurons,)
        Percentiles to the neurons between them, lowest scores first; neurons of equal score go by
        their position.

    Raises
    ------
    TensorError
        If scores are not one number for each neuron, or there are fewer neurons than groups.

    Examples
    --------
    >>> import popdyn as pdn
    >>> groups = pdn.dynamics.percentile_groups([3.0, 1.0, 2.0, 4.0], 2)
    >>> {name: member.nonzero()[0].tolist() for name, member in groups.items()}
    {'0 to 50 %': [1, 2], '50 to 100 %': [0, 3]}
    """
    values = np.asarray(score)
    if values.ndim != 1 or values.dtype.kind not in "fiub" or not np.isfinite(values).all():
        message = (
            "score must be one finite number for each neuron, found shape "
            f"{values.shape} of type {values.dtype}"
        )
        raise TensorError(message)
    whole = isinstance(n_groups, (int, np.integer)) and not isinstance(n_groups, bool)
    if not whole or not 1 <= n_groups <= values.size:
        message = (
            f"n_groups must be a whole number from 1 to the {values.size} neurons, found "
            f"{n_groups!r}"
        )
        raise TensorError(message)
    position = np.empty(values.size, dtype=np.intp)
    position[np.argsort(values, kind="stable")] = np.arange(values.size)
    group = position * n_groups // values.size
    ends = np.arange(n_groups + 1) * 100 / n_groups
    return {f"{ends[i]:.3g} to {ends[i + 1]:.3g} %": group == i for i in range(n_groups)}


def read_what(net: Network, what: Any) -> dict[str, Member | int]:
    """Return what is inactivated by name: neurons, or the number of a latent.

    Raises
    ------
    TensorError
        If it is nothing that the network has.
    """
    if isinstance(what, str):
        return _named(net, what)
    if isinstance(what, xr.Dataset):
        names, of_neuron = labels_of(net, what)
        return {str(name): of_neuron == i for i, name in enumerate(names)}
    given = what if isinstance(what, Mapping) else {"inactivated": what}
    if not given:
        message = "what must name at least one group of neurons, found none"
        raise TensorError(message)
    return {str(name): _member(net, str(name), neurons) for name, neurons in given.items()}


def _named(net: Network, what: str) -> dict[str, Member | int]:
    """Return all populations or all latents."""
    if what == "latents" and isinstance(net, LowRank):
        return {f"latent {1 + i}": i for i in range(net.n_ranks)}
    if what == "populations" and net.population is not None:
        names, of_neuron = labels_of(net, None)
        return {str(name): of_neuron == i for i, name in enumerate(names)}
    reason = {
        "latents": "a pdn.network.LowRank has latents, this is a " + type(net).__name__,
        "populations": "this network names none: give the result of pdn.dynamics.populations, or "
        "a mapping of names to neurons",
    }.get(what, 'text can be "populations" or "latents"; ' + _HOW)
    message = f"what={what!r} cannot be inactivated: {reason}"
    raise TensorError(message)


def _member(net: Network, name: str, neurons: Any) -> Member:
    """Return which neurons are meant."""
    try:
        array = np.asarray(neurons)
    except ValueError:  # rows of different lengths
        array = np.asarray(neurons, dtype=object)
    if array.dtype.kind in "US":
        message = f"{name!r}: neurons cannot be told by {neurons!r}: {_HOW}"[:300]
        raise TensorError(message)
    if array.dtype.kind == "b" and array.shape == (net.n_neurons,):
        member = array
    elif array.dtype.kind in "iu" and array.ndim == 1 and array.size:
        member = np.zeros(net.n_neurons, dtype=bool)
        if array.min() < 0 or array.max() >= net.n_neurons:
            message = (
                f"{name!r}: positions of neurons must be from 0 to {net.n_neurons - 1}, found "
                f"{array.min()} to {array.max()}"
            )
            raise TensorError(message)
        member[array] = True
    else:
        message = (
            f"{name!r}: neurons must be True or False for each of the {net.n_neurons} neurons, or "
            f"positions of some, found shape {array.shape} of type {array.dtype}"
        )
        raise TensorError(message)
    if not member.any() or member.all():
        message = f"{name!r} must be some of the neurons, found {member.sum()} of {member.size}"
        raise TensorError(message)
    return member


def without_latent(net: Any, latent: int) -> LowRank:
    """Return the low-rank network in which nothing drives a latent."""
    without: LowRank = replace(net, m=net.m * (np.arange(net.n_ranks) != latent))
    return without


def clamped(net: Any, member: Member, rate: float) -> Network:
    """Return the network in which all that hear some neurons hear a constant rate instead.

    The clamped neurons themselves go on as before, unheard.

    Raises
    ------
    TensorError
        If a spiking neuron should have another rate than 0.
    """
    keep = ~member
    if isinstance(net, Spiking):
        if rate:
            message = (
                "neurons of a spiking network can be silenced or given a current, not held at a "
                f"rate; found clamp={rate:g}"
            )
            raise TensorError(message)
        fields = ("recurrent_fast", "recurrent_slow", "output_fast", "output_slow")
        heard = {name: getattr(net, name) for name in fields if getattr(net, name) is not None}
        kept = {name: _columns(weights, keep) for name, weights in heard.items()}
        silenced: Network = replace(net, **kept)
        return silenced
    output_bias = np.zeros(net.n_outputs) if net.output_bias is None else net.output_bias
    if isinstance(net, Rate):
        constant = rate * net.recurrent[:, member].sum(axis=1)
        heard = {"recurrent": net.recurrent * keep}
        scale = 1.0
    else:
        constant = rate * net.m @ net.n[member].sum(axis=0) / net.n_neurons
        heard = {"n": net.n * keep[:, None]}
        scale = 1.0 / net.n_neurons
    held: Network = replace(
        net,
        **heard,
        bias=net.bias + constant,
        output=net.output * keep,
        output_bias=output_bias + scale * rate * net.output[:, member].sum(axis=1),
    )
    return held


def _columns(weights: Any, keep: Member) -> Any:
    """Return weights, dense or sparse, with some columns 0."""
    if isinstance(weights, np.ndarray):
        return weights * keep
    # scipy.sparse is wanted only here.
    from scipy.sparse import diags

    return weights @ diags(keep.astype(np.float64))


def driven(
    net: Any, trials: xr.Dataset, member: Member, current: float, during: Any
) -> tuple[Network, xr.Dataset]:
    """Return network and trials in which some neurons get a current, always or between events."""
    if during is None:
        return replace(net, bias=net.bias + current * member), trials
    start, stop = (trials[name].to_numpy() - trials["start_time"].to_numpy() for name in during)
    # A step acts from its start.
    time = trials["step_time"].to_numpy()[:, None] + 0.5 * float(trials.attrs["dt"])
    inputs = trials["inputs"].transpose("channel", "step_time", "trial")
    pulse = current * ((time > start) & (time < stop))[None]
    values = np.concatenate([inputs.to_numpy(), pulse])
    more = trials.drop_vars("inputs").drop_dims("channel", errors="ignore")
    more["inputs"] = (inputs.dims, values, {"units": "1"})
    return replace(net, input=np.column_stack([net.input, member.astype(np.float64)])), more
