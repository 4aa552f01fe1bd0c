"""What the arguments of a low-rank fit mean, and which are refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.dynamics.fit_lowrank_model import EXTRAS, Observation
from popdyn.errors import TensorError
from popdyn.network.doubtful_seconds import doubt_seconds
from popdyn.network.rate_fields import check_nonlinearity
from popdyn.network.real_numbers import real_array, real_number

OBSERVATIONS = ("rate", "state", "poisson")


@dataclass(frozen=True)
class Options:
    """Arguments, read.

    Attributes
    ----------
    ranks : list of int
        Rising.
    observation : str
        What is observed of a neuron.
    learned : tuple of str
        What is learned beside loadings and input weights.
    initial : ndarray or None
        State at the start of every item.
    n_neurons : int
        Of the network.
    """

    ranks: list[int]
    observation: Observation
    learned: tuple[str, ...]
    initial: NDArray[np.float64] | None
    n_neurons: int
    nonlinearity: str
    tau: float
    dt: float | None
    n_folds: int
    n_starts: int
    n_iterations: int
    n_draws: int

    def words(self) -> dict[str, Any]:
        """Return them as parameters of a result."""
        return asdict(self) | {"ranks": list(self.ranks), "learned": list(self.learned)}


def read_options(tensor: Any, n_ranks: Any, **given: Any) -> Options:
    """Check the arguments of `fit_lowrank`.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    for name in ("n_folds", "n_starts", "n_iterations", "n_draws"):
        _check_count(name, given[name], 1)
    n_recorded = tensor.sizes.get("neuron", 0) if hasattr(tensor, "sizes") else 0
    n_neurons = n_recorded if given["n_neurons"] is None else given["n_neurons"]
    if n_recorded:
        _check_count("n_neurons", n_neurons, n_recorded, "the neurons that were recorded")
    tau = _seconds("tau", given["tau"])
    dt = None if given["dt"] is None else _seconds("dt", given["dt"])
    doubt_seconds({"tau": tau} if dt is None else {"tau": tau, "dt": dt})
    if dt is not None and dt > tau:
        message = f"dt must be at most tau={tau:g} s, found {dt:g} s"
        raise TensorError(message)
    check_nonlinearity(given["nonlinearity"])
    observation, plain = _observation(tensor, given["observation"])
    initial = None
    if given["initial"] is not None:
        initial = real_array("initial", given["initial"])
        if initial.shape != (n_neurons,):
            message = (
                f"initial must be the state of each of {n_neurons} neurons, found "
                f"{initial.shape}; to fit it say learn=('initial', ...)"
            )
            raise TensorError(message)
    learned = _learned(given["learn"], plain, observation, initial is not None)
    counts = {name: int(given[name]) for name in ("n_folds", "n_starts", "n_iterations", "n_draws")}
    return Options(
        ranks=_ranks(n_ranks),
        observation=observation,
        learned=learned,
        initial=initial,
        n_neurons=int(n_neurons),
        nonlinearity=given["nonlinearity"],
        tau=tau,
        dt=dt,
        **counts,
    )


def _ranks(n_ranks: Any) -> list[int]:
    """Return ranks, rising."""
    several = isinstance(n_ranks, Iterable) and not isinstance(n_ranks, str)
    ranks = list(n_ranks) if several else [n_ranks]
    whole = [isinstance(r, (int, np.integer)) and not isinstance(r, bool) for r in ranks]
    if not ranks or not all(whole) or min(ranks) < 1 or len(set(ranks)) < len(ranks):
        message = (
            "n_ranks must be a whole number of at least 1, or several different ones such as "
            f"range(1, 6); found {n_ranks!r:.60}"
        )
        raise TensorError(message)
    return sorted(int(rank) for rank in ranks)


def _observation(tensor: Any, given: Any) -> tuple[Observation, bool]:
    """Return what is observed, and whether it is in units of the network."""
    trials = isinstance(tensor, xr.DataArray) and "trial" in tensor.dims
    counted = trials and tensor.name == "spike_count"
    if given is None:
        given = "poisson" if counted else "rate"
    if given not in OBSERVATIONS:
        near = get_close_matches(str(given), OBSERVATIONS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        message = f"observation must be 'rate', 'state' or 'poisson', found {given!r:.60}{hint}"
        raise TensorError(message)
    if given == "poisson" and not counted:
        message = (
            "observation='poisson' is of counts: give the spike_count tensor of single trials, "
            "from pdn.align; averages and rates are fitted with observation='rate'"
        )
        raise TensorError(message)
    if given != "poisson" and counted:
        message = (
            f"observation={given!r} is of rates or states, the activity is the counts of single "
            "trials: leave it out (they are fitted as counts), or give pdn.rate(tensor)"
        )
        raise TensorError(message)
    units = getattr(tensor, "attrs", {}).get("units")
    if isinstance(tensor, xr.Dataset) and tensor.attrs.get("variable") in tensor:
        units = tensor[tensor.attrs["variable"]].attrs.get("units", units)
    return given, not counted and units in ("1", None)


def _learned(given: Any, plain: bool, observation: str, fixed: bool) -> tuple[str, ...]:
    """Return what is learned beside loadings and input weights, in the order of `EXTRAS`."""
    if given is None:
        names: Sequence[str] = () if plain else EXTRAS
    else:
        names = (given,) if isinstance(given, str) else tuple(given)
        unknown = [name for name in names if name not in EXTRAS]
        if unknown:
            near = get_close_matches(str(unknown[0]), EXTRAS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            message = (
                f"learn names what is fitted beside m, n and input: {', '.join(EXTRAS)}; found "
                f"{unknown[0]!r}{hint}"
            )
            raise TensorError(message)
        if observation == "poisson" and not {"scale", "offset"} <= set(names):
            message = "counts need learn=('scale', 'offset', ...): no rate is known before the fit"
            raise TensorError(message)
    if fixed and given is not None and "initial" in names:
        message = "initial is either given or learned: leave out one of initial= and learn="
        raise TensorError(message)
    return tuple(name for name in EXTRAS if name in names and not (fixed and name == "initial"))


def _check_count(name: str, value: Any, least: int, of: str = "") -> None:
    """Refuse what is no whole number of at least `least`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        why = f", {of}" if of else ""
        message = f"{name} must be a whole number of at least {least}{why}; found {value!r:.60}"
        raise TensorError(message)


def _seconds(name: str, value: Any) -> float:
    """Return a positive number of seconds."""
    number = real_number(name, value, "a positive number of seconds")
    if number <= 0:
        message = f"{name} must be a positive number of seconds, found {value!r:.60}"
        raise TensorError(message)
    return number
