"""One look at a network after the other: which neurons, which trials, what is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from popdyn.errors import TensorError
from popdyn.resample import spawn
from popdyn.simulation.loss import (
    Drift,
    drop_time,
    keep_time,
    missing_stretches,
    thin,
    trial_starts,
)
from popdyn.simulation.poisson import bins_observed, poisson_session
from popdyn.simulation.rate_map import RateMap, read_rate_map
from popdyn.tensor.result import add_history
from popdyn.tensor.session import session_neurons

LARGEST_DRIFT = 3.0


@dataclass(frozen=True)
class Look:
    """How a network is looked at: arguments of `observe` and of `observe_sessions`."""

    n_neurons: int
    n_sessions: int | None = None  # None is the only one
    rate_map: Any = None
    drift: float = 0.0
    drift_time: float = 600.0
    missing_trials: float = 0.0

    def __post_init__(self) -> None:
        bounds: dict[str, tuple[Callable[[float], bool], str]] = {
            "drift": (
                lambda size: 0 <= size <= LARGEST_DRIFT,
                f"zero to {LARGEST_DRIFT:g}: the median of the factor is exp(-drift²/2), about "
                "0.01 there, and beyond it hardly a neuron would spike",
            ),
            "drift_time": (lambda time: 0 < time < np.inf, "a positive number of seconds"),
            "missing_trials": (lambda share: 0 <= share < 1, "a share of at least 0 and below 1"),
        }
        for name, (is_fine, expected) in bounds.items():
            value = getattr(self, name)
            if not isinstance(value, (int, float, np.number)) or not is_fine(float(value)):
                message = f"{name} must be {expected}; found {value!r}"
                raise TensorError(message)

    def process(self) -> Drift | None:
        """Return how rates drift, None where they do not."""
        return Drift(self.drift, self.drift_time) if self.drift else None

    def parameters(self) -> dict[str, Any]:
        """Return what the history says: what is not as by default."""
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        changed = {key: value for key, value in shown.items() if value != _DEFAULT[key]}
        if not self.drift:
            changed.pop("drift_time", None)
        return changed


_DEFAULT = {each.name: each.default for each in fields(Look)}


def check_count(name: str, number: Any) -> None:
    """Refuse what is no number of things.

    Raises
    ------
    TensorError
        Naming the argument.
    """
    if not _is_count(number):
        message = f"{name} must be a whole number of at least 1, found {number!r}"
        raise TensorError(message)


def _is_count(number: Any) -> bool:
    whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    return whole and int(number) >= 1


@dataclass(frozen=True)
class _Streams:
    """Generators for each use; those of neurons do not depend on which are chosen."""

    choice: np.random.Generator
    spikes: list[np.random.Generator]
    drift: list[np.random.Generator]
    missing: list[np.random.Generator]

    @classmethod
    def of(cls, generator: np.random.Generator, n_neurons: int) -> _Streams:
        choice, *others = spawn(generator, 4)
        return cls(choice, *(spawn(each, n_neurons) for each in others))


def drawn_spikes(
    rate: xr.DataArray, look: Look, generator: np.random.Generator, seed: str, name: str
) -> Iterator[xr.Dataset]:
    """Draw spikes from rates, session after session."""
    n_bins = bins_observed(rate)
    streams = _Streams.of(generator, rate.sizes["neuron"])
    groups = _choose(rate.sizes["neuron"], look, streams.choice)
    starts = rate["start_time"].to_numpy() if "start_time" in rate.coords else None
    blocks = _blocks(rate.sizes["trial"], starts, len(groups))
    process = look.process()
    for number, (neurons, block) in enumerate(zip(groups, blocks, strict=True), start=1):
        part = rate.isel(neuron=neurons, trial=block)
        hertz_map = read_rate_map(look.rate_map, part)
        shown = asdict(hertz_map) if isinstance(hertz_map, RateMap) else hertz_map
        attrs = _attrs(rate, look, seed, name, number, rate_map=shown)
        drifting = [streams.drift[i] for i in neurons]
        gain = None if process is None else partial(process.gains, generators=drifting)
        session = poisson_session(
            part,
            n_bins[block],
            hertz_map,
            [streams.spikes[i] for i in neurons],
            gain,
            attrs,
        )
        yield _with_gaps(session, look, [streams.missing[i] for i in neurons])


def own_spikes(
    source: xr.Dataset, look: Look, generator: np.random.Generator, seed: str, name: str
) -> Iterator[xr.Dataset]:
    """Take the spikes of some neurons, session after session."""
    if look.rate_map is not None:
        message = "rate_map makes spikes from rates: these spikes are given, leave it out"
        raise TensorError(message)
    n_all = source.sizes["neuron"]
    streams = _Streams.of(generator, n_all)
    groups = _choose(n_all, look, streams.choice)
    starts = trial_starts(source) if look.n_sessions is not None else None
    blocks = _blocks(source.sizes["trial"], starts, len(groups))
    process = look.process()
    for number, (neurons, block) in enumerate(zip(groups, blocks, strict=True), start=1):
        session = session_neurons(source, np.isin(np.arange(n_all), neurons))
        session = session.assign_attrs(_attrs(source, look, seed, name, number))
        if starts is not None:
            first = -np.inf if number == 1 else starts[block].min()
            later = starts[np.concatenate([np.zeros(0, int), *blocks[number:]]).astype(int)]
            stop = later.min() if later.size else np.inf
            session = keep_time(session.isel(trial=block), first, stop)
        if process is not None:
            gains = process.gains(trial_starts(session), [streams.drift[i] for i in neurons])
            share = gains / gains.max(axis=1, keepdims=True)
            session = thin(session, share, [streams.spikes[i] for i in neurons])
        yield _with_gaps(session, look, [streams.missing[i] for i in neurons])


def _with_gaps(
    session: xr.Dataset, look: Look, generators: list[np.random.Generator]
) -> xr.Dataset:
    """Take away what was not recorded of each neuron."""
    if not look.missing_trials:
        return session
    begin = trial_starts(session)
    return drop_time(session, *missing_stretches(begin, look.missing_trials, generators))


def _choose(n_available: int, look: Look, generator: np.random.Generator) -> list[NDArray[np.intp]]:
    """Choose the neurons of each session at random, in the order of the network."""
    n_neurons, n_sessions = look.n_neurons, look.n_sessions or 1
    if not _is_count(n_neurons) or n_neurons > n_available:
        message = (
            f"n_neurons must be a whole number from 1 to {n_available}, the neurons of the "
            f"network; found {n_neurons!r}"
        )
        raise TensorError(message)
    if n_neurons * n_sessions > n_available:
        message = (
            f"{n_sessions} sessions of {n_neurons} neurons of their own need "
            f"{n_neurons * n_sessions}, the network has {n_available}: ask for at most "
            f"{n_available // n_sessions} each"
        )
        raise TensorError(message)
    order = generator.permutation(n_available)[: n_neurons * n_sessions]
    return [np.sort(group) for group in np.split(order, n_sessions)]


def _blocks(n_trials: int, starts: Any, n_sessions: int) -> list[NDArray[np.intp]]:
    """Return the trials of each session: consecutive in time, as equal in number as can be."""
    if n_sessions == 1:
        return [np.arange(n_trials)]
    if n_sessions > n_trials:
        message = f"{n_sessions} sessions need a trial each at least, found {n_trials} trials"
        raise TensorError(message)
    order = np.arange(n_trials) if starts is None else np.argsort(starts, kind="stable")
    return [np.sort(block) for block in np.array_split(order, n_sessions)]


def _attrs(
    source: xr.DataArray | xr.Dataset, look: Look, seed: str, name: str, number: int, **more: Any
) -> dict[str, Any]:
    """Return what a session says about where it comes from."""
    told = {**look.parameters(), "n_neurons": int(look.n_neurons), **more, "seed": seed}
    told |= {"session": number} if look.n_sessions is not None else {}
    history = add_history({"popdyn": source.attrs.get("popdyn", "[]")}, "observe", **told)
    return {
        "source": "network",
        "source_id": name if look.n_sessions is None else f"{name}_{number}",
        "simultaneous": 1,
        "problems": "[]",
        "seed": seed,
        "roles": source.attrs.get("roles", json.dumps({})),
        **history,
    }
